"""Selection on source validation: of checkpoints while training, and of test-time choices after it."""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import nn

from robustmeta.config.components import Adaptation, Backbone, EmbeddingAdaptation
from robustmeta.core import CellError, Domain, Episodes, Traits
from robustmeta.metrics.scores import correct
from robustmeta.store.cells import Content
from robustmeta.study import permute
from robustmeta.study.evaluate import Bench, Embeddings, Point, Tables, evaluate
from robustmeta.study.instances import by_instance
from robustmeta.study.plan import Work
from robustmeta.study.shifts import clean_point
from robustmeta.study.trials import choices

Advance = Callable[[int], None]


@dataclass(frozen=True, eq=False)
class Validator:
    """Tasks of held-out source classes, and how to measure a network on them."""

    domain: Domain
    episodes: Episodes
    seed: int
    backbone: Backbone

    @cached_property
    def rows(self) -> NDArray[np.int64]:
        """The rows of the domain that the tasks use."""
        return self.episodes.rows()

    def accuracy(
        self,
        net: nn.Module,
        adaptations: Sequence[Adaptation],
        tables: Tables | None = None,
        advance: Advance = lambda _: None,
    ) -> list[float]:
        """Share of right queries under each adaptation (NaN where it diverges), without a trace in the network."""
        tables = {} if tables is None else tables
        out: list[float] = []
        for adaptation in adaptations:
            try:
                out.append(float(self.right(net, adaptation, self.episodes, tables, advance).mean()))
            except CellError:
                out.append(math.nan)
        return out

    def right(
        self, net: nn.Module, adaptation: Adaptation, episodes: Episodes, tables: Tables, advance: Advance
    ) -> NDArray[np.float64]:
        """1 for each query of the episodes that is right, else 0; ``tables`` keeps features from call to call.

        Raises:
            CellError: the adaptation diverges.
        """
        embeddings = None
        if isinstance(adaptation, EmbeddingAdaptation) and self.backbone.alone():
            embeddings = Embeddings(net, adaptation, self.rows, tables)
        bench = Bench(net, adaptation, self.domain, episodes, self.domain.images, self.seed, embeddings)
        point = Point(clean_point(len(episodes)), self.domain.images)
        return correct(evaluate(bench, [point], advance)[0].tables["queries"])

    def spread(self, net: nn.Module, adaptation: Adaptation, traits: Traits, tables: Tables, advance: Advance) -> float:
        """How much accuracy changes with what must not matter (see ``permute``); NaN where by construction it cannot.

        Raises:
            CellError: the adaptation diverges.
        """
        if permute.free(traits):
            return math.nan
        episodes = permute.permuted(self.episodes, traits, self.seed)
        right = self.right(net, adaptation, episodes, tables, advance)
        return permute.spread(right, len(episodes) // permute.PERMUTATIONS)

    def instances(self, net: nn.Module) -> pd.DataFrame | None:
        """Accuracy by instance (see ``by_instance``); none where features hang on the other images of a task."""
        return by_instance(net, self.domain, len(self.episodes), self.seed) if self.backbone.alone() else None


def tune(work: Work, net: nn.Module, validator: Validator, advance: Advance) -> Content:
    """The first of the learner's choices that is best on source validation, with the accuracy of all.

    What reads images one by one has a table ``instances`` beside, and says so in its protocol.
    """
    started, tried = time.perf_counter(), choices(work.learner)
    tables: Tables = {}
    with torch.no_grad():
        accuracies = validator.accuracy(net, tried, tables, advance)
    if np.isnan(accuracies).all():
        raise CellError(f"every choice of {work.learner.adapt.name} diverged on source validation: lower its rate")
    chosen = int(np.nanargmax(accuracies))
    names = [", ".join(f"{k} {getattr(a, k)}" for k in work.learner.tune) or "as given" for a in tried]
    with torch.no_grad():
        spread = validator.spread(net, tried[chosen], work.learner.method.traits, tables, advance)
    table = pd.DataFrame({"choice": names, "val_accuracy": accuracies})
    table["chosen"] = table.index == chosen
    table["permutation_spread"] = [spread if i == chosen else math.nan for i in range(len(tried))]
    by_image = validator.instances(net)
    kept = {"summary": table} | ({} if by_image is None else {"instances": by_image})
    protocol = {"adaptation": tried[chosen].model_dump(mode="json"), "chosen": chosen, "tables": sorted(kept)}
    return Content(kept, {}, protocol, {"seconds": time.perf_counter() - started, "finished": time.time()})
