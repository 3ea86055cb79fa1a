"""What a threshold may be about: every metric with its stats, their units, and where the figures stand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

Unit = Literal["us", "s", "records", "records/s", "bytes", "bytes/s", "count", "ratio", "share"]
Live = Literal["now", "grows", "never"]
"""How a stat can be judged while the run goes on: by what it is now; only by whether it has passed its limit
for good, as it can but grow; or not at all, as it is known after the run only."""
Kind = Literal["producer", "consumer", "topic"]

PERCENTILES: Final = ("p50", "p90", "p95", "p99", "p999", "p9999")
"""Those that a result tells; a threshold may be about any other too, such as p99.5."""
OF_GROUPS: Final = (
    *("seen", "earlier", "unknown", "redelivered", "seen_failed"),
    *("found", "absent", "unresolved", "never_sent"),
)
"""What the reconciliation tells by consumer group only."""


@dataclass(frozen=True)
class Stat:
    """One figure of a metric.

    Attributes:
        unit: what it is told in.
        live: how it can be judged while the run goes on.
        kinds: what measures it; empty: the run as a whole.
    """

    unit: Unit
    live: Live = "never"
    kinds: tuple[Kind, ...] = ()


@dataclass(frozen=True)
class Metric:
    """A metric that can be judged.

    Attributes:
        stats: its figures by name.
        selectors: what it can be selected by.
        where: its place in result.json, ``*`` for each group or topic.
    """

    stats: Mapping[str, Stat]
    selectors: tuple[Kind, ...]
    where: str

    @property
    def has_percentiles(self) -> bool:
        """Whether any percentile can be asked for."""
        return PERCENTILES[0] in self.stats


_BY_PRODUCER: Final = ("producer", "topic")
_BY_CONSUMER: Final = ("consumer", "topic")
_BY_GROUP: Final = ("producer", "consumer", "topic")
_OF_PRODUCERS: Final = ("producer",)
_OF_CONSUMERS: Final = ("consumer",)
_OF_TOPICS: Final = ("topic",)
_OF_BOTH: Final = ("producer", "consumer")


def _stats(
    names: Iterable[str], unit: Unit, live: Live = "never", kinds: tuple[Kind, ...] = ()
) -> dict[str, Stat]:
    return dict.fromkeys(names, Stat(unit, live, kinds))


def _latency(name: str, kind: Kind) -> Metric:
    stats = _stats(("mean", "min", *PERCENTILES, "max"), "us", "now", (kind,))
    stats["count"] = Stat("records", "grows", (kind,))
    return Metric(stats, (kind, "topic"), f"{kind}s.*.{name}_us")


def _level(place: str) -> Metric:
    stats = {
        **_stats(("max", "mean"), "records", "now", _OF_CONSUMERS),
        "final": Stat("records", "never", _OF_CONSUMERS),
    }
    return Metric(stats, _BY_CONSUMER, f"consumers.*.{place}")


METRICS: Final[Mapping[str, Metric]] = {
    "send_delay": _latency("send_delay", "producer"),
    "service_time": _latency("service_time", "producer"),
    "publish_latency": _latency("publish_latency", "producer"),
    "end_to_end_latency": _latency("end_to_end_latency", "consumer"),
    "consumer_lag": _level("lag"),
    "committed_lag": _level("committed_lag"),
    "backlog": _level("backlog"),
    "throughput": Metric(
        {
            "records_per_s": Stat("records/s", "now", (*_OF_BOTH, "topic")),
            "bytes_per_s": Stat("bytes/s", "now", (*_OF_BOTH, "topic")),
        },
        _BY_GROUP,
        "producers.*.throughput, consumers.*.throughput, topics.*.throughput",
    ),
    "records": Metric(
        {
            **_stats(("attempted", "acked", "failed"), "records", "grows", _OF_PRODUCERS),
            # Until the run is over, a record on its way is not told from one that nobody will answer for.
            "indeterminate": Stat("records", "never", _OF_PRODUCERS),
            "rejected": Stat("records", "grows", _OF_PRODUCERS),
            "unsent": Stat("records", "never", _OF_PRODUCERS),
            **_stats(("consumed", "unstamped", "foreign"), "records", "grows", _OF_CONSUMERS),
        },
        _BY_GROUP,
        "producers.*.records, consumers.*.records",
    ),
    "achieved_ratio": Metric(
        {"value": Stat("share", "now", _OF_PRODUCERS)}, _BY_PRODUCER, "producers.*.achieved_ratio"
    ),
    "cpu_us_per_record": Metric(
        {"value": Stat("us", "never", _OF_BOTH)},
        _BY_GROUP,
        "producers.*.cpu_us_per_record, consumers.*.cpu_us_per_record",
    ),
    "workers": Metric(
        {
            "cpu_share": Stat("share", "never", _OF_BOTH),
            "max_rss_bytes": Stat("bytes", "never", _OF_BOTH),
        },
        _BY_GROUP,
        "producers.*.workers[], consumers.*.workers[]",
    ),
    "batch": Metric(
        {
            "records_mean": Stat("records", "never", _OF_PRODUCERS),
            "bytes_mean": Stat("bytes", "never", _OF_PRODUCERS),
        },
        _BY_PRODUCER,
        "producers.*.batch",
    ),
    "compression_ratio": Metric(
        {"value": Stat("ratio", "never", _OF_PRODUCERS)}, _BY_PRODUCER, "producers.*.compression_ratio"
    ),
    "errors": Metric(
        {"count": Stat("count", "grows", _OF_BOTH)},
        _BY_GROUP,
        "producers.*.measured_errors, consumers.*.measured_errors",
    ),
    "drain_s": Metric({"value": Stat("s", "never", _OF_CONSUMERS)}, _BY_CONSUMER, "consumers.*.drain_s"),
    "rebalances": Metric(
        {"count": Stat("count", "grows", _OF_CONSUMERS), "seconds": Stat("s", "grows", _OF_CONSUMERS)},
        _BY_CONSUMER,
        "consumers.*.rebalances",
    ),
    "log_end_growth": Metric(
        {"value": Stat("records", kinds=_OF_TOPICS)}, _OF_TOPICS, "topics.*.log_end_growth"
    ),
    "partition_share": Metric(
        _stats(("max", "min"), "share", kinds=_OF_TOPICS), _OF_TOPICS, "topics.*.partition_share"
    ),
    "reconciliation": Metric(
        {
            **_stats(
                ("acked", "failed", "indeterminate", "rejected", "log_end_growth", "consumed", "unexplained"),
                "records",
            ),
            **_stats(
                ("lost", "lost_at_least", "duplicated", "reordered", "unseen", "evicted", *OF_GROUPS),
                "records",
                kinds=_OF_CONSUMERS,
            ),
        },
        _BY_CONSUMER,
        "reconciliation, reconciliation.groups.*",
    ),
}
"""Every metric that a threshold may name."""
