"""What a run refuses before it begins, asks when it ends, and keeps out of files."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest
from run_samples import FakeCluster, scenario_of
from test_plan import producer

from loadlab.errors import ClusterError, UsageError
from loadlab.run import runner
from loadlab.run.interrupts import Interrupts
from loadlab.run.opening import RunOptions
from loadlab.run.progress import SilentObserver

if TYPE_CHECKING:
    from collections.abc import Sequence
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


def test_topics_are_not_kept_on_a_cluster_that_ends_with_the_run(tmp_path: Path) -> None:
    loaded = scenario_of(cluster={"provider": "embedded"})
    with pytest.raises(UsageError, match="can't be kept on a cluster that ends with the run"):
        runner.run_scenario(loaded, RunOptions(tmp_path, keep_topics=True), SilentObserver())


@pytest.mark.parametrize(
    ("now", "changed"),
    [
        (("made", 3), []),
        (("made", 6), ["orders has 6 partitions now, and had 3"]),
        (("made again", 3), ["orders was deleted and made again"]),
        (("gone", 0), []),
        (None, []),
    ],
)
def test_what_others_did_to_a_topic_meanwhile_is_asked_for_and_a_cluster_may_be_silent(
    tmp_path: Path, now: tuple[str, int] | None, changed: list[str]
) -> None:
    class Changed(FakeCluster):
        def describe_topics(self, names: Sequence[str]) -> dict[str, object]:
            assert names == ["orders"]
            if now is None:
                raise ClusterError("no broker answers")
            topic_id, count = now
            return {"orders": SimpleNamespace(topic_id=topic_id, partitions=range(count)) if count else None}

    run = runner._Run(scenario_of(), RunOptions(tmp_path), SilentObserver(), Interrupts())
    assert run._changed(Changed().as_cluster(), {"orders": 3}, {"orders": "made"}) == changed
    run._silent = True
    assert run._changed(FakeCluster().as_cluster(), {"orders": 3}, {"orders": "made"}) == []


def test_the_user_s_second_word_leaves_topics_little_time_to_go(tmp_path: Path) -> None:
    interrupts = Interrupts()
    run = runner._Run(scenario_of(), RunOptions(tmp_path), SilentObserver(), interrupts)
    patient_s = run._deletion_s()
    interrupts.missed = True
    assert run._deletion_s() <= patient_s / 10
