"""What brokers tell of themselves: counts since their start, read as MBeans.

Rates and shares that Kafka computes itself are averages over its own windows (a minute and more), too long
for a phase. So what is read are the counts below them, which only grow; for a rate one takes two samples.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from loadlab.cluster.jolokia import Bean, read
from loadlab.errors import ClusterError
from loadlab.units import NS_PER_S

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from loadlab.cluster.jolokia import Attributes, Reading

_TIMEOUT_S: Final = 2.0
_MS_PER_S: Final = 1e3


@dataclass(frozen=True)
class Timed:
    """How often something was timed since the broker's start, and the sum of those times in milliseconds."""

    count: int
    sum_ms: float

    def since(self, earlier: Timed) -> Timed:
        """What came after an earlier reading of the same broker."""
        return Timed(self.count - earlier.count, self.sum_ms - earlier.sum_ms)

    def plus(self, other: Timed) -> Timed:
        """Both together."""
        return Timed(self.count + other.count, self.sum_ms + other.sum_ms)

    @property
    def mean_ms(self) -> float | None:
        """The mean; None where nothing was timed."""
        return self.sum_ms / self.count if self.count else None


@dataclass(frozen=True)
class RequestTimes:
    """Where requests of one kind spent their time in a broker: Kafka's RequestMetrics.

    Kafka rounds each time to whole milliseconds before it adds it up.

    Attributes:
        total: from the request's being read off the socket to the response's being sent.
        request_queue: waiting for a request handler.
        local: being worked on by it: for a produce request, the append to the log.
        remote: waiting for others: for acks=all the followers, for a fetch new records.
        throttle: held back by a quota.
        response_queue: the response, waiting for a network thread.
        response_send: being sent.
    """

    total: Timed
    request_queue: Timed
    local: Timed
    remote: Timed
    throttle: Timed
    response_queue: Timed
    response_send: Timed


@dataclass(frozen=True)
class BrokerTelemetry:
    """One broker at one moment; what is counted or summed begins with the start of its JVM.

    Attributes:
        broker_id: Kafka's node id.
        at_ns: CLOCK_MONOTONIC in the middle of the request.
        started_ms: when the JVM started, by the broker's wall clock: another one after a restart.
        heap_used_bytes: garbage included.
        heap_max_bytes: the limit.
        gc_count: garbage collections that stopped the JVM.
        gc_pause_ms: for how long, summed, whole ms each.
        compile_ms: for how long the JVM compiled, all of its compiler threads summed.
        request_handler_idle_s: how long a request handler of the broker waited for work, mean of all of them,
            less a constant: only differences mean something.
        network_processor_idle_s: the same of the network threads of the clients' listener.
        under_replicated_partitions: of those that it leads.
        bytes_in: produced by clients, as on the wire, without replication.
        bytes_out: fetched by clients, likewise.
        messages_in: records produced by clients, and what consumer groups write when they commit.
        log_flush: flushes of log segments to the disk.
        produce: produce requests.
        fetch_consumer: fetch requests of consumers.
    """

    broker_id: int
    at_ns: int
    started_ms: int
    heap_used_bytes: int
    heap_max_bytes: int
    gc_count: int
    gc_pause_ms: int
    compile_ms: int
    request_handler_idle_s: float
    network_processor_idle_s: float
    under_replicated_partitions: int
    bytes_in: int
    bytes_out: int
    messages_in: int
    log_flush: Timed
    produce: RequestTimes
    fetch_consumer: RequestTimes


@dataclass(frozen=True)
class TelemetrySample:
    """What all brokers told when they were asked at once.

    Attributes:
        brokers: by broker id; those that answered.
        failed: why the others did not, by broker id.
    """

    brokers: Mapping[int, BrokerTelemetry]
    failed: Mapping[int, str]


_TIMED: Final = ("Count", "Mean")
_STAGES: Final = (
    "TotalTimeMs",
    "RequestQueueTimeMs",
    "LocalTimeMs",
    "RemoteTimeMs",
    "ThrottleTimeMs",
    "ResponseQueueTimeMs",
    "ResponseSendTimeMs",
)


def _stages(request: str) -> Iterator[Bean]:
    for stage in _STAGES:
        yield Bean(f"kafka.network:type=RequestMetrics,name={stage},request={request}", _TIMED)


def _traffic(name: str) -> Bean:
    return Bean(f"kafka.server:type=BrokerTopicMetrics,name={name}", ("Count",))


_BEANS: Final = (
    Bean("java.lang:type=Runtime", ("StartTime", "Uptime")),
    Bean("java.lang:type=Memory", ("HeapMemoryUsage",)),
    Bean("java.lang:type=GarbageCollector,name=*", ("CollectionCount", "CollectionTime")),
    Bean("java.lang:type=Compilation", ("TotalCompilationTime",)),
    Bean("kafka.server:type=KafkaRequestHandlerPool,name=*", ("Count",)),
    Bean(
        "kafka.server:type=socket-server-metrics,listener=PLAINTEXT,networkProcessor=*",
        ("io-wait-time-ns-total",),
    ),
    Bean("kafka.server:type=ReplicaManager,name=UnderReplicatedPartitions", ("Value",)),
    _traffic("BytesInPerSec"),
    _traffic("BytesOutPerSec"),
    _traffic("MessagesInPerSec"),
    Bean("kafka.log:type=LogFlushStats,name=LogFlushRateAndTimeMs", _TIMED),
    *_stages("Produce"),
    *_stages("FetchConsumer"),
)


def read_telemetry(addresses: Mapping[int, str], timeout_s: float = _TIMEOUT_S) -> TelemetrySample:
    """Ask all brokers at once; one that hangs costs the others nothing.

    Args:
        addresses: host:port of each broker's agent by broker id.
        timeout_s: the longest wait for a broker.
    """
    with ThreadPoolExecutor(max_workers=len(addresses)) as pool:
        asked = {
            broker_id: pool.submit(_read, broker_id, address, timeout_s)
            for broker_id, address in addresses.items()
        }
    brokers, failed = {}, {}
    for broker_id, answer in asked.items():
        try:
            brokers[broker_id] = answer.result()
        except ClusterError as error:
            failed[broker_id] = error.message
    return TelemetrySample(brokers, failed)


def _read(broker_id: int, address: str, timeout_s: float) -> BrokerTelemetry:
    reading = read(address, _BEANS, timeout_s)
    try:
        return parse(broker_id, reading)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ClusterError(f"no telemetry from {address}: unreadable: {error!r}") from error


def parse(broker_id: int, reading: Reading) -> BrokerTelemetry:
    """Make a broker's telemetry of what its beans said."""
    runtime, memory, collectors, compilation, handlers, processors, replicas, *rest = reading.values
    bytes_in, bytes_out, messages_in, log_flush, *stages = rest
    produce, fetch = stages[: len(_STAGES)], stages[len(_STAGES) :]
    pausing = [value for name, value in collectors.items() if "Cycles" not in name]
    return BrokerTelemetry(
        broker_id=broker_id,
        at_ns=(reading.before_ns + reading.after_ns) // 2,
        started_ms=int(runtime["StartTime"]),
        heap_used_bytes=int(memory["HeapMemoryUsage"]["used"]),
        heap_max_bytes=int(memory["HeapMemoryUsage"]["max"]),
        gc_count=sum(int(one["CollectionCount"]) for one in pausing),
        gc_pause_ms=sum(int(one["CollectionTime"]) for one in pausing),
        compile_ms=int(compilation["TotalCompilationTime"]),
        request_handler_idle_s=_handlers_idle_s(handlers, int(runtime["Uptime"])),
        network_processor_idle_s=_processors_idle_s(list(processors.values())),
        under_replicated_partitions=int(replicas["Value"]),
        bytes_in=int(bytes_in["Count"]),
        bytes_out=int(bytes_out["Count"]),
        messages_in=int(messages_in["Count"]),
        log_flush=_timed(log_flush),
        produce=RequestTimes(*map(_timed, produce)),
        fetch_consumer=RequestTimes(*map(_timed, fetch)),
    )


def _timed(value: Attributes) -> Timed:
    """Kafka's mean is that of all values since the start: times the count it is their sum."""
    return Timed(int(value["Count"]), float(value["Mean"]) * int(value["Count"]))


def _handlers_idle_s(pools: Attributes, uptime_ms: int) -> float:
    """How long the broker's request handlers waited, mean of them, but for a constant.

    A broker that is a controller too has two pools of handlers. Before Kafka 4.2 both count into one meter
    (its rate is 2 where both wait; KIP-1207), and the controller's, with next to nothing to do, are taken
    off as having waited all the time.
    """
    counts = {name: int(value["Count"]) / NS_PER_S for name, value in pools.items()}
    own = [count for name, count in counts.items() if "name=BrokerRequestHandlerAvgIdlePercent" in name]
    return own[0] if own else sum(counts.values()) - uptime_ms / _MS_PER_S


def _processors_idle_s(processors: Sequence[Attributes]) -> float:
    return sum(float(one["io-wait-time-ns-total"]) for one in processors) / len(processors) / NS_PER_S
