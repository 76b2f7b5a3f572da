"""Every built-in tasking, through one table. A new one is covered the moment it stands in its TABLE.

After raising a component's version, write its golden numbers: ``python tests/contracts/test_taskings.py``.
"""

import importlib
import pkgutil
from pathlib import Path

import goldens
import numpy as np
import pytest
from goldens import Numbers

import robustmeta.taskings
from robustmeta import registry
from robustmeta.core import TaskShape
from robustmeta.registry import resolve
from robustmeta.rng import Rng
from robustmeta.taskings.decorator import Tasking
from robustmeta.testing import check_tasking
from robustmeta.testing.taskings import tasks

GOLDEN = Path(__file__).with_name("golden_taskings.json")
TASKINGS = sorted(robustmeta.taskings.TABLE)


def tasking(name: str) -> Tasking:
    found = resolve("taskings", name)
    assert isinstance(found, Tasking)
    return found


@pytest.mark.parametrize("name", TASKINGS)
def test_every_tasking_keeps_the_rules(name: str) -> None:
    found = check_tasking(tasking(name))
    assert all(f.passed for f in found), [f for f in found if not f.passed]


@pytest.mark.parametrize("name", TASKINGS)
def test_the_table_names_the_decorated_objects(name: str) -> None:
    module, _, attr = robustmeta.taskings.TABLE[name].partition(":")
    found = tasking(name)
    assert (found.name, found.module, found.function.__name__) == (name, module, attr)
    assert found is registry._registered["taskings", name]
    assert (found.source, found.paper != "", found.function.__doc__ is not None) == ("", True, True)
    assert len(found.levels) == 5


def test_nothing_is_registered_that_the_table_lacks() -> None:
    for info in pkgutil.iter_modules(robustmeta.taskings.__path__, "robustmeta.taskings."):
        importlib.import_module(info.name)
    ours = {
        name
        for (kind, name), found in registry._registered.items()
        if kind == "taskings" and registry._where(found).startswith("robustmeta.taskings.")
    }
    assert ours == set(TASKINGS)


def numbers(name: str) -> Numbers:
    """Rows and labels of the first two tasks at each level: they are whole numbers, so any change shows."""
    made, out = tasking(name), {}
    for shape in (TaskShape(5, 5, 1), TaskShape(5, 1, 1)):
        e = tasks(shape)
        for severity, level in enumerate(made.levels, 1):
            got = made(e, level, Rng(0, ("golden",), e.number))
            place = f"{severity} {shape.way}-way {shape.shot}-shot"
            out[place] = np.concatenate([got.support[:2].ravel(), got.support_y[:2].ravel()]).tolist()
    return out


def everything() -> dict[str, Numbers]:
    return {f"{name}@{tasking(name).version}": numbers(name) for name in TASKINGS}


def test_no_numbers_change_without_a_new_version() -> None:
    goldens.compare(everything(), goldens.load(GOLDEN), exact=True)


if __name__ == "__main__":
    goldens.write(GOLDEN, everything())
