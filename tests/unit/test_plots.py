"""Plot data comes from what is stored; plots have units, a sentence, and say nothing by colour alone."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from capacity_samples import capacity
from matplotlib.figure import Figure
from matplotlib.image import imread
from result_samples import result

from loadlab.analysis.comparison import compare
from loadlab.analysis.headline import headline_numbers
from loadlab.analysis.intended import intended_records
from loadlab.analysis.plots.capacity import capacity_curve, draw_capacity
from loadlab.analysis.plots.comparison import draw_ratios, ratio_rows
from loadlab.analysis.plots.heatmap import heatmap_data
from loadlab.analysis.plots.honesty import draw_two_views, two_views
from loadlab.analysis.plots.lag import draw_skew, lag_data, skew_data
from loadlab.analysis.plots.of_run import RunPlots
from loadlab.analysis.plots.plot import Missing, Plot, Plots
from loadlab.analysis.plots.repetitions import RepeatedNumber, draw_repetitions, repeated_numbers
from loadlab.analysis.plots.spectrum import METRICS, draw_spectrum, percentile_text, spectrum_line
from loadlab.analysis.plots.stages import stages_data
from loadlab.analysis.plots.style import (
    BLACK,
    BLUE,
    GREEN,
    ORANGE,
    PURPLE,
    SERIES,
    SKY,
    VERMILION,
    shade_course,
)
from loadlab.analysis.plots.throughput import throughput_data
from loadlab.analysis.recorded import Recorded, Track, recorded, total
from loadlab.errors import UsageError
from loadlab.measurement.histogram import BUCKETS, Histogram, lower_bounds_ns, midpoints_ns
from loadlab.results.artifacts import Artifacts, Histograms, Interval, IntervalHistogram
from loadlab.results.model import FaultResult, Phase, TopicResult
from loadlab.results.model_capacity import CapacityAnswer
from loadlab.results.reader import StoredRun, StoredSet, load, load_stored
from loadlab.results.store import save

REFERENCE = Path(__file__).parents[2] / "results" / "reference"
SECONDS = 40


def histogram(values_us: np.ndarray) -> Histogram:
    buckets = np.searchsorted(lower_bounds_ns(), values_us * 1_000, side="right") - 1
    return Histogram.of_counts(np.bincount(buckets, minlength=BUCKETS))


def intervals() -> list[Interval]:
    rows = []
    for second in range(SECONDS):
        at_s = float(second)
        rows += [
            Interval(at_s, "producer/checkout", "attempted_records_per_s", 20_000.0),
            Interval(at_s, "producer/checkout", "acked_records_per_s", 19_000.0),
            Interval(at_s, "consumer/billing", "consumed_records_per_s", 18_000.0),
            Interval(at_s, "consumer/billing", "consumer_lag_records", 1_000.0 * second),
            Interval(at_s, "consumer/billing/orders-0", "consumer_lag_records", 900.0 * second),
            Interval(at_s, "consumer/billing/orders-1", "consumer_lag_records", 100.0 * second),
            Interval(at_s, "broker:1", "heap_used_bytes", 2e8),
        ]
    return rows


@pytest.fixture
def stored(tmp_path: Path) -> StoredRun:
    counts = np.zeros(BUCKETS, dtype=np.int64)
    counts[[1_000, 1_500]] = 9_990, 10
    each = [
        IntervalHistogram(
            float(second),
            "producer/checkout",
            "publish_latency_us",
            np.array([1_000], np.int16),
            np.array([500]),
        )
        for second in range(SECONDS)
        if second != 7
    ]
    histograms = Histograms(lower_bounds_ns() / 1_000, {"producer/checkout/publish_latency_us": counts})
    topics = {"orders": TopicResult(partitions=2, log_end_growth=100, partition_share=(0.75, 0.25))}
    made = result(topics=topics, scenario={**result().scenario, "producers": steady("20k/s")})
    return save(made, Artifacts(intervals(), histograms, each), tmp_path)


def steady(rate: object, **more: object) -> dict[str, object]:
    return {"checkout": {"topic": "orders", "schedule": {"rate": rate, **more}}}


def read(stored: StoredRun) -> Recorded:
    return recorded(stored)


def test_a_spectrum_is_the_sample_s_percentiles_and_ends_where_the_sample_does() -> None:
    values_us = np.random.default_rng(1).lognormal(7.0, 0.6, 50_000)
    line = spectrum_line(histogram(values_us), "publish latency", BLUE)
    assert line is not None
    known = np.quantile(values_us, 1.0 - 1.0 / line.tail, method="inverted_cdf")
    assert np.allclose(line.latency_us, known, rtol=0.008)
    assert line.tail[0] == 1.0
    assert line.tail[-1] == pytest.approx(5_000.0)
    assert spectrum_line(histogram(values_us[:10]), "publish latency", BLUE) is None


def test_a_spectrum_ends_before_what_never_came_through() -> None:
    sample = replace(histogram(np.full(900, 1_000.0)), missing=100)
    line = spectrum_line(sample, "publish latency", BLUE)
    assert line is not None
    assert line.tail[-1] == pytest.approx(10.0, rel=0.01)
    assert "Of publish latency, 100 records never came through" in draw_spectrum([line]).sentence
    assert spectrum_line(replace(histogram(np.zeros(0)), missing=100), "publish latency", BLUE) is None


def test_percentiles_are_named_by_their_nines() -> None:
    assert [percentile_text(tail) for tail in (1, 2, 100, 100_000)] == ["0 %", "50 %", "99 %", "99.999 %"]


@pytest.mark.parametrize(
    ("rate", "wanted"),
    [
        ("100/s", [100.0, 100.0, 100.0, 0.0]),
        ({"ramp": {"from": "0/s", "to": "100/s", "over": "2s"}}, [25.0, 75.0, 100.0, 0.0]),
        (
            {"steps": [{"rate": "100/s", "for": "1500ms"}, {"rate": "10/s", "for": "1s"}]},
            [100.0, 55.0, 10.0, 0.0],
        ),
        ({"bursts": {"rate": "100/s", "every": "2s", "for": "500ms"}}, [50.0, 0.0, 50.0, 0.0]),
    ],
)
def test_what_a_schedule_asked_for_is_its_integral_until_the_drain(rate: object, wanted: list[float]) -> None:
    run = result(
        scenario={"producers": steady(rate)},
        phases=[
            {"name": "measure", "start_s": 0.0, "end_s": 3.0},
            {"name": "drain", "start_s": 3.0, "end_s": 4.0},
        ],
    )
    asked = intended_records(run, np.arange(5.0))
    assert asked is not None
    assert asked.tolist() == pytest.approx(wanted)


def test_a_limit_of_records_ends_what_is_asked_for() -> None:
    run = result(scenario={"producers": steady("100/s", records=150)})
    asked = intended_records(run, np.arange(4.0))
    assert asked is not None
    assert asked.tolist() == [100.0, 50.0, 0.0]


@pytest.mark.parametrize("rate", ["max", {"trace": {"file": "gone.csv"}}])
def test_nothing_is_asked_for_where_no_rate_says_so(rate: object) -> None:
    assert intended_records(result(scenario={"producers": steady(rate)}), np.arange(3.0)) is None


def test_throughput_has_all_four_rates_and_intended_only_until_the_drain(stored: StoredRun) -> None:
    data = throughput_data(read(stored))
    rates = {rate.label: rate.track for rate in data.rates}
    assert list(rates) == ["intended", "sent", "acked", "consumed by billing"]
    assert set(rates["intended"].values) == {20_000.0}
    assert rates["intended"].at_s[-1] == 34.0
    assert set(rates["acked"].values) == {19_000.0}


def test_what_was_rejected_was_not_sent_and_a_last_half_second_falls_short_of_nothing() -> None:
    at_s = np.asarray([0.0, 1.0])
    tracks = {
        ("producer/checkout", "attempted_records_per_s"): Track(at_s, np.asarray([50e3, 25e3])),
        ("producer/checkout", "rejected_records_per_s"): Track(at_s, np.asarray([30e3, 0.0])),
    }
    phases = (Phase(name="measure", start_s=0.0, end_s=1.5),)
    run = result(phases=phases, scenario={"producers": steady("50k/s")})
    rates = {rate.label: rate.track for rate in throughput_data(Recorded(run, Path(), tracks, {})).rates}
    assert rates["intended"].values.tolist() == [50e3, 25e3]
    assert rates["sent"].values.tolist() == [20e3, 25e3]


def test_a_heatmap_s_columns_are_shares_and_an_empty_second_is_empty(stored: StoredRun) -> None:
    data = heatmap_data(read(stored), "publish_latency")
    assert data is not None
    sums = data.share.sum(axis=0)
    assert sums[7] == 0.0
    assert np.allclose(np.delete(sums, 7), 1.0)
    middle_us = midpoints_ns()[1_000] / 1_000
    row = int(np.flatnonzero(data.share[:, 0])[0])
    assert data.edges_us[row] <= middle_us <= data.edges_us[row + 1]
    assert data.lines["p50"][0] == pytest.approx(middle_us, rel=0.004)
    assert np.isnan(data.lines["p50"][7])
    assert np.isnan(data.lines["p99"][0])  # 500 samples don't support it
    assert heatmap_data(read(stored), "send_delay") is None


def test_latency_at_the_maximum_rate_is_called_what_it_is(stored: StoredRun) -> None:
    known = read(stored)
    at_max = {
        name: each.model_copy(update={"publish_latency_is_service_time": True})
        for name, each in known.result.producers.items()
    }
    result = known.result.model_copy(update={"producers": at_max})
    data = heatmap_data(replace(known, result=result), "publish_latency")
    assert data is not None
    assert data.label == "service time"
    labels = {headline.label for headline in headline_numbers(result)}
    assert {"service p50", "service p99"} <= labels
    assert not {"publish p50", "publish p99"} & labels


def test_lag_names_the_worst_partition_first(stored: StoredRun) -> None:
    data = lag_data(read(stored), "billing")
    assert list(data.partitions) == ["orders-0", "orders-1"]
    assert data.total.values[-1] == 39_000.0
    assert data.left_out == 0


def test_skew_is_the_fullest_partition_over_an_even_share(stored: StoredRun) -> None:
    (data,) = skew_data(read(stored))
    assert data.skew == 1.5


def test_stages_are_those_of_the_result(stored: StoredRun) -> None:
    data = stages_data(read(stored))
    assert data is not None
    assert data.means_us["checkout"]["batching"] == 490.0


def test_tracks_are_added_where_they_have_figures() -> None:
    first = Track(np.array([0.0, 1.0]), np.array([1.0, 2.0]))
    second = Track(np.array([1.0, 2.0]), np.array([10.0, 20.0]))
    added = total([first, second])
    assert added.at_s.tolist() == [0.0, 1.0, 2.0]
    assert added.values.tolist() == [1.0, 12.0, 20.0]


def test_a_capacity_curve_is_by_rate_and_leaves_out_the_probe_at_max() -> None:
    curve = capacity_curve(capacity())
    assert [point.rate_per_s for point in curve.points] == sorted(point.rate_per_s for point in curve.points)
    assert len(curve.points) == len(capacity().probes) - 1
    assert (curve.holds_per_s, curve.fails_per_s, curve.knee_per_s) == (182_000.0, 187_000.0, 152_000.0)


@pytest.mark.parametrize(
    ("kind", "holds_per_s", "label", "words"),
    [
        ("between", 1e3, "lowest that does not", "lies between"),
        ("below", None, "lowest that does not", "below what failed"),
        ("generator", 1e3, "could not be measured", "or more"),
        ("nothing", None, "could not be measured", "No rate was seen to hold"),
    ],
)
def test_what_could_not_be_measured_is_no_upper_end_of_a_capacity(
    kind: str, holds_per_s: float | None, label: str, words: str
) -> None:
    answer = {"kind": kind, "holds_per_s": holds_per_s, "fails_per_s": 2e3, "sure": True}
    plot = draw_capacity(capacity_curve(capacity(answer=CapacityAnswer.model_validate(answer))))
    (line,) = (line for line in plot.figure.axes[0].get_lines() if list(line.get_xdata()) == [2e3, 2e3])
    assert line.get_label() == label
    assert words in plot.sentence


def test_of_many_topics_the_most_skewed_are_drawn(stored: StoredRun) -> None:
    topic = stored.result.topics["orders"]
    shares = {f"orders-{number}": (0.5 - number / 100, 0.5 + number / 100) for number in range(30)}
    topics = {name: topic.model_copy(update={"partition_share": each}) for name, each in shares.items()}
    data = skew_data(replace(read(stored), result=stored.result.model_copy(update={"topics": topics})))
    assert [each.topic for each in data] == [f"orders-{number}" for number in range(29, 17, -1)]
    assert "18 topics with less skew are not drawn" in draw_skew(data[-1]).sentence
    assert "not drawn" not in draw_skew(data[0]).sentence


@pytest.mark.parametrize(
    ("values", "labels", "unit"),
    [((5_000.1, 5_000.5, 5_000.8), 3, "records/s"), ((5_000.0, 6_000.0, 7_000.0), 3, "")],
)
def test_runs_that_hardly_differ_have_ticks_that_do(
    values: tuple[float, ...], labels: int, unit: str
) -> None:
    plot = draw_repetitions(RepeatedNumber("throughput", "records/s", values, values[1], None, None))
    (axes,) = plot.figure.axes
    plot.figure.draw_without_rendering()
    ticks = [tick.get_text() for tick in axes.get_yticklabels()]
    assert len(ticks) >= labels
    assert len(set(ticks)) == len(ticks)
    assert axes.get_ylabel().endswith(f"({unit})" if unit else "throughput")


def test_ratios_say_what_the_comparison_claims() -> None:
    slower = [result() for _ in range(3)]
    rows = ratio_rows(compare(slower, slower, paired=False))
    assert {row.said for row in rows} == {"no difference seen"}
    assert all(row.ratio == 1.0 for row in rows)
    assert {row.said for row in ratio_rows(compare(slower[:1], slower[:1], paired=False))} == {"no interval"}


def _plots(drawn: object) -> list[Plot]:
    assert not isinstance(drawn, Missing), drawn
    return list(drawn.plots) if isinstance(drawn, Plots) else [drawn]  # type: ignore[list-item]


def _all_plots(stored: StoredRun) -> list[Plot]:
    plots = RunPlots(stored)
    names = ("spectrum", "throughput", "heatmap", "lag", "skew", "stages", "brokers")
    found = [plot for name in names for plot in _plots(getattr(plots, name)())]
    return [*found, draw_capacity(capacity_curve(capacity())), *_of_several()]


def _of_several() -> list[Plot]:
    runs = [result() for _ in range(3)]
    return [draw_ratios(ratio_rows(compare(runs, runs, paired=False)))]


def test_every_plot_names_its_axes_and_says_how_to_read_it(stored: StoredRun) -> None:
    for plot in _all_plots(stored):
        assert plot.sentence.endswith("."), plot.title
        assert len(plot.sentence.split()) > 15, plot.title
        axes = [each for each in plot.figure.axes if each.get_label() != "<colorbar>"]
        assert axes[-1].get_xlabel(), plot.title
        assert all(each.get_ylabel() or each.get_yticklabels() for each in axes), plot.title
        picture = imread(io.BytesIO(plot.png()))
        assert picture.std() > 0.01, plot.title
        html = plot._repr_html_()
        assert "data:image/png;base64," in html
        assert "http" not in html


def test_looks_differ_in_more_than_colour() -> None:
    looks = (BLACK, BLUE, ORANGE, GREEN, VERMILION, PURPLE, SKY)
    assert len({look.marker for look in looks}) == len(looks)
    for drawn_together in ([look for _, _, look in METRICS.values()], list(SERIES[:4])):
        assert len({look.line for look in drawn_together}) == len(drawn_together)


def test_what_a_run_has_nothing_of_is_said(tmp_path: Path) -> None:
    empty = RunPlots(save(result(consumers={}, topics={}, producers={}), Artifacts(), tmp_path))
    for name in ("spectrum", "throughput", "heatmap", "lag", "skew", "stages", "brokers"):
        drawn = getattr(empty, name)()
        assert isinstance(drawn, Missing)
        assert drawn.why in drawn._repr_html_()


def test_a_latency_that_there_is_not_gets_the_near_one(stored: StoredRun) -> None:
    with pytest.raises(UsageError, match="no latency is called service_tim; did you mean service_time"):
        RunPlots(stored).heatmap("service_tim")
    with pytest.raises(UsageError, match="no latency is called nope"):
        RunPlots(stored).heatmap("nope")


def test_a_plot_is_saved_by_the_name_s_ending_and_what_can_t_be_is_told(
    stored: StoredRun, tmp_path: Path
) -> None:
    (plot,) = _plots(RunPlots(stored).spectrum())
    plot.save(str(tmp_path / "a.png"))
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
    for name in ("a.xyz", "a"):
        with pytest.raises(UsageError, match=f"{name} is no name of a picture") as caught:
            plot.save(tmp_path / name)
        assert ".png" in (caught.value.fix or "")
    with pytest.raises(UsageError, match="can't be written: No such file"):
        plot.save(tmp_path / "gone" / "a.png")


def test_plots_show_themselves_in_one_line_without_data(stored: StoredRun) -> None:
    plots = RunPlots(stored)
    names = "spectrum, throughput, heatmap, lag, skew, stages, brokers"
    assert repr(plots) == f"<RunPlots of {stored.result.run_id}: {names}>"
    assert f"&lt;RunPlots of {stored.result.run_id}" in plots._repr_html_()
    assert repr(plots.throughput()) == "<Plot: Throughput>"


def test_more_brokers_than_can_be_told_apart_are_counted(tmp_path: Path) -> None:
    rows = [
        Interval(float(second), f"broker:{number}", "heap_used_bytes", 2e8)
        for second in range(2)
        for number in range(len(SERIES) + 2)
    ]
    (plot,) = _plots(RunPlots(save(result(), Artifacts(rows), tmp_path)).brokers())
    assert plot.sentence.endswith(" Not drawn: 2 more brokers.")
    assert len(plot.figure.axes[0].get_lines()) == len(SERIES)


@pytest.mark.parametrize("name", ["intervals.parquet", "histograms.npz"])
def test_a_truncated_file_is_one_clear_line(stored: StoredRun, name: str) -> None:
    path = stored.path / name
    path.chmod(0o644)
    path.write_bytes(path.read_bytes()[:50])
    with pytest.raises(UsageError, match=f"{name} is damaged") as caught:
        recorded(stored)
    assert "\n" not in caught.value.message


def test_a_truncated_file_of_interval_histograms_is_one_clear_line(stored: StoredRun) -> None:
    path = stored.path / "interval_histograms.parquet"
    path.chmod(0o644)
    path.write_bytes(path.read_bytes()[:50])
    with pytest.raises(UsageError, match="is damaged"):
        RunPlots(stored).heatmap()


def test_the_paused_runs_part_the_two_ways_to_count() -> None:
    roomy, cramped = (
        recorded(load(REFERENCE / name, REFERENCE)) for name in ("paused-with-room", "paused-without-room")
    )
    hidden, shown = (each.merged("producer", "service_time") for each in (cramped, roomy))
    assert hidden is not None
    assert shown is not None
    assert (hidden.percentile_ns(99.0) or 0.0) < 0.2 * (shown.percentile_ns(99.0) or 0.0)
    for each in (roomy, cramped):
        publish = each.merged("producer", "publish_latency")
        assert publish is not None
        assert (publish.percentile_ns(99.0) or 0.0) > 1.5e9
    views = two_views(cramped)
    # In a second without an ack there is no median to draw, and the line has a gap.
    assert np.isnan(views.publish_latency.values).any()
    assert draw_two_views(views, "no room").sentence


def test_a_stored_set_s_numbers_are_drawn_run_by_run() -> None:
    stored = load_stored("linger-5-set", REFERENCE)
    assert isinstance(stored, StoredSet)
    found = repeated_numbers(stored.runs)
    assert {len(number.values) for number in found} == {sum(run.used for run in stored.runs.runs)}
    assert draw_repetitions(found[0]).sentence


def test_faults_are_shaded_from_begin_to_end_and_named() -> None:
    phases = [Phase(name="warmup", start_s=0, end_s=5), Phase(name="measure", start_s=5, end_s=35)]
    faults = [
        FaultResult(kind="kill", broker=2, planned_at_s=10.0, begun_s=10.5, ended_s=20.0),
        FaultResult(kind="kill", broker=3, planned_at_s=25.0, begun_s=25.0),
        FaultResult(kind="pause", broker=1, planned_at_s=29.0),
    ]
    axes = Figure().add_subplot()
    shade_course(axes, phases, faults)
    bounds = [patch.get_window_extent().transformed(axes.transData.inverted()) for patch in axes.patches]

    assert [(round(each.x0, 3), round(each.x1, 3)) for each in bounds] == [(15.5, 25.0), (30.0, 35.0), (0, 5)]
    assert {text.get_text().strip() for text in axes.texts} == {"kill 2", "kill 3", "warmup", "measure"}


def test_plots_of_several_groups_are_saved_one_by_one(tmp_path: Path) -> None:
    one, other = (Plot(Figure(), name, "As it is.") for name in ("one", "other"))
    Plots((one,)).save(tmp_path / "lag.png")
    Plots((one, other)).save(tmp_path / "lags.png")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["lag.png", "lags-1.png", "lags-2.png"]
    with pytest.raises(UsageError, match="the run has no telemetry"):
        Missing("the run has no telemetry").save("brokers.png")


def test_a_picture_says_whose_it_is() -> None:
    stored = load(REFERENCE / "paused-with-room", REFERENCE)
    drawn = RunPlots(stored).throughput()
    assert isinstance(drawn, Plot)
    assert drawn.figure.get_supxlabel() == f"{stored.result.run_id} · SUSPECT"
