"""All plots of a stored run by their names, for notebooks and `Result.plot`."""

from __future__ import annotations

import html
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Final

from loadlab.analysis.histograms import LATENCIES, unknown
from loadlab.analysis.plots.brokers import brokers_data, draw_brokers
from loadlab.analysis.plots.heatmap import draw_heatmap, heatmap_data
from loadlab.analysis.plots.lag import draw_lag, draw_skew, lag_data, skew_data
from loadlab.analysis.plots.plot import Missing, Plot, Plots
from loadlab.analysis.plots.spectrum import draw_spectrum, spectrum_lines
from loadlab.analysis.plots.stages import draw_stages, stages_data
from loadlab.analysis.plots.throughput import draw_throughput, throughput_data
from loadlab.analysis.recorded import Recorded, recorded
from loadlab.results.model import MOCK_NOTE

if TYPE_CHECKING:
    from loadlab.results.reader import StoredRun


@dataclass(frozen=True, eq=False, repr=False)
class RunPlots:
    """Draws what a run measured; what a run has nothing of is a `Missing`, which says why.

    Attributes:
        stored: the run. Its files are read when the first plot is drawn; one that is damaged is a UsageError.
    """

    stored: StoredRun

    def __repr__(self) -> str:
        """One line: of which run, and what there is."""
        return f"<RunPlots of {self.stored.result.run_id}: {', '.join(_NAMES)}>"

    def _repr_html_(self) -> str:
        return f"<code>{html.escape(repr(self))}</code>"

    @cached_property
    def _recorded(self) -> Recorded:
        return recorded(self.stored)

    def _signed(self, plot: Plot) -> Plot:
        """With the run's id, and what a reader must know before any figure."""
        result = self.stored.result
        status = [] if result.verdict.status == "valid" else [result.verdict.status.upper()]
        mock = [MOCK_NOTE] if result.cluster.kind == "mock" else []
        return plot.signed(" · ".join([result.run_id, *status, *mock]))

    def spectrum(self) -> Plot | Missing:
        """Latency against percentile, for each of the four latencies."""
        lines = spectrum_lines(self._recorded)
        if not lines:
            return Missing("No latency has enough samples for a percentile.")
        return self._signed(draw_spectrum(lines))

    def throughput(self) -> Plot | Missing:
        """Rates over time: intended, sent, acked and consumed."""
        data = throughput_data(self._recorded)
        return self._signed(draw_throughput(data)) if data.rates else Missing("No interval was recorded.")

    def heatmap(self, metric: str = "publish_latency") -> Plot | Missing:
        """One latency over time.

        Args:
            metric: send_delay, service_time, publish_latency or end_to_end_latency.

        Raises:
            UsageError: no such latency.
        """
        if metric not in LATENCIES:
            raise unknown("latency", metric, LATENCIES)
        data = heatmap_data(self._recorded, metric)
        if not data:
            return Missing(f"No histograms by the second of {metric} were recorded.")
        return self._signed(draw_heatmap(data))

    def lag(self) -> Plots | Missing:
        """Each consumer group's lag over time."""
        consumers = self._recorded.result.consumers
        data = [lag_data(self._recorded, name) for name in consumers]
        drawn = tuple(self._signed(draw_lag(each)) for each in data if each.total)
        return (
            Plots(drawn) if drawn else Missing("No lag was sampled: the run has no consumers, or too short.")
        )

    def skew(self) -> Plots | Missing:
        """The records by partition of the topics that are most skewed."""
        drawn = tuple(self._signed(draw_skew(each)) for each in skew_data(self._recorded))
        return Plots(drawn) if drawn else Missing("No topic with several partitions grew.")

    def stages(self) -> Plot | Missing:
        """The stages of the mean publish latency."""
        data = stages_data(self._recorded)
        return self._signed(draw_stages(data)) if data else Missing("No record was acked.")

    def brokers(self) -> Plot | Missing:
        """Broker telemetry over time."""
        data = brokers_data(self._recorded)
        if not data:
            return Missing("The brokers told nothing of themselves in this run.")
        return self._signed(draw_brokers(data))


_NAMES: Final = tuple(name for name in vars(RunPlots) if not name.startswith("_"))
