"""The one training loop: budget in images, checkpoints selected on source validation."""

import math
import time
from collections.abc import Callable

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from robustmeta.config.components import Diet
from robustmeta.config.study import Study
from robustmeta.core import Batch, CellError, Domain, Tasks, TaskShape, copy_state, gather, sample, to_float
from robustmeta.functional.schedules import share
from robustmeta.rng import Rng
from robustmeta.store.cells import Content
from robustmeta.study.network import build
from robustmeta.study.plan import Work, check_steps, measuring_passes
from robustmeta.study.validate import Validator

LOGGED_STEPS = 100
Advance = Callable[[int], None]


def batch(domain: Domain, diet: Diet, seed: int, step: int) -> Tasks | Batch:
    """What the sampler delivers for a step: a pure function of seed and step."""
    if not diet.batch:
        shape = TaskShape(diet.way, diet.shot, diet.query)
        episodes = sample(domain, shape, seed, step * diet.tasks, (step + 1) * diet.tasks, "train")
        return gather(episodes, domain.images, domain.images)
    n = len(domain.labels)
    place = np.arange(step * diet.batch, (step + 1) * diet.batch)
    orders = Rng(seed, ("epoch",), np.unique(place // n).astype(np.uint64)).permutation(n)
    rows = orders[torch.from_numpy(place // n - place[0] // n), torch.from_numpy(place % n)]
    return Batch(to_float(domain.images[rows]), domain.labels[rows])


def train(work: Work, study: Study, domain: Domain, validator: Validator, advance: Advance) -> Content:
    """Train one network and keep the checkpoint that the selection rule names.

    Raises:
        CellError: the loss became NaN or infinite; the message has the step and the last finite loss.
    """
    method, diet, rule = work.learner.method, work.learner.method.diet(), study.validation
    net = build(study, work.learner, work.seed, len(domain.classes))
    steps = study.budget.images // diet.images
    selecting = rule.select == "source_val"
    checks = check_steps(steps, rule.checks if selecting else 1)
    optimiser = method.optimiser(net)
    highest = [group["lr"] for group in optimiser.param_groups]
    started, spent, passes = time.perf_counter(), 0.0, 0
    best: tuple[float, int, dict[str, Tensor]] = (-1.0, 0, {})
    curve: list[tuple[int, int, float, float]] = []
    loss = math.nan
    for step in range(steps):
        for group, rate in zip(optimiser.param_groups, highest, strict=True):
            group["lr"] = rate * share(method.schedule, step / steps)
        optimiser.zero_grad(set_to_none=True)
        rng = Rng(work.seed, ("train",), [step])
        stats = method.backward(net, batch(domain, diet, work.seed, step), rng, step / steps)
        if not math.isfinite(stats.loss):
            raise CellError(
                f"the loss became {stats.loss} at step {step + 1} of {steps}; the last finite loss was {loss:.4g}"
            )
        loss, passes = stats.loss, passes + stats.passes
        optimiser.step()
        advance(stats.passes)
        measured = math.nan
        if step + 1 in checks:
            clock = time.perf_counter()
            measured = validator.accuracy(net, [method.adaptation()])[0]
            if measured > best[0] or not selecting:
                best = (measured, step + 1, copy_state(net))
            spent += time.perf_counter() - clock
            advance(measuring_passes(method.adaptation(), study.backbone, validator.episodes))
        if step + 1 in checks or step % max(1, steps // LOGGED_STEPS) == 0:
            curve.append((step + 1, (step + 1) * diet.images, stats.loss, measured))
    if not best[1]:
        raise CellError(
            f"{method.adaptation().name} diverged on source validation at every check; lower the inner rate"
        )
    columns = ["step", "images", "loss", "val_accuracy"]
    protocol = {
        "classes": len(domain.classes),
        "selection": rule.select,
        "selected_step": best[1],
        "steps": steps,
        "val_accuracy": best[0],
        "images_a_step": diet.images,
        "augmentation": "none",
    }
    costs = {
        "train_seconds": time.perf_counter() - started - spent,
        "validation_seconds": spent,
        "images": steps * diet.images,
        "passes": passes,
        "finished": time.time(),
    }
    return Content({"summary": pd.DataFrame(curve, columns=columns)}, {"model": best[2]}, protocol, costs)
