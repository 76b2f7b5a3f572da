"""Freed memory that stays with the process."""

import subprocess
import sys

import pytest

CODE = """
import resource, sys, torch
from robustmeta import memory
torch.set_num_threads(1)
if sys.argv[1] == "keep":
    memory.keep()
def step():
    torch.ones(2**21).sum()
step()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(20):
    step()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def faults(choice: str) -> int:
    """Pages that 20 tensors of 8 MiB ask the system for."""
    return int(subprocess.run([sys.executable, "-c", CODE, choice], capture_output=True, text=True, check=True).stdout)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs glibc")
def test_pages_are_asked_for_once() -> None:
    kept, given_back = faults("keep"), faults("give back")
    assert 4 * kept < given_back
