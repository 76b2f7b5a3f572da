"""The geometry and the losses of attacks, against SciPy, NumPy and worked numbers."""

import numpy as np
import pytest
import torch
from attack_geometry import hold_box_step, hold_order, hold_projection
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog, minimize

from robustmeta.functional import margins
from robustmeta.functional.adaptive import DECAY, checkpoints, stuck
from robustmeta.functional.descent import adam_step
from robustmeta.functional.halfspace import between, nearest_border, to_hyperplane, water_level
from robustmeta.functional.projection import BALLS
from robustmeta.functional.squares import bump, inside, move_mass, share, tiles, two_bumps, window
from robustmeta.rng import Rng

NORMS = ("linf", "l2", "l1")


@pytest.mark.parametrize("norm", NORMS)
@given(seed=st.integers(0, 2**32), eps=st.floats(1e-3, 5), spread=st.sampled_from([1e-3, 0.1, 1.0, 100.0]))
@settings(max_examples=25, deadline=None)
def test_a_projection_is_idempotent_and_nearest(norm: str, seed: int, eps: float, spread: float) -> None:
    hold_projection(BALLS[norm], norm, eps, spread, seed)


@pytest.mark.parametrize("norm", NORMS)
def test_the_ball_comes_before_the_range(norm: str) -> None:
    hold_order(BALLS[norm], norm)


@pytest.mark.parametrize("norm", NORMS)
def test_a_draw_on_the_edge_has_the_radius(norm: str) -> None:
    drawn = BALLS[norm].edge((3, 4, 4), 0.7, Rng(0, ("edge",), range(50)))
    torch.testing.assert_close(BALLS[norm].norm(drawn).flatten(), torch.full((50,), 0.7))
    assert float((drawn > 0).float().mean()) == pytest.approx(0.5, abs=0.05)


def test_a_step_in_l1_moves_the_largest_entries_alike() -> None:
    g = torch.zeros(1, 1, 10, 10)
    g.view(-1)[[3, 17, 42, 60, 99]] = torch.tensor([5.0, -4.0, 3.0, -9.0, 2.0])
    step = BALLS["l1"].steepest(g + 1e-3 * Rng(0, ("g",), [0]).normal(1, 10, 10))
    assert step.flatten()[[3, 17, 42, 60, 99]].tolist() == pytest.approx([0.2, -0.2, 0.2, -0.2, 0.2])
    assert float(step.abs().sum()) == pytest.approx(1)
    assert (BALLS["l1"].steepest(0 * g) == 0).all()


@pytest.mark.parametrize("norm", ["linf", "l2"])
@pytest.mark.parametrize("seed", range(6))
def test_the_step_onto_a_plane_in_the_box_is_scipys(norm: str, seed: int) -> None:
    draws = Rng(seed, ("plane",), [0])
    x, w = draws.uniform(5)[0].double(), draws.normal(5)[0].double()
    x[0], x[1] = 0.0, 1.0
    value = float(0.3 * w.abs().sum()) * (1 if seed % 2 else -1)
    reach = np.where(-np.sign(value) * w.numpy() > 0, 1 - x.numpy(), x.numpy()) @ np.abs(w.numpy())
    value *= min(1.0, 0.9 * reach / abs(value))  # there is a point of the plane in the box
    step = to_hyperplane(x[None], w[None], torch.tensor([[value]], dtype=torch.double), norm)[0].numpy()
    box = [(-float(v), 1 - float(v)) for v in x]
    if norm == "l2":
        found = minimize(
            lambda d: d @ d,
            np.zeros(5),
            bounds=box,
            constraints={"type": "eq", "fun": lambda d: w.numpy() @ d + value},
            options={"ftol": 1e-12},
        )
        want, length = found.fun**0.5, np.linalg.norm(step)
    else:
        limits = np.block([[np.eye(5), -np.ones((5, 1))], [-np.eye(5), -np.ones((5, 1))]])
        plane = np.append(w.numpy(), 0.0)[None]
        found = linprog(np.eye(6)[5], limits, np.zeros(10), plane, [-value], [*box, (0, None)])
        want, length = found.fun, np.abs(step).max()
    assert length == pytest.approx(want, rel=1e-4)
    assert w.numpy() @ step + value == pytest.approx(0, abs=1e-5)
    hold_box_step(x, torch.from_numpy(step))


def test_where_no_point_of_the_plane_is_in_the_box_all_entries_go_to_their_end() -> None:
    x, w = torch.tensor([[0.2, 0.7, 0.5]]), torch.tensor([[1.0, -2.0, 0.0]])
    for norm in ("linf", "l2"):
        step = to_hyperplane(x, w, torch.tensor([[-99.0]]), norm)
        torch.testing.assert_close(step, torch.tensor([[0.8, -0.7, 0.0]]))


def test_a_water_level_worked_by_hand() -> None:
    gain, rate, room = torch.tensor([[1.0, 2.0, 1.0]]), torch.ones(1, 3), torch.tensor([[0.1, 0.5, 9.0]])
    for want, level in ((0.2, 0.05), (0.4, 0.1), (1.0, 0.3), (1.6, 0.5), (3.1, 2.0)):
        assert float(water_level(gain, rate, room, torch.tensor([[want]]))) == pytest.approx(level, rel=1e-5)


def test_a_step_of_fab_worked_by_hand() -> None:
    x, start = torch.tensor([[0.6, 0.5]]), torch.tensor([[0.5, 0.5]])
    to_x, to_start = torch.tensor([[0.1, 0.0]]), torch.tensor([[0.3, 0.0]])
    got = between(x, start, to_x, to_start, torch.tensor([[0.1]]), torch.tensor([[0.3]]), 0.5, 1.05)
    want = 0.75 * (0.6 + 1.05 * 0.1) + 0.25 * (0.5 + 1.05 * 0.3)
    torch.testing.assert_close(got, torch.tensor([[want, 0.5]]))
    less = between(x, start, to_x, to_start, torch.tensor([[0.1]]), torch.tensor([[0.3]]), 0.1, 1.05)
    torch.testing.assert_close(less[0, 0], torch.tensor(0.9 * 0.705 + 0.1 * 0.815))


def test_the_nearest_border_worked_by_hand() -> None:
    w = torch.tensor([[[3.0, 4.0], [0.0, 1.0], [0.0, 0.0]]])
    value = torch.tensor([[-10.0, -1.0, -0.1]])  # at distances 2, 1 and none
    torch.testing.assert_close(nearest_border(w, value, "l2"), torch.tensor([[0.0, 1.0]]))
    torch.testing.assert_close(
        nearest_border(w, value * torch.tensor([0.01, 1, 1]), "l2"), torch.tensor([[0.012, 0.016]])
    )
    torch.testing.assert_close(nearest_border(w[:, :1], value[:, :1], "linf"), torch.tensor([[10 / 7, 10 / 7]]))
    assert (nearest_border(w[:, 2:], value[:, 2:], "l2") == 0).all()


def test_losses_worked_by_hand() -> None:
    z, y = torch.tensor([[2.0, 1.0, 4.0, -1.0], [0.0, 3.0, 1.0, 2.0]]), torch.tensor([0, 1])
    assert margins.margin(z, y).tolist() == [2, -1]
    assert margins.dlr(z, y).tolist() == pytest.approx([2 / 3, -1 / 2])
    aim = torch.tensor([[0, 3], [1, 3]])
    assert margins.difference(z, aim).tolist() == [-3, -1]
    assert margins.targeted_dlr(z, aim).tolist() == pytest.approx([-3 / (4 - 0), -1 / (3 - 0.5)])
    assert margins.rivals(z, y).tolist() == [[2, 1, 3], [3, 2, 0]]
    p = np.exp(z.numpy()) / np.exp(z.numpy()).sum(1, keepdims=True)
    assert margins.cross_entropy(z, y).tolist() == pytest.approx([-np.log(p[0, 0]), -np.log(p[1, 1])])


@given(scale=st.floats(0.1, 50), shift=st.floats(-9, 9))
@settings(max_examples=20, deadline=None)
def test_ratios_know_no_scale_and_no_shift(scale: float, shift: float) -> None:
    z = Rng(0, ("z",), range(6)).normal(5)
    y, aim = torch.arange(6) % 5, torch.stack([torch.arange(6) % 5, torch.arange(1, 7) % 5], -1)
    torch.testing.assert_close(margins.dlr(scale * z + shift, y), margins.dlr(z, y), rtol=1e-4, atol=1e-5)
    moved = margins.targeted_dlr(scale * z + shift, aim)
    torch.testing.assert_close(moved, margins.targeted_dlr(z, aim), rtol=1e-4, atol=1e-5)


def test_checkpoints_are_the_published_ones() -> None:
    assert checkpoints(100) == [22, 41, 57, 70, 80, 87, 93, 99]
    assert checkpoints(10) == [3, 5, 6, 7, 8, 9]
    assert checkpoints(1) == []


def test_when_a_step_is_halved() -> None:
    rises = torch.tensor([16, 17, 17, 17])
    best, then = torch.tensor([2.0, 2.0, 1.0, 1.0]), torch.ones(4)
    halved = torch.tensor([True, True, False, True])
    assert stuck(rises, 22, best, then, halved).tolist() == [True, False, True, False]  # 16 < 0.75 * 22 = 16.5


def test_decays() -> None:
    assert [DECAY["linear"](p) for p in (0, 0.25)] == [1, 0.75]
    assert [DECAY["cosine"](p) for p in (0, 0.5)] == [1, pytest.approx(0.5)]
    assert DECAY["constant"](0.9) == 1


def test_adam_is_torchs() -> None:
    start = Rng(0, ("adam",), [0]).normal(6)[0]
    theirs = start.clone().requires_grad_()
    optimiser = torch.optim.Adam([theirs], 0.1)
    mine, m, v = start.clone(), torch.zeros(6), torch.zeros(6)
    for k in range(1, 6):
        theirs.grad = (theirs.detach() ** 3).clone()
        optimiser.step()
        move, m, v = adam_step(mine**3, m, v, k)
        mine = mine - 0.1 * move
    torch.testing.assert_close(mine, theirs.detach())


def test_the_schedule_of_squares_is_the_published_one() -> None:
    published = [(0, 0), (10, 0), (11, 1), (50, 1), (51, 2), (201, 3), (501, 4), (1001, 5), (2001, 6), (4001, 7)]
    for query, halvings in [*published, (6001, 8), (8001, 9), (9999, 9)]:
        assert share(0.8, query, 10_000) == 0.8 / 2**halvings
    assert share(0.8, 51, 500) == share(0.8, 1020, 10_000)


def test_a_bump_is_the_sum_of_equation_2() -> None:
    for height, width in ((5, 2), (7, 3), (7, 4)):
        n = height // 2
        want = np.zeros((height, width))
        for r in range(1, height + 1):
            for s in range(1, width + 1):
                most = n - max(abs(r - height // 2 - 1), abs(s - width // 2 - 1))
                want[r - 1, s - 1] = sum(1 / (n + 1 - k) ** 2 for k in range(most + 1))
        np.testing.assert_allclose(bump(height, width), want, rtol=1e-6)
    pair = two_bumps(7)
    assert float(pair.norm()) == pytest.approx(1)
    assert float(pair[:, :3].amin()) >= 0 >= float(pair[:, 3:].amax())


def test_tiles_fill_the_middle_of_an_image_of_any_shape() -> None:
    made = tiles(13, 17, 3, torch.ones(1, 2, 4, 5))
    assert made.shape == (1, 2, 13, 17)
    assert (made[..., 12, :] == 0).all()
    torch.testing.assert_close(made[0, 0, :3, 1:4], two_bumps(3))


def test_mass_moves_from_one_window_to_the_other_and_uses_what_is_left() -> None:
    delta = 0.1 * Rng(0, ("d",), range(4)).normal(2, 9, 9)
    first = window(torch.tensor([0, 1, 2, 3]), torch.tensor([4, 0, 1, 2]), 3)
    second = window(torch.tensor([5, 6, 3, 3]), torch.tensor([0, 5, 2, 2]), 3)
    eps = 1.1 * float(delta.flatten(1).norm(dim=1).max())
    signs = torch.tensor([1.0, -1.0])[None, :, None, None].expand(4, 2, 3, 3)
    moved = move_mass(delta, first, second, signs * two_bumps(3), eps)
    torch.testing.assert_close(moved.flatten(1).norm(dim=1), torch.full((4,), eps), rtol=1e-5, atol=1e-6)
    here, there = inside(*first, 9, 9), inside(*second, 9, 9)
    outside = ~(here | there).expand_as(delta)
    assert torch.equal(moved[outside], delta[outside])
    assert (moved[(there & ~here).expand_as(delta)] == 0).all()
    assert int(here.sum()) == 4 * 9
