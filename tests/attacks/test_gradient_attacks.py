from dataclasses import dataclass

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from shift_references import Linear
from torch import Tensor

from robustmeta.attacks.fgsm import FGSM
from robustmeta.attacks.gradient import climb
from robustmeta.attacks.pgd import PGD
from robustmeta.attacks.queries import Queries
from robustmeta.core import CellError
from robustmeta.functional.projection import BALLS
from robustmeta.rng import Rng
from robustmeta.testing.attacks import SmallClassifier

SHAPE = (2, 3, 1, 4, 4)
KEYS = np.arange(6, dtype=np.uint64).reshape(2, 3)


def rng() -> Rng:
    return Rng(0, ("attack",), KEYS)


def linear(way: int = 2) -> Linear:
    return Linear(Rng(0, ("w",), range(16)).normal(way))


def middle() -> tuple[Tensor, Tensor]:
    """Queries far from the ends of [0, 1], with labels."""
    return 0.4 + 0.2 * rng().uniform(*SHAPE[2:]), torch.tensor([[0, 1, 0], [1, 1, 0]])


def right(model: Linear) -> tuple[Tensor, Tensor]:
    """The same queries, with the classes that the model gives them."""
    x = middle()[0]
    return x, model(x).argmax(-1)


def away(model: Linear, y: Tensor) -> Tensor:
    """For two classes, the gradient of the loss points along the other class's weight minus one's own."""
    return (model.weight[:, 1 - y] - model.weight[:, y]).movedim(0, -1).unflatten(-1, SHAPE[2:])


def test_fgsm_on_a_linear_model_is_eps_times_the_sign() -> None:
    model = linear()
    x, y = right(model)
    out = FGSM().perturb(model, x, y, 0.1, rng())
    torch.testing.assert_close(out - x, 0.1 * away(model, y).sign(), atol=1e-7, rtol=0)


def test_fgsm_leaves_a_pixel_without_gradient_alone() -> None:
    model = linear()
    model.weight[3] = 0
    x, y = right(model)
    moved = (FGSM().perturb(model, x, y, 0.1, rng()) - x).flatten(2)
    assert (moved[..., 3] == 0).all()
    assert (moved[..., 4] != 0).all()


def test_pgd_on_a_linear_model_reaches_the_corner_of_the_ball() -> None:
    model = linear()
    x, y = right(model)
    out = PGD(leave=False).perturb(model, x, y, 0.1, rng())
    torch.testing.assert_close(out - x, 0.1 * away(model, y).sign(), atol=1e-6, rtol=0)


def test_l2_pgd_on_a_linear_model_reaches_the_closed_form() -> None:
    model = linear()
    x, y = right(model)
    way = away(model, y)
    want = 0.3 * way / way.flatten(2).norm(dim=-1)[..., None, None, None]
    out = PGD(norm="l2", random_start=False, leave=False).perturb(model, x, y, 0.3, rng())
    torch.testing.assert_close(out - x, want, atol=1e-6, rtol=1e-5)
    drawn = PGD(norm="l2", steps=40, leave=False).perturb(model, x, y, 0.3, rng())
    torch.testing.assert_close(drawn - x, want, atol=2e-3, rtol=0)


def test_each_query_is_attacked_as_if_it_were_alone() -> None:
    x, y, model = *middle(), SmallClassifier()
    x = x.expand(2, 3, 3, 4, 4).repeat_interleave(3, -1).repeat_interleave(3, -2)
    whole = PGD(restarts=2).perturb(model, x, y, 0.1, rng())
    for t in range(2):
        for q in range(3):
            part = (slice(t, t + 1), slice(q, q + 1))
            alone = PGD(restarts=2).perturb(model, x[part], y[part], 0.1, Rng(0, ("attack",), KEYS[part]))
            torch.testing.assert_close(alone, whole[part], atol=1e-6, rtol=0)


@pytest.mark.parametrize("norm", ["linf", "l2", "l1"])
@given(
    eps=st.floats(0, 2),
    seed=st.integers(0, 2**32),
    size=st.floats(0.05, 3),
    start=st.booleans(),
    spread=st.sampled_from([0.0, 1e-20, 1.0, 1e3]),
)
@settings(max_examples=25, deadline=None)
def test_pgd_stays_in_the_ball_and_in_range(
    norm: str, eps: float, seed: int, size: float, start: bool, spread: float
) -> None:
    draws = Rng(seed, ("x",), KEYS)
    x = (draws.uniform(*SHAPE[2:]) * 1.4 - 0.2).clamp(0, 1)  # some pixels at the ends
    y = draws.integers(0, 3, 1)[..., 0]
    model = Linear(spread * Rng(seed, ("w",), range(16)).normal(3))
    attack = PGD.model_validate({"norm": norm, "steps": 3, "step_size": size, "random_start": start})
    out = attack.perturb(model, x, y, eps, Rng(seed, ("a",), KEYS))
    delta = (out - x).flatten(2)
    largest = delta.norm(p={"linf": torch.inf, "l2": 2, "l1": 1}[norm], dim=-1).max()
    assert float(largest) <= eps * (1 + 1e-6) + 1e-6
    assert 0 <= float(out.min()) <= float(out.max()) <= 1
    if eps == 0:
        assert torch.equal(out, x)


@pytest.mark.parametrize("norm", ["linf", "l2", "l1"])
def test_without_a_gradient_nothing_breaks(norm: str) -> None:
    (x, y), model = middle(), Linear(torch.zeros(16, 2))
    out = PGD.model_validate({"norm": norm, "random_start": False}).perturb(model, x, y, 0.1, rng())
    assert torch.equal(out, x)


def test_tiny_gradients_keep_their_direction() -> None:
    g = Rng(0, ("g",), KEYS).normal(*SHAPE[2:])
    torch.testing.assert_close(BALLS["l2"].steepest(g * 1e-30), BALLS["l2"].steepest(g))
    assert (BALLS["l2"].steepest(0 * g) == 0).all()


@pytest.mark.parametrize("norm", ["linf", "l2", "l1"])
def test_the_start_is_uniform_in_the_ball(norm: str) -> None:
    d = BALLS[norm].draw((1, 2, 2), 0.5, Rng(0, ("s",), range(4000))).double()
    assert float(d.mean().abs()) < 0.01
    if norm == "linf":
        assert float(d.abs().max()) <= 0.5
        assert float(d.std()) == pytest.approx(0.5 / 3**0.5, rel=0.02)
    else:
        part = d.flatten(1).norm(p=int(norm[1]), dim=1) / 0.5
        assert float(part.max()) <= 1 + 1e-6
        assert float((part**4).mean()) == pytest.approx(0.5, abs=0.02)  # radius^n is uniform


def test_restarts_and_keys_draw_anew_and_eps_does_not() -> None:
    x, flat = middle()[0], Linear(torch.zeros(16, 2), torch.tensor([0.0, 1.0]))
    y = torch.ones(2, 3, dtype=torch.long)

    @dataclass
    class Recorder:
        coupled: bool
        seen: list[Tensor]

        def __call__(self, q: Tensor) -> Tensor:
            self.seen.append(q.detach().clone())
            return flat(q)

        def select(self, tasks: slice) -> "Recorder":
            return self

    def starts(eps: float, seed: int = 0) -> list[Tensor]:
        told = Recorder(False, [])
        PGD(steps=1, restarts=2).perturb(told, x, y, eps, Rng(seed, ("attack",), KEYS))
        return [(told.seen[i] - x) / eps for i in (1, 3)]

    first, second = starts(0.1)
    assert not torch.allclose(first, second, atol=1e-2)
    torch.testing.assert_close(starts(0.2)[0], first, atol=1e-5, rtol=0)
    assert not torch.allclose(starts(0.1, seed=1)[0], first, atol=1e-2)
    assert not torch.allclose(first[0, 0], first[0, 1], atol=1e-2)


def worst(coupled: bool, first: list[float], second: list[float]) -> list[float]:
    """Which of two versions of three queries, one with every pixel 0 and one with 1, is kept; logits are given.

    A value is the margin of the true class 0 over the other.
    """

    class Given(Linear):
        def __call__(self, x: Tensor) -> Tensor:
            margins = torch.tensor(first if x.max() == 0 else second)
            return torch.stack([margins, 0 * margins], -1)[None]

    model = Given(torch.zeros(1, 2))
    model.coupled = coupled
    x, y = torch.zeros(1, 3, 1, 1, 1), torch.zeros(1, 3, dtype=torch.long)
    queries = Queries(model, x, y, Rng(0, ("w",), KEYS[:1]))
    queries.everything().look(torch.ones(3, 1, 1, 1))
    return queries.result().flatten().tolist()


def test_the_worst_is_kept_for_each_query() -> None:
    assert worst(False, [-0.1, 1.0, 0.5], [0.3, -1.0, 0.4]) == [0, 1, 1]
    assert worst(False, [0.5, 0.5, 0.5], [0.5, 0.5, 0.5]) == [0, 0, 0]


def test_a_coupled_classifier_keeps_the_queries_of_a_task_together() -> None:
    assert worst(True, [-0.1, 1.0, 0.5], [0.3, -1.0, -0.4]) == [1, 1, 1]
    assert worst(True, [-0.1, 1.0, 0.5], [-0.1, 1.1, 0.5]) == [0, 0, 0]


def test_pgd_returns_for_a_coupled_classifier_a_query_set_that_it_has_seen() -> None:
    @dataclass
    class Told:
        inner: SmallClassifier
        coupled: bool = True

        def __post_init__(self) -> None:
            self.sets: list[Tensor] = []

        def __call__(self, q: Tensor) -> Tensor:
            self.sets.append(q.detach().clone())
            return self.inner(q)

        def select(self, tasks: slice) -> "Told":
            return self

    told = Told(SmallClassifier(coupled=True))
    x = Rng(0, ("x",), KEYS).uniform(3, 12, 12)
    y = torch.tensor([[0, 1, 2], [3, 0, 1]])
    out = PGD(restarts=3, steps=4, step_size=0.9, leave=False).perturb(told, x, y, 0.2, rng())
    for t in range(2):
        told.inner.net.requires_grad_(False)
        same = [s for s in told.sets if torch.equal(s[t], out[t])]
        assert same
        scores = [
            ((told.inner(s)[t].argmax(-1) != y[t]).sum(), F.cross_entropy(told.inner(s)[t], y[t])) for s in told.sets
        ]
        got = ((told.inner(out)[t].argmax(-1) != y[t]).sum(), F.cross_entropy(told.inner(out)[t], y[t]))
        assert int(got[0]) == max(int(wrong) for wrong, _ in scores)
        best = max(float(loss) for wrong, loss in scores if wrong == got[0])
        assert float(got[1]) == pytest.approx(best, rel=1e-6)


def test_a_query_that_is_wrong_from_the_start_stays_wrong() -> None:
    (x, _), model = middle(), linear()
    y = 1 - model(x).argmax(-1)
    out = PGD(step_size=5.0).perturb(model, x, y, 0.5, rng())
    assert (model(out).argmax(-1) != y).all()


def test_only_the_query_gets_gradients() -> None:
    (x, y), weight = middle(), linear().weight.clone().requires_grad_()
    with torch.no_grad():  # the caller's mode does not matter
        PGD(steps=2).perturb(Linear(weight), x, y, 0.1, rng())
    assert weight.grad is None
    assert x.grad is None
    assert not x.requires_grad


def test_what_cannot_be_climbed_is_an_error() -> None:
    x, y = middle()

    class Detached(Linear):
        def __call__(self, x: Tensor) -> Tensor:
            return super().__call__(x.detach())

    with pytest.raises(CellError, match="not differentiable in its input"):
        climb(Detached(linear().weight), x, y)
    with pytest.raises(CellError, match="gradient of the loss by the query is not finite"):
        climb(Linear(linear().weight * float("nan")), x, y)


def test_restarts_need_a_random_start() -> None:
    with pytest.raises(ValueError, match="2 restarts without random_start are the same"):
        PGD(restarts=2, random_start=False)


@pytest.mark.parametrize("wrong", [{"steps": 0}, {"norm": "l0"}, {"step_size": 0}, {"restarts": 0}, {"stepsize": 1}])
def test_wrong_choices_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        PGD.model_validate(wrong)
