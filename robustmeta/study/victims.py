"""What an attack on supports is given: learners that adapt when asked, and seed queries that nobody measures."""

from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import torch
from jaxtyping import Int
from numpy.typing import NDArray
from torch import Tensor, nn

from robustmeta.config.components import Adaptation, EmbeddingAdaptation
from robustmeta.core import CellError, Classifier, Domain, Episodes, Held
from robustmeta.rng import Rng, combine
from robustmeta.support_attacks.seed_loss import relearn


@dataclass(frozen=True, eq=False)
class Adapting:
    """A network before it adapts to T tasks, ``rng`` with a key each: every time with the same draws.

    ``by_features``: it adapts by features of an image that depend on this alone.
    """

    net: nn.Module
    adaptation: Adaptation
    way: int
    rng: Rng
    by_features: bool = False

    def __call__(self, support_x: Tensor, support_y: Tensor) -> Classifier:
        """Adapt."""
        return self.adaptation.adapt(self.net, support_x, support_y, self.way, self.rng.at(slice(None)))

    def select(self, tasks: slice | NDArray[np.int64]) -> "Adapting":
        """The same before some of the tasks."""
        return replace(self, rng=self.rng.at(tasks))

    def hold(self, support_x: Tensor, seed_x: Tensor) -> Held:
        """The first task while its images stay: by features these are embedded now, and only heads are fitted later."""
        if not (self.by_features and isinstance(self.adaptation, EmbeddingAdaptation)):
            return partial(relearn, self, support_x, seed_x)
        adaptation = self.adaptation
        with torch.no_grad():
            z, asked = (adaptation.embed(self.net, images) for images in (support_x, seed_x))

        def answers(labels: Tensor) -> Tensor:
            n = len(labels)
            with torch.no_grad():
                head = adaptation.fit(self.net, z.expand(n, *z.shape), labels, self.way, self.rng.at(np.zeros(n, int)))
                return head(asked.expand(n, *asked.shape))

        return answers


def seeds(domain: Domain, episodes: Episodes, each: int, seed: int) -> tuple[Int[Tensor, "T R"], Int[Tensor, "T R"]]:
    """Rows of the domain, ``each`` a class, that a task has in neither support nor query, and their labels in it.

    A pure function of (seed, episode, image ids).

    Raises:
        CellError: a class has too few images.
    """
    rows = np.empty((len(episodes), episodes.way, each), np.int64)
    key = Rng(seed, ("seed query",), episodes.number).bits(1)[:, 0]
    for t in range(len(episodes)):
        used = np.concatenate([episodes.support[t].numpy(), episodes.query[t].numpy()])
        for k in range(episodes.way):
            one, members, left = unused(domain, episodes, t, k, used)
            if len(left) < each:
                raise CellError(
                    f"class {domain.classes[one]} of {domain.name} has {members} images, of which a task leaves "
                    f"{len(left)}; an attack on its support needs {each} more as seed queries: "
                    "lower seed, shot or query"
                )
            score = combine(key[t : t + 1], domain.ids[left])
            rows[t, k] = left[np.argsort(score, kind="stable")[:each]]
    y = torch.arange(episodes.way).repeat_interleave(each).expand(len(episodes), -1)
    return torch.from_numpy(rows.reshape(len(episodes), -1)), y


def unused(
    domain: Domain, episodes: Episodes, t: int, k: int, used: NDArray[np.int64]
) -> tuple[int, int, NDArray[np.int64]]:
    """Which class of the domain is class k of task t, how many images it has, and those of its rows not ``used``."""
    labels = domain.labels.numpy()
    one = int(labels[int(episodes.query[t][episodes.query_y[t] == k][0])])
    members = np.flatnonzero(labels == one)
    return one, len(members), members[~np.isin(members, used)]
