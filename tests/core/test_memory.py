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
    sum([torch.ones(2**21) for _ in range(16)])
step()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(20):
    step()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def faults(choice: str) -> int:
    """How often 20 steps with 16 tensors of 8 MiB at once ask the system for memory."""
    return int(subprocess.run([sys.executable, "-c", CODE, choice], capture_output=True, text=True, check=True).stdout)


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs glibc")
def test_a_step_takes_the_memory_of_the_one_before() -> None:
    kept, given_back = faults("keep"), faults("give back")
    assert 4 * kept < given_back
