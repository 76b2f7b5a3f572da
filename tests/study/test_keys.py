"""Changing one thing changes exactly the keys it should."""

import copy
from pathlib import Path
from typing import Any

import pytest
import tiny

from robustmeta.config.study import Study
from robustmeta.registry import load_file
from robustmeta.store.cells import Store
from robustmeta.study.data import Data
from robustmeta.study.plan import Row, plan

pytestmark = pytest.mark.usefixtures("fresh_plugins")


def rows(document: dict[str, Any], tmp_path: Path) -> list[Row]:
    study = Study.model_validate(document)
    return plan(study, Store(tmp_path), Data(study.images)).rows


def keys(document: dict[str, Any], tmp_path: Path) -> dict[tuple[str, ...], str]:
    return {(r.kind, r.learner, r.target, r.shift, str(r.step)): r.key for r in rows(document, tmp_path)}


def changed(path: str, value: Any, tmp_path: Path) -> set[tuple[str, ...]]:
    before, document = tiny.document(), copy.deepcopy(tiny.document())
    *parents, last = path.split(".")
    place: Any = document
    for part in parents:
        place = place[int(part)] if isinstance(place, list) else place.setdefault(part, {})
    place[int(last) if isinstance(place, list) else last] = value
    a, b = keys(before, tmp_path), keys(document, tmp_path)
    return {k for k in a if a[k] != b.get(k)}


def everything(_: tuple[str, ...]) -> bool:
    return True


def nothing(_: tuple[str, ...]) -> bool:
    return False


def learner(name: str) -> Any:
    return lambda k: k[1] == name


MUTATIONS = [
    ("name", "other", nothing),
    ("targets.0.label", "new", nothing),
    ("threads", 2, everything),
    ("seeds.0", 7, everything),
    ("images.size", 20, everything),
    ("images.channels", 3, everything),
    ("sources.0.classes", 13, everything),
    ("sources.0.style", 2, everything),
    ("budget.images", 700, everything),
    ("backbone.width", 5, everything),
    ("validation.episodes", 5, everything),
    ("validation.checks", 1, everything),
    ("evaluation.seed", 1, everything),
    ("evaluation.episodes", 13, lambda k: k[0] == "evaluate"),
    ("evaluation.query", 4, lambda k: k[0] == "evaluate"),
    ("evaluation.shot", 3, lambda k: k[0] == "evaluate"),
    ("targets.0.style", 1, lambda k: k[0] == "evaluate"),
    ("learners.0.order", 1, learner("maml")),
    ("learners.0.adapt.steps", 3, lambda k: k[1] == "maml" and k[0] != "train"),
    ("learners.0.train.query", 2, learner("maml")),
    ("learners.1.train.query", 2, learner("protonet")),
    ("baselines.0.tune", {"c": [3.0]}, lambda k: k[1] == "supervised" and k[0] != "train"),
    ("shifts.0.table", "64", lambda k: k[3] == "gaussian_noise" and k[4] == "5"),  # severity 1 is 0.04 in both tables
    ("shifts.1.place", "both", lambda k: k[3].startswith("contrast")),
    ("shifts.2.steps", 3, lambda k: k[3] == "pgd"),
    ("shifts.2.episodes", 6, lambda k: k[3] == "pgd"),
    ("shifts.2.eps", [0.2], lambda k: k[3] == "pgd"),
    ("flags", {"fail_on": "all"}, nothing),
    ("flag_episodes", 3, lambda k: k[3] == "pgd"),
    ("flag_episodes", 7, nothing),  # the attack has 5 tasks
]


@pytest.mark.parametrize(("path", "value", "expected"), MUTATIONS, ids=[m[0] for m in MUTATIONS])
def test_a_change_reaches_exactly_its_cells(path: str, value: Any, expected: Any, tmp_path: Path) -> None:
    every = set(keys(tiny.document(), tmp_path))
    assert changed(path, value, tmp_path) == {k for k in every if expected(k)}


def test_a_byte_of_the_data_changes_what_reads_it(tmp_path: Path) -> None:
    file = tmp_path / "data.txt"
    document = tiny.document(targets=[{"label": "new", "name": "toy", "split": "test", "file": str(file)}])
    file.write_text("a")
    before = keys(document, tmp_path)
    file.write_text("b")
    after = keys(document, tmp_path)
    assert {k for k in before if before[k] != after[k]} == {k for k in before if k[0] == "evaluate"}


def test_the_path_of_the_data_changes_nothing(tmp_path: Path) -> None:
    found = []
    for name in ("one.txt", "two.txt"):
        (tmp_path / name).write_text("the same")
        target = {"label": "new", "name": "toy", "split": "test", "file": str(tmp_path / name)}
        found.append(keys(tiny.document(targets=[target]), tmp_path))
    assert found[0] == found[1]


PLUGIN = """
from robustmeta import corruption

@corruption(levels=(0.1, 0.2), family="noise")
def dim(x, p, rng):
    return x * (1 - p)
"""


def test_a_line_of_a_plugin_changes_its_cells(tmp_path: Path) -> None:
    file = tmp_path / "dim.py"
    shifts = [{"corruption": f"{file}:dim", "severity": [1, 2]}, {"corruption": "contrast", "severity": [1]}]
    found = []
    for text in (PLUGIN, PLUGIN + "\n# a comment\n"):
        file.write_text(text)
        load_file(file)
        found.append(keys(tiny.document(shifts=shifts), tmp_path))
    assert {k for k in found[0] if found[0][k] != found[1][k]} == {k for k in found[0] if k[3] == "dim"}


def test_two_adaptations_share_one_network(tmp_path: Path) -> None:
    baselines = [
        {"label": a, "name": "supervised", "train": {"batch": 32}, "adapt": {"name": a}}
        for a in ("linear_probe", "prototypes")
    ]
    got = rows(tiny.document(baselines=baselines, learners=[], shifts=[]), tmp_path)
    assert [r.kind for r in got].count("train") == 1
    assert [r.kind for r in got].count("tune") == 2
