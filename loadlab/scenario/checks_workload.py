"""Checks of who sends what to which topic, and of who reads it."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Final

import numpy as np

from loadlab import units
from loadlab.hints import HintedError, near
from loadlab.scenario.checks_trace import sizes_known, trace_of
from loadlab.scenario.client_settings import DEFAULTS
from loadlab.scenario.cluster import BROKER_LIMITS, KAFKA_PROVIDERS
from loadlab.scenario.finding import Finding, View, found
from loadlab.scenario.records import STAMP_BYTES
from loadlab.scenario.schedule import BurstsRate
from loadlab.scenario.workload import CODECS, MOST_PARTITIONS, check_topic_name

if TYPE_CHECKING:
    from collections.abc import Iterator

    from loadlab.scenario.document import Path
    from loadlab.scenario.workload import ProducerSpec

_MAX_BYTES: Final = "message.max.bytes"
_TOPIC_S: Final = "max.message.bytes"
_QUEUE_KIB: Final = "queue.buffering.max.kbytes"
_REQUEST_MAX_BYTES: Final = "socket.request.max.bytes"
_BATCH_OVERHEAD_BYTES: Final = 100
_MOST_BURSTS: Final = 100_000
_OF_KAFKA: Final = ("__consumer_offsets", "__transaction_state", "__share_group_state", "__cluster_metadata")


def topic_names(view: View) -> Iterator[Finding]:
    """Names made by ``count`` are allowed, and no two topics have one, or what Kafka takes for one."""
    made = Counter(name for key, topic in view.scenario.topics.items() for name in topic.names(key))
    forms = {name.replace(".", "_"): name for name in made}
    for key, topic in view.scenario.topics.items():
        path: Path = ("topics", key)
        names = topic.names(key)
        twice = next((name for name in names if made[name] > 1), None)
        if twice is not None:
            yield found(path, f"another topic is called {twice} as well", at_key=True)
        for name in names:
            other = forms[name.replace(".", "_")]
            if other != name:
                message = f"Kafka takes no {name} beside {other}: . and _ are one in the names of its metrics"
                yield found(path, message, at_key=True)
                break
        if key in _OF_KAFKA and not topic.existing:
            yield found(path, "is a topic that Kafka makes itself: existing: true reads it", at_key=True)
        try:
            check_topic_name(names[-1])
        except HintedError as error:
            yield found(path, str(error), at_key=True)


def bearable(view: View) -> Iterator[Finding]:
    """All partitions together are no more than brokers bear, each having files and memory of its own."""
    about = tuple(("topics", name, "partitions") for name in view.scenario.topics)
    together = 0
    for name, topic in view.scenario.topics.items():
        own = 0 if topic.existing else topic.partitions * topic.count
        together += own
        if own and together > MOST_PARTITIONS:
            of = f"{topic.count:,} topics of {topic.partitions:,} partitions"
            sums = f"are {own:,}" if own == together else f"and those above are {together:,}"
            message = (
                f"{of} {sums} partitions, each with files and memory of its own: {MOST_PARTITIONS:,} are "
                "the most"
            )
            yield found(("topics", name), message, about=about, at_key=True)
            return


def known_topics(view: View) -> Iterator[Finding]:
    """Producers and consumers name topics that are there."""
    names = view.names("topics")
    for path, group in view.groups():
        if names and group.topic not in names:
            suggestion = near(group.topic, names)
            there = "" if suggestion else f"; there is {', '.join(names[:5])}"
            yield found((*path, "topic"), f'no topic is called "{group.topic}"{there}', suggestion)


def fixed_partitions(view: View) -> Iterator[Finding]:
    """A fixed partition is one that the topic has."""
    for name, producer in view.scenario.producers.items():
        topic = view.scenario.topics.get(producer.topic)
        partition = producer.records.partition
        if topic is None or topic.existing or partition is None or partition < topic.partitions:
            continue
        message = f"{producer.topic} has partitions 0 to {topic.partitions - 1}, so none is {partition}"
        path = ("producers", name, "records", "partition")
        yield found(
            path, message, about=(("topics", producer.topic, "partitions"), ("producers", name, "topic"))
        )


def record_sizes(view: View) -> Iterator[Finding]:
    """The largest record passes the client's limit and, where it isn't compressed, the topic's."""
    for name, producer in _sized(view):
        size: Path = ("producers", name, "records", "size")
        where, value_bytes, key_bytes = _largest(producer)
        beside = {"of headers": _headers_bytes(producer), "of its key": key_bytes}
        parts = [_exact(value_bytes), *(f"{_exact(part)} {of}" for of, part in beside.items() if part)]
        for limit, what, about in _limits(view, name, producer):
            if value_bytes + sum(beside.values()) > limit:
                told = f"{' and '.join(parts)} {'is' if len(parts) == 1 else 'are'}"
                message = f"{where}{told} more than {what} lets through, {_exact(max(0, limit))}; raise it"
                yield found(size, message, about=about)
                break


def _headers_bytes(producer: ProducerSpec) -> int:
    """What a record's headers take."""
    headers = producer.records.headers
    if headers is None or headers.share == 0:
        return 0
    return headers.sent_bytes


def _largest(producer: ProducerSpec) -> tuple[str, int, int]:
    """Where a trace has the largest record, as "FILE:LINE: "; the bytes of its value and of a trace's key."""
    file = trace_of(producer)
    if file is None or file.problem is not None or producer.records.keys.kind != "trace":
        return _place_in_trace(producer, producer.largest_bytes), producer.largest_bytes, 0
    rows = file.trace.rows
    key_bytes = np.maximum(rows["key_bytes"], 0)
    sized = producer.records.size == "trace"
    value_bytes = rows["size_bytes"] if sized else np.full(len(rows), producer.largest_bytes)
    row = int((value_bytes + key_bytes).argmax())
    return f"{file.place_of(row)}: ", int(value_bytes[row]), int(key_bytes[row])


def _sized(view: View) -> Iterator[tuple[str, ProducerSpec]]:
    """The producers whose records' sizes can be told."""
    return ((name, spec) for name, spec in view.scenario.producers.items() if sizes_known(spec))


def _place_in_trace(producer: ProducerSpec, size_bytes: int) -> str:
    """Where a trace first has a size, as "FILE:LINE: "; nothing for sizes of other origin."""
    file = trace_of(producer)
    if file is None or producer.records.size != "trace":
        return ""
    return f"{file.place_of(int((file.trace.rows['size_bytes'] == size_bytes).argmax()))}: "


def _limits(view: View, name: str, producer: ProducerSpec) -> Iterator[tuple[int, str, tuple[Path, ...]]]:
    """The limits on a record of a producer: bytes of a value, what sets it, and where it is set."""
    config: Path = ("producers", name, "config")
    own = producer.config.get(_MAX_BYTES, DEFAULTS["librdkafka"][_MAX_BYTES])
    if units.is_digits(own):
        what = f"producers.{name}.config.{_MAX_BYTES}"
        yield int(own) - _BATCH_OVERHEAD_BYTES, what, ((*config, _MAX_BYTES),)
    queue = producer.config.get(_QUEUE_KIB, "")
    if units.is_digits(queue):
        yield int(queue) * 1024, f"producers.{name}.config.{_QUEUE_KIB}", ((*config, _QUEUE_KIB),)
    topic = view.scenario.topics.get(producer.topic)
    if topic is None or topic.existing or producer.codec != "none":
        return
    about: tuple[Path, ...] = (
        *((*config, codec) for codec in CODECS),
        ("topics", producer.topic, "config", _TOPIC_S),
        ("cluster", "config", _MAX_BYTES),
    )
    cluster = view.scenario.cluster
    if _TOPIC_S in topic.config:
        limit, what = topic.config[_TOPIC_S], f"topics.{producer.topic}.config.{_TOPIC_S}"
    elif _MAX_BYTES in cluster.config:
        limit, what = cluster.config[_MAX_BYTES], f"cluster.config.{_MAX_BYTES}"
    else:
        limit = str(BROKER_LIMITS[_MAX_BYTES])
        what = f"the topic's {_TOPIC_S} (topics.{producer.topic}.config)"
    if units.is_digits(limit):
        yield int(limit) - _BATCH_OVERHEAD_BYTES, what, about
    request = cluster.config.get(_REQUEST_MAX_BYTES, str(BROKER_LIMITS[_REQUEST_MAX_BYTES]))
    if cluster.provider in KAFKA_PROVIDERS and units.is_digits(request):
        what = f"cluster.config.{_REQUEST_MAX_BYTES}"
        yield int(request) - _BATCH_OVERHEAD_BYTES, what, (*about, ("cluster", "config", _REQUEST_MAX_BYTES))


def _exact(size_bytes: int) -> str:
    text = units.format_size(size_bytes)
    return f"{size_bytes:,} B" if text.removesuffix("B").isdigit() else text


def stamps(view: View) -> Iterator[Finding]:
    """Records that a consumer's end-to-end latency is told from have room for the stamp."""
    readers = {consumer.topic: name for name, consumer in view.scenario.consumers.items()}
    for name, producer in _sized(view):
        smallest = producer.smallest_bytes
        reader = readers.get(producer.topic)
        if reader is None or not producer.records.stamp or smallest >= STAMP_BYTES:
            continue
        message = (
            f"{_place_in_trace(producer, smallest)}a record of {smallest} B has no room for the stamp of "
            f"{STAMP_BYTES} B from which {reader}'s end-to-end latency is told; send {STAMP_BYTES}B or more, "
            "or set stamp: false"
        )
        size = ("producers", name, "records", "size")
        yield found(size, message, about=(("consumers", reader, "topic"), ("producers", name, "records")))


def something_to_do(view: View) -> Iterator[Finding]:
    """Somebody sends or reads."""
    if not view.names("producers") and not view.names("consumers"):
        yield found((), "has neither producers nor consumers: nothing would be sent or read")


def senders(view: View) -> Iterator[Finding]:
    """A consumer reads a topic that somebody sends to, or that was there before."""
    sent_to = {producer.topic for producer in view.scenario.producers.values()}
    if not sent_to <= set(view.names("topics")):
        return  # a misspelt topic is told of by itself
    for name, consumer in view.scenario.consumers.items():
        topic = view.scenario.topics.get(consumer.topic)
        if topic is not None and not topic.existing and consumer.topic not in sent_to:
            message = f"no producer sends to {consumer.topic}, so there is nothing to read"
            yield found(("consumers", name, "topic"), message, about=(("producers",), ("topics",)))


def starts_in_time(view: View) -> Iterator[Finding]:
    """A consumer that starts late starts before the run ends."""
    phases = view.scenario.phases
    end_s = phases.total_s
    for name, consumer in view.scenario.consumers.items():
        if consumer.start_after_s is not None and consumer.start_after_s >= end_s:
            message = f"would never start: all phases are over after {units.format_duration(end_s)}"
            yield found(("consumers", name, "start_after"), message, about=(("phases",),))


def countable_bursts(view: View) -> Iterator[Finding]:
    """A schedule is a table of its bursts: a run of them must not be longer than memory is."""
    sending_s = view.scenario.phases.warmup_s + view.scenario.phases.measure_s
    for name, producer in view.scenario.producers.items():
        match producer.schedule.rate:
            case BurstsRate(bursts=bursts) if sending_s / bursts.every_s > _MOST_BURSTS:
                shortest = units.format_duration(sending_s / _MOST_BURSTS)
                message = f"is more than {_MOST_BURSTS:,} bursts in this run: {shortest} is the shortest"
                path: Path = ("producers", name, "schedule", "rate", "bursts", "every")
                yield found(path, message, about=(("phases",),))


def own_groups(view: View) -> Iterator[Finding]:
    """Two consumers don't share a group.id: they would share the partitions."""
    first: dict[str, str] = {}
    for name, consumer in view.scenario.consumers.items():
        if consumer.group_id is None:
            continue
        other = first.setdefault(consumer.group_id, name)
        if other != name:
            message = f"{other} has the same group_id; the two would share the partitions of one group"
            yield found(("consumers", name, "group_id"), message)
