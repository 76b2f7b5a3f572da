"""Made-up results of a small study, for tests of what only reads results. No number here was ever measured."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from robustmeta.config.study import Study
from robustmeta.store.results import Outcome, Results
from robustmeta.study.sets import COLUMNS

METRICS = ("accuracy", "nll", "brier", "ece")
TIME = 1_700_000_000.0


def make_study(
    seeds: Sequence[int] = (0, 1),
    learners: Sequence[str] = ("maml", "protonet"),
    baselines: Sequence[str] = ("supervised",),
    targets: Sequence[str] = ("new-characters", "handwriting"),
    severities: Sequence[int] = (1, 3, 5),
    eps: Sequence[float] = (0.05, 0.1),
    name: str = "made",
) -> Study:
    """A study whose learners and baselines are named by their method."""
    shifts: list[dict[str, Any]] = []
    if severities:
        shifts.append({"corruption": "gaussian_noise", "severity": list(severities)})
    if eps:
        shifts.append({"attack": "pgd", "eps": list(eps), "steps": 3, "episodes": 20})
    return Study.model_validate(
        {
            "name": name,
            "seeds": list(seeds),
            "sources": [{"name": "glyphs", "split": "train"}],
            "targets": [{"label": t, "name": "glyphs", "split": "test"} for t in targets],
            "evaluation": {"episodes": 100},
            "budget": {"images": 1000},
            "learners": [{"name": n} for n in learners],
            "baselines": [{"name": n} for n in baselines],
            "shifts": shifts,
        }
    )


def make_results(
    seeds: Sequence[int] = (0, 1),
    learners: Sequence[str] = ("maml", "protonet"),
    baselines: Sequence[str] = ("supervised",),
    targets: Sequence[str] = ("new-characters", "handwriting"),
    severities: Sequence[int] = (1, 3, 5),
    eps: Sequence[float] = (0.05, 0.1),
    name: str = "made",
) -> Results:
    """Results of ``make_study`` of the same arguments: every curve falls with its step; learners and seeds differ."""
    study = make_study(seeds, learners, baselines, targets, severities, eps, name)
    shifts = [
        ("clean", "clean", 0.0),
        *(("gaussian_noise", "severity", float(s)) for s in severities),
        *(("pgd", "eps", float(e)) for e in eps),
    ]
    labels = [*learners, *baselines]
    measured: list[dict[str, Any]] = []
    for i, learner in enumerate(labels):
        for seed in seeds:
            for j, target in enumerate(targets):
                for shift, axis, value in shifts:
                    step = round(1000 * value) if axis == "eps" else int(value)
                    fall = 0.004 * step if axis == "eps" else 0.05 * step
                    accuracy = 0.91 - 0.05 * i - 0.08 * j - 0.01 * seed - fall
                    where = {"learner": learner, "seed": seed, "target": target, "shift": shift, "axis": axis}
                    for metric in METRICS:
                        mean = accuracy if metric == "accuracy" else 1 - accuracy
                        time = TIME + 60 * i + 10 * seed
                        measured.append({**where, "step": step, "metric": metric, "mean": mean, "time": time})
    per_seed = pd.DataFrame(measured)
    return Results(
        study=study,
        digest="d" * 64,
        outcome=Outcome(planned=10, cached=4, computed=6, failures={}),
        points=_points(per_seed, learners, baselines),
        seeds=per_seed,
        sets=pd.DataFrame(columns=list(COLUMNS)),
        instances=pd.DataFrame(),
        training=_training(labels, seeds),
        tuning=_tuning(labels, seeds),
        costs=_costs(labels, seeds),
        protocol={"tasks": "100 episodes a target, 5-way 5-shot", "budget": "1,000 images"},
        versions={"robustmeta": "0.1.0", "torch": "2.14.1"},
        examples=_examples(targets, shifts),
        cells={"c" * 64: {"kind": "evaluate", "what": f"evaluate {labels[0]} seed 0 {targets[0]} clean"}},
    )


def _points(seeds: pd.DataFrame, learners: Sequence[str], baselines: Sequence[str]) -> pd.DataFrame:
    baseline = baselines[0] if baselines else ""
    keys = ["learner", "target", "shift", "axis", "step", "metric"]
    means = seeds.groupby(keys, sort=False)["mean"].mean()
    rows: list[dict[str, Any]] = []
    for key, mean in means.items():
        learner, target, shift, axis, step, metric = key
        other = means.get((baseline, target, shift, axis, step, metric), math.nan)
        versus = baseline if learner != baseline else ""
        gain = mean - other if versus else math.nan
        rows.append(
            {
                "learner": learner,
                "role": "learner" if learner in learners else "baseline",
                "family": "gradient" if learner == "maml" else "metric" if learner == "protonet" else "transfer",
                "source": "glyphs",
                "target": target,
                "shift": shift,
                "shift_family": "",
                "group": "",
                "place": "query",
                "axis": axis,
                "severity": float(step) if axis == "severity" else math.nan,
                "eps": step / 1000 if axis == "eps" else math.nan,
                "draws": step if axis == "draws" else math.nan,
                "step": step,
                "metric": metric,
                "mean": mean,
                "low": mean - 0.02,
                "high": mean + 0.02,
                "n_episodes": 20 if axis == "eps" else 100,
                "n_seeds": seeds["seed"].nunique(),
                "interval": "seeds x episodes" if seeds["seed"].nunique() > 2 else "episodes",
                "transductive": False,
                "baseline": versus,
                "gain": gain,
                "gain_low": gain - 0.01,
                "gain_high": gain + 0.01,
                "notes": "severity table ink-28 is ours" if axis == "severity" else "",
            }
        )
    return pd.DataFrame(rows)


def _training(labels: Sequence[str], seeds: Sequence[int]) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {
                "learner": learner,
                "seed": seed,
                "step": step,
                "images": 10 * step,
                "loss": 2.0 / step + 0.1 * seed,
                "rate": 0.003 * (1 - step / 100),
                "gradient_norm": 1.0 + 1.0 / step,
                "val_accuracy": 0.5 + 0.004 * step if step % 50 == 0 else math.nan,
            }
            for learner in labels
            for seed in seeds
            for step in range(10, 101, 10)
        ]
    )


def _tuning(labels: Sequence[str], seeds: Sequence[int]) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {
                "learner": n,
                "seed": s,
                "choice": f"penalty {p}",
                "val_accuracy": 0.8 - p / 10,
                "chosen": p == 0.1,
                "permutation_spread": math.nan,
            }
            for n in labels
            for s in seeds
            for p in (0.1, 1.0)
        ]
    )


def _costs(labels: Sequence[str], seeds: Sequence[int]) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {"learner": n, "seed": s, "train_seconds": 12.5, "adapt_seconds_per_task": 0.01, "images": 1000}
            | {"validation_seconds": 2.5}
            | {"train_passes": 1500, "evaluate_passes": 70_000}
            for n in labels
            for s in seeds
        ]
    )


def _examples(
    targets: Sequence[str], shifts: Sequence[tuple[str, str, float]]
) -> dict[tuple[str, str, int], NDArray[np.uint8]]:
    rng = np.random.default_rng(0)
    out: dict[tuple[str, str, int], NDArray[np.uint8]] = {}
    for target in targets:
        clean = rng.integers(0, 256, (6, 1, 28, 28), dtype=np.uint8)
        for shift, axis, value in shifts:
            step = round(1000 * value) if axis == "eps" else int(value)
            out[target, shift, step] = np.minimum(clean, 255 - step).astype(np.uint8)
    return out
