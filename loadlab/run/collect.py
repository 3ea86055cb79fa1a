"""Makes the result of a run out of slabs, samples and what the cluster says."""

from __future__ import annotations

from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, Final, TypeVar

import loadlab
from loadlab.client.handle import effective_properties
from loadlab.client.library import error_name, version
from loadlab.cluster import Capability
from loadlab.errors import ClusterError
from loadlab.measurement.histogram import lower_bounds_ns
from loadlab.measurement.slab import (
    ACK_LANE,
    CONSUME_LANE,
    SEND_LANE,
    AckMetric,
    ConsumeMetric,
    Counter,
    Phase,
    SendMetric,
)
from loadlab.measurement.steadiness import FEWEST_INTERVALS
from loadlab.results.artifacts import Histograms
from loadlab.results.model import (
    ClusterUsed,
    Environment,
    MachineUse,
    Reconciliation,
    RunResult,
    Startup,
    TopicResult,
    TopicThroughput,
    Warned,
)
from loadlab.run.broker_readings import broker_results
from loadlab.run.fault_effects import fault_results
from loadlab.run.readings import merged, share, total
from loadlab.run.reconcile import growth, make_verdict, reconcile
from loadlab.run.samples import in_measure_phase
from loadlab.run.stages import BrokerTimes
from loadlab.run.steady import too_few_intervals
from loadlab.units import NS_PER_S

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from loadlab.run.ended import EndedRun
    from loadlab.run.fleet import WorkerProcess
    from loadlab.run.samples import Partition, Sample

_Told = TypeVar("_Told")

_GAP_LIMIT_S: Final = 5.0
_LEFT_OUT: Final = 0.1
"""The share of the measure phase at either end that the samples of a topic's throughput may leave out."""

_LATE_S: Final = 0.5
"""So late a sample may be on a busy machine."""

_FLUSH_PROPERTIES: Final = ("log.flush.interval.messages", "log.flush.interval.ms")
_KAFKA_NEVER_FLUSHES: Final = "9223372036854775807"


def _throughput(run: EndedRun, samples: list[Sample], partitions: list[Partition]) -> TopicThroughput | None:
    """Growth between the measure phase's first and last sample over their distance; None without two.

    They are the first and the last that have all partitions: one that did not answer would be missing. Where
    they leave out much of the phase at its ends, because brokers answered no more, they tell nothing of it.
    Where the phase was cut short, the last may be from after its end, when nothing was sent any more. Bytes
    are the records' mean size times their number: brokers tell offsets, not sizes.
    """
    whole = [sample for sample in samples if sample.ends.keys() >= set(partitions)]
    if len(whole) < 2:  # noqa: PLR2004
        return None
    first, last = whole[0], whole[-1]
    grown = sum(last.ends[partition] - first.ends[partition] for partition in partitions)
    timeline = run.load.timeline
    cut_short = timeline.measure_s < run.scenario.phases.measure_s
    until_ns = min(last.at_ns, timeline.measure_end_ns) if cut_short else last.at_ns
    left_out_ns = max(first.at_ns - timeline.warmup_end_ns, timeline.measure_end_ns - until_ns)
    if until_ns <= first.at_ns or left_out_ns > max(_LEFT_OUT * timeline.measure_s, _LATE_S) * NS_PER_S:
        return None
    records_per_s = grown * NS_PER_S / (until_ns - first.at_ns)
    record_bytes = _record_bytes(run, partitions[0][0], Phase.MEASURE)
    bytes_per_s = None if record_bytes is None else records_per_s * record_bytes
    return TopicThroughput(records_per_s=records_per_s, bytes_per_s=bytes_per_s if grown else 0.0)


def _record_bytes(run: EndedRun, topic: str, phase: Phase | None) -> float | None:
    """Mean key and value bytes of a topic's records in a phase, or in the whole run.

    As acked to this run, else as it read them; the other way round where others may write, too. None where it
    did neither.
    """
    load = run.load
    sends = {plan.name for plan in load.plan.producers if topic in plan.topics}
    reads = {plan.name for plan in load.plan.consumers if topic in plan.topics}
    senders = [worker for worker in load.fleet.producers if worker.order.group in sends]
    readers = [worker for worker in load.fleet.consumers if worker.order.group in reads]
    acked = _mean(senders, ACK_LANE, Counter.ACKED_BYTES, Counter.ACKED, phase)
    read = _mean(readers, CONSUME_LANE, Counter.CONSUMED_BYTES, Counter.CONSUMED, phase)
    others_write = any(plan.partitions is None for plan in load.plan.topics if plan.name == topic)
    first, second = (read, acked) if others_write else (acked, read)
    return second if first is None else first


def _mean(
    workers: Sequence[WorkerProcess], lane: int, size: Counter, number: Counter, phase: Phase | None
) -> float | None:
    return share(
        total(workers, lane, size, phase, by="by_moment"), total(workers, lane, number, phase, by="by_moment")
    )


def _written(grown: Mapping[Partition, int], sizes: Mapping[str, float | None]) -> int | None:
    """Key and value bytes by which the logs grew; None where the size of what one grew by is not known."""
    grew = [(records, sizes[topic]) for (topic, _), records in grown.items() if records]
    written = [records * size for records, size in grew if size is not None]
    return round(sum(written)) if len(written) == len(grew) else None


def _partitions(run: EndedRun) -> dict[str, list[Partition]]:
    """The partitions of each topic."""
    found: dict[str, list[Partition]] = {}
    for partition in run.baseline:
        found.setdefault(partition[0], []).append(partition)
    return found


def _topics(run: EndedRun) -> dict[str, TopicResult]:
    samples = in_measure_phase(run.load.sampler.samples, run.load.timeline)
    grown = growth(run)
    results = {}
    for name, partitions in _partitions(run).items():
        by_partition = [] if grown is None else [grown[partition] for partition in partitions]
        whole = sum(by_partition)
        results[name] = TopicResult(
            partitions=len(partitions),
            log_end_growth=None if grown is None else whole,
            throughput=_throughput(run, samples, partitions),
            partition_share=tuple(part / whole for part in by_partition) if whole else (),
        )
    return results


def _environment(run: EndedRun) -> Environment:
    info = run.cluster.info
    broker_config, topic_config = _configurations(run)
    # Brokers always have something that is not the default: where nothing is told, nothing is known.
    flush = {
        name: broker_config.get(name, _KAFKA_NEVER_FLUSHES) for name in _FLUSH_PROPERTIES if broker_config
    }
    grown = growth(run)
    sizes = {topic: _record_bytes(run, topic, None) for topic in _partitions(run)}
    return Environment(
        **run.host.model_dump(),
        librdkafka=version(),
        java=info.java,
        container_engine=info.engine,
        image=info.image,
        data_written_bytes=None if grown is None else _written(grown, sizes),
        flush=flush,
        broker_config=broker_config,
        topic_config=topic_config,
        traces=run.scenario.trace_digests,
        client_config=_client_configurations(run),
    )


def _configurations(run: EndedRun) -> tuple[dict[str, str], dict[str, dict[str, str]]]:
    """What brokers and topics really are configured with, where the cluster tells."""
    answers = run.load.final is not None and run.load.final.ends
    if Capability.ADMIN not in run.cluster.capabilities or not answers:
        return {}, {}
    names = list(dict.fromkeys(topic for topic, _ in run.baseline))
    return _asked(run, run.cluster.broker_config), _asked(run, partial(run.cluster.topic_config, names))


def _asked(run: EndedRun, ask: Callable[[], dict[str, _Told]]) -> dict[str, _Told]:
    """What the cluster says; nothing where it refuses, as it may of brokers and not of topics."""
    try:
        return ask()
    except ClusterError as error:
        run.load.events.note("configuration_unknown", f"the cluster did not tell its configuration: {error}")
        return {}


def _client_configurations(run: EndedRun) -> dict[str, dict[str, str]]:
    groups: dict[str, dict[str, str]] = {}
    for worker in run.load.fleet.workers:
        kind = "producer" if worker.order.produces else "consumer"
        name = f"{kind}/{worker.order.group}"
        if name not in groups:
            groups[name] = effective_properties(worker.order.settings.client_properties())
    return groups


def _cluster_used(run: EndedRun) -> ClusterUsed:
    info = run.cluster.info
    return ClusterUsed(
        provider=info.provider,
        kind="mock" if info.kind == "mock" else "kafka",
        kafka_version=info.kafka_version,
        brokers=info.brokers,
        network=info.network,
        config=dict(info.config),
        reason=info.reason,
        cluster_id=info.cluster_id,
        cores=info.cores,
    )


def _machine(run: EndedRun) -> MachineUse | None:
    used = run.load.machine.figures()
    if used is None:
        return None
    return MachineUse(
        busy_share=used.busy,
        workers_share=used.workers,
        brokers_share=used.brokers,
        foreign_share=used.foreign,
        steal_share=used.steal,
        throttled_share=used.throttled,
        shared_cores=used.shared_cores,
    )


def _startup(run: EndedRun) -> Startup:
    begun = [int(worker.slab.record["first_sent_ns"][0]) for worker in run.load.fleet.producers]
    first_sent_ns = min((at_ns for at_ns in begun if at_ns), default=None)
    return Startup(
        cluster_s=(run.cluster_ready_ns - run.started_ns) / NS_PER_S,
        first_sent_s=None if first_sent_ns is None else (first_sent_ns - run.cluster_ready_ns) / NS_PER_S,
        group_join_s=(run.load.timeline.start_ns - run.workers_begun_ns) / NS_PER_S,
    )


def _warnings(run: EndedRun, evicted: int) -> Iterator[Warned]:
    for text in run.load.plan.warnings:
        yield Warned(message=text)
    negative, beyond = _out_of_range(run)
    if negative:
        yield Warned(
            message=f"{negative:,} durations are below zero and left out",
            fix="are producers and consumers on one clock?",
        )
    if beyond:
        yield Warned(
            message=f"{beyond:,} durations are above 137 s, the longest that are told apart",
            fix="lower the rate, or let consumers begin earlier: percentiles that are so long are not told",
        )
    if evicted and run.cluster.info.kind == "mock":
        yield Warned(
            message=f"the mock evicted {evicted:,} records before they were read: it keeps 5 MiB a partition",
            fix="lower the rate or the records' size, or take --provider local",
        )
    elif evicted:
        yield Warned(
            message=f"{evicted:,} records were removed by the topics' retention before they were read",
            fix="keep them longer (retention.ms, retention.bytes), or let the groups keep up",
        )
    if run.account is not None and run.account.why_stopped is not None:
        yield Warned(
            message=f"lost, duplicated and reordered records can't be told: {run.account.why_stopped}",
            fix="let the groups read along, lower the rate, or shorten the run",
        )
    if run.late:
        yield Warned(message=f"{run.late:,} events are missing in the interval series; the totals have them")
    whole = too_few_intervals(run.load.timeline, run.scenario)
    if whole is not None:
        yield Warned(
            message=(
                f"drift was not looked for: it takes {FEWEST_INTERVALS} whole intervals of a second, and the"
                f" measure phase has {whole}"
            ),
            fix=f"measure for {FEWEST_INTERVALS + 1} s or longer",
        )
    yield from _lag_warnings(run)


def _lag_warnings(run: EndedRun) -> Iterator[Warned]:
    gap_s = _longest_gap_s(run)
    if gap_s > _GAP_LIMIT_S:
        yield Warned(
            message=f"for {gap_s:.0f} s of the measure phase no lag was sampled: it may have been higher",
            fix="was loadlab stopped (Ctrl-Z), or the cluster silent? See events.jsonl",
        )
    for group in run.load.sampler.groups:
        if run.read_by_others(group).any():
            yield Warned(
                message=(
                    f"consumer {group.name}: others read in its group {group.group_id}; what they read is "
                    "unknown here, and counts as lag"
                ),
                fix="leave group_id out, or stop the others",
            )
    for name, failed in _failed_commits(run).items():
        yield Warned(
            message=f"consumer {name}: a worker's last commit failed ({', '.join(failed)}), so that"
            " committed_lag.final has what was read since the one before",
            fix="judge by consumer_lag, which goes by what was read",
        )
    for failure in dict.fromkeys(run.load.sampler.failures):
        yield Warned(message=f"a lag sample is missing: {failure}")


def _failed_commits(run: EndedRun) -> dict[str, list[str]]:
    """By consumer name why last commits failed, by Kafka's names."""
    failed: dict[str, list[str]] = {}
    for worker in run.load.fleet.consumers:
        if code := int(worker.slab.record["commit_error"][0]):
            failed.setdefault(worker.order.group, []).append(error_name(code))
    return {name: list(dict.fromkeys(names)) for name, names in failed.items()}


def _longest_gap_s(run: EndedRun) -> float:
    """The longest time without a sample of lag in the measure phase; 0 where nobody reads."""
    timeline = run.load.timeline
    if not run.load.sampler.groups or timeline.measure_end_ns <= timeline.warmup_end_ns:
        return 0.0
    times_ns = [sample.at_ns for sample in in_measure_phase(run.load.sampler.samples, timeline)]
    moments_ns = (timeline.warmup_end_ns, *times_ns, timeline.measure_end_ns)
    return max(after - before for before, after in pairwise(moments_ns)) / NS_PER_S


def _not_readable(told: Reconciliation) -> Iterator[Warned]:
    """What was acked, is not known to be lost, and is not below the log ends that readers get."""
    growth = told.log_end_growth
    short = 0 if growth is None else told.acked - told.lost_at_least - growth
    if told.unexplained is None and short > 0:
        yield Warned(
            message=f"{short:,} acked records could not be read when the run ended",
            fix="acks: all, by which brokers ack what can be read; or a longer phases.drain",
        )


def _out_of_range(run: EndedRun) -> tuple[int, int]:
    negative = beyond = 0
    for worker in run.load.fleet.workers:
        histograms = worker.slab.record["lanes"][0]["histograms"]
        negative += int(histograms["negative"].sum())
        beyond += int(histograms["beyond"].sum())
    return negative, beyond


def make_result(run: EndedRun) -> RunResult:
    """The whole result of a run."""
    reconciliation = reconcile(run)
    brokers = broker_results(run.load.brokers, run.load.timeline)
    request_times = BrokerTimes.of(brokers, run.cluster.info.brokers)
    return RunResult(
        loadlab_version=loadlab.__version__,
        run_id=run.run_id,
        name=run.scenario.name,
        started_at=run.started_at,
        duration_s=(run.ended_ns - run.started_ns) / NS_PER_S,
        startup=_startup(run),
        interrupted=run.load.interrupted,
        scenario=run.scenario.to_document(),
        seed=run.scenario.seed,
        environment=_environment(run),
        cluster=_cluster_used(run),
        machine=_machine(run),
        phases=run.load.timeline.phases(run.ended_ns),
        faults=fault_results(run),
        verdict=make_verdict(run, reconciliation),
        producers={name: group.result(request_times) for name, group in run.producers().items()},
        consumers={name: group.result() for name, group in run.consumers().items()},
        topics=_topics(run),
        brokers=brokers,
        reconciliation=reconciliation,
        warnings=(*_warnings(run, reconciliation.evicted), *_not_readable(reconciliation)),
        events=len(run.load.events.lines),
    )


def make_histograms(run: EndedRun) -> Histograms:
    """The measure phase's latency histograms of all groups."""
    fleet = run.load.fleet
    counts = {}
    for name in run.scenario.producers:
        workers = fleet.group(name, produces=True)
        source = f"producer/{name}"
        counts[f"{source}/service_time_us"] = merged(workers, ACK_LANE, AckMetric.SERVICE_TIME).counts
        if run.scenario.producers[name].schedule.rate == "max":
            continue  # there is no intended send time, from which the others are counted
        counts[f"{source}/send_delay_us"] = merged(workers, SEND_LANE, SendMetric.SEND_DELAY).counts
        counts[f"{source}/publish_latency_us"] = merged(workers, ACK_LANE, AckMetric.PUBLISH_LATENCY).counts
    for name in run.scenario.consumers:
        workers = fleet.group(name, produces=False)
        latency = merged(workers, CONSUME_LANE, ConsumeMetric.END_TO_END_LATENCY)
        counts[f"consumer/{name}/end_to_end_latency_us"] = latency.counts
    return Histograms(bucket_edges_us=lower_bounds_ns() / 1_000, counts=counts)
