"""What training eats: tasks or plain images of a domain, a pure function of seed and step."""

import numpy as np
import torch
from torch import Tensor

from robustmeta.config.components import Diet
from robustmeta.core import Batch, Domain, Episodes, Tasks, TaskShape, gather, sample, to_float
from robustmeta.rng import Rng, combine
from robustmeta.study.augment import Augment

ALL = slice(None)


def batch(
    domain: Domain, diet: Diet, seed: int, step: int, augment: Augment | None = None, tasks: slice = ALL
) -> Tasks | Batch:
    """What the sampler delivers for a step, augmented; or some of the tasks of it."""
    if diet.batch:
        return _images(domain, diet.batch, seed, step, augment)
    mine = range(step * diet.tasks, (step + 1) * diet.tasks)[tasks]
    episodes = sample(domain, TaskShape(diet.way, diet.shot, diet.query), seed, mine.start, mine.stop, "train")
    if augment is None:
        return gather(episodes, domain.images, domain.images)
    support, query = (_augmented(domain, episodes, rows, seed, augment) for rows in (episodes.support, episodes.query))
    return Tasks(support, episodes.support_y, query, episodes.query_y, episodes.way)


def _augmented(domain: Domain, episodes: Episodes, rows: Tensor, seed: int, augment: Augment) -> Tensor:
    """Images (T, K, C, H, W) of tasks; each by the number of its task and its id."""
    keys = combine(episodes.number[:, None], domain.ids[rows.numpy()])
    return to_float(augment(domain.images[rows], Rng(seed, ("augment",), keys)))


def _images(domain: Domain, count: int, seed: int, step: int, augment: Augment | None) -> Batch:
    """The next images of an endless pass through the domain, each epoch in another order; each by its place in it."""
    n = len(domain.labels)
    place = np.arange(step * count, (step + 1) * count)
    orders = Rng(seed, ("epoch",), np.unique(place // n).astype(np.uint64)).permutation(n)
    rows = orders[torch.from_numpy(place // n - place[0] // n), torch.from_numpy(place % n)]
    images = domain.images[rows]
    if augment is not None:
        images = augment(images, Rng(seed, ("augment",), place.astype(np.uint64)))
    return Batch(to_float(images), domain.labels[rows])
