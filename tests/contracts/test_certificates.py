"""Every built-in certificate, through one table. A new one is covered the moment it stands in its TABLE."""

import pytest
from tabled import built, hold_named

import robustmeta.certificates
from robustmeta.config.components import Certificate
from robustmeta.testing import check_certificate

SETTINGS = {"smoothing": [{}, {"n0": 10, "n": 200, "alpha": 0.01}]}
CASES = [(name, fields) for name in sorted(robustmeta.certificates.TABLE) for fields in SETTINGS.get(name, [{}])]


def certificate(name: str, fields: dict) -> Certificate:
    return built("certificates", Certificate, name, fields)


@pytest.mark.parametrize(("name", "fields"), CASES, ids=str)
def test_every_certificate_keeps_the_rules(name: str, fields: dict) -> None:
    found = check_certificate(certificate(name, fields))
    assert all(f.passed for f in found), [f for f in found if not f.passed]
    assert len(found) == 10


@pytest.mark.parametrize("name", sorted(robustmeta.certificates.TABLE))
def test_the_table_names_the_decorated_classes(name: str) -> None:
    hold_named(certificate(name, {}), name, robustmeta.certificates.TABLE)
