"""Made-up results of any shape for the tests of the report: each accuracy is a function of where it was measured."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from robustmeta.config.components import Attack, component
from robustmeta.config.study import Study
from robustmeta.registry import register
from robustmeta.shifts.corruption import Corruption
from robustmeta.store.results import Outcome, Results
from robustmeta.study.sets import COLUMNS

Accuracy = Callable[[str, str, str, float], float]
CORRUPTIONS = {"case_noise": (1, 3, 5), "case_blur": (1, 3, 5)}
ATTACKS = {"case_attack": (0.05, 0.1, 0.2)}
TARGETS = ("new-characters", "new-style", "handwriting")


@component("case_attack")
class CaseAttack(Attack):
    """Attacks nothing."""

    steps: int = 10

    def perturb(self, classifier: Any, x: Any, y: Any, eps: float, rng: Any) -> Any:
        return x

    def passes(self, way: int) -> int:
        return 1


def case_noise(x: Any, level: object, rng: Any) -> Any:
    return x


register(
    "corruptions", "case_noise", Corruption("case_noise", case_noise, {"ink-28": (0.1, 0.2, 0.3, 0.4, 0.5)}, "noise")
)


def gentle(learner: str, target: str, shift: str, value: float) -> float:
    """A learner's accuracy falls with the strength; protonet leads, maml is last."""
    start = {"protonet": 0.96, "supervised": 0.94}.get(learner, 0.9)
    return max(0.05, start - 0.02 * TARGETS.index(target) - value * (2.5 if value < 1 else 0.06))


def case(
    accuracy: Accuracy = gentle,
    learners: Sequence[str] = ("maml", "protonet"),
    baselines: Sequence[str] = ("supervised",),
    targets: Sequence[str] = TARGETS,
    corruptions: Mapping[str, Sequence[int]] = CORRUPTIONS,
    attacks: Mapping[str, Sequence[float]] = ATTACKS,
    taskings: Mapping[str, Sequence[int]] = {},
    seeds: Sequence[int] = (0,),
    transductive: Sequence[str] = (),
    failures: Mapping[str, str] | None = None,
    half: float = 0.01,
) -> Results:
    """Results whose accuracies are ``accuracy`` ± ``half`` (a gain: ± half as much); NaN is a cell without result."""
    study = _study(learners, baselines, targets, corruptions, attacks, taskings, seeds)
    points = _points(study, accuracy, transductive, half)
    labels = [*learners, *baselines]
    return Results(
        study=study,
        digest="d" * 64,
        outcome=Outcome(planned=40, cached=4, computed=36, failures=failures or {}),
        points=points,
        seeds=pd.DataFrame(),
        sets=pd.DataFrame(columns=list(COLUMNS)),
        instances=pd.DataFrame(),
        training=pd.DataFrame(_training(labels, seeds)),
        tuning=pd.DataFrame(
            {
                "learner": n,
                "seed": s,
                "choice": f"penalty {p}",
                "val_accuracy": 0.9 - p / 10,
                "chosen": p == 0.1,
                "permutation_spread": 0.0125,
            }
            for n in labels
            for s in seeds
            for p in (0.1, 1.0)
        ),
        costs=pd.DataFrame(
            {"learner": n, "seed": s, "train_seconds": 12.5, "adapt_seconds_per_task": 0.01, "images": 150_000}
            | {"train_passes": 150_000, "evaluate_passes": 70_000}
            for n in labels
            for s in seeds
        ),
        protocol={"tasks": "600 episodes a target", "normalisation": "support"},
        versions={"robustmeta": "0.1.0", "torch": "2.14.1"},
        examples=_examples(points),
        cells={},
    )


def _study(
    learners: Sequence[str],
    baselines: Sequence[str],
    targets: Sequence[str],
    corruptions: Mapping[str, Sequence[int]],
    attacks: Mapping[str, Sequence[float]],
    taskings: Mapping[str, Sequence[int]],
    seeds: Sequence[int],
) -> Study:
    shifts: list[dict[str, Any]] = [
        {"corruption": "case_noise", "label": n, "severity": list(s)} for n, s in corruptions.items()
    ]
    shifts += [{"attack": "case_attack", "label": n, "eps": list(e), "episodes": 20} for n, e in attacks.items()]
    shifts += [{"tasking": "label_noise", "label": n, "severity": list(s)} for n, s in taskings.items()]
    known = ("maml", "reptile", "protonet", "supervised")
    return Study.model_validate(
        {
            "name": "case",
            "seeds": list(seeds),
            "sources": [{"name": "glyphs", "split": "train"}],
            "targets": [{"label": t, "name": "glyphs", "split": "test"} for t in targets],
            "budget": {"images": 150_000},
            "learners": [{"name": n if n in known else "protonet", "label": n} for n in learners],
            "baselines": [{"name": "supervised", "label": n} for n in baselines],
            "shifts": shifts,
        }
    )


def _points(study: Study, accuracy: Accuracy, transductive: Sequence[str], half: float) -> pd.DataFrame:
    baseline = study.baselines[0].label if study.baselines else ""
    places = [("clean", "query", "clean", 0.0)]
    places += [(p.label, p.place, p.axis, p.value) for e in study.shifts for p in e.points(study.images.size, 600)]
    metrics = {
        "accuracy": lambda a: a,
        "nll": lambda a: 2 * (1 - a),
        "brier": lambda a: 1 - a,
        "ece": lambda a: (1 - a) / 3,
    }
    rows: list[dict[str, Any]] = []
    for one in (*study.learners, *study.baselines):
        for target in study.targets:
            for shift, place, axis, value in places:
                for metric, scale in metrics.items():
                    mean = scale(accuracy(one.label, target.label, shift, value))
                    versus = baseline if one.label != baseline else ""
                    gain = mean - scale(accuracy(versus, target.label, shift, value)) if versus else math.nan
                    there = not math.isnan(mean)
                    rows.append(
                        {
                            "learner": one.label,
                            "role": "baseline" if one in study.baselines else "learner",
                            "family": one.method.family,
                            "source": "glyphs",
                            "target": target.label,
                            "shift": shift,
                            "shift_family": "",
                            "group": "",
                            "place": place,
                            "axis": axis,
                            "severity": value if axis == "severity" else math.nan,
                            "eps": value if axis == "eps" else math.nan,
                            "draws": math.nan,
                            "step": round(1000 * value) if axis == "eps" else int(value),
                            "metric": metric,
                            "mean": mean,
                            "low": mean - half,
                            "high": mean + half,
                            "n_episodes": (20 if axis == "eps" else 600) if there else 0,
                            "n_seeds": len(study.seeds) if there else 0,
                            "interval": ("episodes" if len(study.seeds) < 3 else "seeds x episodes") if there else "",
                            "transductive": one.label in transductive and there,
                            "baseline": versus,
                            "gain": gain,
                            "gain_low": gain - half / 2,
                            "gain_high": gain + half / 2,
                            "notes": "levels ink-28: ours, not a published table" if axis == "severity" else "",
                        }
                    )
    return pd.DataFrame(rows)


def _training(labels: Sequence[str], seeds: Sequence[int]) -> list[dict[str, Any]]:
    return [
        {"learner": n, "seed": s, "step": step, "images": 1500 * step}
        | {"loss": 1.6 / (1 + step / 20) + 0.05 * i, "val_accuracy": 0.6 + 0.003 * step if step % 20 == 0 else math.nan}
        for i, n in enumerate(labels)
        for s in seeds
        for step in range(2, 101, 2)
    ]


def _examples(points: pd.DataFrame) -> dict[tuple[str, str, int], Any]:
    clean = np.random.default_rng(0).integers(0, 256, (6, 1, 28, 28), dtype=np.uint8)
    places = points[["target", "shift", "step"]].drop_duplicates().itertuples(index=False, name=None)
    return {place: np.roll(clean, place[2], axis=-1) for place in places}
