"""What a capacity search came to: its plan, a line a probe, the curve and the answer."""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING

from loadlab.analysis import numbers
from loadlab.cli.output import Line, print_stored
from loadlab.cli.sections import row
from loadlab.cli.summary import cluster_text
from loadlab.results.capacity_store import CAPACITY_FILE
from loadlab.results.model import MOCK_NOTE
from loadlab.tuning.capacity_levels import Outcome, Probe, Verdict, levels_of
from loadlab.tuning.warm_up import ROUND_S, ROUNDS_TOLD
from loadlab.units import duration_s

if TYPE_CHECKING:
    from collections.abc import Iterator

    from loadlab.cli.options import OutputFormat
    from loadlab.results.capacity_store import StoredCapacity
    from loadlab.results.model_capacity import CapacityProbe, CapacityResult
    from loadlab.results.reader import Entry

PROBE_WORDS = {"holds": "holds", "fails": "does not hold", "unmeasured": "not measured", None: "not judged"}
"""What is said of a probe by its verdict."""
_BETWEEN_PROBES_S = 3.0
_BY_CLIENTS = ("generator_limited", "client_cpu", "worker_cpu")


def print_capacity(search: StoredCapacity, output: OutputFormat) -> None:
    """Print a stored search: the curve and the answer, or capacity.json as it stands on the disk."""
    print_stored(search.path / CAPACITY_FILE, output, partial(capacity_lines, search))


def capacity_told(entry: Entry[StoredCapacity]) -> str:
    """A search's line in the list of what is stored."""
    if entry.stored is None:
        return f"can't be read: {entry.problem}"
    result = entry.stored.result
    ended = "" if result.finished else ", under way" if entry.stored.under_way else ", interrupted"
    return f"capacity by {numbers.counted(len(result.probes), 'probe')}{ended}: {answer_text(result)}"


def capacity_as_json(entry: Entry[StoredCapacity]) -> dict[str, object]:
    """A search's entry in the list of what is stored."""
    result = entry.stored.result if entry.stored else None
    return {
        "kind": "capacity",
        "capacity_id": entry.name,
        "path": str(entry.path),
        "name": result.name if result else None,
        "started_at": result.started_at.isoformat() if result else None,
        "runs": [probe.run_id for probe in result.probes] if result else None,
        "holds_per_s": result.answer.holds_per_s if result else None,
        "interrupted": not (result.finished or entry.stored.under_way) if entry.stored and result else None,
        "problem": entry.problem,
    }


def begun_line(search: StoredCapacity, *, warms_up: bool = True) -> str:
    """What a search is going to do, how long that takes, and how to go on if it is interrupted."""
    warm_up = f"a Kafka cluster is warmed up first, by {ROUNDS_TOLD}; --no-warm-up leaves that out\n"
    result = search.result
    left = result.settings.max_probes - len(result.probes)
    before = f", {len(result.probes)} made before" if result.probes else ""
    warmup_s, drain_s = (_phase_s(result, name) for name in ("warmup", "drain"))
    probe_s = warmup_s + result.settings.measure_s + _BETWEEN_PROBES_S
    in_all = f"{numbers.duration(left * probe_s)} in all, and up to {numbers.duration(drain_s)} more a drain"
    return (
        f"capacity of {result.name}: at most {numbers.counted(left, 'probe')} of {numbers.duration(probe_s)}"
        f"{before}: {in_all}\n"
        f"{warm_up if warms_up else ''}"
        f"after an interruption: the same command with --resume {result.capacity_id}"
    )


def _phase_s(search: CapacityResult, name: str) -> float:
    phases = search.scenario.get("phases")
    return duration_s(phases.get(name, 0)) if isinstance(phases, dict) else 0.0


def warm_up_line(search: CapacityResult) -> str:
    """The last round of warming the cluster up."""
    return f"warming the cluster up: {numbers.rate(search.warm_up_per_s[-1])} acked"


def probe_line(search: CapacityResult) -> str:
    """The last probe on one line."""
    probe = search.probes[-1]
    number = f"probe {len(search.probes)} of at most {search.settings.max_probes}"
    return f"{number}: {_rate(probe)} · achieved {_figures(probe)} · {_said(probe)}"


def capacity_lines(search: StoredCapacity) -> Iterator[Line]:
    """The answer, what it was asked of, the curve and its knee."""
    result = search.result
    good = result.finished and result.answer.kind in {"between", "at_least"}
    yield Line(f"capacity of {result.name}: {answer_text(result)}", "good" if good else "warn")
    if search.under_way:
        yield Line("under way: this is what is known until now", "warn")
    elif not result.finished:
        yield Line(f"interrupted: {result.how_to_go_on}", "warn")
    if result.probes:
        yield from (Line(doubt, "warn") for doubt in result.doubts)
    yield from row("holds where", " · ".join(result.settings.conditions))
    if result.cluster is not None:
        yield from row("cluster", cluster_text(result.cluster))
        if result.cluster.kind == "mock":
            yield Line(MOCK_NOTE, "warn")
    made = numbers.counted(len(result.probes), "probe")
    if search.result.warm_up_per_s:
        rounds = ", ".join(numbers.rate(rate) for rate in result.warm_up_per_s)
        yield from row("warm-up", f"{rounds} acked at full load, {ROUND_S:g} s each")
    yield from row("probes", f"{made} of {numbers.duration(result.settings.measure_s)} measured each")
    yield from _table(result)
    if result.knee is not None:
        p99 = numbers.latency(result.knee.publish_p99_us)
        knee = f"{numbers.rate(result.knee.rate_per_s)} at p99 {p99}: the most records/s for its p99"
        yield from row("knee", knee)
    yield from row("result", str(search.path))


def answer_text(search: CapacityResult) -> str:
    """What the probes say, in one sentence."""
    answer = search.answer
    holds_text, above = numbers.two_rates(answer.holds_per_s or 0.0, answer.fails_per_s or 0.0)
    holds = f"holds {holds_text}"
    match answer.kind:
        case "between":
            return f"{holds}, fails {above}"
        case "at_least":
            return f"{holds} at least: nothing higher was probed"
        case "generator":
            return f"{holds} at least: {_unmeasured(search)} at {above}{_failing(search)}"
        case "below":
            return f"fails {above} already, the lowest rate {_lowest(search)}: {_why(search)}"
        case "nothing":
            return f"nothing could be measured: {_why(search)}" if search.probes else "nothing was probed"


def _failing(search: CapacityResult) -> str:
    """The lowest rate that fails, where it lies above one that could not be measured."""
    judged = [
        Probe(probe.rate_per_s, Outcome(Verdict(probe.verdict), disturbed=probe.disturbed))
        for probe in search.probes
        if probe.rate_per_s is not None and probe.verdict is not None
    ]
    failed = (level.rate_per_s for level in levels_of(judged) if level.verdict is Verdict.FAILS)
    lowest = next((rate for rate in failed if rate > (search.answer.fails_per_s or 0.0)), None)
    return "" if lowest is None else f", {numbers.rate(lowest)} fails"


def _unmeasured(search: CapacityResult) -> str:
    """Why nothing could be said of the rate above the one that holds."""
    at = search.answer.fails_per_s
    reasons = [why for probe in search.probes if probe.rate_per_s == at for why in probe.failed]
    by_generator = any(why.startswith(_BY_CLIENTS) for why in reasons)
    return "the generator is the limit" if by_generator else "nothing could be measured"


def _lowest(search: CapacityResult) -> str:
    """What is the matter with the rates below the one that fails, if there are any."""
    fails = search.answer.fails_per_s or 0.0
    lower = any((probe.rate_per_s or math.inf) < fails for probe in search.probes)
    return "that could be measured" if lower else "probed"


def _why(search: CapacityResult) -> str:
    """What the rate that fails failed by; where none does, why nothing could be said of the lowest."""
    # A failure at another rate, or where nothing was measured, was disturbed, and does not count.
    at = search.answer.fails_per_s if search.answer.kind == "below" else None
    failed = [probe for probe in search.probes if probe.verdict == "fails" and probe.rate_per_s == at]
    judged = failed or [probe for probe in search.probes if probe.failed and probe.verdict != "fails"]
    lowest = min(judged, key=lambda probe: probe.rate_per_s or math.inf, default=None)
    return ", ".join(lowest.failed) if lowest else "no rate was judged"


def _table(search: CapacityResult) -> Iterator[Line]:
    """The curve: rate, what was achieved, latency, and what did not hold or why nothing was measured."""
    shown = sorted(search.probes, key=lambda probe: probe.rate_per_s or math.inf)
    if shown:
        yield Line(f"{'rate':>12}{'achieved':>14}{'p50':>11}{'p99':>11}")
    for probe in shown:
        p50, p99 = numbers.latency(probe.publish_p50_us), numbers.latency(probe.publish_p99_us)
        figure = f"{_rate(probe):>12}{numbers.rate(probe.achieved_per_s):>14}{p50:>11}{p99:>11}"
        yield Line(f"{figure}   {_said(probe)}", "plain" if probe.verdict == "holds" else "warn")


def _rate(probe: CapacityProbe) -> str:
    return "max" if probe.rate_per_s is None else numbers.rate(probe.rate_per_s)


def _figures(probe: CapacityProbe) -> str:
    p50, p99 = numbers.latency(probe.publish_p50_us), numbers.latency(probe.publish_p99_us)
    return f"{numbers.rate(probe.achieved_per_s)} · p50 {p50} · p99 {p99}"


def _said(probe: CapacityProbe) -> str:
    why = f": {', '.join(probe.failed)}" if probe.failed else ""
    return f"{PROBE_WORDS[probe.verdict]}{why}{probe.aside}"
