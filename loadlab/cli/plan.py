"""`loadlab plan`: what a run would do, and where each value comes from, without a cluster."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, replace
from typing import TYPE_CHECKING

import click

from loadlab.analysis import numbers
from loadlab.cli.options import (
    OutputFormat,
    client_properties_option,
    cluster_option,
    examples,
    output_option,
    provider_option,
    scenario_argument,
    set_option,
    standing_brokers,
    with_provider,
)
from loadlab.cli.output import Line, print_json, print_lines
from loadlab.cli.sections import row
from loadlab.results.redact import redact
from loadlab.run.plan import plan_scenario
from loadlab.run.volume import sent_bytes
from loadlab.scenario import load
from loadlab.units import format_duration

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from pydantic import JsonValue

    from loadlab.run.plan import PlannedConsumer, PlannedFault, PlannedProducer, PlannedTopic, RunPlan
    from loadlab.run.traces import PlannedTrace
    from loadlab.scenario import LoadedScenario

_TOPICS_SHOWN = 10


@click.command(
    epilog=examples(
        "loadlab plan scenarios/quickstart.yaml",
        "loadlab plan scenarios/quickstart.yaml --set topics.orders.partitions=12 --explain",
    )
)
@scenario_argument
@set_option
@provider_option
@cluster_option
@client_properties_option
@click.option(
    "--explain", is_flag=True, help="Say of each value whether file, environment, --set or default set it."
)
@output_option
def plan(  # noqa: PLR0913  (click gives each option by its name)
    scenario: Path,
    overrides: tuple[str, ...],
    provider: str | None,
    cluster_name: str | None,
    client_properties: Path | None,
    *,
    explain: bool,
    output: OutputFormat,
) -> None:
    """Show what a run of SCENARIO would do; start nothing."""
    set_over = with_provider(overrides, provider, client_properties)
    loaded = load(scenario, set_over, os.environ, brokers=standing_brokers(cluster_name))
    planned = plan_scenario(loaded)
    if output == "json":
        origins: dict[str, JsonValue] = {"origins": _origins(loaded)} if explain else {}
        print_json(redact({**_as_json(planned), **origins}))
        return
    print_lines(_told(planned))
    if explain:
        print_lines(_explained(loaded))


def _told(planned: RunPlan) -> Iterator[Line]:
    yield Line(f"plan of {planned.name}", "good")
    yield from row("cluster", f"{planned.provider} · {numbers.counted(planned.brokers, 'broker')}")
    yield from row("phases", _phases(planned))
    for topic in planned.topics[:_TOPICS_SHOWN]:
        yield from row("topic", _topic(topic))
    if len(planned.topics) > _TOPICS_SHOWN:
        yield from row("", f"… {len(planned.topics) - _TOPICS_SHOWN} more")
    for producer in planned.producers:
        yield from row("producer", _producer(producer))
        if producer.trace is not None:
            yield from row("", _trace(producer.trace))
        yield from _config(producer.config)
    for consumer in planned.consumers:
        yield from row("consumer", _consumer(consumer))
        yield from _config(consumer.config)
    for fault in planned.faults:
        yield from row("fault", _fault(fault))
    yield from row("data", _data(planned))
    for warning in planned.warnings:
        yield Line(f"warning: {warning}", "warn")


def _phases(planned: RunPlan) -> str:
    warmup, measure, drain = map(format_duration, (planned.warmup_s, planned.measure_s, planned.drain_s))
    return f"warm-up {warmup} · measure {measure} · drain {drain} at most"


def _fault(fault: PlannedFault) -> str:
    end = "to the end" if fault.for_s is None else f"for {format_duration(fault.for_s)}"
    return f"{fault.kind} broker {fault.broker} {end}, {format_duration(fault.at_s)} into the measure phase"


def _topic(topic: PlannedTopic) -> str:
    if topic.partitions is None:
        return f"{topic.name} · exists already"
    partitions = numbers.counted(topic.partitions, "partition")
    config = "".join(f" · {key}={value}" for key, value in topic.config.items())
    return f"{topic.name} · {partitions} · replication factor {topic.replication_factor}{config}"


def _producer(producer: PlannedProducer) -> str:
    target = producer.target_records_per_s
    rate = "as fast as it can" if target is None else numbers.record_rate(target)
    records = ""
    if producer.records is not None:
        records = f" · {numbers.counted(producer.records, 'record')} in all"
    elif producer.limit is not None:
        records = f" · {numbers.counted(producer.limit, 'record')} at most"
    workers = numbers.counted(len(producer.workers), "worker")
    size_bytes = numbers.count(round(producer.record_bytes_mean))
    return f"{producer.name} → {_names(producer.topics)} · {workers} · {rate} of {size_bytes} B{records}"


def _trace(trace: PlannedTrace) -> str:
    speed = "its own speed" if trace.scale == 1 else f"{trace.scale:g} times its speed"
    mean = trace.records_per_s_mean
    rates = "" if mean is None else f" · mean {numbers.record_rate(mean)}"
    peak = numbers.record_rate(trace.records_per_s_peak)
    records = numbers.counted(trace.records, "record")
    return f"replays {trace.file} at {speed} · {records} in {trace.duration_s:,.1f} s{rates} · peak {peak}"


def _consumer(consumer: PlannedConsumer) -> str:
    parts = [f"{consumer.name} ← {_names(consumer.topics)}", numbers.counted(len(consumer.workers), "worker")]
    parts.append(f"group {consumer.group_id or f'loadlab-<run-id>-{consumer.name}'}")
    if consumer.start_after_s is not None:
        parts.append(f"starts after {format_duration(consumer.start_after_s)}")
    if consumer.max_rate_per_s is not None:
        parts.append(f"at most {numbers.record_rate(consumer.max_rate_per_s)}")
    return " · ".join(parts)


def _names(topics: tuple[str, ...]) -> str:
    return topics[0] if len(topics) == 1 else f"{topics[0]} … {topics[-1]} ({len(topics)} topics)"


def _config(config: Mapping[str, str]) -> Iterator[Line]:
    clean = redact(dict(config))
    if clean:
        yield from row("", " ".join(f"{key}={value}" for key, value in clean.items()))


def _data(planned: RunPlan) -> str:
    if planned.data_bytes is None or planned.disk_bytes is None:
        producers = planned.producers
        most = [one if one.records is not None else replace(one, records=one.limit) for one in producers]
        most_bytes = sent_bytes(most)
        if most_bytes is None:
            return "as much as the cluster takes: a rate is max"
        return f"{numbers.size(most_bytes)} sent at most"
    return f"{numbers.size(planned.data_bytes)} sent · {numbers.size(planned.disk_bytes)} on disk"


def _as_json(planned: RunPlan) -> dict[str, JsonValue]:
    # Through JSON, as `asdict` alone leaves tuples.
    document: dict[str, JsonValue] = json.loads(json.dumps(asdict(planned, dict_factory=_without_schedule)))
    return document


def _without_schedule(fields: list[tuple[str, object]]) -> dict[str, object]:
    """A part of a plan without what only a run can read."""
    return {name: value for name, value in fields if name != "schedule"}


def _origins(loaded: LoadedScenario) -> dict[str, JsonValue]:
    return {path: {"kind": origin.kind, "place": origin.place} for path, origin in loaded.origins.items()}


def _explained(loaded: LoadedScenario) -> Iterator[Line]:
    """Each value of the resolved scenario beside the place that set it."""
    values = dict(_leaves(loaded.scenario.to_document(), ""))
    width = max(map(len, loaded.origins), default=0)
    for path, origin in loaded.origins.items():
        value = values.get(path)
        shown = value if isinstance(value, str) else json.dumps(value)
        yield Line(
            f"{path:<{width}}  {shown}  ({origin.place})", "dim" if origin.kind == "default" else "plain"
        )


def _leaves(value: object, path: str) -> Iterator[tuple[str, object]]:
    """The values that hold no others, by dotted path."""
    if isinstance(value, dict) and value:
        for key, below in value.items():
            yield from _leaves(below, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list) and value:
        for index, below in enumerate(value):
            yield from _leaves(below, f"{path}[{index}]")
    else:
        yield path, value
