"""Fixtures that every test may use. With ``CI=true`` nothing that needs data or a browser may skip."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

if "PYTEST_XDIST_WORKER" in os.environ:  # one test a core: their threads would only wait for each other
    os.environ.setdefault("OMP_NUM_THREADS", "1")

from robustmeta import registry

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


@pytest.fixture
def fresh_plugins() -> Iterator[None]:
    """What a test registers is forgotten after it."""
    components, files = dict(registry._registered), dict(registry._plugin_files)
    yield
    for table, before in ((registry._registered, components), (registry._plugin_files, files)):
        table.clear()
        table.update(before)


@pytest.fixture(autouse=True, scope="session")
def _cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Made data sets are cached for the session, apart from the user's."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ROBUSTMETA_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield
