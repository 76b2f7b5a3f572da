"""Metrics of a cell, from its records per query. Each is a function of means over episodes.

A metric maps the records to per-episode statistics (E, k) and their mean (..., k) to its value; so resampling episodes
resamples the metric, and pooled metrics (ECE) pool over episodes before they are formed.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from torch import Tensor

BINS = 15
Array = NDArray[np.float64]


@dataclass(frozen=True)
class Metric:
    """A metric with its per-episode statistics and how their mean becomes its value.

    ``higher`` says that more is better; ``linear`` that the value is the mean of one statistic; ``frames`` that it is
    of the frames of a sequence, where there is no accuracy to speak of. Values lie between 0 and ``most``.
    """

    name: str
    statistics: Callable[[pd.DataFrame, int], Array]
    value: Callable[[Array], Array]
    higher: bool
    linear: bool
    doc: str
    version: int = 1
    paper: str = ""
    frames: bool = False
    most: float = math.inf


Columns = Mapping[str, NDArray[Any]]
"""The columns of a table, (M,) each."""


def records(logits: Tensor, y: Tensor) -> Columns:
    """The records of queries, in order, by column. logits (M, way), y (M,).

    Columns: predicted, label, logp_true (log of the true class's probability), p_top (highest probability), p_square
    (sum of squared probabilities, from which the Brier score follows).
    """
    logp = logits.double().log_softmax(-1)
    p = logp.exp()
    top = p.max(-1)
    return {
        "predicted": top.indices.numpy().astype(np.int16),
        "label": y.numpy().astype(np.int16),
        "logp_true": logp.gather(-1, y[:, None])[:, 0].float().numpy(),
        "p_top": top.values.float().numpy(),
        "p_square": p.square().sum(-1).float().numpy(),
    }


def joined(parts: Sequence[Columns]) -> pd.DataFrame:
    """One table of parts that have the same columns, row below row."""
    return pd.DataFrame({name: np.concatenate([part[name] for part in parts]) for name in parts[0]})


def correct(frame: pd.DataFrame) -> Array:
    """1 for each query that is right, else 0: (M,)."""
    return (frame["predicted"] == frame["label"]).to_numpy().astype(np.float64)


def _mean(values: Array, episodes: int) -> Array:
    return values.reshape(episodes, -1).mean(1, keepdims=True)


def _first(mean: Array) -> Array:
    return mean[..., 0]


def _bins(frame: pd.DataFrame, episodes: int) -> Array:
    confidence = frame["p_top"].to_numpy().astype(np.float64)
    gap = correct(frame) - confidence
    index = np.minimum((confidence * BINS).astype(int), BINS - 1)
    table = np.zeros((len(frame), BINS))
    table[np.arange(len(frame)), index] = gap
    return table.reshape(episodes, -1, BINS).mean(1)


accuracy = Metric(
    "accuracy", lambda f, e: _mean(correct(f), e), _first, True, True, "Share of queries that are right.", most=1.0
)
nll = Metric(
    "nll",
    lambda f, e: _mean(-f["logp_true"].to_numpy().astype(np.float64), e),
    _first,
    False,
    True,
    "Negative log-likelihood −log p_y, in nats.",
)
brier = Metric(
    "brier",
    lambda f, e: _mean(1 - 2 * np.exp(f["logp_true"].to_numpy().astype(np.float64)) + f["p_square"].to_numpy(), e),
    _first,
    False,
    True,
    "Brier score Σ_k (p_k − 1[k = y])², between 0 and 2.",
    paper="Brier 1950, Verification of forecasts expressed in terms of probability",
    most=2.0,
)
ece = Metric(
    "ece",
    _bins,
    lambda mean: np.abs(mean).sum(-1),
    False,
    False,
    "Expected calibration error Σ_b (n_b/n) |acc_b − conf_b| over 15 bins of equal width, pooled over episodes.",
    paper="Guo et al. 2017, On calibration of modern neural networks, equation 5",
    most=1.0,
)
