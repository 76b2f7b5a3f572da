"""Temporal convolutions and attention, neither of which looks ahead (Mishra et al. 2018, section 3)."""

import math
from abc import ABC, abstractmethod
from typing import cast

import torch
from torch import Tensor, nn

from robustmeta.functional.causal import attend, attend_last, delayed, gated, step_back
from robustmeta.functional.labelled import labelled
from robustmeta.heads.reading import Remembered, SequenceHead


class Layer(nn.Module, ABC):
    """A layer (T, S, C) -> (T, S, ``features``) that keeps its input and adds to it."""

    features: int

    @abstractmethod
    def forward(self, x: Tensor) -> Tensor:
        """The whole sequence."""

    @abstractmethod
    def last(self, x: Tensor, past: Tensor) -> Tensor:
        """Step S + 1 for Q different inputs at it, (T, Q, C) -> (T, Q, features), after a past (T, S, C)."""


class Dense(Layer):
    """[x, tanh(f) σ(g)] with f and g convolutions over a step and the one ``dilation`` before (DenseBlock)."""

    def __init__(self, features: int, dilation: int, filters: int) -> None:
        super().__init__()
        self.dilation, self.features = dilation, features + filters
        self.pair = nn.Linear(2 * features, 2 * filters)

    def forward(self, x: Tensor) -> Tensor:
        """The whole sequence; zero stands before its start."""
        return self._add(x, delayed(x, self.dilation))

    def last(self, x: Tensor, past: Tensor) -> Tensor:
        """The last step."""
        return self._add(x, step_back(past, self.dilation, x))

    def _add(self, x: Tensor, before: Tensor) -> Tensor:
        return torch.cat([x, gated(self.pair(torch.cat([before, x], -1)))], -1)


class Attention(Layer):
    """[x, what attention with keys of ``keys`` and values of ``values`` numbers reads] (AttentionBlock)."""

    def __init__(self, features: int, keys: int, values: int) -> None:
        super().__init__()
        self.features = features + values
        self.query, self.key = nn.Linear(features, keys), nn.Linear(features, keys)
        self.value = nn.Linear(features, values)

    def forward(self, x: Tensor) -> Tensor:
        """The whole sequence."""
        return torch.cat([x, attend(self.query(x), self.key(x), self.value(x))], -1)

    def last(self, x: Tensor, past: Tensor) -> Tensor:
        """The last step."""
        found = attend_last(self.query(x), self.key(x), self.value(x), self.key(past), self.value(past))
        return torch.cat([x, found], -1)


class Snail(SequenceHead):
    """Attention, convolutions, attention, convolutions, attention, and a linear layer (Mishra et al. 2018, appendix).

    A block of convolutions has dilations 2, 4, ..., the last of which reaches past ``length`` steps (TCBlock); sizes
    stand in the published proportion to ``filters``, there 128. Any number of steps can be read. A query is a step
    without a label. As no layer looks ahead, the support is run through once and each query is only its last step.
    """

    def __init__(self, features: int, way: int, length: int, filters: int) -> None:
        super().__init__(way)
        width, layers = features + way, list[Layer]()

        def add(layer: Layer) -> None:
            nonlocal width
            layers.append(layer)
            width = layer.features

        for keys, values in ((filters // 2, filters // 4), (2 * filters, filters)):
            add(Attention(width, keys, values))
            for power in range(1, math.ceil(math.log2(length)) + 1):
                add(Dense(width, 2**power, filters))
        add(Attention(width, 4 * filters, 2 * filters))
        self.layers = nn.ModuleList(layers)
        self.out = nn.Linear(width, way)

    @property
    def _layers(self) -> list[Layer]:
        return cast("list[Layer]", list(self.layers))

    def read(self, z: Tensor, y: Tensor) -> Remembered:
        """The input of every layer."""
        x, inputs = labelled(z, self.shown(z, y)), []
        for layer in self._layers:
            inputs.append(x)
            x = layer(x)
        return tuple(inputs)

    def answer(self, z: Tensor, remembered: Remembered) -> Tensor:
        """The last step of a sequence that ends with the query, without a label."""
        x = labelled(z, z.new_zeros(*z.shape[:2], self.way))
        for layer, past in zip(self._layers, remembered, strict=True):
            x = layer.last(x, past)
        return self.out(x)

    def guesses(self, z: Tensor, y: Tensor) -> Tensor:
        """Each image as a query after those before it."""
        inputs = self.read(z, y)
        steps = [self.answer(z[:, t : t + 1], tuple(i[:, :t] for i in inputs)) for t in range(z.shape[1])]
        return torch.cat(steps, 1)
