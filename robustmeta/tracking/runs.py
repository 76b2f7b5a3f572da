"""What MLflow's runs of a study hold: one a learner, one a seed below it, one for the report."""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from robustmeta.config.study import Learner, Placed, Study
from robustmeta.store.palette import colours
from robustmeta.store.results import Results
from robustmeta.tracking.curves import (
    Point,
    accuracies,
    certificates,
    curves,
    instances,
    set_summary,
    spent,
    spread,
    stability,
    step_curves,
    summary,
    training,
)
from robustmeta.tracking.flags import flag_tags

REPORT, LEARNER, SEED = "report", "learner", "seed"


@dataclass(frozen=True)
class Run:
    """One run; ``start`` and ``end`` in milliseconds, 0 if nothing was measured. ``seed`` is "" but for seed runs."""

    kind: str
    name: str
    tags: Mapping[str, str]
    start: int
    end: int
    learner: str = ""
    seed: str = ""
    params: Mapping[str, str] = field(default_factory=dict[str, str])
    points: tuple[Point, ...] = ()

    @property
    def failed(self) -> bool:
        """Whether cells of it have no result."""
        return INCOMPLETE in self.tags

    def content(self) -> str:
        """A hash of what MLflow does not allow to change later."""
        data = [sorted(self.params.items()), [(p.key, p.step, p.value, p.time) for p in sorted(self.points)]]
        return hashlib.sha256(json.dumps(data).encode()).hexdigest()


INCOMPLETE = "robustmeta.incomplete"
DIVERGED = "diverged"


def report_run(results: Results) -> Run:
    """The run that keeps the report."""
    return Run(REPORT, "report", _tags(results, REPORT) | flag_tags(results), *_span(results))


def _span(results: Results, learner: str | None = None, seed: int | None = None) -> tuple[int, int]:
    """When the first and the last of the measurements ended, in milliseconds; 0 if there is none."""
    columns = results.seeds[["learner", "seed", "time"]].itertuples(index=False, name=None)
    times = [round(1000 * t) for label, of, t in columns if learner in (None, label) and seed in (None, of)]
    return min(times, default=0), max(times, default=0)


def learner_runs(results: Results) -> Iterator[tuple[Run, list[Run]]]:
    """Each learner's run, in the order of the study, with its seeds' runs."""
    study = results.study
    roles = {entry.label: "learner" for entry in study.learners} | {b.label: "baseline" for b in study.baselines}
    colour = colours(roles)
    for learner in (*study.learners, *study.baselines):
        label = learner.label
        params = {"role": roles[label], **describe(learner, study)}
        tags = {"robustmeta.learner": label, "mlflow.runColor": colour[label]}
        yield _learner(results, label, tags, params), [_seed(results, label, s, tags, params) for s in study.seeds]


def _learner(results: Results, label: str, tags: dict[str, str], params: dict[str, str]) -> Run:
    rows = accuracies(results, label)
    tags = _tags(results, LEARNER) | tags | flag_tags(results, label) | _incomplete(results, label, r"-?\d+")
    params = params | {"seeds": " ".join(map(str, results.study.seeds))}
    latest = _span(results, label)[1]
    whole = set_summary(results, label, latest) + stability(results, label, latest) + instances(results, label, latest)
    whole += certificates(results, label, latest)
    whole += step_curves(rows, results.study)
    points = curves(rows, results.study) + summary(rows) + spread(results, label, latest) + whole
    return Run(LEARNER, label, tags, *_span(results, label), label, "", params, tuple(points))


def _seed(results: Results, label: str, seed: int, tags: dict[str, str], params: dict[str, str]) -> Run:
    rows, (start, end) = accuracies(results, label, seed), _span(results, label, seed)
    tags = _tags(results, SEED) | tags | flag_tags(results, label, seed)
    tags |= {"robustmeta.seed": str(seed)} | _incomplete(results, label, str(seed))
    params = params | {"seed": str(seed)} | _chosen(results, label, seed)
    points = curves(rows, results.study) + summary(rows) + spread(results, label, end, seed)
    points += step_curves(rows, results.study)
    points += training(results, label, seed, start) + instances(results, label, end, seed)
    points += spent(results, label, seed, start)
    return Run(SEED, f"{label} seed {seed}", tags, start, end, label, str(seed), params, tuple(points))


def _tags(results: Results, kind: str) -> dict[str, str]:
    return {
        "robustmeta.kind": kind,
        "robustmeta.study": results.study.name,
        "robustmeta.digest": results.digest,
    }


def _incomplete(results: Results, label: str, seed: str) -> dict[str, str]:
    """Tags for cells without a result; a cell is called ``<kind> <learner> seed <seed> ...``."""
    ours = re.compile(rf"\w+ {re.escape(label)} seed {seed}( |$)")
    mine = {name: reason for name, reason in results.outcome.failures.items() if ours.match(name)}
    if not mine:
        return {}
    first = next(iter(mine))
    tags = {INCOMPLETE: f"{len(mine)} cells without a result; the first: {first}: {mine[first]}"[:5000]}
    diverged = any("finite loss" in reason or "diverged" in reason for reason in mine.values())
    return tags | ({DIVERGED: "true"} if diverged else {})


def _chosen(results: Results, learner: str, seed: int) -> dict[str, str]:
    if len(results.tuning) == 0:
        return {}
    rows = results.tuning[["learner", "seed", "choice", "chosen"]].itertuples(index=False, name=None)
    found = [choice for label, of, choice, chosen in rows if chosen and (label, of) == (learner, seed)]
    return {"tuned": found[0]} if found else {}


SELECTION = {"target_oracle": "target_oracle (no one can select like this in practice)"}


def describe(learner: Learner, study: Study) -> dict[str, str]:
    """A learner's choices as flat text: ``learner``, ``method``, ``adaptation``, then every field by its path."""
    method = learner.method.model_dump(mode="json")
    adapt = learner.adapt.model_dump(mode="json")
    head = {"learner": learner.label, "method": method.pop("name"), "adaptation": adapt.pop("name")}
    head |= {"family": learner.method.family, "backbone": study.backbone.name, "budget": str(study.budget)}
    head |= {"training": str(study.training), "augmentation": study.training.augmentation}
    head |= {"selection": SELECTION.get(study.validation.select, study.validation.select)}
    return head | dict(_flat(method)) | dict(_flat(adapt, "adapt.")) | dict(_flat({"tune": learner.tune}))


def _flat(fields: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for key, value in fields.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{key}.")
        elif value is not None:
            yield prefix + key, value if isinstance(value, str) else json.dumps(value)


@dataclass(frozen=True)
class DataSet:
    """A data set that a run names; ``digest`` tells two of the same name apart."""

    name: str
    digest: str
    origin: str
    context: str


def data_sets(study: Study) -> list[DataSet]:
    """The targets, then the sources: MLflow shows the first."""
    places = [(t, "evaluation") for t in study.targets] + [(s, "training") for s in study.sources]
    return [_data_set(target, context) for target, context in places]


def _data_set(target: Placed, context: str) -> DataSet:
    origin = json.dumps(target.source.identity(), sort_keys=True)
    return DataSet(target.label, hashlib.sha256(origin.encode()).hexdigest()[:12], origin, context)
