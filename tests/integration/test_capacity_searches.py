"""Whole capacity searches: on Kafka, where the edge is known, and what interrupts and kills leave of one."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from runs import ROOT, Recorder, document

from loadlab.results.capacity_store import load_capacity
from loadlab.results.reader import load
from loadlab.scenario import load_document
from loadlab.tuning import capacity_scenario, warm_up
from loadlab.tuning.capacity import CapacityOptions, find_capacity
from loadlab.tuning.warm_up import FEWEST_ROUNDS

if TYPE_CHECKING:
    from pathlib import Path

    from loadlab.results.capacity_store import StoredCapacity

SLOW_READER = """
name: slow-reader
topics: {orders: {partitions: 6}}
producers: {checkout: {topic: orders, schedule: {rate: 600/s}, records: {size: 200}}}
consumers: {billing: {topic: orders}}
phases: {warmup: 500ms, measure: 2s, drain: 5s}
"""


class Watcher(Recorder):
    """An observer that keeps what each probe said."""

    def __init__(self) -> None:
        super().__init__()
        self.probes: list[int] = []

    def begun(self, search: StoredCapacity) -> None:
        self.messages.append(search.result.capacity_id)

    def warmed(self, search: StoredCapacity) -> None:
        self.messages.append(f"{len(search.result.warm_up_per_s)} rounds")

    def probed(self, search: StoredCapacity) -> None:
        self.probes.append(len(search.result.probes))


@pytest.mark.local
@pytest.mark.usefixtures("local_kafka")
def test_the_edge_is_where_the_reader_no_longer_keeps_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The reader takes 2,000 records a second; of 3 s, 3.8 % of the rate are granted."""
    monkeypatch.setattr(capacity_scenario, "ROUND_S", 0.5)
    monkeypatch.setattr(warm_up, "MOST_ROUNDS", 8)  # so short ones would never end the compiling
    scenario = document(
        cluster={"provider": "local", "resources": {"heap": "512MiB"}},
        consumers={"billing": {"topic": "orders", "max_rate": "2k/s"}},
        producers={"checkout": {"topic": "orders", "schedule": {"rate": "1k/s"}, "records": {"size": 200}}},
        phases={"warmup": "1s", "measure": "3s", "drain": "1s"},
    )
    options = CapacityOptions(tmp_path, p99_limit_s=2.0, highest_per_s=4_000.0, precision=0.2, max_probes=4)
    watcher = Watcher()
    search = find_capacity(load_document(scenario), options, watcher)
    result = search.result
    assert result.finished
    # On a busy machine a probe above the edge may be the generator's fault, and one below it may fail; but
    # what the reader can't take never holds.
    assert result.answer.kind in {"between", "generator"}
    assert 500 <= (result.answer.holds_per_s or 0) <= 2_200
    assert watcher.probes == list(range(1, len(result.probes) + 1))
    assert len(result.probes) <= 4
    assert FEWEST_ROUNDS <= len(result.warm_up_per_s) <= warm_up.MOST_ROUNDS
    for probe in result.probes:
        run = load(probe.run_id, tmp_path).result
        if probe.verdict == "fails" and (probe.rate_per_s or 0) > 2_500:
            sent, read = run.producers["checkout"].throughput, run.consumers["billing"].throughput
            left_per_s = sent.records_per_s - read.records_per_s
            assert probe.lag_growth_per_s == pytest.approx(left_per_s, rel=0.15, abs=75)
            assert any("the lag of billing grew" in why for why in probe.failed)
        assert run.producers["checkout"].target_records_per_s == pytest.approx(probe.rate_per_s, rel=0.01)
        assert result.cluster is not None
        assert run.cluster.cluster_id == result.cluster.cluster_id
    assert load_capacity(result.capacity_id, tmp_path) == search


class Searching:
    """A `loadlab capacity` process of its own, on the mock."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        scenario = folder / "slow-reader.yaml"
        scenario.write_text(SLOW_READER)
        self.process = subprocess.Popen(
            [
                *(sys.executable, "-m", "loadlab", "capacity", str(scenario), "--provider", "embedded"),
                *("--results-dir", str(folder / "results"), "--output", "json", *arguments),
            ],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )

    def await_probe(self) -> str:
        """Waits until it has told of a probe; gives the id that it said it can be resumed by."""
        assert self.process.stderr is not None
        identity = ""
        for line in self.process.stderr:
            if "--resume " in line:
                identity = line.split()[-1]
            if line.startswith("probe "):
                return identity
        raise AssertionError("it ended before its first probe")

    def end(self) -> tuple[int, str]:
        output, errors = self.process.communicate(timeout=100)
        return self.process.returncode, output or errors


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "results").mkdir()
    return tmp_path


@pytest.mark.beside
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_an_interrupted_search_keeps_its_probes_and_goes_on(folder: Path, number: signal.Signals) -> None:
    limits = ("--max-rate", "900/s", "--p99", "2s")
    searching = Searching(folder, *limits)
    identity = searching.await_probe()
    searching.process.send_signal(number)
    code, _ = searching.end()
    assert code == (130 if number is signal.SIGINT else -signal.SIGKILL)
    before = load_capacity(identity, folder / "results").result
    assert before.probes
    assert not before.finished
    code, output = Searching(folder, *limits, "--resume", identity).end()
    assert code == 0, output
    after = json.loads(output)
    assert after["finished"]
    assert [one["run_id"] for one in after["probes"]][: len(before.probes)] == [
        one.run_id for one in before.probes
    ]
    # On a busy machine the highest rate may be more than the generator sends.
    assert after["answer"]["kind"] in {"at_least", "generator"}
    if after["answer"]["kind"] == "at_least":
        assert after["answer"]["holds_per_s"] == 900.0


@pytest.mark.beside
def test_a_lowest_rate_that_fails_is_told_with_what_failed(folder: Path) -> None:
    code, output = Searching(folder, "--p99", "1us", "--min-rate", "550/s").end()
    found = json.loads(output)
    assert code == 99
    assert found["answer"]["kind"] == "below"
    assert found["answer"]["fails_per_s"] == 550.0
    failed = [why for probe in found["probes"] for why in probe["failed"]]
    assert any("publish_latency p99 < 1us" in why for why in failed)
