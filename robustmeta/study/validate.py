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
from robustmeta.core import CellError, Domain, Episodes
from robustmeta.metrics.scores import correct
from robustmeta.store.cells import Content
from robustmeta.study.evaluate import Bench, Embeddings, Point, Tables, evaluate
from robustmeta.study.plan import Work, choices
from robustmeta.study.shifts import clean_point

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
        self, net: nn.Module, adaptations: Sequence[Adaptation], advance: Advance = lambda _: None
    ) -> list[float]:
        """Share of right queries under each adaptation (NaN where it diverges), without a trace in the network."""
        tables: Tables = {}
        out: list[float] = []
        point = Point(clean_point(len(self.episodes)), self.domain.images)
        for adaptation in adaptations:
            embeddings = None
            if isinstance(adaptation, EmbeddingAdaptation) and self.backbone.alone():
                embeddings = Embeddings(net, adaptation, self.rows, tables)
            bench = Bench(net, adaptation, self.domain, self.episodes, self.domain.images, self.seed, embeddings)
            try:
                queries = evaluate(bench, [point], advance)[0].tables["queries"]
            except CellError:
                out.append(math.nan)
            else:
                out.append(float(correct(queries).mean()))
        return out


def tune(work: Work, net: nn.Module, validator: Validator, advance: Advance) -> Content:
    """The first of the learner's choices that is best on source validation, with the accuracy of all."""
    started, tried = time.perf_counter(), choices(work.learner)
    with torch.no_grad():
        accuracies = validator.accuracy(net, tried, advance)
    if np.isnan(accuracies).all():
        raise CellError(f"every choice of {work.learner.adapt.name} diverged on source validation: lower its rate")
    chosen = int(np.nanargmax(accuracies))
    names = [", ".join(f"{k} {getattr(a, k)}" for k in work.learner.tune) or "as given" for a in tried]
    table = pd.DataFrame(
        {"choice": names, "val_accuracy": accuracies, "chosen": [i == chosen for i in range(len(tried))]}
    )
    protocol = {"adaptation": tried[chosen].model_dump(mode="json"), "chosen": chosen}
    return Content(
        {"summary": table}, {}, protocol, {"seconds": time.perf_counter() - started, "finished": time.time()}
    )
