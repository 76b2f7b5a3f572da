"""Support draws as a study writes them."""

from collections.abc import Callable
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from robustmeta.config.load import StudyErrors
from robustmeta.config.schema import study_schema
from robustmeta.config.shifts import shift_entry
from robustmeta.config.yaml import read

ENTRY = {"support_draws": [5, 10], "worst": 2, "episodes": 50}
LINE = "  - {support_draws: [5, 10], worst: 2, episodes: 50}"


def test_each_number_of_draws_is_a_point() -> None:
    first, second = shift_entry(ENTRY | {"label": "d"}).points(28, 100)
    assert (first.axis, first.value, first.step, first.episodes, first.place) == ("draws", 5, 5, 50, "support")
    assert (second.step, second.worst, second.notes) == (10, 2, ("the mean of the worst 2 draws",))
    (one,) = shift_entry({"support_draws": 4}).points(28, 7)
    assert (one.episodes, one.worst, one.notes) == (7, 1, ())
    (told,) = shift_entry(ENTRY).told(28)
    assert (told.law, told.strengths) == ("the mean of the worst 2 of several clean supports", "draws 5, 10")


def test_as_it_is_written_out_it_is_the_same() -> None:
    made = shift_entry(ENTRY)
    assert shift_entry(made.model_dump(mode="json")) == made


def test_labels_tell_how_many_are_kept(load: Callable[..., Any], study_text: str) -> None:
    study = load(f"{study_text}{LINE}\n  - {{support_draws: 5}}\n")
    assert [entry.label for entry in study.shifts][-2:] == ["support_draws-worst-2", "support_draws"]
    assert load(study_text + LINE).shifts[-1].label == "support_draws"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("[5, 10]", "[]", "at least 1"),
        ("[5, 10]", "[1, 10]", "greater than or equal to 2"),
        ("[5, 10]", "[5, 1001]", "less than or equal to 1000"),
        ("[5, 10]", "[5, 5]", "a number of draws stands twice: [5, 5]"),
        ("[5, 10]", "[5, 2.5]", "whole number"),
        ("worst: 2", "worst: 6", "of 5 draws at most 5 can be kept; got worst: 6"),
        ("worst: 2", "worst: 0", "greater than or equal to 1"),
        ("worst:", "wurst:", "unknown key; did you mean worst?"),
        ("episodes: 50", "place: query", "support draws are of the support; got query"),
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
    (known,) = [b for b in branches if "support_draws" in b["properties"]]
    validator = Draft202012Validator({**known, "$defs": schema["$defs"]})
    value = read(study_text + LINE).value["shifts"][-1]
    assert validator.is_valid(value)
    assert validator.is_valid(value | {"support_draws": 7, "place": "support"})
    for wrong in ({"wurst": 1}, {"worst": 0}, {"support_draws": []}, {"support_draws": [1]}, {"place": "query"}):
        assert not validator.is_valid(value | wrong)
