"""Each check of model-based learners turns red when its fault is planted."""

import pytest
import sequence_models as models
import torch
from torch import nn

from robustmeta.functional import causal, memory
from robustmeta.functional.labelled import standard
from robustmeta.heads import recurrent, snail
from robustmeta.heads.cnp import Cnp
from robustmeta.heads.snail import Attention, Dense
from robustmeta.metrics.instances import by_elimination


def test_labels_that_are_short_beside_their_images(monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (recurrent, snail):
        monkeypatch.setattr(module, "labelled", lambda z, labels: torch.cat([z, labels], -1))
    assert models.bound("snail", 5, 80) < 0.5
    assert min(models.learned("lstm", steps=400, size=64)[1:]) < 0.55
    assert models.gap("snail") > 1e-3


def test_a_decoder_that_sees_all_means_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    class AllAtOnce(Cnp):
        def __init__(self, features: int, way: int, units: int) -> None:
            super().__init__(features, way, units)
            first = nn.Linear(features + way * units, units)
            self.decoder = nn.Sequential(first, nn.ReLU(), nn.Linear(units, way))  # type: ignore[assignment]

        def answer(self, z, remembered):
            means = remembered[0].flatten(1)[:, None].expand(-1, z.shape[1], -1)
            return self.decoder(torch.cat([standard(z), means], -1))

    monkeypatch.setattr(models, "Cnp", AllAtOnce)
    assert models.bound("cnp", 20, 100) < 0.2


def test_a_label_that_is_shown_a_step_early(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not models.looks_ahead("lstm")
    monkeypatch.setattr(recurrent, "delayed", lambda x, by: x)
    assert models.looks_ahead("lstm")
    assert models.learned("lstm", steps=60)[0] > by_elimination(3) + 0.2


def test_usage_that_does_not_decay(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = memory.access
    for module in (memory, recurrent):
        monkeypatch.setattr(
            module, "access", lambda state, keys, gates, decay, sharp=1.0: honest(state, keys, gates, 1.0, sharp)
        )
    assert models.memory_gap() > 1e-3
    assert models.gap("mann") > 1e-6


def test_the_most_used_slots_are_written(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = memory.least_used
    monkeypatch.setattr(memory, "least_used", lambda usage, heads: honest(-usage, heads))
    assert models.memory_gap() > 1e-3
    assert models.gap("mann") > 1e-6


def test_slots_that_are_not_emptied(monkeypatch: pytest.MonkeyPatch) -> None:
    def heaps(state, keys, gates):
        least = memory.least_used(state.usage, keys.shape[1])
        weights = gates[..., None] * state.read + (1 - gates[..., None]) * least
        return state.slots + weights.mT @ keys, weights

    monkeypatch.setattr(memory, "write", heaps)
    assert models.memory_gap() > 1e-3


def test_attention_that_is_not_causal(monkeypatch: pytest.MonkeyPatch) -> None:
    layer = Attention(8, 4, 6).double()
    assert not models.layer_looks_ahead(layer)
    monkeypatch.setattr(snail, "attend", lambda q, k, v: (q @ k.mT / k.shape[-1] ** 0.5).softmax(-1) @ v)
    assert models.layer_looks_ahead(layer)
    assert models.looks_ahead("snail")
    assert models.gap("snail") > 1e-3


def test_attention_that_is_not_scaled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snail, "attend", lambda q, k, v: causal.attend(q * k.shape[-1] ** 0.5, k, v))
    assert models.gap("snail") > 1e-3


def test_a_convolution_that_looks_ahead(monkeypatch: pytest.MonkeyPatch) -> None:
    layer = Dense(8, 2, 4).double()
    assert not models.layer_looks_ahead(layer)
    monkeypatch.setattr(snail, "delayed", lambda x, by: torch.roll(x, -by, 1))
    assert models.layer_looks_ahead(layer)
    assert models.gap("snail") > 1e-3


def test_a_query_whose_last_step_is_one_off(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = causal.step_back
    monkeypatch.setattr(snail, "step_back", lambda past, by, like: honest(past, by + 1, like))
    assert models.gap("snail") > 1e-3
