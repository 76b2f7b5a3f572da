"""A folder of images for the tests of ``robustmeta corrupt``."""

from pathlib import Path

import pytest
from corrupt_folders import FILES, save


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return save(tmp_path / "in", FILES)
