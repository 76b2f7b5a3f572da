"""Each check of the fine-tuning baselines turns red when its fault is planted."""

from collections.abc import Callable

import baseline_references as references
import pytest
import torch

from robustmeta.adaptations import cosine_head, full_finetune, sgd_head, transductive_finetune
from robustmeta.adaptations.classifier import TaskNetwork
from robustmeta.adaptations.cosine_head import CosineHead
from robustmeta.adaptations.linear_sgd import LinearSgd
from robustmeta.functional import updates
from robustmeta.functional.inner_loop import per_task
from robustmeta.functional.softmax import residuals

LINEAR, COSINE = LinearSgd(epochs=10), CosineHead(epochs=10)


def _sgd(monkeypatch: pytest.MonkeyPatch, change: Callable[..., tuple[float, ...]]) -> None:
    honest = updates.momentum_sgd
    monkeypatch.setattr(sgd_head, "momentum_sgd", lambda *settings: honest(*change(*settings)))


def test_a_forgotten_dampening(monkeypatch: pytest.MonkeyPatch) -> None:
    assert references.head_gap(LINEAR) < 1e-10
    _sgd(monkeypatch, lambda rate, momentum, dampening, decay: (rate, momentum, 0.0, decay))
    assert references.head_gap(LINEAR) > 1e-2


def test_a_first_gradient_that_is_dampened_too(monkeypatch: pytest.MonkeyPatch) -> None:
    def dampened(rate, momentum, dampening, decay):
        def update(params, gradients, state):
            state = state or {k: torch.zeros_like(p) for k, p in params.items()}
            state = {k: momentum * state[k] + (1 - dampening) * (gradients[k] + decay * p) for k, p in params.items()}
            return {k: p - rate * state[k] for k, p in params.items()}, state

        return update

    monkeypatch.setattr(sgd_head, "momentum_sgd", dampened)
    assert references.head_gap(LINEAR) > 1e-3


def test_a_forgotten_decay(monkeypatch: pytest.MonkeyPatch) -> None:
    _sgd(monkeypatch, lambda rate, momentum, dampening, decay: (rate, momentum, dampening, 0.0))
    assert references.head_gap(LINEAR) > 1e-5
    assert references.head_gap(COSINE) > 1e-5


def test_a_last_batch_that_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = updates.epoch_batches
    monkeypatch.setattr(
        sgd_head, "epoch_batches", lambda *a: [rows for rows in honest(*a) if rows.shape[1] == LINEAR.batch]
    )
    assert references.head_gap(LINEAR) > 1e-3


def test_one_order_of_the_support_for_all_tasks(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = updates.epoch_batches
    monkeypatch.setattr(sgd_head, "epoch_batches", lambda *a: [rows[:1].expand_as(rows) for rows in honest(*a)])
    assert references.head_gap(LINEAR) > 1e-3


def test_class_vectors_that_keep_their_length(monkeypatch: pytest.MonkeyPatch) -> None:
    assert references.head_gap(COSINE) < 1e-10

    def unscaled(weight, scale, z, onehot):
        residual = residuals(scale[:, None, None] * z @ weight.mT, onehot)
        return scale[:, None, None] * residual.mT @ z, scale

    monkeypatch.setattr(cosine_head, "cosine_slopes", unscaled)
    assert references.head_gap(COSINE) > 1e-2


def test_momentum_for_the_body_too(monkeypatch: pytest.MonkeyPatch) -> None:
    assert references.full_finetune_gap() < 1e-8
    monkeypatch.setattr(full_finetune, "published_sgd", lambda rate: updates.momentum_sgd(rate, 0.9, 0.9, 1e-3))
    assert references.full_finetune_gap() > 1e-4


def test_statistics_of_the_query_in_full_finetune(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(TaskNetwork, "_outputs", lambda self, x: per_task(self.net, self.shared, self.own, x)[0])
    assert references.full_finetune_gap() > 1e-3
    assert references.transductive_gap() > 1e-3


def test_adam_without_its_corrections(monkeypatch: pytest.MonkeyPatch) -> None:
    def raw(rate):
        def update(params, gradients, state):
            first, second = state or (dict.fromkeys(params, 0.0), dict.fromkeys(params, 0.0))
            first = {k: 0.9 * first[k] + 0.1 * g for k, g in gradients.items()}
            second = {k: 0.999 * second[k] + 0.001 * g.square() for k, g in gradients.items()}
            moved = {k: p - rate * first[k] / (second[k].sqrt() + 1e-8) for k, p in params.items()}
            return moved, (first, second)

        return update

    for module in (full_finetune, transductive_finetune):
        monkeypatch.setattr(module, "momentum_adam", raw)
    assert references.full_finetune_gap("adam") > 1e-3
    assert references.transductive_gap() > 1e-3


@pytest.mark.parametrize("wrong", [lambda h: -h, lambda h: 0 * h, lambda h: 6 * h], ids=["rises", "left out", "summed"])
def test_a_wrong_entropy(monkeypatch: pytest.MonkeyPatch, wrong: Callable[[torch.Tensor], torch.Tensor]) -> None:
    assert references.transductive_gap() < 1e-8
    honest = transductive_finetune.entropies
    monkeypatch.setattr(transductive_finetune, "entropies", lambda logits: wrong(honest(logits)))
    assert references.transductive_gap() > 1e-3
