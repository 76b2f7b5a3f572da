"""Domains and their views, each made once."""

import hashlib
import json
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from robustmeta.config.components import Source
from robustmeta.config.study import Canvas
from robustmeta.core import Domain, Episodes, TaskShape, merge, sample
from robustmeta.corruptions.apply import corrupt_chain
from robustmeta.rng import Rng
from robustmeta.shifts.shift import FrameStage, Stage
from robustmeta.study.shifts import chain_identity, sequence_identity

VIEW_BYTES = 2 * 2**30


def data_identity(source: Source) -> dict[str, Any]:
    """What a domain is made of, for keys: its choices without paths, and the hash of its data."""
    return {**source.identity(), "data": source.digest()}


class Data:
    """Domains by what they are made of, and the views that are in use (the oldest go beyond 2 GiB)."""

    def __init__(self, canvas: Canvas) -> None:
        self.canvas = canvas
        self._identities: dict[str, dict[str, Any]] = {}
        self._domains: dict[str, Domain] = {}
        self._episodes: dict[str, Episodes] = {}
        self._views: OrderedDict[str, tuple[Tensor, ...]] = OrderedDict()

    def identity(self, source: Source) -> dict[str, Any]:
        """The data identity of a source, hashed once."""
        name = source.model_dump_json() + source.name
        if name not in self._identities:
            self._identities[name] = data_identity(source)
        return self._identities[name]

    def domain(self, sources: Sequence[Source]) -> Domain:
        """The domain of one source, or several merged."""
        for source in sources:
            if self._name(source) not in self._domains:
                self._domains[self._name(source)] = source.load(self.canvas.size, self.canvas.channels)
        return merge([self._domains[self._name(s)] for s in sources])

    def episodes(self, sources: Sequence[Source], shape: TaskShape, seed: int, count: int) -> Episodes:
        """The first tasks of a domain, drawn once."""
        key = repr(([self._name(s) for s in sources], shape, seed, count))
        if key not in self._episodes:
            self._episodes[key] = sample(self.domain(sources), shape, seed, 0, count)
        return self._episodes[key]

    def _name(self, source: Source) -> str:
        return json.dumps(self.identity(source), sort_keys=True)

    def view(self, source: Source, stages: tuple[Stage, ...], seed: int, rows: NDArray[np.int64]) -> Tensor:
        """The domain seen through corruptions, uint8 (N, C, H, W); only ``rows`` are corrupted, each once."""
        domain = self.domain([source])
        if not stages:
            return domain.images

        def make() -> list[Tensor]:
            given = domain.images[torch.from_numpy(rows)]
            return [_placed(domain, rows, corrupt_chain(given, stages, seed, domain.ids[rows]))]

        return self._cached([self._name(source), chain_identity(stages), seed], rows, make)[0]

    def frames(self, source: Source, stage: FrameStage, seed: int, rows: NDArray[np.int64]) -> tuple[Tensor, ...]:
        """The domain in every frame of a sequence, each uint8 (N, C, H, W); only ``rows`` are made, each once."""
        domain, sequence = self.domain([source]), stage.sequence

        def make() -> list[Tensor]:
            given, rng = domain.images[torch.from_numpy(rows)], Rng(seed, ("sequence", sequence.name), domain.ids[rows])
            return [_placed(domain, rows, frame) for frame in sequence(given, stage.level, rng)]

        return self._cached([self._name(source), sequence_identity(stage), seed, "frames"], rows, make)

    def _cached(self, what: list[Any], rows: NDArray[np.int64], make: Callable[[], list[Tensor]]) -> tuple[Tensor, ...]:
        name = json.dumps([*what, hashlib.sha256(rows.tobytes()).hexdigest()], sort_keys=True)
        if name not in self._views:
            self._views[name] = tuple(make())
            while len(self._views) > 1 and self._size() > VIEW_BYTES:
                self._views.popitem(last=False)
        self._views.move_to_end(name)
        return self._views[name]

    def _size(self) -> int:
        return sum(v.numel() for views in self._views.values() for v in views)


def _placed(domain: Domain, rows: NDArray[np.int64], images: Tensor) -> Tensor:
    """A view that has ``images`` at ``rows`` and nothing elsewhere."""
    view = torch.zeros_like(domain.images)
    view[torch.from_numpy(rows)] = images
    return view
