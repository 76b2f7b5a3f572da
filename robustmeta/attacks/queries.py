"""Queries under attack: those that still stand, and the worst seen of each."""

from collections.abc import Callable
from contextlib import nullcontext
from copy import copy
from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from robustmeta.attacks.gradient import Climb, Slopes, climb, slopes
from robustmeta.attacks.packing import PASS_PIXELS, RECALL_PIXELS, Pack, packs
from robustmeta.core import Classifier
from robustmeta.functional.margins import Loss, cross_entropy
from robustmeta.functional.recall import Recall
from robustmeta.rng import Rng


@dataclass(eq=False)
class Worst:
    """The worst version seen of each of N queries, whether it is wrong, and its cross-entropy."""

    x: Float[Tensor, "N C H W"]
    wrong: Bool[Tensor, " N"]
    loss: Float[Tensor, " N"]


class Queries:
    """All queries of T tasks in one row, N = T · Q, seen clean to begin with.

    A query has fallen when the classifier has got a version of it wrong. Where a classifier couples the queries of a
    task, a version is one of all of them, and a task falls as a whole: with its last query.
    """

    def __init__(self, classifier: Classifier, x: Tensor, y: Tensor, rng: Rng) -> None:
        self.classifier = classifier
        self.tasks, self.each = y.shape
        self.x, self.y = x.detach().flatten(0, 1), y.flatten()
        self.rng = Rng(rng.seed, rng.stream, rng.keys.reshape(-1))
        nothing = torch.full(self.y.shape, -torch.inf, dtype=x.dtype)
        self.worst = Worst(self.x.clone(), torch.zeros_like(self.y, dtype=torch.bool), nothing)
        points = self.everything()
        self.logits = points.logits(self.x)
        points.offer(self.x, self.logits)

    def everything(self) -> "Points":
        """All of them."""
        return Points(self, torch.arange(len(self.y)))

    def standing(self) -> "Points":
        """The queries that have not fallen; of a coupled classifier, those of tasks that have not."""
        points = self.everything()
        return points.keep(points.up())

    def under(self, stream: str) -> "Queries":
        """The same, with draws of their own."""
        other = copy(self)
        other.rng = self.rng.child(stream)
        return other

    def result(self) -> Float[Tensor, "T Q C H W"]:
        """The worst that was seen."""
        return self.worst.x.unflatten(0, (self.tasks, self.each))


@dataclass(frozen=True, eq=False)
class Points:
    """Some of the queries, ``rows`` (n,) in order; of a coupled classifier, whole tasks."""

    of: Queries
    rows: Int[Tensor, " n"]

    def __len__(self) -> int:
        return len(self.rows)

    @cached_property
    def x(self) -> Float[Tensor, "n C H W"]:
        """As they are clean."""
        return self.of.x[self.rows]

    @cached_property
    def y(self) -> Int[Tensor, " n"]:
        """Their labels."""
        return self.of.y[self.rows]

    @cached_property
    def clean(self) -> Float[Tensor, "n way"]:
        """Their logits when they were clean."""
        return self.of.logits[self.rows]

    @property
    def shape(self) -> tuple[int, ...]:
        """C, H, W."""
        return tuple(self.of.x.shape[1:])

    def rng(self, *stream: object) -> Rng:
        """Draws of a stream, a key a point: a point's are the same whichever others stand."""
        return self.of.rng.child(*stream).at(self.rows.numpy())

    def keep(self, some: Bool[Tensor, " n"]) -> "Points":
        """Some of them."""
        return Points(self.of, self.rows[some])

    def up(self) -> Bool[Tensor, " n"]:
        """Which have not fallen."""
        return self.pool((~self.of.worst.wrong[self.rows]).float()) > 0

    def pool(self, values: Float[Tensor, " n"]) -> Float[Tensor, " n"]:
        """What decides together: the values as they are, or, coupled, each task's sum at each of its queries."""
        if not self.of.classifier.coupled:
            return values
        return values.unflatten(0, (-1, self.of.each)).sum(1).repeat_interleave(self.of.each)

    def logits(self, x: Float[Tensor, "n C H W"], recall: Recall | None = None) -> Float[Tensor, "n way"]:
        """One forward pass without gradients, in which networks may recall earlier versions of the queries."""

        def ask(pack: Pack, part: Classifier) -> tuple[Tensor]:
            with recall.versions(pack.fill(self.rows).flatten()) if recall else nullcontext():
                return (part(pack.fill(x)),)

        with torch.no_grad():
            return self._through(ask, RECALL_PIXELS if recall else PASS_PIXELS)[0]

    def look(self, x: Float[Tensor, "n C H W"], recall: Recall | None = None) -> Float[Tensor, "n way"]:
        """One forward pass, offered: the logits."""
        seen = self.logits(x, recall)
        self.offer(x, seen)
        return seen

    def climb(self, x: Float[Tensor, "n C H W"], aim: Int[Tensor, "n ..."], loss: Loss = cross_entropy) -> Climb:
        """A pass forth and back up the loss; see ``gradient.climb``."""
        return Climb(*self._through(lambda pack, part: climb(part, pack.fill(x), pack.fill(aim), loss)))

    def slopes(self, x: Float[Tensor, "n C H W"], others: Int[Tensor, "n K"]) -> Slopes:
        """A pass forth and K back, a class each; see ``gradient.slopes``."""
        return Slopes(*self._through(lambda p, part: slopes(part, p.fill(x), p.fill(self.y), p.fill(others))))

    def offer(self, x: Float[Tensor, "n C H W"], logits: Float[Tensor, "n way"]) -> None:
        """Keep what is worse than all before: wrong before right, then the higher cross-entropy.

        Coupled, it is a task's set of queries that is judged, by how many are wrong and by their summed loss, because a
        mixture of two sets is a third one that the classifier has not seen.
        """
        worst, rows = self.of.worst, self.rows
        wrong, loss = logits.argmax(-1) != self.y, cross_entropy(logits, self.y)
        more = self.pool(wrong.float()) - self.pool(worst.wrong[rows].float())
        take = (more > 0) | ((more == 0) & (self.pool(loss) > self.pool(worst.loss[rows])))
        chosen = rows[take]
        worst.x[chosen], worst.wrong[chosen], worst.loss[chosen] = x[take], wrong[take], loss[take]

    @cached_property
    def _passes(self) -> dict[int, list[Pack]]:
        return {}

    def _packs(self, most: int) -> list[Pack]:
        if most not in self._passes:
            counts = torch.bincount(self.rows // self.of.each, minlength=self.of.tasks).tolist()
            pixels, whole = self.shape[1] * self.shape[2], self.of.classifier.coupled
            self._passes[most] = list(packs(counts, pixels, whole=whole, most=most))
        return self._passes[most]

    def _through(self, work: Callable[[Pack, Classifier], tuple[Tensor, ...]], most: int = PASS_PIXELS) -> list[Tensor]:
        """What a function of each pass, of at most so many pixels, gives, joined over all points."""
        passes = self._packs(most)
        parts = [work(pack, self.of.classifier.select(pack.tasks)) for pack in passes]
        drained = [[pack.drain(v) for v in values] for pack, values in zip(passes, parts, strict=True)]
        return [torch.cat(columns) for columns in zip(*drained, strict=True)]
