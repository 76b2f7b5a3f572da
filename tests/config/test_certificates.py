"""Certificates as a study writes them."""

from collections.abc import Callable
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from robustmeta.certificates.smoothing import Smoothing
from robustmeta.config.load import StudyErrors
from robustmeta.config.schema import study_schema
from robustmeta.config.shifts import shift_entry
from robustmeta.config.yaml import read

ENTRY = {"certificate": "smoothing", "sigma": [0.12, 0.25], "n0": 50, "n": 400, "episodes": 20}
LINE = "  - {certificate: smoothing, sigma: [0.12, 1/4], n0: 50, n: 400, alpha: 0.01, episodes: 20}"


def test_each_sigma_is_a_point() -> None:
    entry = shift_entry(ENTRY | {"label": "c"})
    first, second = entry.points(28, 100)
    assert (first.axis, first.value, first.step, first.episodes, first.place) == ("sigma", 0.12, 120, 20, "query")
    assert (second.step, second.certificate) == (250, Smoothing(n0=50, n=400))
    assert shift_entry({"certificate": "smoothing", "sigma": 0.5}).points(28, 7)[0].episodes == 7
    (told,) = entry.told(28)
    assert (told.strengths, told.remarks) == ("sigma 0.12, 0.25", "n0 50, n 400, alpha 0.001")


def test_as_it_is_written_out_it_is_the_same() -> None:
    made = shift_entry(ENTRY)
    assert shift_entry(made.model_dump(mode="json")) == made
    assert made.described() == ("smoothing", {"n0": 50, "n": 400})


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("sigma: [0.12, 1/4], ", "", "a certificate needs sigma, such as [0.12, 0.25]"),
        ("1/4", "0.1204", "two sigma (or a sigma and 0) are the same to 0.001: [0.12, 0.1204]"),
        ("1/4", "-1", "greater than 0"),
        ("n: 400", "n: 5", "5 draws certify nothing at alpha 0.01; give n: 7 or more"),
        ("alpha:", "alfa:", "unknown key; did you mean alpha?"),
        ("smoothing", "smothing", "unknown certificate 'smothing'; did you mean smoothing?"),
        ("episodes: 20", "episodes: 20, place: query", "unknown key"),
    ],
)
def test_what_is_wrong_is_said_with_line_and_column(
    load: Callable[..., Any], study_text: str, old: str, new: str, message: str
) -> None:
    load(study_text + LINE)
    assert LINE.count(old) == 1
    with pytest.raises(StudyErrors) as caught:
        load(study_text + LINE.replace(old, new))
    assert message in str(caught.value)
    assert str(caught.value).startswith("study.yaml:16:")


def test_the_schema_knows_it(study_text: str) -> None:
    schema = study_schema()
    branches = schema["properties"]["shifts"]["items"]["anyOf"]
    (known,) = [b for b in branches if b["properties"].get("certificate") == {"const": "smoothing"}]
    validator = Draft202012Validator({**known, "$defs": schema["$defs"]})
    value = read(study_text + LINE).value["shifts"][-1]
    assert validator.is_valid(value)
    assert not validator.is_valid(value | {"alfa": 1})
    assert not validator.is_valid(value | {"n": 0})
    assert not validator.is_valid({k: v for k, v in value.items() if k != "sigma"})
