"""How baselines are trained: by cosine similarity, and not at all."""

from pathlib import Path

import learners
import pytest
import tiny
import torch
import torch.nn.functional as F
from torch import nn

from robustmeta.adaptations.cosine_head import CosineHead
from robustmeta.functional.normalise import batch_statistics
from robustmeta.heads.cosine import CosineClassifier
from robustmeta.methods.scratch import Scratch
from robustmeta.methods.supervised_cosine import SupervisedCosine
from robustmeta.rng import Rng
from robustmeta.store.cells import Store
from robustmeta.study.data import Data
from robustmeta.study.execute import Silent, execute
from robustmeta.study.network import build
from robustmeta.study.plan import plan

pytestmark = pytest.mark.usefixtures("fresh_plugins")


def test_the_cosine_loss_is_the_papers() -> None:
    """Chen et al. 2019, section 3.2: softmax over similarities of features and class vectors."""
    method = SupervisedCosine(train={"batch": 12}, scale=7.0)  # type: ignore[arg-type]
    net = learners.build(method, width=16)
    assert isinstance(net.head, CosineClassifier)
    batch = learners.meal(method)
    loss = method.backward(net, batch, Rng(0, ("train",), [0])).loss
    with batch_statistics(), torch.no_grad():
        z = net.body(batch.x)
    similar = torch.stack([F.cosine_similarity(z, w[None]) for w in net.head.weight.detach()], 1)
    assert loss == pytest.approx(float(F.cross_entropy(7 * similar, batch.y)), rel=1e-5)


def test_new_classes_get_vectors_of_the_same_scale() -> None:
    assert SupervisedCosine(scale=4.0).adaptation() == CosineHead(scale=4.0)


def test_training_lowers_the_cosine_loss() -> None:
    method = learners.small("supervised_cosine")
    losses = learners.train(method, learners.build(method, width=16), 30)
    assert losses[-1] < 0.5 * losses[0]


def test_scratch_does_nothing_in_training() -> None:
    method = Scratch()
    net = learners.build(method)
    stats = method.backward(net, learners.made_batch(), Rng(0, ("train",), [0]))
    assert (stats.passes, method.passes(), method.diet().images) == (0, 0, 0)
    assert all(p.grad is None for p in net.parameters())
    assert isinstance(net.head, nn.Identity)


@pytest.mark.slow
@pytest.mark.parametrize("budget", [{"images": 600}, {"steps": 3}, {"seconds": 5.0}])
def test_scratch_is_measured_as_it_was_drawn_and_costs_no_image(tmp_path: Path, budget: dict[str, float]) -> None:
    baselines = [{"name": "scratch", "adapt": {"epochs": 2}, "tune": {}}, {"label": "random", "name": "scratch"}]
    baselines[1] |= {"adapt": "linear_probe", "tune": {}}
    study = tiny.study(learners=[], baselines=baselines, budget=budget, shifts=[], seeds=[0, 1])
    store, data = Store(tmp_path), Data(study.images)
    todo = plan(study, store, data)
    assert not execute(todo, store, data, Silent()).failures
    kinds = [work.cell.kind for work in todo.work]
    assert {k: kinds.count(k) for k in kinds} == {"train": 4, "tune": 4, "evaluate": 4}
    trained = {work.cell.key: work for work in todo.work if work.cell.kind == "train"}
    assert len(trained) == 2  # one network a seed, whatever it does with a support
    for key, work in trained.items():
        costs, protocol = store.costs(key), store.head(key)["protocol"]
        assert (costs["images"], costs["passes"], costs["train_seconds"]) == (0, 0, 0)
        assert (protocol["steps"], protocol["selected_step"]) == (0, 0)
        drawn = build(study, work.learner, work.seed, 12).state_dict()
        assert all(torch.equal(v, drawn[k]) for k, v in store.tensors(key, "model").items())
