"""The peer, or a skip that says why; on CI that is a failure."""

import pytest
from conftest import unavailable
from parity import peer


@pytest.fixture(scope="session")
def published() -> None:
    """The published program can be run."""
    try:
        peer.package()
    except ImportError as error:
        unavailable(f"no published program to compare with ({error}); .ci/parity installs it")
