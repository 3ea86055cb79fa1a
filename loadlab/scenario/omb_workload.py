"""OpenMessaging Benchmark's workload file: what it says of topics, records, rates and times.

Meanings and defaults are those of its Workload.java, WorkloadGenerator.java and MessageSizeDistribution.java.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from loadlab import units
from loadlab.hints import near
from loadlab.scenario.records import STAMP_BYTES
from loadlab.scenario.workload import MOST_CONSUMERS

if TYPE_CHECKING:
    from loadlab.scenario.omb_keys import Keys

KNOWN: Final = (
    "name",
    "topics",
    "partitionsPerTopic",
    "keyDistributor",
    "messageSize",
    "messageSizeDistribution",
    "useRandomizedPayloads",
    "randomBytesRatio",
    "randomizedPayloadPoolSize",
    "payloadFile",
    "subscriptionsPerTopic",
    "producersPerTopic",
    "consumerPerSubscription",
    "producerRate",
    "consumerBacklogSizeGB",
    "backlogDrainRatio",
    "testDurationMinutes",
    "warmupDurationMinutes",
)

_KEY_COUNT: Final = 10_000  # KeyDistributor.UNIQUE_COUNT
_KEY_KINDS: Final = {"NO_KEY": "none", "KEY_ROUND_ROBIN": "round_robin", "RANDOM_NANO": "uniform"}
_MOST_WORKERS: Final = 64
_MOST_TOPICS: Final = 10_000
_GIB: Final = 2**30
_BACKLOG_ENDS_AT: Final = 1000  # records; where OMB takes a backlog for drained at the latest
_RANGE: Final = re.compile(r"\s*(\d{1,10})\s*(B|KB|MB)?\s*-\s*(\d{1,10})\s*(B|KB|MB)?\s*", re.IGNORECASE)
_SCALE: Final = {"": 1, "B": 1, "KB": 2**10, "MB": 2**20}


@dataclass(frozen=True)
class Sizes:
    """Sizes of values.

    Attributes:
        form: as a scenario writes them.
        smallest_bytes: the smallest.
        mean_bytes: their mean, as OMB rounds it.
    """

    form: object
    smallest_bytes: int
    mean_bytes: int


@dataclass(frozen=True)
class Times:
    """How long, and when consumers join.

    Attributes:
        warmup_s: as is
        measure_s: in seconds.
        start_after_s: when consumers join that let a backlog grow; None: before the start.
        undrained_records: what may be left of the backlog at the end; None without one.
    """

    warmup_s: float
    measure_s: float
    start_after_s: float | None = None
    undrained_records: int | None = None


def topic_spec(keys: Keys) -> dict[str, object]:
    """Number of topics and their partitions."""
    count, partitions = keys.whole("topics"), keys.whole("partitionsPerTopic")
    if not 1 <= count <= _MOST_TOPICS:
        keys.refused("topics", f"must be 1 to {_MOST_TOPICS:,} here, not {count:,}", blocks=True)
    if partitions < 1:
        keys.refused("partitionsPerTopic", "must be 1 or more", blocks=True)
    keys.mapped("topics", f"topics.test-topic.count: {count}" if count > 1 else "topics.test-topic")
    keys.mapped("partitionsPerTopic", f"topics.test-topic.partitions: {partitions}")
    return {"partitions": partitions, **({"count": count} if count > 1 else {})}


def record_sizes(keys: Keys) -> Sizes:
    """One size, or several by weight."""
    if keys.data.get("messageSizeDistribution"):
        return _distribution(keys)
    size = keys.whole("messageSize")
    if size < 1:
        keys.refused("messageSize", "must be 1 byte or more", blocks=True)
    keys.mapped("messageSize", f"records.size: {units.format_size(size)}{_without_stamp(size)}")
    return Sizes(size, size, size)


def _distribution(keys: Keys) -> Sizes:
    """OMB sends one size for each range, its middle, as often as the weight says."""
    given = keys.data["messageSizeDistribution"]
    choices = [_choice(*each) for each in given.items()] if isinstance(given, Mapping) else [None]
    weighed = [each for each in choices if each is not None and each[1] > 0]
    if None in choices or not weighed:
        why = 'must be ranges and weights such as "256-1024": 456, one weight at least above 0'
        keys.refused("messageSizeDistribution", why, blocks=True)
        return Sizes(1, 1, 1)
    smallest = min(size for size, _ in weighed)
    told = f"records.size: the middle of each range, {len(weighed)} sizes{_without_stamp(smallest)}"
    if smallest < 1:
        keys.refused("messageSizeDistribution", "a range's middle is 0 bytes", blocks=True)
    keys.mapped("messageSizeDistribution", told)
    if keys.has("messageSize"):
        keys.refused("messageSize", "OpenMessaging Benchmark ignores it beside messageSizeDistribution")
    mean = sum(size * weight for size, weight in weighed) // sum(weight for _, weight in weighed)
    form = {"weighted": [{"size": size, "weight": weight} for size, weight in weighed]}
    return Sizes(form, smallest, mean)


def _choice(span: object, weight: object) -> tuple[int, int] | None:
    """The size that a range stands for, and its weight; None where it can't be read."""
    found = _RANGE.fullmatch(str(span))
    if found is None or isinstance(weight, bool) or not isinstance(weight, int) or weight < 0:
        return None
    low, high = (int(found[at]) * _SCALE[(found[at + 1] or "").upper()] for at in (1, 3))
    return None if high < low else ((low + high) // 2, weight)


def _without_stamp(size_bytes: int) -> str:
    if size_bytes >= STAMP_BYTES:
        return ""
    return f"; less than {STAMP_BYTES} B has no room for a stamp: end-to-end latency and loss are not told"


def compressibility(keys: Keys) -> float | None:
    """The share of zeros in OMB's payloads; None where its payload is a file, or nothing."""
    random = keys.flag("useRandomizedPayloads")
    told = "loadlab's values never repeat within a batch"
    if keys.has("randomizedPayloadPoolSize"):
        keys.refused("randomizedPayloadPoolSize", f"{told}, however many OMB would choose from")
    if random:
        ratio = keys.share("randomBytesRatio", 0.0)
        keys.mapped("useRandomizedPayloads", "records.compressibility")
        keys.taken("randomBytesRatio", f"records.compressibility: {_plain(1 - ratio)}, the share of zeros")
        return _plain(1 - ratio)
    keys.taken("useRandomizedPayloads", "false")
    if keys.data.get("messageSizeDistribution"):
        keys.defaulted("randomBytesRatio", "records.compressibility: 1.0: OMB sends zeros then")
        return 1.0
    why = (
        f"OMB sends the same bytes in every record, and a codec makes one of them; {told}. "
        "records.compressibility stays 0.5: compare without compression, or with useRandomizedPayloads"
    )
    keys.refused("payloadFile", why)
    return None


def _plain(number: float) -> float:
    """A number without what binary fractions add to it."""
    return round(number, 9)


def key_spec(keys: Keys) -> dict[str, object]:
    """Which keys records have."""
    name = keys.text("keyDistributor") or "NO_KEY"
    kind = _KEY_KINDS.get(name)
    if kind is None:
        meant = near(name, _KEY_KINDS)
        keys.refused("keyDistributor", f"must be one of {', '.join(_KEY_KINDS)}" + _meant(meant), blocks=True)
        return {"kind": "none"}
    keys.taken("keyDistributor", f"records.keys.kind: {kind}")
    return {"kind": kind} if kind == "none" else {"kind": kind, "count": _KEY_COUNT}


def _meant(name: str | None) -> str:
    return f'; did you mean "{name}"?' if name else ""


def workers(keys: Keys, key: str, where: str) -> int:
    """Clients of OMB, each of which becomes a worker process; of several topics they send to or read all."""
    asked = keys.whole(key)
    if asked < 1:
        keys.refused(key, "must be 1 or more", blocks=True)
        return 1
    topics = keys.whole("topics")
    shared = f"; each has all {topics} topics, where OMB has clients for each" if topics > 1 else ""
    if asked > _MOST_WORKERS:
        keys.mapped(key, f"{where}.workers: {_MOST_WORKERS}, the most there can be, of {asked}{shared}")
    else:
        keys.mapped(key, f"{where}.workers: {asked}{shared}")
    return min(asked, _MOST_WORKERS)


def subscriptions(keys: Keys) -> int:
    """How many consumer groups read each topic, each with worker processes of its own."""
    asked = keys.whole("subscriptionsPerTopic")
    count = min(asked, MOST_CONSUMERS)
    if not count:
        keys.taken("subscriptionsPerTopic", "no consumers")
    elif asked > count:
        told = f"{count} consumer groups, the most there can be, of {asked}: brokers send so much less"
        keys.mapped("subscriptionsPerTopic", told)
    else:
        keys.mapped("subscriptionsPerTopic", f"{count} consumer group{'s' if count > 1 else ''}")
    return count


def rate(keys: Keys) -> str:
    """The rate of all producers together."""
    per_s = keys.whole("producerRate")
    if per_s == 0:
        keys.taken("producerRate", "schedule.rate: max. 0 asks for the most that holds: `loadlab capacity`")
        return "max"
    text = units.format_rate(per_s)
    keys.mapped("producerRate", f"schedule.rate: {text}, of all producers together")
    return text


def times(keys: Keys, sizes: Sizes, groups: int) -> Times:
    """The phases, and how long a backlog grows."""
    minutes, warmup = keys.whole("testDurationMinutes"), keys.whole("warmupDurationMinutes", 1)
    if minutes < 1:
        why = "0 asks for a test without end; give its length in minutes"
        keys.refused("testDurationMinutes", why, blocks=True)
    backlog_gib = keys.whole("consumerBacklogSizeGB")
    if backlog_gib and groups:
        return _with_backlog(keys, Times(warmup * 60, minutes * 60), backlog_gib * _GIB, sizes, groups)
    keys.taken("warmupDurationMinutes", f"phases.warmup: {warmup}m")
    keys.taken("consumerBacklogSizeGB", "no backlog")
    keys.mapped("testDurationMinutes", f"phases.measure: {minutes}m")
    if keys.has("backlogDrainRatio"):
        keys.refused("backlogDrainRatio", "there is no backlog to drain")
    return Times(warmup * 60, minutes * 60)


def _with_backlog(keys: Keys, plain: Times, backlog_bytes: int, sizes: Sizes, groups: int) -> Times:
    """Consumers join once the backlog is there; a warm-up that is longer than that ends then.

    OMB adds up what all groups have not read: sent by groups, by the mean size.
    """
    per_s = keys.whole("producerRate")
    if per_s == 0:
        keys.refused("consumerBacklogSizeGB", "needs a producerRate, as it does in OMB", blocks=True)
        return plain
    grows_s = backlog_bytes / (per_s * groups * max(sizes.mean_bytes, 1))
    start_s = round(grows_s, 3)
    warmup_s = min(plain.warmup_s, start_s)
    measure_s = round(start_s - warmup_s + plain.measure_s, 3)
    soon = ", by when the backlog is as large as asked for" if warmup_s < plain.warmup_s else ""
    keys.taken("warmupDurationMinutes", f"phases.warmup: {units.format_duration(warmup_s)}{soon}")
    left = max(
        _BACKLOG_ENDS_AT,
        round((1 - keys.share("backlogDrainRatio", 1.0)) * backlog_bytes / max(sizes.mean_bytes, 1)),
    )
    start, length = units.format_duration(start_s), units.format_duration(measure_s)
    keys.mapped(
        "consumerBacklogSizeGB",
        f"consumers start_after: {start}, by when the rate has made it; they join then, where OMB lets them "
        "stand still",
    )
    keys.mapped(
        "testDurationMinutes",
        f"phases.measure: {length}, so long after the backlog is there; OMB counts from when it is drained",
    )
    keys.taken("backlogDrainRatio", f'thresholds.backlog: "final <= {left}"')
    return Times(warmup_s, measure_s, start_s, left)
