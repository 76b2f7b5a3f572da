"""Every built-in attack on supports, through one table. A new one is covered the moment it stands in its TABLE."""

import pytest

import robustmeta.support_attacks
from robustmeta.config.components import SupportAttack
from robustmeta.registry import resolve
from robustmeta.testing import check_support_attack

SETTINGS = {
    "evasion_swap": [{}, {"norm": "l2", "fraction": 0.5, "steps": 3}],
    "label_flip": [{}],
    "poisoning": [
        *({}, {"norm": "l2", "steps": 5}, {"norm": "l1", "steps": 5, "fraction": 0.2}),
        *({"order": "first", "steps": 3}, {"random_start": False, "steps": 3}),
    ],
    "support_noise": [{}, {"norm": "l2", "fraction": 0.01}, {"norm": "l1"}],
}
CASES = [(name, fields) for name in sorted(robustmeta.support_attacks.TABLE) for fields in SETTINGS.get(name, [{}])]


def attack(name: str, fields: dict) -> SupportAttack:
    found = resolve("support_attacks", name)
    assert isinstance(found, type)
    assert issubclass(found, SupportAttack)
    return found.model_validate(fields)


@pytest.mark.parametrize(("name", "fields"), CASES, ids=str)
def test_every_attack_on_supports_keeps_the_rules(name: str, fields: dict) -> None:
    found = check_support_attack(attack(name, fields))
    assert all(f.passed for f in found), [f for f in found if not f.passed]
    assert len(found) == 11


@pytest.mark.parametrize("name", sorted(robustmeta.support_attacks.TABLE))
def test_the_table_names_the_decorated_classes(name: str) -> None:
    found = type(attack(name, {}))
    assert (found.name, f"{found.__module__}:{found.__qualname__}") == (name, robustmeta.support_attacks.TABLE[name])
    assert found.paper
