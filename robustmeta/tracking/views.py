"""How MLflow's page of a study looks: saved views, the note above them, and links. These are internals of MLflow 3."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from robustmeta.config.attacking import over_steps
from robustmeta.config.study import Study
from robustmeta.store.results import Results
from robustmeta.tracking.curves import SUMMARIES

CURVES, TABLE, SEEDS = "robustmeta-curves", "robustmeta-table", "robustmeta-seeds"
"""Keys of the saved views."""

VIEW_TAG = "mlflow.sharedViewState."
NOTE_TAG = "mlflow.note.content"
NESTED = "training runs of single seeds, nested"


def curves_link(experiment: str) -> str:
    """The chart view: a line a learner."""
    return f"{_runs(experiment)}&viewStateShareKey={CURVES}&compareRunsMode=CHART"


def table_link(experiment: str) -> str:
    """The table of learners, the most robust first."""
    return f"{_runs(experiment)}&viewStateShareKey={TABLE}"


def report_link(experiment: str, run: str) -> str:
    """The report, as the page of its run shows it."""
    return f"#/experiments/{experiment}/runs/{run}/artifacts/report.html?workflowType=machine_learning"


def _runs(experiment: str) -> str:
    # without the type of work MLflow opens on empty charts of language-model traces
    return f"#/experiments/{experiment}/runs?workflowType=machine_learning"


def views(study: Study, keys: Iterable[str], created: int) -> dict[str, str]:
    """The experiment's tags that make the saved views, for metrics of these names; ``created`` in milliseconds.

    The curves are those of the learner runs, not groups of seed runs: MLflow gives two groups the same colour.
    """
    targets = [f"acc/{target.label}" for target in study.targets]
    others = sorted({key.rpartition("/")[0] for key in keys} - set(targets))
    sections = [_section(name, True) for name in targets] + [_section(name, False) for name in others]
    learners = {"groupBy": None, **_state("learner", sections)}
    seeds = {"groupBy": BY_LEARNER, **_state("seed", sections)}
    return {
        VIEW_TAG + CURVES: _view("Robustness curves", created, learners),
        VIEW_TAG + TABLE: _view("Results by learner", created, learners),
        VIEW_TAG + SEEDS: _view("Spread over seeds", created, seeds),
    }


BY_LEARNER = {"aggregateFunction": "average", "groupByKeys": [{"mode": "param", "groupByData": "learner"}]}
COLUMNS = [*(f"metrics.`summary/{name}`" for name in SUMMARIES), "params.`method`", "params.`adaptation`"]


def _view(name: str, created: int, state: Mapping[str, Any]) -> str:
    return json.dumps({"name": name, "createdAt": created, "updatedAt": created, "state": json.dumps(state)})


def _section(name: str, display: bool) -> dict[str, Any]:
    # two charts a row: with three, the titles are cut before they tell the charts apart
    return {"uuid": f"robustmeta-{name}", "name": name, "display": display, "isReordered": True, "columns": 2}


def _state(kind: str, sections: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "searchFilter": f"tags.`robustmeta.kind` = '{kind}'",
        "orderByKey": "metrics.`summary/corrupted_acc`",
        "orderByAsc": False,
        "startTime": "ALL",
        "lifecycleFilter": "Active",
        "datasetsFilter": [],
        "modelVersionFilter": "All Runs",
        "selectedColumns": COLUMNS,
        "columnOrder": ["attributes.`Run Name`", *COLUMNS, "runDateAndNestInfo", "duration"],
        "columnWidths": dict.fromkeys(COLUMNS, 170),
        "runsHiddenMode": "SHOW_ALL",
        "compareRunCharts": [],
        "isAccordionReordered": True,
        "compareRunSections": sections,
    }


def note(results: Results, experiment: str, report: str) -> str:
    """The text above the study's runs; its first line shows even while the rest is folded."""
    links = {"Robustness curves": curves_link(experiment), "Results by learner": table_link(experiment)}
    links["Report"] = report_link(experiment, report)
    lines = [" · ".join(f"[{text}]({link})" for text, link in links.items())]
    lines.append(
        "`acc/<target>/<shift>` is the accuracy in that domain under that shift. MLflow calls the axis Step: "
        "it is the severity, 1 to 5, 1000 × eps of an attack, or how many supports are drawn; 0 is clean. "
        "The menu of saved views also has the spread over seeds."
    )
    if over_steps(results.study.shifts):
        lines.append("`steps/<target>/<attack>-eps-<eps>` is the accuracy by the number of steps of an attack.")
    if len(results.certificates):
        lines.append(
            "`certified/<target>/<certificate>-sigma-<sigma>` is the share of queries that are right within a radius "
            "in L2; Step is 1000 × radius there, and 1000 × sigma of `smoothed_accuracy`, `abstained`, `mean_radius`."
        )
    lines.append("\n".join(f"- `summary/{name}`: {text}" for name, text in SUMMARIES.items()))
    lines.append("\n".join(f"- {name}: {text}" for name, text in results.protocol.items()))
    lines.append(f"Written by `robustmeta sync` from the records. Digest of the study: `{results.digest[:12]}`.")
    return "\n\n".join(lines)
