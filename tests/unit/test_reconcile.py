"""What was acked, what the log holds and what was read, held against each other."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import numpy as np
import pytest
from run_samples import FakeCluster, S, book, consuming, fleet_of, producing, scenario_of, worker_of
from test_plan import producer

from loadlab.cluster import OffsetSample
from loadlab.measurement.slab import ACK_LANE, CONSUME_LANE, SEND_LANE, Counter, Phase
from loadlab.measurement.validity import Incident
from loadlab.results.model import TopicThroughput
from loadlab.run.brokers import BrokerSampler
from loadlab.run.collect import _not_readable, _record_bytes, _topics
from loadlab.run.ended import EndedRun, consumer_groups
from loadlab.run.events import Events
from loadlab.run.interrupts import Interrupts
from loadlab.run.load import Load
from loadlab.run.offsets import OffsetSampler
from loadlab.run.plan import plan_scenario
from loadlab.run.progress import SilentObserver
from loadlab.run.reconcile import growth, make_verdict, reconcile
from loadlab.run.samples import Group, GroupSample, Sample
from loadlab.run.timeline import Timeline

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from loadlab.results.model_environment import HostEnvironment
    from loadlab.run.fleet import Fleet
    from loadlab.run.samples import Partition
    from loadlab.scenario import LoadedScenario

PARTITIONS = tuple(("orders", number) for number in range(3))


class MockOrKafka(FakeCluster):
    """A cluster that says what it is."""

    kind = "kafka"
    log_start = 0

    @property
    def info(self) -> SimpleNamespace:
        return SimpleNamespace(kind=self.kind)

    def start_offsets(self, partitions: Sequence[Partition], timeout_s: float = 5.0) -> OffsetSample:  # noqa: ARG002
        return OffsetSample(0, 0, dict.fromkeys(partitions, self.log_start))


def load_of(
    loaded: LoadedScenario, fleet: Fleet, ends: dict[Partition, int], *, kind: str, baseline: int
) -> Load:
    """A load that has ended, with one sample of the log's ends; none where no partition answered."""
    cluster = MockOrKafka()
    cluster.kind = kind
    existing = loaded.scenario.topics["orders"].existing
    group = Group("billing", "group-1", PARTITIONS, np.full(3, baseline), ("checkout",), existing)
    sampler = OffsetSampler(cluster.as_cluster(), fleet, PARTITIONS, [group])
    if ends:
        at = fleet.consumers[0].slab.positions
        lag = np.array([ends.get(partition, 0) for partition in PARTITIONS]) - at
        sampler.samples.append(Sample(10 * S, ends, {"billing": GroupSample(np.maximum(lag, 0), 0, 0)}))
    load = Load(
        plan_scenario(loaded),
        fleet,
        cluster.as_cluster(),
        sampler,
        BrokerSampler(cluster.as_cluster()),
        Events(SilentObserver()),
        Interrupts(),
        lambda intervals, timeline: None,  # noqa: ARG005
    )
    load.timeline = Timeline(S, 2 * S, 12 * S, 17 * S)
    load.final = sampler.samples[-1] if ends else None
    return load


def measured(  # noqa: PLR0913 - what a run is told by
    *,
    attempted: int = 100,
    acked: int = 100,
    grown: tuple[int, ...] = (40, 30, 30),
    read: tuple[int, ...] = (40, 30, 30),
    consumed: int = 100,
    acks: str = "all",
    kind: str = "kafka",
    baseline: int = 1_000,
    topic: dict[str, object] | None = None,
) -> EndedRun:
    """A run of one producer and one consumer whose topic held records before."""
    loaded = scenario_of(
        topics={"orders": topic or {"partitions": 3}},
        producers={"checkout": producer(schedule={"rate": 10}, config={"acks": acks})},
    )
    sender, reader = worker_of(producing(0)), worker_of(consuming(1))
    book(sender, SEND_LANE, Counter.ATTEMPTED, attempted)
    book(sender, ACK_LANE, Counter.ACKED, acked)
    book(reader, CONSUME_LANE, Counter.CONSUMED, consumed)
    reader.slab.positions[:] = [baseline + offset for offset in read]
    ends = {partition: baseline + by for partition, by in zip(PARTITIONS, grown, strict=False)}
    load = load_of(loaded, fleet_of(sender, reader), ends, kind=kind, baseline=baseline)
    return EndedRun(
        run_id="run-1",
        started_at=datetime.now(UTC),
        started_ns=0,
        scenario=loaded.scenario,
        load=load,
        ended_ns=13 * S,
        baseline=dict.fromkeys(PARTITIONS, baseline),
        host=cast("HostEnvironment", None),
        cluster_ready_ns=0,
        workers_begun_ns=0,
        late=0,
        rows=[],
    )


def test_a_log_that_grew_by_what_was_acked_leaves_nothing_to_explain() -> None:
    told = reconcile(measured())

    assert (told.acked, told.log_end_growth, told.consumed) == (100, 100, {"billing": 100})
    assert (told.unexplained, told.unseen, told.evicted) == (0, 0, 0)


@pytest.mark.parametrize(
    ("parts", "unexplained"),
    [
        ({"grown": (41, 30, 30)}, 1),
        ({"grown": (39, 30, 30)}, -1),
        ({"grown": (40, 30, 30), "acked": 95}, 0),
        ({"grown": (35, 30, 30), "acked": 95}, 0),
        ({"grown": (45, 30, 30), "acked": 95}, 5),
        ({"grown": (34, 30, 30), "acked": 95}, -1),
        ({"grown": (20, 20, 20), "acks": "0"}, None),
        ({"grown": (41, 30, 30), "acks": "0"}, 1),
    ],
    ids=[
        "a stranger's record",
        "an acked record is missing",
        "indeterminate records are all there",
        "indeterminate records are all gone",
        "more than all indeterminate ones",
        "missing although others are indeterminate",
        "acks=0 promises nothing",
        "acks=0 and a stranger",
    ],
)
def test_what_nothing_accounts_for_is_unexplained(parts: dict[str, object], unexplained: int | None) -> None:
    assert reconcile(measured(**parts)).unexplained == unexplained  # type: ignore[arg-type]


def test_what_a_leader_acked_and_readers_do_not_get_yet_is_not_missing() -> None:
    run = measured(grown=(39, 30, 30), acks="1")
    assert reconcile(run).unexplained == -1
    assert list(_not_readable(reconcile(run))) == []

    epochs = dict.fromkeys(PARTITIONS, 3)
    assert run.load.final is not None
    run.load.final = replace(run.load.final, epochs=epochs)
    run.load.sampler.before = OffsetSample(0, 0, {}, epochs=epochs)
    assert reconcile(run).unexplained is None
    assert [each.message[:36] for each in _not_readable(reconcile(run))] == [
        "1 acked records could not be read wh"
    ]


def test_a_log_that_was_not_asked_explains_nothing() -> None:
    run = measured(grown=())

    assert growth(run) is None
    assert (reconcile(run).log_end_growth, reconcile(run).unexplained) == (None, None)
    assert reconcile(run).unseen is None


def test_a_log_that_one_partition_did_not_answer_for_explains_nothing() -> None:
    """What the group had left to read there is not known either, though the sample has a figure for it."""
    run = measured(grown=(40, 30))

    assert growth(run) is None
    assert reconcile(run).unseen is None
    assert run.consumers()["billing"].unread is None


def test_a_topic_that_was_changed_meanwhile_leaves_a_run_uncounted_and_says_so() -> None:
    run = replace(measured(grown=(20, 15, 15)), changed=["orders has 6 partitions now, and had 3"])

    assert (reconcile(run).log_end_growth, reconcile(run).unexplained) == (None, None)
    (reason,) = make_verdict(run, reconcile(run)).reasons
    assert (reason.code, reason.severity) == ("unreconciled", "invalid")
    assert "orders has 6 partitions now, and had 3" in reason.message


def test_the_bytes_of_a_topic_that_the_run_only_reads_are_those_it_read() -> None:
    run = measured(acked=0, attempted=0)
    begun = replace(run.load.sampler.samples[0], at_ns=2 * S, ends=dict(run.baseline))
    run.load.sampler.samples.insert(0, replace(begun))
    run.load.sampler.samples[-1] = replace(run.load.sampler.samples[-1], at_ns=12 * S)
    assert _topics(run)["orders"].throughput == TopicThroughput(records_per_s=10.0, bytes_per_s=0.0)
    book(run.load.fleet.consumers[0], CONSUME_LANE, Counter.CONSUMED_BYTES, 25_000)
    assert _topics(run)["orders"].throughput == TopicThroughput(records_per_s=10.0, bytes_per_s=2_500.0)


def test_the_bytes_of_a_topic_to_which_others_write_are_those_that_were_read() -> None:
    for topic, record_bytes in ({"partitions": 3}, 50.0), ({"existing": True}, 250.0):
        run = measured(topic=topic)
        book(run.load.fleet.producers[0], ACK_LANE, Counter.ACKED_BYTES, 5_000)
        book(run.load.fleet.consumers[0], CONSUME_LANE, Counter.CONSUMED_BYTES, 25_000)
        assert _record_bytes(run, "orders", Phase.MEASURE) == record_bytes


def test_a_topic_s_rate_ends_with_the_load_where_that_was_cut_short() -> None:
    run = measured()
    timeline = run.load.timeline.cut_short(run.load.timeline.warmup_end_ns + 4 * S)
    run.load.timeline = timeline
    first = replace(run.load.sampler.samples[0], at_ns=timeline.warmup_end_ns, ends=dict(run.baseline))
    last = replace(run.load.sampler.samples[0], at_ns=timeline.measure_end_ns + S // 5)
    run.load.sampler.samples[:] = [first, last]

    throughput = _topics(run)["orders"].throughput
    assert throughput is not None
    assert throughput.records_per_s == pytest.approx(100 / 4, rel=0.01)


def test_the_bytes_of_a_topic_of_which_nothing_was_sent_or_read_are_not_known() -> None:
    run = measured(acked=0, attempted=0, consumed=0, read=(0, 0, 0))
    last = replace(run.load.sampler.samples[0], at_ns=12 * S)
    run.load.sampler.samples[:] = [replace(last, at_ns=2 * S, ends=dict(run.baseline)), last]
    assert _topics(run)["orders"].throughput == TopicThroughput(records_per_s=10.0, bytes_per_s=None)


@pytest.mark.parametrize(
    ("sender", "read_all"),
    [
        ({"intended": None, "limit_reached": True}, True),
        ({"intended": None, "limit_reached": False}, False),
        ({"intended": 0}, True),
        ({"intended": 1}, False),
    ],
)
def test_who_reads_a_backlog_after_its_sender_has_stopped_has_read_all(
    sender: dict[str, object], *, read_all: bool
) -> None:
    """Whether at a rate or at the maximum, a sender of which nothing is due any more sends nothing."""
    run = measured()
    lag = {"billing": GroupSample(np.array([40, 30, 30]), 0, 0)}
    run.load.sampler.samples.insert(0, Sample(2 * S, dict(run.baseline), lag))
    figures = replace(run.producers()["checkout"].figures(), **sender)
    group = run.consumers()["billing"]
    assert group.figures(run.scenario.consumers["billing"], [figures]).read_all == read_all


def test_records_not_yet_read_are_unseen() -> None:
    told = reconcile(measured(read=(40, 20, 30), consumed=90))

    assert (told.unseen, told.evicted) == (10, 0)


def test_what_retention_took_before_it_was_read_is_not_still_to_be_read() -> None:
    run = measured(read=(40, 0, 30), consumed=70, grown=(40, 30, 30))
    assert reconcile(run).unseen == 30

    run = measured(read=(40, 0, 30), consumed=70, grown=(40, 30, 30))
    run.cluster.log_start = 1_010  # type: ignore[attr-defined]
    assert reconcile(run).unseen == 20
    (undrained,) = (one for one in make_verdict(run, reconcile(run)).reasons if one.code == "undrained")
    assert undrained.message.startswith("consumer billing had 20 records still to read")


@pytest.mark.parametrize("kind", ["mock", "kafka"])
def test_records_that_were_gone_before_they_were_read_are_evicted(kind: str) -> None:
    assert reconcile(measured(consumed=75, kind=kind)).evicted == 25


@pytest.mark.parametrize("topic", [{"existing": True}, {"config": {"cleanup.policy": "compact,delete"}}])
def test_offsets_that_need_not_be_records_are_not_called_evicted(topic: dict[str, object]) -> None:
    assert reconcile(measured(consumed=75, topic=topic)).evicted == 0


def test_a_verdict_carries_what_was_found() -> None:
    run = measured(grown=(41, 30, 30), read=(31, 30, 30))
    verdict = make_verdict(run, reconcile(run))

    assert verdict.status == "invalid"
    assert [reason.code for reason in verdict.reasons] == ["unreconciled", "undrained"]


def test_a_group_that_came_to_the_log_ends_of_a_topic_that_others_write_to_has_drained() -> None:
    """What they wrote while the workers ended is not its to read."""
    run = measured(grown=(41, 30, 30), read=(40, 30, 30), topic={"existing": True})
    codes = {reason.code for reason in make_verdict(run, reconcile(run)).reasons}
    assert "undrained" in codes
    run.load.drained_ns["billing"] = 12 * S
    codes = {reason.code for reason in make_verdict(run, reconcile(run)).reasons}
    assert "undrained" not in codes


def test_a_retry_may_have_written_a_surplus_where_something_went_wrong() -> None:
    run = measured(grown=(41, 30, 30))
    run.load.watch.dead[1] = Incident("broker 1", "died")

    assert make_verdict(run, reconcile(run)).status == "suspect"


def test_a_topics_throughput_is_that_of_the_measure_phase_alone() -> None:
    run = measured()
    at_the_end = run.load.sampler.samples.pop()
    begun = replace(at_the_end, at_ns=2 * S, ends=dict(run.baseline))
    run.load.sampler.samples += [
        begun,
        *(replace(at_the_end, at_ns=at_ns) for at_ns in (12 * S, 12 * S + S // 5)),
    ]

    throughput = _topics(run)["orders"].throughput
    assert throughput is not None
    assert throughput.records_per_s == 10.0


def test_a_partition_whose_log_end_is_not_told_leaves_a_run_unreconciled() -> None:
    run = measured(grown=(40, 30))
    run.load.final = Sample(12 * S, dict.fromkeys(PARTITIONS[:2], 1000), {})
    verdict = make_verdict(run, reconcile(run))

    assert ("unreconciled", "invalid") in [(reason.code, reason.severity) for reason in verdict.reasons]


@pytest.mark.parametrize("ends", [{}, dict.fromkeys(PARTITIONS[:2], 5_000)])
def test_a_sample_without_all_partitions_tells_no_throughput_of_their_topic(
    ends: dict[Partition, int],
) -> None:
    """The last one, with the brokers not answering, would tell of no growth at all, or of too little."""
    run = measured()
    whole = run.load.sampler.samples.pop()
    run.load.sampler.samples += [
        replace(whole, at_ns=2 * S, ends=dict(run.baseline)),
        replace(whole, at_ns=12 * S - S // 2),
        replace(whole, at_ns=12 * S, ends=ends),
    ]

    throughput = _topics(run)["orders"].throughput
    assert throughput is not None
    assert throughput.records_per_s == pytest.approx(100 / 9.5)

    # Of brokers that answered no more from then on it would tell what was before.
    run.load.sampler.samples[1] = replace(whole, at_ns=12 * S - 3 * S // 2)
    assert _topics(run)["orders"].throughput is None

    del run.load.sampler.samples[1]
    assert _topics(run)["orders"].throughput is None


def test_groups_are_judged_on_the_same_samples_though_another_is_taken_meanwhile() -> None:
    run = measured()
    groups = run.load.sampler.groups
    run.load.sampler.groups = [*groups, replace(groups[0], name="audit")]

    class Growing(list[Sample]):
        def __iter__(self) -> Iterator[Sample]:
            yield from [*super().__iter__()]
            self.append(self[0])

    run.load.sampler.samples = Growing(run.load.sampler.samples)
    billing, audit = consumer_groups(run.load, run.scenario, run.load.timeline, ended=False).values()

    assert len(billing.samples) == len(audit.samples)
