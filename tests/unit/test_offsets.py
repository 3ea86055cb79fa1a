from __future__ import annotations

import threading
import time
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from engine_samples import until
from run_samples import FakeCluster, S, book, consuming, fleet_of, producing, worker_of

from loadlab.cluster import OffsetSample
from loadlab.errors import ClusterError
from loadlab.measurement.slab import ACK_LANE, CONSUME_LANE, Counter
from loadlab.run.offsets import OffsetSampler
from loadlab.run.samples import (
    Group,
    GroupSample,
    Sample,
    begins,
    in_measure_phase,
    passed_over,
    positions,
    read_by_others,
)
from loadlab.run.timeline import Timeline
from loadlab.run.told import Told

PARTITIONS = tuple(("orders", number) for number in range(3))


def group_from(*start: int) -> Group:
    return Group("billing", "group-1", PARTITIONS, np.array(start), ("checkout",))


def sampler_of(cluster: FakeCluster, *workers: object, start: tuple[int, ...] = (0, 0, 0)) -> OffsetSampler:
    return OffsetSampler(cluster.as_cluster(), fleet_of(*workers), PARTITIONS, [group_from(*start)])  # type: ignore[arg-type]


def test_a_measure_phase_that_never_began_has_no_sample() -> None:
    whole, cut = Timeline(S, 2 * S, 4 * S, 5 * S), Timeline(S, 2 * S, 2 * S, 5 * S)
    samples = [SimpleNamespace(at_ns=at) for at in (2 * S, 2 * S + 1, 3 * S)]
    assert in_measure_phase(samples, whole) == samples
    assert in_measure_phase(samples, cut) == []


def test_a_commit_beyond_where_the_run_s_own_members_are_later_is_of_others() -> None:
    def sample(position: tuple[int, ...], committed: tuple[int, ...]) -> Sample:
        lag = np.array([100, 100]) - position
        told = GroupSample(lag, 0, 0, committed=np.array(committed))
        return Sample(0, {("orders", 0): 100, ("orders", 1): 100}, {"billing": told})

    group = Group("billing", "group-1", (("orders", 0), ("orders", 1)), np.zeros(2, dtype=np.int64), ())
    own = [sample((10, 10), (12, 10)), sample((12, 30), (11, 30))]
    assert read_by_others(own, group).tolist() == [False, False]
    assert read_by_others([*own, sample((12, 20), (12, 20))], group).tolist() == [False, True]


def ends(*offsets: int) -> dict[tuple[str, int], int]:
    return dict(zip(PARTITIONS, offsets, strict=False))


def test_a_groups_position_is_the_furthest_of_its_workers_and_its_start_where_none_has_read() -> None:
    one, other = worker_of(consuming(1)), worker_of(consuming(2))
    one.slab.positions[:2] = [5, 9]
    other.slab.positions[1] = 12

    assert positions([one, other], group_from(3, 3, 3)).tolist() == [5, 12, 3]


def test_lag_is_log_end_less_position() -> None:
    worker = worker_of(consuming())
    worker.slab.positions[:] = [10, 20, -1]
    sample = sampler_of(FakeCluster(ends(15, 20, 7)), worker, start=(0, 0, 4)).take()

    assert sample is not None
    assert sample.groups["billing"].lag.tolist() == [5, 0, 3]


def test_a_position_beyond_the_log_end_that_was_asked_before_it_is_no_lag_below_zero() -> None:
    worker = worker_of(consuming())
    worker.slab.positions[:] = [10, 10, 10]
    sample = sampler_of(FakeCluster(ends(8, 10, 12)), worker).take()

    assert sample is not None
    assert sample.groups["billing"].lag.tolist() == [0, 0, 2]


def test_a_partition_without_an_answer_has_no_lag_and_leaves_committed_lag_unknown() -> None:
    sample = sampler_of(FakeCluster(ends(8, 10)), worker_of(consuming())).take()

    assert sample is not None
    assert sample.groups["billing"].lag.tolist() == [8, 10, 0]
    assert sample.groups["billing"].committed_lag is None


def test_committed_lag_counts_from_the_start_where_nothing_is_committed() -> None:
    cluster = FakeCluster(ends(10, 10, 10), committed={PARTITIONS[0]: 4, PARTITIONS[1]: None})
    sample = sampler_of(cluster, worker_of(consuming()), start=(0, 3, 9)).take()

    assert sample is not None
    assert sample.groups["billing"].committed_lag == 6 + 7 + 1


def test_what_was_sent_before_a_group_that_begins_at_the_end_has_come_is_no_lag_of_it() -> None:
    worker = worker_of(consuming())
    worker.slab.positions[:2] = [10, 7]
    worker.slab.begins[:2] = [6, 7]
    group = replace(group_from(0, 0, 0), late=np.array([True, True, True]))
    cluster = FakeCluster(ends(15, 7, 90), committed={PARTITIONS[0]: 8})
    sample = OffsetSampler(cluster.as_cluster(), fleet_of(worker), PARTITIONS, [group]).take()

    assert sample is not None
    assert sample.groups["billing"].lag.tolist() == [5, 0, 0]
    assert sample.groups["billing"].committed_lag == 7


def test_a_group_that_begins_at_the_end_begins_where_its_first_member_did() -> None:
    one, other = worker_of(consuming(1)), worker_of(consuming(2))
    one.slab.begins[:2] = [6, 7]
    other.slab.begins[:2] = [9, 3]
    one.slab.positions[:2], other.slab.positions[:2] = [8, 8], [12, 4]
    group = replace(group_from(1, 1, 1), late=np.array([True, False, True]))

    assert begins([one, other], group).tolist() == [6, 1, 1]
    assert begins([one, other], group_from(1, 1, 1)).tolist() == [1, 1, 1]


def test_a_coordinator_that_is_silent_keeps_no_other_from_being_asked_and_is_asked_in_the_end() -> None:
    asked: list[str] = []

    class Cluster(FakeCluster):
        def committed_offsets(self, group_id: str, *_: object) -> dict[tuple[str, int], int | None]:
            asked.append(group_id)
            if group_id == "silent":
                raise ClusterError("no coordinator")
            return {}

    groups = [replace(group_from(0, 0, 0), name=name, group_id=name) for name in ("silent", "well")]
    cluster = Cluster(ends(1, 1, 1)).as_cluster()
    sampler = OffsetSampler(cluster, fleet_of(worker_of(consuming())), PARTITIONS, groups)
    sampler.take()
    sampler.take()
    sampler.take_last()

    assert asked == ["silent", "well", "well", "well", "silent"]


def test_all_groups_positions_are_read_before_the_first_coordinator_is_asked() -> None:
    """While one group's coordinator is waited for, the others read on: their lag would be too small."""
    consumer = worker_of(consuming())
    consumer.slab.positions[:] = 4

    def read_on() -> None:
        consumer.slab.positions[:] = 10

    groups = [replace(group_from(0, 0, 0), name=name, group_id=name) for name in ("first", "second")]
    cluster = FakeCluster(ends(10, 10, 10), on_committed=read_on)
    sampler = OffsetSampler(cluster.as_cluster(), fleet_of(consumer), PARTITIONS, groups)
    sampler.fleet.group = lambda *_, **__: [consumer]  # type: ignore[method-assign]
    sample = sampler.take()

    assert sample is not None
    assert [sample.groups[name].total_lag for name in ("first", "second")] == [18, 18]


def test_after_the_last_sample_nothing_is_left_that_asked_for_a_groups_commits() -> None:
    cluster = FakeCluster(ends(1, 1, 1))
    sampler = OffsetSampler(cluster.as_cluster(), fleet_of(), PARTITIONS, [group_from(0, 0, 0)])
    sampler.take_last()
    sampler.release()
    assert cluster.forgotten == [group_from(0, 0, 0).group_id]


def test_leaders_are_the_same_only_where_all_tell_the_epoch_that_they_had_before() -> None:
    before = OffsetSample(0, 0, ends(0, 0, 0), epochs=dict.fromkeys(PARTITIONS, 4))
    sampler = OffsetSampler(FakeCluster().as_cluster(), fleet_of(), PARTITIONS, [], before=before)

    assert sampler.kept_leaders(Sample(1, {}, {}, dict.fromkeys(PARTITIONS, 4)))
    assert not sampler.kept_leaders(Sample(1, {}, {}, {**dict.fromkeys(PARTITIONS, 4), PARTITIONS[1]: 5}))
    assert not sampler.kept_leaders(Sample(1, {}, {}, {PARTITIONS[0]: 4}))
    assert not replace(sampler, before=None).kept_leaders(Sample(1, {}, {}, {}))


def test_backlog_is_what_was_acked_and_not_consumed() -> None:
    producer, consumer = worker_of(producing()), worker_of(consuming())
    book(producer, ACK_LANE, Counter.ACKED, 70, moment=0)
    book(producer, ACK_LANE, Counter.ACKED, 30, moment=1)
    book(consumer, CONSUME_LANE, Counter.CONSUMED, 88)
    sample = sampler_of(FakeCluster(ends(1, 1, 1)), producer, consumer).take()

    assert sample is not None
    assert sample.groups["billing"].backlog == 12


@pytest.mark.parametrize(
    ("existing", "stamped", "counter", "backlog"),
    [
        (False, True, Counter.FOREIGN, 0),
        (True, True, Counter.FOREIGN, 88),
        (True, False, Counter.FOREIGN, 88),
        (True, True, Counter.UNSTAMPED, 88),
        (True, False, Counter.UNSTAMPED, 0),
    ],
)
def test_records_without_our_stamp_are_of_others_only_in_topics_of_others(
    *, existing: bool, stamped: bool, counter: Counter, backlog: int
) -> None:
    producer, consumer = worker_of(producing()), worker_of(consuming())
    book(producer, ACK_LANE, Counter.ACKED, 88)
    book(consumer, CONSUME_LANE, Counter.CONSUMED, 88)
    book(consumer, CONSUME_LANE, counter, 88)
    group = replace(group_from(0, 0, 0), existing=existing, stamped=stamped)
    cluster = FakeCluster(ends(1, 1, 1)).as_cluster()
    sample = OffsetSampler(cluster, fleet_of(producer, consumer), PARTITIONS, [group]).take()

    assert sample is not None
    assert sample.groups["billing"].backlog == backlog


def test_records_held_before_their_acks_are_served_make_no_backlog_below_zero() -> None:
    producer, consumer = worker_of(producing()), worker_of(consuming())
    book(producer, ACK_LANE, Counter.ACKED, 70)
    book(consumer, CONSUME_LANE, Counter.CONSUMED, 71)
    sample = sampler_of(FakeCluster(ends(1, 1, 1)), producer, consumer).take()

    assert sample is not None
    assert sample.groups["billing"].backlog == 0


def test_a_round_without_an_answer_is_noted() -> None:
    sampler = sampler_of(FakeCluster(broken="no broker answers"), worker_of(consuming()))

    assert sampler.take() is None
    assert (sampler.samples, sampler.failures) == ([], ["no broker answers"])


def test_a_sampler_asks_at_the_start_and_at_the_marks_until_it_is_stopped() -> None:
    cluster = FakeCluster(ends(1, 1, 1))
    sampler = sampler_of(cluster, worker_of(consuming()))
    start_ns = time.monotonic_ns()
    sampler.start(start_ns, [start_ns + 300_000_000])

    assert until(lambda: len(sampler.samples) >= 2, 5.0)
    sampler.stop()
    taken = len(sampler.samples)
    at_ms = [(sample.at_ns - start_ns) // 1_000_000 for sample in sampler.samples[:2]]
    assert at_ms[0] < 300 <= at_ms[1]
    assert cluster.asked == taken


def test_a_sampler_that_was_never_started_can_be_stopped() -> None:
    sampler_of(FakeCluster()).stop()


def test_samples_taken_at_once_are_kept_in_the_order_of_time() -> None:
    held_up, go_on = threading.Event(), threading.Event()

    def first_waits() -> None:
        if not held_up.is_set():
            held_up.set()
            go_on.wait(5.0)

    sampler = sampler_of(FakeCluster(ends(1, 1, 1), on_committed=first_waits), worker_of(consuming()))
    slow = threading.Thread(target=sampler.take)
    slow.start()
    assert held_up.wait(5.0)
    quick = threading.Thread(target=sampler.take)
    quick.start()
    # With a lock the second waits for the first, which is let go by then.
    quick.join(0.2)
    go_on.set()
    slow.join()
    quick.join()

    times = [sample.at_ns for sample in sampler.samples]
    assert times == sorted(times)


def test_a_partition_without_an_answer_is_noted() -> None:
    sampler = sampler_of(FakeCluster(ends(8, 10)), worker_of(consuming()))

    assert sampler.take() is not None
    assert sampler.failures == ["no log end of 1 partitions, orders 2 among them: LEADER_NOT_AVAILABLE"]


def test_what_partitions_told_is_a_mapping_of_those_that_did() -> None:
    places = {("orders", 0): 0, ("orders", 1): 1, ("audit", 0): 2}
    told = Told(places, {("audit", 0): 7, ("orders", 0): -1})

    assert dict(told) == {("orders", 0): -1, ("audit", 0): 7} == told
    assert (len(told), told.get(("orders", 1)), bool(Told(places, {}))) == (2, None, False)
    assert told.keys() >= {("audit", 0)}


def test_a_group_begins_where_a_member_read_and_not_where_one_had_only_met_the_end() -> None:
    """Without a record read there is no commit: who takes the partition over begins at its end of then."""
    gone, reads = worker_of(consuming()), worker_of(consuming())
    gone.slab.begins[:], gone.slab.positions[:] = [0, 5, 0], [0, 9, 0]
    reads.slab.begins[:], reads.slab.positions[:] = [130, 9, 40], [200, 20, 40]
    group = replace(group_from(0, 0, 0), late=np.array([True, True, True]))

    assert begins([gone, reads], group).tolist() == [130, 5, 40]
    assert passed_over([gone, reads], group).tolist() == [False, False, False]


def test_what_lies_between_two_members_that_read_was_passed_over() -> None:
    first, second = worker_of(consuming()), worker_of(consuming())
    first.slab.begins[:], first.slab.positions[:] = [3, 3, 3], [50, 50, 50]
    second.slab.begins[:], second.slab.positions[:] = [50, 51, 30], [70, 70, 90]
    group = replace(group_from(0, 0, 0), late=np.array([True, True, True]))

    assert passed_over([second, first], group).tolist() == [False, True, False]
    assert not passed_over([second, first], group_from(0, 0, 0)).any()


def test_what_a_group_that_begins_at_the_end_never_reads_is_no_backlog_of_it() -> None:
    """Of 90 acked records it came after 60 in one partition, and has not come in another with 20 yet."""
    sender, reader = worker_of(producing()), worker_of(consuming())
    book(sender, ACK_LANE, Counter.ACKED, 90)
    book(reader, CONSUME_LANE, Counter.CONSUMED, 4)
    reader.slab.begins[:2] = [60, 0]
    reader.slab.positions[:2] = [64, 0]
    group = replace(group_from(0, 0, 0), late=np.array([True, True, True]))
    cluster = FakeCluster(ends(70, 0, 20))
    sample = OffsetSampler(cluster.as_cluster(), fleet_of(sender, reader), PARTITIONS, [group]).take()

    assert sample is not None
    assert sample.groups["billing"].backlog == 90 - 60 - 20 - 4
    assert not sample.groups["billing"].has_committed


def test_what_a_group_reads_again_takes_nothing_off_its_backlog() -> None:
    """Of 90 acked records it holds 60, 25 of them twice."""
    sender, reader = worker_of(producing()), worker_of(consuming())
    book(sender, ACK_LANE, Counter.ACKED, 90)
    book(reader, CONSUME_LANE, Counter.CONSUMED, 85)
    reader.slab.positions[:] = 20
    cluster = FakeCluster(ends(30, 30, 30))
    sampler = OffsetSampler(cluster.as_cluster(), fleet_of(sender, reader), PARTITIONS, [group_from(0, 0, 0)])
    sampler.read_again = {"billing": 25}.__getitem__
    sample = sampler.take()

    assert sample is not None
    assert sample.groups["billing"].backlog == 90 - 60


def test_where_others_write_too_what_was_acked_before_a_group_came_is_no_backlog_of_it() -> None:
    sender, reader = worker_of(producing()), worker_of(consuming())
    group = replace(group_from(0, 0, 0), late=np.array([True, True, True]), existing=True)
    cluster = FakeCluster(ends(9_000, 9_000, 9_000))
    sampler = OffsetSampler(cluster.as_cluster(), fleet_of(sender, reader), PARTITIONS, [group])
    book(sender, ACK_LANE, Counter.ACKED, 70)
    before = sampler.take()
    reader.slab.begins[:] = 9_000
    book(sender, ACK_LANE, Counter.ACKED, 12)
    book(reader, CONSUME_LANE, Counter.CONSUMED, 7)
    after = sampler.take()

    assert before is not None
    assert after is not None
    assert (before.groups["billing"].backlog, after.groups["billing"].backlog) == (0, 5)


def test_what_was_acked_just_before_a_group_came_is_no_backlog_of_it_either() -> None:
    """Of 100 records that came meanwhile, 40 of them this run's, a quarter was there before it."""
    sender, reader = worker_of(producing()), worker_of(consuming())
    group = replace(group_from(0, 0, 0), late=np.array([True, True, True]), existing=True)
    cluster = FakeCluster(ends(9_000, 9_000, 9_000))
    sampler = OffsetSampler(cluster.as_cluster(), fleet_of(sender, reader), PARTITIONS, [group])
    book(sender, ACK_LANE, Counter.ACKED, 70)
    sampler.take()
    book(sender, ACK_LANE, Counter.ACKED, 40)
    reader.slab.begins[:] = [9_025, 9_000, 9_000]
    cluster.ends = ends(9_050, 9_030, 9_020)
    sample = sampler.take()
    book(sender, ACK_LANE, Counter.ACKED, 8)
    cluster.ends = ends(9_058, 9_030, 9_020)
    later = sampler.take()

    assert sample is not None
    assert later is not None
    assert (sample.groups["billing"].backlog, later.groups["billing"].backlog) == (30, 38)


def test_a_group_that_reads_on_in_a_partition_reads_what_was_acked_before_it_came() -> None:
    sender, reader = worker_of(producing()), worker_of(consuming())
    group = replace(group_from(0, 0, 0), late=np.array([True, False, False]), existing=True)
    cluster = FakeCluster(ends(9_000, 9_000, 9_000))
    book(sender, ACK_LANE, Counter.ACKED, 70)
    sample = OffsetSampler(cluster.as_cluster(), fleet_of(sender, reader), PARTITIONS, [group]).take()

    assert sample is not None
    assert sample.groups["billing"].backlog == 70


def test_where_others_write_too_nothing_is_taken_off_a_backlog() -> None:
    sender, reader = worker_of(producing()), worker_of(consuming())
    book(sender, ACK_LANE, Counter.ACKED, 5)
    reader.slab.begins[:] = 20_000
    group = replace(group_from(0, 0, 0), late=np.array([True, True, True]), existing=True)
    cluster = FakeCluster(ends(20_005, 20_000, 20_000))
    sample = OffsetSampler(cluster.as_cluster(), fleet_of(sender, reader), PARTITIONS, [group]).take()

    assert sample is not None
    assert sample.groups["billing"].backlog == 5


def test_topics_that_the_run_only_reads_say_nothing_of_what_it_sent() -> None:
    others = ("others", 0)
    before = OffsetSample(0, 0, {PARTITIONS[0]: 0, others: 0}, epochs={PARTITIONS[0]: 4, others: 4})
    sampler = OffsetSampler(
        FakeCluster().as_cluster(),
        fleet_of(),
        [PARTITIONS[0], others],
        [],
        before=before,
        written={PARTITIONS[0][0]},
    )
    moved = Sample(1, {PARTITIONS[0]: 3, others: 9}, {}, {PARTITIONS[0]: 4, others: 5})

    assert sampler.own_ends(moved) == {PARTITIONS[0]: 3}
    assert sampler.kept_leaders(moved)


def test_silent_coordinators_of_many_groups_cost_one_wait_and_not_those_that_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now_s = [0.0]
    monkeypatch.setattr("loadlab.run.offsets.time.monotonic", lambda: now_s[0])
    groups = [replace(group_from(0, 0, 0), name=name, group_id=name) for name in ("dead", "gone", "well")]

    class Partly(FakeCluster):
        def committed_offsets(
            self, group_id: str, _: object, timeout_s: float
        ) -> dict[tuple[str, int], int | None]:
            asked.append(group_id)
            if group_id == "well":
                return {}
            now_s[0] += timeout_s
            raise ClusterError("no coordinator")

    sampler = OffsetSampler(Partly(ends(1, 1, 1)).as_cluster(), fleet_of(), PARTITIONS, groups)
    for expected in (["dead"], ["gone"], ["well"]):
        asked: list[str] = []
        sampler.take()
        assert asked == expected
    asked = []
    last = sampler.take_last()
    assert asked == ["well", "dead"]
    assert last is not None
    assert last.groups["well"].committed_lag == 3
