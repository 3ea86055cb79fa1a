"""What tests of the ledger share: its compiled marks as Python calls them, and a plain model of a history."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from loadlab.compiled import compiled
from loadlab.measurement.ledger import (
    BLOCK_RECORDS,
    FIRST_SEEN_PLANE,
    PLANE_BYTES,
    UNKNOWN,
    Anomaly,
    Ledger,
    TrackedWorker,
    create_ledger,
)
from loadlab.measurement.ledger_judge import FATES, TOTALS, VIEW, Fate, judge_worker
from loadlab.measurement.ledger_mark import mark_acked, mark_doubtful, mark_failed, mark_void
from loadlab.measurement.ledger_read import enter, gather, make_reading, reading_at

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy.typing as npt

    from loadlab.measurement.ledger_fold import Folder

_MARK_EVERY_SECOND = """
import sys
from ledger_samples import Member, read_every_second
from loadlab.measurement.ledger import attach_ledger
ledger = attach_ledger(int(sys.argv[1]))
member = Member(ledger)
read_every_second(member.address, 0, 0)
print("ready", flush=True)
sys.stdin.read()
read_every_second(member.address, int(sys.argv[2]), int(sys.argv[3]))
"""
STRANGER = (-1, -1)
"""A record without a stamp of the run."""


@compiled
def ack(ledger: int, worker: int, sequence: int, partition: int, offset: int) -> None:
    mark_acked(ledger, worker, sequence, partition, offset)


@compiled
def fail(ledger: int, worker: int, sequence: int, partition: int) -> None:
    mark_failed(ledger, worker, sequence, partition)


@compiled
def doubt(ledger: int, worker: int, sequence: int, partition: int) -> None:
    mark_doubtful(ledger, worker, sequence, partition)


@compiled
def void(ledger: int, worker: int, sequence: int) -> None:
    mark_void(ledger, worker, sequence)


@compiled
def read_one(reading: int, worker: int, sequence: int, partition: int, offset: int) -> None:
    gather(reading_at(reading), worker, sequence, partition, offset)


@compiled
def enter_all(reading: int) -> None:
    enter(reading_at(reading))


class Member:
    """A member of a group, as the consume loop is one: it enters what it has read at the end of a batch."""

    def __init__(self, ledger: Ledger, group: int = 0) -> None:
        self._reading = make_reading(ledger, group)
        self.address = int(self._reading.ctypes.data)

    def read(self, *records: tuple[int, int, int, int]) -> None:
        """Reads a batch of records: worker, sequence number, partition, offset."""
        for record in records:
            read_one(self.address, *record)
        enter_all(self.address)

    def read_many(self, begin: int, end: int, partitions: int) -> None:
        """Reads the records of the first worker that `ack_many` acks."""
        read_many(self.address, begin, end, partitions)


@compiled
def ack_many(ledger: int, worker: int, begin: int, end: int, partitions: int) -> None:
    """Acks records that went round the partitions."""
    for sequence in range(begin, end):
        mark_acked(ledger, worker, sequence, sequence % partitions, sequence // partitions)


@compiled
def read_many(reading: int, begin: int, end: int, partitions: int) -> None:
    """Reads records that went round the partitions: a batch of 1,000 of each in turn, as far as there are."""
    member = reading_at(reading)
    for batch in range(begin, end, 1_000 * partitions):
        stop = min(end, batch + 1_000 * partitions)
        for turn in range(partitions):
            for sequence in range(batch + turn, stop, partitions):
                gather(member, 0, sequence, sequence % partitions, sequence // partitions)
        enter(member)


@compiled
def read_every_second(reading: int, parity: int, end: int) -> None:
    """Reads the records with even or with odd numbers, which stand in a partition of their own."""
    member = reading_at(reading)
    for sequence in range(parity, end, 2):
        gather(member, 0, sequence, parity, sequence >> 1)
        enter(member)


@compiled
def read_again(reading: int, partition: int, amount: int) -> None:
    """Reads records once more, from offsets at which nobody was."""
    member = reading_at(reading)
    for sequence in range(amount):
        gather(member, 0, sequence, partition, amount + sequence)
    enter(member)


@compiled
def read_but_one_in(reading: int, amount: int, stride: int) -> None:
    """Reads all records but every so many."""
    member = reading_at(reading)
    for sequence in range(amount):
        if sequence % stride:
            gather(member, 0, sequence, 0, sequence)
    enter(member)


def new_ledger(
    workers: int = 1, groups: int = 1, partitions: int = 1, records: int = 4 * BLOCK_RECORDS - 1
) -> Ledger:
    """A ledger in which every group reads every worker."""
    tracked = TrackedWorker(records, tuple(range(groups)))
    return create_ledger([tracked] * workers, groups, partitions)


def seen_bits(ledger: Ledger, group: int = 0) -> int:
    """How many records a group has seen of the first worker's, by its planes alone."""
    size_bytes, begin = int(ledger.header["block_bytes"][0]), int(ledger.workers["blocks_at"][0])
    total = 0
    for block in range(int(ledger.workers["blocks"][0])):
        at = begin + block * size_bytes + (FIRST_SEEN_PLANE + group) * PLANE_BYTES
        words = np.frombuffer(ledger.memory, dtype=np.uint64, count=PLANE_BYTES // 8, offset=at)
        total += int(np.bitwise_count(words).sum())
    return total


def mark_by_two_processes(marks: int) -> None:
    """Two members of a group mark the records with even and with odd numbers: always the same words."""
    with closing(new_ledger(partitions=2, records=marks)) as ledger:
        processes = [
            subprocess.Popen(
                [sys.executable, "-c", _MARK_EVERY_SECOND, str(ledger.fd), str(parity), str(marks)],
                pass_fds=[ledger.fd],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                cwd=Path(__file__).parent,
            )
            for parity in range(2)
        ]
        pipes = [(process.stdin, process.stdout) for process in processes]
        for _, output in pipes:
            assert output is not None
            output.readline()
        for start, _ in pipes:
            assert start is not None
            start.close()
        assert [process.wait(250.0) for process in processes] == [0, 0]
        assert seen_bits(ledger) == marks
        assert ledger.findings["counts"].sum() == 0
        assert ledger.latest["behind"][0, :, 0].tolist() == [marks - 1, marks]


@dataclass
class Judgement:
    """What the ledger says in the end.

    Attributes:
        fates: FATES records by group.
        totals: the TOTALS record, shape (1,).
    """

    fates: npt.NDArray[np.void]
    totals: npt.NDArray[np.void] = field(default_factory=lambda: np.zeros(1, dtype=TOTALS))

    def counts(self, group: int) -> dict[Fate, int]:
        return {fate: int(self.fates["counts"][group, fate]) for fate in Fate}


def whole_views(ledger: Ledger, log_ends: int) -> npt.NDArray[np.void]:
    """Views of groups that have read all partitions from 0 to one log end."""
    views = np.zeros(ledger.passages.shape, dtype=VIEW)
    views["passed"], views["log_end"], views["binding"], views["whole"] = log_ends, log_ends, 1, 1
    return views


def judge(
    ledger: Ledger, views: npt.NDArray[np.void], handed_out: dict[int, int], folders: dict[int, Folder]
) -> Judgement:
    """Judges as `loadlab.run.account` does."""
    judgement = Judgement(np.zeros(len(ledger.findings), dtype=FATES))
    for worker, amount in handed_out.items():
        judgement.fates["whole"] = views["whole"].all(axis=1)
        judgement.fates["counts"][:, Fate.SEEN] += folders[worker].folded_records if folders else 0
        until = max(amount, int(ledger.latest["behind"][:, :, worker].max()))
        arrays = (views, judgement.fates, judgement.totals)
        judge_worker(ledger.address, worker, amount, until, *(int(each.ctypes.data) for each in arrays))
    return judgement


class Place(NamedTuple):
    """Where a record was acked, or may have gone."""

    partition: int
    offset: int


@dataclass
class Model:
    """A plain account of a history: dictionaries and sets, no bit and no block.

    Attributes:
        logs: by partition, what stands at each offset: (worker, sequence), STRANGER, or None for nothing.
        acked: where, by (worker, sequence).
        failed: reported as not in the log.
        doubtful: reported otherwise: the partition.
        void: numbers that no record in the log can carry.
        sent: all numbers that were handed out.
        seen: by group.
        ahead: by group and partition, behind the furthest offset read.
        largest: by group, partition and worker: the largest number of a first reading.
        anomalies: by group: (anomaly, worker, sequence, partition, offset).
    """

    groups: int
    partitions: int
    logs: list[list[tuple[int, int] | None]] = field(default_factory=list)
    acked: dict[tuple[int, int], Place] = field(default_factory=dict)
    failed: dict[tuple[int, int], int] = field(default_factory=dict)
    doubtful: dict[tuple[int, int], int] = field(default_factory=dict)
    void: set[tuple[int, int]] = field(default_factory=set)
    sent: set[tuple[int, int]] = field(default_factory=set)
    seen: list[set[tuple[int, int]]] = field(default_factory=list)
    ahead: Counter[tuple[int, int]] = field(default_factory=Counter)
    largest: dict[tuple[int, int, int], int] = field(default_factory=dict)
    anomalies: list[list[tuple[int, ...]]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.logs = [[] for _ in range(self.partitions)]
        self.seen = [set() for _ in range(self.groups)]
        self.anomalies = [[] for _ in range(self.groups)]

    def read(self, group: int, record: tuple[int, int], partition: int, offset: int) -> None:
        first = offset >= self.ahead[group, partition]
        self.ahead[group, partition] = max(self.ahead[group, partition], offset + 1)
        if record == STRANGER:
            return
        place = (*record, partition, offset)
        if record in self.seen[group]:
            again = Anomaly.DUPLICATED if first else Anomaly.REDELIVERED
            self.anomalies[group].append((again, *place))
            return
        self.seen[group].add(record)
        if first:
            worker, sequence = record
            before = self.largest.get((group, partition, worker), -1)
            if sequence < before:
                self.anomalies[group].append((Anomaly.REORDERED, *place))
            self.largest[group, partition, worker] = max(before, sequence)

    def fates(self, group: int, views: npt.NDArray[np.void]) -> Iterator[tuple[int, ...]]:
        """Each record's (fate, worker, sequence, partition, offset), as the definitions have it."""
        whole = bool(views["whole"][group].all())
        for record in sorted(self.sent | self.seen[group]):
            seen = record in self.seen[group]
            if record in self.void or record not in self.sent:
                if seen:
                    yield Fate.NEVER_SENT, *record, UNKNOWN, UNKNOWN
            elif record in self.acked:
                place = self.acked[record]
                fate = Fate.SEEN if seen else missing(views[group, place.partition], place.offset)
                yield fate, *record, *place
            elif record in self.failed:
                if seen:
                    yield Fate.SEEN_FAILED, *record, self.failed[record], UNKNOWN
            else:
                partition = self.doubtful.get(record, UNKNOWN)
                absent = whole if partition == UNKNOWN else views[group, partition]["whole"]
                fate = Fate.FOUND if seen else Fate.ABSENT if absent else Fate.UNRESOLVED
                yield fate, *record, partition, UNKNOWN


def missing(view: np.void, offset: int) -> Fate:
    """The fate of an acked record that was not seen, by the words of docs/measurement.md."""
    if offset == UNKNOWN:
        return Fate.LOST if view["whole"] else Fate.UNKNOWN
    if offset < view["start"]:
        return Fate.EARLIER
    start_known, end_known = view["log_start"] != UNKNOWN, view["log_end"] != UNKNOWN
    if start_known and offset < view["log_start"]:
        return Fate.EVICTED
    beyond_log = view["binding"] and end_known and offset >= view["log_end"]
    passed = offset < view["passed"]
    if not passed and not beyond_log:
        return Fate.UNSEEN
    if view["compacted"] or (not start_known and not beyond_log):
        return Fate.UNKNOWN
    return Fate.LOST
