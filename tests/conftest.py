"""Fixtures that every test may use. With ``CI=true`` nothing that needs data or a browser may skip."""

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


def unavailable(reason: str) -> None:
    """Skip a test, saying why; on CI that is a failure."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"may not skip on CI: {reason}")
    pytest.skip(reason)


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder of real test data."""
    folder = Path(os.environ.get("ROBUSTMETA_TEST_DATA", ROOT / ".." / "shared" / "data")).resolve()
    if not folder.is_dir():
        unavailable(f"no test data at {folder}; set ROBUSTMETA_TEST_DATA")
    return folder
