"""The two sides of a comparison: which runs they are, which of them count, and what speaks against it all."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from loadlab.analysis.comparable import Kind, mismatches
from loadlab.errors import UsageError
from loadlab.results.model import MOCK_NOTE
from loadlab.results.reader import RESULT_FILE, StoredSet, load_any
from loadlab.results.versions import schema_version

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence
    from pathlib import Path

    from loadlab.results.model import RunResult
    from loadlab.results.reader import StoredRun

_ENOUGH_RUNS: Final = 5


@dataclass(frozen=True)
class Side:
    """One side.

    Attributes:
        letter: "A" or "B".
        name: the id of its run or run set.
        runs: by their number in the set, from 1, in the order in which they were made.
        is_set: whether it is a run set.
        schema_versions: in which its results were written.
    """

    letter: str
    name: str
    runs: dict[int, RunResult]
    is_set: bool
    schema_versions: tuple[int, ...]

    def fitting(self, allowed: Collection[Kind]) -> dict[int, RunResult]:
        """The runs without a fault that was not allowed."""
        return {number: run for number, run in self.runs.items() if _fits(run, allowed)}


@dataclass(frozen=True)
class Chosen:
    """What is compared.

    Attributes:
        baseline: the runs of A that count, as are
        contender: those of B; in pairs, where pairs were asked for.
        remarks: what the reader of the comparison has to know.
    """

    baseline: tuple[RunResult, ...]
    contender: tuple[RunResult, ...]
    remarks: tuple[str, ...]


@dataclass(frozen=True)
class _Objection:
    """Why the sides should not be compared; a kind of None can't be allowed."""

    kind: Kind | None
    text: str


def load_side(letter: str, name: str, results_dir: Path) -> Side:
    """Read a side.

    Args:
        letter: what it is called.
        name: id, its beginning or end, or path of a run or run set.
        results_dir: where ids are looked up.

    Raises:
        UsageError: there is no such run, or one can't be read.
    """
    found = load_any(name, results_dir)
    stored: Sequence[StoredRun] = found.load_runs() if isinstance(found, StoredSet) else [found]
    return Side(
        letter=letter,
        name=found.runs.set_id if isinstance(found, StoredSet) else found.result.run_id,
        runs={number: run.result for number, run in enumerate(stored, start=1)},
        is_set=isinstance(found, StoredSet),
        schema_versions=tuple(sorted({schema_version(run.path / RESULT_FILE) for run in stored})),
    )


def choose(baseline: Side, contender: Side, *, allowed: Collection[Kind], paired: bool) -> Chosen:
    """Decide which runs are compared.

    Args:
        baseline: A.
        contender: B.
        allowed: the kinds of objections that the user sets aside.
        paired: whether the k-th runs are compared with each other; a run without a fellow is left out.

    Raises:
        UsageError: something speaks against the comparison that is not allowed; all of it is said.
    """
    sides = baseline, contender
    objections = list(_objections(baseline, contender, allowed))
    doubts = (doubt for side in sides for doubt in _doubts(side, allowed))
    _refuse([each for each in (*objections, *doubts) if each.kind not in allowed])
    first, second = (side.fitting(allowed) for side in sides)
    left_out = [_left_out(side, kept) for side, kept in zip(sides, (first, second), strict=True)]
    if paired:
        left_out += [_alone(baseline, first, second), _alone(contender, second, first)]
        first, second = _in_pairs(first, second)
    kept = tuple(first.values()), tuple(second.values())
    compared = replace(baseline, runs=first), replace(contender, runs=second)
    objections += (doubt for side in compared for doubt in _doubts(side, allowed))
    remarks = [
        *(f"compared although {each.text}" for each in objections),
        *(remark for remarks in left_out for remark in remarks),
        *_remarks(baseline.letter, kept[0]),
        *_remarks(contender.letter, kept[1]),
        *_unlike(kept[0][0], kept[1][0]),
    ]
    return Chosen(*kept, tuple(remarks))


def counted(side: Side, allowed: Collection[Kind]) -> tuple[tuple[RunResult, ...], tuple[str, ...]]:
    """The runs of a side that count by themselves, and what the reader has to know of them.

    Raises:
        UsageError: none counts.
    """
    _refuse([each for each in _doubts(side, allowed) if each.kind not in allowed])
    kept = side.fitting(allowed)
    runs = tuple(kept.values())
    let_in = (f"compared although {each.text}" for each in _doubts(replace(side, runs=kept), allowed))
    return runs, (*let_in, *_left_out(side, kept), *_remarks(side.letter, runs))


def _objections(baseline: Side, contender: Side, allowed: Collection[Kind]) -> Iterator[_Objection]:
    ids = [{run.run_id for run in side.runs.values()} for side in (baseline, contender)]
    if shared := sorted(ids[0] & ids[1]):
        yield _Objection("same-run", f"both sides have the run {shared[0]}: it can't differ from itself")
    if baseline.schema_versions != contender.schema_versions:
        versions = (", ".join(map(str, side.schema_versions)) for side in (baseline, contender))
        yield _Objection("schema", "schema_version is {} in A, {} in B".format(*versions))
    for found in mismatches(*(_typical(side, allowed) for side in (baseline, contender))):
        yield _Objection(found.kind, f"{found.field} is {found.baseline} in A, {found.contender} in B")


def _typical(side: Side, allowed: Collection[Kind]) -> RunResult:
    """The run by which a side is held against the other: the first that counts."""
    return next(iter((side.fitting(allowed) or side.runs).values()))


def _doubts(side: Side, allowed: Collection[Kind]) -> Iterator[_Objection]:
    """What speaks against a side's runs; a set does without them while it has others."""
    others = side.is_set and bool(side.fitting(allowed))
    for run in side.runs.values():
        if not others or _fits(run, allowed):
            for kind, text in _faults(run):
                yield _Objection(kind, f"{side.letter} ({run.run_id}) {text}")


def _faults(run: RunResult) -> Iterator[tuple[Kind, str]]:
    if run.verdict.status == "invalid":
        codes = (reason.code for reason in run.verdict.reasons if reason.severity == "invalid")
        yield "invalid", f"is invalid: {', '.join(dict.fromkeys(codes))}"
    if run.cut_short:
        yield "cut-short", "was cut short"


def _fits(run: RunResult, allowed: Collection[Kind]) -> bool:
    return all(kind in allowed for kind, _ in _faults(run))


def _refuse(objections: Sequence[_Objection]) -> None:
    if not objections:
        return
    reasons = "\n".join(f"  {each.kind or 'never'}: {each.text}" for each in objections)
    kinds = dict.fromkeys(each.kind for each in objections)
    fix = (
        "the mock is no Kafka: run both on the same"
        if None in kinds
        else f"make both alike; or, if this is what you want to know, --allow {','.join(map(str, kinds))}"
    )
    raise UsageError(f"A and B can't be compared:\n{reasons}", fix=fix)


def _left_out(side: Side, kept: dict[int, RunResult]) -> Iterator[str]:
    """The runs of a set that don't count, by what is wrong with them."""
    by_fault: dict[str, list[str]] = {}
    for number, run in side.runs.items():
        if number not in kept:
            fault = " and ".join(text for _, text in _faults(run))
            by_fault.setdefault(fault, []).append(str(number))
    for fault, numbers in by_fault.items():
        yield f"left out of {side.letter}: run {', '.join(numbers)} of {len(side.runs)} {fault}"


def _alone(side: Side, kept: dict[int, RunResult], others: dict[int, RunResult]) -> Iterator[str]:
    """The runs of a side that count by themselves and have no fellow on the other."""
    alone = [str(number) for number in kept if number not in others]
    if alone:
        runs = f"run {', '.join(alone)} of {len(side.runs)}"
        yield f"left out of {side.letter}: {runs}, with no fellow to be paired with"


def _in_pairs(
    first: dict[int, RunResult], second: dict[int, RunResult]
) -> tuple[dict[int, RunResult], dict[int, RunResult]]:
    both = [number for number in first if number in second]
    if not both:
        raise UsageError("no run of A has a fellow in B to be paired with", fix="compare without --paired")
    return {number: first[number] for number in both}, {number: second[number] for number in both}


def _unlike(baseline: RunResult, contender: RunResult) -> Iterator[str]:
    """The latencies of both that begin at other moments, and so are not compared."""
    for name, producer in baseline.producers.items():
        other = contender.producers.get(name)
        if other and producer.publish_latency_is_service_time != other.publish_latency_is_service_time:
            timed, at_max = ("B", "A") if producer.publish_latency_is_service_time else ("A", "B")
            yield (
                f"publish latency of {name} is not compared: {timed}'s begins at the intended send time, and "
                f"{at_max}'s, at rate: max, when the record is handed over"
            )


def _remarks(letter: str, runs: Sequence[RunResult]) -> Iterator[str]:
    """What the reader has to know of the runs that count."""
    if any(run.cluster.kind == "mock" for run in runs):
        yield f"{letter}: {MOCK_NOTE}"
    suspect = [run for run in runs if run.verdict.status == "suspect"]
    if suspect:
        reasons = (reason for run in suspect for reason in run.verdict.reasons)
        codes = Counter(reason.code for reason in reasons if reason.severity != "info")
        yield f"{letter}: suspect, {len(suspect)} of {len(runs)}: {', '.join(codes)}"
    for saturation, those in Counter(run.verdict.saturation for run in runs).items():
        if saturation is not None:
            yield f"{letter}: saturated, {those} of {len(runs)}: {saturation.removeprefix('saturated: ')}"
    if len(runs) < _ENOUGH_RUNS:
        if len(runs) == 1:
            number, gain = "one run", "there are intervals"
        else:
            number, gain = f"{len(runs)} runs", "intervals get much narrower"
        yield f"{letter} has {number}; with {_ENOUGH_RUNS} or more (--repeat) {gain}"
