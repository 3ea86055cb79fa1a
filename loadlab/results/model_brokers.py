"""What each broker told of itself in the measure phase, and what the run did to brokers."""

from __future__ import annotations

from loadlab.results.model_base import Measured, Model
from loadlab.scenario.faults import FaultKind


class HeapUse(Model):
    """The heap's use over the samples, and its limit."""

    mean_bytes: float
    max_bytes: int
    limit_bytes: int


class Collections(Model):
    """Garbage collections that stopped the JVM.

    Attributes:
        count: how many.
        pause_ms: how long they stopped it, summed.
        pause_share: the same, as a share of the time.
    """

    count: int
    pause_ms: int
    pause_share: float


class Flushes(Model):
    """Flushes of log segments to the disk, and the mean time of one."""

    count: int
    mean_ms: Measured = None


class Requests(Model):
    """Requests of one kind: how many, and the mean time of each stage of their way through the broker.

    Attributes:
        count: how many were answered.
        total_ms: from being read off the socket to the response's being sent.
        request_queue_ms: waiting for a request handler.
        local_ms: being worked on by it.
        remote_ms: waiting for other brokers, or a fetch for records.
        throttle_ms: held back by a quota.
        response_queue_ms: the response, waiting for a network thread.
        response_send_ms: being sent.
    """

    count: int
    total_ms: Measured = None
    request_queue_ms: Measured = None
    local_ms: Measured = None
    remote_ms: Measured = None
    throttle_ms: Measured = None
    response_queue_ms: Measured = None
    response_send_ms: Measured = None


class BrokerResult(Model):
    """One broker in the measure phase, by its own telemetry.

    Attributes:
        samples: answers of the broker that this comes from.
        missed: times at which it gave no answer, over the whole run.
        restarts: starts of its JVM seen in the phase.
        covered_s: the time that the figures below are of: between samples of the same JVM.
        heap: of the JVM.
        gc: collections that stopped it.
        request_handler_idle_share: how much of the time request handlers waited for work, mean of them.
        network_processor_idle_share: the same of the network threads of the clients' listener.
        under_replicated_partitions_max: the most that it led at a sample.
        bytes_in_per_s: produced by clients, as on the wire.
        bytes_out_per_s: fetched by clients.
        messages_in_per_s: records produced by clients, and what consumer groups write when they commit.
        log_flush: of segments to the disk.
        produce: produce requests.
        fetch_consumer: fetch requests of consumers.
    """

    samples: int
    missed: int = 0
    restarts: int = 0
    covered_s: float
    heap: HeapUse
    gc: Collections
    request_handler_idle_share: float
    network_processor_idle_share: float
    under_replicated_partitions_max: int
    bytes_in_per_s: float
    bytes_out_per_s: float
    messages_in_per_s: float
    log_flush: Flushes
    produce: Requests
    fetch_consumer: Requests


class FaultResult(Model):
    """A fault that the scenario asked for; seconds count from the begin of the measure phase.

    Attributes:
        kind: pause or kill.
        broker: by its id.
        planned_at_s: when it was to begin.
        begun_s: when the broker stood still or was dead; None where it never was.
        ended_s: when it went on, or answered again; None where it did not.
        failure: why it could not be done or undone; None where it could.
        no_acks_s: the longest time without an ack that spanned the end of an interval (so any of a second or
            more), until the next fault began or the measure phase ended; as the next two, of the producer
            that felt most of it, among those whose rate is to be steady and whose acks is not 0; None without
            one.
            In results of older versions: the most whole intervals in a row without an ack.
        publish_latency_max_us: the longest of the records that were acked in that time.
        disturbed_s: until three intervals in a row of every such producer were as those before the first
            fault; None where there were none, or too few before.
    """

    kind: FaultKind
    broker: int
    planned_at_s: float
    begun_s: Measured = None
    ended_s: Measured = None
    failure: str | None = None
    no_acks_s: Measured = None
    publish_latency_max_us: Measured = None
    disturbed_s: Measured = None
