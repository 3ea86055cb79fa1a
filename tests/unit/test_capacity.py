"""The search as a whole, with runs that are made up: what is stored when, and what it takes to go on."""

from __future__ import annotations

import math
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from itertools import repeat
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import numpy as np
import pytest
from click.testing import CliRunner
from result_samples import producer, result
from telemetry_samples import telemetry

from loadlab.cli.main import cli
from loadlab.cluster import Capability, TelemetrySample
from loadlab.errors import RunError, UsageError
from loadlab.measurement.histogram import Histogram, lower_bounds_ns
from loadlab.results.artifacts import Artifacts, Histograms
from loadlab.results.capacity_store import StoredCapacity, load_capacity, save_capacity
from loadlab.results.model import Reason, Throughput, Verdict
from loadlab.results.store import save
from loadlab.run.progress import SilentObserver
from loadlab.scenario import load_document
from loadlab.scenario.schedule import RampRate
from loadlab.tuning import capacity as searching
from loadlab.tuning.capacity import CapacityOptions, find_capacity
from loadlab.tuning.warm_up import FEWEST_ROUNDS, is_warm
from loadlab.tuning.warming import warmed_up

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from loadlab.cluster import Cluster
    from loadlab.results.reader import StoredRun
    from loadlab.scenario import LoadedScenario

EDGE_PER_S = 30_000.0
LATE = Reason(code="generator_limited", message="records were sent late", severity="invalid")
SCENARIO = """
name: orders
topics: {orders: {}}
producers: {checkout: {topic: orders, schedule: {rate: 20k/s}, records: {size: 100}}}
"""


class Watcher(SilentObserver):
    def __init__(self) -> None:
        self.told: list[int] = []

    def begun(self, search: StoredCapacity) -> None:
        self.told.append(len(search.result.probes))

    def warmed(self, search: StoredCapacity) -> None:
        assert load_capacity(search.result.capacity_id, search.path.parent) == search

    def probed(self, search: StoredCapacity) -> None:
        stored = load_capacity(search.result.capacity_id, search.path.parent)
        assert stored == search, "what is told is on the disk already"
        self.told.append(len(search.result.probes))


def nothing(number: int) -> None:
    """What happens before most runs."""


@dataclass(eq=False)
class Lab:
    """Runs of a cluster that takes EDGE_PER_S; `before_run` may do what the world does."""

    provider: str = "docker"
    before_run: Callable[[int], None] = nothing
    valid_to_per_s: float = math.inf
    saturated: bool = False
    rates: list[float | str] = field(default_factory=list)
    interrupts: SimpleNamespace = field(default_factory=lambda: SimpleNamespace(came=False))
    interrupted: bool = False

    @contextmanager
    def open_cluster(self, *_: object) -> Iterator[SimpleNamespace]:
        info = SimpleNamespace(
            provider=self.provider, kind="kafka", kafka_version="4.3.1", brokers=1, network="host"
        )
        cluster = SimpleNamespace(info=info, capabilities=frozenset())
        yield SimpleNamespace(cluster=cluster, interrupts=self.interrupts)

    def run_scenario(self, loaded: LoadedScenario, options: object, *_: object, **__: object) -> StoredRun:
        self.before_run(len(self.rates) + 1)
        rate = loaded.scenario.producers["checkout"].schedule.rate
        rate = rate.ramp.to_per_s if isinstance(rate, RampRate) else rate
        self.rates.append(rate)
        asked = 1e5 if rate == "max" else float(rate)
        reached = min(asked, EDGE_PER_S)
        group = producer().model_copy(
            update={
                "target_records_per_s": None if rate == "max" else asked,
                "throughput": Throughput(records_per_s=reached, bytes_per_s=reached * 100),
            }
        )
        counts = np.zeros_like(Histogram().counts)
        counts[1_500] = 2_000
        stored = result(
            run_id=f"20261123T161500-orders-{len(self.rates):04}",
            producers={"checkout": group},
            consumers={},
            verdict=Verdict(
                status="valid" if asked <= self.valid_to_per_s else "invalid",
                reasons=() if asked <= self.valid_to_per_s else (LATE,),
                saturated=self.saturated,
            ),
            interrupted=self.interrupted,
        )
        histograms = Histograms(lower_bounds_ns() / 1e3, {"producer/checkout/publish_latency_us": counts})
        return save(stored, Artifacts(histograms=histograms), options.results_dir)


@pytest.fixture
def lab(monkeypatch: pytest.MonkeyPatch) -> Lab:
    made = Lab()
    monkeypatch.setattr(searching, "open_cluster", made.open_cluster)
    monkeypatch.setattr(searching, "run_scenario", made.run_scenario)
    return made


def scenario(rate: str = "20k/s") -> LoadedScenario:
    group = {"topic": "orders", "schedule": {"rate": rate}, "records": {"size": 100}}
    return load_document({"name": "orders", "topics": {"orders": {}}, "producers": {"checkout": group}})


def interrupt_at(number: int) -> Callable[[int], None]:
    def before_run(run: int) -> None:
        if run == number:
            raise KeyboardInterrupt

    return before_run


def test_a_search_finds_the_edge_and_stores_each_probe_before_telling(lab: Lab, tmp_path: Path) -> None:
    watcher = Watcher()
    found = find_capacity(scenario(), CapacityOptions(tmp_path, warm_up=False), watcher).result
    assert found.finished
    assert found.answer.kind == "between"
    assert found.answer.holds_per_s == pytest.approx(EDGE_PER_S, rel=0.03)
    assert watcher.told == list(range(len(lab.rates) + 1))
    assert lab.rates[:2] == [20_000.0, "max"]
    assert found.cluster == result().cluster


@pytest.mark.parametrize("at", [2, 5])
def test_an_interrupted_search_goes_on_where_it_was(lab: Lab, tmp_path: Path, at: int) -> None:
    options = CapacityOptions(tmp_path, warm_up=False)
    whole = find_capacity(scenario(), options, Watcher()).result
    lab.rates.clear()
    lab.before_run = interrupt_at(at)
    (tmp_path / "again").mkdir()
    options = CapacityOptions(tmp_path / "again", warm_up=False)
    stopped = find_capacity(scenario(), options, Watcher()).result
    assert (len(stopped.probes), stopped.finished) == (at - 1, False)
    lab.before_run = nothing
    resumed = find_capacity(scenario(), replace(options, resume=stopped.capacity_id), Watcher()).result
    assert [one.rate_per_s for one in resumed.probes] == [one.rate_per_s for one in whole.probes]
    assert resumed.finished
    assert resumed.started_at == stopped.started_at


def test_a_probe_that_was_interrupted_does_not_count(lab: Lab, tmp_path: Path) -> None:
    lab.interrupted = True
    found = find_capacity(scenario(), CapacityOptions(tmp_path, warm_up=False), Watcher()).result
    assert (found.probes, found.finished) == ((), False)


def test_a_signal_that_came_while_a_probe_ended_keeps_it_and_stops(lab: Lab, tmp_path: Path) -> None:
    lab.interrupts.came = True
    found = find_capacity(scenario(), CapacityOptions(tmp_path, warm_up=False), Watcher()).result
    assert (len(found.probes), found.finished) == (1, False)


def test_a_trial_of_a_study_is_not_resumed_by_itself(lab: Lab, tmp_path: Path) -> None:
    lab.before_run = interrupt_at(2)
    options = CapacityOptions(tmp_path, warm_up=False, study="20261123T161500-orders-study-k3f9")
    stopped = find_capacity(scenario(), options, Watcher()).result
    again = CapacityOptions(tmp_path, warm_up=False, resume=stopped.capacity_id)
    with pytest.raises(UsageError, match="is a trial of the study 20261123T161500-orders-study-k3f9"):
        find_capacity(scenario(), again, Watcher())


def test_an_interrupt_before_any_probe_leaves_nothing_to_show(lab: Lab, tmp_path: Path) -> None:
    lab.before_run = interrupt_at(1)
    with pytest.raises(KeyboardInterrupt):
        find_capacity(scenario(), CapacityOptions(tmp_path, warm_up=False), Watcher())
    assert list(tmp_path.glob("*-capacity-*")) == []


def test_a_run_that_fails_leaves_the_probes_before_it(lab: Lab, tmp_path: Path) -> None:
    def before_run(number: int) -> None:
        if number == 3:
            raise RunError("the brokers' disk is full")

    lab.before_run = before_run
    with pytest.raises(RunError, match="disk"):
        find_capacity(scenario(), CapacityOptions(tmp_path, warm_up=False), Watcher())
    (folder,) = tmp_path.glob("*-capacity-*")
    assert len(load_capacity(folder.name, tmp_path).result.probes) == 2
    with pytest.raises(UsageError, match="is not the id of the search"):
        load_capacity(str(folder), tmp_path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"rate": "21k/s"}, "another scenario or other options"),
        ({"max_probes": 7}, "another scenario or other options"),
        ({"p99_limit_s": 0.01}, "another scenario or other options"),
        ({"provider": "local"}, "whose provider was docker; here it is local"),
    ],
)
def test_a_search_goes_on_as_it_began(
    lab: Lab, tmp_path: Path, change: dict[str, object], message: str
) -> None:
    lab.before_run = interrupt_at(3)
    stopped = find_capacity(scenario(), CapacityOptions(tmp_path, warm_up=False), Watcher()).result
    rate, lab.provider = str(change.pop("rate", "20k/s")), str(change.pop("provider", "docker"))
    options = replace(CapacityOptions(tmp_path, resume=stopped.capacity_id), **change)
    with pytest.raises(UsageError, match=message):
        find_capacity(scenario(rate), options, Watcher())


def test_a_search_is_read_only_when_no_other_process_is_at_it(
    lab: Lab, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Here another one ends it between the first look and the claim."""
    lab.before_run = interrupt_at(3)
    stopped = find_capacity(scenario(), CapacityOptions(tmp_path, warm_up=False), Watcher())

    @contextmanager
    def after_another(_: Path) -> Iterator[None]:
        save_capacity(stopped.result.model_copy(update={"finished": True}), tmp_path)
        yield

    monkeypatch.setattr(searching, "only_writer", after_another)
    with pytest.raises(UsageError, match="is finished"):
        find_capacity(scenario(), CapacityOptions(tmp_path, resume=stopped.result.capacity_id), Watcher())


@pytest.mark.usefixtures("lab")
def test_a_finished_search_is_not_resumed(tmp_path: Path) -> None:
    done = find_capacity(scenario(), CapacityOptions(tmp_path, warm_up=False), Watcher()).result
    with pytest.raises(UsageError, match="is finished"):
        find_capacity(scenario(), CapacityOptions(tmp_path, resume=done.capacity_id), Watcher())


@pytest.mark.usefixtures("lab")
def test_limits_that_leave_no_rate_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="rate, 80/s, is below the lowest, 90/s") as told:
        find_capacity(scenario(), CapacityOptions(tmp_path, lowest_per_s=90.0, highest_per_s=80.0), Watcher())
    assert "--probe" not in str(told.value.fix)
    with pytest.raises(UsageError, match="10/s is below 34/s, the lowest rate at which a probe of 30s has"):
        find_capacity(scenario(), CapacityOptions(tmp_path, lowest_per_s=9.0, highest_per_s=10.0), Watcher())
    # A hundredth of the scenario's rate is the lowest where none is asked for.
    with pytest.raises(UsageError, match="rate, 100/s, is below the lowest, 200/s"):
        find_capacity(scenario(), CapacityOptions(tmp_path, highest_per_s=100.0), Watcher())


@pytest.mark.usefixtures("lab")
@pytest.mark.parametrize(
    ("option", "value"), [("--probe", "0s"), ("--p99", "0s"), ("--min-rate", "0/s"), ("--max-rate", "0/s")]
)
def test_nothing_is_no_limit(tmp_path: Path, option: str, value: str) -> None:
    file = tmp_path / "orders.yaml"
    file.write_text(SCENARIO)
    told = CliRunner().invoke(cli, ["capacity", str(file), option, value, "--results-dir", str(tmp_path)])
    assert told.exit_code == 2
    assert f"{option} is 0" in told.output


def test_a_probe_too_short_and_a_precision_that_is_no_number_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "orders.yaml"
    file.write_text(SCENARIO)
    for option, value, told in (
        ("--probe", "50ms", "--probe is 0.05 s"),
        ("--precision", "nan", "no number"),
    ):
        done = CliRunner().invoke(cli, ["capacity", str(file), option, value, "--results-dir", str(tmp_path)])
        assert done.exit_code == 2
        assert told in done.output


def test_nothing_above_the_highest_rate_is_sent(lab: Lab, tmp_path: Path) -> None:
    find_capacity(scenario("max"), CapacityOptions(tmp_path, highest_per_s=25_000.0), Watcher())
    assert set(lab.rates) == {25_000.0}


@dataclass(frozen=True)
class Case:
    """What is found, and how the command ends by it."""

    code: int
    text: str
    arguments: tuple[str, ...] = ()
    valid_to_per_s: float = math.inf
    saturated: bool = False


CASES = {
    "an edge": Case(0, "holds 29."),
    "no edge": Case(0, "at least", ("--max-rate", "25k/s")),
    "nothing holds": Case(99, "fails 19.0k/s", ("--min-rate", "19k/s"), saturated=True),
    "the generator": Case(0, "the generator is the limit", valid_to_per_s=25_000.0),
    "strict": Case(5, "the generator is the limit", ("--strict",), valid_to_per_s=25_000.0),
    "nothing measured": Case(4, "nothing could be measured: generator_limited: records", valid_to_per_s=0.0),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_the_exit_code_says_how_it_went(lab: Lab, tmp_path: Path, case: Case) -> None:
    lab.valid_to_per_s, lab.saturated = case.valid_to_per_s, case.saturated
    file = tmp_path / "orders.yaml"
    file.write_text(SCENARIO)
    options = ["--results-dir", str(tmp_path / "r"), *case.arguments]
    told = CliRunner().invoke(cli, ["capacity", str(file), *options])
    assert told.exit_code == case.code, told.output
    assert case.text in told.stdout.splitlines()[0]


def test_an_interrupted_search_exits_with_130_and_shows_what_it_has(lab: Lab, tmp_path: Path) -> None:
    lab.before_run = interrupt_at(2)
    file = tmp_path / "orders.yaml"
    file.write_text(SCENARIO)
    options = ["--no-warm-up", "--results-dir", str(tmp_path / "r")]
    told = CliRunner().invoke(cli, ["capacity", str(file), *options])
    assert told.exit_code == 130
    assert "--resume" in told.stdout
    assert "holds 20.0k/s at least" in told.stdout


@pytest.mark.parametrize("arguments", [["--max-rate", "fast"], ["--p99", "5"], ["--probes", "1"]])
def test_options_that_can_not_be_read_are_usage_errors(tmp_path: Path, arguments: list[str]) -> None:
    file = tmp_path / "orders.yaml"
    file.write_text(SCENARIO)
    assert CliRunner().invoke(cli, ["capacity", str(file), *arguments]).exit_code == 2


@pytest.mark.parametrize(
    ("rounds_per_s", "warm"),
    [
        ([], False),
        ([100.0] * 5, False),
        ([100.0, 100.0, 100.0, 104.0, 104.0, 104.0], True),
        ([100.0, 100.0, 100.0, 106.0, 106.0, 106.0], False),
        ([157.0, 189.0, 177.0, 142.0, 210.0, 230.0], False),  # a dip is no end
        ([24.5, 50.5, 91.3, 97.3, 77.9, 82.0, 115.8], False),  # nor are two
        ([26.1, 58.8, 92.8, 99.5, 115.8, 135.0, 147.9, 128.1, 87.1, 144.5], False),
        ([150.0, 100.0, 100.0, 100.0, 60.0, 100.0], True),
        ([100.0, 100.0, 100.0, 150.0, 60.0, 100.0], False),  # a peak may be a gain,
        ([100.0, 100.0, 100.0, 150.0, 60.0, 100.0, 101.0, 99.0], False),
        ([100.0, 100.0, 100.0, 150.0, 60.0, 100.0, 101.0, 99.0, 104.0], True),  # which nothing follows
        ([50.0, 60.0, 150.0, 70.0, 80.0, 90.0], False),  # nor an end
        ([88.0, 228.0, 263.0, 373.0, 393.0, 380.0], False),
        ([88.0, 228.0, 263.0, 373.0, 393.0, 380.0, 400.0, 390.0, 395.0], False),
        ([88.0, 228.0, 263.0, 373.0, 393.0, 380.0, 400.0, 390.0, 395.0, 399.0], True),
        ([100.0 * 1.1**number for number in range(29)], False),
        ([100.0 * 1.1**number for number in range(30)], True),
    ],
)
def test_a_cluster_is_warm_when_three_rounds_gained_nothing(rounds_per_s: list[float], warm: bool) -> None:
    assert is_warm(rounds_per_s) is warm


def rounds_on(samples: Iterable[TelemetrySample]) -> int:
    """How many rounds, each like the others, a cluster is loaded with that tells these samples."""
    told = iter(samples)
    cluster = SimpleNamespace(capabilities={Capability.TELEMETRY}, telemetry=lambda: next(told))
    return len(list(warmed_up(cast("Cluster", cluster), lambda: 100.0)))


def test_a_cluster_is_not_warm_while_one_of_its_brokers_compiles_much() -> None:
    """In rounds of 5 s the second broker compiles less and less: 18 % of the time in the seventh."""
    compiled_ms = (0, 4_000, 7_000, 9_000, 10_500, 12_000, 13_200, 14_100)
    brokers = [
        {1: telemetry(5.0 * place, compile_ms=10), 2: telemetry(5.0 * place, compile_ms=compiled)}
        for place, compiled in enumerate(compiled_ms)
    ]
    assert rounds_on(TelemetrySample(each, {}) for each in brokers) == 7


def test_brokers_that_do_not_tell_or_have_started_again_keep_nobody_waiting() -> None:
    mute = TelemetrySample({}, {1: "no answer"})
    assert rounds_on(repeat(mute)) == FEWEST_ROUNDS
    anew = (telemetry(5.0 * place, compile_ms=90_000 * place, started_ms=place) for place in range(9))
    assert rounds_on(TelemetrySample({1: each}, {}) for each in anew) == FEWEST_ROUNDS


def test_a_search_on_kafka_warms_the_cluster_up_first(lab: Lab, tmp_path: Path) -> None:
    found = find_capacity(scenario(), CapacityOptions(tmp_path), Watcher()).result
    assert found.warm_up_per_s == (EDGE_PER_S,) * 6
    assert lab.rates[:7] == [*["max"] * 6, 20_000.0]
    assert len(found.probes) == len(lab.rates) - 6


def test_warming_up_sends_no_more_than_is_allowed(lab: Lab, tmp_path: Path) -> None:
    found = find_capacity(scenario(), CapacityOptions(tmp_path, highest_per_s=25_000.0), Watcher()).result
    assert len(found.warm_up_per_s) == 6
    assert lab.rates[:6] == [25_000.0] * 6


def test_who_asks_for_no_warm_up_gets_none(lab: Lab, tmp_path: Path) -> None:
    found = find_capacity(scenario(), CapacityOptions(tmp_path, warm_up=False), Watcher()).result
    assert found.warm_up_per_s == ()
    assert lab.rates[0] == 20_000.0


def test_an_interrupt_while_warming_up_makes_no_probe(lab: Lab, tmp_path: Path) -> None:
    lab.interrupts.came = True
    found = find_capacity(scenario(), CapacityOptions(tmp_path), Watcher()).result
    assert (found.probes, found.finished) == ((), False)


def test_faults_stand_among_the_conditions(lab: Lab, tmp_path: Path) -> None:
    faults = [{"at": "1s", "pause": 1, "for": "2s"}]
    document = {**scenario().scenario.to_document(), "cluster": {"provider": "local"}, "faults": faults}
    options = CapacityOptions(tmp_path, warm_up=False)
    found = find_capacity(load_document(document), options, Watcher()).result
    assert lab.rates
    assert found.settings.conditions[-1] == "while broker 1 is paused from 1s for 2s"
