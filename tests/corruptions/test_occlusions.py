"""Things in front of images, and images with fewer pixels."""

import cv2
import pytest
import torch
from occlusion_references import MANY, covered, hold_cutout, hold_nested, hold_part, hold_resolution

from robustmeta.corruptions.cutout import cutout
from robustmeta.corruptions.occlusion import occlusion
from robustmeta.corruptions.resolution_loss import resolution_loss
from robustmeta.functional.occlude import box_or_disk_distance, low_resolution, nearest_part, square
from robustmeta.rng import Rng
from robustmeta.shifts.corruption import Corruption


def test_an_occlusion_covers_its_part_exactly() -> None:
    hold_part(occlusion)


@pytest.mark.parametrize("corruption", [occlusion, cutout], ids=lambda c: c.name)
def test_a_stronger_level_covers_what_a_milder_one_does_in_the_same_way(corruption: Corruption) -> None:
    hold_nested(corruption)


def test_the_things_lie_everywhere_and_have_plain_colours_or_stripes() -> None:
    often = covered(occlusion, 0.2, (32, 32), 1500).float().mean(0)
    assert float(often.mean()) == pytest.approx(0.2, abs=1e-3)
    assert float(often.min()) > 0.06  # in the corners, which lie beside fewer centres
    assert float((often - often.flip(0)).abs().max()) < 0.08  # no side is preferred
    assert float((often - often.mT).abs().max()) < 0.08
    x = torch.full((MANY, 1, 64, 64), 2.0)
    made = occlusion.function(x, 0.05, Rng(0, ("o",), range(MANY)))
    shades = torch.tensor([len(m[m != 2].unique()) for m in made])
    assert 0.05 < float((shades <= 3).float().mean()) < 0.3  # all three plain: 1/8


def test_distance_by_hand() -> None:
    centre, radius = torch.tensor([[[2.5, 3.5]]]), torch.tensor([[[2.0, 1.0]]])
    for disk, corner in ((False, 1.0), (True, 5**0.5 / 2)):
        d = box_or_disk_distance(centre, radius, torch.zeros(1, 1), torch.tensor([[disk]]), (6, 8))[0, 0]
        assert d[2, 3] == 0
        assert d[2, 5] == 1  # two to the right: on the rim
        assert d[3, 3] == 1  # one down: on the rim
        assert d[3, 4] == pytest.approx(1 if not disk else corner)
    turned = box_or_disk_distance(centre, radius, torch.full((1, 1), torch.pi / 2), torch.tensor([[True]]), (6, 8))[
        0, 0
    ]
    assert float(turned[4, 3]) == pytest.approx(1, abs=1e-6)  # its long axis now points down
    assert float(turned[2, 4]) == pytest.approx(1, abs=1e-6)


def test_the_nearest_part_by_hand() -> None:
    d = torch.tensor([[[3.0, 1.0], [2.0, 0.0]]])
    for part, want in ((0.2, [0]), (0.25, [0]), (0.26, [0, 1]), (0.75, [0, 1, 2]), (1.0, [0, 1, 2, 3])):
        assert sorted(d[nearest_part(d, part)].tolist()) == want
    line = torch.arange(100.0).view(1, 10, 10)
    assert int(nearest_part(line, 0.07).sum()) == 7  # 0.07 · 100 is 7.000000000000001


def test_cutout_is_the_published_square() -> None:
    hold_cutout(cutout)


def test_the_squares_of_the_paper_are_among_the_levels() -> None:
    for length, part in ((16, 0.25), (8, 0.0625)):  # CIFAR-10 and CIFAR-100
        assert part in cutout.tables["levels"]
        whole = covered(cutout, part, (32, 32)).sum((1, 2))
        assert int(whole.max()) == length**2
    assert (cutout.function(torch.zeros(1, 3, 9, 9), 0.5, Rng(0, (), [0])).unique() == torch.tensor([0, 0.5])).all()


def test_a_square_by_hand() -> None:
    got = square(torch.tensor([0, 3]), torch.tensor([2, 4]), 2, (5, 5))
    assert got[0].int().tolist() == [[1, 1, 1, 1, 0], [1, 1, 1, 1, 0], [0] * 5, [0] * 5, [0] * 5]
    assert got[1].nonzero().tolist() == [[r, c] for r in (1, 2, 3, 4) for c in (2, 3, 4)]


@pytest.mark.slow
def test_low_resolution_is_a_triangle_filter_and_linear_interpolation() -> None:
    hold_resolution(low_resolution)


def test_a_sharp_edge_keeps_its_place_and_a_plain_picture_its_value() -> None:
    x = torch.zeros(1, 1, 32, 32)
    x[..., 16:] = 1
    for factor in resolution_loss.tables["levels"]:
        got = low_resolution(x, factor)
        torch.testing.assert_close(got + got.flip(3), torch.ones_like(got))
        plain = low_resolution(torch.full_like(x, 0.3), factor)
        torch.testing.assert_close(plain, torch.full_like(x, 0.3))


def test_fine_stripes_go_without_moire() -> None:
    x = (torch.arange(64) % 2).float().expand(1, 1, 64, 64)
    got = low_resolution(x, 4)
    assert (got[..., 8:-8] - 0.5).abs().max() < 0.02
    aliased = cv2.resize(x[0, 0].numpy(), (17, 64), interpolation=cv2.INTER_NEAREST)
    assert aliased.std() > 0.4


def test_the_factor_six_of_28_pixels_leaves_five() -> None:
    x = Rng(0, ("x",), [0]).uniform(1, 28, 28)
    got = low_resolution(x, 6.0)[0, 0].double()
    assert int(torch.linalg.matrix_rank(got, tol=1e-4)) == 5
