"""Plots of studies: their data comes from study.json, whatever a study got to."""

from __future__ import annotations

import io
import json
import re
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from bench_samples import CODEC, KNOBS, LINGER, SCENARIO, THROUGHPUT, Lab, Watcher, broken, invalid, study
from click.testing import CliRunner
from matplotlib.figure import Figure
from matplotlib.image import imread

import loadlab
from loadlab.analysis.plots.plot import Missing, Plot
from loadlab.analysis.plots.study_axes import KnobAxis, is_flat
from loadlab.analysis.plots.study_contour import study_contour
from loadlab.analysis.plots.study_front import draw_front, study_front
from loadlab.analysis.plots.study_history import study_history
from loadlab.api import pages_of_study
from loadlab.cli.main import cli
from loadlab.errors import UsageError
from loadlab.results.model_study import Planned
from loadlab.results.model_study_answer import StudyLimit
from loadlab.tuning.begin import begun
from loadlab.tuning.findings import baseline_values
from loadlab.tuning.noise import expected_range
from loadlab.tuning.space import ChangeCost, Knob, Range, SearchSpace
from loadlab.tuning.study import TuneOptions, tune
from loadlab.tuning.study_document import study_document
from loadlab.tuning.study_file import load_study
from loadlab.tuning.study_model import Budget, Objective
from loadlab.tuning.study_plots import StudyPlots

if TYPE_CHECKING:
    from pathlib import Path

    from loadlab.api.markup import Page
    from loadlab.results.model_study import Measurement, StudyResult
    from loadlab.results.study_store import StoredStudy
    from loadlab.tuning.space import Assignment

BATCH = "producers.checkout.config.batch.size"
CPU = "producers.checkout.cpu_us_per_record"
WITH_BATCH = SearchSpace(
    (*KNOBS, Knob(BATCH, Range(16384, 1_000_000, whole=True, log=True), ChangeCost.CLIENT, default=1_000_000))
)
NAMES = ("history", "confirmation", "importance", "contour", "pareto")


def zstd_fails(assignment: Assignment, measured: Measurement) -> Measurement:
    """zstd is invalid, and what does not linger breaks a constraint."""
    if assignment[CODEC] == "zstd":
        return invalid(measured)
    return measured if assignment[LINGER] else measured.model_copy(update={"constraints": (broken(),)})


def in_two(assignment: Assignment, measured: Measurement) -> Measurement:
    """A second objective, which is the worse the larger the batches."""
    return measured.model_copy(update={"values": (*measured.values, 1e-6 * assignment[BATCH])})


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> StoredStudy:
    loaded = study(budget=Budget(trials=16), space=WITH_BATCH)
    return tune(loaded, TuneOptions(tmp_path_factory.mktemp("one")), Watcher(), Lab(judge=zstd_fails).open)


@pytest.fixture(scope="module")
def of_two(tmp_path_factory: pytest.TempPathFactory) -> StudyResult:
    both = (Objective(THROUGHPUT, "maximize"), Objective(CPU, "minimize"))
    loaded = study(budget=Budget(trials=16), space=WITH_BATCH, objectives=both)
    return tune(loaded, TuneOptions(tmp_path_factory.mktemp("two")), Watcher(), Lab(judge=in_two).open).result


def test_a_history_has_each_run_once_and_the_best_only_rises(stored: StoredStudy) -> None:
    result = stored.result
    history = study_history(result, expected_range(baseline_values(result)))
    assert sorted([*(mark.place for mark in history.marks), *history.lost]) == [
        *range(1, len(result.runs) + 1)
    ]
    assert [mark.value for mark in history.marks[:4]] == baseline_values(result)
    assert {mark.kind for mark in history.marks} == {
        "baseline",
        "trial",
        "trial that breaks a constraint",
        "best trials again",
        "contender in turns with the baseline",
    }
    values = [value for _, value in history.best]
    assert values == sorted(values)
    assert values[-1] == max(
        run.measured.values[0] for run in result.settled("trial") if run.measured.feasible
    )


def test_one_more_run_of_the_default_lies_within_its_band_in_95_of_100_studies() -> None:
    runs = np.exp(np.random.default_rng(1).normal(0, 0.05, (1_000, 9)))
    bands = [expected_range(list(each[:8])) for each in runs]
    within = [
        band is not None and band[0] <= each[8] <= band[1] for band, each in zip(bands, runs, strict=True)
    ]
    assert np.mean(within) == pytest.approx(0.95, abs=0.02)
    assert expected_range([1.0]) is None


def test_a_confirmation_has_a_mark_for_each_block_and_the_ratio_that_is_told(stored: StoredStudy) -> None:
    plot = StudyPlots(stored.result).confirmation()
    assert isinstance(plot, Plot)
    marks = plot.figure.axes[0].get_lines()[0].get_ydata()
    assert len(marks) == 5
    assert np.exp(np.mean(np.log(np.asarray(marks)))) == pytest.approx(stored.result.answer.ratio)


def test_places_on_an_axis_are_shares_of_its_range_and_special_values_stand_outside() -> None:
    axis = KnobAxis.of(LINGER, {"low": 1, "high": 100, "log": True, "special": [0], "default": 5})
    assert [axis.place(value) for value in (1, 10, 100)] == pytest.approx([0.0, 0.5, 1.0])
    assert axis.place(0) < 0
    assert axis.place(-1) < axis.place(0)  # a default outside the range
    choice = KnobAxis.of(CODEC, {"choices": ["none", "lz4"], "default": "none"})
    assert (choice.place("lz4"), choice.is_range) == (1.0, False)


@pytest.mark.parametrize(("low", "high"), [(20_000, 60_000), (5_000, 15_000), (16_384, 1_048_576)])
def test_each_range_has_ticks(low: int, high: int) -> None:
    axis = Figure().subplots().xaxis
    KnobAxis.of(BATCH, {"low": low, "high": high, "log": True, "default": low}).label(axis)
    assert len(axis.get_ticklocs()) >= 2


@pytest.mark.parametrize(
    ("places", "flat"),
    [
        ([], True),
        ([(0.0, 0.0), (1.0, 1.0)], True),
        ([(0.0, 0.0), (0.5, 0.5), (1.0, 1.0)], True),
        ([(0.0, 0.0), (0.0, 1.0), (1.0, 0.0)], False),
    ],
)
def test_points_on_a_line_have_no_area_between_them(places: list[tuple[float, float]], flat: bool) -> None:
    assert is_flat(places) == flat


def test_a_contour_is_over_the_knobs_with_ranges_and_has_all_trials_that_have_both(
    stored: StoredStudy,
) -> None:
    plot = StudyPlots(stored.result).contour()
    assert isinstance(plot, Plot)
    axes = plot.figure.axes[0]
    assert {axes.get_xlabel(), axes.get_ylabel().replace("\n", "")} == {LINGER, BATCH}
    space = stored.result.study["search_space"]
    assert isinstance(space, dict)
    data = study_contour(stored.result, KnobAxis.of(LINGER, space[LINGER]), KnobAxis.of(CODEC, space[CODEC]))
    counted = [run for run in stored.result.settled("trial") if run.measured.counts]
    assert [point.value for point in data.points] == [run.measured.values[0] for run in counted]
    assert isinstance(StudyPlots(stored.result).contour(CODEC, BATCH), Plot)
    with pytest.raises(UsageError, match="no knob") as told:
        StudyPlots(stored.result).contour("producers.checkout.config.lingr.ms")
    assert LINGER in told.value.fix


def test_a_contour_of_trials_that_are_all_alike_has_no_levels(stored: StoredStudy) -> None:
    runs = [
        run.model_copy(update={"measured": run.measured.model_copy(update={"values": (100.0,)})})
        if run.measured.counts
        else run
        for run in stored.result.runs
    ]
    plot = StudyPlots(stored.result.model_copy(update={"runs": tuple(runs)})).contour()
    assert isinstance(plot, Plot)
    assert plot.png()


def test_a_front_of_three_is_no_line_between_two(of_two: StudyResult) -> None:
    front = study_front(of_two)
    assert front is not None
    of_three = replace(front, unseen=("consumers.billing.lag.max",))
    assert "Pareto front" in _labels(draw_front(front))
    assert "Pareto front" not in _labels(draw_front(of_three))
    assert "without an axis here: consumers.billing.lag.max" in draw_front(of_three).sentence


def _labels(plot: Plot) -> list[object]:
    return [line.get_label() for line in plot.figure.axes[0].get_lines()]


def test_a_front_has_the_trials_that_none_betters(of_two: StudyResult) -> None:
    front = study_front(of_two)
    assert front is not None
    assert len(front.front) == len(of_two.front())
    rates, costs = zip(*front.front, strict=True)
    assert list(rates) == sorted(rates)
    assert list(costs) == sorted(costs)  # what sends more costs more, or it would not be there
    for rate, cost in front.others:
        assert any(other >= rate and its <= cost for other, its in front.front)


def drawn(result: StudyResult) -> dict[str, Plot | Missing]:
    return StudyPlots(result).all()


def test_every_plot_names_its_axes_and_says_how_to_read_it(of_two: StudyResult) -> None:
    plots = drawn(of_two)
    assert list(plots) == list(NAMES)
    for name, plot in plots.items():
        assert isinstance(plot, Plot), name
        assert plot.sentence.endswith(".")
        assert len(plot.sentence.split()) > 15
        axes = plot.figure.axes[0]
        assert axes.get_xlabel(), name
        assert axes.get_ylabel() or axes.get_yticklabels(), name
        assert imread(io.BytesIO(plot.png())).std() > 0.01


def test_what_a_study_has_nothing_of_is_said(stored: StoredStudy) -> None:
    begun = stored.result.model_copy(update={"runs": (), "answer": None, "trials": stored.result.trials[:1]})
    assert all(isinstance(plot, Missing) for plot in drawn(begun).values())
    half = stored.result.model_copy(update={"runs": stored.result.runs[:8], "answer": None})
    assert [name for name, plot in drawn(half).items() if isinstance(plot, Plot)] == ["history", "contour"]


def test_the_command_writes_what_there_is_and_says_what_there_is_not(
    stored: StoredStudy, tmp_path: Path
) -> None:
    told = CliRunner().invoke(cli, ["study", "plot", str(stored.path), "--output", str(tmp_path / "plots")])
    assert told.exit_code == 0, told.output
    names = ["confirmation.png", "contour.png", "history.png", "importance.png"]
    assert sorted(path.name for path in (tmp_path / "plots").iterdir()) == names
    assert sorted(line.rpartition("/")[2] for line in told.stdout.splitlines()) == names
    assert "note: A Pareto front needs several objectives" in told.stderr
    assert imread(tmp_path / "plots" / "history.png").std() > 0.01


def test_python_has_the_plots_too(stored: StoredStudy) -> None:
    assert isinstance(loadlab.load_study(stored.path).plot.history(), Plot)


def html(page: Page) -> str:
    return page._repr_html_()


def test_the_pages_tell_what_was_found_searched_and_tried(stored: StoredStudy) -> None:
    result = stored.result
    assert result.answer is not None
    assert result.answer.sentences in html(pages_of_study.study_box(result))
    assert "coefficient of variation" in html(pages_of_study.study_box(result))
    assert "lz4" in html(pages_of_study.recommended(result))
    assert "0.5 to 100, logarithmic, or 0" in html(pages_of_study.searched(result))
    rows = html(pages_of_study.trials(result))
    assert rows.count("<tr>") == len(result.trials)
    assert "failed: generator_limited" in rows
    assert "4" in html(pages_of_study.runs_made(result))


def test_a_share_that_is_a_constraint_has_the_digits_that_tell_it_from_its_limit(stored: StoredStudy) -> None:
    limit = StudyLimit(label="achieved ratio", measured=0.997, limit=0.995, unit="ratio")
    answer = stored.result.answer.model_copy(update={"limits": (limit,)})
    page = html(pages_of_study.recommended(stored.result.model_copy(update={"answer": answer})))
    assert "0.997 ratio" in page
    assert "0.995 ratio" in page


def test_all_text_of_a_study_stays_text(stored: StoredStudy) -> None:
    script = "<script>alert(1)</script>"
    answer = stored.result.answer.model_copy(update={"sentences": script, "drift": script})
    trials = [each.model_copy(update={"origin": script}) for each in stored.result.trials]
    evil = stored.result.model_copy(update={"name": script, "answer": answer, "trials": trials})
    for part in ("study_box", "recommended", "searched", "trials", "runs_made", "repeat_study"):
        assert "<script" not in html(getattr(pages_of_study, part)(evil)), part


def test_the_files_that_repeat_a_study_are_the_study(stored: StoredStudy, tmp_path: Path) -> None:
    (code,) = pages_of_study.repeat_study(stored.result).elements
    text = "".join(code.itertext())
    for name, held in re.findall(r"cat > (\S+) <<'EOF'\n(.*?)\nEOF\n", text, re.DOTALL):
        (tmp_path / name).write_text(held, encoding="utf-8")
        json.loads(held)
    again = load_study(tmp_path / "orders-throughput.yaml", environ={}).study
    assert [knob.name for knob in again.space.knobs] == [LINGER, CODEC, BATCH]
    assert again.budget == Budget(trials=16)
    assert again.objectives == (Objective(THROUGHPUT, "maximize"),)
    assert text.splitlines()[-1] == "loadlab tune orders-throughput.yaml"


def test_the_command_that_repeats_a_study_has_the_options_that_it_was_made_with(stored: StoredStudy) -> None:
    planned = (*stored.result.planned, Planned(origin="earlier-study-k3f9", assignment={LINGER: 7.0}))
    made = stored.result.model_copy(update={"planned": planned, "forced": True, "warms_up": False})
    (code,) = pages_of_study.repeat_study(made).elements
    command = "".join(code.itertext()).splitlines()[-1]
    options = "--force --no-warm-up --warm-start earlier-study-k3f9"
    assert command == f"loadlab tune orders-throughput.yaml {options}"


LEVEL = "producers.checkout.config.compression.level"


def test_the_files_that_repeat_a_study_have_its_conditions_constraints_and_the_scenario_s_own_values(
    tmp_path: Path,
) -> None:
    """Kafka's own conditions name codecs that are not searched, and constraints ask for one to be set."""
    codec = {"choices": ["none", "zstd"]}
    config = {"compression.type": "zstd", "compression.level": 6}
    producer = {**SCENARIO["producers"]["checkout"], "config": config}  # type: ignore[index]
    scenario = {**SCENARIO, "producers": {"checkout": producer}}
    made = {
        "study": "levels",
        "scenario": "orders.yaml",
        "objective": {"maximize": THROUGHPUT},
        "constraints": {"compression_ratio": ["value > 1"]},
        "search_space": {CODEC: codec, LEVEL: "default"},
        "budget": {"trials": 4},
        "baseline": "scenario",
    }
    (tmp_path / "orders.yaml").write_text(json.dumps(scenario), encoding="utf-8")
    (tmp_path / "levels.yaml").write_text(json.dumps(made), encoding="utf-8")
    loaded = load_study(tmp_path / "levels.yaml", environ={})
    study_before = begun(loaded, TuneOptions(tmp_path / "results")).result
    (code,) = pages_of_study.repeat_study(study_before).elements
    again_at = tmp_path / "again"
    again_at.mkdir()
    text = "".join(code.itertext())
    for name, held in re.findall(r"cat > (\S+) <<'EOF'\n(.*?)\nEOF\n", text, re.DOTALL):
        (again_at / name).write_text(held, encoding="utf-8")
    again = load_study(again_at / "levels.yaml", environ={})
    assert study_document(again.study) == study_document(loaded.study)
    assert again.loaded.scenario.to_document() == loaded.loaded.scenario.to_document()
