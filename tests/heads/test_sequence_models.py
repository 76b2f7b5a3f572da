"""Heads that read a support set against their papers written out, and what they may and may not look at."""

import numpy as np
import pytest
import sequence_models as models
import torch
import torch.nn.functional as F

from robustmeta.functional.causal import attend, attend_last, delayed, step_back
from robustmeta.functional.memory import Memory, access, empty, least_used, write
from robustmeta.heads.recurrent import cell
from robustmeta.heads.snail import Attention, Dense
from robustmeta.metrics.instances import by_elimination, instance

SEQUENCES = ("lstm", "mann", "snail")


@pytest.mark.parametrize("sharpness", [1.0, 7.0])
def test_the_memory_is_the_papers(sharpness: float) -> None:
    assert models.memory_gap(sharpness=sharpness) < 1e-12


def test_least_used_slots_by_hand() -> None:
    usage = torch.tensor([[0.3, 0.1, 0.2, 0.1, 0.9]])
    assert least_used(usage, 3).argmax(-1).tolist() == [[1, 3, 2]]  # of two alike the first comes first


def test_one_step_of_one_head_by_hand() -> None:
    slots, read, usage = torch.tensor([[[3.0, 4.0], [5.0, 0.0], [1.0, 1.0]]]), [[[0.2, 0.0, 0.8]]], [[0.5, 0.1, 0.9]]
    before = Memory(slots, torch.tensor(read), torch.tensor(usage))
    key, gate = torch.tensor([[[0.0, 2.0]]]), torch.tensor([[0.5]])
    after, weights = write(before, key, gate)
    torch.testing.assert_close(weights, torch.tensor([[[0.1, 0.5, 0.4]]]))
    torch.testing.assert_close(after, torch.tensor([[[3.0, 4.2], [0.0, 1.0], [1.0, 1.8]]]))
    found, now = access(before, key, gate, 0.5, 1.0)
    cosines = torch.tensor([4.2 / (3.0**2 + 4.2**2) ** 0.5, 1.0, 1.8 / (1.0 + 1.8**2) ** 0.5])
    torch.testing.assert_close(now.read[0, 0], cosines.softmax(0))
    torch.testing.assert_close(found[0, 0], cosines.softmax(0) @ after[0])
    torch.testing.assert_close(now.usage[0], torch.tensor([0.35, 0.55, 0.85]) + now.read[0, 0])


def test_an_empty_memory_has_finite_slopes() -> None:
    keys = torch.ones(1, 2, 4, requires_grad=True)
    found, after = access(empty(keys[:, 0], 2, 7, 4), keys, torch.full((1, 2), 0.5), 0.9, 1.0)
    (slope,) = torch.autograd.grad(found.sum() + after.usage.square().sum(), keys)
    assert slope.isfinite().all()


@pytest.mark.parametrize("kind", ["mann", "snail"])
def test_guesses_are_the_papers(kind: str) -> None:
    assert models.gap(kind) < 1e-10


def test_the_lstm_is_the_equations() -> None:
    head, (z, y) = models.made_head("lstm"), models.made_sequences(1)
    p, h, label = models.weights(head), np.zeros(6), np.zeros(3)
    c = h
    for t, logits in enumerate(head.guesses(z, y)[0].detach().numpy()):
        h, c = models.lstm_step(p, models.beside(z[0, t].numpy(), label), h, c)
        np.testing.assert_allclose(logits, p["out.weight"] @ h + p["out.bias"], atol=1e-12)
        label = np.eye(3)[y[0, t]]


@pytest.mark.parametrize("kind", SEQUENCES)
def test_no_guess_looks_at_its_label_or_ahead(kind: str) -> None:
    assert not models.looks_ahead(kind)


@pytest.mark.parametrize("layer", [Attention(8, 4, 6), Dense(8, 2, 4), Dense(8, 64, 4)])
def test_layers_are_causal(layer: Attention | Dense) -> None:
    assert not models.layer_looks_ahead(layer.double())
    assert layer.double()(torch.zeros(1, 2, 8, dtype=torch.float64)).shape[-1] == layer.features


@pytest.mark.parametrize("kind", SEQUENCES)
def test_a_query_is_the_next_guess(kind: str) -> None:
    """Reading a support and answering is what one more step of the sequence gives."""
    head, (z, y) = models.made_head(kind), models.made_sequences()
    for t in (1, 4, 8):
        with torch.no_grad():
            answer = head.answer(z[:, t : t + 1], head.read(z[:, :t], y[:, :t]))
        torch.testing.assert_close(answer[:, 0], head.guesses(z, y)[:, t], atol=1e-12, rtol=1e-12)


@pytest.mark.parametrize("kind", ["cnp", *SEQUENCES])
def test_queries_are_answered_each_by_itself(kind: str) -> None:
    head, (z, y) = models.made_head(kind), models.made_sequences(3)
    fitted = head.fit(z[:, :5], y[:, :5], 3)
    whole = fitted(z[:, 5:])
    for q in range(4):
        torch.testing.assert_close(fitted(z[:, 5 + q : 6 + q])[:, 0], whole[:, q], atol=1e-12, rtol=1e-12)
    torch.testing.assert_close(fitted.select(slice(1, 3))(z[1:, 5:]), whole[1:], atol=1e-12, rtol=1e-12)


@pytest.mark.parametrize("kind", ["cnp", *SEQUENCES])
@pytest.mark.parametrize("labels", [[0], [2, 2, 2], [1, 0] * 12])
def test_supports_of_any_length_that_may_lack_classes(kind: str, labels: list[int]) -> None:
    head, (z, _) = models.made_head(kind), models.made_sequences(1, 26)
    y = torch.tensor([labels])
    logits = head.fit(z[:, : len(labels)], y, 3)(z[:, -2:])
    assert logits.isfinite().all()
    assert set(logits.argmax(-1).flatten().tolist()) <= set(labels)


def test_the_last_step_is_that_of_the_whole_sequence() -> None:
    x, (q, k, v) = models.made_sequences(features=4)[0], (models.made_sequences(images=n)[0][:, :7] for n in (7, 8, 9))
    torch.testing.assert_close(step_back(x[:, :8], 3, x[:, :2])[:, 0], delayed(x, 3)[:, 8])
    assert not step_back(x[:, :2], 3, x[:, :2]).any()
    last = attend_last(q[:, 6:], k[:, 6:], v[:, 6:], k[:, :6], v[:, :6])
    torch.testing.assert_close(last[:, 0], attend(q, k, v)[:, 6])


def test_cnp_is_the_papers_and_its_support_a_set() -> None:
    head, (z, y) = models.made_head("cnp"), models.made_sequences(1)
    p = models.weights(head)
    encoded = np.concatenate([models.standard(z[0].numpy()), np.eye(3)[y[0]]], 1)
    encoded = np.maximum(encoded @ p["encoder.0.weight"].T + p["encoder.0.bias"], 0)
    encoded = encoded @ p["encoder.2.weight"].T + p["encoder.2.bias"]
    means = [models.standard(encoded[y[0].numpy() == k].mean(0)) for k in range(3)]
    query = p["query.weight"] @ models.standard(z[0, 0].numpy()) + p["query.bias"]
    compared = np.concatenate([np.maximum(query + p["mean.weight"] @ r, 0) for r in means])
    expected = p["decoder.weight"] @ compared
    logits = head.fit(z, y, 3)(z[:, :1])
    np.testing.assert_allclose(logits[0, 0].detach(), expected + p["decoder.bias"], atol=1e-12)
    order = torch.tensor([5, 2, 8, 0, 1, 7, 3, 6, 4])
    torch.testing.assert_close(head.fit(z[:, order], y[:, order], 3)(z[:, :1]), logits, atol=1e-12, rtol=1e-12)


def test_instances_are_counted() -> None:
    assert instance(torch.tensor([[2, 0, 2, 2, 0, 1]]), 3).tolist() == [[1, 1, 2, 3, 2, 1]]
    assert by_elimination(2) == pytest.approx(0.75)
    assert by_elimination(5) == pytest.approx((1 / 5 + 1 / 4 + 1 / 3 + 1 / 2 + 1) / 5)


def test_an_untrained_head_is_at_chance() -> None:
    z, y = models.made_sequences(400)
    right = F.one_hot(models.made_head("mann").guesses(z, y).argmax(-1), 3).gather(2, y[..., None])[..., 0]
    assert float(right.double().mean()) == pytest.approx(1 / 3, abs=0.04)  # 3600 guesses: four standard errors


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "way", "steps"), [("snail", 5, 80), ("cnp", 20, 100)])
def test_labels_are_soon_bound_to_many_features(kind: str, way: int, steps: int) -> None:
    assert models.bound(kind, way, steps) > 0.9


@pytest.mark.slow
def test_a_controller_soon_binds_labels_to_many_features() -> None:
    """Counting the labels that are left is right in about half of the cases."""
    scores = models.learned("lstm", steps=400, size=64)
    assert min(scores[1:]) > 0.6


def test_units_of_a_controller_forget_after_one_step_to_the_whole_sequence() -> None:
    made = cell(5, 400, 50)
    start, keep, *rest = (made.bias_ih + made.bias_hh).detach().chunk(4)
    lasts = 1 / (1 - keep.sigmoid()) - 1
    assert 1 <= lasts.min() < 3
    assert 45 < lasts.max() <= 49.01
    assert float(lasts.mean()) == pytest.approx(25, abs=2.5)
    torch.testing.assert_close(start, -keep)
    assert not torch.cat(rest).any()
    assert cell(5, 4, 1).bias_hh.isfinite().all()


@pytest.mark.slow
def test_a_memory_learns_to_bind_labels_to_what_it_has_seen() -> None:
    """Counting the labels that are left is right in about half of the cases; more takes the images."""
    scores = models.learned("mann", steps=600)
    assert 1 / 3 - 0.05 < scores[0] < by_elimination(3) + 0.05
    assert min(scores[1:]) > 0.7


def test_no_learner_is_right_at_the_first_more_often_than_by_elimination() -> None:
    scores = models.learned("lstm", steps=60)
    assert 1 / 3 - 0.05 < scores[0] < by_elimination(3) + 0.05
