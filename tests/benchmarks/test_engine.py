"""The engine against its peers: one table of ratios, each the median of alternating pairs.

`make bench` prints it. Nothing here asserts a time: a benchmark fails only where a measurement does.
"""

from __future__ import annotations

import time
import uuid
from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING, TypeVar

import pytest
from bare_loop import produce_bare
from conftest import REPETITIONS, Table, scenario
from peers import (
    Figures,
    confluent_kafka_produce,
    kafka_consumer_perf_test,
    kafka_producer_perf_test,
)

from loadlab.client.settings import ConsumerSettings, TopicSettings
from loadlab.cluster import TopicRequest, start_cluster
from loadlab.cluster.specs import cluster_spec
from loadlab.measurement.slab import CONSUME_LANE, Command, Counter, Phase
from loadlab.run.fleet import Fleet
from loadlab.run.order import Order
from loadlab.run.progress import SilentObserver
from loadlab.run.runner import RunOptions, run_scenario
from loadlab.run.timeline import Timeline
from loadlab.scenario import load_document
from loadlab.units import NS_PER_S

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from loadlab.cluster import Cluster
    from loadlab.results.model import RunResult

pytestmark = pytest.mark.timeout(1800)

Runner = "Callable[[dict[str, object]], RunResult]"
Ours = TypeVar("Ours")
Theirs = TypeVar("Theirs")

SAME = {"acks": "all", "linger.ms": "5", "batch.size": "65536", "compression.type": "none"}
CONSUMED_RECORDS = 8_000_000


def _name() -> str:
    return f"bench-{uuid.uuid4().hex[:8]}"


def _produce_at_max(
    record_bytes: int, config: dict[str, str], provider: str = "local", **phases: str
) -> dict[str, object]:
    group = {
        "topic": "t",
        "schedule": {"rate": "max"},
        "records": {"size": record_bytes, "compressibility": 0.0},
        "config": config,
    }
    return scenario(provider, {"t": {"partitions": 1}}, {"p": group}, {}, **phases)


def _whole_cost(result: RunResult) -> float:
    """The worker's CPU time, start included, over all its records: as a peer's whole process is measured."""
    worker = result.producers["p"].workers[0]
    return worker.total_cpu_s * 1e6 / result.reconciliation.acked


def _pairs(ours: Callable[[], Ours], theirs: Callable[[], Theirs]) -> Iterator[tuple[Ours, Theirs]]:
    """Measures both sides again and again, each of them first in every other pair."""
    for repetition in range(REPETITIONS):
        if repetition % 2:
            second = theirs()
            yield ours(), second
        else:
            yield ours(), theirs()


def test_producer_on_the_mock_against_confluent_kafka(table: Table, run: Runner) -> None:
    def theirs() -> Figures:
        mock = start_cluster(cluster_spec({"provider": "embedded"}), progress=print, run_id=_name())
        try:
            mock.create_topics([TopicRequest("t", 1, 1)])
            return confluent_kafka_produce(mock.bootstrap_servers, "t", 5.0, 100)
        finally:
            mock.stop()

    def ours() -> RunResult:
        return run(_produce_at_max(100, {"acks": "all"}, "embedded", measure="5s"))

    ratios = [
        mine.producers["p"].throughput.records_per_s / other.records_per_s
        for mine, other in _pairs(ours, theirs)
    ]
    table.add("producer, mock, 100 B: records/s over confluent-kafka's", ratios, "x", 3.5, at_least=True)


@pytest.mark.parametrize(("rate", "most_cpu_percent"), [("50k/s", 50), ("500/s", 10)])
def test_pacing(table: Table, run: Runner, rate: str, most_cpu_percent: int) -> None:
    """Before the broker that others use is started: on two cores even an idle JVM delays timers."""
    group = {"topic": "t", "schedule": {"rate": rate}, "records": {"size": 100}, "config": {"acks": "all"}}
    halves, delays, shares = [], [], []
    for _ in range(REPETITIONS):
        document = scenario("embedded", {"t": {}}, {"p": group}, {}, measure="5s")
        result = run(document).producers["p"]
        assert result.send_delay_us is not None
        assert result.send_delay_us.p50 is not None
        assert result.send_delay_us.p99 is not None
        halves.append(result.send_delay_us.p50)
        delays.append(result.send_delay_us.p99)
        shares.append(result.workers[0].cpu_share * 100)
    table.add(f"send_delay p50 at {rate}, mock", halves, "µs", 100, at_least=False)
    table.add("  p99", delays, "µs", 300, at_least=False)
    table.add("  the worker's share of a core meanwhile", shares, "%", most_cpu_percent, at_least=False)


@pytest.mark.parametrize(("record_bytes", "records"), [(100, 6_000_000), (1000, 1_500_000)])
def test_producer_on_a_broker_against_kafkas_tool(
    table: Table, run_on: Runner, broker: Cluster, record_bytes: int, records: int
) -> None:
    def theirs() -> Figures:
        topic = _name()
        ids = broker.create_topics([TopicRequest(topic, 1, 1)])
        figures = kafka_producer_perf_test(broker.bootstrap_servers, topic, records, record_bytes, SAME)
        broker.delete_topics(ids)
        return figures

    def ours() -> RunResult:
        return run_on(_produce_at_max(record_bytes, SAME))

    rates, costs = [], []
    for mine, other in _pairs(ours, theirs):
        rates.append(mine.producers["p"].throughput.records_per_s / other.records_per_s)
        costs.append(_whole_cost(mine) / other.cpu_us_per_record)
    what = f"producer, broker, {record_bytes} B, acks=all:"
    table.add(f"{what} records/s over kafka-producer-perf-test's", rates, "x", 1.5, at_least=True)
    table.add(f"{what} CPU a record over kafka-producer-perf-test's", costs, "x", 0.3, at_least=False)


def _fill(broker: Cluster, topic: str, records: int, results_dir: Path) -> str:
    """Fills a topic with stamped records; returns the id of the run whose stamp they carry."""
    schedule = {"rate": "max", "records": records}
    group = {"topic": topic, "schedule": schedule, "records": {"size": 100}, "config": SAME}
    document = scenario("local", {topic: {"partitions": 1}}, {"p": group}, {}, warmup="0s", measure="30s")
    external = {"provider": "external", "bootstrap_servers": broker.bootstrap_servers}
    loaded = load_document({**document, "cluster": external})
    return run_scenario(loaded, RunOptions(results_dir, keep_topics=True), SilentObserver()).result.run_id


@contextmanager
def _reading(broker: Cluster, topic: str, run_id: str) -> Iterator[Fleet]:
    """One worker reads a topic from its beginning, and the stamps of a run; it is killed in the end."""
    settings = ConsumerSettings(
        properties={"bootstrap.servers": broker.bootstrap_servers, "group.id": _name()},
        topics=(TopicSettings(topic, 1),),
        run_id=run_id,
    )
    fleet = Fleet()
    try:
        fleet.spawn([Order("c", 0, settings)])
        fleet.command(Command.CONNECT)
        fleet.await_ready()
        now_ns = time.monotonic_ns()
        end_ns = now_ns + 120 * NS_PER_S
        Timeline(now_ns, now_ns, end_ns, end_ns).write(fleet.workers[0].slab)
        fleet.command(Command.GO)
        yield fleet
    finally:
        fleet.kill()


def _consume(broker: Cluster, topic: str, records: int, run_id: str) -> Figures:
    """One worker reads a full topic; fetching is timed from its first record to its last."""
    with _reading(broker, topic, run_id) as fleet:
        lane = fleet.workers[0].slab.record["lanes"][0, CONSUME_LANE]

        def consumed() -> int:
            return int(lane["by_moment"][:, Counter.CONSUMED].sum())

        deadline = time.monotonic() + 60
        while consumed() == 0 and time.monotonic() < deadline:
            time.sleep(0.001)
        begin_s, begin = time.monotonic(), consumed()
        while consumed() < records and time.monotonic() < deadline:
            time.sleep(0.001)
        end_s, end = time.monotonic(), consumed()
        fleet.end(10.0)
        assert not lane["by_moment"][:, Counter.FOREIGN].any(), "records without the run's stamp"
        cpu_ns = int(fleet.workers[0].slab.record["usage"][0]["cpu_ns"][Phase.DRAIN])
    return Figures((end - begin) / (end_s - begin_s), cpu_ns / 1e3 / end)


def test_consumer_on_a_broker_against_kafkas_tool(table: Table, broker: Cluster, tmp_path: Path) -> None:
    topic = _name()
    run_id = _fill(broker, topic, CONSUMED_RECORDS, tmp_path)

    def ours() -> Figures:
        return _consume(broker, topic, CONSUMED_RECORDS, run_id)

    def theirs() -> Figures:
        return kafka_consumer_perf_test(broker.bootstrap_servers, topic, CONSUMED_RECORDS)

    rates, costs = [], []
    for mine, other in _pairs(ours, theirs):
        rates.append(mine.records_per_s / other.records_per_s)
        costs.append(mine.cpu_us_per_record / other.cpu_us_per_record)
    broker.delete_topics({topic: broker.topic_ids([topic])[topic] or ""})
    what = "consumer, broker, 100 B, stamps read:"
    table.add(f"{what} records/s over kafka-consumer-perf-test's", rates, "x", 1.1, at_least=True)
    table.add(f"{what} CPU a record over kafka-consumer-perf-test's", costs, "x", 0.5, at_least=False)


@pytest.mark.parametrize("with_reader", [False, True], ids=["alone", "with reader"])
def test_measuring_against_a_bare_loop(
    table: Table, broker: Cluster, run_on: Runner, *, with_reader: bool
) -> None:
    """The bare loop hands the same values to the same calls, and keeps nothing but a count of acks.

    On the other side is what a run does for the truth: stamps, latencies, counts, stages, statistics, and the
    broker asked for its telemetry once a second; where somebody reads, the ledger too. Both sides then have
    the same reader beside them.
    """

    def theirs() -> Figures:
        topic = _name()
        ids = broker.create_topics([TopicRequest(topic, 1, 1)])
        with _reading(broker, topic, _name()) if with_reader else nullcontext():
            figures = produce_bare(broker.bootstrap_servers, topic, 8.0, SAME)
        broker.delete_topics(ids)
        return figures

    def ours() -> RunResult:
        consumers = {"c": {"topic": "t"}} if with_reader else {}
        return run_on({**_produce_at_max(100, SAME), "consumers": consumers})

    lost, added = [], []
    for mine, bare in _pairs(ours, theirs):
        assert (mine.reconciliation.lost is not None) == with_reader, "the ledger goes with the reader"
        producer = mine.producers["p"]
        assert producer.cpu_us_per_record is not None
        lost.append((1.0 - producer.throughput.records_per_s / bare.records_per_s) * 100)
        added.append((producer.cpu_us_per_record / bare.cpu_us_per_record - 1.0) * 100)
    what = "ledger and a reader too" if with_reader else "stamps, latencies, counts, telemetry"
    table.add(f"{what}, against a bare loop: records/s lost", lost, "%", 5, at_least=False)
    table.add("  CPU a record added", added, "%", 5, at_least=False)


@pytest.mark.parametrize("measure", ["5s", "60s"])
def test_memory_of_a_worker(table: Table, run_on: Runner, measure: str) -> None:
    """At a steady 20,000 records/s librdkafka's queue stays small, so that the worker itself counts."""
    group = {"topic": "t", "schedule": {"rate": "20k/s"}, "records": {"size": 100}}
    consumers = {"c": {"topic": "t"}}
    result = run_on(scenario("local", {"t": {"partitions": 6}}, {"p": group}, consumers, measure=measure))
    workers = {"producer": result.producers["p"].workers, "consumer": result.consumers["c"].workers}
    for kind, processes in workers.items():
        mib = [worker.max_rss_bytes / (1 << 20) for worker in processes]
        table.add(f"memory of a {kind} after {measure}", mib, "MiB", 250, at_least=False)


def test_from_a_running_cluster_to_the_first_record(table: Table, run_on: Runner) -> None:
    group = {"topic": "t", "schedule": {"rate": "1k/s"}, "records": {"size": 100}}
    seconds = []
    for _ in range(REPETITIONS):
        document = scenario("local", {"t": {}}, {"p": group}, {}, warmup="0s", measure="1s")
        startup = run_on(document).startup
        assert startup is not None
        assert startup.first_sent_s is not None
        seconds.append(startup.first_sent_s)
    table.add("running cluster to first record sent", seconds, "s", 2.0, at_least=False)


def test_docker_until_ready(table: Table) -> None:
    spec = cluster_spec({"provider": "docker"})
    seconds = []
    for _ in range(REPETITIONS):
        begin_s = time.monotonic()
        cluster = start_cluster(spec, progress=print, run_id=_name())
        seconds.append(time.monotonic() - begin_s)
        cluster.stop()
    table.add("docker, one broker, image at hand, until ready", seconds, "s", 10.0, at_least=False)
