"""A study's results in MLflow: a projection of the records, which can be thrown away and written again.

Importing this package does not import MLflow; no other package of robustmeta does.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from robustmeta.store.results import Results

__all__ = ["Tracked", "TrackingError", "sync"]


class TrackingError(RuntimeError):
    """MLflow cannot be written or served; the records are not concerned. The message says what to do."""


@dataclass(frozen=True)
class Tracked:
    """Where MLflow has a study.

    Attributes:
        tracking_uri, experiment_id: the store and the study's experiment in it. run_id: the run that holds the report.
        curves, table, report: what follows ``http://host:port/`` in the links to the saved views and to the report.
    """

    tracking_uri: str
    experiment_id: str
    run_id: str
    curves: str
    table: str
    report: str


def sync(results: Results, root: Path, artifacts: Mapping[str, Path]) -> Tracked:
    """Make MLflow show exactly these results; doing so again changes nothing.

    The store is ``root/mlflow.db`` with ``root/artifacts`` beside it, or what MLFLOW_TRACKING_URI names.
    ``artifacts`` maps names such as report.html to files, which the report run keeps.

    Raises:
        TrackingError: the store cannot be reached or written.
    """
    from robustmeta.tracking.client import tame

    tame()
    from robustmeta.tracking.write import write  # imports MLflow, which takes seconds

    return write(results, root, artifacts)
