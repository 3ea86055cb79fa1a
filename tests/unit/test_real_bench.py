"""What the bench of real runs makes of what it measured."""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import replace
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest
from bench_samples import BROKER_KNOB, KNOBS, LINGER, SCENARIO, THREADS, WITH_BROKERS, Lab, Watcher, study
from capacity_samples import capacity, probe
from click.testing import CliRunner
from result_samples import consumer, producer, result
from study_samples import loaded as of_file

from loadlab.cli.main import cli
from loadlab.errors import EXIT_USAGE, ClusterError, ClusterGoneError, TopicsExistError, UsageError
from loadlab.results.model import Lag, Reason, Threshold, Verdict
from loadlab.results.model_capacity import CapacityAnswer
from loadlab.run.opening import RunOptions
from loadlab.scenario import load_document
from loadlab.tuning import real_bench
from loadlab.tuning.apply import with_values
from loadlab.tuning.bench import Terms
from loadlab.tuning.reading import read_run
from loadlab.tuning.space import ChangeCost, Choices, Knob, SearchSpace
from loadlab.tuning.study import TuneOptions, tune
from loadlab.tuning.study_model import CAPACITY, Objective

WARMING_S = 0.2

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from loadlab.scenario import LoadedScenario
    from loadlab.tuning.study_model import LoadedStudy


def test_a_trial_where_no_rate_holds_fails_and_says_which_search_came_to_that(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of such a search the probe at max, which has no rate either, is not the one that holds."""
    search = capacity(
        probes=(probe(None, verdict=None), probe(200.0, verdict="fails", failed=("p99",))),
        answer=CapacityAnswer(kind="below", holds_per_s=None, fails_per_s=200.0, sure=True),
    )
    monkeypatch.setattr(real_bench, "find_capacity", lambda *_, **__: SimpleNamespace(result=search))
    loaded = study()
    bench = bench_of(tmp_path, loaded)
    measured = bench._measure_capacity(loaded.loaded, None, time.monotonic())  # type: ignore[arg-type]
    assert (
        measured.failure
        == f"the capacity search {search.capacity_id} has no answer: not even the lowest rate holds"
    )
    assert not measured.counts


def bench_of(tmp_path: Path, loaded: LoadedStudy) -> real_bench._RealBench:
    runs, watcher = RunOptions(tmp_path), Watcher()
    stored = SimpleNamespace(result=SimpleNamespace(study_id="20261123T161500-orders-study-k3f9"))
    return real_bench._RealBench(loaded, stored, runs, watcher, None, warms_up=False)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("space", "error"), [(SearchSpace(KNOBS), ClusterGoneError), (WITH_BROKERS, ClusterError)]
)
def test_a_cluster_that_can_not_be_had_is_due_to_brokers_properties_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, space: SearchSpace, error: type[ClusterError]
) -> None:
    def opened(*_: object, **__: object) -> None:
        raise ClusterError("no engine answers", fix="start it")

    monkeypatch.setattr(real_bench, "open_cluster", opened)
    monkeypatch.setattr(real_bench, "choose", lambda _: None)
    with pytest.raises(ClusterError, match="no engine answers") as told:
        bench_of(tmp_path, study(space=space)).measure({}, Terms(1))
    assert type(told.value) is error
    assert told.value.fix == "start it"


def test_no_trial_s_brokers_are_blamed_for_an_engine_that_is_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object, **__: object) -> None:
        raise ClusterError("no engine answers", fix="start it")

    monkeypatch.setattr(real_bench, "open_cluster", away)
    monkeypatch.setattr(real_bench, "choose", away)
    with pytest.raises(ClusterGoneError, match="no engine answers"):
        bench_of(tmp_path, study(space=WITH_BROKERS)).measure({}, Terms(1))


def test_topics_that_are_there_already_are_no_fault_of_a_trial(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(*_: object, **__: object) -> None:
        raise TopicsExistError("topic orders: there already", fix="delete it, name another")

    opened_on("local", [], monkeypatch)
    monkeypatch.setattr(real_bench, "run_scenario", run)
    with pytest.raises(ClusterGoneError, match="there already") as told:
        bench_of(tmp_path, study()).measure({}, Terms(1))
    assert told.value.fix == "delete what a killed run may have left on a cluster that stands"


def test_a_cluster_that_a_run_has_killed_is_opened_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    opened_on("local", asked, monkeypatch, alive=[True, False])
    bench = bench_of(tmp_path, study())
    for _ in range(3):
        bench._cluster(bench.loaded.loaded)
    assert len(asked) == 2


@pytest.mark.parametrize(
    ("provider", "cluster_name", "rounds"), [("local", None, 1), ("local", "lab", 0), ("external", None, 0)]
)
def test_only_a_cluster_that_the_study_starts_is_warmed_up(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    provider: str,
    cluster_name: str | None,
    rounds: int,
) -> None:
    made: list[str] = []

    @contextmanager
    def opened(*_: object, **__: object) -> Iterator[SimpleNamespace]:
        yield SimpleNamespace(
            cluster=SimpleNamespace(info=SimpleNamespace(kind="kafka", provider=provider)),
            interrupts=SimpleNamespace(came=False),
            require_alive=lambda: None,
        )

    def run(loaded: LoadedScenario, *_: object, **__: object) -> SimpleNamespace:
        made.append(loaded.scenario.name)
        time.sleep(WARMING_S)
        return SimpleNamespace(result=None)

    for name, stand_in in {
        "open_cluster": opened,
        "run_scenario": run,
        "acked_per_s": lambda _: 1.0,
        "warmed_up": lambda _, load: [load()],
        "refuse_other_cluster": lambda *_, **__: None,
    }.items():
        monkeypatch.setattr(real_bench, name, stand_in)
    cluster = {"provider": provider} | (
        {"bootstrap_servers": "127.0.0.1:9"} if provider == "external" else {}
    )
    loaded = replace(study(), loaded=load_document({**SCENARIO, "cluster": cluster}))
    stored = SimpleNamespace(result=SimpleNamespace(study_id="", cluster=None, warms_up=True))
    options = TuneOptions(tmp_path, cluster_name)
    with real_bench.open_bench(loaded, stored, options, Watcher(), None) as bench:  # type: ignore[arg-type]
        assert made == []  # where nothing is left to be measured
        assert isinstance(bench, real_bench._RealBench)
        monkeypatch.setattr(bench, "_measure_run", lambda *had: time.monotonic() - had[2])
        assert bench.measure({}, Terms(1)) < WARMING_S  # which is no trial's time
        bench.measure({}, Terms(2))
        assert len(made) == rounds


@pytest.mark.parametrize("may", [True, False])
def test_a_run_of_a_study_is_as_long_as_asked_and_only_a_trial_may_end_early(
    tmp_path: Path, *, may: bool
) -> None:
    """Never in its warm-up: a threshold's delay counts from the measure phase's start."""
    constraints = {"publish_latency": ["p99 < 50ms"], "cpu_us_per_record": ["value < 1s"]}
    phases = {"warmup": "3s", "measure": "10s", "drain": "5s"}
    document = load_document({**SCENARIO, "thresholds": constraints, "phases": phases})
    bench = bench_of(tmp_path, replace(study(), loaded=document))
    made = [
        bench._scenario({LINGER: 7.0}, Terms(number, measure_scale=2, may_end_early=may)).scenario
        for number in (1, 2)
    ]

    assert (made[0].phases.warmup_s, made[0].phases.measure_s) == (3.0, 20.0)
    assert made[0].producers["checkout"].config["linger.ms"] == "7.0"
    assert made[0].seed != made[1].seed
    latency, cpu = (group[0] for group in made[0].thresholds.values())
    assert (latency.abort_on_fail, latency.delay_s) == (may, 10.0 if may else 0.0)
    assert not cpu.abort_on_fail  # nobody knows it before the end


@pytest.mark.parametrize(
    ("kind", "fails_per_s", "counts", "status"),
    [
        ("between", 30_000.0, True, "valid"),
        ("at_least", None, True, "valid"),
        ("generator", 30_000.0, False, "invalid"),
    ],
)
def test_a_capacity_is_the_highest_rate_that_held_and_what_else_is_told_is_of_its_run(  # noqa: PLR0913
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    kind: str,
    fails_per_s: float | None,
    *,
    counts: bool,
    status: str,
) -> None:
    """Where the generator is the limit nobody knows how far the cluster would go."""
    answer = {"kind": kind, "holds_per_s": 20_000.0, "fails_per_s": fails_per_s, "sure": True}
    probes = (
        probe(20_000.0, failed=("p99",), verdict="fails", run_id="failed"),
        probe(20_000.0, run_id="held"),
        probe(30_000.0, verdict="fails", failed=("p99",), run_id="above"),
    )
    search = capacity(probes=probes, answer=CapacityAnswer.model_validate(answer))
    monkeypatch.setattr(real_bench, "find_capacity", lambda *_, **__: SimpleNamespace(result=search))
    p99 = Threshold(
        expression="publish_latency p99 < 100ms", measured=5_000.0, limit=1e5, unit="us", passed=True
    )
    runs = {run: result(run_id=run, thresholds=(p99,)) for run in ("failed", "held", "above")}
    monkeypatch.setattr(real_bench, "load", lambda run, _: SimpleNamespace(result=runs[run]))
    loaded = study(objectives=(Objective(CAPACITY, "maximize"),))
    measured = bench_of(tmp_path, loaded)._measure_capacity(loaded.loaded, None, time.monotonic())  # type: ignore[arg-type]

    assert (measured.counts, measured.status) == (counts, status)
    if counts:
        assert (measured.run_id, measured.values) == ("held", (20_000.0,))
    else:
        assert f"{search.capacity_id} has no answer: the generator was the limit" in (measured.failure or "")


def test_a_capacity_search_that_was_interrupted_interrupts_the_study(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    search = capacity(finished=False)
    monkeypatch.setattr(real_bench, "find_capacity", lambda *_, **__: SimpleNamespace(result=search))
    loaded = study(objectives=(Objective(CAPACITY, "maximize"),))
    with pytest.raises(KeyboardInterrupt):
        bench_of(tmp_path, loaded)._measure_capacity(loaded.loaded, None, time.monotonic())  # type: ignore[arg-type]


def test_brokers_that_stand_already_are_not_tuned_and_nothing_is_stored(tmp_path: Path) -> None:
    loaded = study(space=SearchSpace((BROKER_KNOB,)))
    with pytest.raises(UsageError, match="can't be set on a cluster that stands already"):
        tune(loaded, TuneOptions(tmp_path, "lab"), Watcher(), Lab().open)
    assert not list(tmp_path.iterdir())


def test_brokers_that_stand_already_are_not_planned_for(tmp_path: Path) -> None:
    of_file(tmp_path, search_space={"cluster.config.num.io.threads": "default"})
    plan = ["tune", str(tmp_path / "study.yaml"), "--plan"]
    assert CliRunner().invoke(cli, plan).exit_code == 0
    told = CliRunner().invoke(cli, [*plan, "--cluster", "lab"])
    assert "num.io.threads can't be set on a cluster that stands already" in told.output


@pytest.mark.parametrize("option", ["--resume", "--warm-start"])
def test_studies_that_are_not_there_are_not_planned_with(tmp_path: Path, option: str) -> None:
    of_file(tmp_path)
    plan = ["tune", str(tmp_path / "study.yaml"), "--plan", "--results-dir", str(tmp_path), option, "nope"]
    told = CliRunner().invoke(cli, plan)
    assert told.exit_code == EXIT_USAGE
    assert "nope" in told.output


def opened_on(
    provider: str, asked: list[str], monkeypatch: pytest.MonkeyPatch, alive: Sequence[bool] = ()
) -> None:
    """Has `auto` come to a provider; what is asked for is noted, and whether it is alive told in turn."""
    told = iter(alive)

    def require_alive() -> None:
        if not next(told, True):
            raise ClusterError("broker 1 has died")

    @contextmanager
    def opened(loaded: LoadedScenario, *_: object, **__: object) -> Iterator[SimpleNamespace]:
        asked.append(loaded.scenario.cluster.provider)
        cluster = SimpleNamespace(info=SimpleNamespace(kind="mock", provider=provider))
        yield SimpleNamespace(cluster=cluster, require_alive=require_alive)

    monkeypatch.setattr(real_bench, "open_cluster", opened)
    monkeypatch.setattr(real_bench, "refuse_other_cluster", lambda *_, **__: None)


def test_what_the_provider_at_hand_does_not_set_is_not_searched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened_on("embedded", [], monkeypatch)
    retention = Knob("topics.orders.config.retention.ms", Choices((1, 2)), ChangeCost.TOPIC)
    loaded = study(space=SearchSpace((*WITH_BROKERS.knobs, retention)))
    stored = SimpleNamespace(result=SimpleNamespace(study_id="", cluster=None, warms_up=True))
    words = "provider embedded sets no cluster.config.num.io.threads, topics.orders.config.retention.ms"
    with (
        pytest.raises(UsageError, match=words),
        real_bench.open_bench(loaded, stored, TuneOptions(tmp_path), Watcher(), None),  # type: ignore[arg-type]
    ):
        pass


def test_a_study_stays_on_the_provider_that_auto_chose_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    opened_on("local", asked, monkeypatch)
    loaded = study(space=WITH_BROKERS)
    stored = SimpleNamespace(result=SimpleNamespace(study_id="", cluster=None, warms_up=True))
    with real_bench.open_bench(loaded, stored, TuneOptions(tmp_path), Watcher(), None) as bench:  # type: ignore[arg-type]
        assert isinstance(bench, real_bench._RealBench)
        bench._cluster(with_values(loaded.loaded, {THREADS: 16}))
        bench._cluster(with_values(loaded.loaded, {THREADS: 16}))
    assert asked == ["auto", "local"]


def test_a_resumed_study_stays_on_the_provider_that_it_began_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    opened_on("local", asked, monkeypatch)
    began = SimpleNamespace(study_id="", cluster=SimpleNamespace(provider="local"), warms_up=True)
    stored = SimpleNamespace(result=began)
    with real_bench.open_bench(study(), stored, TuneOptions(tmp_path), Watcher(), None):  # type: ignore[arg-type]
        pass
    assert asked == ["local"]


@pytest.mark.parametrize(
    ("rate", "field", "counts"),
    [
        ("20k/s", "publish_latency_us.p99", False),
        ("20k/s", "cpu_us_per_record", False),
        ("20k/s", "throughput.records_per_s", True),
        ("max", "cpu_us_per_record", True),
    ],
)
def test_a_run_that_did_not_take_its_rate_tells_only_of_its_throughput(
    rate: str, field: str, counts: bool
) -> None:
    saturated = result(verdict=Verdict(status="valid", saturated=True))
    sends = {**SCENARIO["producers"]["checkout"], "schedule": {"rate": rate}}  # type: ignore[index]
    scenario = load_document({**SCENARIO, "producers": {"checkout": sends}}).scenario
    told = read_run(saturated, scenario, [f"producers.checkout.{field}"], took_s=1.0)
    assert told.counts == counts
    both = [f"producers.checkout.{each}" for each in (field, "throughput.records_per_s")]
    assert read_run(saturated, scenario, both, took_s=1.0).counts == counts
    assert (told.failure or "saturated").startswith("saturated")


def test_beside_a_producer_at_max_one_that_keeps_no_rate_is_saturated_all_the_same() -> None:
    """The verdict has one flag for all: what a paced producer achieved says whether it is meant."""
    sends = SCENARIO["producers"]["checkout"]  # type: ignore[index]
    both = {
        "checkout": {**sends, "schedule": {"rate": "20k/s"}},
        "throughput": {**sends, "schedule": {"rate": "max"}},
    }
    scenario = load_document({**SCENARIO, "producers": both}).scenario
    verdict = Verdict(status="valid", saturated=True)
    for achieved, counts in ((1.0, True), (0.8, False)):
        paced = producer().model_copy(update={"achieved_ratio": achieved})
        at_max = producer().model_copy(update={"achieved_ratio": None})
        told = result(verdict=verdict, producers={"checkout": paced, "throughput": at_max})
        assert read_run(told, scenario, ["producers.throughput.cpu_us_per_record"], 1.0).counts == counts


@pytest.mark.parametrize(
    ("code", "field", "counts"),
    [
        ("delivery_errors", "cpu_us_per_record", False),
        ("delivery_errors", "throughput.records_per_s", True),
        ("records_lost", "cpu_us_per_record", False),
        ("records_lost", "throughput.records_per_s", False),
    ],
)
def test_a_run_that_lost_records_does_not_count(code: str, field: str, counts: bool) -> None:
    """Of a throughput what failed is no part: only what was acked, and then lost, is."""
    reason = Reason(code=code, message="10 % of them are gone", severity="suspect")
    lost = result(verdict=Verdict(status="suspect", reasons=(reason,)))
    told = read_run(lost, load_document(SCENARIO).scenario, [f"producers.checkout.{field}"], 1.0)

    assert told.counts == counts
    assert counts or told.failure == f"{code}: 10 % of them are gone"


@pytest.mark.parametrize(("stat", "counts"), [("mean", False), ("max", False), ("min", True), ("p50", True)])
def test_a_mean_of_those_that_came_is_no_objective_where_some_never_did(stat: str, counts: bool) -> None:
    """A configuration that leaves records unread would be the fastest."""
    known = consumer()
    assert known.end_to_end_latency_us is not None
    latency = known.end_to_end_latency_us.model_copy(update={"missing": 60_000})
    unread = result(consumers={"billing": known.model_copy(update={"end_to_end_latency_us": latency})})
    field = f"consumers.billing.end_to_end_latency_us.{stat}"
    told = read_run(unread, load_document(SCENARIO).scenario, [field], 1.0)

    assert told.counts == counts
    assert (
        counts
        or told.failure == f"the run tells no {field}: too few records have it, or some never came through"
    )


def test_a_lag_of_nothing_is_a_value_and_no_failure() -> None:
    lag = Lag(max=0, mean=0.0, final=0, by_partition={})
    read = result(consumers={"billing": consumer().model_copy(update={"lag": lag, "drain_s": 0.0})})
    scenario = load_document(SCENARIO).scenario
    fields = [f"consumers.billing.{name}" for name in ("lag.max", "lag.mean", "drain_s")]
    told = read_run(read, scenario, fields, took_s=1.0)

    assert (told.failure, told.values) == (None, (0.5, 0.5, 0.01))


def test_less_than_next_to_nothing_is_no_worse_than_nothing() -> None:
    lag = Lag(max=1, mean=0.1, final=0, by_partition={})
    read = result(consumers={"billing": consumer().model_copy(update={"lag": lag, "drain_s": 0.002})})
    fields = [f"consumers.billing.{name}" for name in ("lag.max", "lag.mean", "drain_s")]
    told = read_run(read, load_document(SCENARIO).scenario, fields, took_s=1.0)

    assert told.values == (1.0, 0.5, 0.01)


@pytest.mark.parametrize("rate", ["1k/s", {"ramp": {"from": "1k/s", "to": "2k/s", "over": "5s"}}])
def test_nothing_is_done_to_brokers_while_they_are_warmed_up(rate: object) -> None:
    """Neither where the load has a rate that could be raised, nor where it has none."""
    group = {"topic": "orders", "schedule": {"rate": rate}, "records": {"size": 100}}
    loaded = load_document(
        {
            "name": "warm",
            "cluster": {"provider": "local"},
            "topics": {"orders": {}},
            "producers": {"checkout": group},
            "faults": [{"at": "1s", "pause": 1, "for": "1s"}],
        }
    )
    assert loaded.scenario.faults
    assert real_bench._warming(loaded).scenario.faults == ()
