"""What holds of every study, whatever it searches: found by trying many."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import optuna
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from study_samples import CHECKOUT, TRACKER, loaded

from loadlab.errors import ScenarioError
from loadlab.scenario.document import value_at
from loadlab.scenario.overrides import resolve_path
from loadlab.tuning.apply import with_values
from loadlab.tuning.presets import presets
from loadlab.tuning.space import Assignment, ChangeCost, Choices, Knob, Range, SearchSpace, When

if TYPE_CHECKING:
    from loadlab.tuning.study_model import LoadedStudy

optuna.logging.set_verbosity(optuna.logging.WARNING)

LOCKED = (
    ("producers", "checkout", "config", "acks"),
    ("producers", "checkout", "config", "enable.idempotence"),
    ("producers", "tracker", "config", "acks"),
    ("producers", "tracker", "config", "enable.idempotence"),
    ("topics", "orders", "replication_factor"),
    ("topics", "orders", "config"),
    ("cluster", "config", "unclean.leader.election.enable"),
    ("cluster", "config", "min.insync.replicas"),
)
CODEC, LEVEL = f"{TRACKER}.compression.type", f"{TRACKER}.compression.level"
LINGER, BATCH = f"{CHECKOUT}.linger.ms", f"{CHECKOUT}.batch.size"
NUMBERS = {
    LINGER: (0, 1000),
    BATCH: (1, 2_000_000),
    f"{CHECKOUT}.message.max.bytes": (100_000, 2_000_000),
    f"{CHECKOUT}.batch.num.messages": (1, 100_000),
    f"{CHECKOUT}.max.in.flight": (1, 10),
    "consumers.billing.config.fetch.wait.max.ms": (0, 1000),
    "topics.orders.partitions": (1, 100),
    "cluster.config.num.io.threads": (1, 64),
    "cluster.brokers": (3, 6),
    "producers.tracker.workers": (1, 8),
}


@st.composite
def ranges(draw: st.DrawFn, lowest: int, highest: int) -> dict[str, object]:
    low = draw(st.integers(lowest, highest - 1))
    high = draw(st.integers(low + 1, highest))
    if low > 0 and draw(st.booleans()):
        return {"low": low, "high": high, "log": True}
    if low + 1 < high and draw(st.booleans()):
        return {"low": low + 1, "high": high, "special": [low]}
    return {"low": low, "high": high}


@st.composite
def spaces(draw: st.DrawFn) -> dict[str, object]:
    names = draw(st.lists(st.sampled_from(sorted(NUMBERS)), unique=True, min_size=1))
    space: dict[str, object] = {name: draw(ranges(*NUMBERS[name])) for name in names}
    if draw(st.booleans()):
        space[CODEC] = {"choices": ["none", "zstd", "lz4"]}
        space[LEVEL] = {"low": 1, "high": 9, "special": [-1], "when": {CODEC: ["zstd"]}}
    return space


def study_of(space: object) -> LoadedStudy | None:
    """The study of a space; None where no trial could keep the rules, which is told when it is loaded."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            return loaded(Path(folder), search_space=space)
        except ScenarioError as error:
            assert "no trial can keep" in error.message  # noqa: PT017 - the only fault that such a space can have
            return None


def suggested(space: SearchSpace, seed: int) -> Assignment:
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed))
    return space.suggest(study.ask())


def locked(study: LoadedStudy, assignment: Assignment) -> list[object]:
    document = with_values(study.loaded, assignment).scenario.to_secret_document()
    return [value_at(document, path) for path in LOCKED]


whole = settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@whole
@given(space=st.one_of(st.just("default"), spaces()), seed=st.integers(0, 2**31))
def test_no_study_changes_a_locked_knob(space: object, seed: int) -> None:
    study = study_of(space)
    if study is None:
        return
    before = [value_at(study.loaded.scenario.to_secret_document(), path) for path in LOCKED]
    drawn = suggested(study.study.space, seed)
    for assignment in [drawn, *(assignment for _, assignment in presets(study.study))]:
        if not study.study.space.violations(assignment):
            assert locked(study, assignment) == before


@whole
@given(space=st.one_of(st.just("default"), spaces()), seed=st.integers(0, 2**31))
def test_what_is_suggested_and_breaks_no_rule_is_a_sound_scenario_that_has_it(
    space: object, seed: int
) -> None:
    study = study_of(space)
    if study is None:
        return
    drawn = suggested(study.study.space, seed)
    if study.study.space.violations(drawn):
        return
    document = with_values(study.loaded, drawn).scenario.to_secret_document()
    for name, value in drawn.items():
        written = value_at(document, resolve_path(name, document))
        assert str(written) == str(value) or name == "cluster.resources.heap"


@whole
@given(space=st.one_of(st.just("default"), spaces()), seed=st.integers(0, 2**31))
def test_the_parameters_of_an_assignment_suggest_it_again(space: object, seed: int) -> None:
    study = study_of(space)
    if study is None:
        return
    found = study.study.space
    drawn = suggested(found, seed)

    assert found.outside(drawn) == []
    assert found.suggest(optuna.trial.FixedTrial(found.parameters(drawn))) == drawn


@whole
@given(space=st.one_of(st.just("default"), spaces()))
def test_every_preset_but_the_baseline_can_be_drawn(space: object) -> None:
    study = study_of(space)
    if study is None:
        return
    found = study.study.space
    (_, baseline), *others = presets(study.study)

    assert baseline == found.default()
    for _, assignment in others:
        assert found.suggest(optuna.trial.FixedTrial(found.parameters(assignment))) == assignment


@pytest.mark.parametrize("seed", range(30))
def test_rules_hold_for_whatever_is_not_refused(seed: int, tmp_path: Path) -> None:
    space = {
        BATCH: {"low": 100_000, "high": 2_000_000},
        f"{CHECKOUT}.message.max.bytes": {"low": 500_000, "high": 1_500_000},
        f"{CHECKOUT}.compression.type": "default",
        f"{CHECKOUT}.batch.num.messages": {"low": 1000, "high": 3000},
    }
    study = loaded(tmp_path, search_space=space, rules=[f"{CHECKOUT}.batch.num.messages <= 2000"])
    drawn = suggested(study.study.space, seed)
    sound = (
        drawn[BATCH] <= drawn[f"{CHECKOUT}.message.max.bytes"]
        and drawn[f"{CHECKOUT}.batch.num.messages"] <= 2000
        and (drawn[f"{CHECKOUT}.compression.type"] != "none" or drawn[BATCH] <= 1_048_588)
    )

    assert (study.study.space.violations(drawn) == []) == sound


def test_an_inactive_knob_is_absent_and_its_parameter_is_asked_for_all_the_same(tmp_path: Path) -> None:
    space = loaded(
        tmp_path,
        search_space={
            CODEC: {"choices": ["none", "zstd"]},
            LEVEL: {"low": 1, "high": 9, "when": {CODEC: ["zstd"]}},
        },
    ).study.space

    assert space.suggest(optuna.trial.FixedTrial({CODEC: "none", LEVEL: 3})) == {CODEC: "none"}
    assert space.suggest(optuna.trial.FixedTrial({CODEC: "zstd", LEVEL: 3})) == {CODEC: "zstd", LEVEL: 3}
    assert set(space.parameters({CODEC: "none"})) == {CODEC, LEVEL}


def test_a_condition_on_an_inactive_knob_does_not_hold() -> None:
    a = Knob("a", Choices((0, 1)), ChangeCost.CLIENT)
    b = Knob("b", Choices((0, 1)), ChangeCost.CLIENT, (When("a", (1,)),))
    c = Knob("c", Choices((0, 1)), ChangeCost.CLIENT, (When("b", (1,)),))
    space = SearchSpace((a, b, c))

    assert space.active({"a": 0, "b": 1, "c": 1}) == {"a": 0}
    assert space.active({"a": 1, "b": 1, "c": 1}) == {"a": 1, "b": 1, "c": 1}


def test_a_special_value_is_told_from_the_range() -> None:
    space = SearchSpace(
        (Knob(LINGER, Range(0.5, 100.0, whole=False, log=True, special=(0.0,)), ChangeCost.CLIENT),)
    )

    assert space.parameters({LINGER: 0.0}) == {LINGER: 0.5, f"{LINGER} (special)": "0.0"}
    assert space.parameters({LINGER: 7.0}) == {LINGER: 7.0, f"{LINGER} (special)": "range"}


@pytest.mark.parametrize(
    ("domain", "value", "nearest"),
    [
        (Range(1, 9, whole=True, special=(-1,)), -1, -1),
        (Range(1, 9, whole=True, special=(-1,)), 12, 9),
        (Range(1, 9, whole=True, special=(-1,)), 0, 1),
        (Range(1, 9, whole=True, step=4), 4, 5),
        (Range(0.5, 100.0, whole=False), 5.25, 5.25),
        (Range(0.5, 100.0, whole=False), "none", None),
        (Choices(("none", "lz4")), "lz4", "lz4"),
        (Choices(("none", "lz4")), "zstd", None),
        (Choices((20_480, 1_048_576)), 1_048_588, 1_048_576),
        (Choices((20_480, "all")), 1_048_588, None),
    ],
)
def test_the_nearest_value_is_one_of_the_domain(
    domain: Range | Choices, value: str | float, nearest: str | float | None
) -> None:
    assert domain.nearest(value) == nearest
    assert nearest is None or domain.contains(nearest)


def test_a_number_of_a_range_has_no_more_digits_than_people_read() -> None:
    space = SearchSpace((Knob(LINGER, Range(0.5, 100.0, whole=False, log=True), ChangeCost.CLIENT),))

    assert space.suggest(optuna.trial.FixedTrial({LINGER: 17.238471})) == {LINGER: 17.2}


@pytest.mark.parametrize(
    ("assignment", "reason"),
    [
        ({LINGER: 5.0}, "consumers has no value"),
        ({LINGER: 0.1, "consumers": 1}, f"{LINGER}=0.1 is not searched"),
        ({LINGER: 5.0, "consumers": 1, "other": 1}, "other is not searched"),
    ],
)
def test_what_can_not_be_drawn_has_no_parameters(assignment: Assignment, reason: str) -> None:
    linger = Knob(LINGER, Range(0.5, 100.0, whole=False), ChangeCost.CLIENT)
    space = SearchSpace((linger, Knob("consumers", Choices((1, 2)), ChangeCost.CLIENT)))

    with pytest.raises(ValueError, match=reason):
        space.parameters(assignment)


def test_a_change_costs_what_the_dearest_part_of_it_costs(tmp_path: Path) -> None:
    names = (LINGER, "topics.orders.partitions", "cluster.config.num.io.threads")
    space = loaded(tmp_path, search_space=dict.fromkeys(names, "default")).study.space
    start = dict(zip(names, (5.0, 6, 8), strict=True))
    costs = [space.cost(start, {**start, name: 1}) for name in names]

    assert costs == [ChangeCost.CLIENT, ChangeCost.TOPIC, ChangeCost.BROKER]
    assert sorted(costs) == costs
    assert space.cost(start, dict.fromkeys(names, 1)) == ChangeCost.BROKER
    assert space.cost(start, dict(start)) == ChangeCost.NONE


def test_what_librdkafka_refuses_beside_another_value_is_refused_before_a_run(tmp_path: Path) -> None:
    idempotence = f"{TRACKER}.enable.idempotence"
    space = {idempotence: {"choices": [True, False]}, f"{TRACKER}.acks": {"choices": ["all", 1]}}
    study = loaded(tmp_path, search_space=space)

    with pytest.raises(ScenarioError, match=f"the trial: {TRACKER}.acks: librdkafka refuses it"):
        with_values(study.loaded, {idempotence: "true", f"{TRACKER}.acks": 1})
