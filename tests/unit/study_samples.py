"""Studies for tests: the file of one, written and loaded."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from loadlab.tuning.study_file import load_study

if TYPE_CHECKING:
    from collections.abc import Mapping

    from loadlab.tuning.study_model import LoadedStudy

STUDIES = Path(__file__).parents[1] / "studies"

SCENARIO = {
    "name": "checkout",
    "cluster": {"provider": "docker", "brokers": 3, "config": {"unclean.leader.election.enable": "false"}},
    "topics": {
        "orders": {
            "partitions": 6,
            "replication_factor": 3,
            "config": {"min.insync.replicas": 2, "flush.messages": 1000},
        }
    },
    "producers": {
        "checkout": {
            "topic": "orders",
            "schedule": {"rate": "max"},
            "records": {"size": 100},
            "config": {"acks": "all", "enable.idempotence": "true", "sasl.password": "hunter2"},
        },
        "tracker": {
            "topic": "orders",
            "schedule": {"rate": "max"},
            "records": {"size": "1KiB"},
            "config": {"linger.ms": 20, "compression.type": "zstd", "compression.level": 9},
        },
    },
    "consumers": {"billing": {"topic": "orders"}},
    "thresholds": {"publish_latency": ["p99 < 1s"]},
}
CHECKOUT = "producers.checkout.config"
TRACKER = "producers.tracker.config"
THROUGHPUT = {"maximize": "producers.checkout.throughput.records_per_s"}


def loaded(
    folder: Path, scenario: Mapping[str, object] = SCENARIO, set_: tuple[str, ...] = (), **keys: object
) -> LoadedStudy:
    """A study with these keys, loaded from a file as users' are."""
    (folder / "scenario.yaml").write_text(json.dumps(scenario), encoding="utf-8")
    study = {"study": "sample", "scenario": "scenario.yaml", "objective": THROUGHPUT, **keys}
    path = folder / "study.yaml"
    path.write_text(json.dumps(study), encoding="utf-8")
    return load_study(path, set_)
