"""What a worker process does, done in this one."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest
from engine_samples import S, constant, new_topic, producer_settings, set_phases

from loadlab.client.producer import Producer
from loadlab.client.settings import ConsumerSettings
from loadlab.errors import WorkerError
from loadlab.measurement.slab import ACK_LANE, Command, Counter, Phase, State, create_slab
from loadlab.run import worker

if TYPE_CHECKING:
    from loadlab.cluster.mock_process import MockCluster
    from loadlab.measurement.slab import Slab


@pytest.fixture
def slab() -> Slab:
    """The slab of a worker that is told to go as soon as it is ready."""
    made = create_slab(partitions=1)
    made.command(Command.GO)
    return made


def test_a_producing_worker_sends_measures_and_finishes(slab: Slab, mock: MockCluster) -> None:
    set_phases(slab, warmup_s=0.1, measure_s=0.2)
    worker._work_as_producer(producer_settings(mock.bootstrap_servers, new_topic(mock)), slab)

    record = slab.record[0]
    assert slab.state is State.FINISHED
    assert record["lanes"][ACK_LANE]["by_intent"][:, Counter.ACKED].tolist() == [100, 200, 0]
    cpu_ns = record["usage"]["cpu_ns"].tolist()
    assert cpu_ns[0] > 0
    assert cpu_ns == sorted(cpu_ns)
    assert record["usage"]["loop_cpu_ns"][Phase.DRAIN] == record["loop_cpu_ns"] > 0
    assert record["usage"]["busiest_ns"].sum() <= cpu_ns[-1]
    assert record["usage"]["busiest_ns"][Phase.MEASURE] > 0
    assert record["longest_gap_ns"] > 0
    waits_ns = record["usage"]["wait_ns"].tolist()
    assert waits_ns[Phase.DRAIN] > record["loop_wait_ns"] > 0
    assert waits_ns == sorted(waits_ns)
    assert record["max_rss_bytes"] > 10 << 20
    assert record["heartbeat_ns"] > record["measure_end_ns"]


def test_a_stop_ends_a_producing_worker_and_every_record_has_its_fate(slab: Slab, mock: MockCluster) -> None:
    set_phases(slab, measure_s=60.0)
    settings = producer_settings(
        mock.bootstrap_servers, new_topic(mock), schedule=constant(1_000.0), properties={"linger.ms": "900"}
    )
    stopper = threading.Timer(0.3, slab.command, [Command.STOP])
    stopper.start()
    worker._work_as_producer(settings, slab)
    stopper.join()

    lanes = slab.record["lanes"][0]
    attempted = int(lanes["by_intent"][:, :, Counter.ATTEMPTED].sum())
    fates = sum(
        int(lanes["by_intent"][:, :, counter].sum())
        for counter in (Counter.ACKED, Counter.FAILED, Counter.INDETERMINATE)
    )
    assert slab.state is State.FINISHED
    assert attempted == fates > 0


def test_a_consuming_worker_that_joins_later_waits_and_can_be_stopped_before(mock: MockCluster) -> None:
    topic = new_topic(mock)
    slab = create_slab(partitions=1)
    set_phases(slab, measure_s=60.0)
    slab.command(Command.STOP)
    properties = {"bootstrap.servers": mock.bootstrap_servers, "group.id": "late", "log_level": "0"}
    settings = ConsumerSettings(properties, (topic,), "run", start_after_s=50.0)
    worker._work_as_consumer(settings, slab)

    assert slab.state is State.FINISHED
    assert slab.record["heartbeat_ns"][0] < slab.record["start_ns"][0] + 50 * S


def test_a_worker_whose_loop_breaks_does_not_say_that_it_finished(
    slab: Slab, mock: MockCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    def breaks(producer: Producer) -> None:
        raise ZeroDivisionError(producer)

    monkeypatch.setattr(Producer, "send", breaks)
    set_phases(slab, measure_s=0.1)
    with pytest.raises(WorkerError, match="ZeroDivisionError"):
        worker._work_as_producer(producer_settings(mock.bootstrap_servers, new_topic(mock)), slab)

    assert slab.state is not State.FINISHED
