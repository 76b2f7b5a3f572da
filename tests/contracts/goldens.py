"""Golden numbers: component@version -> place -> numbers, in a JSON file beside the contract that makes them.

A contract writes its file when it is run as a script: ``python tests/contracts/test_shifts.py``.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

Numbers = dict[str, list[float]]
Golden = Mapping[str, Mapping[str, Sequence[float]]]


def load(path: Path) -> Golden:
    """The numbers of a file."""
    return json.loads(path.read_text())


def compare(found: Golden, golden: Golden, *, exact: bool = False) -> None:
    """Raise AssertionError unless all numbers are the golden ones: to rounding elsewhere, or exactly."""
    assert found.keys() == golden.keys(), "a component or version without golden numbers, or the other way round"
    rtol, atol = (0, 0) if exact else (2e-3, 2e-5)
    for key, numbers in found.items():
        assert numbers.keys() == golden[key].keys(), key
        for place, values in numbers.items():
            message = f"{key}, {place}: the numbers changed; raise the version if that is meant"
            np.testing.assert_allclose(values, golden[key][place], rtol=rtol, atol=atol, err_msg=message)


def write(path: Path, found: Golden, indent: int | None = None) -> None:
    """Make a file anew."""
    path.write_text(json.dumps(found, indent=indent) + "\n")
