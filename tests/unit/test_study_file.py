from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest
from ruamel.yaml import YAML
from study_samples import CHECKOUT, SCENARIO, STUDIES, THROUGHPUT, TRACKER, loaded

from loadlab.errors import ScenarioError
from loadlab.scenario import load
from loadlab.tuning.apply import with_values
from loadlab.tuning.objectives import value_of
from loadlab.tuning.presets import presets
from loadlab.tuning.space import ChangeCost
from loadlab.tuning.study_document import study_document
from loadlab.tuning.study_file import load_study, study_schema
from loadlab.tuning.study_model import Objective

OWN_STUDIES = sorted((Path(__file__).parents[2] / "scenarios" / "studies").glob("*.yaml"))
VALID = sorted((STUDIES / "valid").glob("*.yaml"))


@pytest.mark.parametrize("path", [*OWN_STUDIES, *VALID], ids=lambda path: path.stem)
def test_a_right_study_loads_and_obeys_the_schema(path: Path) -> None:
    study = load_study(path).study

    assert study.space.knobs
    jsonschema.validate(YAML(typ="safe").load(path), study_schema())


@pytest.mark.parametrize("path", OWN_STUDIES, ids=lambda path: path.stem)
def test_a_study_to_start_from_has_nothing_to_warn_of(path: Path) -> None:
    assert load_study(path).warnings == ()


@pytest.mark.parametrize("key", ["serch_space", "sampler: tep", "search_space: {x: {low: 1}}"])
def test_the_schema_refuses_what_loading_refuses(key: str) -> None:
    text = f"study: x\nscenario: y\nobjective: {{maximize: capacity}}\n{key if ':' in key else key + ': 1'}\n"
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(YAML(typ="safe").load(text), study_schema())


def test_values_are_in_the_unit_of_their_property(tmp_path: Path) -> None:
    space = {
        f"{CHECKOUT}.batch.size": {"low": "16KiB", "high": "64KiB"},
        f"{CHECKOUT}.linger.ms": {"low": "500us", "high": "20ms"},
        "cluster.resources.heap": {"choices": ["512MiB", "1GiB"]},
    }
    batch, linger, heap = loaded(tmp_path, search_space=space).study.space.knobs

    assert (batch.domain.low, batch.domain.high) == (16384, 65536)
    assert (linger.domain.low, linger.domain.high) == (0.5, 20)
    assert heap.domain.values == (2**29, 2**30)
    assert [knob.cost for knob in (batch, linger, heap)] == [
        ChangeCost.CLIENT,
        ChangeCost.CLIENT,
        ChangeCost.BROKER,
    ]


def test_what_a_study_sets_goes_over_the_file_and_below_the_command_line(tmp_path: Path) -> None:
    keys = {"set": {"phases.measure": "9s", "phases.warmup": "1s"}}
    phases = loaded(tmp_path, set_=("phases.warmup=2s",), **keys).loaded.scenario.phases

    assert (phases.measure_s, phases.warmup_s) == (9, 2)


@pytest.mark.parametrize("written", ["1.10", "1e10", "+5"])
def test_a_number_that_a_study_sets_a_property_to_keeps_its_digits(tmp_path: Path, written: str) -> None:
    """A topic may be called like what holds properties."""
    scenario = {**SCENARIO, "topics": {**SCENARIO["topics"], "eu.config.orders": {"partitions": 1}}}
    property_name = "producers.checkout.config.sasl.password"
    study = tmp_path / "study.yaml"
    (tmp_path / "scenario.yaml").write_text(json.dumps(scenario), encoding="utf-8")
    study.write_text(
        f"study: digits\nscenario: scenario.yaml\nobjective: {json.dumps(THROUGHPUT)}\n"
        f"set: {{{property_name}: {written}, topics.eu.config.orders.partitions: 6}}\n",
        encoding="utf-8",
    )
    found = load_study(study, environ={}).loaded.scenario

    assert found.producers["checkout"].config["sasl.password"] == written
    assert found.topics["eu.config.orders"].partitions == 6


def test_constraints_are_judged_beside_the_scenarios_thresholds(tmp_path: Path) -> None:
    found = loaded(tmp_path, constraints={"publish_latency": ["p99 < 1s", "p50 < 5ms"]})
    judged = found.loaded.scenario.thresholds["publish_latency"]

    assert [one.text for one in judged] == ["p99 < 1s", "p50 < 5ms"]
    assert found.study.constraints == found.loaded.scenario.thresholds


def test_a_constraint_may_be_of_what_only_some_trials_have(tmp_path: Path) -> None:
    """A trial has no codec: what it is run with is still a sound scenario."""
    space = {f"{TRACKER}.compression.type": {"choices": ["none", "zstd"]}}
    constraints = {"compression_ratio{producer=tracker}": ["value > 2"]}
    found = loaded(tmp_path, search_space=space, constraints=constraints, baseline="scenario")
    trial = with_values(found.loaded, found.study.space.default())

    assert trial.scenario.thresholds == found.loaded.scenario.thresholds


@pytest.mark.parametrize(
    "keys",
    [
        {"constraints": {"compression_ratio{producer=tracker}": ["value > 2"]}},
        {"objective": {"maximize": "producers.tracker.compression_ratio"}},
    ],
)
def test_what_the_default_can_not_tell_is_refused(tmp_path: Path, keys: dict[str, object]) -> None:
    """The default of compression.type is none, whatever the scenario has."""
    space = {f"{TRACKER}.compression.type": {"choices": ["none", "zstd"]}}
    with pytest.raises(ScenarioError, match="compress"):
        loaded(tmp_path, search_space=space, **keys)


@pytest.mark.parametrize(
    ("knob", "domain"),
    [
        ("topics.orders.replication_factor", {"low": 4, "high": 9}),
        (f"{TRACKER}.linger.ms", {"low": 400_000, "high": 900_000}),
    ],
)
def test_a_space_in_which_nothing_can_be_run_is_refused(
    tmp_path: Path, knob: str, domain: dict[str, object]
) -> None:
    with pytest.raises(ScenarioError):
        loaded(tmp_path, search_space={knob: domain})


def test_rules_that_the_default_alone_keeps_are_refused(tmp_path: Path) -> None:
    """The default is no trial: none could be proposed."""
    linger, batch = f"{CHECKOUT}.linger.ms", f"{CHECKOUT}.batch.size"
    space = {
        linger: {"low": 0.5, "high": 100, "log": True},
        batch: {"low": "16KiB", "high": "2MB", "log": True},
    }
    at_default = [f"{linger} {op} 5" for op in ("<=", ">=")] + [f"{batch} {op} 1MB" for op in ("<=", ">=")]
    with pytest.raises(ScenarioError, match="no trial can keep all rules together"):
        loaded(tmp_path, search_space=space, rules=at_default)


def test_rules_see_what_is_searched_by_either_name(tmp_path: Path) -> None:
    in_flight = f"{CHECKOUT}.max.in.flight.requests.per.connection"
    space = loaded(tmp_path, search_space={in_flight: {"low": 1, "high": 20}}).study.space

    assert space.violations({in_flight: 6})
    assert not space.violations({in_flight: 5})


def test_the_largest_batch_is_held_against_what_brokers_are_set_to_take(tmp_path: Path) -> None:
    batch, most = f"{CHECKOUT}.batch.size", "cluster.config.message.max.bytes"
    space = {batch: {"low": "1MB", "high": "2MB"}, most: {"choices": [1_000_000, 16_000_000]}}
    scenario = {**SCENARIO, "producers": {"checkout": {**SCENARIO["producers"]["checkout"]}}}  # type: ignore[index]
    scenario["producers"]["checkout"]["config"] = {"message.max.bytes": 8_000_000}  # type: ignore[index]
    found = loaded(tmp_path, scenario, search_space=space).study.space

    assert not found.violations({batch: 2_000_000, most: 16_000_000})
    assert found.violations({batch: 2_000_000, most: 1_000_000})


def test_several_objectives_keep_their_order(tmp_path: Path) -> None:
    latency = {"minimize": "producers.checkout.publish_latency_us.p99"}

    assert loaded(tmp_path, objective=[THROUGHPUT, latency]).study.objectives == (
        Objective(THROUGHPUT["maximize"], "maximize"),
        Objective(latency["minimize"], "minimize"),
    )


def test_a_conditional_knob_is_absent_where_it_is_not_active_although_the_scenario_sets_it(
    tmp_path: Path,
) -> None:
    codec, level = f"{TRACKER}.compression.type", f"{TRACKER}.compression.level"
    found = loaded(tmp_path, search_space={codec: "default", level: "default"})

    assert "compression.level" not in found.loaded.scenario.producers["tracker"].config
    assert found.study.own[level] == 9


def test_a_default_knob_whose_condition_the_scenario_meets_for_good_is_always_active(tmp_path: Path) -> None:
    level = f"{TRACKER}.compression.level"
    space = loaded(tmp_path, search_space={level: "default"}).study.space

    assert space.knobs[0].when == ()
    assert space.active({level: 3}) == {level: 3}


def test_a_durability_knob_is_searched_only_where_it_is_named_and_warned_of(tmp_path: Path) -> None:
    named = {f"{CHECKOUT}.acks": {"choices": ["all", 1]}, f"{CHECKOUT}.linger.ms": "default"}
    found = loaded(tmp_path, search_space=named)

    assert found.study.space.unlocked == (f"{CHECKOUT}.acks",)
    assert any(f"{CHECKOUT}.acks is searched" in warning for warning in found.warnings)
    assert loaded(tmp_path).study.space.unlocked == ()


def test_a_throughput_that_the_schedule_holds_is_warned_of(tmp_path: Path) -> None:
    held = loaded(tmp_path, set={"producers.checkout.schedule.rate": "1k/s"})

    assert any("can't be more than the schedule's rate" in warning for warning in held.warnings)
    of_topic = {"maximize": "topics.orders.throughput.records_per_s"}
    paced = {f"producers.{name}.schedule.rate": "1k/s" for name in SCENARIO["producers"]}  # type: ignore[attr-defined]
    held = loaded(tmp_path, set=paced, objective=of_topic)
    assert any("topics.orders.throughput.records_per_s can't be more" in warning for warning in held.warnings)
    assert not loaded(tmp_path).warnings


def test_what_never_came_through_is_a_constraint_and_no_objective(tmp_path: Path) -> None:
    with pytest.raises(ScenarioError, match=r"may be 0 in a good run.*: make it a constraint"):
        loaded(tmp_path, objective={"minimize": "producers.checkout.publish_latency_us.missing"})


def test_capacity_is_an_objective_where_the_rate_can_be_set(tmp_path: Path) -> None:
    study = loaded(tmp_path, objective={"maximize": "capacity"}).study
    assert study.objectives == (Objective("capacity", "maximize"),)

    ramp = {"producers.checkout.schedule.rate": "1k/s"}
    with pytest.raises(ScenarioError, match="in what ratio"):
        loaded(tmp_path, objective={"maximize": "capacity"}, set=ramp)


@pytest.mark.parametrize("objective", [THROUGHPUT, {"maximize": "capacity"}])
def test_trials_that_would_read_earlier_ones_records_are_refused_once(
    tmp_path: Path, objective: dict[str, str]
) -> None:
    there = {**SCENARIO, "topics": {"orders": {"existing": True}}}
    with pytest.raises(ScenarioError, match="billing would read earlier runs' records") as refused:
        loaded(tmp_path, there, objective=objective, search_space={f"{CHECKOUT}.linger.ms": "default"})

    assert refused.value.message.count("earlier runs' records") == 1
    assert "auto.offset.reset=latest" in refused.value.message


def test_secrets_stay_in_the_scenario_that_is_run(tmp_path: Path) -> None:
    found = loaded(tmp_path, search_space={f"{TRACKER}.compression.level": {"choices": [1, 3]}})

    assert found.loaded.scenario.producers["checkout"].config["sasl.password"] == "hunter2"
    assert "hunter2" not in repr(found)


def test_the_objective_is_read_off_a_result() -> None:
    from loadlab.results.model import RunResult  # noqa: PLC0415

    text = (Path(__file__).parent / "data" / "result-v1.json").read_text(encoding="utf-8")
    result = RunResult.model_validate(json.loads(text))
    name, producer = next(iter(result.producers.items()))

    field = f"producers.{name}.throughput.records_per_s"
    assert value_of(result, field) == producer.throughput.records_per_s
    assert value_of(result, f"producers.{name}.publish_latency_us.p99") == producer.publish_latency_us.p99
    assert value_of(result, "producers.nobody.throughput.records_per_s") is None


def test_an_objective_is_judged_by_its_own_group_where_another_ones_name_begins_it(tmp_path: Path) -> None:
    at_max = SCENARIO["producers"]["checkout"]  # type: ignore[index]
    paced = {**at_max, "schedule": {"rate": "10k/s"}}
    scenario = {**SCENARIO, "producers": {"checkout": paced, "checkout.eu": at_max}}
    late = {"minimize": "producers.checkout.send_delay_us.p99"}

    assert loaded(tmp_path, scenario, objective=late).study.objectives[0].field == late["minimize"]
    with pytest.raises(ScenarioError, match="nothing can be late"):
        loaded(tmp_path, scenario, objective={"minimize": "producers.checkout.eu.send_delay_us.p99"})


def test_a_study_as_data_has_the_rules_of_its_file_and_no_others(tmp_path: Path) -> None:
    """Kafka's own hold with conditions: written as this study's they would hold always."""
    space = {f"{TRACKER}.max.in.flight": {"low": 1, "high": 20}, f"{TRACKER}.batch.size": "default"}
    declared = [f"{TRACKER}.batch.size >= 20000"]
    study = loaded(tmp_path, search_space=space, rules=declared).study

    assert len(study.space.rules) > len(declared)
    assert study_document(study)["rules"] == declared


def test_a_study_without_a_search_space_searches_the_default_one(tmp_path: Path) -> None:
    study = loaded(tmp_path).study

    assert f"{CHECKOUT}.linger.ms" in {knob.name for knob in study.space.knobs}
    assert study.seed == 1
    assert load(study.scenario).scenario.name == SCENARIO["name"]


def test_a_rule_compares_sizes_whatever_their_units(tmp_path: Path) -> None:
    """One of the two is in KiB: by their numbers alone hardly any assignment would keep it."""
    space = {
        f"{CHECKOUT}.batch.size": {"low": "100KiB", "high": "1MB"},
        f"{CHECKOUT}.queue.buffering.max.kbytes": {"low": "1MiB", "high": "64MiB"},
    }
    kept = loaded(tmp_path, search_space=space, rules=[" <= ".join(space)])
    assert not any("is not tried" in warning for warning in kept.warnings)
    assert all(not kept.study.space.violations(assignment) for _, assignment in presets(kept.study))
    (rule,) = [one for one in kept.study.space.rules if one.names == tuple(space)]
    assert str(rule.broken(dict(zip(space, (1_000_000, 64), strict=True)))).endswith(
        "does not hold with 1000000 and 64 times 1024"
    )
    broken = f"{CHECKOUT}.batch.size >= {CHECKOUT}.queue.buffering.max.kbytes"
    with pytest.raises(
        ScenarioError, match=r"no trial can keep .* \(.* is 102400 to 1000000, .* 1024 to 65536\)"
    ):
        loaded(tmp_path, search_space=space, rules=[broken])


def test_presets_that_a_rule_keeps_from_being_tried_are_told(tmp_path: Path) -> None:
    space = {f"{CHECKOUT}.batch.size": {"low": "16KiB", "high": "1MB"}}
    warnings = loaded(tmp_path, search_space=space, rules=[f"{CHECKOUT}.batch.size >= 64KiB"]).warnings
    assert any(warning.startswith("the preset production is not tried: ") for warning in warnings)


@pytest.mark.parametrize(
    ("codec", "high", "warned"),
    [("gzip", 12, "gzip has no level above 9"), ("snappy", 3, "snappy has no levels"), ("lz4", 12, "")],
)
def test_levels_that_a_codec_does_not_have_are_told(
    tmp_path: Path, codec: str, high: int, warned: str
) -> None:
    kind, level = f"{CHECKOUT}.compression.type", f"{CHECKOUT}.compression.level"
    space = {kind: {"choices": ["none", codec]}, level: {"low": 1, "high": high, "when": {kind: [codec]}}}
    warnings = loaded(tmp_path, search_space=space).warnings
    assert [warned in warning for warning in warnings if "compression.level: " in warning] == [True] * bool(
        warned
    )


def test_rules_that_nothing_keeps_together_are_refused_though_each_can_be_kept(tmp_path: Path) -> None:
    batch = f"{CHECKOUT}.batch.num.messages"
    space = {batch: {"low": 1, "high": 100_000}}
    with pytest.raises(ScenarioError, match=r"rules: no trial can keep all rules together"):
        loaded(tmp_path, search_space=space, rules=[f"{batch} >= 5000", f"{batch} < 2000"])
    kept = loaded(tmp_path, search_space=space, rules=[f"{batch} >= 1000", f"{batch} < 2000"])
    assert len(kept.study.space.rules) == 2


def test_choices_that_have_no_value_in_common_are_never_equal(tmp_path: Path) -> None:
    space = {
        "producers.checkout.workers": {"choices": [1, 4]},
        "topics.orders.partitions": {"choices": [2, 3]},
    }
    rules = ["producers.checkout.workers == topics.orders.partitions"]
    with pytest.raises(ScenarioError, match="no trial can keep all rules together"):
        loaded(tmp_path, search_space=space, rules=rules)


def test_a_constraint_by_when_records_are_due_needs_records_that_are(tmp_path: Path) -> None:
    space = {f"{CHECKOUT}.linger.ms": "default"}
    late = {"send_delay": ["p99 < 10ms"]}
    with pytest.raises(ScenarioError, match=r"constraints.send_delay: can't be measured: at rate: max"):
        loaded(tmp_path, search_space=space, constraints=late)
    # A search for capacity sets rates itself.
    loaded(tmp_path, search_space=space, constraints=late, objective={"maximize": "capacity"})


def test_a_knob_of_the_default_space_that_can_have_no_effect_is_refused(tmp_path: Path) -> None:
    codec, level = f"{TRACKER}.compression.type", f"{TRACKER}.compression.level"
    space = {codec: {"choices": ["none", "snappy", "gzip"]}, level: "default"}
    with pytest.raises(ScenarioError, match=f"{level}: has no effect, as {codec} is never lz4 or zstd"):
        loaded(tmp_path, search_space=space)


def test_a_bound_that_another_knob_may_make_right_is_left_to_the_trials(tmp_path: Path) -> None:
    factor, brokers = "topics.orders.replication_factor", "cluster.brokers"
    space = {factor: {"low": 2, "high": 4}, brokers: {"low": 3, "high": 4}}
    assert len(loaded(tmp_path, search_space=space).study.space.knobs) == 2
    with pytest.raises(ScenarioError, match="4 replicas need 4 brokers, and the cluster has 3"):
        loaded(tmp_path, search_space={factor: space[factor]})
