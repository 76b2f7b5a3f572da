"""Checks of an adaptation."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor, nn

from robustmeta.config.components import Adaptation
from robustmeta.core import StudyError, Tasks, TaskShape
from robustmeta.heads.cnp import Cnp
from robustmeta.nets import Network
from robustmeta.testing.finding import Finding, Wrong, examine
from robustmeta.testing.learning import WIDTH, Body, Watch, adapted, images_seen, logits, made_tasks

TASKS, WAY, SHOT, QUERY = 3, 3, 2, 2


def check_adaptation(adaptation: Adaptation, net: nn.Module | None = None) -> list[Finding]:
    """Check what every adaptation must keep to, on a small network with a head for three classes or one that is given.

    Where it refuses a linear head, the head is one that reads a support set. A network that is given takes 16 x 16 gray
    images. If adapting does not work at all, that is the only finding.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return examine(Trial(adaptation, net or _network(adaptation)), CHECKS)


def _network(adaptation: Adaptation) -> Network:
    linear = Network(Body(), WAY).eval()
    try:
        logits(adaptation, linear, made_tasks(TASKS, WAY, SHOT, QUERY))
    except StudyError:
        return Network(Body(), head=Cnp(WIDTH, WAY, units=8)).eval()
    except Exception:  # the check that runs it says what is wrong
        return linear
    return linear


@dataclass(frozen=True, eq=False)
class Trial:
    """An adaptation with a network and tasks to try it on."""

    adaptation: Adaptation
    net: nn.Module
    tasks: Tasks = field(default_factory=lambda: made_tasks(TASKS, WAY, SHOT, QUERY))

    def logits(self, tasks: Tasks | None = None) -> Tensor:
        """Those of the queries."""
        return logits(self.adaptation, self.net, tasks or self.tasks)


def _runs(trial: Trial) -> str:
    got, want = trial.logits(), (TASKS, WAY * QUERY, WAY)
    if got.shape != want or not torch.isfinite(got).all():
        raise Wrong(f"expected finite logits {want}, got {tuple(got.shape)} from {float(got.min()):.3g}")
    return f"logits {want} for {TASKS} tasks"


def _untouched(trial: Trial) -> str:
    watch = Watch(trial.net)
    trial.logits()
    watch.verify()
    return "network and global random state"


def _same_key(trial: Trial) -> str:
    if not torch.equal(trial.logits(), trial.logits()):
        raise Wrong("two calls with the same keys differ; draw from rng alone")
    return "same keys, same logits"


def _alone(trial: Trial) -> str:
    t = trial.tasks
    part = slice(0, 1)
    first = Tasks(t.support_x[part], t.support_y[part], t.query_x[part], t.query_y[part], t.way)
    worst = float((trial.logits(first)[0] - trial.logits()[0]).abs().max())
    if worst > 1e-2:
        raise Wrong(f"the logits of a task change by {worst:.3g} with the other tasks of the batch")
    return "a task needs no other"


def _select(trial: Trial) -> str:
    whole = adapted(trial.adaptation, trial.net, trial.tasks)
    with torch.no_grad():
        part = whole.select(slice(1, 3))(trial.tasks.query_x[1:3])
        worst = float((part - whole(trial.tasks.query_x)[1:3]).abs().max())
    if worst > 1e-3:
        raise Wrong(f"select(slice(1, 3)) gives other logits than the whole, by {worst:.3g}")
    return "select is a part of the whole"


def _gradient(trial: Trial) -> str:
    x = trial.tasks.query_x.clone().requires_grad_()
    (slope,) = torch.autograd.grad(adapted(trial.adaptation, trial.net, trial.tasks)(x)[..., 0].sum(), x)
    if not slope.isfinite().all() or not slope.abs().sum() > 0:
        raise Wrong("the logits have no finite gradient by the query, which attacks need")
    return "logits are differentiable in the query"


def _coupled(trial: Trial) -> str:
    classifier = adapted(trial.adaptation, trial.net, trial.tasks)
    other = trial.tasks.query_x.clone()
    other[:, 1] = 1 - other[:, 1]
    with torch.no_grad():
        looks = not torch.allclose(classifier(trial.tasks.query_x)[:, 0], classifier(other)[:, 0], atol=1e-4)
    if looks and not classifier.coupled:
        raise Wrong("a query's logits change with another query: say coupled = True, and it counts as transductive")
    return "transductive" if classifier.coupled else "a query needs no other"


def _dirty(trial: Trial) -> str:
    lacking = replace(trial.tasks, support_y=torch.tensor([[0, 1, 1, 1, 1, 0]] * TASKS))
    if not trial.logits(lacking).isfinite().all():
        raise Wrong("logits are not finite where the support is imbalanced and lacks a class")
    return "finite without a class"


def _passes(trial: Trial) -> str:
    want = trial.adaptation.passes(TaskShape(WAY, SHOT, QUERY), TASKS)
    got = images_seen(trial.net, lambda: adapted(trial.adaptation, trial.net, trial.tasks))
    if got != want and any(isinstance(m, Body) for m in trial.net.modules()):
        raise Wrong(f"passes() says {want} images for {TASKS} tasks; adapting sends {got} through the body")
    return f"{want} images for {TASKS} tasks"


CHECKS: Mapping[str, Callable[[Trial], str]] = {
    "runs": _runs,
    "nothing else touched": _untouched,
    "same key": _same_key,
    "tasks apart": _alone,
    "select": _select,
    "gradient": _gradient,
    "coupled": _coupled,
    "dirty support": _dirty,
    "passes": _passes,
}
"""Every check by name; each returns what it measured or raises."""
