"""What a run came to, on at most 25 lines: the same from a fresh run and from a stored one."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from loadlab.analysis import numbers
from loadlab.cli.output import Line, Style
from loadlab.cli.sections import Block, Section, fit, row
from loadlab.cli.summary_brokers import broker_section
from loadlab.cli.summary_groups import group_sections
from loadlab.cli.summary_thresholds import threshold_section
from loadlab.results.model import MOCK_NOTE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from loadlab.results.model import (
        ClusterUsed,
        FaultResult,
        Reason,
        Reconciliation,
        RunResult,
        Verdict,
        VerdictStatus,
    )
    from loadlab.results.model_environment import MachineUse
    from loadlab.results.reader import StoredRun

MAX_LINES = 25

_ERROR_NAMES_SHOWN = 5
_STATUS_STYLE: dict[VerdictStatus, Style] = {"valid": "good", "suspect": "warn", "invalid": "bad"}
_LOST = "records_lost"


_SILENT_S = 1.0
"""A time without acks that is shorter is told only where it spans the end of an interval."""


def summary_lines(stored: StoredRun) -> list[Line]:
    """Summarise a run: verdict, thresholds, the verdict's reasons, figures, errors, warnings, path.

    Args:
        stored: the run, as stored.

    Returns:
        At most 25 lines; what has no room is counted and stands in result.json.
    """
    result = stored.result
    sections = [
        _verdict(result),
        threshold_section(result),
        _reasons(result.verdict),
        *group_sections(result),
        Section.of(row("cluster", " · ".join([cluster_text(result.cluster), *_shared(result.machine)]))),
        broker_section(result.brokers),
        Section.of(*(row("fault", _fault(each)) for each in result.faults)),
        Section.of(row("records", _records(result))),
        Section.of(row("errors", _errors(result))),
        Section.of(*(_note("warning", each.message, each.fix, "warn") for each in result.warnings)),
        Section.of(row("result", str(stored.path))),
    ]
    return fit(sections, MAX_LINES)


def _verdict(result: RunResult) -> Section:
    status = result.verdict.status
    measured = numbers.duration(result.measured_s) if result.phase("measure") else "nothing"
    words = f"{status.upper()} · {result.name} · {measured} measured · {result.run_id}"
    lines = [Line(words, _STATUS_STYLE[status])]
    if result.interrupted:
        lines.append(Line("interrupted: the figures are those until then", "warn"))
    if result.cluster.kind == "mock":
        lines.append(Line(MOCK_NOTE, "warn"))
    return Section.of(tuple(lines))


def _reasons(verdict: Verdict) -> Section:
    blocks = [_reason(reason) for reason in verdict.reasons]
    if saturation := verdict.saturation:
        blocks.append((Line(saturation, "warn"),))
    return Section.of(*blocks)


def _reason(reason: Reason) -> Block:
    style: Style = "bad" if reason.severity == "invalid" or reason.code == _LOST else "warn"
    return _note(reason.code, reason.message, reason.fix, style)


def _note(label: str, message: str, fix: str | None, style: Style) -> Block:
    """A message and its fix, one line each."""
    first = Line(f"{label}: {_one_line(message)}", style)
    return (first, Line(f"  fix: {_one_line(fix)}")) if fix else (first,)


def _one_line(text: str) -> str:
    return " ".join(text.split())


def cluster_text(cluster: ClusterUsed) -> str:
    """Provider, version, brokers and network of a cluster."""
    parts = [cluster.provider]
    if cluster.kafka_version and cluster.kind == "kafka":
        parts.append(f"Kafka {cluster.kafka_version}")
    parts.append(numbers.counted(cluster.brokers, "broker"))
    if cluster.network:
        parts.append(f"{cluster.network} network")
    return " · ".join(parts)


def _shared(machine: MachineUse | None) -> Iterator[str]:
    """That the brokers ran on cores of the clients, and so both were slower than by themselves."""
    if machine is None or not machine.shared_cores:
        return
    shares = {"brokers": machine.brokers_share, "clients": machine.workers_share}
    used = ", ".join(f"{who} {numbers.share(share)}" for who, share in shares.items() if share is not None)
    cores = numbers.counted(machine.shared_cores, "core")
    yield f"shares {cores} with the clients, each slowing the other{f' ({used} of the CPU)' if used else ''}"


def _fault(fault: FaultResult) -> str:
    """What was done to a broker, and what it cost the producers."""
    done, undone = ("paused", "went on") if fault.kind == "pause" else ("killed", "answered again")
    if fault.begun_s is None:
        return f"broker {fault.broker} was not {done}: {fault.failure or 'the load had ended'}"
    parts = [f"broker {fault.broker} {done} {fault.begun_s:.1f} s into the measure phase"]
    if fault.ended_s is not None:
        parts.append(f"{undone} after {numbers.duration(fault.ended_s - fault.begun_s)}")
    if fault.failure is not None:
        parts.append(fault.failure)
    if fault.no_acks_s is not None:
        silence = numbers.duration(fault.no_acks_s)
        parts.append(f"no acks for {silence}" if fault.no_acks_s >= _SILENT_S else "acks in every second")
    if fault.publish_latency_max_us is not None:
        parts.append(f"publish_latency max {numbers.latency(fault.publish_latency_max_us)}")
    if fault.disturbed_s is not None:
        parts.append(f"as before after {fault.disturbed_s:.0f} s")
    return " · ".join(parts)


def _records(result: RunResult) -> str:
    """What became of the records: by the producers, by the log and its readers, then by the ledger."""
    found = result.reconciliation
    parts = []
    if result.producers:
        parts.append(f"{numbers.count(found.acked)} acked")
    if result.producers and found.log_end_growth is not None:
        parts.append(f"{numbers.count(found.log_end_growth)} in the log")
    parts += [f"{numbers.count(number)} read by {name}" for name, number in found.consumed.items()]
    for fate in ("failed", "indeterminate", "rejected"):
        number = getattr(found, fate)
        if number:
            parts.append(f"{numbers.count(number)} {fate}")
    unsent = sum(producer.records.unsent for producer in result.producers.values())
    if unsent:
        parts.append(f"{numbers.count(unsent)} unsent")
    return " · ".join([*parts, *_ledger(found)])


def _ledger(reconciliation: Reconciliation) -> list[str]:
    """Lost, duplicated and reordered where they are known; what is seldom there only where it is."""
    parts = []
    for fate in ("lost", "duplicated", "reordered"):
        number = getattr(reconciliation, fate)
        if number is not None:
            parts.append(f"{numbers.count(number)} {fate}")
        elif fate == "lost" and reconciliation.lost_at_least:
            parts.append(f"at least {numbers.count(reconciliation.lost_at_least)} lost")
    for fate in ("unseen", "evicted", "unexplained"):
        number = getattr(reconciliation, fate)
        if number:
            parts.append(f"{numbers.count(number)} {fate}")
        elif number is None and fate == "unseen":
            known = {name: group.unseen for name, group in reconciliation.groups.items() if group.unseen}
            parts += [f"{numbers.count(count)} unseen by {name}" for name, count in known.items()]
    return parts


def _errors(result: RunResult) -> str:
    total: Counter[str] = Counter()
    for producer in result.producers.values():
        total.update(producer.errors)
    for consumer in result.consumers.values():
        total.update(consumer.errors)
    found = result.reconciliation
    fates = {
        "lost": found.lost or found.lost_at_least,
        "duplicated": found.duplicated,
        "reordered": found.reordered,
    }
    shown = [f"{numbers.count(number)} records {fate}" for fate, number in fates.items() if number]
    shown += [f"{name} {numbers.count(number)}" for name, number in total.most_common(_ERROR_NAMES_SHOWN)]
    hidden = len(total) - _ERROR_NAMES_SHOWN
    return " · ".join([*shown, f"{hidden} other kinds"] if hidden > 0 else shown) or "none"
