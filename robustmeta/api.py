"""What one can do with a study, from Python. The only place that joins configuration, study, report and tracking.

>>> from robustmeta import api
>>> study = api.load_study("experiments/smoke.yaml")  # doctest: +SKIP
>>> results = api.run(study)  # doctest: +SKIP
>>> results.points.query("metric == 'accuracy' and shift == 'clean'")  # doctest: +SKIP
"""

import logging
import tempfile
from dataclasses import dataclass
from pathlib import Path

import yaml

from robustmeta.config.load import load_study
from robustmeta.config.study import Study
from robustmeta.report.page import write
from robustmeta.report.tables import tables
from robustmeta.store.cells import Store
from robustmeta.store.results import Outcome, Results
from robustmeta.study.data import Data
from robustmeta.study.distributed import leads
from robustmeta.study.execute import Executor, Progress, Silent, execute
from robustmeta.study.flags import failing
from robustmeta.study.gather import gather
from robustmeta.study.plan import Plan
from robustmeta.study.plan import plan as make_plan
from robustmeta.tracking import Tracked, TrackingError
from robustmeta.tracking import sync as track

__all__ = ["ROOT", "Finished", "leads", "load_study", "plan", "report", "results", "run", "sync"]

ROOT = Path("mlruns")
log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Finished:
    """A study that has run: its results, and where MLflow has them (None if the server could not be reached).

    ``flagged``: a line for each honesty flag that warns and that the study is to fail on.
    """

    results: Results
    tracked: Tracked | None
    warning: str = ""
    flagged: tuple[str, ...] = ()


def plan(study: Study, root: Path = ROOT) -> Plan:
    """What a run would do: its cells, which of them are there, and the images that each sends forward."""
    return make_plan(study, Store(root / "store"), Data(study.images))


def run(
    study: Study, root: Path = ROOT, progress: Progress | None = None, executor: Executor | None = None
) -> Finished:
    """Compute the cells that are missing, and bring MLflow up to date.

    Of several processes that torchrun has started, all call it; the others help the one that ``leads`` to train, and
    return what was there by then.

    Raises:
        StudyError: the study cannot be done. DataError: data is missing or broken. StoreError: the disk is.
    """
    store, data = Store(root / "store"), Data(study.images)
    planned = make_plan(study, store, data)
    outcome = execute(planned, store, data, progress or Silent(), executor)
    found = gather(planned, store, outcome)
    if not leads():
        return Finished(found, None)
    flagged = tuple(failing(found.flags, study.flags.fail_on))
    try:
        return Finished(found, _track(found, root), flagged=flagged)
    except TrackingError as error:
        return Finished(found, None, str(error), flagged)


def results(study: Study, root: Path = ROOT) -> Results:
    """What the store holds of a study; nothing is computed."""
    store = Store(root / "store")
    planned = make_plan(study, store, Data(study.images))
    missing = {w.name: "not computed yet" for w in planned.work if w.cell.key not in planned.cached}
    return gather(planned, store, Outcome(len(planned.keys), len(planned.cached), 0, missing))


def sync(study: Study, root: Path = ROOT) -> Tracked:
    """Bring MLflow up to date with the store; nothing is computed, nothing is doubled.

    Raises:
        TrackingError: the tracking server does not answer. The records are safe.
    """
    return _track(results(study, root), root)


def report(study: Study, out: Path, root: Path = ROOT) -> Path:
    """Write the report of a study as one HTML file."""
    out.parent.mkdir(parents=True, exist_ok=True)
    write(results(study, root), out)
    return out


def _track(found: Results, root: Path) -> Tracked:
    with tempfile.TemporaryDirectory() as folder:
        files = {"report.html": Path(folder) / "report.html", "study.yaml": Path(folder) / "study.yaml"}
        write(found, files["report.html"])
        resolved = found.study.model_dump(mode="json", exclude_none=True)
        files["study.yaml"].write_text(yaml.safe_dump(resolved, sort_keys=False, allow_unicode=True))
        for name, text in tables(found).items():
            files[name] = Path(folder) / name
            files[name].write_text(text)
        return track(found, root, files)
