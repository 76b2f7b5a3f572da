from collections.abc import Callable
from pathlib import Path

import pytest
import yaml as pyyaml

from robustmeta.config.load import StudyErrors, load_study
from robustmeta.config.study import Study
from robustmeta.config.yaml import read
from robustmeta.core import StudyError

Load = Callable[..., Study]
Wrong = Callable[..., list[str]]


def changed(text: str, old: str, new: str) -> str:
    assert text.count(old) == 1, f"{old!r} must stand once in the study"
    return text.replace(old, new)


def test_a_right_study_loads(load: Load) -> None:
    study = load()
    assert study.budget.images == 1000
    assert study.learners[0].adapt.model_dump()["rate"] == 0.1
    assert study.shifts[1].eps == (8 / 255, 0.1)
    assert [x.label for x in study.baselines] == ["v2.base"]


@pytest.mark.parametrize("exclude_none", [False, True])
def test_the_resolved_study_is_a_study(load: Load, exclude_none: bool) -> None:
    study = load()
    resolved = study.model_dump(mode="json", exclude_none=exclude_none)
    again = load(pyyaml.safe_dump(resolved, sort_keys=False))
    assert again.model_dump(mode="json", exclude_none=exclude_none) == resolved


def test_all_errors_at_once_in_the_order_of_the_file(wrong: Wrong) -> None:
    text = """\
name: Quick start
seeds: [0, x]
sources: [{name: toy-domain}]
targets:
  - {label: a, name: toy-domian}
  - label: b
    name: toy-domain
    face: [serif]
evaluation: {way: 1, shots: 5}
budgget: {images: 150_000}
backbone: {name: toy-net, widht: 3, width: no}
learners:
  - {name: toy-method, train: {way: 5, tasks: [4]}, adapt: {stesp: 5, rate: no}}
  - {name: toymethod}
  - {}
shifts:
  - {corruption: toynoise}
  - {corruption: toy-noise, severity: [1, 9]}
  - {attack: toy-attack, eps: -1}
  - {}
"""
    assert wrong(text) == [
        "study.yaml:1:1: budget: a value is required",
        "study.yaml:1:7: name: string should match pattern '^[a-z0-9._-]+$'; got \"Quick start\"",
        'study.yaml:2:12: seeds.1: expected a whole number; got "x"',
        "study.yaml:5:22: targets.0.name: unknown domain 'toy-domian'; did you mean toy-domain?",
        "study.yaml:8:5: targets.1.face: unknown key; did you mean faces?",
        "study.yaml:9:19: evaluation.way: expected greater than or equal to 2; got 1",
        "study.yaml:9:22: evaluation.shots: unknown key; did you mean shot?",
        "study.yaml:10:1: budgget: unknown key; did you mean budget?",
        "study.yaml:11:27: backbone.widht: unknown key; did you mean width?",
        'study.yaml:11:44: backbone.width: expected a whole number; got "no"',
        "study.yaml:13:47: learners.0.train.tasks: expected a whole number; got [4]",
        "study.yaml:13:61: learners.0.adapt.stesp: unknown key; did you mean steps?",
        "study.yaml:13:77: learners.0.adapt.rate: expected a number or 'auto'; got \"no\"",
        "study.yaml:14:12: learners.1.name: unknown method 'toymethod'; did you mean toy-method?",
        "study.yaml:15:5: learners.2.name: a name is required",
        "study.yaml:17:18: shifts.0.corruption: unknown corruption 'toynoise'; did you mean toy-noise?",
        "study.yaml:18:43: shifts.1.severity.1: expected less than or equal to 5; got 9",
        "study.yaml:19:31: shifts.2.eps: expected greater than 0; got -1",
        "study.yaml:20:5: shifts.3: expected one of corruption:, support:, query:, corruptions:, "
        "tasking:, sequence:, sequences:, attack:, support_attack:, certificate:, support_draws:",
    ]


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ("train: {way", "trian: {way", "study.yaml:10:24: learners.0.trian: unknown key; did you mean train?"),
        (
            "steps: 3",
            "iner_steps: 3",
            "study.yaml:10:59: learners.0.adapt.iner_steps: unknown key; did you mean steps?",
        ),
        ("shot: 1", "shot: one", 'study.yaml:6:28: evaluation.shot: expected a whole number; got "one"'),
        ("images: 1_000", "images: [1]", "study.yaml:8:18: budget.images: expected a whole number; got [1]"),
        ("budget: {images: 1_000}", "budget: 5", "study.yaml:8:9: budget: expected a mapping of fields; got 5"),
        ("toy-net", "toy-nett", "study.yaml:7:18: backbone.name: unknown backbone 'toy-nett'; did you mean toy-net?"),
        ("[1, 3]", "[1, 9]", "study.yaml:14:43: shifts.0.severity.1: expected less than or equal to 5; got 9"),
        ("[1, 3]", "9", "study.yaml:14:39: shifts.0.severity: expected less than or equal to 5; got 9"),
        ("[8/255, 0.1]", "[-1]", "study.yaml:15:42: shifts.1.eps.0: expected greater than 0; got -1"),
        (
            "norm: l2,",
            "place: support,",
            "study.yaml:15:33: shifts.1.place: attack toy-attack acts on the query; got support",
        ),
        (
            "place: both",
            "place: here",
            "study.yaml:14:54: shifts.0.place: expected 'support', 'query' or 'both'; got \"here\"",
        ),
        (", eps: [8/255, 0.1]", "", "study.yaml:15:5: shifts.1.eps: an attack needs eps, such as [0.1, 0.2]"),
        ("name: toy\n", "name: null\n", "study.yaml:1:7: name: expected text; got null"),
    ],
)
def test_each_error_names_place_and_cure(wrong: Wrong, study_text: str, old: str, new: str, line: str) -> None:
    assert wrong(changed(study_text, old, new)) == [line]


def test_what_stands_beside_a_component_is_checked_with_it(wrong: Wrong) -> None:
    text = """\
name: toy
sources: [{name: toy-domain}]
targets: [{label: A, name: toy-domain, fases: [serif]}]
backbone: {name: toy-net}
budget: {images: 1000}
learners: [{label: B, name: toy-method, ordre: 1, adapt: {steps: x}}]
shifts:
  - {attack: toy-attack, nrom: l2, eps: -1, place: here, label: C}
  - {corruption: toy-noise, table: "99", severity: [3, 3]}
"""
    assert wrong(text) == [
        "study.yaml:3:19: targets.0.label: string should match pattern '^([a-z0-9._-]+)?$'; got \"A\"",
        "study.yaml:3:40: targets.0.fases: unknown key; did you mean faces?",
        "study.yaml:6:20: learners.0.label: string should match pattern '^([a-z0-9._-]+)?$'; got \"B\"",
        "study.yaml:6:41: learners.0.ordre: unknown key; did you mean order?",
        'study.yaml:6:66: learners.0.adapt.steps: expected a whole number; got "x"',
        "study.yaml:8:26: shifts.0.nrom: unknown key; did you mean norm?",
        "study.yaml:8:41: shifts.0.eps: expected greater than 0; got -1",
        "study.yaml:8:52: shifts.0.place: expected 'support', 'query' or 'both'; got \"here\"",
        "study.yaml:8:65: shifts.0.label: string should match pattern '^([a-z0-9._-]+)?$'; got \"C\"",
        "study.yaml:9:36: shifts.1.table: toy-noise has no table '99'; there is 32, 64",
        "study.yaml:9:52: shifts.1.severity: a severity stands twice: [3, 3]",
    ]


@pytest.mark.parametrize("eps", ["[0.1, 0.1004]", "[0.0004]"])
def test_two_eps_on_one_step(wrong: Wrong, study_text: str, eps: str) -> None:
    (line,) = wrong(changed(study_text, "[8/255, 0.1]", eps))
    assert line.startswith("study.yaml:15:41: shifts.1.eps: two eps (or an eps and 0) are the same to 0.001: [0.")


@pytest.mark.parametrize(
    ("content", "line"),
    [
        ("", "study.yaml:1:1: expected a mapping with some of the keys name, seeds, "),
        ("# nothing\n", "study.yaml:1:1: expected a mapping with some of the keys name, seeds, "),
        ("- a\n", "study.yaml:1:1: expected a mapping with some of the keys name, seeds, "),
        ("name: x\nname: y\n", "study.yaml:2:1: the key name stands twice; the first is on line 1"),
        (b"name: \xff\n", "study.yaml:1:7: byte 0xff is not UTF-8"),
        ("name: [x\n", "study.yaml:2:1: not valid YAML: while parsing a flow sequence"),
        ("name: !!python/name:os.system\n", "study.yaml:1:7: tag !!python/name:os.system is not allowed"),
    ],
)
def test_a_file_that_is_no_study(wrong: Wrong, content: str | bytes, line: str) -> None:
    (got,) = wrong(content)
    assert got.startswith(line)


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(StudyErrors, match="cannot read the study: No such file"):
        load_study(tmp_path / "none.yaml")
    with pytest.raises(StudyError, match="cannot read the study: Is a directory"):
        load_study(tmp_path)


def test_plugins_that_do_not_load_are_all_named(tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text("x = 1\ndef f(:\n")
    (tmp_path / "raising.py").write_text("\n1 / 0\n")
    plugins = [str(tmp_path / n) for n in ("broken.py", "raising.py", "none.py")]
    with pytest.raises(StudyErrors) as caught:
        load_study("unread.yaml", plugins=plugins)
    broken, raising, none = caught.value.errors
    assert broken == f"{tmp_path}/broken.py:2: invalid syntax"
    assert raising == f"{tmp_path}/raising.py:2: ZeroDivisionError: division by zero"
    assert none == f"{tmp_path}/none.py: no such plug-in file"


def test_a_plugin_in_the_study_with_a_syntax_error(wrong: Wrong, study_text: str, tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text("def f(:\n")
    (line,) = wrong(changed(study_text, "toy-noise", "broken.py:f"))
    assert line == f"study.yaml:14:18: shifts.0.corruption: {tmp_path}/broken.py:1: invalid syntax"


def places(value: object, place: tuple[int | str, ...] = ()) -> list[tuple[int | str, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [place] * bool(place) + [p for key, item in inner for p in places(item, (*place, key))]


@pytest.mark.parametrize("bad", ["5", "-1", "[5]", "[[x]]", "{x: 1}", "null", "zz", "true", "1.5", "{}", "[]"])
def test_a_wrong_type_anywhere_is_a_study_error(load: Load, study_text: str, bad: str) -> None:
    for place in places(read(study_text).value):
        override = f"{'.'.join(map(str, place))}={bad}"
        lines = errors(load, study_text, override)
        assert all(line.startswith(("study.yaml:", f"override {override}")) for line in lines)


def errors(load: Load, text: str, override: str) -> tuple[str, ...]:
    try:
        load(text, override)
    except StudyErrors as error:
        return error.errors
    return ()
