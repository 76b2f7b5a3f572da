"""MLflow's server, small: one worker, no jobs, its whole process group ended with it. Does not import MLflow."""

import json
import os
import shlex
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
import webbrowser
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

from robustmeta.tracking import TrackingError
from robustmeta.tracking.client import tracking_uri
from robustmeta.tracking.views import curves_link

HOST = "127.0.0.1"
ENVIRONMENT = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    "PYTHONWARNINGS": "ignore::UserWarning",
}
STARTING = 120.0
ENDING = 10.0
"""Seconds."""


@dataclass(frozen=True)
class Served:
    """A server that answers: its address, the link to the curves of each study (latest first), and how to start it."""

    url: str
    links: Mapping[str, str]
    command: str
    process: "subprocess.Popen[bytes] | None"


def ui(root: Path, port: int, open_browser: bool, say: Callable[[str], None]) -> None:
    """Serve the runs of a folder until Ctrl-C or SIGTERM; ``say`` is told the links.

    Raises:
        TrackingError: nothing to show, the port is taken, or the server does not start.
    """
    with _ended_by(signal.SIGTERM, signal.SIGHUP), serve(root, port) as served:
        for study, link in served.links.items():
            say(f"{study}: {link}")
        if not served.links:
            say(f"{served.url} (no study yet)")
        if open_browser:
            webbrowser.open(next(iter(served.links.values()), served.url))
        if served.process:
            say(f"the same without robustmeta: {served.command}\nCtrl-C ends the server")
            served.process.wait()


@contextmanager
def serve(root: Path, port: int) -> Generator[Served]:
    """A server for the length of a ``with`` block; where MLFLOW_TRACKING_URI names a server, that one.

    Raises:
        TrackingError: as ``ui``.
    """
    uri = tracking_uri(root)
    if uri.startswith(("http://", "https://")):
        yield Served(uri, curve_links(uri), "", None)
        return
    if uri.startswith("sqlite:///") and not Path(uri.removeprefix("sqlite:///")).exists():
        raise TrackingError(f"{uri.removeprefix('sqlite:///')}: no runs yet; `robustmeta run STUDY` makes some")
    _expect_free(port)
    options = ["--backend-store-uri", uri, "--host", HOST, "--port", str(port), "--workers", "1"]
    command = ["server", *options, "--uvicorn-opts", "--log-level warning"]
    url = f"http://{HOST}:{port}"
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "mlflow", *command],
            env=os.environ | ENVIRONMENT,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
        try:
            _wait(url, process)
            yield Served(url, curve_links(url), _plain(command), process)
        except _Ended:
            log.seek(0)
            tail = log.read().decode(errors="replace").strip()[-2000:]
            raise TrackingError(f"the MLflow server did not start:\n{tail}") from None
        finally:
            _end(process)


def _plain(command: list[str]) -> str:
    variables = " ".join(f"{k}={v}" for k, v in ENVIRONMENT.items())
    return f"{variables} {shlex.join(['mlflow', *command])}"


def _expect_free(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            raise TrackingError(f"port {port} cannot be used: {error.strerror}; choose another with --port") from None


class _Ended(Exception):
    """The server ended, or never answered."""


def _wait(url: str, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + STARTING
    while time.monotonic() < deadline and process.poll() is None:
        try:
            with urllib.request.urlopen(f"{url}/health", timeout=5):
                return
        except OSError:
            time.sleep(0.1)
    raise _Ended


def _end(process: "subprocess.Popen[bytes]") -> None:
    """End the group: the server's own end leaves a child behind if the parent is killed."""
    for sign in (signal.SIGTERM, signal.SIGKILL):
        try:
            os.killpg(process.pid, sign)
        except ProcessLookupError:
            break
        try:
            process.wait(ENDING)
        except subprocess.TimeoutExpired:
            continue


@contextmanager
def _ended_by(*signals: signal.Signals) -> Generator[None]:
    """Within, these signals end the program as Ctrl-C does, so that nothing is left running."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = {s: signal.signal(s, interrupt) for s in signals}
    try:
        yield
    finally:
        for s, handler in before.items():
            signal.signal(s, handler)


def curve_links(url: str) -> dict[str, str]:
    """Study -> link to its curves, the latest first, as the server at ``url`` has them.

    Raises:
        TrackingError: it does not answer.
    """
    query = {"max_results": 1000, "order_by": ["last_update_time DESC"], "filter": "tags.`robustmeta.study` LIKE '%'"}
    request = urllib.request.Request(
        f"{url}/api/2.0/mlflow/experiments/search",
        json.dumps(query).encode(),
        {"Content-Type": "application/json"},
    )
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            found: dict[str, Any] = json.load(answer)
    except OSError as error:
        raise TrackingError(f"the MLflow server at {url} does not answer: {error}") from error
    return {e["name"]: f"{url.rstrip('/')}/{curves_link(e['experiment_id'])}" for e in found.get("experiments", [])}
