"""Histories of records lost, doubled, swapped and worse, told by bytes to the ledger and to a plain model."""

from __future__ import annotations

from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from ledger_samples import (
    STRANGER,
    Member,
    Model,
    Place,
    ack,
    doubt,
    enter_all,
    fail,
    judge,
    new_ledger,
    read_one,
    void,
)

from loadlab.measurement.ledger import (
    BLOCK_RECORDS,
    EXAMPLES,
    PLANE_BYTES,
    UNKNOWN,
    VOID_PLANE,
    Anomaly,
)
from loadlab.measurement.ledger_fold import Folder, make_folder
from loadlab.measurement.ledger_judge import VIEW, Fate

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt

    from loadlab.measurement.ledger import Ledger

BLOCKS = 2
HANDED_OUT = BLOCKS * BLOCK_RECORDS + 40
"""Two blocks that can be folded, and the beginning of a third."""

NUMBERS = (
    *range(6),
    *range(62, 66),
    *range(BLOCK_RECORDS - 3, BLOCK_RECORDS + 3),
    *range(2 * BLOCK_RECORDS - 2, HANDED_OUT, 5),
)
"""The sequence numbers that a history uses, in their order; all others are void."""

NEVER_SENT = tuple(range(HANDED_OUT, HANDED_OUT + 3))


def clear_others(ledger: Ledger, worker: int) -> None:
    """Makes all numbers void that a history does not use, so that whole blocks can be folded."""
    bits = np.full((BLOCKS + 1) * BLOCK_RECORDS, 1, dtype=np.uint8)
    bits[list(NUMBERS)] = 0
    bits[HANDED_OUT:] = 0
    planes = np.packbits(bits, bitorder="little").reshape(BLOCKS + 1, PLANE_BYTES)
    block_bytes = int(ledger.header["block_bytes"][0])
    begin = int(ledger.workers["blocks_at"][worker]) + VOID_PLANE * PLANE_BYTES
    for block, plane in enumerate(planes):
        at = begin + block * block_bytes
        ledger.memory[at : at + PLANE_BYTES] = plane.tobytes()


@dataclass
class History:
    """A run told by bytes: what each step does to the ledger, it does to the model as well."""

    workers: int
    model: Model
    ledger: Ledger
    all_folders: dict[int, Folder]
    starts: npt.NDArray[np.int64]
    folders: dict[int, Folder] = field(default_factory=dict)
    members: list[Member] = field(default_factory=list)
    next_number: list[int] = field(default_factory=list)
    pending: list[tuple[int, int]] = field(default_factory=list)
    positions: Counter[tuple[int, int]] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.next_number = [0] * self.workers
        self.folders = self.all_folders
        self.members = [Member(self.ledger, group) for group in range(self.model.groups)]
        self.model.sent = {(worker, number) for worker in range(self.workers) for number in NUMBERS}
        for (group, partition), start in np.ndenumerate(self.starts):
            self.positions[group, partition] = int(start)

    def step(self, kind: int, value: int) -> None:
        partition = value % self.model.partitions
        steps: tuple[Callable[[int, int], None], ...] = (
            self.deliver,
            self.deliver,
            self.deliver,
            self.hand_over,
            self.hand_over,
            self.settle,
            self.settle,
            self.repeat,
            self.disturb,
            self.read_on,
            self.read_on,
            self.read_all,
            self.seek_back,
            self.skip,
            self.fold,
        )
        steps[kind % len(steps)](partition, value // self.model.partitions)

    def number(self, worker: int) -> tuple[int, int] | None:
        place = self.next_number[worker]
        if place == len(NUMBERS):
            return None
        self.next_number[worker] += 1
        return worker, NUMBERS[place]

    def append(self, record: tuple[int, int] | None, partition: int) -> Place:
        self.model.logs[partition].append(record)
        return Place(partition, len(self.model.logs[partition]) - 1)

    def ack(self, record: tuple[int, int], place: Place) -> None:
        self.model.acked[record] = place
        ack(self.ledger.address, *record, *place)

    def deliver(self, partition: int, value: int) -> None:
        """A record as it should be: in the log once, and acked there."""
        record = self.number(value % self.workers)
        if record is not None:
            self.ack(record, self.append(record, partition))

    def hand_over(self, partition: int, value: int) -> None:  # noqa: ARG002
        """A record that nothing is known of yet, perhaps for ever."""
        record = self.number(value % self.workers)
        if record is not None:
            self.pending.append(record)

    def settle(self, partition: int, value: int) -> None:
        """What a record comes to that was handed over: rightly or wrongly reported, in the log or not."""
        if not self.pending:
            return
        record = self.pending.pop((value // 8) % len(self.pending))
        outcome = value % 8
        if outcome in {0, 3, 5, 6}:
            place = self.append(record, partition)
        else:
            # Somebody else's, or nothing, stands where it should: or the log ends before it.
            place = Place(partition, len(self.model.logs[partition]))
        if outcome in {0, 1}:
            self.ack(record, place)
        elif outcome == 2:
            self.ack(record, Place(partition, UNKNOWN))
        elif outcome in {3, 4}:
            self.model.failed[record] = partition
            fail(self.ledger.address, *record, partition)
        elif outcome in {5, 7}:
            self.model.doubtful[record] = partition
            doubt(self.ledger.address, *record, partition)
        elif outcome == 6 and value // 8 % 2:
            self.model.void.add(record)
            # A folded block can't tell a void number that is read all the same from one that is read again.
            self.folders = {}
            void(self.ledger.address, *record)

    def repeat(self, partition: int, value: int) -> None:
        """A record that the log holds once more, or one whose number nobody was given."""
        worker = value % self.workers
        known = NUMBERS[: self.next_number[worker]] if value % 16 else NEVER_SENT
        if known:
            self.append((worker, known[(value // self.workers) % len(known)]), partition)

    def disturb(self, partition: int, value: int) -> None:
        """An offset at which another's record stands, or nothing that could be read."""
        self.append(STRANGER if value % 2 else None, partition)

    def read_to(self, group: int, partition: int, end: int) -> None:
        for offset in range(self.positions[group, partition], end):
            record = self.model.logs[partition][offset]
            if record is not None:
                self.model.read(group, record, partition, offset)
                read_one(self.members[group].address, *record, partition, offset)
        self.positions[group, partition] = max(end, self.positions[group, partition])
        if end % 3:
            enter_all(self.members[group].address)

    def read_on(self, partition: int, value: int) -> None:
        group = value % self.model.groups
        wanted = self.positions[group, partition] + value // self.model.groups % 8 + 1
        self.read_to(group, partition, min(wanted, len(self.model.logs[partition])))

    def read_all(self, partition: int, value: int) -> None:  # noqa: ARG002
        for each, log in enumerate(self.model.logs):
            self.read_to(value % self.model.groups, each, len(log))

    def seek_back(self, partition: int, value: int) -> None:
        """A partition's new owner begins where the last one had committed."""
        group = value % self.model.groups
        back = value // self.model.groups % 8
        start = int(self.starts[group, partition])
        self.positions[group, partition] = max(start, self.positions[group, partition] - back)

    def skip(self, partition: int, value: int) -> None:
        """A reader that is behind the log's start goes on at a later offset."""
        group = value % self.model.groups
        wanted = self.positions[group, partition] + value // self.model.groups % 4
        self.positions[group, partition] = max(
            self.positions[group, partition], min(wanted, len(self.model.logs[partition]))
        )

    def fold(self, partition: int, value: int) -> None:  # noqa: ARG002
        for folder in self.folders.values():
            folder.fold(HANDED_OUT)

    def views(self, ends: bytes) -> npt.NDArray[np.void]:
        """What the groups can know in the end, of logs that may have been cut, asked in vain or compacted."""
        views = np.zeros(self.starts.shape, dtype=VIEW)
        views["start"] = self.starts
        views["passed"] = np.maximum(self.ledger.passages["next"], self.starts)
        for partition, log in enumerate(self.model.logs):
            chance = ends[partition]
            # Each is asked for by itself. A log may have lost its first records, or its last.
            somewhere = chance % (len(log) + 1)
            views["log_start"][:, partition] = (0, UNKNOWN, somewhere, 0)[chance % 4]
            views["log_end"][:, partition] = (len(log), UNKNOWN, len(log), somewhere)[chance // 4 % 4]
            views["binding"][:, partition] = chance // 64 % 4 != 1
            views["compacted"][:, partition] = chance // 16 % 4 == 1
        views["whole"] = (
            (views["start"] == 0)
            & (views["log_start"] == 0)
            & (views["log_end"] != UNKNOWN)
            & (views["passed"] >= views["log_end"])
            & (views["compacted"] == 0)
        )
        return views


def told(history: bytes) -> set[Fate | Anomaly]:
    """Lets a history happen, and holds the ledger's word against the model's.

    Args:
        history: at least 40 bytes, of any kind.

    Returns:
        What became of at least one record in it.
    """
    shape, ends, steps = history[:4], history[4:8], history[8:]
    workers, groups, partitions = 1 + shape[0] % 2, 1 + shape[1] % 3, 1 + shape[2] % 3
    ledger = new_ledger(workers, groups, partitions, HANDED_OUT + len(NEVER_SENT))
    with closing(ledger):
        starts = np.zeros((groups, partitions), dtype=np.int64)
        starts[shape[3] % groups] = shape[3] // 16 % 3
        for worker in range(workers):
            clear_others(ledger, worker)
        folders = {worker: make_folder(ledger, worker) for worker in range(workers)}
        run = History(workers, Model(groups, partitions), ledger, folders, starts)
        for kind, value in zip(steps[::2], steps[1::2], strict=False):
            run.step(kind, value)
        for member in run.members:
            enter_all(member.address)
        return hold_against_each_other(run, run.views(ends))


def hold_against_each_other(run: History, views: npt.NDArray[np.void]) -> set[Fate | Anomaly]:
    ledger, model = run.ledger, run.model
    judgement = judge(ledger, views, dict.fromkeys(range(run.workers), HANDED_OUT), run.all_folders)
    union: dict[Fate, set[tuple[int, int]]] = {fate: set() for fate in Fate}
    for group in range(model.groups):
        fates = list(model.fates(group, views))
        for fate in Fate:
            expected = [each[1:] for each in fates if each[0] == fate]
            union[fate] |= {(each[0], each[1]) for each in expected}
            assert judgement.counts(group)[fate] == len(expected), fate.name
            if fate is not Fate.SEEN:
                assert_examples(judgement.fates["examples"][group, fate], expected, fate)
        for anomaly in Anomaly:
            expected = [each[1:] for each in model.anomalies[group] if each[0] == anomaly]
            assert ledger.findings["counts"][group, anomaly] == len(expected), anomaly.name
            by_partition = [sum(each[2] == number for each in expected) for number in range(model.partitions)]
            assert ledger.passages["found"][group, :, anomaly].tolist() == by_partition
            assert_examples(ledger.findings["examples"][group, anomaly], expected, anomaly)
    assert judgement.totals["lost"][0] == len(union[Fate.LOST])
    assert judgement.totals["found"][0] == len(union[Fate.FOUND])
    assert judgement.totals["absent"][0] == len(union[Fate.ABSENT])
    met = {Anomaly(each[0]) for found in model.anomalies for each in found}
    return {fate for fate, records in union.items() if records} | met


def assert_examples(
    rows: npt.NDArray[np.void], expected: list[tuple[int, ...]], what: Fate | Anomaly
) -> None:
    """The first ones are kept, with their places as far as these are known."""
    found = [
        (int(row["worker"]), int(row["sequence"]), int(row["partition"]), int(row["offset"]))
        for row in rows[rows["written"] == 1]
    ]
    assert len(found) == min(len(expected), EXAMPLES)
    if what in {Fate.NEVER_SENT, Fate.SEEN_FAILED}:
        # No report says where a record is that was never sent; the place of a failed one may be given back.
        found, expected = ([(*each[:2], UNKNOWN, UNKNOWN) for each in them] for them in (found, expected))
    assert set(found) <= set(expected), what.name
