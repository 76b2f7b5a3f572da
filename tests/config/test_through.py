"""Attacks made through another learner, as a study writes them."""

from collections.abc import Callable
from typing import Any

import pytest
import tiny
from pydantic import ValidationError

from robustmeta.config.load import StudyErrors
from robustmeta.config.shifts import shift_entry

PLAIN = {"attack": "pgd", "eps": [0.1, 0.3], "steps": 3}


def test_its_name_says_through_whom() -> None:
    entry = shift_entry(PLAIN | {"through": "supervised"})
    assert entry.described()[0] == "pgd-through-supervised"
    assert [p.through for p in entry.points(28, 9)] == ["supervised"] * 2
    assert entry.told(28)[0].law == "attack pgd through supervised"
    assert shift_entry(entry.model_dump(mode="json")) == entry


def test_an_unknown_source_is_an_error_at_its_place(load: Callable[..., Any], study_text: str) -> None:
    wrong = study_text.replace("eps: [8/255, 0.1]}", "eps: 0.1, through: v2.bse}")
    with pytest.raises(StudyErrors) as caught:
        load(wrong)
    column = wrong.splitlines()[-1].index("v2.bse") + 1
    assert str(caught.value) == (
        f"study.yaml:15:{column}: shifts.1.through: unknown learner or baseline 'v2.bse'; did you mean v2.base?"
    )
    with pytest.raises(ValidationError, match="unknown learner or baseline 'x'; known: maml, protonet, supervised"):
        tiny.study(shifts=[PLAIN | {"through": "x"}])
