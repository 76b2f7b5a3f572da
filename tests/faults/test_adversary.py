"""Each check of adversarial training turns red when its fault is planted."""

from dataclasses import replace
from typing import Any

import adversaries
import pytest
import torch
from torch import Tensor

from robustmeta.attacks.gradient import Climb, climb
from robustmeta.functional.normalise import batch_statistics
from robustmeta.functional.projection import BALLS, Ball
from robustmeta.methods import adversary as home
from robustmeta.methods.adversary import Adversary, Spent
from robustmeta.methods.descending import Descending
from robustmeta.methods.features import FeatureLearner
from robustmeta.rng import Rng


def test_an_attack_that_walks_downhill(monkeypatch: pytest.MonkeyPatch) -> None:
    assert adversaries.harm() > 0
    assert adversaries.supervised_gap() < 1e-9

    def down(*args: Any) -> Climb:
        seen = climb(*args)
        return seen._replace(gradient=-seen.gradient)

    monkeypatch.setattr(home, "climb", down)
    assert adversaries.harm() < 0
    assert adversaries.supervised_gap() > 1e-3


@pytest.mark.parametrize("norm", ["linf", "l2", "l1"])
def test_a_step_that_is_not_projected(norm: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert adversaries.excess(norm) <= 1e-12
    monkeypatch.setattr(Ball, "within", lambda self, x, candidate, eps: candidate)
    assert adversaries.excess(norm) > 1e-3


def test_a_projection_that_forgets_the_range(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Ball, "within", lambda self, x, candidate, eps: x + self.project(candidate - x, eps))
    assert adversaries.excess("linf") > 1e-3


def test_a_start_at_the_clean_image(monkeypatch: pytest.MonkeyPatch) -> None:
    still = replace(BALLS["linf"], draw=lambda shape, eps, rng: torch.zeros(*rng.keys.shape, *shape))
    monkeypatch.setitem(BALLS, "linf", still)
    assert adversaries.protonet_gap() > 1e-3


def test_an_attack_under_the_statistics_of_the_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    perturb = Adversary.perturb

    def leaking(self: Adversary, *args: Any) -> Tensor:
        with batch_statistics(record=False):
            return perturb(self, *args)

    monkeypatch.setattr(Adversary, "perturb", leaking)
    assert adversaries.protonet_gap() > 1e-3
    assert adversaries.supervised_gap() > 1e-3


def test_a_divergence_the_wrong_way_round(monkeypatch: pytest.MonkeyPatch) -> None:
    assert adversaries.trades_slope_gap() < 1e-5
    honest = home.divergence
    monkeypatch.setattr(home, "divergence", lambda attacked, clean: honest(clean, attacked))
    assert adversaries.protonet_gap("trades") > 1e-3
    assert adversaries.trades_slope_gap() > 1e-3


def test_a_divergence_whose_clean_side_is_constant(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = home.divergence
    monkeypatch.setattr(home, "divergence", lambda attacked, clean: honest(attacked, clean.detach()))
    assert adversaries.trades_slope_gap() > 1e-3


def test_inner_steps_on_a_support_that_is_attacked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if the first weights were those of every inner step."""
    assert adversaries.maml_gap("both") < 1e-9
    tested = Descending._tested
    first: list[Any] = []

    def stale(self: Descending, network: Any, params: Any, support_x: Tensor, steps: int) -> Any:
        first.append(tested(self, network, params, support_x, steps))
        return first[0] if steps < self.inner_steps else first[-1]

    monkeypatch.setattr(Descending, "_tested", stale)
    assert adversaries.maml_gap("both") > 1e-6


def test_queries_attacked_before_the_learner_has_adapted(monkeypatch: pytest.MonkeyPatch) -> None:
    assert adversaries.maml_gap() < 1e-9
    tested = Descending._tested

    def early(self: Descending, network: Any, params: Any, support_x: Tensor, steps: int) -> Any:
        start = {k: p.detach().expand_as(params[k]) for k, p in network.live_parts(self.layers)[1].items()}
        return tested(self, network, start, support_x, 0)

    monkeypatch.setattr(Descending, "_tested", early)
    assert adversaries.maml_gap() > 1e-6


def test_draws_by_place_make_tasks_depend_on_each_other(monkeypatch: pytest.MonkeyPatch) -> None:
    assert adversaries.sharing_gap("maml", "auto") < 1e-9

    def by_place(x: Tensor) -> Any:
        count = x.shape[:-3].numel()
        return Rng(0, ("place",), range(count)).bits(1).reshape(x.shape[:-3])

    monkeypatch.setattr(home, "image_keys", by_place)
    assert adversaries.sharing_gap("maml", "auto") > 1e-6


def test_passes_of_the_attack_that_are_not_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    measured, reported, said = adversaries.counted(adversaries.small("protonet"))
    assert measured == reported == said
    monkeypatch.setattr(Adversary, "cost", lambda *args, **options: Spent())
    measured, reported, _ = adversaries.counted(adversaries.small("protonet"))
    assert measured[0] > reported[0]
    assert measured[1] > reported[1]


def test_an_attack_on_the_support(monkeypatch: pytest.MonkeyPatch) -> None:
    """AQ leaves it clean."""
    attacked = FeatureLearner.attacked

    def poisoned(self: Any, network: Any, tasks: Any, rng: Rng) -> Any:
        made, spent = attacked(self, network, tasks, rng)
        noisy = (tasks.support_x + 0.1).clamp(0, 1)
        return adversaries.replace_tasks(made, noisy, made.support_y, made.query_x, made.query_y), spent

    monkeypatch.setattr(FeatureLearner, "attacked", poisoned)
    assert adversaries.protonet_gap() > 1e-3
