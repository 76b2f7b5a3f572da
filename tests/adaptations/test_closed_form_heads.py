"""Metric-based and closed-form heads against NumPy and scikit-learn, and where their problems are degenerate."""

import head_references as references
import learners
import pytest
import torch
import torch.nn.functional as F

from robustmeta.adaptations.classifier import NoHead
from robustmeta.adaptations.matching import Matching
from robustmeta.adaptations.ridge import Ridge
from robustmeta.adaptations.simpleshot import SimpleShot
from robustmeta.adaptations.svm import Svm
from robustmeta.functional import svm
from robustmeta.heads.linear import OnSphere
from robustmeta.heads.relation import RelationHead
from robustmeta.heads.solved import RidgeHead, SvmHead

FITS = {
    "matching": lambda z, y: Matching().fit(references.body(), z, y, 4, learners.task_rng(len(z))),
    "l2": lambda z, y: Matching(distance="l2").fit(references.body(), z, y, 4, learners.task_rng(len(z))),
    "simpleshot": lambda z, y: SimpleShot().fit(references.body(), z, y, 4, learners.task_rng(len(z))),
    "ridge": lambda z, y: Ridge().fit(references.body(), z, y, 4, learners.task_rng(len(z))),
    "svm": lambda z, y: Svm().fit(references.body(), z, y, 4, learners.task_rng(len(z))),
    "ridge head": lambda z, y: RidgeHead(50.0, 10.0).double().fit(z, y, 4),
    "svm head": lambda z, y: SvmHead(0.1, 1.0).double().fit(z, y, 4),
    "relation head": lambda z, y: RelationHead((3, 2, 2), 4, 3).double().fit(z, y, 4),
}


@pytest.mark.parametrize("distance", ["cosine", "l2"])
def test_matching_is_attention_written_out(distance) -> None:
    assert references.matching_gap(distance) < 1e-12


def test_simpleshot_is_scikit_learns_nearest_centroid() -> None:
    assert references.simpleshot_gap() < 1e-12


def test_ridge_is_scikit_learns() -> None:
    assert references.ridge_gap() < 1e-12


def test_ridge_head_is_the_primal_solution() -> None:
    assert references.r2d2_gap() < 1e-10


@pytest.mark.parametrize("c", [0.1, 1.0, 100.0])
@pytest.mark.parametrize("images", [8, 40])
def test_svm_is_scikit_learns(c: float, images: int) -> None:
    """With fewer images than features and with more."""
    assert references.svm_gap(c, images) < 1e-5


@pytest.mark.parametrize("c", [0.1, 1.0])
@pytest.mark.parametrize("images", [8, 40])
def test_svm_gradient_is_the_finite_difference(c: float, images: int) -> None:
    assert references.svm_gradient_gap(c, images) < 1e-4


@pytest.mark.parametrize(("c", "share"), [(0.01, 1e-10), (1.0, 1e-10), (100.0, 1e-7)])
@pytest.mark.parametrize("images", [8, 40])
def test_svm_closes_the_duality_gap(c: float, share: float, images: int) -> None:
    z, y, _ = references.supports(images)
    gram, labels = z @ z.mT, F.one_hot(y, 4).double()
    p, slack = svm._optimum(gram, labels, c, 1e-12)
    torch.testing.assert_close(p.sum(-1), torch.ones_like(p[..., 0]), atol=1e-9, rtol=0)
    assert (p > 0).all()
    assert (slack > 0).all()
    gap, primal = svm.duality_gap(gram, labels, p, c)
    assert (gap.abs() < share * primal).all()


def test_svm_weights_are_as_near_the_optimum_as_their_gap_says() -> None:
    """Strong convexity: ½‖W − W*‖² ≤ gap, here against a finer solution."""
    z, y, _ = references.supports(40)
    coarse, fine = (svm.support_vector_machine(z, y, 4, 1.0, tolerance) for tolerance in (1e-3, 1e-12))
    scores, labels = z @ coarse, F.one_hot(y, 4).double()
    worst = (1 - labels + scores).amax(-1) - (labels * scores).sum(-1)
    primal = 0.5 * coarse.square().sum((1, 2)) + worst.sum(-1)
    distance = 0.5 * (coarse - fine).square().sum((1, 2))
    assert (distance > 0).all()
    assert (distance <= 1e-3 * primal).all()


@pytest.mark.parametrize("shape", [(3, 2, 2), (12, 1, 1), (1, 4, 3)])
def test_relation_scores_are_those_of_pairs_made_one_by_one(shape) -> None:
    assert references.relation_gap(shape) < 1e-12


@pytest.mark.parametrize("fit", FITS.values(), ids=FITS)
@pytest.mark.parametrize("kind", ["duplicates", "one image", "zeros", "one class"])
def test_degenerate_supports_give_finite_logits_and_gradients(fit, kind: str) -> None:
    z, y, query = references.supports()
    z, y = {
        "duplicates": (torch.cat([z, z[:, :5]], 1), torch.cat([y, (y[:, :5] + 1) % 4], 1)),
        "one image": (z[:, :1].expand_as(z), y),
        "zeros": (torch.zeros_like(z), y),
        "one class": (z, torch.full_like(y, 2)),
    }[kind]
    z = z.clone().requires_grad_()
    logits = fit(z, y)(query)
    assert logits.isfinite().all()
    (gradient,) = torch.autograd.grad(logits.square().sum(), z)
    assert gradient.isfinite().all()
    if kind == "one class":
        assert (logits.argmax(-1) == 2).all()


@pytest.mark.parametrize("fit", FITS.values(), ids=FITS)
def test_a_task_whose_features_diverged_is_not_finite_and_leaves_the_others_alone(fit) -> None:
    z, y, query = references.supports()
    z[1, 3, 2] = torch.nan
    z.requires_grad_()
    logits = fit(z, y)(query)
    assert not logits[1].isfinite().all()
    assert logits[[0, 2]].isfinite().all()
    logits.sum().backward()


@pytest.mark.parametrize("fit", FITS.values(), ids=FITS)
def test_no_task_of_a_head_depends_on_another(fit) -> None:
    z, y, query = references.supports()
    with torch.random.fork_rng():
        torch.manual_seed(0)
        together = fit(z, y)
        torch.manual_seed(0)
        alone = fit(z[1:2], y[1:2])
    torch.testing.assert_close(together(query)[1:2], alone(query[1:2]), atol=1e-9, rtol=1e-7)
    torch.testing.assert_close(together.select(slice(1, 2))(query[1:2]), together(query)[1:2], atol=1e-12, rtol=1e-12)


def test_a_coupled_head_on_the_sphere_stays_coupled() -> None:
    assert OnSphere(NoHead(coupled=True)).coupled
    assert not OnSphere(NoHead()).coupled
