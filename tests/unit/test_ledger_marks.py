"""The ledger's marks, its folding and its memory; what it finds in histories, by a model of them."""

from __future__ import annotations

import threading
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ledger_histories import told
from ledger_samples import (
    Member,
    ack,
    ack_many,
    doubt,
    fail,
    judge,
    mark_by_two_processes,
    new_ledger,
    read_again,
    read_but_one_in,
    seen_bits,
    void,
    whole_views,
)

from loadlab.measurement.ledger import (
    BLOCK_RECORDS,
    MOST_GROUPS,
    PLANE_BYTES,
    UNKNOWN,
    Anomaly,
    Ledger,
    Stopped,
    TrackedWorker,
    attach_ledger,
    block_bytes,
    create_ledger,
)
from loadlab.measurement.ledger_fold import make_folder
from loadlab.measurement.ledger_judge import Fate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@pytest.fixture
def ledger() -> Iterator[Ledger]:
    """One worker, two groups, two partitions."""
    with closing(new_ledger(groups=2, partitions=2)) as made:
        yield made


def found(ledger: Ledger, anomaly: Anomaly, group: int = 0) -> int:
    return int(ledger.findings["counts"][group, anomaly])


def test_two_processes_that_mark_the_same_words_lose_no_bit() -> None:
    mark_by_two_processes(20_000_000)


@settings(max_examples=1_000, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.binary(min_size=40, max_size=240))
def test_no_anomaly_of_a_history_is_missed_and_none_is_invented(history: bytes) -> None:
    told(history)


def test_of_two_members_at_the_same_records_none_takes_the_other_s_for_a_duplicate() -> None:
    amount = 2_000_000
    with closing(new_ledger(partitions=3, records=amount)) as ledger:
        together(*[lambda: Member(ledger, 0).read_many(0, amount, 3)] * 2)

        assert seen_bits(ledger) == amount
        assert (found(ledger, Anomaly.DUPLICATED), found(ledger, Anomaly.REORDERED)) == (0, 0)
        assert found(ledger, Anomaly.REDELIVERED) <= amount


def test_a_reader_that_comes_while_its_block_is_folded_counts_each_duplicate() -> None:
    amount = 64 * BLOCK_RECORDS
    with closing(new_ledger(partitions=1, records=amount)) as ledger:
        ack_many(ledger.address, 0, 0, amount, 1)
        Member(ledger, 0).read_many(0, amount, 1)
        folder = make_folder(ledger, 0)

        def fold() -> None:
            for handed_out in range(0, amount + 1, BLOCK_RECORDS):
                folder.fold(handed_out)

        member = Member(ledger)
        together(fold, lambda: read_again(member.address, 0, amount))

        assert folder.folded_records == amount
        assert found(ledger, Anomaly.DUPLICATED) == amount
        assert found(ledger, Anomaly.REDELIVERED) == 0


def together(*tasks: Callable[[], None]) -> None:
    """Runs tasks side by side: compiled code holds no lock of Python's."""
    threads = [threading.Thread(target=task) for task in tasks]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_a_folded_block_gives_all_its_memory_back(ledger: Ledger) -> None:
    before = ledger.memory_bytes()
    ack_many(ledger.address, 0, 0, BLOCK_RECORDS, 2)
    for group in range(2):
        Member(ledger, group).read_many(0, BLOCK_RECORDS, 2)
    assert ledger.memory_bytes() > BLOCK_RECORDS * 8

    make_folder(ledger, 0).fold(BLOCK_RECORDS)

    # What stays are the states of groups and partitions, and the folded bits.
    assert ledger.memory_bytes() - before <= 10 * 4096


@pytest.mark.parametrize("last", ["not acked", "not seen by all", "failed"])
def test_a_block_with_one_record_that_is_not_complete_stays(ledger: Ledger, last: str) -> None:
    amount = BLOCK_RECORDS - 1
    ack_many(ledger.address, 0, 0, amount if last != "not seen by all" else amount + 1, 2)
    for group in range(2):
        Member(ledger, group).read_many(0, amount + (last == "not seen by all" and group == 0), 2)
    if last == "failed":
        fail(ledger.address, 0, amount, 0)
    folder = make_folder(ledger, 0)
    folder.fold(BLOCK_RECORDS)

    assert folder.folded_records == 0
    # The places of all other stretches are gone; of a failed record nobody needs one.
    assert ledger.memory_bytes() < PLANE_BYTES * 16
    Member(ledger, 1).read((0, 7, 0, 10**6))
    assert found(ledger, Anomaly.DUPLICATED, group=1) == 1


def test_what_a_late_group_has_not_read_stays_until_it_has(ledger: Ledger) -> None:
    ack_many(ledger.address, 0, 0, 2 * BLOCK_RECORDS, 2)
    Member(ledger, 0).read_many(0, 2 * BLOCK_RECORDS, 2)
    folder = make_folder(ledger, 0)
    folder.fold(2 * BLOCK_RECORDS)
    assert folder.folded_records == 0

    Member(ledger, 1).read_many(0, 2 * BLOCK_RECORDS, 2)
    folder.fold(2 * BLOCK_RECORDS)

    assert folder.folded_records == 2 * BLOCK_RECORDS


def test_void_records_keep_no_block_open(ledger: Ledger) -> None:
    for sequence in range(0, BLOCK_RECORDS, 2):
        void(ledger.address, 0, sequence)
    for sequence in range(1, BLOCK_RECORDS, 2):
        ack(ledger.address, 0, sequence, 0, sequence)
        for group in range(2):
            Member(ledger, group).read((0, sequence, 0, sequence))
    folder = make_folder(ledger, 0)
    folder.fold(BLOCK_RECORDS)

    assert folder.folded_records == BLOCK_RECORDS // 2


def test_more_ranges_than_can_be_given_back_at_once_are_given_back_in_turn() -> None:
    blocks = 80
    with closing(new_ledger(records=blocks * BLOCK_RECORDS)) as ledger:
        amount = blocks * BLOCK_RECORDS
        ack_many(ledger.address, 0, 0, amount, 1)
        # Every second stretch stays open for one record, so that no two ranges touch.
        member = Member(ledger)
        read_but_one_in(member.address, amount, 1024)
        folder = make_folder(ledger, 0)
        before = ledger.memory_bytes()
        for _ in range(3):
            folder.fold(amount)

        # Looking at the two planes that nobody has written to takes pages of zeroes.
        given_back = before + 2 * blocks * PLANE_BYTES - ledger.memory_bytes()
        assert given_back == pytest.approx(amount * 8 / 2, rel=0.01)
        assert judge(ledger, whole_views(ledger, amount), {0: amount}, {0: folder}).counts(0) == {
            **dict.fromkeys(Fate, 0),
            Fate.SEEN: amount - amount // 1024,
            Fate.LOST: amount // 1024,
        }


@pytest.mark.parametrize(
    "enter",
    [
        lambda ledger: ack(ledger.address, 0, 4 * BLOCK_RECORDS, 0, 0),
        lambda ledger: ack(ledger.address, 1, 0, 0, 0),
        lambda ledger: fail(ledger.address, 0, 4 * BLOCK_RECORDS, 0),
        lambda ledger: doubt(ledger.address, 0, 4 * BLOCK_RECORDS, 0),
        lambda ledger: void(ledger.address, 0, 4 * BLOCK_RECORDS),
        lambda ledger: Member(ledger).read((0, 4 * BLOCK_RECORDS, 0, 0)),
        lambda ledger: Member(ledger).read((0, -1, 0, 0)),
        lambda ledger: Member(ledger).read((5, 0, 0, 0)),
        lambda ledger: Member(ledger).read((0, 0, 2, 0)),
        lambda ledger: Member(ledger).read((0, 0, UNKNOWN, 0)),
    ],
)
def test_what_there_is_no_room_for_stops_the_ledger_instead_of_leaving_a_gap(
    ledger: Ledger, enter: Callable[[Ledger], None]
) -> None:
    enter(ledger)

    assert ledger.stopped is Stopped.BEYOND


def test_an_offset_too_large_for_its_place_is_not_known(ledger: Ledger) -> None:
    ack(ledger.address, 0, 0, 1, (1 << 44) - 2)
    ack(ledger.address, 0, 1, 1, (1 << 44) - 1)
    views = whole_views(ledger, 10)
    views["whole"] = 0

    judgement = judge(ledger, views, {0: 2}, {})

    assert (judgement.counts(0)[Fate.LOST], judgement.counts(0)[Fate.UNKNOWN]) == (1, 1)
    assert judgement.fates["examples"]["offset"][0, Fate.LOST, 0] == (1 << 44) - 2


@pytest.mark.parametrize(
    ("log_start", "log_end", "offset", "fate"),
    [
        (0, UNKNOWN, 50, Fate.UNSEEN),
        (0, UNKNOWN, 9, Fate.LOST),
        (0, 40, 50, Fate.LOST),
        (0, 60, 50, Fate.UNSEEN),
        (UNKNOWN, UNKNOWN, 50, Fate.UNSEEN),
        (UNKNOWN, UNKNOWN, 9, Fate.UNKNOWN),
        (UNKNOWN, 60, 9, Fate.UNKNOWN),
        (UNKNOWN, 40, 50, Fate.LOST),
        (20, UNKNOWN, 15, Fate.EVICTED),
    ],
)
def test_a_record_is_lost_only_where_its_offset_was_passed_or_the_log_is_known_to_end_before_it(
    ledger: Ledger, log_start: int, log_end: int, offset: int, fate: Fate
) -> None:
    ack(ledger.address, 0, 0, 0, offset)
    views = whole_views(ledger, 10)
    views["log_start"], views["log_end"], views["whole"] = log_start, log_end, 0

    assert judge(ledger, views, {0: 1}, {}).counts(0)[fate] == 1


def test_a_record_behind_a_log_end_that_may_yet_move_there_is_not_lost_until_its_offset_was_passed(
    ledger: Ledger,
) -> None:
    ack(ledger.address, 0, 0, 0, 9)
    ack(ledger.address, 0, 1, 0, 50)
    views = whole_views(ledger, 10)
    views["log_end"], views["binding"], views["whole"] = 40, 0, 0

    counts = judge(ledger, views, {0: 2}, {}).counts(0)
    assert (counts[Fate.LOST], counts[Fate.UNSEEN]) == (1, 1)


def test_a_ledger_is_the_same_memory_for_whoever_maps_it(ledger: Ledger) -> None:
    other = attach_ledger(ledger.fd)
    ack_many(other.address, 0, 0, 10, 2)
    Member(ledger, 1).read_many(0, 5, 2)

    assert judge(ledger, whole_views(ledger, 5), {0: 10}, {}).counts(1)[Fate.SEEN] == 5
    assert other.passages["next"].tolist() == [[0, 0], [3, 2]]


def test_a_ledger_takes_memory_only_for_what_was_touched() -> None:
    with closing(new_ledger(workers=8, groups=3, records=10**11)) as ledger:
        assert len(ledger.memory) > 10**12
        ack(ledger.address, 7, 10**11, 0, 1)
        assert ledger.memory_bytes() < 1 << 20
        assert ledger.stopped is Stopped.NO


def test_a_stopped_ledger_gives_its_memory_back(ledger: Ledger) -> None:
    ack_many(ledger.address, 0, 0, BLOCK_RECORDS, 2)
    ledger.stop(Stopped.FULL)
    ledger.release()

    assert ledger.memory_bytes() < 1 << 17


def test_nothing_is_kept_of_a_worker_whom_nobody_reads() -> None:
    with closing(create_ledger([None, TrackedWorker(10, (0,))], 1, 1)) as ledger:
        assert ledger.workers["blocks"].tolist() == [0, 1]
        ack(ledger.address, 0, 0, 0, 0)
        assert ledger.stopped is Stopped.BEYOND


def test_a_copy_in_a_topic_that_its_sender_does_not_send_to_is_a_stranger_s_record() -> None:
    """As MirrorMaker makes them, with the stamp: the group of the copies finds nothing of the originals."""
    with closing(create_ledger([TrackedWorker(10, (0,)), None], 2, 2)) as ledger:
        original, mirror = Member(ledger, 0), Member(ledger, 1)
        original.read((0, 0, 0, 0), (0, 1, 0, 1))
        mirror.read((0, 1, 1, 0), (0, 0, 1, 1), (0, 1, 1, 2), (1, 5, 1, 3))

        assert ledger.stopped is Stopped.NO
        assert not ledger.findings["counts"].any()
        assert (seen_bits(ledger, 0), seen_bits(ledger, 1)) == (2, 0)
        assert ledger.passages["next"].tolist() == [[2, 0], [0, 4]]


def test_groups_beyond_the_bits_of_a_word_are_refused() -> None:
    with pytest.raises(ValueError, match="too many"):
        create_ledger([], MOST_GROUPS + 1, 1)


def test_a_block_of_three_groups_takes_less_than_nine_bytes_a_record() -> None:
    assert block_bytes(3) / BLOCK_RECORDS < 9.0


def test_members_that_come_after_each_other_share_what_they_have_read(ledger: Ledger) -> None:
    Member(ledger, 0).read_many(0, 100, 1)
    Member(ledger, 0).read_many(90, 120, 1)

    assert found(ledger, Anomaly.REDELIVERED) == 10
    assert found(ledger, Anomaly.DUPLICATED) == 0


def test_a_retry_that_overtook_is_told_record_by_record(ledger: Ledger) -> None:
    Member(ledger).read(*((0, each, 0, offset) for offset, each in enumerate([0, 1, 4, 5, 2, 3, 6, 3, 7])))

    assert found(ledger, Anomaly.REORDERED) == 2
    assert found(ledger, Anomaly.DUPLICATED) == 1
    examples = ledger.findings["examples"][0]
    assert examples[Anomaly.REORDERED]["sequence"][:2].tolist() == [2, 3]
    assert examples[Anomaly.DUPLICATED][["sequence", "offset"]][0].tolist() == (3, 7)


def test_a_record_that_was_read_and_never_sent_is_found_where_all_others_are_well(ledger: Ledger) -> None:
    ack_many(ledger.address, 0, 0, 128, 2)
    Member(ledger, 0).read_many(0, 128, 2)
    Member(ledger, 0).read_many(200, 201, 2)

    counts = judge(ledger, whole_views(ledger, 201), {0: 128}, {}).counts(0)
    assert (counts[Fate.SEEN], counts[Fate.NEVER_SENT]) == (128, 1)
