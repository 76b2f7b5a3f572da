"""The published program ``imagecorruptions`` 1.1.2, made to run on today's libraries and to take its draws from us.

Nothing of it is copied: it is imported where it is installed, and the names that have left NumPy, SciPy and
scikit-image since are put back into its own module while it runs. By hand: ``from parity import peer`` with ``tests``
on the path, then ``peer.corrupt(image, "fog", 3)``.
"""

import ast
import inspect
import sys
import textwrap
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from importlib.metadata import version
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any, Protocol

import numpy as np
import scipy.ndimage
import scipy.stats
from numpy.typing import NDArray
from PIL import Image

from robustmeta.core import GUARD

VERSION = "1.1.2"
Array = NDArray[Any]


class Undefined(ArithmeticError):
    """The published law divides zero by zero."""


class Source(Protocol):
    """What the peer draws from: as ``numpy.random``, and ``random`` for scikit-image's impulse noise."""

    def normal(self, loc: float = 0.0, scale: float = 1.0, size: Any = None) -> Any: ...
    def uniform(self, low: float = 0.0, high: float = 1.0, size: Any = None) -> Any: ...
    def randint(self, low: int, high: int | None = None, size: Any = None) -> Any: ...
    def poisson(self, lam: Any) -> Any: ...
    def random(self, size: Any) -> Any: ...


class Given:
    """Draws handed out in order: standard normal or uniform numbers, which each call scales as it asks, or integers.

    A Poisson count is the quantile of a uniform number, and an integer may be given as one too. What is asked for in
    another shape, or out of range, is an error, and so is what is left over at the end.
    """

    def __init__(self, arrays: Sequence[Any]) -> None:
        self.arrays = list(arrays)
        self.used = 0

    def _next(self, size: Any) -> Array:
        assert self.used < len(self.arrays), f"the peer draws more than the {self.used} that it was given"
        found = np.asarray(self.arrays[self.used])
        self.used += 1
        if size is None and found.size == 1:
            return found.reshape(())
        shape = (size,) if isinstance(size, int) else tuple(size or ())
        assert found.shape == shape, f"draw {self.used}: the peer asks for {shape}, given are {found.shape}"
        return found

    def normal(self, loc: float = 0.0, scale: float = 1.0, size: Any = None) -> Any:
        return loc + scale * self._next(size).astype(np.float64)

    def uniform(self, low: float = 0.0, high: float = 1.0, size: Any = None) -> Any:
        return low + (high - low) * self._next(size).astype(np.float64)

    def randint(self, low: int, high: int | None = None, size: Any = None) -> Any:
        low, high = (0, low) if high is None else (low, high)
        found = self._next(size)
        if found.dtype.kind == "f":
            return (low + np.floor((high - low) * found.astype(np.float64))).astype(int)
        assert (low <= found).all(), f"draw {self.used}: below {low}"
        assert (found < high).all(), f"draw {self.used}: not below {high}"
        return found

    def poisson(self, lam: Array) -> Array:
        return np.maximum(scipy.stats.poisson.ppf(self._next(lam.shape).astype(np.float64), lam), 0)

    def random(self, size: Any) -> Array:
        return self._next(size).astype(np.float64)

    def finish(self) -> None:
        left = len(self.arrays) - self.used
        assert left == 0, f"the peer left {left} of {len(self.arrays)} draws"


_numpy = ModuleType("numpy")  # with the names of version 1; its ``random`` is the source of the moment
vars(_numpy).update(vars(np), float_=np.float64, random=np.random.RandomState(0))


class _Queued(np.random.Generator):
    """Passes scikit-image's check for a generator, and gives what the source gives."""

    def random(self, size: Any = None, *args: Any, **kwargs: Any) -> Any:
        return _numpy.random.random(size)


@cache
def package() -> ModuleType:
    """The package, imported and patched.

    Raises:
        ImportError: it, or the scikit-image that it needs, is not installed.
    """
    import skimage.color
    import skimage.filters
    import skimage.util

    stand_ins = {
        "pkg_resources": SimpleNamespace(resource_filename=lambda name, path: str(Path(inner.__file__).parent / path)),
        "scipy.ndimage.interpolation": scipy.ndimage,
    }
    before = {name: sys.modules.get(name) for name in stand_ins}
    sys.modules.update(stand_ins)  # type: ignore[arg-type]
    try:
        import imagecorruptions
        from imagecorruptions import corruptions as inner
    finally:
        for name, module in before.items():
            sys.modules.pop(name) if module is None else sys.modules.update({name: module})
    if version("imagecorruptions") != VERSION:
        raise ImportError(f"imagecorruptions {version('imagecorruptions')} is not the {VERSION} that we compare with")

    def gaussian(image: Array, *args: Any, multichannel: bool = False, **options: Any) -> Array:
        return skimage.filters.gaussian(image, *args, channel_axis=-1 if multichannel else None, **options)

    def random_noise(image: Array, **options: Any) -> Array:
        return skimage.util.random_noise(image, rng=_Queued(np.random.PCG64(0)), **options)

    inner.np = _numpy
    inner.gaussian = gaussian
    inner.sk = SimpleNamespace(color=skimage.color, util=SimpleNamespace(random_noise=random_noise))
    return imagecorruptions


def corrupt(image: Array, name: str, severity: int, source: Source | None = None) -> Array:
    """One image, uint8 (H, W, 3), at a severity 1 to 5, with draws from ``source`` (a NumPy RandomState, or Given).

    Raises:
        Undefined: it has no result, as when no water falls on a small image.
    """
    return _called(lambda: package().corrupt(image, severity=severity, corruption_name=name), name, source)


def values(image: Array, name: str, severity: int, source: Source | None = None) -> Array:
    """The same before it is cut to bytes: 0 to 255 in float64, or bytes where the law itself ends in bytes.

    Where a law cuts in its middle, values a rounding error below a whole number are kept at it, as ours keeps them.
    """
    function = package().corruption_dict[name]
    if name == "glass_blur":
        _numpy.uint8 = lambda x: np.uint8(np.asarray(x) + GUARD)
    try:
        return _called(lambda: function(Image.fromarray(image), severity), name, source)
    finally:
        _numpy.uint8 = np.uint8


def _called(work: Callable[[], Any], name: str, source: Source | None) -> Array:
    before = _numpy.random
    _numpy.random = before if source is None else source
    try:
        with np.errstate(invalid="raise"):
            made = work()
    except FloatingPointError as error:
        raise Undefined(f"{name}: {error}") from error
    finally:
        _numpy.random = before
    if isinstance(source, Given):
        source.finish()
    return np.asarray(made)


@contextmanager
def levels(name: str, values: Sequence[Any]) -> Iterator[None]:
    """Meanwhile its function ``name`` looks severities up in ``values`` instead of in its own list."""
    known = package().corruption_dict
    before = known[name]
    known[name] = _with_levels(before, values)
    try:
        yield
    finally:
        known[name] = before


def own_levels(name: str) -> list[Any]:
    """The list of severities that stands in its source."""
    found = _Levels().visit_all(package().corruption_dict[name])
    return list(eval(compile(ast.Expression(found.taken), name, "eval"), vars(package().corruptions)))


class _Levels(ast.NodeTransformer):
    """Replaces the one list that is looked up by ``severity - 1``."""

    def __init__(self) -> None:
        self.found: list[ast.expr] = []

    @property
    def taken(self) -> ast.expr:
        assert len(self.found) == 1, f"{len(self.found)} lists of severities"
        return self.found[0]

    def visit_Subscript(self, node: ast.Subscript) -> ast.AST:
        self.generic_visit(node)
        if isinstance(node.value, ast.List) and ast.unparse(node.slice) == "severity - 1":
            self.found.append(node.value)
            node.value = ast.Name("__levels__", ast.Load())
        return node

    def visit_all(self, function: Any) -> "_Levels":
        self.tree = ast.fix_missing_locations(self.visit(ast.parse(textwrap.dedent(inspect.getsource(function)))))
        return self


def _with_levels(function: Any, values: Sequence[Any]) -> Any:
    found = _Levels().visit_all(function)
    assert found.taken
    home = {**vars(package().corruptions), "__levels__": list(values)}
    exec(compile(found.tree, f"<{function.__name__} with other levels>", "exec"), home)
    return home[function.__name__]
