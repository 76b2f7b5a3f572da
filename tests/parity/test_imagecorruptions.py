"""Our ImageNet-C against the published program ``imagecorruptions``, under the same draws: a row for each table."""

import numpy as np
import pytest
from parity import peer
from parity.cases import CASES
from parity.measures import (
    HERE,
    TABLES,
    corruption,
    hold_images,
    hold_labels,
    natural,
    registered,
)

from robustmeta.corruptions import SETS

pytestmark = [pytest.mark.parity, pytest.mark.usefixtures("published")]

SIZES = (32, 64, 224)
IMAGES = {32: 64, 64: 16, 224: 4}


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", HERE)
def test_the_published_table_gives_the_published_images_at_every_size(name: str, size: int, data_dir) -> None:
    hold_images(corruption(name), "224", natural(size, IMAGES[size], data_dir))


@pytest.mark.parametrize(("name", "table"), [row for row in TABLES if row[1] != "224"])
def test_a_small_table_gives_the_images_of_the_published_law(name: str, table: str, data_dir) -> None:
    hold_images(corruption(name), table, natural(int(table), IMAGES[int(table)], data_dir))


@pytest.mark.parametrize("name", HERE)
def test_a_label_says_what_is_shown(name: str) -> None:
    hold_labels(corruption(name))
    hold_labels(registered(name))


def test_all_that_the_peer_knows_is_compared() -> None:
    common, tuning = (set(peer.package().get_corruption_names(subset)) for subset in ("common", "validation"))
    assert (common, tuning) == (set(SETS["imagenet-c"]), set(SETS["imagenet-c-validation"]))
    assert set(HERE) == set(CASES) == common | tuning


def test_other_levels_replace_the_peers_own_and_are_forgotten() -> None:
    image, own = np.arange(32 * 32 * 3).reshape(32, 32, 3).astype(np.uint8), peer.own_levels("contrast")
    before = peer.corrupt(image, "contrast", 1)
    with peer.levels("contrast", own[1:] + own[:1]):
        np.testing.assert_array_equal(peer.corrupt(image, "contrast", 5), before)
    np.testing.assert_array_equal(peer.corrupt(image, "contrast", 1), before)
