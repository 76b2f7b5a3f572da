import copy
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from robustmeta.config.overrides import OverrideError, apply
from robustmeta.config.study import Study

STUDY: dict[str, Any] = {
    "evaluation": {"way": 5},
    "seeds": [0],
    "learners": [
        {"name": "maml"},
        {"name": "maml", "label": "a.b"},
        {"name": "protonet", "adapt": {"steps": 1}},
        {"name": "maml"},
    ],
    "shifts": [{"corruption": "fog"}, {"attack": "pgd", "eps": [0.1]}],
    "backbone": "conv4",
}


@pytest.mark.parametrize(
    ("text", "place", "value"),
    [
        ("evaluation.way=3", ("evaluation", "way"), 3),
        ("seeds=[0,1,2]", ("seeds",), [0, 1, 2]),
        ("seeds.0=7", ("seeds", 0), 7),
        ("learners.0.adapt.steps=10", ("learners", 0, "adapt", "steps"), 10),
        ("learners.protonet.adapt.steps=3", ("learners", 2, "adapt", "steps"), 3),
        ("learners.a.b.adapt={steps: 3}", ("learners", 1, "adapt"), {"steps": 3}),
        ("shifts.fog.severity=[1, 5]", ("shifts", 0, "severity"), [1, 5]),
        ("shifts.pgd.eps=8/255", ("shifts", 1, "eps"), 8 / 255),
        ("budget.images=150_000", ("budget", "images"), 150000),
        ("name=no", ("name",), "no"),
        ("name=a=b", ("name",), "a=b"),
        ("name=", ("name",), None),
        ("backbone={name: conv4, width: 8}", ("backbone",), {"name": "conv4", "width": 8}),
    ],
)
def test_the_value_is_set_at_its_place(text: str, place: tuple[int | str, ...], value: object) -> None:
    study: Any = copy.deepcopy(STUDY)
    assert apply(study, text).place == place
    for part in place:
        study = study[part]
    assert study == value


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("evaluation.way", "expected key.path=value"),
        ("=3", "expected key.path=value"),
        ("seeds=[0", "not valid YAML"),
        ("seeds=!!python/name:os.system", "tag !!python/name:os.system is not allowed"),
        ("seeds.3=1", "seeds: unknown entry '3'; known: 0"),
        ("learners.protone.x=1", "learners: unknown entry 'protone'; did you mean protonet?"),
        ("learners.maml.x=1", "learners: unknown entry 'maml'"),  # two are called so
        ("backbone.width=8", "backbone is 'conv4', not a mapping; override it whole, such as backbone={name: ...}"),
        ("evaluation.way.x=8", "evaluation.way is 5, not a mapping"),
    ],
)
def test_what_cannot_be_overridden(text: str, message: str) -> None:
    study = copy.deepcopy(STUDY)
    with pytest.raises(OverrideError) as caught:
        apply(study, text)
    assert message in str(caught.value)
    assert study == STUDY


def test_overrides_come_before_validation(load: Callable[..., Study], study_text: str) -> None:
    study = load(study_text, "learners.toy-method.adapt.steps=7", "baselines.v2.base.label=base", "seeds=[1,2]")
    assert study.learners[0].adapt.model_dump()["steps"] == 7
    assert study.baselines[0].label == "base"
    assert study.seeds == (1, 2)


def test_an_override_mends_the_file(load: Callable[..., Study], study_text: str) -> None:
    assert load(study_text.replace("shot: 1", "shot: x"), "evaluation.shot=2").evaluation.shot == 2


@pytest.mark.parametrize(
    ("override", "line"),
    [
        ("learners.0.adapt.steps=x", 'override learners.0.adapt.steps=x: expected a whole number; got "x"'),
        ("evaluation.shto=3", "override evaluation.shto=3: unknown key; did you mean shot?"),
        ("evalution.shot=3", "override evalution.shot=3: evalution: unknown key; did you mean evaluation?"),
        (
            "learners.0={name: toy-method, adapt: {stesp: 1}}",
            "override learners.0={name: toy-method, adapt: {stesp: 1}}: adapt.stesp: unknown key; did you mean steps?",
        ),
        (
            "budget={}",
            "override budget={}: give exactly one of images:, steps:, gradient_passes: or seconds:; got none",
        ),
        ("seeds.4=1", "override seeds.4=1: seeds: unknown entry '4'; known: 0"),
        ("shot", "override shot: expected key.path=value, such as evaluation.shot=1"),
    ],
)
def test_an_error_names_the_override(
    wrong: Callable[..., list[str]], study_text: str, override: str, line: str
) -> None:
    assert wrong("seeds: [0]\n" + study_text, override) == [line]


def test_errors_of_the_file_come_first(wrong: Callable[..., list[str]], study_text: str) -> None:
    lines = wrong(study_text.replace("shot: 1", "shot: x"), "seeds=y", "evaluation.way=z")
    assert [line.partition(": ")[0] for line in lines] == [
        "study.yaml:6:28",
        "override seeds=y",
        "override evaluation.way=z",
    ]


KEYS = st.text("abcdefg_", min_size=1, max_size=4)
VALUES = st.integers() | st.booleans() | st.lists(st.integers(), max_size=3)


@given(
    st.dictionaries(KEYS, st.dictionaries(KEYS, VALUES, max_size=3), max_size=3),
    st.lists(KEYS, min_size=1, max_size=3),
    VALUES,
)
def test_nothing_else_changes(study: dict[str, Any], path: list[str], value: object) -> None:
    before = copy.deepcopy(study)
    try:
        apply(study, f"{'.'.join(path)}={str(value).lower()}")
    except OverrideError:
        assert study == before
        return
    inside = tuple(path)
    assert leaves(study).items() >= leaves(value, inside).items()
    assert {k: v for k, v in leaves(study).items() if k[: len(inside)] != inside} == {
        k: v for k, v in leaves(before).items() if k[: len(inside)] != inside
    }


def leaves(value: object, place: tuple[str, ...] = ()) -> dict[tuple[str, ...], object]:
    """Everything that is no mapping, by its place."""
    if not isinstance(value, dict):
        return {place: value}
    return {k: v for key, item in value.items() for k, v in leaves(item, (*place, key)).items()}
