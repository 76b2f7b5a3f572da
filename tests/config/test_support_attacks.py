"""Attacks on supports in a study file: what is written comes back, and what is wrong is named where it stands."""

import pytest
from pydantic import ValidationError
from tiny import document, study

from robustmeta.config.shifts import shift_entry
from robustmeta.config.smoke import smoke
from robustmeta.study.shifts import identity, points


@pytest.mark.parametrize(
    ("fields", "place", "text"),
    [
        ({"eps": 0.1, "step": 3}, ("step",), "unknown key; did you mean steps?"),
        ({}, ("eps",), "an attack needs eps"),
        ({"eps": [0.1, 0.1001]}, ("eps",), "are the same to 0.001"),
        ({"eps": 0.1, "place": "query"}, ("place",), "acts on the support; got query"),
        ({"eps": 0.1, "fraction": 0}, ("fraction",), "greater than 0"),
        ({"eps": 0.1, "seed": 0}, ("seed",), "greater than or equal to 1"),
        ({"support_attack": "poisonning", "eps": 0.1}, ("support_attack",), "did you mean poisoning?"),
        ({"support_attack": "label_flip", "eps": 1.5}, ("eps",), "at most 1; got [1.5]"),
    ],
)
def test_what_is_wrong_is_named_where_it_stands(fields: dict, place: tuple[str, ...], text: str) -> None:
    with pytest.raises(ValidationError) as caught:
        shift_entry({"support_attack": "poisoning", **fields})
    (error,) = caught.value.errors()
    assert error["loc"] == place
    assert text in error["msg"]


def test_an_entry_comes_back_as_it_was_written() -> None:
    written = {"support_attack": "poisoning", "eps": [0.1], "fraction": 0.2, "order": "first", "seed": 2}
    entry = shift_entry(written)
    again = shift_entry(entry.model_dump())
    assert again == entry
    assert written.items() <= {**entry.model_dump(), "eps": [0.1]}.items()


def test_the_key_of_other_shifts_knows_nothing_of_it() -> None:
    given = document()["shifts"]
    for point in points(study()):
        assert not {"support_attack", "seed", "support_eps"} & set(identity(point))
    both = study(shifts=[*given, {"support_attack": "label_flip", "eps": [0.2, 0.4]}])
    keys = [identity(p) for p in points(both)]
    assert [k["support_eps"] for k in keys if "support_attack" in k] == [0.2, 0.4]


def test_a_smoke_run_has_seeds() -> None:
    with_seeds = smoke(study(shifts=[{"support_attack": "poisoning", "eps": 0.1, "seed": 7, "episodes": 9}]))
    plain = smoke(study(shifts=[]))
    drawings = [made.targets[0].source.model_dump()["drawings"] for made in (plain, with_seeds)]
    assert drawings[1] == drawings[0] + 7
    assert with_seeds.shifts[0].episodes == 2
