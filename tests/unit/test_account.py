"""The run's side of the ledger: what it is told of logs and groups, and what it makes of a run's result."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from ledger_samples import Member, ack, ack_many, doubt
from run_samples import S, book, consuming, fleet_of, producing, scenario_of, worker_of
from test_plan import producer
from test_reconcile import PARTITIONS, MockOrKafka, measured

from loadlab.cluster import OffsetSample
from loadlab.errors import ClusterError
from loadlab.measurement.ledger import BLOCK_RECORDS, MOST_MEMORY_BYTES, Stopped
from loadlab.measurement.ledger_read import STRANGER
from loadlab.measurement.slab import SEND_LANE, Counter
from loadlab.results.model import RecordExample
from loadlab.run.account import Account, memory_limit_bytes, open_account
from loadlab.run.collect import _warnings
from loadlab.run.events import Events
from loadlab.run.plan import plan_scenario
from loadlab.run.progress import SilentObserver
from loadlab.run.reconcile import make_verdict, reconcile
from loadlab.run.timeline import Timeline

if TYPE_CHECKING:
    from collections.abc import Sequence

    from loadlab.measurement.ledger import Ledger
    from loadlab.results.model import Reconciliation
    from loadlab.run.ended import EndedRun
    from loadlab.run.samples import Partition
    from loadlab.scenario import LoadedScenario

BASELINE = 1_000
"""Where the run's records begin in each partition."""


@dataclass
class Cluster(MockOrKafka):
    """A cluster that says where its logs begin."""

    log_start: int = BASELINE
    silent: bool = False

    def start_offsets(self, partitions: Sequence[Partition], timeout_s: float = 5.0) -> OffsetSample:  # noqa: ARG002
        if self.silent:
            raise ClusterError("no broker answers")
        return OffsetSample(0, 0, dict.fromkeys(partitions, self.log_start))


def opened(loaded: LoadedScenario) -> Account:
    account = open_account(loaded.scenario, plan_scenario(loaded), PARTITIONS)
    assert account is not None
    return account


@dataclass
class Run:
    """A run of 100 records in three partitions: those of 40, 30 and 30 offsets that `measured` tells of.

    Attributes:
        cluster: which.
        missed: sequence numbers that the group did not see.
        handed_on_at: how far its first member came in the first partition, and where another began there.
        config: of the topic.
        parts: what `measured` takes.
    """

    cluster: Cluster = field(default_factory=Cluster)
    missed: tuple[int, ...] = ()
    doubtful: tuple[int, ...] = ()
    acked_behind: int = 0
    topic_config: dict[str, str] = field(default_factory=dict)
    consumer_config: dict[str, str] = field(default_factory=dict)
    read_from: int = 0
    handed_on_at: tuple[int, int] | None = None

    def told(self) -> tuple[Reconciliation, EndedRun]:
        run = measured(attempted=100 + self.acked_behind, acked=100 + self.acked_behind - len(self.doubtful))
        run.load.cluster = self.cluster.as_cluster()
        loaded = scenario_of(
            producers={"checkout": producer(schedule={"rate": 10})},
            topics={"orders": {"partitions": 3, "config": self.topic_config}},
            consumers={"billing": {"topic": "orders", "config": self.consumer_config}},
        )
        run.load.plan = plan_scenario(loaded)
        if self.consumer_config:
            group = run.load.sampler.groups[0]
            run.load.sampler.groups = [replace(group, late=np.ones(3, dtype=bool))]
            run.load.fleet.consumers[0].slab.begins[:] = BASELINE + self.read_from
        if self.handed_on_at is not None:
            left, begun = self.handed_on_at
            (first,) = run.load.fleet.consumers
            another = worker_of(consuming(2))
            another.slab.begins[0], another.slab.positions[0] = BASELINE + begun, first.slab.positions[0]
            first.slab.positions[0] = BASELINE + left
            run.load.fleet = fleet_of(*run.load.fleet.producers, first, another)
        with closing(opened(loaded)) as account:
            self.enter(account.ledger)
            account.fold(run.load.fleet.producers, run.load.events)
            run = replace(run, account=account)
            return reconcile(run), run

    def enter(self, ledger: Ledger) -> None:
        member, address = Member(ledger), ledger.address
        sequence = 0
        for partition, amount in enumerate((40, 30, 30)):
            for offset in range(BASELINE, BASELINE + amount):
                if sequence in self.doubtful:
                    doubt(address, 0, sequence, partition)
                else:
                    ack(address, 0, sequence, partition, offset)
                if offset >= BASELINE + self.read_from:
                    stranger = sequence in self.missed
                    member.read((STRANGER if stranger else 0, sequence, partition, offset))
                sequence += 1
        for behind in range(self.acked_behind):
            ack(address, 0, sequence + behind, 2, BASELINE + 30 + behind)


def shown(told: Reconciliation) -> list[tuple[str, int]]:
    return [(each.record_class, each.sequence) for each in told.examples]


def test_records_that_were_acked_and_read_leave_nothing_to_tell() -> None:
    told, run = Run().told()

    assert (told.lost, told.duplicated, told.reordered, told.unexplained) == (0, 0, 0, 0)
    assert told.groups["billing"].seen == 100
    assert told.examples == ()
    assert make_verdict(run, told).status == "valid"


def test_records_that_a_group_reads_again_are_counted_while_it_reads() -> None:
    with closing(opened(scenario_of(consumers={"billing": {"topic": "orders"}}))) as account:
        Run().enter(account.ledger)
        before = account.read_again("billing")
        another = Member(account.ledger)
        another.read((0, 0, 0, BASELINE), (0, 1, 0, BASELINE + 1), (0, 2, 0, BASELINE + 99))

    assert (before, account.read_again("billing")) == (0, 3)


def test_a_group_is_told_what_the_ledger_knows_that_it_never_read() -> None:
    _, run = Run(read_from=4, acked_behind=3).told()

    billing = run.consumers()["billing"]
    assert (billing.unread_by_ledger, billing.lost_by_ledger) == (12 + 3, 12 + 3)


def test_what_members_that_begin_at_the_end_handed_on_with_a_gap_is_not_called_lost() -> None:
    told, _ = Run(missed=(5,), consumer_config={"auto.offset.reset": "latest"}, handed_on_at=(5, 6)).told()

    assert (told.lost, told.groups["billing"].unknown) == (None, 1)


def test_a_lost_record_is_told_with_its_place_and_leaves_the_measurement_valid() -> None:
    told, run = Run(missed=(5, 41)).told()

    assert (told.lost, told.groups["billing"].lost) == (2, 2)
    assert told.examples[1] == RecordExample(
        record_class="lost",
        consumer="billing",
        worker=0,
        sequence=41,
        partition="orders-1",
        offset=BASELINE + 1,
    )
    verdict = make_verdict(run, told)
    assert [(reason.code, reason.figure) for reason in verdict.reasons] == [("records_lost", 2.0)]
    assert verdict.status == "valid"


def test_acked_records_that_the_log_ends_before_are_lost_and_explain_that_it_is_short() -> None:
    told, run = Run(acked_behind=3).told()

    assert (told.lost, told.unexplained) == (3, -3)
    assert "unreconciled" not in [reason.code for reason in make_verdict(run, told).reasons]


def test_a_measure_phase_too_short_to_look_for_drift_is_told() -> None:
    _, run = Run().told()
    assert not any("drift" in warned.message for warned in _warnings(run, 0))

    run.load.timeline = Timeline(S, 2 * S, 11 * S, 17 * S)
    assert any("measure phase has 9" in warned.message for warned in _warnings(run, 0))


def test_what_retention_removed_is_evicted_and_never_lost() -> None:
    told, run = Run(Cluster(log_start=BASELINE + 10), missed=(5, 15)).told()

    assert (told.lost, told.evicted) == (1, 1)
    assert shown(told) == [("lost", 15), ("evicted", 5)]
    assert any("retention" in warned.message for warned in _warnings(run, told.evicted))


@pytest.mark.parametrize(
    "run",
    [Run(missed=(5,), topic_config={"cleanup.policy": "compact"}), Run(Cluster(silent=True), missed=(5,))],
    ids=["compacted", "log starts unknown"],
)
def test_where_a_record_may_be_missing_by_right_nothing_is_called_lost_nor_is_it_called_none(
    run: Run,
) -> None:
    told, _ = run.told()

    assert told.lost is None
    assert (told.groups["billing"].lost, told.groups["billing"].unknown) == (None, 1)


@pytest.mark.parametrize(("log_start", "lost"), [(BASELINE + 10, None), (BASELINE, 1)])
def test_a_group_that_jumps_to_the_end_where_retention_came_before_it_has_lost_nothing_that_is_known(
    log_start: int, lost: int | None
) -> None:
    run = Run(
        Cluster(log_start=log_start),
        missed=(15,),
        consumer_config={"auto.offset.reset": "latest"},
        read_from=0,
    )
    assert run.told()[0].groups["billing"].lost == lost


def test_a_compacted_topic_of_which_all_was_read_has_lost_nothing() -> None:
    assert Run(topic_config={"cleanup.policy": "compact,delete"}).told()[0].lost == 0


def test_log_starts_that_were_not_told_are_an_event() -> None:
    _, run = Run(Cluster(silent=True)).told()

    assert [line["event"] for line in run.load.events.lines] == ["log_starts_unknown"]


def test_what_was_sent_before_a_group_that_begins_at_the_end_does_not_concern_it() -> None:
    told, _ = Run(consumer_config={"auto.offset.reset": "latest"}, read_from=4).told()

    assert (told.lost, told.groups["billing"].earlier, told.groups["billing"].seen) == (0, 12, 88)


def test_what_was_sent_before_the_first_read_of_a_group_from_the_start_is_lost_to_it() -> None:
    assert Run(read_from=4).told()[0].lost == 12


def test_indeterminate_records_are_resolved_by_what_was_read() -> None:
    told, _ = Run(doubtful=(3, 50, 51), missed=(51,)).told()

    group = told.groups["billing"]
    assert (group.found, group.absent, group.unresolved) == (2, 1, 0)
    assert shown(told) == [("found", 3), ("found", 50), ("absent", 51)]
    # The log has grown by 100; 97 were acked, two were found, and the third is somebody else's record.
    assert told.unexplained == 1


def test_without_a_reader_or_a_stamp_there_is_no_ledger() -> None:
    small = producer(records={"size": 16, "stamp": False})
    for loaded in (scenario_of(consumers={}), scenario_of(producers={"checkout": small})):
        assert open_account(loaded.scenario, plan_scenario(loaded), PARTITIONS) is None


def test_only_workers_whose_records_are_read_and_stamped_are_followed() -> None:
    loaded = scenario_of(
        topics={"orders": {"partitions": 2}, "refunds": {"partitions": 1}},
        producers={
            "unread": producer(topic="refunds"),
            "small": producer(records={"size": 16, "stamp": False}),
            "both": producer(workers=2),
        },
        consumers={"a": {"topic": "orders"}, "b": {"topic": "orders"}},
    )
    with closing(opened(loaded)) as account:
        assert sorted(account.folders) == [2, 3]
        assert account.ledger.workers["readers"].tolist() == [0, 0, 0b11, 0b11]


def test_a_ledger_that_takes_too_much_memory_is_given_up_and_says_so() -> None:
    loaded, events = scenario_of(), Events(SilentObserver())
    sender = worker_of(producing(0))
    book(sender, SEND_LANE, Counter.ATTEMPTED, BLOCK_RECORDS)
    with closing(opened(loaded)) as account:
        account.most_bytes = 1 << 18
        ack_many(account.ledger.address, 0, 0, BLOCK_RECORDS, 3)
        for _ in range(2):
            account.fold([sender], events)

        assert account.ledger.stopped is Stopped.FULL
        assert account.ledger.memory_bytes() < 1 << 18
        assert [line["event"] for line in events.lines] == ["ledger_stopped"]
        run = replace(measured(), account=account)
        told = reconcile(run)
        assert (told.lost, told.duplicated, told.reordered, told.groups) == (None, None, None, {})
        assert any("can't be told" in warned.message for warned in _warnings(run, 0))


def test_a_ledger_never_takes_more_than_a_quarter_of_what_is_free() -> None:
    assert 0 < memory_limit_bytes() <= MOST_MEMORY_BYTES
