"""Clusters that are open for several runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from loadlab.errors import UsageError
from loadlab.run.opening import open_cluster
from loadlab.run.progress import SilentObserver
from loadlab.run.runner import RunOptions
from loadlab.scenario import load_document

if TYPE_CHECKING:
    from pathlib import Path


def test_a_cluster_whose_block_has_ended_is_told_to_be_closed(tmp_path: Path) -> None:
    producer = {"topic": "orders", "schedule": {"rate": 100}, "records": {"size": 100}}
    loaded = load_document(
        {
            "name": "closed",
            "cluster": {"provider": "embedded"},
            "topics": {"orders": {}},
            "producers": {"checkout": producer},
        }
    )
    with open_cluster(loaded, RunOptions(tmp_path), SilentObserver()) as opened:
        opened.require_alive()
    with pytest.raises(UsageError, match="the cluster is closed"):
        opened.require_alive()
