"""Fine-tuning baselines against the published algorithms written out with ``torch.optim``."""

import baseline_references as references
import learners
import numpy as np
import pytest
import torch
import torch.nn.functional as F

from robustmeta.adaptations.cosine_head import CosineHead
from robustmeta.adaptations.full_finetune import FullFinetune
from robustmeta.adaptations.heads import uniform_start
from robustmeta.adaptations.linear_probe import LinearProbe
from robustmeta.adaptations.linear_sgd import LinearSgd
from robustmeta.adaptations.transductive_finetune import TransductiveFinetune, entropies
from robustmeta.functional.updates import epoch_batches, momentum_adam, momentum_sgd

HEADS = [
    LinearSgd(epochs=10),
    LinearSgd(epochs=5, rate=0.3, momentum=0.5, dampening=0.2, decay=0.1, batch=5),
    LinearSgd(epochs=5, momentum=0.0, batch=9),
    CosineHead(epochs=10),
    CosineHead(epochs=5, rate=0.3, learn_scale=True, scale=4.0, decay=0.01),
]


@pytest.mark.parametrize("head", HEADS, ids=str)
def test_a_head_is_the_layer_that_torch_optim_trains(head: LinearSgd | CosineHead) -> None:
    assert references.head_gap(head) < 1e-10


@pytest.mark.parametrize("optimiser", ["sgd", "adam"])
def test_full_finetune_is_a_copy_that_torch_optim_trains(optimiser: str) -> None:
    assert references.full_finetune_gap(optimiser) < 1e-8


def test_transductive_finetune_is_a_copy_that_torch_optim_trains() -> None:
    assert references.transductive_gap() < 1e-8


def test_published_settings() -> None:
    head = LinearSgd()
    assert (head.rate, head.momentum, head.dampening, head.decay) == (0.01, 0.9, 0.9, 1e-3)
    assert (head.epochs, head.batch) == (100, 4)
    assert (FullFinetune().rate, FullFinetune().epochs, FullFinetune().batch) == (0.01, 100, 4)
    assert (TransductiveFinetune().rate, TransductiveFinetune().steps) == (5e-5, 25)


def test_one_step_by_hand() -> None:
    update = momentum_sgd(0.1, momentum=0.5, dampening=0.25, decay=0.2)
    params, state = update({"w": torch.tensor(2.0)}, {"w": torch.tensor(1.0)}, None)
    assert params["w"] == pytest.approx(2 - 0.1 * 1.4)  # 1 + 0.2 * 2
    params, _ = update(params, {"w": torch.tensor(1.0)}, state)
    assert params["w"] == pytest.approx(1.86 - 0.1 * (0.5 * 1.4 + 0.75 * (1 + 0.2 * 1.86)))
    params, _ = momentum_adam(0.1)({"w": torch.tensor(2.0)}, {"w": torch.tensor(7.0)}, None)
    assert params["w"] == pytest.approx(1.9)


def test_every_pass_takes_every_image_once() -> None:
    batches = epoch_batches(learners.task_rng(3), 9, 4, 2)
    assert [tuple(b.shape) for b in batches] == [(3, 4), (3, 4), (3, 1)] * 2
    for half in (batches[:3], batches[3:]):
        assert (torch.cat(half, 1).sort(1).values == torch.arange(9)).all()
    assert not torch.equal(torch.cat(batches[:3], 1), torch.cat(batches[3:], 1))


def test_a_new_head_is_drawn_as_torch_draws_one() -> None:
    weight, bias = uniform_start(learners.task_rng(200), 5, 16)
    assert weight.shape == (200, 5, 16)
    assert bias.shape == (200, 5)
    for values in (weight, bias):
        assert values.abs().max() <= 0.25
        assert values.std() == pytest.approx(0.25 / 3**0.5, rel=0.05)
        assert abs(values.mean()) < 0.02


def test_entropy_of_known_predictions() -> None:
    logits = torch.tensor([[[0.0, 0.0], [50.0, -50.0]], [[0.0, 0.0], [0.0, 0.0]]])
    torch.testing.assert_close(entropies(logits), torch.tensor([np.log(2) / 2, np.log(2)], dtype=torch.float32))


def test_transductive_finetune_lowers_its_objective() -> None:
    net, tasks = references.supervised().float(), learners.made_tasks(2, shot=5, query=5)
    entropy = []
    for steps in (0, 30):
        adaptation = TransductiveFinetune(steps=steps, rate=1e-2)
        entropy.append(entropies(learners.adapted(adaptation, net, tasks)(tasks.query_x)))
    assert (entropy[1] < entropy[0]).all()


def test_transductive_finetune_answers_each_call_afresh() -> None:
    net, tasks = references.supervised().float(), learners.made_tasks(2)
    classifier = learners.adapted(TransductiveFinetune(steps=3, rate=1e-2), net, tasks)
    first = classifier(tasks.query_x)
    classifier(1 - tasks.query_x)
    assert torch.equal(classifier(tasks.query_x), first)


def test_transductive_gradient_is_that_of_the_trained_network_held_fixed() -> None:
    net, tasks = references.supervised(), learners.made_tasks(1, dtype=torch.float64)
    classifier = learners.adapted(TransductiveFinetune(steps=3, rate=1e-2), net, tasks)
    x = tasks.query_x.clone().requires_grad_()
    (slope,) = torch.autograd.grad(classifier(x)[0, 0, 0], x)
    assert slope[0, 0].abs().sum() > 0
    assert slope[0, 1:].abs().sum() == 0  # one query moves another's logits through the weights alone


def test_full_finetune_learns_the_support() -> None:
    net, tasks = references.supervised().float(), learners.made_tasks(2, shot=5)
    losses = []
    for epochs in (1, 20):
        logits = learners.adapted(FullFinetune(epochs=epochs, rate=0.05), net, tasks)(tasks.support_x)
        losses.append(float(F.cross_entropy(logits.flatten(0, 1), tasks.support_y.flatten())))
    assert losses[1] < 0.5 * losses[0]


def test_grids_are_of_fields_that_exist() -> None:
    for adaptation in (LinearProbe(), LinearSgd(), CosineHead(), FullFinetune(), TransductiveFinetune()):
        for field, values in adaptation.grid.items():
            for value in values:
                adaptation.model_validate({**dict(adaptation), field: value})
