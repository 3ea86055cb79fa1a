"""What unit tests share."""

from __future__ import annotations

import pytest

from loadlab.client.library import library_path
from loadlab.cluster.mock_process import MockCluster


@pytest.fixture(scope="session")
def mock() -> MockCluster:
    """librdkafka's mock brokers, in this process."""
    return MockCluster(library_path(), brokers=1, round_trip_ms=0)
