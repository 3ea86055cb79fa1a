"""Workers, clusters and scenarios that tests of a run make without starting a process."""

from __future__ import annotations

import io
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

from loadlab.client.settings import ConsumerSettings, ProducerSettings, RecordSettings, TopicSettings
from loadlab.cluster import BrokerState, Capability, OffsetSample, TelemetrySample
from loadlab.errors import ClusterError
from loadlab.measurement.lane import bucket_of
from loadlab.measurement.slab import Counter, Metric, State, create_slab
from loadlab.run.fleet import Fleet, WorkerProcess
from loadlab.run.order import Order
from loadlab.scenario import load_document

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable, Mapping, Sequence

    from loadlab.cluster import Cluster
    from loadlab.run.samples import Partition
    from loadlab.scenario import LoadedScenario

S = 1_000_000_000


def scenario_of(**parts: object) -> LoadedScenario:
    """A small scenario with some of its parts replaced."""
    whole: dict[str, object] = {
        "name": "small",
        "cluster": {"provider": "local"},
        "topics": {"orders": {"partitions": 3}},
        "producers": {
            "checkout": {"topic": "orders", "schedule": {"rate": "1k/s"}, "records": {"size": 100}}
        },
        "consumers": {"billing": {"topic": "orders"}},
        "phases": {"warmup": "1s", "measure": "10s", "drain": "5s"},
    }
    return load_document({**whole, **parts})


@dataclass
class FakeProcess:
    """A process as far as a fleet asks for it; exit codes come when a test says so."""

    pid: int = 4711
    returncode: int | None = None
    on_poll: Callable[[], None] = lambda: None

    def poll(self) -> int | None:
        self.on_poll()
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:  # noqa: ARG002
        self.returncode = self.returncode or 0
        return self.returncode

    def kill(self) -> None:
        self.returncode = -9


def worker_of(order: Order, process: FakeProcess | None = None, state: State = State.READY) -> WorkerProcess:
    """A worker whose slab a test fills in."""
    slab = create_slab(order.partitions)
    slab.record["state"] = state
    slab.record["committed"] = 1
    made = cast("subprocess.Popen[str]", process or FakeProcess())
    return WorkerProcess(order, slab, made, log=io.BytesIO())


def producing(worker: int = 0, group: str = "checkout", **fields: object) -> Order:
    """The order of a producing worker."""
    settings = ProducerSettings(
        properties={},
        topics=(TopicSettings("orders", 3),),
        records=RecordSettings((100,), 0.5, 1, 1 << 16),
        schedule=(),
        at_max_rate=False,
        reject_when_full=False,
        run_id="run",
        worker=worker,
        place=0,
        workers=1,
    )
    return Order(group, worker, settings, **fields)


def consuming(worker: int = 1, group: str = "billing", start_after_s: float | None = None) -> Order:
    """The order of a consuming worker."""
    settings = ConsumerSettings({}, (TopicSettings("orders", 3),), "run", start_after_s=start_after_s)
    return Order(group, worker, settings)


def fleet_of(*workers: WorkerProcess) -> Fleet:
    return Fleet(list(workers))


def book(  # noqa: PLR0913 - what one count is made of
    worker: WorkerProcess,
    lane: int,
    counter: Counter,
    amount: int,
    *,
    intent: int = 1,
    moment: int = 1,
    interval: int = 0,
) -> None:
    """Counts as a lane does."""
    record = worker.slab.record["lanes"][0, lane]
    record["by_intent"][intent, counter] += amount
    record["by_moment"][moment, counter] += amount
    record["ring"]["index"][interval] = interval + 1
    record["ring"]["counters"][interval, counter] += amount


def took(
    worker: WorkerProcess, lane: int, metric: Metric, durations_ns: Sequence[int], *, phase: int = 1
) -> None:
    """Records durations as a lane does, into its first interval."""
    record = worker.slab.record["lanes"][0, lane]
    histogram = record["histograms"][phase, metric]
    for duration_ns in durations_ns:
        histogram["counts"][bucket_of(duration_ns)] += 1
        record["ring"]["counts"][0, metric, bucket_of(duration_ns)] += 1
    histogram["total_ns"] += sum(durations_ns)
    histogram["min_ns"], histogram["max_ns"] = min(durations_ns) + 1, max(durations_ns)
    record["ring"]["index"][0] = 1


@dataclass
class FakeCluster:
    """A cluster as far as a running load asks for it.

    Attributes:
        ends: log ends by partition; what is missing here has no leader.
        committed: committed offsets by partition.
        epochs: of the leaders.
        broken: why nothing is answered, or None.
        asked: how often log ends were asked for.
        telemetries: what brokers tell, one after the other; the last one again and again.
        forgotten: the groups whose commits nobody will ask for any more.
    """

    ends: dict[Partition, int] = field(default_factory=dict)
    committed: dict[Partition, int | None] = field(default_factory=dict)
    epochs: dict[Partition, int] = field(default_factory=dict)
    broken: str | None = None
    asked: int = 0
    brokers: list[BrokerState] = field(default_factory=list)
    free_bytes: int | None = None
    on_committed: Callable[[], None] = lambda: None
    telemetries: list[TelemetrySample] = field(default_factory=list)
    forgotten: list[str] = field(default_factory=list)

    @property
    def capabilities(self) -> frozenset[Capability]:
        return frozenset({Capability.TELEMETRY} if self.telemetries else ())

    def telemetry(self) -> TelemetrySample:
        return self.telemetries.pop(0) if len(self.telemetries) > 1 else self.telemetries[0]

    def end_offsets(self, partitions: Sequence[Partition], timeout_s: float = 5.0) -> OffsetSample:  # noqa: ARG002
        self.asked += 1
        if self.broken is not None:
            raise ClusterError(self.broken)
        now_ns = time.monotonic_ns()
        offsets = {partition: self.ends[partition] for partition in partitions if partition in self.ends}
        failed = {one: "LEADER_NOT_AVAILABLE" for one in partitions if one not in self.ends}
        return OffsetSample(now_ns, now_ns + 10, offsets, failed, self.epochs)

    def committed_offsets(
        self,
        group_id: str,  # noqa: ARG002
        partitions: Sequence[Partition],
        timeout_s: float = 10.0,  # noqa: ARG002
    ) -> Mapping[Partition, int | None]:
        self.on_committed()
        return {partition: self.committed.get(partition) for partition in partitions}

    def forget_group(self, group_id: str) -> None:
        self.forgotten.append(group_id)

    def broker_states(self) -> list[BrokerState]:
        return self.brokers

    def process_ids(self) -> tuple[int, ...] | None:
        return None

    def free_disk_bytes(self) -> int | None:
        return self.free_bytes

    def as_cluster(self) -> Cluster:
        return cast("Cluster", self)
