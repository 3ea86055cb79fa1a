"""What of a run's secrets could stand in a file that it keeps."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from run_samples import FakeCluster, scenario_of
from test_plan import producer

from loadlab.run import runner
from loadlab.run.interrupts import Interrupts
from loadlab.run.opening import RunOptions
from loadlab.run.progress import SilentObserver

if TYPE_CHECKING:
    from pathlib import Path

GROUP_S, CLUSTER_S, BROKER_S = "hunter2-of-checkout", "hunter2-of-clients", "hunter2-of-brokers"


@dataclass
class Telling(FakeCluster):
    """A cluster whose brokers write all they know into their logs."""

    client_properties: dict[str, str] = field(default_factory=lambda: {"sasl.password": CLUSTER_S})

    def save_logs(self, directory: Path) -> list[Path]:
        log = directory / "broker-1.log"
        log.write_bytes(f"refused {GROUP_S}, {CLUSTER_S} and {BROKER_S} of \xff 7 clients".encode("latin-1"))
        return [log]


def test_logs_that_are_kept_of_a_run_that_failed_hold_no_secret(tmp_path: Path) -> None:
    loaded = scenario_of(
        cluster={"provider": "local", "config": {"ssl.keystore.password": BROKER_S}},
        producers={"checkout": producer(config={"sasl.password": GROUP_S})},
    )
    run = runner._Run(loaded, RunOptions(tmp_path), SilentObserver(), Interrupts())
    run._keep_logs(Telling().as_cluster())

    (log,) = tmp_path.glob("failed-*/broker-1.log")
    assert log.read_text() == "refused [redacted], [redacted] and [redacted] of \ufffd 7 clients"
