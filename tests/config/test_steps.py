"""An attack at several numbers of steps, as a study writes it."""

from collections.abc import Callable
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from pydantic import ValidationError

from robustmeta.attacks.pgd import PGD
from robustmeta.config.attacking import over_steps, weaker
from robustmeta.config.load import StudyErrors
from robustmeta.config.schema import study_schema
from robustmeta.config.shifts import shift_entry

ENTRY = {"label": "p", "attack": "pgd", "norm": "l2", "eps": [0.1, 0.2], "steps": [1, 5, 20], "restarts": 2}


def test_a_curve_for_each_number_of_steps() -> None:
    entry = shift_entry(ENTRY)
    assert entry.curves == ("p.steps-1", "p.steps-5", "p.steps-20")
    assert [(p.label, p.value) for p in entry.points(28, 9)][:3] == [
        ("p.steps-1", 0.1),
        ("p.steps-1", 0.2),
        ("p.steps-5", 0.1),
    ]
    assert entry.points(28, 9)[2].attack == PGD(norm="l2", steps=5, restarts=2)
    assert [t.label for t in entry.told(28)] == [*entry.curves]
    assert "steps 5" in entry.told(28)[1].remarks
    assert shift_entry(entry.model_dump(mode="json")) == entry
    assert over_steps([entry]) == {"p": {"p.steps-1": 1, "p.steps-5": 5, "p.steps-20": 20}}
    assert weaker([entry]) == {"p.steps-1", "p.steps-5"}


def test_one_number_is_an_attack_as_ever() -> None:
    entry = shift_entry(ENTRY | {"steps": 20})
    assert entry.curves == ("p",)
    assert entry.points(28, 9)[0].attack == PGD(norm="l2", steps=20, restarts=2)
    assert over_steps([entry]) == {}
    assert weaker([entry]) == frozenset()


@pytest.mark.parametrize(
    ("change", "place", "message"),
    [
        ({"steps": [5, 1]}, ("steps",), "numbers of steps go up, such as [1, 5, 20]; got [5, 1]"),
        ({"steps": [5, 5]}, ("steps",), "numbers of steps go up"),
        ({"steps": [0, 5]}, ("steps", 0), "greater than or equal to 1"),
        ({"steps": []}, ("steps",), "valid integer"),
        ({"attack": "noise", "restarts": None}, ("steps",), "unknown key"),
    ],
)
def test_what_is_wrong_is_said_at_its_place(change: dict[str, Any], place: tuple[Any, ...], message: str) -> None:
    with pytest.raises(ValidationError) as caught:
        shift_entry({k: v for k, v in (ENTRY | change).items() if v is not None})
    (error,) = caught.value.errors()
    assert error["loc"] == place
    assert message in error["msg"]


def test_it_is_said_with_line_and_column(load: Callable[..., Any], study_text: str) -> None:
    with pytest.raises(StudyErrors) as caught:
        load(study_text + "  - {attack: pgd, eps: 0.1, steps: [5, 1]}\n")
    assert str(caught.value).startswith("study.yaml:16:36: shifts.2.steps: numbers of steps go up")


def test_the_schema_knows_a_list() -> None:
    schema = study_schema()
    branches = schema["properties"]["shifts"]["items"]["anyOf"]
    (known,) = [b for b in branches if b["properties"].get("attack") == {"const": "pgd"}]
    validator = Draft202012Validator({**known, "$defs": schema["$defs"]})
    assert validator.is_valid(ENTRY)
    assert validator.is_valid(ENTRY | {"steps": 20, "through": "maml"})
    assert not validator.is_valid(ENTRY | {"steps": []})
    assert not validator.is_valid(ENTRY | {"steps": [0]})
