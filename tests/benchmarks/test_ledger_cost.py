"""The ledger: what a mark, a fold and a judgement cost, its memory, and what it costs a run."""

from __future__ import annotations

import time
from contextlib import closing
from typing import TYPE_CHECKING

import psutil
import pytest
from conftest import REPETITIONS, Table, scenario
from ledger_samples import Member, ack_many, judge, new_ledger, read_many, whole_views

from loadlab.measurement.ledger import BLOCK_RECORDS
from loadlab.measurement.ledger_fold import make_folder
from loadlab.measurement.ledger_judge import Fate
from loadlab.run.progress import SilentObserver
from loadlab.run.runner import RunOptions, run_scenario
from loadlab.scenario import load_document

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from pytest_benchmark.fixture import BenchmarkFixture

    from loadlab.cluster import Cluster
    from loadlab.measurement.ledger import Ledger
    from loadlab.results.model import RunResult

pytestmark = pytest.mark.timeout(1800)

AMOUNT = 100_000
PARTITIONS = 8
GROUPS = 3
MARKED = 10_000_000
FOLLOWED = 1_000_000_000
OUTSTANDING = 10_000_000
MIB = 1 << 20


@pytest.fixture
def ledger() -> Iterator[Ledger]:
    with closing(new_ledger(groups=GROUPS, partitions=PARTITIONS, records=FOLLOWED)) as made:
        yield made


def test_entering_100000_acks(benchmark: BenchmarkFixture, ledger: Ledger) -> None:
    ack_many(ledger.address, 0, 0, AMOUNT, PARTITIONS)
    benchmark(ack_many, ledger.address, 0, 0, AMOUNT, PARTITIONS)


def test_entering_100000_records_that_were_read(benchmark: BenchmarkFixture, ledger: Ledger) -> None:
    numbers, member = iter(range(0, FOLLOWED, AMOUNT)), Member(ledger)

    def next_ones() -> tuple[tuple[int, ...], dict[str, object]]:
        begin = next(numbers)
        return (member.address, begin, begin + AMOUNT, PARTITIONS), {}

    benchmark.pedantic(read_many, setup=next_ones, rounds=200)


def test_folding_a_million_records(benchmark: BenchmarkFixture, ledger: Ledger) -> None:
    folder, numbers = make_folder(ledger, 0), iter(range(0, FOLLOWED, 16 * BLOCK_RECORDS))
    members = [Member(ledger, group) for group in range(GROUPS)]

    def next_ones() -> tuple[tuple[int, ...], dict[str, object]]:
        begin = next(numbers)
        end = begin + 16 * BLOCK_RECORDS
        ack_many(ledger.address, 0, begin, end, PARTITIONS)
        for member in members:
            member.read_many(begin, end, PARTITIONS)
        return (end,), {}

    benchmark.pedantic(folder.fold, setup=next_ones, rounds=20)


@pytest.mark.parametrize("seen", ["all", "none"])
def test_judging_ten_million_records(
    benchmark: BenchmarkFixture, table: Table, ledger: Ledger, seen: str
) -> None:
    ack_many(ledger.address, 0, 0, MARKED, PARTITIONS)
    for group in range(GROUPS if seen == "all" else 0):
        Member(ledger, group).read_many(0, MARKED, PARTITIONS)
    views = whole_views(ledger, MARKED)

    judgement = benchmark(judge, ledger, views, {0: MARKED}, {})

    assert judgement.counts(0)[Fate.SEEN if seen == "all" else Fate.LOST] == MARKED
    rates = [MARKED / 1e6 / benchmark.stats.stats.median]
    what = f"ledger, three groups: sequence numbers checked at the end, {seen} of them seen"
    table.add(what, rates, "M/s", 50, at_least=True)


def test_the_memory_of_a_billion_records(table: Table, ledger: Ledger) -> None:
    """As many as may be outstanding are acked before each step, and then read by all groups."""
    process, folder = psutil.Process(), make_folder(ledger, 0)
    members = [Member(ledger, group) for group in range(GROUPS)]
    before = process.memory_full_info().uss
    peaks, checking_s = [], 0.0
    ack_many(ledger.address, 0, 0, OUTSTANDING, PARTITIONS)
    for begin in range(0, FOLLOWED - OUTSTANDING, MIB):
        end = min(begin + MIB, FOLLOWED - OUTSTANDING)
        ack_many(ledger.address, 0, begin + OUTSTANDING, end + OUTSTANDING, PARTITIONS)
        for member in members:
            member.read_many(begin, end, PARTITIONS)
        # What is mapped here alone counts as this process's own.
        peaks.append(max(ledger.memory_bytes(), process.memory_full_info().uss - before))
        begun_s = time.perf_counter()
        folder.fold(end + OUTSTANDING)
        checking_s += time.perf_counter() - begun_s
    table.add(
        "ledger, three groups, 10^9 records, 10^7 outstanding: memory at the most",
        [max(peaks) / MIB],
        "MiB",
        200e6 / MIB,
        at_least=False,
    )
    table.add(
        "ledger, three groups: sequence numbers checked and folded",
        [folder.folded_records / 1e6 / checking_s],
        "M/s",
        50,
        at_least=True,
    )


def test_what_the_ledger_costs_a_run(table: Table, broker: Cluster, tmp_path: Path) -> None:
    """The same run with a ledger and without, in pairs: CPU of all workers a record, and throughput."""
    producer = {
        "topic": "t",
        "schedule": {"rate": "max"},
        "records": {"size": 100, "compressibility": 0.0},
        "config": {"acks": "all", "linger.ms": "5", "batch.size": "65536"},
    }
    document = scenario("local", {"t": {"partitions": 6}}, {"p": producer}, {"c": {"topic": "t"}})
    external = {"provider": "external", "bootstrap_servers": broker.bootstrap_servers}
    loaded = load_document({**document, "cluster": external})

    def run(*, ledger: bool) -> RunResult:
        return run_scenario(loaded, RunOptions(tmp_path, ledger=ledger), SilentObserver()).result

    def cost(result: RunResult) -> float:
        producers, consumers = result.producers["p"], result.consumers["c"]
        return (producers.cpu_us_per_record or 0.0) + (consumers.cpu_us_per_record or 0.0)

    costs, rates = [], []
    for repetition in range(REPETITIONS):
        first = repetition % 2 == 0
        results = {ledger: run(ledger=ledger) for ledger in (first, not first)}
        assert results[True].reconciliation.lost == 0
        assert results[False].reconciliation.lost is None
        costs.append((cost(results[True]) / cost(results[False]) - 1) * 100)
        throughputs = [results[on].producers["p"].throughput.records_per_s for on in (True, False)]
        rates.append((1 - throughputs[0] / throughputs[1]) * 100)
    table.add("ledger: CPU a record, producer and consumer, on over off", costs, "%", 3, at_least=False)
    table.add("ledger: throughput lost, on against off", rates, "%", 3, at_least=False)
