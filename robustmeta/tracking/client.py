"""MLflow's client, tamed: no telemetry, no chatter, and an answer within seconds where a server is down."""

import os
import sqlite3
import warnings
from collections.abc import Generator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from robustmeta.tracking import TrackingError

if TYPE_CHECKING:
    from mlflow import MlflowClient

ENVIRONMENT = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_LOGGING_LEVEL": "WARNING",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
}
"""What is set before MLflow is imported, unless the user has set it."""


def tame() -> None:
    """Set the environment of MLflow; to be called before it is imported."""
    for name, value in ENVIRONMENT.items():
        os.environ.setdefault(name, value)


def tracking_uri(root: Path) -> str:
    """Where runs are kept: what MLFLOW_TRACKING_URI says, else a database in the folder of results."""
    return os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{(root / 'mlflow.db').resolve()}"


def artifact_location(root: Path, study: str) -> str | None:
    """Where a study's artifacts are kept; None leaves it to the store that MLFLOW_TRACKING_URI names."""
    if os.environ.get("MLFLOW_TRACKING_URI"):
        return None
    return (root / "artifacts" / study).resolve().as_uri()


def _expect_writable(root: Path) -> None:
    """Fail at once where MLflow would try for minutes to open its database."""
    root.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(root / "mlflow.db", timeout=20)) as database:
        database.execute("BEGIN IMMEDIATE")


@contextmanager
def connect(root: Path) -> Generator["MlflowClient"]:
    """A client of the store.

    Raises:
        TrackingError: instead of what MLflow, its database or the network raise within.
    """
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException
    from sqlalchemy.exc import SQLAlchemyError

    uri = tracking_uri(root)
    try:
        if not os.environ.get("MLFLOW_TRACKING_URI"):
            _expect_writable(root)
        with warnings.catch_warnings():
            # no user of ours can act on what MLflow's own code is warned of
            warnings.simplefilter("ignore", DeprecationWarning)
            yield MlflowClient(uri)
    except (MlflowException, SQLAlchemyError, sqlite3.Error, OSError) as error:
        reason = str(error).strip().partition("\n")[0]
        raise TrackingError(
            f"MLflow at {uri} cannot be written: {reason}. The records are safe; "
            "when it answers again, `robustmeta sync STUDY` brings it up to date."
        ) from error
