"""The numbers of a run that stand for it where runs are put together or side by side."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, Final, Literal

from loadlab.analysis.numbers import finite
from loadlab.analysis.statistics import median_interval
from loadlab.measurement.histogram import PERCENTILES, samples_needed
from loadlab.results.runset import HeadlineFigure

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from loadlab.results.model import ConsumerResult, LatencyBlock, ProducerResult, RunResult

Unit = Literal["records/s", "µs", "records"]
Direction = Literal["higher", "lower"]

_SEED: Final = 1  # of what the bootstrap draws: the same values give the same interval


@dataclass(frozen=True)
class Headline:
    """A number that each run has one of.

    Attributes:
        path: where it stands in result.json, such as producers.checkout.throughput.records_per_s.
        group: the group that it is of: "checkout".
        label: its name for people: "throughput".
        unit: its unit.
        better: which way is better.
    """

    path: str
    group: str
    label: str
    unit: Unit
    better: Direction

    @property
    def step(self) -> float:
        """In which its values are known at best, in its unit; 0 where that is a share of them."""
        return 1.0 if self.unit == "records" else 0.0


def headline_numbers(result: RunResult) -> dict[Headline, float | None]:
    """The headline numbers of a run, producers first; None where it has no such figure.

    A percentile among records that never came through is infinite: it is longer than any that was measured.
    """
    numbers: dict[Headline, float | None] = {}
    for name, producer in result.producers.items():
        numbers |= dict(_producer(name, producer))
    for name, consumer in result.consumers.items():
        numbers |= dict(_consumer(name, consumer))
    return numbers


def headline_values(results: Sequence[RunResult]) -> dict[Headline, list[float | None]]:
    """The headline numbers of several runs of one scenario: a value for each run, in their order."""
    each = [headline_numbers(result) for result in results]
    headlines = dict.fromkeys(headline for numbers in each for headline in numbers)
    return {headline: [numbers.get(headline) for numbers in each] for headline in headlines}


def usable(result: RunResult) -> bool:
    """Whether a run counts among others: it is not invalid and was not cut short."""
    return result.verdict.status != "invalid" and not result.cut_short


def headline_figures(results: Sequence[RunResult]) -> dict[str, HeadlineFigure]:
    """Median and 95 % interval of each headline number over runs of one scenario, by its path."""
    return {headline.path: _figure(headline, values) for headline, values in headline_values(results).items()}


def _figure(headline: Headline, values: Sequence[float | None]) -> HeadlineFigure:
    known = [value for value in values if value is not None]
    bounded = all(map(math.isfinite, known))
    interval = median_interval(known, _SEED, step=headline.step) if known and bounded else None
    return HeadlineFigure(
        group=headline.group,
        label=headline.label,
        unit=headline.unit,
        values=tuple(map(finite, values)),
        median=finite(median(known)) if known else None,
        low=interval.low if interval else None,
        high=interval.high if interval else None,
        method=interval.method if interval else None,
    )


def _percentile(block: LatencyBlock | None, name: Literal["p50", "p99"]) -> float | None:
    if block is None:
        return None
    value: float | None = getattr(block, name)
    supported = block.count + block.missing >= samples_needed(PERCENTILES[name])
    return math.inf if value is None and block.missing and supported else value


def _producer(name: str, producer: ProducerResult) -> Iterator[tuple[Headline, float | None]]:
    at = f"producers.{name}"
    latency = producer.publish_latency_us
    which = "service" if producer.publish_latency_is_service_time else "publish"
    rate, cpu = producer.throughput.records_per_s, producer.cpu_us_per_record
    yield Headline(f"{at}.throughput.records_per_s", name, "throughput", "records/s", "higher"), rate
    p50, p99 = _percentile(latency, "p50"), _percentile(latency, "p99")
    yield Headline(f"{at}.publish_latency_us.p50", name, f"{which} p50", "µs", "lower"), p50
    yield Headline(f"{at}.publish_latency_us.p99", name, f"{which} p99", "µs", "lower"), p99
    yield Headline(f"{at}.cpu_us_per_record", name, "CPU per record sent", "µs", "lower"), cpu


def _consumer(name: str, consumer: ConsumerResult) -> Iterator[tuple[Headline, float | None]]:
    at = f"consumers.{name}"
    p99 = _percentile(consumer.end_to_end_latency_us, "p99")
    rate, cpu = consumer.throughput.records_per_s, consumer.cpu_us_per_record
    lag = consumer.lag.max if consumer.lag else None
    yield Headline(f"{at}.throughput.records_per_s", name, "consumed", "records/s", "higher"), rate
    yield Headline(f"{at}.end_to_end_latency_us.p99", name, "end to end p99", "µs", "lower"), p99
    yield Headline(f"{at}.lag.max", name, "lag max", "records", "lower"), lag
    yield Headline(f"{at}.cpu_us_per_record", name, "CPU per record read", "µs", "lower"), cpu
