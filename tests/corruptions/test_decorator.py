import math
import pickle
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from robustmeta import registry
from robustmeta.core import CellError
from robustmeta.corruptions.apply import corrupt_chain
from robustmeta.corruptions.decorator import corruption
from robustmeta.corruptions.gaussian_noise import gaussian_noise
from robustmeta.corruptions.samples import ink
from robustmeta.registry import ComponentError, entries, load_file, resolve
from robustmeta.rng import Rng
from robustmeta.shifts.corruption import Corruption
from robustmeta.shifts.shift import Stage

ROOT = Path(__file__).resolve().parents[2]
RNG = Rng(0, ("t",), range(3))


@corruption(levels=(0.1, 0.5), family="noise", name="test.at-top", version=3, monotone=False, paper="Nobody 2020")
def at_top(x, level, rng):
    """Mixes in noise."""
    return (1 - level) * x + level * rng.uniform(*x.shape[1:])


@pytest.fixture(autouse=True)
def own_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a test registers is forgotten after it."""
    monkeypatch.setattr(registry, "_registered", dict(registry._registered))


def plugin(folder: Path, body: str, name: str = "plug.py") -> Path:
    file = folder / name
    file.write_text("from robustmeta import corruption\n\n" + body)
    return file


def law(body: str) -> str:
    return f"@corruption(levels=(0.1, 0.2), family='noise')\ndef bad(x, level, rng):\n    {body}\n"


def test_it_is_a_registered_corruption_with_its_facts() -> None:
    assert isinstance(at_top, Corruption)
    assert resolve("corruptions", "test.at-top") is at_top
    assert (at_top.version, at_top.monotone, at_top.paper, at_top.family) == (3, False, "Nobody 2020", "noise")
    assert at_top.tables == {"levels": (0.1, 0.5)}
    assert at_top.table(28) == at_top.table(500) == ("levels", (0.1, 0.5))
    assert at_top.origin == "test_decorator.py"
    assert len(at_top.source) == 64
    assert at_top.function.__doc__ == "Mixes in noise."


def test_published_tables_by_pixels() -> None:
    made = corruption(tables={"64": [1, 2], 32: ({"a": 1}, {"a": 2})}, family="x", name="test.tables")(
        lambda x, a, r: x
    )
    assert made.tables == {"64": (1, 2), "32": ({"a": 1}, {"a": 2})}
    assert made.table(70)[0] == "64"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "give either levels=(...) or tables={...}"),
        ({"levels": (1,), "tables": {"32": (1,)}}, "give either levels=(...) or tables={...}"),
        ({"levels": (1, 2, 3, 4, 5, 6)}, "expected 1 to 5 levels, such as (0.1, 0.2), got (1, 2, 3, 4, 5, 6)"),
        ({"levels": 0.5}, "expected 1 to 5 levels, such as (0.1, 0.2), got 0.5"),
        ({"levels": "abc"}, "expected 1 to 5 levels, such as (0.1, 0.2), got 'abc'"),
        ({"levels": (object,)}, "a level must be a value that JSON can hold"),
        ({"levels": (math.nan,)}, "a level must be a value that JSON can hold"),
        ({"tables": {"32": (1, 2), "64": (1,)}}, "its tables must have equally many levels, got 32: 2, 64: 1"),
        ({"tables": {"ink": (1, 2), "own": (1, 3)}}, "one must be named by pixels, such as '32'"),
    ],
)
def test_wrong_use_says_what_is_wanted(arguments: dict, message: str) -> None:
    with pytest.raises(ComponentError) as error:
        corruption(family="x", name="test.wrong", **arguments)(lambda x, a, r: x)
    assert message in str(error.value)
    assert str(error.value).startswith("corruption test.wrong: ")


def test_the_name_of_a_built_in_is_taken() -> None:
    with pytest.raises(ComponentError, match=r"'contrast' is .*; give yours another name"):
        corruption(levels=(1,), family="x", name="contrast")(lambda x, a, r: x)


def test_the_same_definition_may_register_again_and_another_may_not() -> None:
    def cell():
        def again(x, level, rng):
            return x

        return corruption(levels=(1,), family="x")(again)

    first, second = cell(), cell()
    assert first is not second
    assert resolve("corruptions", "again") is second
    with pytest.raises(ComponentError, match="'again' is taken by"):
        corruption(levels=(1,), family="x", name="again")(lambda x, a, r: x)


def test_a_pickled_corruption_is_the_one_that_its_module_holds() -> None:
    assert pickle.loads(pickle.dumps(resolve("corruptions", "contrast"))) is resolve("corruptions", "contrast")


def test_one_that_no_module_holds_cannot_be_pickled() -> None:
    made = corruption(levels=(1,), family="x", name="test.local")(lambda x, a, r: x)
    with pytest.raises((pickle.PicklingError, AttributeError), match="lambda"):
        pickle.dumps(made)


def test_one_of_a_plain_function_is_pickled_as_it_is() -> None:
    made = Corruption("plain", torch.clone, {"levels": (1,)}, "x", module=__name__)
    again = pickle.loads(pickle.dumps(made))
    assert (again.name, again.function, again.tables) == ("plain", torch.clone, {"levels": (1,)})


def test_one_of_a_file_goes_to_a_process_that_has_not_loaded_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = plugin(tmp_path, "@corruption(levels=(0.5,), family='x')\ndef dim(x, level, rng):\n    return level * x\n")
    made = resolve("corruptions", f"{file}:dim")
    assert isinstance(made, Corruption)
    packed = pickle.dumps(made)
    monkeypatch.delitem(sys.modules, made.module)
    monkeypatch.delitem(registry._registered, ("corruptions", "dim"))
    again = pickle.loads(packed)
    assert again is not made
    assert (again.name, again.source, again.origin) == ("dim", made.source, "plug.py")
    assert torch.equal(again(ink(3), 0.5, RNG), made(ink(3), 0.5, RNG))


def test_a_line_changed_in_the_file_changes_its_source(tmp_path: Path) -> None:
    body = "@corruption(levels=(0.5,), family='x')\ndef dimmer(x, level, rng):\n    return level * x\n"
    first = resolve("corruptions", f"{plugin(tmp_path, body)}:dimmer")
    second = resolve("corruptions", f"{plugin(tmp_path, body + '# a remark')}:dimmer")
    assert isinstance(first, Corruption)
    assert isinstance(second, Corruption)
    assert first.source != second.source
    assert next(e for e in entries("corruptions") if e.name == "dimmer").origin == "plug.py"


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("return x * float('nan')", "returned NaN or infinite values; return values in [0, 1]"),
        ("return x[..., 1:]", "returned (3, 1, 28, 27); expected a tensor of shape (3, 1, 28, 28)"),
        ("return None", "returned NoneType; expected a tensor of shape (3, 1, 28, 28)"),
        ("return x.numpy()", "returned ndarray; expected a tensor of shape (3, 1, 28, 28)"),
        ("return 2 * x - 0.5", "returned values in [-0.5, 1.5]; clamp them to [0, 1]"),
        ("raise RuntimeError('out of ink')", "raised RuntimeError: out of ink"),
        ("return x + missing", "raised NameError: name 'missing' is not defined"),
    ],
)
def test_a_bad_corruption_costs_its_cell_and_says_why(tmp_path: Path, body: str, message: str) -> None:
    made = resolve("corruptions", f"{plugin(tmp_path, law(body))}:bad")
    assert isinstance(made, Corruption)
    with pytest.raises(CellError) as error:
        made(ink(3), 0.1, RNG)
    assert str(error.value) == f"corruption bad {message}"


def test_a_syntax_error_names_file_and_line(tmp_path: Path) -> None:
    file = plugin(tmp_path, "def f(x:\n    return x\n")
    with pytest.raises(ComponentError) as error:
        load_file(file)
    assert str(error.value).startswith(f"{file}:3: ")


def test_an_unknown_name_of_a_file_is_suggested(tmp_path: Path) -> None:
    file = plugin(tmp_path, law("return x"))
    with pytest.raises(ComponentError, match="unknown name 'bat'; did you mean bad"):
        resolve("corruptions", f"{file}:bat")


def test_the_ten_line_corruption_drops_whole_sites() -> None:
    dead = resolve("corruptions", f"{ROOT / 'experiments' / 'dead_pixels.py'}:dead_pixels")
    assert isinstance(dead, Corruption)
    white = torch.full((200, 3, 28, 28), 255, dtype=torch.uint8)
    before = torch.zeros(200, 1, 28, 28, dtype=torch.bool)
    for p in dead.table(28)[1]:
        out = dead(white, p, Rng(0, ("d",), range(200)))
        off = out == 0
        assert torch.equal(off.all(1, keepdim=True), off.any(1, keepdim=True))
        assert float(off.float().mean()) == pytest.approx(p, abs=4 * (p / off[:, 0].numel()) ** 0.5)
        assert (off[:, :1] | ~before).all()  # a stronger level kills the same sites and more
        before = off[:, :1]


def identities(made: Corruption) -> set[int]:
    """The threads that its function is called in, for images that torch's threads share."""
    seen: set[int] = set()

    def note(x: torch.Tensor, level: object, rng: Rng) -> torch.Tensor:
        seen.add(threading.get_ident())
        end = time.monotonic() + 5
        while made.in_threads and len(seen) < 2 and time.monotonic() < end:
            time.sleep(0.001)
        return x

    before, noting = torch.get_num_threads(), replace(made, function=note)
    torch.set_num_threads(2)
    try:
        images = torch.zeros(40, 3, 64, 64, dtype=torch.uint8)
        noting(images, 0.1, Rng(0, ("t",), range(40)))
        corrupt_chain(images, (Stage(noting, 0.1), Stage(noting, 0.1)), 0, np.arange(40, dtype=np.uint64))
    finally:
        torch.set_num_threads(before)
    return seen


def test_threads_share_the_work_of_ours_but_none_but_the_caller_is_in_a_function_of_others() -> None:
    assert at_top.source
    assert identities(at_top) == {threading.get_ident()}
    ours = identities(gaussian_noise)
    assert len(ours) > 1
    assert threading.get_ident() in ours
