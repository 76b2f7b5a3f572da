"""What each adaptation does with a support set."""

import learners
import pytest
import torch
import torch.nn.functional as F
from sklearn.linear_model import LogisticRegression

from robustmeta.adaptations.gradient import Gradient
from robustmeta.adaptations.linear_probe import LinearProbe
from robustmeta.adaptations.lp_ft import LpFt
from robustmeta.adaptations.prototypes import Prototypes
from robustmeta.core import StudyError
from robustmeta.functional.normalise import batch_statistics, given_statistics


@pytest.fixture
def maml():
    net = learners.build(learners.small("maml"))
    learners.train(learners.small("maml"), net)
    return net


def test_gradient_is_sgd_written_out(maml) -> None:
    tasks = learners.made_tasks(1)
    got = learners.adapted(Gradient(steps=3, rate=0.2), maml, tasks)(tasks.query_x)[0]
    x, y = tasks.support_x[0], tasks.support_y[0]
    for _ in range(3):
        maml.zero_grad()
        F.cross_entropy(learners.plain_network(maml, x), y).backward()
        with torch.no_grad():
            for p in maml.parameters():
                p -= 0.2 * p.grad
    with batch_statistics() as statistics:
        maml(x)
    with given_statistics(statistics):
        torch.testing.assert_close(got, maml(tasks.query_x[0]).detach(), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("layers", ["head", "body"])
def test_only_the_named_layers_adapt(maml, layers: str) -> None:
    tasks = learners.made_tasks()
    classifier = learners.adapted(Gradient(layers=layers), maml, tasks)  # type: ignore[arg-type]
    assert all(k.startswith(layers) for k in classifier.own)  # type: ignore[attr-defined]
    assert all(not k.startswith(layers) for k in classifier.shared)  # type: ignore[attr-defined]


def test_no_step_is_the_network_itself(maml) -> None:
    tasks = learners.made_tasks(1)
    got = learners.adapted(Gradient(steps=0), maml, tasks)(tasks.support_x)[0]
    with batch_statistics():
        torch.testing.assert_close(got, maml(tasks.support_x[0]).detach(), atol=1e-4, rtol=1e-4)


def test_support_plus_one_is_a_pass_over_the_support_and_each_query() -> None:
    net = learners.build(learners.small("maml"), "support_plus_one")
    tasks = learners.made_tasks(1)
    got = learners.adapted(Gradient(steps=0), net, tasks)(tasks.query_x)[0]
    for q, logits in zip(tasks.query_x[0], got, strict=True):
        with batch_statistics():
            both = net(torch.cat([tasks.support_x[0], q[None]]))
        torch.testing.assert_close(logits, both[-1].detach(), atol=1e-4, rtol=1e-4)


def test_a_head_for_another_way_is_refused(maml) -> None:
    with pytest.raises(StudyError, match="has a head for 3 classes"):
        learners.adapted(Gradient(), maml, learners.made_tasks(way=4))
    with pytest.raises(StudyError, match="has no head"):
        learners.adapted(Gradient(), learners.build(learners.small("protonet")), learners.made_tasks())


def test_another_module_is_refused() -> None:
    with pytest.raises(StudyError, match=r"robustmeta\.nets\.Network, got a Linear"):
        learners.adapted(Prototypes(), torch.nn.Linear(2, 2), learners.made_tasks())


def test_features_of_one_image_need_a_norm_that_allows_them() -> None:
    net = learners.build(learners.small("protonet"), "batch")
    with pytest.raises(StudyError, match="norm: batch has no features of a single image"):
        Prototypes().embed(net, torch.rand(2, 1, 16, 16))


def test_linear_probe_is_scikit_learns_on_unit_features() -> None:
    net, tasks = learners.build(learners.small("supervised")), learners.made_tasks(2, shot=5, query=4)
    got = learners.adapted(LinearProbe(c=5.0), net, tasks)(tasks.query_x).softmax(-1)
    for t in range(2):
        support, query = (
            F.normalize(net.body(x[t]).detach(), dim=-1).numpy() for x in (tasks.support_x, tasks.query_x)
        )
        model = LogisticRegression(C=5.0, tol=1e-8, max_iter=10_000).fit(support, tasks.support_y[t].numpy())
        torch.testing.assert_close(got[t], torch.tensor(model.predict_proba(query)), atol=1e-4, rtol=0)


def test_lp_ft_without_steps_is_a_probe_under_the_supports_statistics() -> None:
    net, tasks = learners.build(learners.small("supervised")), learners.made_tasks(1, shot=5)
    got = learners.adapted(LpFt(steps=0, c=5.0), net, tasks)(tasks.query_x)[0]
    with batch_statistics() as statistics:
        z = F.normalize(net.body(tasks.support_x[0]), dim=-1).detach()
    head = LinearProbe(c=5.0).fit(torch.nn.Identity(), z[None], tasks.support_y, 3, learners.task_rng(1))
    with given_statistics(statistics):
        torch.testing.assert_close(got, head(net.body(tasks.query_x[0]).detach()[None])[0], atol=1e-4, rtol=1e-4)


def test_lp_ft_lowers_the_supports_loss() -> None:
    net, tasks = learners.build(learners.small("supervised")), learners.made_tasks(2, shot=5)
    losses = []
    for steps in (0, 20):
        logits = learners.adapted(LpFt(steps=steps), net, tasks)(tasks.support_x)
        losses.append(float(F.cross_entropy(logits.flatten(0, 1), tasks.support_y.flatten())))
    assert losses[1] < losses[0]
