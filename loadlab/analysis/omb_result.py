"""Results of OpenMessaging Benchmark beside our own: only the numbers that mean the same in both.

In OMB (WorkerStats.java) publish latency runs from the send to the ack, which is our service_time, and
publish delay from the intended time to the send, our send_delay. Its end-to-end latency is a difference of
wall clocks in whole milliseconds, from the record's timestamp, of which those of 0 are left out: that has no
counterpart here, and is not compared.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final, Never

from loadlab.analysis.comparison import Comparison, compare_values
from loadlab.analysis.export.omb import MOCK_SYSTEM
from loadlab.analysis.headline import Headline
from loadlab.analysis.sides import Side, counted
from loadlab.errors import UsageError
from loadlab.results.capacity_store import CAPACITY_FILE
from loadlab.results.reader import RESULT_FILE
from loadlab.results.runset import RUNSET_FILE
from loadlab.results.study_store import STUDY_FILE

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from loadlab.analysis.comparable import Kind
    from loadlab.results.model import RunResult

_MARKS: Final = ("publishRate", "aggregatedPublishLatency99pct", "aggregatedPublishLatencyQuantiles")
_OWN_FILES: Final = (RESULT_FILE, RUNSET_FILE, CAPACITY_FILE, STUDY_FILE)
_FACTS: Final = ("topics", "partitions", "messageSize", "producersPerTopic", "consumersPerTopic")
_US_A_MS: Final = 1000.0
_LARGEST_BYTES: Final = 256 << 20
_NOT_COMPARED: Final = (
    "not compared: end-to-end latency (OMB's is by wall clocks, in whole milliseconds, without those of 0);"
    " lag, lost and duplicated records, CPU (OMB's file has none)"
)
_SEVERAL: Final = "{} has several producers: percentiles of each can't be made into one, so none is compared"

THROUGHPUT: Final = Headline("throughput.records_per_s", "producers", "throughput", "records/s", "higher")
CONSUMED: Final = Headline("consumed.records_per_s", "consumers", "consumed", "records/s", "higher")
LATENCIES: Final = {
    Headline(f"service_time_us.{stat}", "producers", f"service {stat}", "µs", "lower"): stat
    for stat in ("p50", "p99")
}
SEND_DELAY: Final = Headline("send_delay_us.p99", "producers", "send delay p99", "µs", "lower")
_OMB_STAT: Final = {"p50": "50pct", "p99": "99pct"}


@dataclass(frozen=True)
class OmbRun:
    """One result file of OMB.

    Attributes:
        run_id: the file's name.
        path: the file, whatever ways lead to it.
        told: what was run, in words.
        values: its numbers, in our units.
        by_loadlab: whether loadlab exported it of a run of its own.
        of_mock: whether that was one on the mock.
    """

    run_id: str
    path: Path
    told: str
    values: Mapping[Headline, float | None]
    by_loadlab: bool
    of_mock: bool


@dataclass(frozen=True)
class OmbSide:
    """A side of a comparison that OMB measured.

    Attributes:
        letter: "A" or "B".
        name: the file or folder.
        runs: its results.
    """

    letter: str
    name: str
    runs: tuple[OmbRun, ...]

    @property
    def origin(self) -> str:
        """Whose its figures are."""
        if all(run.by_loadlab for run in self.runs):
            return "is an export of loadlab's to OpenMessaging Benchmark's form"
        return "was measured by OpenMessaging Benchmark, another generator with Java's client"


@dataclass(frozen=True)
class ChosenWithOmb:
    """What is compared where OMB measured a side.

    Attributes:
        baseline: the runs of A, and
        contender: those of B.
        remarks: what the reader of the comparison has to know.
    """

    baseline: tuple[OmbRun | RunResult, ...]
    contender: tuple[OmbRun | RunResult, ...]
    remarks: tuple[str, ...]


def load_omb(letter: str, name: str) -> OmbSide | None:
    """Reads a result of OMB, or all results in a folder; None where the name is that of neither.

    Args:
        letter: what the side is called.
        name: the path of a JSON file, or of a folder with such files.

    Raises:
        UsageError: a file that must be a result of OMB can't be read as one.
    """
    path = Path(name)
    if path.suffix == ".json" and path.name not in _OWN_FILES and path.is_file():
        return OmbSide(letter, name, (_run(path),))
    if path.is_file() and path.suffix != ".json":
        raise UsageError(f"{name} is a file, and no .json", fix="name a run, a run set, or a .json of OMB")
    files = sorted(path.glob("*.json")) if path.is_dir() else []
    if files and not any((path / own).exists() for own in _OWN_FILES):
        return OmbSide(letter, name, tuple(_run(file) for file in files))
    return None


def compare_with_omb(
    first: Side | OmbSide, second: Side | OmbSide, *, allowed: Collection[Kind]
) -> tuple[ChosenWithOmb, Comparison]:
    """Compares two sides, of which OMB measured one at least.

    Raises:
        UsageError: that is not allowed, or one of our own runs does not count.
    """
    sides = first, second
    _refuse_unless_allowed(sides, allowed)
    (baseline, of_a), (contender, of_b) = (_runs(side, allowed) for side in sides)
    values = [_of_all(each) for each in (baseline, contender)]
    common = [headline for headline in values[0] if all(_is_told(side[headline]) for side in values)]
    rows = compare_values(
        *({headline: side[headline] for headline in common} for side in values), paired=False
    )
    chosen = ChosenWithOmb(baseline, contender, (_NOT_COMPARED, *of_a, *of_b))
    return chosen, Comparison(paired=False, rows=rows, counts=(), differs=())


def _is_told(values: Sequence[float | None]) -> bool:
    return any(value is not None for value in values)


def _refuse_unless_allowed(sides: tuple[Side | OmbSide, ...], allowed: Collection[Kind]) -> None:
    mocks = [side.letter for side in sides if _has_mock(side)]
    if mocks:
        raise UsageError(
            f"A and B can't be compared:\n  never: {' and '.join(mocks)} was measured with a mock broker",
            fix="run the imported scenario on Kafka",
        )
    by_omb = [side for side in sides if isinstance(side, OmbSide)]
    if "tool" not in allowed:
        told = "".join(f"\n  tool: {side.letter} {side.origin}" for side in by_omb)
        raise UsageError(
            f"A and B can't be compared:{told}; its file tells neither machine nor versions nor properties",
            fix="run the imported scenario here; or, if this is what you want to know, --allow tool",
        )
    files = [run.path for side in by_omb for run in side.runs]
    if len(set(files)) < len(files) and "same-run" not in allowed:
        shared = next(path for path in files if files.count(path) > 1)
        raise UsageError(
            f"A and B can't be compared:\n  same-run: both have {shared.name}: it can't differ from itself",
            fix="name two results; or, if this is what you want to know, --allow same-run",
        )


def _has_mock(side: Side | OmbSide) -> bool:
    if isinstance(side, OmbSide):
        return any(run.of_mock for run in side.runs)
    return any(run.cluster.kind == "mock" for run in side.runs.values())


def _runs(
    side: Side | OmbSide, allowed: Collection[Kind]
) -> tuple[tuple[OmbRun | RunResult, ...], list[str]]:
    """The runs of a side that count, and what has to be known of them."""
    if isinstance(side, OmbSide):
        told = dict.fromkeys(f"{side.letter}: {run.told}" for run in side.runs)
        return side.runs, [f"compared although {side.letter} {side.origin}", *told]
    kept, remarks = counted(side, allowed)
    several = [_SEVERAL.format(side.letter)] if len(kept[0].producers) > 1 else []
    return kept, [*remarks, *several]


def _of_all(runs: Sequence[OmbRun | RunResult]) -> dict[Headline, list[float | None]]:
    each = [run.values if isinstance(run, OmbRun) else _own_values(run) for run in runs]
    return {headline: [values.get(headline) for values in each] for headline in each[0]}


def _own_values(run: RunResult) -> dict[Headline, float | None]:
    """Our numbers as OMB counts them: all producers together, all consumers together."""
    producers, consumers = list(run.producers.values()), list(run.consumers.values())
    only = producers[0] if len(producers) == 1 else None
    values: dict[Headline, float | None] = {
        THROUGHPUT: sum(each.throughput.records_per_s for each in producers) if producers else None,
        CONSUMED: sum(each.throughput.records_per_s for each in consumers) if consumers else None,
    }
    for headline, stat in LATENCIES.items():
        values[headline] = None if only is None else getattr(only.service_time_us, stat)
    values[SEND_DELAY] = only.send_delay_us.p99 if only and only.send_delay_us else None
    return values


def _run(path: Path) -> OmbRun:
    found = _read(path)
    values: dict[Headline, float | None] = {
        THROUGHPUT: _mean(found.get("publishRate")),
        CONSUMED: _mean(found.get("consumeRate")) if found.get("consumersPerTopic") else None,
    }
    for headline, stat in LATENCIES.items():
        value = _number(found.get(f"aggregatedPublishLatency{_OMB_STAT[stat]}"))
        values[headline] = None if value is None else value * _US_A_MS
    values[SEND_DELAY] = _number(found.get("aggregatedPublishDelayLatency99pct"))
    for value in values.values():
        if value is not None and value < 0.0:
            _refuse(path, value)
    facts = ", ".join(f"{key} {found[key]}" for key in _FACTS if _number(found.get(key)) is not None)
    workload = "".join(letter for letter in str(found.get("workload"))[:200] if letter.isprintable())
    system, mark, _ = str(found.get("driver")).partition(" (loadlab ")
    by_loadlab = bool(mark)
    told = f'OMB workload "{workload}", {facts}'
    return OmbRun(path.name, path.resolve(), told, values, by_loadlab, by_loadlab and system == MOCK_SYSTEM)


def _refuse(path: Path, value: float | str) -> Never:
    raise UsageError(f"{path} holds {value}, which OpenMessaging Benchmark never measures")


def _read(path: Path) -> dict[str, object]:
    try:
        if path.stat().st_size > _LARGEST_BYTES:
            raise UsageError(f"{path} is larger than any result of OpenMessaging Benchmark")
        found = json.loads(path.read_text(encoding="utf-8"), parse_constant=partial(_refuse, path))
    except (OSError, ValueError, RecursionError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise UsageError(
            f"{path} can't be read as JSON: {why}", fix="name a result of OpenMessaging Benchmark, whole"
        ) from error
    if isinstance(found, dict) and "schema_version" in found:
        run_id = found.get("run_id")
        whose = f"the run, {run_id}, its folder" if isinstance(run_id, str) else "its id, its folder"
        raise UsageError(
            f"{path} is loadlab's own, under a name that it does not have in a folder of results",
            fix=f"name {whose}, or the {RESULT_FILE} in that",
        )
    if not isinstance(found, dict) or not all(mark in found for mark in _MARKS):
        raise UsageError(
            f"{path} is no result of OpenMessaging Benchmark", fix="name a run, or such a result"
        )
    return found


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else None


def _mean(rates: object) -> float | None:
    """The mean of rates over periods of the same length, 10 s each."""
    numbers = [_number(rate) for rate in rates] if isinstance(rates, list) else []
    known = [rate for rate in numbers if rate is not None]
    return sum(known) / len(known) if known else None
