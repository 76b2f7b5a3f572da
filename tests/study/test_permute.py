"""The spread of accuracy over orders that must not matter."""

from pathlib import Path

import numpy as np
import pytest
import tiny
import torch

from robustmeta.core import TaskShape, Traits, sample
from robustmeta.store.cells import Store
from robustmeta.study.data import Data
from robustmeta.study.execute import Silent, execute
from robustmeta.study.gather import gather
from robustmeta.study.permute import PERMUTATIONS, free, permuted, spread
from robustmeta.study.plan import plan
from robustmeta.tracking.curves import spread as tracked

pytestmark = pytest.mark.usefixtures("fresh_plugins")
BOTH = Traits(fixed_way=True, equivariant=False, order_free=False, embeds=False)
NAMES = Traits(fixed_way=True, equivariant=False, order_free=True, embeds=False)
NEITHER = Traits(fixed_way=False, equivariant=True, order_free=True, embeds=True)


def test_a_permuted_task_has_the_same_images_under_other_names() -> None:
    domain = tiny.Toy(split="val").load(16, 1)
    episodes = sample(domain, TaskShape(3, 2, 2), 0, 0, 12)
    many = permuted(episodes, BOTH, 0)
    assert len(many) == 10 * PERMUTATIONS
    orders = set()
    for i in range(len(many)):
        task = i // PERMUTATIONS
        assert many.number[i] == episodes.number[task]
        assert sorted(many.support[i].tolist()) == sorted(episodes.support[task].tolist())
        assert many.query[i].tolist() == episodes.query[task].tolist()
        renamed = dict(zip(episodes.query_y[task].tolist(), many.query_y[i].tolist(), strict=True))
        assert sorted(renamed.values()) == [0, 1, 2]
        known = dict(zip(episodes.support[task].tolist(), episodes.support_y[task].tolist(), strict=True))
        assert [renamed[known[r]] for r in many.support[i].tolist()] == many.support_y[i].tolist()
        orders.add((task, *many.support[i].tolist(), *many.query_y[i].tolist()))
    assert len(orders) > 0.95 * len(many)
    kept = permuted(episodes, NAMES, 0)
    assert torch.equal(kept.support[::PERMUTATIONS], episodes.support[:10])
    assert not torch.equal(kept.support_y[::PERMUTATIONS], episodes.support_y[:10])


def test_spread_is_the_deviation_within_tasks() -> None:
    accuracy = np.random.default_rng(0).integers(0, 2, (4, PERMUTATIONS, 6)).astype(float)
    expected = np.mean([np.std(accuracy[t].mean(1), ddof=1) for t in range(4)])
    assert spread(accuracy.ravel(), 4) == pytest.approx(expected)
    apart = np.repeat([0.0, 1.0], PERMUTATIONS * 6)
    assert spread(apart, 2) == 0, "tasks may differ"


def test_it_is_measured_where_it_can_be_other_than_zero(tmp_path: Path) -> None:
    study = tiny.study(shifts=[])
    store, data = Store(tmp_path), Data(study.images)
    planned = plan(study, store, data)
    results = gather(planned, store, execute(planned, store, data, Silent()))
    chosen = results.tuning[results.tuning["chosen"]].set_index("learner")["permutation_spread"]
    assert free(NEITHER)
    assert chosen["maml"] > 0
    assert np.isnan(chosen["protonet"])
    assert np.isnan(chosen["supervised"])
    assert [(p.key, p.value) for p in tracked(results, "maml", 5)] == [
        ("summary/permutation_spread", round(chosen["maml"], 4))
    ]
    assert tracked(results, "protonet", 5) == []
