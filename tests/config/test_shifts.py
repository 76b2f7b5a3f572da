"""What the entries of ``shifts:`` stand for."""

import json
from typing import Any

import pytest
from pydantic import ValidationError

from robustmeta.config.corrupting import CorruptionShift
from robustmeta.config.entry import SetEntry, ShiftEntry
from robustmeta.config.sequences import SequenceShift
from robustmeta.config.shifts import shift_entry
from robustmeta.shifts.shift import Shift


def points(entry: dict[str, Any], size: int = 32) -> list[Shift]:
    return shift_entry(entry).points(size, 100)


def chain(stages: Any) -> list[tuple[str, object]]:
    return [(s.corruption.name, s.level) for s in stages]


def test_a_chain_is_one_point_at_its_highest_severity() -> None:
    (point,) = points({"corruption": [{"defocus_blur": 2}, {"gaussian_noise": 4}]})
    assert chain(point.query) == [("defocus_blur", (0.4, 0.5)), ("gaussian_noise", 0.09)]
    assert (point.value, point.place, point.family, point.support) == (4, "query", "chain", ())


def test_steps_without_a_severity_follow_the_entry() -> None:
    entry = {"corruption": ["contrast", {"gaussian_noise": 1}], "severity": [1, 3], "place": "both"}
    first, second = points(entry)
    assert chain(first.query) == chain(first.support) == [("contrast", 0.75), ("gaussian_noise", 0.04)]
    assert chain(second.query) == [("contrast", 0.4), ("gaussian_noise", 0.04)]
    assert [p.value for p in points({"corruption": ["contrast", "gaussian_noise"]})] == [1, 2, 3, 4, 5]


def test_support_and_query_may_differ() -> None:
    entry = shift_entry({"support": [{"gaussian_noise": 5}], "query": [{"contrast": 3}, {"defocus_blur": 1}]})
    (point,) = entry.points(32, 100)
    assert chain(point.support) == [("gaussian_noise", 0.10)]
    assert chain(point.query) == [("contrast", 0.4), ("defocus_blur", (0.3, 0.4))]
    assert (point.place, point.value) == ("both", 5)
    assert entry.described()[0] == "gaussian_noise-support-contrast-defocus_blur"
    (point,) = points({"support": "contrast", "severity": 2})
    assert (point.place, chain(point.support), point.query) == ("support", [("contrast", 0.5)], ())


def test_a_set_is_a_curve_for_each_of_its_corruptions() -> None:
    entry = shift_entry({"corruptions": "imagenet-c", "severity": [1, 5], "table": "ink-28", "label": "c"})
    found = entry.points(28, 100)
    assert len(entry.curves) == 15
    assert "c.gaussian_noise" in entry.curves
    assert [p.label for p in found] == [name for name in entry.curves for _ in range(2)]
    assert {p.group for p in found} == {"c"}
    assert {p.group for p in points({"corruptions": "imagenet-c-validation"})} == {"imagenet-c-validation"}


@pytest.mark.parametrize(
    ("entry", "kind", "name"),
    [
        ({"corruptions": "imagenet-c", "severity": [3], "table": "64"}, CorruptionShift, "gaussian_noise"),
        ({"sequences": "imagenet-p", "label": "p"}, SequenceShift, "p.gaussian_noise-frames"),
    ],
)
def test_the_members_of_a_set_are_made_once(
    entry: dict[str, Any], kind: type[ShiftEntry], name: str, load: Any, study_text: str, monkeypatch: Any
) -> None:
    made, validate = [], kind.model_validate

    def counting(value: Any) -> ShiftEntry:
        made.append(value)
        return validate(value)

    monkeypatch.setattr(kind, "model_validate", counting)
    (one,) = load(study_text, f"shifts=[{json.dumps(entry)}]").shifts
    for _ in range(2):
        assert isinstance(one, SetEntry)
        assert name in one.curves
        assert len(one.points(32, 9)) == len(one.told(32)) == len(one.members)
    assert len(made) == len(one.members) > 5
    assert one.model_copy().members is one.members


def test_a_set_with_another_label_has_members_of_its_own() -> None:
    one = shift_entry({"corruptions": "imagenet-c"})
    assert "gaussian_noise" in one.curves
    assert "x.gaussian_noise" in one.model_copy(update={"label": "x"}).curves


@pytest.mark.parametrize(
    "entry",
    [
        {"corruption": "contrast", "severity": [1, 3], "table": "64", "place": "both"},
        {"corruption": [{"defocus_blur": 2}, "contrast"], "severity": [1]},
        {"support": [{"gaussian_noise": 5}], "query": ["contrast"]},
        {"support": ["contrast"]},
        {"corruptions": "imagenet-c", "severity": [3]},
        {"attack": "pgd", "eps": [0.1], "steps": 3},
        {"corruption": "contrast", "levels": [0.9, 0.5], "severity": [2]},
    ],
)
def test_an_entry_as_it_is_written_out_is_the_same_entry(entry: dict[str, Any]) -> None:
    made = shift_entry(entry)
    again = shift_entry(made.model_dump(mode="json"))
    assert again.model_dump(mode="json") == made.model_dump(mode="json")
    assert [vars(p) for p in again.points(32, 9)] != []
    assert [chain(p.query) for p in again.points(32, 9)] == [chain(p.query) for p in made.points(32, 9)]


@pytest.mark.parametrize(
    ("entry", "place", "message"),
    [
        ({"corruption": []}, ("corruption",), "expected at least one corruption"),
        ({"corruption": [{"contrast": 2, "gaussian_noise": 1}]}, ("corruption", 0), "expected a name or one pair"),
        ({"corruption": [{"contrast": 6}]}, ("corruption", 0), "contrast has the severities 1 to 5; got 6"),
        ({"corruption": [{"contrast": True}]}, ("corruption", 0), "contrast has the severities 1 to 5; got True"),
        ({"corruption": ["contrast", "nose"]}, ("corruption", 1), "unknown corruption 'nose'"),
        ({"corruption": [{"contrast": 1}], "severity": 2}, ("severity",), "has its severity already"),
        ({"corruption": ["contrast", "gaussian_noise"], "levels": [1]}, ("levels",), "not of a chain"),
        ({"corruption": "contrast", "query": ["contrast"]}, ("corruption",), "either corruption: or support:"),
        ({"query": ["contrast"], "place": "both"}, ("place",), "leave out place:"),
        ({"corruption": "albumentations:HorizontalFlip"}, ("levels",), "has no severity table"),
        ({"corruptions": "imagenet"}, ("corruptions",), "did you mean imagenet-c"),
        ({"corruptions": "imagenet-c", "table": "28"}, ("table",), "no table '28'"),
    ],
)
def test_what_is_wrong_is_said_at_its_place(entry: dict[str, Any], place: tuple[Any, ...], message: str) -> None:
    with pytest.raises(ValidationError) as caught:
        shift_entry(entry)
    (error,) = caught.value.errors()
    assert error["loc"] == place
    assert message in error["msg"]
