"""What may be compared, what comes out, and how it is told."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner, Result
from result_samples import environment, producer, result

from loadlab.analysis.comparable import KINDS
from loadlab.cli.main import cli
from loadlab.results import reader
from loadlab.results.artifacts import Artifacts
from loadlab.results.model import (
    SCHEMA_VERSION,
    ClusterUsed,
    Reason,
    Reconciliation,
    RunResult,
    Threshold,
    Verdict,
)
from loadlab.results.runset import Repetition, RunSet, save_set
from loadlab.results.store import save

if TYPE_CHECKING:
    from pathlib import Path

KAFKA = {"provider": "docker", "kind": "kafka", "kafka_version": "4.3.1", "brokers": 1, "network": "host"}
INVALID = Verdict(
    status="invalid",
    reasons=(Reason(code="generator_limited", message="it was", severity="invalid"),),
)


def scenario(**parts: object) -> dict[str, object]:
    plain: dict[str, object] = {
        "name": "quickstart",
        "cluster": {"provider": "docker", "brokers": 1},
        "topics": {"orders": {"partitions": 6, "replication_factor": 1, "config": {}}},
        "producers": {
            "checkout": {
                "topic": "orders",
                "workers": 1,
                "schedule": {"rate": "20k/s"},
                "config": {"linger.ms": "5"},
            }
        },
        "consumers": {"billing": {"topic": "orders", "config": {}}},
        "phases": {"measure": "30s"},
    }
    return {**plain, **parts}


def run(run_id: str, rate: float = 20_000.0, **changes: object) -> RunResult:
    group = producer().model_dump()
    group["throughput"]["records_per_s"] = rate
    return result(run_id=run_id, **{"producers": {"checkout": group}, "scenario": scenario(), **changes})


class Compared:
    """Stores runs and sets, and compares them on the command line."""

    def __init__(self, results: Path) -> None:
        self.results = results

    def keep(self, *runs: RunResult) -> None:
        for each in runs:
            save(each, Artifacts(), self.results)

    def keep_set(self, set_id: str, *runs: RunResult) -> None:
        self.keep(*runs)
        repetitions = tuple(
            Repetition(repetition=number, run_id=each.run_id, seed=1, status=each.verdict.status, used=True)
            for number, each in enumerate(runs, start=1)
        )
        save_set(
            RunSet(
                loadlab_version="0.1.0",
                set_id=set_id,
                name="quickstart",
                started_at=runs[0].started_at,
                scenario={},
                seed=1,
                fresh_clusters=False,
                requested=len(runs),
                runs=repetitions,
                headline={},
            ),
            self.results,
        )

    def rates(self, set_id: str, *rates: float, **changes: object) -> None:
        """A set of runs that differ in their throughput alone."""
        self.keep_set(
            set_id, *(run(f"{set_id}{number}", rate, **changes) for number, rate in enumerate(rates))
        )

    def told(self, *arguments: str) -> Result:
        return CliRunner().invoke(cli, ["compare", *arguments, "--results-dir", str(self.results)])

    def document(self, *arguments: str) -> dict[str, list[dict[str, object]]]:
        told = self.told(*arguments, "--format", "json")
        assert told.exit_code == 0, told.stderr
        document: dict[str, list[dict[str, object]]] = json.loads(told.stdout)
        return document


@pytest.fixture
def compared(tmp_path: Path) -> Compared:
    return Compared(tmp_path)


def test_a_clear_difference_is_said_as_a_ratio_with_its_interval(compared: Compared) -> None:
    compared.rates("a", 19_900, 20_000, 20_100, 20_050)
    compared.rates("b", 23_500, 23_600, 23_700, 23_650)
    told = compared.told("a", "b")

    assert told.exit_code == 0, told.stderr
    sentence = told.stdout.splitlines()[0]
    assert sentence.startswith(
        "B acks 1.18 (1.17–1.19) times as many records a second; no difference seen in"
    )
    (throughput,) = (line for line in told.stdout.splitlines() if line.startswith("throughput"))
    assert throughput.endswith("  higher: better")


def test_what_lies_within_the_noise_is_no_difference(compared: Compared) -> None:
    compared.rates("a", 19_000, 20_000, 21_000, 20_500)
    compared.rates("b", 20_500, 21_500, 20_000, 19_800)

    assert compared.told("a", "b").stdout.startswith("No difference seen in throughput, publish p50,")


def test_two_single_runs_make_ratios_and_no_claim(compared: Compared) -> None:
    compared.keep(run("a", 20_000), run("b", 40_000))
    told = compared.told("a", "b")

    assert told.exit_code == 0
    assert told.stdout.startswith("No interval can be made of these runs, so no difference is claimed.")
    assert "2.00 (no interval)" in told.stdout
    assert "higher" not in told.stdout


def test_a_difference_that_may_be_one_of_many_is_unclear(compared: Compared) -> None:
    compared.rates("a", 19_700, 20_100, 20_400)
    compared.rates("b", 21_000, 21_600, 21_500)
    row = compared.document("a", "b")["rows"][0]

    assert row["finding"] == "unclear"
    assert float(str(row["p_value"])) < 0.05 < float(str(row["adjusted_p"]))


def test_pairs_are_those_of_one_number(compared: Compared) -> None:
    rates = (10_000, 20_000, 15_000, 30_000)
    compared.rates("a", *rates)
    compared.rates("b", *(1.3 * rate * (1 + step / 500) for step, rate in enumerate(rates)))

    assert compared.document("a", "b")["rows"][0]["finding"] == "no difference seen"
    assert compared.document("a", "b", "--paired")["rows"][0]["finding"] == "higher"


def test_a_pair_without_a_fellow_is_left_out(compared: Compared) -> None:
    compared.keep_set("a", run("a0"), run("a1", verdict=INVALID), run("a2"))
    compared.keep_set("b", run("b0"), run("b1"), run("b2"), run("b3"))
    document = compared.document("a", "b", "--paired")

    assert [side["runs"] for side in (document["baseline"], document["contender"])] == [
        ["a0", "a2"],
        ["b0", "b2"],
    ]


def test_lost_records_are_told_whatever_else(compared: Compared) -> None:
    lost = Reconciliation(acked=10, log_end_growth=10, lost=3, duplicated=0, reordered=0, unexplained=0)
    compared.rates("a", 1_000, 1_000)
    compared.rates("b", 1_000, 1_000, reconciliation=lost)

    assert "lost records: 0 in A, 6 in B" in compared.told("a", "b").stdout


def _config(**properties: str) -> dict[str, object]:
    group = {"topic": "orders", "workers": 1, "schedule": {"rate": "20k/s"}, "config": properties}
    return {"scenario": scenario(producers={"checkout": group})}


def test_what_the_scenario_sets_of_clients_may_differ_and_is_listed(compared: Compared) -> None:
    compared.keep(run("a"), run("b", **_config(**{"linger.ms": "50", "acks": "all"})))
    told = compared.told("a", "b")

    assert told.exit_code == 0, told.stderr
    assert "differs  producers.checkout.config.linger.ms: 5 → 50" in told.stdout
    # What was in force is judged instead.
    assert "config.acks" not in told.stdout


def test_a_run_that_is_older_than_a_key_of_scenarios_is_no_other_load(compared: Compared) -> None:
    compared.keep(run("a0", scenario=scenario(faults=[])), run("b0", scenario=scenario()))
    assert compared.told("a0", "b0").exit_code == 0


def test_another_trace_in_the_same_file_is_another_load(compared: Compared) -> None:
    one, other = (
        environment().model_copy(update={"traces": {"checkout": digest}}) for digest in ("aa", "bb")
    )
    compared.keep(run("a", environment=one), run("b", environment=other), run("c", environment=one))

    refused = compared.told("a", "b")
    assert refused.exit_code == 2
    assert "environment.traces.checkout is aa in A, bb in B" in refused.stderr
    assert compared.told("a", "b", "--allow", "scenario").exit_code == 0
    assert compared.told("a", "c").exit_code == 0


@pytest.mark.parametrize(
    ("topics", "cluster"),
    [
        ({"orders": {"partitions": 12, "replication_factor": 1, "config": {}}}, {"provider": "docker"}),
        (
            {"orders": {"partitions": 6, "replication_factor": 1, "config": {"segment.bytes": "1000000"}}},
            {"provider": "docker", "config": {"num.io.threads": "16"}},
        ),
    ],
)
def test_topics_and_brokers_may_differ(compared: Compared, topics: object, cluster: object) -> None:
    compared.keep(run("a"), run("b", scenario=scenario(topics=topics, cluster=cluster)))

    assert compared.told("a", "b").exit_code == 0


def test_of_clusters_that_stood_already_those_are_told_and_not_what_the_scenario_asks_for(
    compared: Compared,
) -> None:
    standing = ClusterUsed.model_validate({**KAFKA, "brokers": 3, "config": {"num.io.threads": "16"}})
    asked_for = scenario(cluster={"provider": "docker", "config": {"num.network.threads": "9"}})
    compared.keep(run("a", scenario=asked_for), run("b", cluster=standing))
    told = compared.told("a", "b")

    assert told.exit_code == 0, told.stderr
    assert "differs  cluster.brokers: 1 → 3" in told.stdout
    assert "cluster.config.num.io.threads: not known → 16" in told.stdout
    assert "num.network.threads" not in told.stdout


def _environment(**changes: object) -> dict[str, object]:
    return {"environment": environment().model_copy(update=changes)}


def _acks(value: str) -> dict[str, object]:
    return _environment(client_config={"producer/checkout": {"request.required.acks": value}})


def _topics(**config: str) -> dict[str, object]:
    return {"orders": {"partitions": 6, "replication_factor": 1, "config": config}}


REFUSED = {
    "another name": (
        "scenario",
        {},
        {"scenario": scenario(name="other")},
        "scenario.name is quickstart in A",
    ),
    "another rate": (
        "scenario",
        {},
        {"scenario": scenario(phases={"measure": "60s"})},
        "scenario.phases.measure is 30s in A, 60s in B",
    ),
    "fewer acks": (
        "durability",
        _acks("-1"),
        _acks("1"),
        "environment.client_config.producer/checkout.request.required.acks is -1 in A, 1 in B",
    ),
    "fewer replicas": (
        "durability",
        {},
        {"scenario": scenario(topics={"orders": {"partitions": 6, "replication_factor": 3, "config": {}}})},
        "scenario.topics.orders.replication_factor is 1 in A, 3 in B",
    ),
    "min.insync.replicas": (
        "durability",
        _environment(topic_config={"orders": {"min.insync.replicas": "2"}}),
        _environment(topic_config={"orders": {"min.insync.replicas": "1"}}),
        "environment.topic_config.orders.min.insync.replicas is 2 in A, 1 in B",
    ),
    "min.insync.replicas that no broker told": (
        "durability",
        {"scenario": scenario(topics=_topics(**{"min.insync.replicas": "1"}))},
        {"scenario": scenario(topics=_topics(**{"min.insync.replicas": "2"}))},
        "scenario.topics.orders.min.insync.replicas is 1 in A, 2 in B",
    ),
    "flush": (
        "durability",
        _environment(flush={"log.flush.interval.messages": "1"}),
        {},
        "environment.flush.log.flush.interval.messages is 1 in A, not known in B",
    ),
    "another machine": ("machine", {}, _environment(cores=64), "environment.cores is 2 in A, 64 in B"),
    "more memory": ("machine", {}, _environment(memory_bytes=16_000_000_000), "environment.memory_bytes is"),
    "another provider": (
        "provider",
        {},
        {"cluster": ClusterUsed.model_validate({**KAFKA, "provider": "local", "network": None})},
        "cluster.provider is docker in A, local in B",
    ),
    "another Kafka": (
        "kafka",
        {},
        {"cluster": ClusterUsed.model_validate({**KAFKA, "kafka_version": "3.9.1"})},
        "cluster.kafka_version is 4.3.1 in A, 3.9.1 in B",
    ),
    "another librdkafka": (
        "librdkafka",
        {},
        _environment(librdkafka="2.10.0"),
        "environment.librdkafka is 2.16.1 in A, 2.10.0 in B",
    ),
    "another loadlab": (
        "loadlab",
        {},
        {"loadlab_version": "0.2.0"},
        "loadlab_version is 0.1.0 in A, 0.2.0 in B",
    ),
    "another commit": (
        "loadlab",
        _environment(git_commit="aaaa"),
        _environment(git_commit="bbbb"),
        "environment.git_commit is aaaa in A, bbbb in B",
    ),
    "an invalid run": ("invalid", {}, {"verdict": INVALID}, "B (b) is invalid: generator_limited"),
    "an interrupted run": ("cut-short", {"interrupted": True}, {}, "A (a) was cut short"),
    "a run that a threshold ended": (
        "cut-short",
        {},
        {"thresholds": (Threshold(expression="x", measured=9.0, passed=False, ended_run_at_s=3.0),)},
        "B (b) was cut short",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_not_alike_is_refused_by_name_and_can_be_allowed(compared: Compared, case: str) -> None:
    kind, of_baseline, of_contender, words = REFUSED[case]
    compared.keep(run("a", **of_baseline), run("b", **of_contender))
    refused = compared.told("a", "b")
    allowed = compared.told("a", "b", "--allow", kind)

    assert refused.exit_code == 2
    assert f"  {kind}: {words}" in refused.stderr
    assert f"--allow {kind}" in refused.stderr
    assert refused.stdout == ""
    assert allowed.exit_code == 0, allowed.stderr
    assert f"compared although {words}" in allowed.stdout


def test_a_run_is_not_compared_with_itself(compared: Compared) -> None:
    compared.rates("a", 1_000, 2_000)

    assert "  same-run: both sides have the run a0" in compared.told("a", "a0").stderr
    assert compared.told("a", "a", "--allow", "same-run").exit_code == 0


def test_two_schema_versions_are_said(compared: Compared, monkeypatch: pytest.MonkeyPatch) -> None:
    newer = SCHEMA_VERSION + 1
    monkeypatch.setattr(reader, "SCHEMA_VERSION", newer)
    monkeypatch.setattr(reader, "_UPGRADES", {SCHEMA_VERSION: lambda document: document})
    compared.keep(run("a"), run("b", schema_version=newer))

    told = compared.told("a", "b")
    assert f"  schema: schema_version is {SCHEMA_VERSION} in A, {newer} in B" in told.stderr
    assert compared.told("a", "b", "--allow", "schema").exit_code == 0


def test_a_mock_is_never_compared_with_kafka(compared: Compared) -> None:
    mock = ClusterUsed(provider="embedded", kind="mock", brokers=1)
    compared.keep(run("a"), run("b", cluster=mock))
    told = compared.told("a", "b", "--allow", ",".join(KINDS))

    assert told.exit_code == 2
    assert "  never: cluster.kind is kafka in A, mock in B" in told.stderr
    assert "--allow" not in told.stderr


def test_all_that_is_not_alike_is_said_at_once(compared: Compared) -> None:
    compared.keep(run("a"), run("b", loadlab_version="0.2.0", **_environment(cores=64)))

    assert "--allow machine,loadlab" in compared.told("a", "b").stderr


def test_a_set_does_without_its_invalid_runs_and_says_so(compared: Compared) -> None:
    compared.rates("a", 1_000, 1_100)
    compared.keep_set("b", run("b0"), run("b1", verdict=INVALID), run("b2"))
    without = compared.told("a", "b").stdout
    with_it = compared.told("a", "b", "--allow", "invalid").stdout

    assert "left out of B: run 2 of 3 is invalid: generator_limited" in without
    assert "B  b · 2 runs" in without
    assert "compared although B (b1) is invalid: generator_limited" in with_it
    assert "B  b · 3 runs" in with_it


def test_a_set_of_invalid_runs_is_refused(compared: Compared) -> None:
    compared.rates("a", 1_000, 1_100)
    compared.rates("b", 1_000, 1_100, verdict=INVALID)

    assert compared.told("a", "b").exit_code == 2


def test_suspect_and_saturated_runs_are_told(compared: Compared) -> None:
    drift = Reason(code="drift", message="it drifted", severity="suspect")
    compared.rates("a", 1_000, 1_100)
    compared.rates("b", 1_000, 1_100, verdict=Verdict(status="suspect", reasons=(drift,), saturated=True))
    told = compared.told("a", "b").stdout

    assert "B: suspect, 2 of 2: drift" in told
    assert "B: saturated, 2 of 2" in told


def test_an_unknown_kind_is_refused(compared: Compared) -> None:
    told = compared.told("a", "b", "--allow", "machine,weather")

    assert told.exit_code == 2
    assert "'weather' is none of scenario, durability" in told.stderr


def test_markdown_shows_what_a_config_says_as_it_stands(compared: Compared) -> None:
    value = "<b>|@team `x` [y](z)"
    compared.keep(run("a"), run("b", **_config(**{"client.id": value})))
    told = compared.told("a", "b", "--format", "markdown").stdout

    assert r"&lt;b\>\|&#64;team \`x\` \[y\]\(z\)" in told
    rows = [line for line in told.splitlines() if line.startswith("|")]
    assert {row.replace(r"\|", "").count("|") for row in rows} == {6}


def test_groups_of_one_label_are_told_by_their_names(compared: Compared) -> None:
    both = {"checkout": producer(), "refunds": producer()}
    compared.keep(result(run_id="a", producers=both), result(run_id="b", producers=both))

    assert "publish p99 (refunds)" in compared.told("a", "b").stdout


def test_numbers_that_some_runs_lack_are_told(compared: Compared) -> None:
    def without_p99(number: int) -> RunResult:
        group = producer().model_dump()
        group["publish_latency_us"]["p99"] = None
        return run(f"b{number}", producers={"checkout": group})

    compared.keep_set("a", *(run(f"a{number}") for number in range(3)))
    compared.keep_set("b", run("b0"), without_p99(1), without_p99(2))

    for told in (compared.told("a", "b"), compared.told("a", "b", "--format", "markdown")):
        assert "publish p99: known of 1 of 3 runs of B" in told.stdout


def test_a_side_whose_worst_records_never_came_through_is_not_called_faster(compared: Compared) -> None:
    """Its other runs are: 2 ms against 4.5 ms."""

    def quicker(number: int, missing: int) -> RunResult:
        group = producer().model_dump()
        p99 = None if missing else 2_000.0 + number
        group["publish_latency_us"] |= {"p99": p99, "missing": missing}
        return run(f"b{number}", producers={"checkout": group})

    compared.keep_set("a", *(run(f"a{number}") for number in range(5)))
    compared.keep_set("b", *(quicker(number, missing=30_000 if number < 3 else 0) for number in range(5)))

    told = compared.told("a", "b").stdout
    (row,) = (line for line in told.splitlines() if line.startswith("publish p99  "))
    assert "never" in row
    assert "lower" not in row
    assert "publish p99: known of 2 of 5 runs of B" in told
    (found,) = (each for each in compared.document("a", "b")["rows"] if each["label"] == "publish p99")
    assert found["contender"] == {"figure": None, "values": [None, None, None, 2_003.0, 2_004.0]}


def _lost(records: int | None, *, at_least: int = 0, unexplained: int = 0) -> Reconciliation:
    return Reconciliation(
        acked=10,
        log_end_growth=10,
        lost=records,
        lost_at_least=at_least,
        duplicated=records,
        reordered=0,
        unexplained=unexplained,
    )


def test_what_was_surely_lost_is_told_though_not_all_is_known(compared: Compared) -> None:
    compared.keep_set("a", run("a0", reconciliation=_lost(0)))
    compared.keep_set("b", run("b0", reconciliation=_lost(None, at_least=3_023)))
    told = compared.told("a", "b").stdout
    assert "lost records: 0 in A, at least 3,023 (not known of 1 run) in B" in told


def test_a_surplus_does_not_hide_what_is_missing_in_another_run(compared: Compared) -> None:
    compared.keep_set("a", *(run(f"a{number}", reconciliation=_lost(0)) for number in range(2)))
    signs = enumerate((5, -5))
    compared.keep_set(
        "b", *(run(f"b{number}", reconciliation=_lost(0, unexplained=n)) for number, n in signs)
    )
    assert "unexplained records: 0 in A, 10 in B" in compared.told("a", "b").stdout


def test_records_that_some_runs_lost_are_told_though_others_do_not_know(compared: Compared) -> None:
    compared.keep_set("a", *(run(f"a{number}", reconciliation=_lost(0)) for number in range(2)))
    losses = enumerate((500, None, 0))
    compared.keep_set("b", *(run(f"b{number}", reconciliation=_lost(lost)) for number, lost in losses))
    compared.keep_set("c", *(run(f"c{number}", reconciliation=_lost(None)) for number in range(2)))

    told = compared.told("a", "b").stdout
    assert "lost records: 0 in A, at least 500 (not known of 1 run) in B" in told
    assert "duplicated records: 0 in A, at least 500 (not known of 1 run) in B" in told
    assert "lost records: 0 in A, not known in B" in compared.told("a", "c").stdout
    assert "lost records" not in compared.told("c", "c", "--allow", "same-run").stdout
    (count,) = (each for each in compared.document("a", "b")["counts"] if each["name"] == "lost")
    assert count == {
        "name": "lost",
        "baseline": 0,
        "contender": 500,
        "baseline_unknown": 0,
        "contender_unknown": 1,
    }


def test_a_latency_that_begins_elsewhere_is_not_compared_and_that_is_said(compared: Compared) -> None:
    at_max = producer().model_copy(update={"publish_latency_is_service_time": True})
    compared.keep(run("a"), run("b", producers={"checkout": at_max}))
    told = compared.told("a", "b", "--allow", ",".join(KINDS))

    assert "publish latency of checkout is not compared: A's begins at the intended send time" in told.stdout
    assert "publish p99" not in told.stdout


def test_two_mocks_are_labelled(compared: Compared) -> None:
    mock = ClusterUsed(provider="embedded", kind="mock", brokers=1)
    compared.keep(run("a", cluster=mock), run("b", cluster=mock))

    for form in ("text", "markdown"):
        told = compared.told("a", "b", "--format", form).stdout
        assert "A: mock broker: not Kafka" in told
        assert "B: mock broker: not Kafka" in told


def test_properties_are_compared_as_they_were_in_force(compared: Compared) -> None:
    """The scenarios are alike: an edited file and a cluster that stood already make these."""
    one, other = (
        _environment(
            client_config={
                "producer/checkout": {
                    "queue.buffering.max.ms": linger,
                    **dict.fromkeys(("client.id", "metadata.broker.list"), linger),
                }
            },
            topic_config={"orders": {"retention.ms": linger}},
            broker_config={"log.dirs": linger, **broker},
        )
        for linger, broker in (("5", {}), ("77", {"num.io.threads": "64"}))
    )
    compared.keep(run("a", **one), run("b", **other))
    told = compared.told("a", "b")

    assert told.exit_code == 0, told.stderr
    assert [line for line in told.stdout.splitlines() if line.startswith("differs")] == [
        "differs  cluster.config.num.io.threads: not set → 64",
        "differs  producers.checkout.config.linger.ms: 5 → 77",
        "differs  topics.orders.config.retention.ms: 5 → 77",
    ]


def test_what_only_one_scenario_spells_out_is_no_difference_where_both_have_it(compared: Compared) -> None:
    in_force = _environment(client_config={"producer/checkout": {"queue.buffering.max.ms": "5"}})
    compared.keep(run("a", **in_force), run("b", **in_force, **_config()))

    assert "differs" not in compared.told("a", "b").stdout
    compared.keep(run("c"), run("d", **_config()))
    assert "differs  producers.checkout.config.linger.ms: 5 → not set" in compared.told("c", "d").stdout


def test_acks_that_no_client_told_are_those_of_the_scenarios(compared: Compared) -> None:
    compared.keep(run("a", **_acks("-1")), run("b", **_config(acks="0")), run("c", **_config(acks="-1")))

    refused = compared.told("a", "b")
    assert refused.exit_code == 2
    assert "durability: scenario.producers.checkout.config.acks is all in A, 0 in B" in refused.stderr
    assert compared.told("a", "c").exit_code == 0


def test_a_run_that_does_not_count_does_not_stand_for_its_side(compared: Compared) -> None:
    told = _environment(flush={"log.flush.interval.messages": "1"})
    compared.keep_set("a", run("a1", interrupted=True), *(run(f"a{number}", **told) for number in (2, 3)))
    compared.keep_set("b", *(run(f"b{number}", **told) for number in (1, 2)))

    assert compared.told("a", "b").exit_code == 0


def test_runs_without_a_fellow_are_said_to_be_left_out(compared: Compared) -> None:
    changes = [{}, {"verdict": INVALID}, {}, {}]
    compared.keep_set("a", *(run(f"a{number}", **change) for number, change in enumerate(changes)))
    compared.rates("b", 1_000, 1_000, 1_000)

    remarks = compared.document("a", "b", "--paired")["remarks"]
    assert "left out of A: run 4 of 4, with no fellow to be paired with" in remarks
    assert "left out of B: run 2 of 3, with no fellow to be paired with" in remarks


def test_nothing_is_said_against_a_run_that_is_in_no_pair(compared: Compared) -> None:
    compared.keep_set("a", run("a1"), run("a2"), run("a3", verdict=INVALID))
    compared.keep_set("b", run("b1"), run("b2"))

    remarks = compared.document("a", "b", "--paired", "--allow", "invalid")["remarks"]
    assert "left out of A: run 3 of 3, with no fellow to be paired with" in remarks
    assert not any("compared although" in remark for remark in remarks)


def test_a_difference_is_told_once_of_many_topics_and_of_names_with_dots(compared: Compared) -> None:
    """Topics of one name have one configuration; a name's own dots are no path's."""

    def changed(value: str) -> dict[str, object]:
        names = ("orders.v1", "events-0000", "events-0001")
        parts = {"partitions": 6, "replication_factor": 1, "config": {"retention.ms": value}}
        topics = {"orders.v1": parts, "events": {**parts, "count": 2}}
        told = {name: {"retention.ms": value} for name in names}
        return {"scenario": scenario(topics=topics), **_environment(topic_config=told)}

    compared.keep(run("a", **changed("5")), run("b", **changed("7")))
    differs = [line for line in compared.told("a", "b").stdout.splitlines() if line.startswith("differs")]

    assert differs == [
        "differs  topics.events.config.retention.ms: 5 → 7",
        "differs  topics.orders.v1.config.retention.ms: 5 → 7",
    ]
