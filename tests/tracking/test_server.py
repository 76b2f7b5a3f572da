"""The server's ways to fail; it runs in ``tests/e2e/test_mlflow_ui.py``."""

import os
import signal
import socket
import time
from pathlib import Path

import pytest

from robustmeta.tracking import TrackingError, server
from robustmeta.tracking.server import serve


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    (tmp_path / "mlflow.db").touch()
    return tmp_path


def test_nothing_to_show(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    with pytest.raises(TrackingError, match=r"no runs yet; `robustmeta run STUDY`"), serve(tmp_path, 5000):
        pass
    assert not list(tmp_path.iterdir())


def test_a_taken_port(root: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(TrackingError, match=rf"port {port} .*--port"), serve(root, port):
            pass


def test_a_remote_server_that_is_down(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:1")
    with pytest.raises(TrackingError, match="does not answer"), serve(tmp_path, 5000):
        pass


def test_a_server_that_ends_at_once_says_why(root: Path, free_port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = root / "python"
    fake.write_text("#!/bin/sh\necho the reason\nexit 1\n")
    fake.chmod(0o755)
    monkeypatch.setattr(server.sys, "executable", str(fake))
    with pytest.raises(TrackingError, match="did not start:\nthe reason"), serve(root, free_port):
        pass


def test_the_whole_group_ends_even_if_it_will_not(root: Path, free_port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = root / "python"
    fake.write_text(f"#!/bin/sh\ntrap '' TERM\n(trap '' TERM; sleep 60) &\necho $! > {root}/child\nwait\n")
    fake.chmod(0o755)
    monkeypatch.setattr(server.sys, "executable", str(fake))
    monkeypatch.setattr(server, "STARTING", 1.0)
    monkeypatch.setattr(server, "ENDING", 0.3)
    with pytest.raises(TrackingError, match="did not start"), serve(root, free_port):
        pass
    child = int((root / "child").read_text())
    deadline = time.monotonic() + 5
    while _alive(child) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not _alive(child)


def _alive(pid: int) -> bool:
    stat = Path(f"/proc/{pid}/stat")
    return stat.exists() and stat.read_text().rpartition(")")[2].split()[0] != "Z"


@pytest.fixture
def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def test_sigterm_ends_as_ctrl_c_does() -> None:
    with pytest.raises(KeyboardInterrupt), server._ended_by(signal.SIGTERM):
        os.kill(os.getpid(), signal.SIGTERM)
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
