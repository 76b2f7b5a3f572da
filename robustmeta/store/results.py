"""What a study found, as tables: the only thing that tracking and report read."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from robustmeta.config.study import Study

CURVE = ("learner", "target", "shift")
"""What names a curve; its points are ordered by ``step``."""


FLAG_COLUMNS = ("learner", "seed", "target", "shift", "step", "eps", "flag", "status", "value", "text")


CERTIFICATE_COLUMNS = (
    *("learner", "target", "shift", "sigma", "measure", "radius", "mean", "low", "high"),
    *("n_episodes", "n_seeds", "interval", "transductive", "confidence"),
)


def no_certificates() -> pd.DataFrame:
    """The certificates of a study without any."""
    return pd.DataFrame(columns=list(CERTIFICATE_COLUMNS))


def no_flags() -> pd.DataFrame:
    """The honesty flags of a study without attacks."""
    return pd.DataFrame(columns=list(FLAG_COLUMNS))


@dataclass(frozen=True)
class Outcome:
    """What one invocation did to the cells of a study. ``failures`` maps the name of a failed cell to its reason."""

    planned: int
    cached: int
    computed: int
    failures: Mapping[str, str]


@dataclass(frozen=True, eq=False)
class Results:
    """The records of a study, aggregated.

    Attributes:
        digest: what identifies the study: its labels and the keys of its cells.
        points: a row per learner, target, point of a shift and metric, over all seeds. Columns: learner, role (learner
            or baseline), family, source, target, shift, shift_family, group (the set that it belongs to, "" if none),
            place, axis ("clean", "severity", "eps", "frames" or "draws"), severity, eps, draws (each NaN if none), step
            (int: the severity, round(1000 eps), draws, 0 = clean), metric (accuracy, nll, brier, ece; of a sequence
            flip_rate), mean, low, high (95%), n_episodes, n_seeds, interval ("episodes" or "seeds x episodes"),
            transductive (bool), baseline (its label, "" if none), gain, gain_low, gain_high (mean minus baseline's,
            paired; NaN if none), notes (text that must stand wherever the number does, "" if none). The clean point of
            a target has shift "clean" and stands once; every curve starts from it. Where several attacks have one norm
            and eps, a curve of shift_family "ensemble" has the share of queries that are right under all of them.
        seeds: the same per seed: learner, seed, target, shift, axis, step, metric, mean, time (of the cell, epoch s).
        sets: a row per learner, target, measured set and measure, over all seeds: learner, target, group (the set's
            label), measure (mean_accuracy; for the benchmark mce and relative_mce against ``baseline``; of sequences
            flip_rate and mfr), mean, low, high, interval, baseline, n_shifts.
        training: a row per logged step: learner, seed, step, images, loss, rate (of the outer optimiser), gradient_norm
            (as it came), val_accuracy (NaN between checks; under target_oracle it is of the targets).
        tuning: a row per tried choice: learner, seed, choice (text), val_accuracy, chosen (bool),
            permutation_spread (of the chosen: standard deviation of accuracy over permutations of classes and support).
        instances: a row per learner that reads images one by one, seed and k: learner, seed, way, instance (k),
            accuracy (at the k-th image of a class in sequences of held-out source classes, before its label is shown).
        costs: a row per learner and seed: train_seconds, validation_seconds, adapt_seconds_per_task, images,
            train_passes, gradient_passes (images sent backward in training, those of an adversary among them),
            validation_passes, centre_passes, evaluate_passes, flag_passes (of these, for flags).
        protocol: facts that hold for the whole study, name -> text.
        versions: package -> version.
        examples: (target, shift, step) -> uint8 (k, C, H, W), the same drawings under every shift; shift "clean" first.
        cells: key -> what the cell is, for provenance.
        flags: a row per result under an attack and honesty flag: learner, seed, target, shift, step, eps, flag (its
            name in ``config.flags``), status ("pass", "warn" or "not run"), value (NaN where it did not run), text.
        certificates: a row per learner, target, certificate (shift), sigma of its noise and measure, over all seeds:
            certified_accuracy at each ``radius`` in L2 (share of queries right with that radius or more), and without
            a radius (NaN): smoothed_accuracy, abstained (shares of the smoothed prediction) and mean_radius (0 where
            wrong); mean, low, high (95%), n_episodes, n_seeds, interval, transductive as of points; confidence, with
            which the radius of a query holds.
    """

    study: Study
    digest: str
    outcome: Outcome
    points: pd.DataFrame
    seeds: pd.DataFrame
    sets: pd.DataFrame
    training: pd.DataFrame
    tuning: pd.DataFrame
    instances: pd.DataFrame
    costs: pd.DataFrame
    protocol: Mapping[str, str]
    versions: Mapping[str, str]
    examples: Mapping[tuple[str, str, int], NDArray[np.uint8]]
    cells: Mapping[str, Mapping[str, Any]]
    flags: pd.DataFrame = field(default_factory=no_flags)
    certificates: pd.DataFrame = field(default_factory=no_certificates)
