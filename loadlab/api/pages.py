"""What a run's report says beside its plots: verdict, figures, records, environment, how to repeat it."""

from __future__ import annotations

import json
import shlex
from typing import TYPE_CHECKING

from loadlab.analysis import numbers
from loadlab.api.markup import Element, Page, details, element, page, table
from loadlab.cli.summary import cluster_text
from loadlab.cli.summary_thresholds import measured_text
from loadlab.results.model import MOCK_NOTE

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pydantic import JsonValue

    from loadlab.results.model import ClusterUsed, LatencyBlock, Reason, RunResult
    from loadlab.results.model_environment import HostEnvironment

_LATENCY_HEAD = ("latency", "records", "never came", "p50", "p90", "p99", "p99.9", "p99.99", "max")
_RATE_HEAD = ("group", "target", "throughput", "bytes", "CPU a record")


def title(result: RunResult) -> Page:
    """The scenario's name, the question that it answers, and which run this is."""
    asked = result.scenario.get("description")
    ran = f"Run {result.run_id} of {result.started_at:%Y-%m-%d %H:%M} UTC, {cluster_text(result.cluster)}"
    return page(
        element("h1", result.name),
        element("p", str(asked)) if asked else None,
        element("p", ran, css="note"),
    )


def verdict(result: RunResult) -> Page:
    """The box that comes first: can the figures be trusted, and did the thresholds hold?"""
    status = result.verdict.status
    notes = [element("li", text) for text in _notes(result)]
    reasons = [_reason(reason) for reason in result.verdict.reasons]
    held = [
        element("li", f"{'held' if each.passed else 'FAILED'}: {each.expression} · {measured_text(each)}")
        for each in sorted(result.thresholds, key=lambda each: each.passed)
    ]
    return page(
        element(
            "div",
            element("strong", f"{status.upper()}: {_MEANINGS[status]}"),
            element("ul", *notes, *reasons, *held),
            css=f"box {status}",
        )
    )


_MEANINGS = {
    "valid": "the figures stand",
    "suspect": "read the reasons before the figures",
    "invalid": "the figures say something of the generator, or do not add up",
}


def _notes(result: RunResult) -> Iterator[str]:
    if result.interrupted:
        yield "interrupted: the figures are those until then"
    if result.cluster.kind == "mock":
        yield MOCK_NOTE
    if saturation := result.verdict.saturation:
        yield saturation
    for warning in result.warnings:
        fix = f". What to do: {warning.fix}" if warning.fix else ""
        yield f"warning: {warning.message}{fix}"


def _reason(reason: Reason) -> Element:
    fix = element("em", f" What to do: {reason.fix}") if reason.fix else None
    return element("li", f"{reason.code}: {reason.message}", fix)


def figures(result: RunResult) -> Page:
    """Throughput, latencies and lag of each group in the measure phase."""
    return page(
        table(_RATE_HEAD, _rates(result)),
        table(_LATENCY_HEAD, _latencies(result)),
        table(("lag", "max", "mean", "final", "drained in"), _lags(result)),
    )


def _rates(result: RunResult) -> Iterator[Sequence[str]]:
    for name, producer in result.producers.items():
        target = numbers.record_rate(producer.target_records_per_s)
        yield (
            f"{name} sends",
            "max" if producer.publish_latency_is_service_time else target,
            numbers.record_rate(producer.throughput.records_per_s),
            numbers.byte_rate(producer.throughput.bytes_per_s),
            numbers.latency(producer.cpu_us_per_record),
        )
    for name, consumer in result.consumers.items():
        yield (
            f"{name} reads",
            "",
            numbers.record_rate(consumer.throughput.records_per_s),
            numbers.byte_rate(consumer.throughput.bytes_per_s),
            numbers.latency(consumer.cpu_us_per_record),
        )


def _latencies(result: RunResult) -> Iterator[Sequence[str]]:
    for name, producer in result.producers.items():
        publish = None if producer.publish_latency_is_service_time else producer.publish_latency_us
        blocks = (
            ("send delay", producer.send_delay_us),
            ("service time", producer.service_time_us),
            ("publish latency", publish),
        )
        for words, block in blocks:
            yield from _latency(f"{words}, {name}", block)
    for name, consumer in result.consumers.items():
        yield from _latency(f"end to end, {name}", consumer.end_to_end_latency_us)


def _latency(label: str, block: LatencyBlock | None) -> Iterator[Sequence[str]]:
    if block is not None and (block.count or block.missing):
        percentiles = map(numbers.latency, (block.p50, block.p90, block.p99, block.p999, block.p9999))
        # What never came through took longer than all that did.
        longest = numbers.MISSING if block.missing else numbers.latency(block.max)
        yield label, numbers.count(block.count), numbers.count(block.missing), *percentiles, longest


def _lags(result: RunResult) -> Iterator[Sequence[str]]:
    for name, consumer in result.consumers.items():
        if consumer.lag is not None:
            final = "not known" if consumer.lag.final is None else numbers.count(consumer.lag.final)
            drained = "never" if consumer.drain_s is None else numbers.duration(consumer.drain_s)
            mean = numbers.count(round(consumer.lag.mean))
            yield name, numbers.count(consumer.lag.max), mean, final, drained


def records(result: RunResult) -> Page:
    """What became of the records: do producers, log and consumers agree?"""
    found = result.reconciliation
    whole: list[tuple[str, int | None]] = [
        ("acked", found.acked),
        ("in the log", found.log_end_growth),
        *((f"read by {name}", number) for name, number in found.consumed.items()),
        ("lost", found.lost),
        ("duplicated", found.duplicated),
        ("reordered", found.reordered),
        ("failed", found.failed),
        ("indeterminate", found.indeterminate),
        ("rejected", found.rejected),
        ("unseen", found.unseen),
        ("evicted", found.evicted),
        ("unexplained", found.unexplained),
    ]
    rows = [(words, "not known" if number is None else numbers.count(number)) for words, number in whole]
    if found.lost is None and found.lost_at_least:
        rows.append(("lost at least", numbers.count(found.lost_at_least)))
    errors = [
        (f"{kind}: {error}", numbers.count(number))
        for kind, groups in (("producer", result.producers), ("consumer", result.consumers))
        for group in groups.values()
        for error, number in group.errors.items()
    ]
    return page(table(("records, whole run", "number"), rows), table(("error", "times"), errors))


def environment(result: RunResult) -> Page:
    """Where it was measured: the machine, the versions, the cluster, and what else used the machine."""
    elsewhere = {"broker_config", "topic_config", "client_config", "flush", "traces"}
    traces = {f"trace of {name}": digest for name, digest in result.environment.traces.items()}
    rows = _known({**result.environment.model_dump(exclude=elsewhere), **traces})
    use = result.machine.model_dump() if result.machine else {}
    shares = [
        (name.replace("_", " "), _share(name, value)) for name, value in use.items() if value is not None
    ]
    return page(
        table(("cluster", ""), _cluster_rows(result.cluster), numbers_from=2),
        table(("machine", ""), rows, numbers_from=2),
        table(("use of the machine in the measure phase", ""), shares, numbers_from=2),
    )


def machine(host: HostEnvironment) -> Page:
    """The machine on which a search or a study began."""
    return page(table(("machine", ""), _known(host.model_dump()), numbers_from=2))


def _known(fields: Mapping[str, object]) -> list[tuple[str, str]]:
    """Rows of what is known: each field by its name in words."""
    return [(name.replace("_", " "), str(value)) for name, value in fields.items() if value is not None]


def _share(name: str, value: float) -> str:
    return numbers.share(value) if name.endswith("_share") else str(value)


def _cluster_rows(cluster: ClusterUsed) -> list[tuple[str, str]]:
    return _known(cluster.model_dump(exclude={"config"}))


def configuration(result: RunResult) -> Page:
    """The effective configuration: properties as in force, defaults included."""
    in_force = result.environment
    return page(
        *(
            details(f"client {group}", _properties(config))
            for group, config in in_force.client_config.items()
        ),
        *(details(f"topic {name}", _properties(config)) for name, config in in_force.topic_config.items()),
        details("brokers, what is not their default", _properties(in_force.broker_config)),
        details("brokers, as loadlab wrote it", _properties(result.cluster.config)),
    )


def _properties(config: Mapping[str, str]) -> Element | None:
    return table(("property", "value"), sorted(config.items()), numbers_from=2)


def repeat(result: RunResult) -> Page:
    """The command that makes the run again, with the scenario in it; secrets have to be filled in."""
    command = ["loadlab", "run", f"{result.name}.yaml", "--provider", result.cluster.provider]
    return page(element("pre", element("code", with_scenario(result.name, result.scenario, command))))


def with_scenario(name: str, scenario: JsonValue, command: Sequence[str]) -> str:
    """Shell lines that write a scenario and then run a command."""
    return as_files({f"{name}.yaml": scenario}, command)


def as_files(files: Mapping[str, JsonValue], command: Sequence[str]) -> str:
    """Shell lines that write files and then run a command; JSON is YAML, and no line of it is EOF."""
    texts = (
        f"cat > {shlex.quote(name)} <<'EOF'\n{json.dumps(held, indent=2)}\nEOF"
        for name, held in files.items()
    )
    return "\n".join([*texts, shlex.join(command)])
