from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from run_samples import FakeProcess, S, book, consuming, fleet_of, producing, scenario_of, took, worker_of
from test_plan import producer

from loadlab.measurement.slab import (
    ACK_LANE,
    CONSUME_LANE,
    ERROR_CODES,
    SEND_LANE,
    AckMetric,
    ConsumeMetric,
    Counter,
    Phase,
    SendMetric,
)
from loadlab.run.consumer_group import ConsumerGroup
from loadlab.run.ended import _consumer
from loadlab.run.plan import plan_scenario
from loadlab.run.producer_group import ProducerGroup
from loadlab.run.readings import merged
from loadlab.run.samples import Group, GroupSample, Sample
from loadlab.run.timeline import Timeline
from loadlab.workload import schedule as schedule_module

if TYPE_CHECKING:
    from loadlab.run.fleet import WorkerProcess

# A second of warm-up, ten of measuring, five of draining.
TIMELINE = Timeline(S, 2 * S, 12 * S, 17 * S)
PARTITIONS = (("orders", 0), ("orders", 1))
WARMUP, MEASURE, DRAIN = Phase.WARMUP, Phase.MEASURE, Phase.DRAIN


def group_of(*workers: WorkerProcess, timeline: Timeline = TIMELINE, **fields: object) -> ProducerGroup:
    loaded = scenario_of(producers={"checkout": producer(**fields)}, consumers={})
    return ProducerGroup(
        plan_scenario(loaded).producers[0], loaded.scenario.producers["checkout"], workers, timeline
    )


def sender(worker: int = 0, **booked: int) -> WorkerProcess:
    """A producing worker whose measure phase is as told."""
    made = worker_of(producing(worker))
    book(made, SEND_LANE, Counter.ATTEMPTED, booked.get("attempted", 0))
    book(made, SEND_LANE, Counter.REJECTED, booked.get("rejected", 0))
    book(made, ACK_LANE, Counter.ACKED, booked.get("acked", 0))
    book(made, ACK_LANE, Counter.ACKED_BYTES, 100 * booked.get("acked", 0))
    book(made, ACK_LANE, Counter.FAILED, booked.get("failed", 0))
    return made


def spent(worker: WorkerProcess, clock: str, **seconds: float) -> None:
    """CPU time as taken at the ends of phases."""
    usage = worker.slab.record["usage"][0]
    for name, phase in (("warmup", WARMUP), ("measure", MEASURE), ("drain", DRAIN)):
        usage[clock][phase] = round(seconds.get(name, 0.0) * S)


def test_a_groups_records_are_its_workers_added_up() -> None:
    group = group_of(sender(0, attempted=600, acked=590, failed=4), sender(1, attempted=400, acked=400))

    records = group.records()
    assert (records.attempted, records.acked, records.failed, records.rejected) == (1_000, 990, 4, 0)


def test_records_that_nobody_answered_for_are_indeterminate() -> None:
    records = group_of(sender(attempted=100, acked=90, failed=4, rejected=1)).records()

    assert records.indeterminate == 5
    assert records.attempted == records.acked + records.failed + records.rejected + records.indeterminate


def test_records_that_failed_at_the_hand_over_failed_too() -> None:
    worker = sender(attempted=10, acked=8)
    book(worker, SEND_LANE, Counter.FAILED, 2)

    assert group_of(worker).records().failed == 2
    assert group_of(worker).records().indeterminate == 0


def test_records_belong_to_the_phase_of_their_intent_and_throughput_to_that_of_the_ack() -> None:
    worker = worker_of(producing())
    book(worker, ACK_LANE, Counter.ACKED, 30, intent=WARMUP, moment=MEASURE)
    book(worker, ACK_LANE, Counter.ACKED, 500, intent=MEASURE, moment=MEASURE)
    book(worker, ACK_LANE, Counter.ACKED, 20, intent=MEASURE, moment=DRAIN)
    result = group_of(worker).result()

    assert result.records.acked == 520
    assert result.throughput.records_per_s == 53.0


def test_an_overloaded_group_does_not_report_its_target() -> None:
    worker = worker_of(producing())
    book(worker, SEND_LANE, Counter.ATTEMPTED, 1_000, moment=MEASURE)
    book(worker, ACK_LANE, Counter.ACKED, 400, moment=MEASURE)
    book(worker, ACK_LANE, Counter.ACKED, 600, moment=DRAIN)
    result = group_of(worker).result()

    assert (result.target_records_per_s, result.achieved_ratio) == (100.0, 1.0)
    assert result.records.acked == 1_000
    assert result.throughput.records_per_s == 40.0


def test_records_due_and_never_handed_over_are_told() -> None:
    group = group_of(sender(attempted=900, acked=900))

    assert group.unsent == 100
    assert group.result().records.unsent == 100


def test_a_run_cut_short_owes_only_what_was_due_by_then() -> None:
    cut = replace(TIMELINE, measure_end_ns=TIMELINE.warmup_end_ns + 4 * S)
    group = group_of(sender(attempted=400, acked=400), timeline=cut)

    assert (group.due, group.unsent) == (400, 0)
    assert group.result().target_records_per_s == 100.0


def test_what_was_due_by_a_cut_is_the_planned_schedule_s_share_of_bursts_and_poisson_arrivals() -> None:
    bursts = {"bursts": {"rate": "1k/s", "for": "100ms", "every": "1s"}}
    schedule = {"rate": bursts, "arrivals": "poisson"}
    cut = replace(TIMELINE, measure_end_ns=TIMELINE.warmup_end_ns + 4 * S)
    short = scenario_of(
        producers={"checkout": producer(schedule=schedule)},
        consumers={},
        phases={"warmup": "1s", "measure": "4s", "drain": "5s"},
    )

    planned = plan_scenario(short).producers[0].target_records_per_s
    assert planned is not None
    assert group_of(sender(), timeline=cut, schedule=schedule).due == round(4 * planned) > 300


def test_a_group_s_schedule_is_made_with_the_plan_and_never_again(monkeypatch: pytest.MonkeyPatch) -> None:
    group = group_of(sender(attempted=900))
    monkeypatch.setattr(schedule_module, "table", lambda pieces: pytest.fail(f"{len(pieces)} pieces again"))

    assert group.result().records.unsent == 100


def test_a_run_cut_short_in_warm_up_divides_by_nothing() -> None:
    group = group_of(sender(), timeline=TIMELINE.cut_short(TIMELINE.start_ns + S // 2))
    result = group.result()

    assert (group.due, result.throughput.records_per_s, result.target_records_per_s) == (0, 0.0, None)
    assert group.figures().loop_cpu_share == 0.0


def test_latencies_of_all_workers_are_merged() -> None:
    one, other = sender(0), sender(1)
    took(one, ACK_LANE, AckMetric.PUBLISH_LATENCY, [1_000_000] * 15)
    took(other, ACK_LANE, AckMetric.PUBLISH_LATENCY, [9_000_000] * 15)
    took(other, ACK_LANE, AckMetric.PUBLISH_LATENCY, [1], phase=WARMUP)

    block = replace(group_of(one, other), ended=False).result().publish_latency_us
    assert (block.count, block.min, block.max, block.mean) == (30, 1_000.0, 9_000.0, 5_000.0)
    assert block.p50 == pytest.approx(1_000.0, rel=0.01)
    assert merged([one, other], ACK_LANE, AckMetric.PUBLISH_LATENCY).count == 30


def test_what_was_due_and_never_acked_took_longer_than_all_that_was() -> None:
    """1,000 were due: 980 of them handed over, 10 of those refused by a full queue, 70 never acked."""
    worker = sender(attempted=980, rejected=10, acked=900)
    took(worker, ACK_LANE, AckMetric.SERVICE_TIME, [1_000_000] * 900)
    took(worker, ACK_LANE, AckMetric.PUBLISH_LATENCY, [2_000_000] * 900)
    took(worker, SEND_LANE, SendMetric.SEND_DELAY, [3_000] * 970)
    group = group_of(worker)
    result = group.result()

    assert group.due == 1_000
    assert result.send_delay_us is not None
    assert (result.send_delay_us.missing, result.service_time_us.missing) == (20, 70)
    publish = result.publish_latency_us
    assert (publish.count, publish.missing, publish.max) == (900, 100, 2_000.0)
    assert publish.p50 == pytest.approx(2_000.0, rel=0.01)
    assert (publish.p95, publish.p99) == (None, None)


def test_what_a_group_never_read_took_longer_than_all_that_it_did() -> None:
    worker = reader()
    took(worker, CONSUME_LANE, ConsumeMetric.END_TO_END_LATENCY, [1_000_000] * 400)
    ended = replace(sample(15.0, (300, 100)), ends=dict.fromkeys(PARTITIONS, 1_000))
    standing = replace(READ, workers=[worker], final=ended)
    block = replace(standing, acked=1_000).result().end_to_end_latency_us
    going_on = standing.result().end_to_end_latency_us

    # 600 were not read; and by its position it has 400 to read, the others came before it began.
    assert block is not None
    assert (block.count, block.missing) == (400, 400)
    assert block.p50 == pytest.approx(1_000.0, rel=0.01)
    assert block.p90 is None
    # Where another member has committed that, somebody has read it.
    told = replace(ended.groups["billing"], committed=np.array([1_000, 950]))
    shared = replace(standing, acked=1_000, final=replace(ended, groups={"billing": told}))
    assert shared.latency().missing == 50
    # Of what is left, the ledger knows 30: the rest has no stamp, or is others'.
    assert replace(standing, acked=1_000, unread_by_ledger=30).latency().missing == 30
    # What is lost stands nowhere any more: no lag holds it.
    lost = replace(shared, unread_by_ledger=200, lost_by_ledger=70)
    assert lost.latency().missing == 50 + 70
    assert going_on is not None
    assert (going_on.missing, going_on.p90) == (0, pytest.approx(1_000.0, rel=0.01))


def test_at_the_maximum_rate_latency_is_the_service_time_and_says_so() -> None:
    worker = sender(attempted=5, acked=5)
    took(worker, ACK_LANE, AckMetric.SERVICE_TIME, [2_000_000] * 5)
    took(worker, ACK_LANE, AckMetric.PUBLISH_LATENCY, [3_000_000] * 5)
    result = group_of(worker, schedule={"rate": "max"}).result()

    assert result.publish_latency_is_service_time
    assert result.publish_latency_us == result.service_time_us
    assert (result.send_delay_us, result.target_records_per_s, result.achieved_ratio) == (None, None, None)


def test_cpu_time_is_that_of_the_measure_phase_over_its_acks() -> None:
    worker = sender(attempted=1_000, acked=1_000)
    spent(worker, "cpu_ns", warmup=1.0, measure=3.0, drain=9.0)
    result = group_of(worker).result()

    assert result.cpu_us_per_record == pytest.approx(2_000.0)
    assert (result.workers[0].cpu_s, result.workers[0].cpu_share) == (2.0, 0.2)


def test_a_worker_that_died_has_no_cpu_time_below_zero() -> None:
    worker = worker_of(producing(), FakeProcess(returncode=-9))
    spent(worker, "cpu_ns", warmup=1.0)
    (told,) = group_of(worker).result().workers

    assert told.cpu_s == 0.0
    assert told.exit == "killed by SIGKILL"


def test_errors_are_told_by_kafkas_names() -> None:
    worker = sender(attempted=9)
    lanes = worker.slab.record["lanes"][0]
    lanes[ACK_LANE]["error_codes"][0], lanes[ACK_LANE]["error_counts"][0] = -192, 3
    lanes[SEND_LANE]["error_codes"][0], lanes[SEND_LANE]["error_counts"][0] = 10, 2
    lanes[ACK_LANE]["error_counts"][ERROR_CODES - 1] = 4

    lanes[ACK_LANE]["measured_error_counts"][0] = 1
    result = group_of(worker).result()

    assert result.errors == {"MSG_SIZE_TOO_LARGE": 2, "_MSG_TIMED_OUT": 3, "OTHER": 4}
    assert result.measured_errors == {"_MSG_TIMED_OUT": 1}


def test_batches_are_means_over_all_workers() -> None:
    workers = [sender(0), sender(1)]
    for worker, batches in zip(workers, (10, 30), strict=True):
        worker.slab.record["batches"] = batches
        worker.slab.record["batch_records"] = 100 * batches
        worker.slab.record["batch_bytes"] = 5_000 * batches

    batch = group_of(*workers).result().batch
    assert (batch.records_mean, batch.bytes_mean) == (100.0, 5_000.0)


def compressed(**config: str) -> float | None:
    worker = sender(attempted=100, acked=100)
    worker.slab.record["batches"] = 1
    worker.slab.record["batch_records"], worker.slab.record["batch_bytes"] = 100, 5_000
    return (
        group_of(worker, config={name.replace("_", "."): value for name, value in config.items()})
        .result()
        .compression_ratio
    )


def test_the_compression_ratio_is_that_of_a_records_bytes_before_and_after() -> None:
    assert compressed(compression_type="lz4") == 2.0
    assert compressed(compression_type="none") is None
    assert compressed() is None


def test_the_compression_ratio_is_of_the_measure_phase_on_both_sides() -> None:
    """Statistics are of its windows: larger records of the warm-up count on neither side."""
    worker = sender(attempted=100, acked=100)
    book(worker, ACK_LANE, Counter.ACKED, 100, intent=0, moment=0)
    book(worker, ACK_LANE, Counter.ACKED_BYTES, 1_000_000, intent=0, moment=0)
    worker.slab.record["batches"] = 1
    worker.slab.record["batch_records"], worker.slab.record["batch_bytes"] = 100, 5_000
    assert group_of(worker, config={"compression.type": "lz4"}).result().compression_ratio == 2.0


def test_the_compression_ratio_is_told_whatever_the_property_is_called() -> None:
    assert compressed(compression_codec="lz4") == 2.0


@pytest.mark.parametrize(
    ("fields", "linger_s", "steady"),
    [
        ({}, 0.005, True),
        ({"config": {"linger.ms": 250}}, 0.25, True),
        ({"config": {"queue.buffering.max.ms": 40}}, 0.04, True),
        ({"schedule": {"rate": {"ramp": {"from": 0, "to": "100/s", "over": "1s"}}}}, 0.005, True),
        ({"schedule": {"rate": {"bursts": {"rate": "100/s", "every": "2s", "for": "1s"}}}}, 0.005, False),
    ],
)
def test_the_verdict_knows_how_long_records_are_on_their_way_and_whether_the_rate_was_to_change(
    fields: dict[str, object], linger_s: float, steady: bool
) -> None:
    worker = sender()
    took(worker, ACK_LANE, AckMetric.SERVICE_TIME, [300_000_000] * 200)
    figures = group_of(worker, **fields).figures()

    assert figures.on_their_way_s == pytest.approx(linger_s + 0.3, rel=0.01)
    assert figures.steady == steady


def test_figures_for_the_verdict_are_those_of_the_busiest_and_of_all() -> None:
    busy, idle = sender(0, attempted=400, acked=300), sender(1, attempted=500, acked=500)
    spent(busy, "loop_cpu_ns", warmup=0.5, measure=9.5)
    spent(busy, "cpu_ns", warmup=1.0, measure=13.0)
    spent(busy, "wait_ns", warmup=2.0, measure=6.0)
    book(busy, SEND_LANE, Counter.QUEUE_FULL_NS, 4 * S)
    took(busy, SEND_LANE, SendMetric.OWN_SEND_DELAY, [50_000] * 2_000)
    figures = group_of(busy, idle).figures()

    assert (figures.intended, figures.sent, figures.acked) == (1_000, 900, 800)
    assert figures.queue_full_share == pytest.approx(0.2)
    assert figures.loop_cpu_share == pytest.approx(0.9)
    assert figures.core_wait_share == pytest.approx(4 / (10 * 2))
    assert figures.own_send_delay_us == pytest.approx(50.0, rel=0.01)


# Consumers


def sample(at_s: float, lag: tuple[int, int], committed: int | None = 0, backlog: int = 0) -> Sample:
    ends = dict.fromkeys(PARTITIONS, 0)
    return Sample(
        round(TIMELINE.start_ns + at_s * S), ends, {"billing": GroupSample(np.array(lag), committed, backlog)}
    )


READ = ConsumerGroup(
    group=Group("billing", "group-1", PARTITIONS, np.zeros(2, np.int64), ("checkout",)),
    workers=[],
    timeline=TIMELINE,
    samples=[],
    final=None,
    drained_ns=None,
    sent_ns=12 * S,
    stamped=True,
)


def committing(at_s: float, end: int, *committed: int) -> Sample:
    told = GroupSample(np.zeros(2, np.int64), 0, 0, np.array(committed), has_committed=True)
    ends = dict.fromkeys(PARTITIONS, end)
    return Sample(round(TIMELINE.start_ns + at_s * S), ends, {"billing": told})


def reader(**booked: int) -> WorkerProcess:
    worker = worker_of(consuming())
    for name, amount in booked.items():
        book(worker, CONSUME_LANE, Counter[name.upper()], amount)
    return worker


def test_lag_is_taken_over_the_measure_phase_and_its_final_value_at_the_end() -> None:
    samples = [
        sample(0.5, (900, 900)),
        sample(1.0, (10, 0)),
        sample(5.0, (20, 40)),
        sample(11.0, (0, 2)),
        sample(14.0, (700, 0)),
        sample(15.0, (1, 2)),
    ]
    lag = replace(READ, samples=samples, final=samples[-1]).result().lag

    assert lag is not None
    assert (lag.max, lag.mean, lag.final) == (60, (4 * 35.0 + 6 * 31.0) / 10, 3)
    assert {name: (part.max, part.final) for name, part in lag.by_partition.items()} == {
        "orders-0": (20, 1),
        "orders-1": (40, 2),
    }


def test_a_cluster_that_does_not_answer_at_the_end_leaves_no_final_lag() -> None:
    result = replace(READ, samples=[sample(5.0, (20, 40), 7, backlog=3)]).result()

    assert result.lag is not None
    assert (result.lag.max, result.lag.final, result.lag.by_partition["orders-0"].final) == (60, None, None)
    assert result.committed_lag is not None
    assert (result.committed_lag.max, result.committed_lag.final) == (7, None)
    assert result.backlog is not None
    assert (result.backlog.max, result.backlog.final) == (3, None)


def test_without_a_sample_there_is_no_lag() -> None:
    result = READ.result()

    assert (result.lag, result.committed_lag, result.backlog) == (None, None, None)


def test_committed_lag_leaves_out_samples_that_do_not_know_it() -> None:
    samples = [sample(2.0, (0, 0), 10), sample(3.0, (0, 0), None), sample(4.0, (0, 0), 30)]
    committed = replace(READ, samples=samples, final=samples[-1]).result().committed_lag

    assert committed is not None
    assert (committed.max, committed.mean, committed.final) == (30, 20.0, 30)


def test_backlog_is_its_largest_in_the_measure_phase() -> None:
    samples = [
        sample(0.1, (0, 0), backlog=99),
        sample(3.0, (0, 0), backlog=7),
        sample(15.0, (0, 0), backlog=1),
    ]
    backlog = replace(READ, samples=samples, final=samples[-1]).result().backlog

    assert backlog is not None
    assert (backlog.max, backlog.final) == (7, 1)


@pytest.mark.parametrize(("drained_s", "drain_s"), [(None, None), (14.5, 2.5), (11.0, 0.0)])
def test_draining_takes_from_the_last_ack_to_the_last_read(
    drained_s: float | None, drain_s: float | None
) -> None:
    drained_ns = None if drained_s is None else round(drained_s * S)

    assert replace(READ, drained_ns=drained_ns).result().drain_s == drain_s


@pytest.mark.parametrize(("last_s", "drain_s"), [(0.0, 0.1), (0.04, 0.04), (-1.0, 0.0), (0.2, 0.1)])
def test_a_group_has_drained_when_it_got_the_last_record_and_not_when_that_was_seen(
    last_s: float, drain_s: float
) -> None:
    """Log ends that no ack tells of have to stand still for a second first. 0: nothing was read."""
    billing = reader()
    billing.slab.record["last_consumed_ns"] = TIMELINE.measure_end_ns + round(last_s * S) if last_s else 0
    assert drained_by(billing).result().drain_s == pytest.approx(drain_s)


def test_nobody_drains_before_the_last_record_could_be_due() -> None:
    """A schedule that ends long before the phase: what was read by the end of the phase took no drain."""
    assert drained_by(reader()).result().drain_s == pytest.approx(0.1)


def drained_by(billing: WorkerProcess) -> ConsumerGroup:
    """The group of a worker that was seen to have read all 0.1 s after the measure phase."""
    producer = worker_of(producing())
    producer.slab.record["last_acked_ns"] = TIMELINE.start_ns + 5 * S
    load = SimpleNamespace(
        fleet=fleet_of(producer, billing),
        final=None,
        drained_ns={"billing": TIMELINE.measure_end_ns + S // 10},
    )
    spec = SimpleNamespace(producers={"checkout": SimpleNamespace(stamped=True)})
    return _consumer(load, spec, TIMELINE, READ.group, ())  # type: ignore[arg-type]


def test_a_consumers_records_are_told_by_what_they_are() -> None:
    records = replace(READ, workers=[reader(consumed=9, unstamped=2, foreign=1)]).result().records

    assert (records.consumed, records.unstamped, records.foreign) == (9, 2, 1)


def test_without_stamps_there_is_no_end_to_end_latency() -> None:
    worker = reader()
    took(worker, CONSUME_LANE, ConsumeMetric.END_TO_END_LATENCY, [5_000_000] * 3)

    stamped = replace(READ, workers=[worker]).result().end_to_end_latency_us
    assert stamped is not None
    assert stamped.count == 3
    assert replace(READ, workers=[worker], stamped=False).result().end_to_end_latency_us is None


def test_a_rebalance_that_all_workers_saw_is_one() -> None:
    workers = [reader(), reader()]
    for worker, count in zip(workers, (2, 1), strict=True):
        worker.slab.record["rebalances"], worker.slab.record["rebalance_ns"] = count, count * S

    rebalances = replace(READ, workers=workers).result().rebalances
    assert (rebalances.count, rebalances.seconds) == (2, 2.0)


def test_a_groups_status_is_its_worst_partitions_at_the_end_and_over_the_phase() -> None:
    """One partition stands for the first seconds, the other is read slowly all the time."""
    timeline = Timeline(S, 3 * S, 21 * S, 25 * S)
    samples = [committing(at, 100 * at + 1, 0 if at < 15 else 100 * at, 10 * at) for at in range(20)]
    status = replace(READ, samples=samples, timeline=timeline).result().status

    assert status is not None
    assert (status.worst, status.final) == ("STALL", "WARN")
    assert status.by_partition == {"orders-0": "OK", "orders-1": "WARN"}


def test_a_group_that_never_committed_or_not_for_long_has_no_status() -> None:
    never = [committing(at, 100 * at, 0, 0) for at in range(20)]
    late = [committing(at, 100 * at, 0, 0 if at < 10 else 1) for at in range(20)]

    assert replace(READ, samples=never).result().status is None
    assert replace(READ, samples=late).result().status is None


def test_samples_without_committed_offsets_are_left_out_of_a_status() -> None:
    timeline = Timeline(S, 3 * S, 41 * S, 45 * S)
    samples = [committing(at, 100 * at, 100 * at, 100 * at) for at in range(20)]
    samples += [sample(at, (0, 0), None) for at in range(20, 40)]
    status = replace(READ, samples=samples, timeline=timeline).result().status

    assert status is not None
    assert status.final == "OK"


def test_a_last_sample_that_a_partition_did_not_answer_for_tells_no_final_figures() -> None:
    last = sample(15.0, (0, 0), 5, backlog=2)
    silent = replace(last, ends={PARTITIONS[0]: 10})
    result = replace(READ, samples=[sample(5.0, (20, 40), 7), silent], final=silent).result()

    assert result.lag is not None
    assert result.committed_lag is not None
    assert result.backlog is not None
    assert (result.lag.final, result.committed_lag.final, result.backlog.final) == (None, None, None)
    assert result.lag.by_partition["orders-0"].final is None


def test_a_measure_phase_without_a_sample_has_no_lag_whatever_the_drain_left() -> None:
    samples = [sample(0.5, (900, 900)), sample(15.0, (0, 0))]
    result = replace(READ, samples=samples, final=samples[-1]).result()

    assert (result.lag, result.committed_lag, result.backlog) == (None, None, None)


def test_a_group_that_never_committed_has_no_status() -> None:
    """A group that begins at the end and has not come yet stands at the log's end, which moves."""
    timeline = Timeline(S, 3 * S, 21 * S, 25 * S)
    samples = [committing(at, 100 * at, 100 * at, 100 * at) for at in range(20)]
    never = [
        replace(one, groups={"billing": replace(one.groups["billing"], has_committed=False)})
        for one in samples
    ]

    assert replace(READ, samples=samples, timeline=timeline).result().status is not None
    assert replace(READ, samples=never, timeline=timeline).result().status is None


def test_cpu_time_is_not_known_where_a_worker_died_before_the_end_of_the_phase() -> None:
    lived, died = sender(attempted=1_000, acked=1_000), sender(attempted=1_000, acked=1_000)
    spent(lived, "cpu_ns", warmup=1.0, measure=3.0, drain=9.0)
    spent(died, "cpu_ns", warmup=1.0, measure=0.0, drain=0.0)

    assert group_of(lived, died).result().cpu_us_per_record is None


@pytest.mark.parametrize(
    ("rate", "linger_ms", "warmup_s", "due_last"),
    [
        (1_000, 0, 5.0, 100),
        (1_000, 500, 5.0, 100),
        (1_000, 500, 0.0, 600),
        ({"ramp": {"from": 0, "to": "1k/s", "over": "20s"}}, 500, 10.0, 300),
    ],
    ids=["steady", "lingering", "lingering without a warm-up", "a ramp"],
)
def test_what_was_due_last_may_be_acked_later(
    rate: object, linger_ms: int, warmup_s: float, due_last: int
) -> None:
    """A long service time changes nothing: overload makes it."""
    worker = sender(attempted=10_000, acked=10_000)
    took(worker, ACK_LANE, AckMetric.SERVICE_TIME, [4_000_000_000] * 10)
    timeline = Timeline(S, round((1 + warmup_s) * S), round((11 + warmup_s) * S), 40 * S)
    group = group_of(worker, timeline=timeline, schedule={"rate": rate}, config={"linger.ms": linger_ms})

    assert group.figures().due_last == pytest.approx(due_last, abs=20)
