"""What a study's conclusion says beside the gain: other objectives, and limits as people read them."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest
from bench_samples import CODEC, KNOBS, THROUGHPUT, Lab, broken, invalid, study, tuned

from loadlab.analysis.knobs import UNSET
from loadlab.errors import RunError
from loadlab.tuning.conclude import _different, _weakened
from loadlab.tuning.knobs import is_weaker
from loadlab.tuning.space import SearchSpace
from loadlab.tuning.study_model import LoadedStudy, Objective

if TYPE_CHECKING:
    from pathlib import Path

    from loadlab.results.model_study import Measurement
    from loadlab.tuning.space import Assignment

TAIL = "producers.checkout.publish_latency_us.p999"


def two_objectives() -> LoadedStudy:
    objectives = (Objective(THROUGHPUT, "maximize"), Objective(TAIL, "minimize"))
    return study(objectives=objectives)


def with_tail(assignment: Assignment, measured: Measurement) -> Measurement:
    """The p999 beside it: 20 ms, and ten times that where the throughput is best."""
    (rate,) = measured.values
    tail_us = 200_000.0 if assignment[CODEC] == "lz4" else 20_000.0
    # With the same noise, so that the tail is not the same number each time.
    return measured.model_copy(update={"values": (rate, tail_us * rate / 100_000)})


def test_what_another_objective_lost_is_a_cost(tmp_path: Path) -> None:
    answer = tuned(tmp_path, Lab(judge=with_tail), two_objectives()).result.answer
    assert answer is not None
    (cost,) = answer.costs
    assert (cost.label, cost.unit) == ("publish p999", "µs")
    assert cost.recommended > 10 * cost.default
    assert "ms publish p999" in answer.sentences
    assert "cost: none seen" not in answer.sentences


def test_a_default_that_failed_in_a_block_leaves_the_others_beside_each_other(tmp_path: Path) -> None:
    def judge(assignment: Assignment, measured: Measurement) -> Measurement:
        told = with_tail(assignment, measured)
        return invalid(told) if 15 <= len(lab.measured) < 20 else told

    lab = Lab(judge=judge)
    with pytest.raises(RunError, match="the default could not be measured"):
        tuned(tmp_path, lab, two_objectives())
    (folder,) = tmp_path.iterdir()
    result = tuned(tmp_path, Lab(judge=with_tail), two_objectives(), resume=folder.name).result
    assert [run for run in result.settled("confirm") if not run.measured.counts]
    assert result.answer is not None
    assert [cost.label for cost in result.answer.costs] == ["publish p999"]


@pytest.mark.parametrize(
    ("expression", "label"),
    [
        ("publish_latency p99 < 50ms", "publish p99"),
        ("publish_latency p99<50ms", "publish p99"),
        ("end_to_end_latency{consumer=web_app} p99.5<=1s", "end to end{consumer=web_app} p99.5"),
    ],
)
def test_a_limit_is_named_by_its_metric_and_stat_however_it_is_written(
    tmp_path: Path, expression: str, label: str
) -> None:
    kept = broken(expression).model_copy(update={"measured": 40_000.0, "violation": -0.2})

    def judge(_: Assignment, measured: Measurement) -> Measurement:
        return measured.model_copy(update={"constraints": (kept,)})

    answer = tuned(tmp_path, Lab(judge=judge)).result.answer
    assert answer is not None
    assert [limit.label for limit in answer.limits] == [label]
    assert f"{label} 40 ms (limit 50 ms)" in answer.sentences


def test_costs_of_runs_that_are_gone_are_not_known_and_the_answer_is_told(tmp_path: Path) -> None:
    def judge(_: Assignment, measured: Measurement) -> Measurement:
        return measured.model_copy(update={"run_id": "20260101T000000-orders-gone"})

    answer = tuned(tmp_path, Lab(judge=judge)).result.answer
    assert answer is not None
    assert answer.recommends
    assert "; cost: not known, as runs of the confirmation are no longer stored." in answer.sentences


ACKS, REPLICAS = "producers.checkout.config.acks", "topics.orders.config.min.insync.replicas"


@pytest.mark.parametrize(
    ("path", "value", "than", "weaker"),
    [
        (ACKS, "1", "all", True),
        (ACKS, "0", "1", True),
        (ACKS, "all", "1", False),
        (ACKS, "-1", "all", False),
        (REPLICAS, 1, 2, True),
        (REPLICAS, 2, 1, False),
        ("topics.orders.replication_factor", 1, 3, True),
        ("producers.checkout.config.enable.idempotence", "false", "true", True),
        ("producers.checkout.config.enable.idempotence", "true", "false", False),
        ("cluster.config.unclean.leader.election.enable", "true", "false", True),
        ("cluster.config.unclean.leader.election.enable", "TRUE", "false", True),
        ("cluster.config.unclean.leader.election.enable", "false", "true", False),
        ("topics.orders.config.flush.messages", 1000, 1, True),
        ("cluster.config.log.flush.interval.ms", 1, 1000, False),
        ("cluster.brokers", 1, 3, True),
        (REPLICAS, 2, None, True),
    ],
)
def test_durability_is_weaker_where_less_is_promised(
    path: str, value: str | int, than: str | int | None, weaker: bool
) -> None:
    assert is_weaker(path, value, than) == weaker


@pytest.mark.parametrize(
    ("own", "winner", "weaker"),
    [("true", "false", True), ("false", "true", False), ("false", "false", False), (None, "true", False)],
)
def test_durability_is_held_against_the_scenario_and_not_against_the_default(
    own: str | None, winner: str, weaker: bool
) -> None:
    name = "producers.checkout.config.enable.idempotence"
    searched = study(space=SearchSpace(KNOBS, unlocked=(name,)), own={} if own is None else {name: own}).study
    result = SimpleNamespace(
        default=SimpleNamespace(assignment={name: "false"}),
        trial=lambda _: SimpleNamespace(assignment={name: winner}),
    )
    assert _weakened(searched, result, 1) == ({name: winner} if weaker else {})  # type: ignore[arg-type]


def test_what_the_scenario_sets_for_durability_and_the_winner_does_not_is_told() -> None:
    """A knob that has no effect beside the winner's other values is left out there: Kafka's default holds."""
    name = "topics.orders.config.min.insync.replicas"
    searched = study(space=SearchSpace(KNOBS, unlocked=(name,)), own={name: 2}).study
    result = SimpleNamespace(
        default=SimpleNamespace(assignment={name: 2}), trial=lambda _: SimpleNamespace(assignment={})
    )
    assert _weakened(searched, result, 1) == {name: UNSET}  # type: ignore[arg-type]
    assert _different(result, 1) == {name: UNSET}  # type: ignore[arg-type]


def test_a_setting_that_the_winner_leaves_to_a_safer_default_is_no_loss() -> None:
    name = "producers.checkout.config.acks"
    searched = study(space=SearchSpace(KNOBS, unlocked=(name,)), own={name: "1"}).study
    result = SimpleNamespace(
        default=SimpleNamespace(assignment={name: "1"}), trial=lambda _: SimpleNamespace(assignment={})
    )
    assert _weakened(searched, result, 1) == {}  # type: ignore[arg-type]
