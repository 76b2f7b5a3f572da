import math

import torch

from robustmeta.functional.warp import affine, cosine_field, ink, warp


def test_cosine_field_is_its_formula_at_pixel_centres():
    c = torch.tensor([[0.5, 1.0], [2.0, -3.0]])
    y, x = 0.5 / 4 + 2 / 4, 0.5 / 4
    cy, cx = math.cos(math.pi * y), math.cos(math.pi * x)
    assert math.isclose(cosine_field(c, 4)[2, 0], 0.5 + 1.0 * cx + 2.0 * cy - 3.0 * cy * cx, abs_tol=1e-6)


def test_affine_identity_leaves_a_picture_alone():
    picture = torch.rand(1, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    theta = affine(torch.zeros(1), torch.ones(1, 2), torch.zeros(1), torch.zeros(1, 2))
    torch.testing.assert_close(warp(picture, theta, torch.zeros(1, 2, 8, 8), 0.0), picture)


def test_affine_shift_moves_right_and_down_and_pads():
    picture = torch.ones(1, 1, 4, 4)
    theta = affine(torch.zeros(1), torch.ones(1, 2), torch.zeros(1), torch.tensor([[0.5, 1.0]]))  # 1 and 2 of 4 pixels
    moved = warp(picture, theta, torch.zeros(1, 2, 4, 4), -7.0)[0, 0]
    expected = torch.full((4, 4), -7.0)
    expected[2:, 1:] = 1
    torch.testing.assert_close(moved, expected)


def test_affine_quarter_turn_takes_x_to_y():
    picture = torch.zeros(1, 1, 3, 3)
    picture[0, 0, 1, 2] = 1  # right of the centre
    theta = affine(torch.full((1,), math.pi / 2), torch.ones(1, 2), torch.zeros(1), torch.zeros(1, 2))
    turned = warp(picture, theta, torch.zeros(1, 2, 3, 3), 0.0)[0, 0]
    assert turned.argmax() == 7  # below it: y grows downwards
    torch.testing.assert_close(turned.sum(), torch.tensor(1.0), atol=1e-5, rtol=0)


def test_ink_is_the_covered_share_of_a_pixel():
    distance = torch.tensor([[-2.0, -0.25], [0.0, 3.0]])[None, None]
    torch.testing.assert_close(ink(distance, torch.ones(1), 1)[0, 0], torch.tensor([[0.0, 0.25], [0.5, 1.0]]))
    torch.testing.assert_close(ink(distance, torch.ones(1), 2)[0, 0], torch.tensor([[1.75 / 4]]))
