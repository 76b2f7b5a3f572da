"""Each check of metric-based and closed-form heads turns red when its fault is planted."""

import head_references as references
import pytest
import torch
import torch.nn.functional as F

from robustmeta.adaptations import matching, simpleshot
from robustmeta.functional import relation as relation_functions
from robustmeta.functional import svm
from robustmeta.heads import linear, relation, solved


def test_attention_that_is_averaged_over_a_class(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = matching.attend
    monkeypatch.setattr(
        matching, "attend", lambda s, y, way: honest(s, y, way) - F.one_hot(y, way).sum(1)[:, None].log()
    )
    assert references.matching_gap("cosine") > 1e-2
    assert references.matching_gap("l2") > 1e-2


def test_a_cosine_of_features_of_any_length(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(matching.KERNELS, "cosine", lambda z, support: z @ support.mT)
    assert references.matching_gap("cosine") > 1e-2


def test_distances_that_are_not_squared(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(matching.KERNELS, "l2", lambda z, support: -torch.cdist(z, support))
    assert references.matching_gap("l2") > 1e-2


def test_queries_that_are_not_centred(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(simpleshot, "OnSphere", lambda head, centre: linear.OnSphere(head))
    assert references.simpleshot_gap() > 1e-2


def test_centroids_that_are_normalised_again(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = simpleshot.prototypes

    def again(z, y, way):
        centres, counts = honest(z, y, way)
        return F.normalize(centres, dim=-1), counts

    monkeypatch.setattr(simpleshot, "prototypes", again)
    assert references.simpleshot_gap() > 1e-2


def test_a_ridge_of_another_strength(monkeypatch: pytest.MonkeyPatch) -> None:
    eye = torch.eye
    monkeypatch.setattr(torch, "eye", lambda n, **kind: 1.01 * eye(n, **kind))
    assert references.ridge_gap() > 1e-4
    assert references.r2d2_gap() > 1e-4


def test_a_scale_that_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(solved, "LinearScores", lambda w, counts, scale, shift=0.0: linear.LinearScores(w, counts))
    assert references.r2d2_gap() > 1e-2
    assert references.loss_gap("r2d2") > 1e-2


def test_a_dual_that_is_solved_by_a_few_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(svm, "STEPS", 3)
    assert references.svm_gap(1.0, 40) > 1e-3


def test_dual_rows_that_do_not_sum_to_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch, "cholesky_solve", lambda b, factor: torch.zeros_like(b))
    assert references.svm_gap(1.0, 40) > 1e-3


def test_dual_variables_that_are_held_constant(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(svm, "_with_gradient", lambda alpha, gram, c, newton: alpha)
    assert references.svm_gradient_gap(0.1, 8) > 1e-2
    assert references.svm_gradient_gap(1.0, 40) > 1e-2


def test_a_gradient_without_its_share_of_c(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = svm._with_gradient
    monkeypatch.setattr(svm, "_with_gradient", lambda alpha, gram, c, newton: honest(alpha, gram, 1.0, newton))
    assert references.svm_gradient_gap(0.1, 8) > 1e-2


def test_class_maps_that_are_means(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relation, "class_sums", lambda z, y, way: relation.prototypes(z, y, way)[0], raising=True)
    monkeypatch.setattr(relation, "prototypes", simpleshot.prototypes, raising=False)
    assert references.relation_gap() > 1e-3


def test_pairs_with_the_query_first(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = relation.pairs
    monkeypatch.setattr(relation, "pairs", lambda c, q, shape: honest(c, q, shape).roll(shape[0], 1))
    assert references.relation_gap() > 1e-3


def test_errors_of_logits_in_place_of_scores(monkeypatch: pytest.MonkeyPatch) -> None:
    def unsquashed(logits, y):
        return (logits - F.one_hot(y, logits.shape[-1])).square().mean((1, 2))

    monkeypatch.setattr("robustmeta.methods.relation.relation_losses", unsquashed)
    assert references.loss_gap("relation") > 1e-3
    assert relation_functions.relation_losses is not unsquashed


def test_labels_that_are_not_smoothed(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = F.cross_entropy
    monkeypatch.setattr(F, "cross_entropy", lambda *a, label_smoothing=0.0, **k: honest(*a, **k))
    assert references.loss_gap("metaoptnet") > 1e-4


def test_squared_distances_that_lost_their_square(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("robustmeta.adaptations.prototypes.negative_squared_distances", lambda z, c: -torch.cdist(z, c))
    assert references.loss_gap("protonet") > 1e-3
