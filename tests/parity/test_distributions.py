"""Our ImageNet-C against the published program, each with draws of its own: equal on average."""

import numpy as np
import pytest
from parity.measures import RANDOM, SUBJECTS, corruption, hold_distribution, natural, ssim

pytestmark = [pytest.mark.parity, pytest.mark.usefixtures("published")]

SEVERITIES = {"32": (1, 2, 3, 4, 5), "64": (1, 2, 3, 4, 5), "224": (2,)}


@pytest.mark.parametrize(("name", "table"), RANDOM)
def test_own_draws_give_the_same_distribution(name: str, table: str, data_dir) -> None:
    images = natural(int(table), SUBJECTS, data_dir)
    for severity in SEVERITIES[table]:
        hold_distribution(corruption(name), table, severity, images)


def test_structural_similarity_is_scikit_images(data_dir) -> None:
    from skimage.metrics import structural_similarity

    images = natural(64, 8, data_dir)
    for made, clean in zip(images, np.roll(images, 1, 0) // 2 + images // 2, strict=True):
        assert ssim(made, made) == 1
        found = ssim(made, clean)
        assert found == pytest.approx(structural_similarity(made, clean, channel_axis=-1, data_range=255), abs=1e-9)
        assert found < 0.99
