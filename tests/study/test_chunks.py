"""What is sent through a network together is bounded in pixels, whatever the size of the images."""

import numpy as np
import pytest
import tiny
import torch

from robustmeta.core import TaskShape, sample
from robustmeta.study.evaluate import chunks, parts


@pytest.mark.parametrize(("side", "together"), [(28, 20), (56, 5), (84, 2), (224, 1)])
def test_tasks_that_are_worked_on_together(side: int, together: int) -> None:
    episodes = sample(tiny.Toy(images=20, classes=8).load(4, 1), TaskShape(5, 5, 11), 0, 0, 47)
    found = list(chunks(episodes, side))
    assert found == [slice(start, min(start + together, 47)) for start in range(0, 47, together)]


@pytest.mark.parametrize(("side", "together"), [(28, 500), (84, 55), (224, 16)])
def test_images_that_are_embedded_together(side: int, together: int) -> None:
    rows = np.arange(5, 600, dtype=np.int64)
    found = list(parts(rows, torch.empty(600, 3, side, side, device="meta")))
    assert {len(some) for some in found[:-1]} == {together}
    assert torch.equal(torch.cat(found), torch.from_numpy(rows))
