"""The rows of a summary that tell what producers and consumers reached."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from loadlab.analysis import numbers
from loadlab.cli.sections import Block, Section, row

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from loadlab.results.model import ConsumerResult, LatencyBlock, ProducerResult, RunResult, Throughput

Group = TypeVar("Group")

_SMALLEST_STAGE_SHOWN = 0.01
_PERCENTILES = (("p50", "p50"), ("p90", "p90"), ("p99", "p99"), ("p99.9", "p999"), ("max", "max"))


def group_sections(result: RunResult) -> list[Section]:
    """Throughput, publish latency, end-to-end latency, then stages and lag; a row for each group."""
    return [
        _throughput(result),
        _rows("publish latency", result.producers, _publish_latency),
        _rows("end to end", result.consumers, _end_to_end),
        replace(_rows("where time goes", _staged(result.producers), _stages), spare=True),
        _rows("lag", result.consumers, _lag),
    ]


def _throughput(result: RunResult) -> Section:
    """Producers' rows; consumers' after them, or on the same row where there is one of each."""
    if len(result.producers) == len(result.consumers) == 1:
        (producer,), (consumer,) = result.producers.values(), result.consumers.values()
        consumed = numbers.record_rate(consumer.throughput.records_per_s)
        return Section.of(row("throughput", f"{_produced(producer)} · consumed {consumed}"))
    produced = _rows("throughput", result.producers, _produced)
    consumed_rows = _rows("consumed", result.consumers, lambda consumer: _rate(consumer.throughput))
    return Section.of(*produced.blocks, *consumed_rows.blocks)


def _rows(label: str, groups: Mapping[str, Group], text: Callable[[Group], str]) -> Section:
    """A row for each group; named where there are several."""
    if len(groups) <= 1:
        return Section.of(*(row(label, text(group)) for group in groups.values()))
    width = max(map(len, groups))
    blocks: list[Block] = []
    for name, group in groups.items():
        blocks.append(row("" if blocks else label, f"{name:<{width}}  {text(group)}"))
    return Section.of(*blocks)


def _produced(producer: ProducerResult) -> str:
    target = producer.target_records_per_s
    if producer.publish_latency_is_service_time:
        aim = "as fast as it can"
    else:
        aim = f"target {numbers.record_rate(target)}"
    return f"{_rate(producer.throughput)} · {aim}"


def _rate(throughput: Throughput) -> str:
    return f"{numbers.record_rate(throughput.records_per_s)} · {numbers.byte_rate(throughput.bytes_per_s)}"


def _publish_latency(producer: ProducerResult) -> str:
    label = " · service time, as the rate is max" if producer.publish_latency_is_service_time else ""
    return _latency(producer.publish_latency_us) + label


def _staged(producers: Mapping[str, ProducerResult]) -> dict[str, ProducerResult]:
    """The groups whose publish latency is divided into stages: none in runs of older versions."""
    return {name: producer for name, producer in producers.items() if producer.stages}


def _stages(producer: ProducerResult) -> str:
    """The stages that are a hundredth of the mean publish latency or more, the largest first."""
    shown = [stage for stage in producer.stages if abs(stage.share) >= _SMALLEST_STAGE_SHOWN]
    shown.sort(key=lambda stage: -stage.share)
    parts = (f"{stage.name.replace('_', ' ')} {stage.share * 100:.0f} %" for stage in shown)
    return f"{' · '.join(parts)} of the mean {numbers.latency(producer.publish_latency_us.mean)}"


def _end_to_end(consumer: ConsumerResult) -> str:
    if consumer.end_to_end_latency_us is None:
        return "not measured: no producer of this run stamps what it reads"
    return _latency(consumer.end_to_end_latency_us)


def _latency(block: LatencyBlock) -> str:
    """The percentiles that the sample supports."""
    figures_us = ((label, getattr(block, name)) for label, name in _PERCENTILES)
    shown = [f"{label} {numbers.latency(value)}" for label, value in figures_us if value is not None]
    if block.missing:
        whole = block.count + block.missing
        shown.append(f"{numbers.count(block.missing)} of {numbers.count(whole)} records never came through")
    return " · ".join(shown) or "no sample"


def _lag(consumer: ConsumerResult) -> str:
    lag = consumer.lag
    if lag is None:
        return "not measured"
    final = numbers.MISSING if lag.final is None else numbers.count(lag.final)
    drained = (
        "not drained" if consumer.drain_s is None else f"drained in {numbers.duration(consumer.drain_s)}"
    )
    mean = numbers.count(round(lag.mean))
    status = consumer.status
    judged = "" if status is None or status.worst == "OK" else f" · status {status.worst}"
    return f"max {numbers.count(lag.max)} · mean {mean} · final {final} records · {drained}{judged}"
