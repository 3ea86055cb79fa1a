"""What a run measured, as notebooks and tests ask for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, overload

from loadlab.analysis.frames import headline_frame, intervals_frame, metrics_frame
from loadlab.analysis.histograms import latency_histogram
from loadlab.analysis.stored_evidence import judge_stored
from loadlab.api.html import lines_as_html
from loadlab.cli.runset import set_lines
from loadlab.cli.summary import cluster_text, summary_lines
from loadlab.cli.summary_thresholds import figure_text, measured_text
from loadlab.results.artifacts import read_events

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    import pandas as pd
    from pydantic import JsonValue

    from loadlab.analysis.histograms import LatencyHistogram, LatencyMetric
    from loadlab.analysis.plots.of_run import RunPlots
    from loadlab.cli.output import Line
    from loadlab.results.model import ConsumerResult, ProducerResult, RunResult, Threshold, Verdict
    from loadlab.results.reader import StoredRun, StoredSet
    from loadlab.results.runset import RunSet


@dataclass(frozen=True, eq=False, repr=False)
class Result:
    """A stored run. In Jupyter it shows its summary, as `loadlab show` does.

    Attributes:
        stored: what is on the disk.
    """

    stored: StoredRun

    @property
    def run_id(self) -> str:
        """Such as 20261123T161500-quickstart-k3f9."""
        return self.stored.result.run_id

    @property
    def path(self) -> Path:
        """The run's folder."""
        return self.stored.path

    @property
    def document(self) -> RunResult:
        """Everything that result.json holds, typed; docs/measurement.md defines each field."""
        return self.stored.result

    @property
    def scenario(self) -> Mapping[str, JsonValue]:
        """The scenario as resolved, secrets redacted; `loadlab.run` takes it again."""
        return self.stored.result.scenario

    @property
    def verdict(self) -> Verdict:
        """Whether the measurement can be trusted: status, reasons, saturated."""
        return self.stored.result.verdict

    @property
    def interrupted(self) -> bool:
        """Whether the user stopped the run; the figures are those until then."""
        return self.stored.result.interrupted

    @property
    def thresholds(self) -> tuple[Threshold, ...]:
        """The scenario's thresholds, judged."""
        return self.stored.result.thresholds

    @property
    def passed(self) -> bool:
        """Whether all thresholds held. It says nothing of an invalid run."""
        return all(threshold.passed for threshold in self.thresholds)

    @property
    def producers(self) -> Mapping[str, ProducerResult]:
        """What each producer did: ``producers["checkout"].publish_latency_us.p99``."""
        return self.stored.result.producers

    @property
    def consumers(self) -> Mapping[str, ConsumerResult]:
        """What each consumer did: ``consumers["billing"].lag.max``."""
        return self.stored.result.consumers

    @cached_property
    def metrics(self) -> pd.DataFrame:
        """All figures of the run, with the columns source, metric, value and unit.

        See `loadlab.analysis.frames.metrics_frame`.
        """
        return metrics_frame(self.stored.result)

    @cached_property
    def intervals(self) -> pd.DataFrame:
        """The run second by second: one row per second, source and metric.

        The columns are interval_start_s, phase, source, metric, value and unit, see
        `loadlab.analysis.frames.intervals_frame`.

        Raises:
            UsageError: intervals.parquet is damaged.
        """
        return intervals_frame(self.stored)

    @cached_property
    def events(self) -> Sequence[Mapping[str, JsonValue]]:
        """What happened, in order: at_s (seconds since the run began), event, text, and details.

        Raises:
            UsageError: events.jsonl is damaged.
        """
        return read_events(self.stored.path)

    def histogram(self, metric: LatencyMetric, group: str | None = None) -> LatencyHistogram:
        """A latency of the measure phase, counted by bucket; ``a + b`` merges it with another group or run.

        Args:
            metric: send_delay, service_time, publish_latency or end_to_end_latency.
            group: the producer's or consumer's name; None for all of them, added up.

        Raises:
            UsageError: no such latency or group, it was not measured, or histograms.npz is damaged.
        """
        return latency_histogram(self.stored, metric, group)

    @cached_property
    def plot(self) -> RunPlots:
        """Plots of the run, each with a sentence that says how to read it: ``plot.spectrum()``.

        There are spectrum, heatmap, throughput, lag, skew, stages and brokers.
        """
        from loadlab.analysis.plots.of_run import RunPlots  # noqa: PLC0415 (matplotlib takes a second)

        return RunPlots(self.stored)

    def judge(self, metric: str, expression: str) -> Threshold:
        """Judge a threshold, which need not be one of the scenario's.

        Args:
            metric: as in a scenario: ``publish_latency``, ``end_to_end_latency{consumer=billing}``.
            expression: what must hold: ``p99 < 20ms``.

        Raises:
            UsageError: no such metric, expression or group, or the run's files are damaged.
        """
        return judge_stored(self.stored, metric, expression)

    def assert_threshold(self, metric: str, expression: str, *, allow_invalid: bool = False) -> None:
        """Fail where a threshold doesn't hold, with what was measured; an invalid run fails, too.

        Args:
            metric: as of `judge`.
            expression: likewise.
            allow_invalid: whether to judge also a run whose figures can't be trusted.

        Raises:
            AssertionError: it did not hold, could not be measured, or the run is invalid.
            UsageError: as of `judge`.
        """
        __tracebackhide__ = True
        judged = self.judge(metric, expression)
        if self.verdict.status == "invalid" and not allow_invalid:
            reasons = "\n".join(f"  {each.code}: {each.message}" for each in self.verdict.reasons)
            raise AssertionError(
                f"the run is invalid, so that its figures say nothing:\n{reasons}\n  {self!r}"
            )
        if not judged.passed:
            told = measured_text(judged)
            if judged.measured is not None:
                told = f"measured {told}, limit {figure_text(judged.limit, judged.unit)}"
            raise AssertionError(f"{judged.expression} does not hold: {told}\n  {self!r}")

    def __repr__(self) -> str:
        """One line: which run, what it is worth, where it was made and where it lies."""
        result = self.stored.result
        interrupted = ", interrupted" if result.interrupted else ""
        status = f"{result.verdict.status}{interrupted}"
        return f"<loadlab.Result {result.run_id}: {status}; {cluster_text(result.cluster)}; {self.path}>"

    def __str__(self) -> str:
        """The summary that `loadlab show` prints."""
        return _text(summary_lines(self.stored))

    def _repr_html_(self) -> str:
        return lines_as_html(summary_lines(self.stored))


@dataclass(frozen=True, eq=False, repr=False)
class ResultSet(Sequence[Result]):
    """The stored repetitions of a scenario: a sequence of their results, the first run first.

    Attributes:
        stored: what is on the disk.
    """

    stored: StoredSet

    @cached_property
    def _results(self) -> tuple[Result, ...]:
        return tuple(map(Result, self.stored.load_runs()))

    @overload
    def __getitem__(self, place: int) -> Result: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[Result]: ...
    def __getitem__(self, place: int | slice) -> Result | Sequence[Result]:
        """The run at a place, from 0."""
        return self._results[place]

    def __len__(self) -> int:
        """How many runs were made."""
        return len(self.stored.runs.runs)

    @property
    def set_id(self) -> str:
        """Such as 20261123T161500-quickstart-set-k3f9."""
        return self.stored.runs.set_id

    @property
    def path(self) -> Path:
        """The set's folder; those of its runs stand beside it."""
        return self.stored.path

    @property
    def document(self) -> RunSet:
        """Everything that runset.json holds, typed."""
        return self.stored.runs

    @cached_property
    def headline(self) -> pd.DataFrame:
        """Median and 95 % interval of each headline number over the runs that count.

        The columns are metric, group, label, unit, median, low, high and method, see
        `loadlab.analysis.frames.headline_frame`.
        """
        return headline_frame(self.stored.runs)

    def __repr__(self) -> str:
        """One line: which set, how many runs, where it lies."""
        runs = self.stored.runs
        return f"<loadlab.ResultSet {runs.set_id}: {len(runs.runs)} runs; {self.path}>"

    def __str__(self) -> str:
        """The summary that `loadlab show` prints."""
        return _text(set_lines(self.stored))

    def _repr_html_(self) -> str:
        return lines_as_html(set_lines(self.stored))


def _text(lines: Iterable[Line]) -> str:
    return "\n".join(line.text for line in lines)
