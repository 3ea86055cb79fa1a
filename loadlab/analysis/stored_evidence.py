"""What thresholds are judged by, taken of a stored run: any threshold can be asked of it afterwards."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from pydantic import ValidationError

from loadlab.analysis.evidence import Evidence, Group
from loadlab.analysis.histograms import latency_histograms
from loadlab.analysis.recorded import LATE_SAMPLE_S
from loadlab.analysis.thresholds import judge
from loadlab.errors import UsageError
from loadlab.hints import HintedError
from loadlab.results.artifacts import read_series
from loadlab.scenario import Scenario
from loadlab.scenario.checks_thresholds import nobody
from loadlab.scenario.expressions import parse_expression, parse_key
from loadlab.scenario.finding import View
from loadlab.scenario.thresholds import Threshold

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from loadlab.results.model import Threshold as Judged
    from loadlab.results.reader import StoredRun

_PARTS: Final = {"producer": "producers", "consumer": "consumers", "topic": "topics"}
_LEVELS: Final = ("consumer_lag", "committed_lag", "backlog")


def judge_stored(stored: StoredRun, key: str, expression: str) -> Judged:
    """Judges a threshold that need not be in the run's scenario.

    Args:
        stored: the run.
        key: metric and perhaps whose, as in a scenario: ``end_to_end_latency{consumer=billing}``.
        expression: what must hold: ``p99 < 20ms``.

    Returns:
        The threshold, judged as at the end of a run; what could not be measured did not hold.

    Raises:
        UsageError: no such metric, expression, producer, consumer or topic, or none that measures it; or the
            run's files are damaged.
    """
    threshold = _threshold(key, expression)
    scenario = _scenario(stored)
    for label, name in threshold.selector.items():
        known = getattr(scenario, _PARTS[label])
        if name not in known:
            raise UsageError(f"no {label} of the run is called {name}; there are {', '.join(known)}")
    missing = nobody(View(scenario.to_document(), scenario), threshold)
    if missing is not None:
        raise UsageError(missing)
    return judge(threshold, stored_evidence(stored, scenario))


def _threshold(key: str, expression: str) -> Threshold:
    try:
        parse_expression(parse_key(key).metric, expression)
        return Threshold.model_validate({"key": key, "expression": expression})
    except HintedError as error:
        hint = f'; did you mean "{error.suggestion}"?' if error.suggestion else ""
        raise UsageError(f"{error}{hint}") from error


def _scenario(stored: StoredRun) -> Scenario:
    try:
        return Scenario.model_validate(stored.result.scenario)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise UsageError(
            f"the scenario of run {stored.result.run_id} can't be read any more: {place}: {first['msg']}"
        ) from error


def stored_evidence(stored: StoredRun, scenario: Scenario) -> Evidence:
    """The evidence of a stored run, as at its end.

    Args:
        stored: the run.
        scenario: the run's.

    Raises:
        UsageError: its files are damaged.
    """
    result = stored.result
    return Evidence(
        scenario=scenario,
        measured_s=result.measured_s,
        producers=result.producers,
        consumers=result.consumers,
        topics=result.topics,
        reconciliation=result.reconciliation,
        histograms={
            (_group(source), metric): found.durations
            for (source, metric), found in latency_histograms(stored).items()
        },
        levels=dict(_levels(stored)),
        level_times_s=_level_times_s(stored),
    )


def _group(source: str) -> Group:
    kind, _, name = source.partition("/")
    return kind, name


def _levels(stored: StoredRun) -> Iterator[tuple[tuple[Group, str], list[int | None]]]:
    """Each group's samples of the measure phase; a sample without committed offsets has none there."""
    for name in stored.result.consumers:
        at_s, _ = read_series(stored.path, f"consumer/{name}", "consumer_lag_records")
        kept = samples_that_count(stored, at_s)
        for metric in _LEVELS:
            times_s, values = read_series(stored.path, f"consumer/{name}", f"{metric}_records")
            known = dict(zip(times_s.tolist(), map(int, values), strict=True))
            yield (("consumer", name), metric), [known.get(at) for at in at_s[kept].tolist()]


def _level_times_s(stored: StoredRun) -> list[float]:
    """When lag was sampled in the measure phase, of all groups at once."""
    for name in stored.result.consumers:
        at_s, _ = read_series(stored.path, f"consumer/{name}", "consumer_lag_records")
        times_s: list[float] = at_s[samples_that_count(stored, at_s)].tolist()
        return times_s
    return []


def samples_that_count(stored: StoredRun, at_s: NDArray[np.float64]) -> NDArray[np.int64]:
    """The places of the samples that count: of the measure phase, up to the one nearest to its end."""
    measure = stored.result.phase("measure")
    end_s = measure.end_s if measure else 0.0
    begin_s = measure.start_s if measure and measure.end_s > measure.start_s else np.inf
    (begun,) = np.nonzero((at_s >= begin_s) & (at_s <= end_s + LATE_SAMPLE_S))
    if not len(begun):
        return begun
    return begun[: int(np.argmin(np.abs(at_s[begun] - end_s))) + 1]
