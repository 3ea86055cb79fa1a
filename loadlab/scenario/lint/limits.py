"""The upper limits that a scenario's thresholds put on latencies."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from loadlab.scenario.expressions import parse_key

if TYPE_CHECKING:
    from collections.abc import Iterator

    from loadlab.scenario.lint.subject import Subject

END_TO_END: Final = "end_to_end_latency"
_LATENCIES: Final = ("publish_latency", "service_time", END_TO_END)
_NO_LATENCY: Final = frozenset({"count", "min"})


@dataclass(frozen=True)
class Limit:
    """An upper limit.

    Attributes:
        metric: of which latency.
        value_us: microseconds.
        percentile: of which, 0 to 100; None where it is of the mean or the maximum.
        expression: as the scenario writes it.
    """

    metric: str
    value_us: float
    percentile: float | None
    expression: str


def latency_limits(
    subject: Subject, *, producer: str | None = None, consumer: str | None = None
) -> Iterator[Limit]:
    """The upper limits on latencies that a producer's or a consumer's records are judged by.

    Args:
        subject: of whose scenario; a properties file has none.
        producer: the producer's name, or
        consumer: the consumer's.
    """
    scenario = subject.scenario
    if scenario is None:
        return
    group = scenario.producers[producer] if producer else scenario.consumers.get(consumer or "")
    mine = {"producer": producer, "consumer": consumer, "topic": group.topic if group else None}
    for key, thresholds in scenario.thresholds.items():
        parsed = parse_key(key)
        if parsed.metric not in _LATENCIES or any(
            mine[kind] != name for kind, name in parsed.selector.items()
        ):
            continue
        for threshold in thresholds:
            condition = threshold.condition
            if condition.op in {"<", "<="} and condition.stat not in _NO_LATENCY:
                yield Limit(parsed.metric, condition.value, condition.percentile, threshold.expression)
