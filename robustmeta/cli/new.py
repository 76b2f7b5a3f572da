"""A first file for a component of one's own, and its test."""

import keyword
import re
import shlex
from pathlib import Path
from typing import Any

from robustmeta.registry import ComponentError, entries, unknown

KINDS = ("corruption",)

_COMPONENT = '''"""What {name} models, and where its law stands."""

from robustmeta import corruption


# Rules, which `robustmeta check` tests: x (N, C, H, W) is not written to; the result has its shape and lies in [0, 1];
# every draw is from rng, so that an image's result follows from that image and its key alone, at every severity from
# the same draw. Levels are what JSON can hold, mild to strong.
@corruption(levels=(0.05, 0.10, 0.20, 0.30, 0.40), family="noise")
def {name}(x, level, rng):
    """(1 − level) · x + level · u, with u uniform on [0, 1) for each channel of each pixel."""
    return (1 - level) * x + level * rng.uniform(*x.shape[1:]).to(x.device)
'''

_TEST = '''"""That {name} keeps the rules of every corruption, and follows its law."""

from pathlib import Path

import torch

from robustmeta.registry import resolve
from robustmeta.rng import Rng
from robustmeta.testing import check_corruption

MADE = resolve("corruptions", f"{{Path(__file__).with_name('{name}.py')}}:{name}")


def test_{name}_keeps_the_rules():
    failed = [finding for finding in check_corruption(MADE) if not finding.passed]
    assert not failed, failed


def test_{name}_follows_its_law():
    black = torch.zeros(8, 1, 28, 28)
    out = MADE.apply(black, 0.40, Rng(0, ("test",), range(8)))
    assert abs(float(out.mean()) - 0.40 / 2) < 0.01  # the mean of level · u
'''


def create(kind: str, name: str, folder: Path) -> dict[str, Any]:
    """Write NAME.py with a corruption that works and test_NAME.py with its test, and say what to do next.

    Raises:
        ComponentError: an unknown kind, a name that is none or is taken, or a file that is there already.
    """
    if kind not in KINDS:
        raise ComponentError(unknown(kind, KINDS, "kind of component to write"))
    if not re.fullmatch("[a-z][a-z0-9_]*", name) or keyword.iskeyword(name):
        raise ComponentError(f"{name!r} is no name for a function: small letters, digits and _, such as dead_pixels")
    taken = next((e.origin for e in entries("corruptions") if e.name == name), "")
    if taken:
        raise ComponentError(f"there is a corruption {name!r} already ({taken}); choose another name")
    files = {folder / f"{name}.py": _COMPONENT, folder / f"test_{name}.py": _TEST}
    there = [str(file) for file in files if file.exists()]
    if there:
        raise ComponentError(f"{' and '.join(there)}: there already; choose another name or --dir")
    folder.mkdir(parents=True, exist_ok=True)
    for file, text in files.items():
        file.write_text(text.format(name=name), encoding="utf-8")
    return {"files": [str(file) for file in files], "next": _next(folder, name)}


def _next(folder: Path, name: str) -> list[str]:
    ref = f"{folder / name}.py:{name}"
    return [
        shlex.join(["robustmeta", "check", ref, "--sheet", f"{name}.png"]),
        shlex.join(["pytest", str(folder / f"test_{name}.py")]),
        f"in a study, under shifts:   - {{corruption: '{ref}', severity: [1, 3, 5]}}",
    ]


def text(made: dict[str, Any]) -> str:
    """The same for people."""
    return "\n".join([f"wrote {' and '.join(made['files'])}; put your law into the first, then", *made["next"]])
