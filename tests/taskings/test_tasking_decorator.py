import math
import pickle
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from robustmeta import registry
from robustmeta.core import CellError, TaskShape
from robustmeta.registry import ComponentError, entries, resolve
from robustmeta.rng import Rng
from robustmeta.taskings.decorator import Tasking, tasking
from robustmeta.taskings.fewer_shots import fewer_shots
from robustmeta.testing.taskings import tasks

E = tasks(TaskShape(3, 2, 1))
RNG = Rng(0, ("t",), E.number)


@tasking(levels=(1, 2), name="test.next", version=3, nested=False, paper="Nobody 2020")
def following(episodes, step, rng):
    """Every class is taken for another."""
    return replace(episodes, support_y=(episodes.support_y + step) % episodes.way)


@pytest.fixture(autouse=True)
def own_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a test registers is forgotten after it."""
    monkeypatch.setattr(registry, "_registered", dict(registry._registered))


def plugin(folder: Path, body: str) -> Path:
    file = folder / "plug.py"
    head = "from dataclasses import replace\n\nfrom robustmeta.taskings.decorator import tasking\n\n"
    file.write_text(f"{head}\n@tasking(levels=(1, 2))\ndef mine(episodes, step, rng):\n    {body}\n")
    return file


NEXT = "return replace(episodes, support_y=(episodes.support_y + step) % episodes.way)"


def test_it_is_a_registered_tasking_with_its_facts() -> None:
    assert isinstance(following, Tasking)
    assert resolve("taskings", "test.next") is following
    assert (following.version, following.nested, following.paper) == (3, False, "Nobody 2020")
    assert following.levels == (1, 2)
    assert (following.origin, len(following.source)) == ("test_tasking_decorator.py", 64)
    assert following.function.__doc__ == "Every class is taken for another."
    assert torch.equal(following(E, 1, RNG).support_y, (E.support_y + 1) % 3)


@pytest.mark.parametrize(
    ("levels", "message"),
    [
        ((), "expected 1 to 5 levels, such as (0.1, 0.2), got ()"),
        ((1, 2, 3, 4, 5, 6), "expected 1 to 5 levels"),
        (0.5, "got 0.5"),
        ("abc", "got 'abc'"),
        ((object,), "a level must be a value that JSON can hold"),
        ((math.inf,), "a level must be a value that JSON can hold"),
    ],
)
def test_wrong_levels_say_what_is_wanted(levels, message: str) -> None:
    with pytest.raises(ComponentError) as error:
        tasking(levels=levels, name="test.wrong")(lambda e, a, r: e)
    assert str(error.value).startswith("tasking test.wrong: ")
    assert message in str(error.value)


def test_the_name_of_a_built_in_is_taken() -> None:
    with pytest.raises(ComponentError, match=r"'label_noise' is .*; give yours another name"):
        tasking(levels=(1,), name="label_noise")(lambda e, a, r: e)


def test_an_unknown_name_is_suggested() -> None:
    with pytest.raises(ComponentError, match="unknown tasking 'label_nois'; did you mean label_noise"):
        resolve("taskings", "label_nois")


def test_one_of_a_file_goes_to_a_process_that_has_not_loaded_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = resolve("taskings", f"{plugin(tmp_path, NEXT)}:mine")
    assert isinstance(made, Tasking)
    assert next(e for e in entries("taskings") if e.name == "mine").origin == "plug.py"
    packed = pickle.dumps(made)
    monkeypatch.delitem(sys.modules, made.module)
    monkeypatch.delitem(registry._registered, ("taskings", "mine"))
    again = pickle.loads(packed)
    assert again is not made
    assert (again.name, again.source, again.levels) == ("mine", made.source, (1, 2))
    assert torch.equal(again(E, 1, RNG).support_y, made(E, 1, RNG).support_y)


def test_a_built_in_is_pickled_by_its_name() -> None:
    assert resolve("taskings", "fewer_shots") is fewer_shots
    assert pickle.loads(pickle.dumps(fewer_shots)) is fewer_shots


SUPPORT = "return replace(episodes, support={}, support_y={})"
BAD = {
    "raise RuntimeError('no support')": "raised RuntimeError: no support",
    "return episodes.support": "returned Tensor; expected Episodes",
    "return episodes[:2]": "changed the numbers or the way of the episodes; change the support alone",
    "return replace(episodes, way=4)": "changed the numbers or the way of the episodes",
    "return replace(episodes, query=episodes.query.flip(1))": "changed the query; change the support alone",
    "return replace(episodes, query_y=episodes.query_y + 1)": "changed the query; change the support alone",
    SUPPORT.format("episodes.support", "episodes.support_y + step"): "returned labels in [1, 3]; expected 0 to 2",
    SUPPORT.format("episodes.support", "episodes.support_y - 1"): "returned labels in [-1, 1]; expected 0 to 2",
    SUPPORT.format("episodes.support", "episodes.support_y.float()"): "labels of torch.float32; expected torch.int64",
    SUPPORT.format("episodes.support", "episodes.support_y[:, 1:]"): "returned a support of shape (6, 6) with labels",
    SUPPORT.format("episodes.support[:, :0]", "episodes.support_y[:, :0]"): "of (6, 0); expected both of shape (6, S)",
    SUPPORT.format(
        "episodes.support.flip(0)", "episodes.support_y"
    ): "images that the support of the task did not have",
    SUPPORT.format("episodes.query", "episodes.query_y"): "images that the support of the task did not have",
}


@pytest.mark.parametrize(("body", "message"), BAD.items())
def test_a_bad_tasking_costs_its_cell_and_says_why(tmp_path: Path, body: str, message: str) -> None:
    made = resolve("taskings", f"{plugin(tmp_path, body)}:mine")
    assert isinstance(made, Tasking)
    with pytest.raises(CellError) as error:
        made(E, 1, RNG)
    assert str(error.value).startswith("tasking mine ")
    assert message in str(error.value)


def test_an_equal_copy_of_the_query_is_replaced_by_the_query_itself(tmp_path: Path) -> None:
    made = resolve("taskings", f"{plugin(tmp_path, 'return replace(episodes, query=episodes.query.clone())')}:mine")
    assert isinstance(made, Tasking)
    assert made(E, 1, RNG).query is E.query
