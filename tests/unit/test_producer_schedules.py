"""What the produce loop sends of Poisson arrivals and of traces: read back from librdkafka's mock."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import numpy as np
import pytest
from engine_samples import constant, drive, new_topic, producer_settings, read_back, records_of

from loadlab.client.schedule import make_schedule
from loadlab.client.settings import TraceSettings
from loadlab.client.trace import NULL_KEY, TRACE_ROW, Trace
from loadlab.workload.schedule import table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engine_samples import Read

    from loadlab.client.settings import TopicSettings
    from loadlab.cluster.mock_process import MockCluster

S = 1_000_000_000
WORKERS = 2
ROWS = 200


def sent_by_all(
    mock: MockCluster, topic: TopicSettings, amount: int, **fields: object
) -> dict[int, tuple[int, Read]]:
    """What a group of two workers sent: by number in the group, when it was due and what arrived."""
    starts = {}
    for place in range(WORKERS):
        settings = producer_settings(
            mock.bootstrap_servers, topic, place=place, workers=WORKERS, worker=place, **fields
        )
        starts[place] = int(drive(settings, measure_s=0.3).slab.record["start_ns"][0])
    found = {}
    for record in read_back(mock.bootstrap_servers, topic, amount=amount):
        stamp = record.stamp
        number = stamp.sequence * WORKERS + stamp.worker
        assert number not in found
        found[number] = (stamp.intended_ns - starts[stamp.worker], record)
    return found


def test_poisson_arrivals_are_sent_at_the_moments_that_the_parent_knows(mock: MockCluster) -> None:
    parent = make_schedule(table([(10.0, 2_000.0, 2_000.0)]), poisson_seed=42)
    amount = parent.count_due(round(0.3 * S) - 1)

    found = sent_by_all(mock, new_topic(mock), amount, schedule=constant(2_000.0), poisson_seed=42)

    assert {number: due for number, (due, _) in found.items()} == {
        number: parent.due_ns(number) for number in range(amount)
    }


@pytest.fixture
def trace() -> Iterator[TraceSettings]:
    """Rows of growing gaps and sizes; each fifth has no key."""
    numbers = np.arange(ROWS)
    rows = np.zeros(ROWS, dtype=TRACE_ROW)
    rows["due_ns"] = numbers**2 * 5_000
    rows["size_bytes"] = 40 + numbers
    rows["key_bytes"] = np.where(numbers % 5, 3, NULL_KEY)
    rows["key_at"] = 3 * (numbers % 10)
    keys = np.frombuffer(b"k-0k-1k-2k-3k-4k-5k-6k-7k-8k-9", dtype=np.uint8)
    fd = Trace(rows, keys, has_sizes=True, has_keys=True).share()
    yield TraceSettings(fd=fd, rows=ROWS, sizes=True, keys=True)
    os.close(fd)


def test_a_trace_is_sent_with_its_times_sizes_and_keys(mock: MockCluster, trace: TraceSettings) -> None:
    found = sent_by_all(mock, new_topic(mock), ROWS, schedule=(), trace=trace, records=records_of(239))

    assert {
        number: (due, len(record.value or b""), record.key) for number, (due, record) in found.items()
    } == {
        row: (row**2 * 5_000, 40 + row, f"k-{row % 10}".encode() if row % 5 else None) for row in range(ROWS)
    }


def test_a_limit_ends_a_trace_early(mock: MockCluster, trace: TraceSettings) -> None:
    found = sent_by_all(mock, new_topic(mock), 31, schedule=(), trace=trace, limit=31)

    assert sorted(found) == list(range(31))


def test_of_a_trace_only_what_is_asked_for_is_taken(mock: MockCluster, trace: TraceSettings) -> None:
    timed = TraceSettings(fd=trace.fd, rows=ROWS, sizes=False, keys=False)
    found = sent_by_all(mock, new_topic(mock), ROWS, schedule=(), trace=timed, records=records_of(77))

    assert {(len(record.value or b""), record.key) for _, record in found.values()} == {(77, None)}
    assert len(found) == ROWS
