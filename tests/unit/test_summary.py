from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, get_args

import pytest
from result_samples import RUN_ID, consumer, producer, result

from loadlab.cli.summary import MAX_LINES, summary_lines
from loadlab.cli.summary_brokers import broker_section
from loadlab.results.model import (
    ClusterUsed,
    FaultResult,
    GroupReconciliation,
    Reason,
    Reconciliation,
    RunResult,
    Threshold,
    Verdict,
    Warned,
)
from loadlab.results.model_brokers import BrokerResult, Collections, Flushes, HeapUse, Requests
from loadlab.results.model_environment import MachineUse
from loadlab.results.reader import StoredRun

if TYPE_CHECKING:
    from loadlab.results.model import ReasonSeverity

PATH = Path("results") / RUN_ID
RECORDS = (
    "records          700,000 acked · 700,000 in the log · 700,000 read by billing · 0 lost · 0 duplicated"
    " · 0 reordered"
)


def told(run: RunResult) -> list[str]:
    return [line.text for line in summary_lines(StoredRun(run, PATH))]


def test_a_plain_run_says_what_it_reached_with_units() -> None:
    assert told(result()) == [
        f"VALID · quickstart · 30.0 s measured · {RUN_ID}",
        "throughput       19,998 records/s · 20.5 MB/s · target 20,000 records/s · consumed 19,998 records/s",
        "publish latency  p50 1.21 ms · p90 2.03 ms · p99 4.50 ms · p99.9 9.10 ms · max 22.4 ms",
        "end to end       p50 1.69 ms · p90 2.84 ms · p99 6.30 ms · p99.9 12.7 ms · max 31.4 ms",
        "where time goes  network and broker 62 % · batching 35 % · send delay 2 % of the mean 1.40 ms",
        "lag              max 1,203 · mean 210 · final 0 records · drained in 0.3 s",
        "cluster          docker · Kafka 4.3.1 · 1 broker · host network",
        RECORDS,
        "errors           none",
        f"result           results/{RUN_ID}",
    ]


def test_a_fault_is_told_with_its_times_and_what_it_cost() -> None:
    killed = FaultResult(
        kind="kill",
        broker=2,
        planned_at_s=10.0,
        begun_s=10.1,
        ended_s=25.4,
        no_acks_s=3.0,
        publish_latency_max_us=3_400_000.0,
        disturbed_s=5.0,
    )
    never = FaultResult(kind="pause", broker=1, planned_at_s=20.0)
    lines = told(result(faults=(killed, never)))

    assert (
        "fault            broker 2 killed 10.1 s into the measure phase · answered again after 15.3 s"
        " · no acks for 3.0 s · publish_latency max 3.40 s · as before after 5 s"
    ) in lines
    assert "fault            broker 1 was not paused: the load had ended" in lines


def test_reasons_stand_under_the_verdict_each_with_its_fix() -> None:
    reason = Reason(
        code="generator_limited",
        message="send_delay p99 was 3.1 ms\n(limit 1 ms)",
        fix="give the producer more workers",
        figure=3.1,
        limit=1.0,
        severity="invalid",
    )
    lines = told(result(verdict=Verdict(status="invalid", reasons=(reason,))))

    assert lines[0].startswith("INVALID")
    assert lines[1] == "generator_limited: send_delay p99 was 3.1 ms (limit 1 ms)"
    assert lines[2] == "  fix: give the producer more workers"


def test_a_mock_is_never_taken_for_kafka() -> None:
    lines = told(
        result(cluster=ClusterUsed(provider="embedded", kind="mock", brokers=1, kafka_version="4.0"))
    )

    assert lines[1] == "mock broker: not Kafka"
    assert "cluster          embedded · 1 broker" in lines


def test_saturation_and_interruption_are_said() -> None:
    lines = told(result(interrupted=True, verdict=Verdict(status="valid", saturated=True)))

    assert lines[1] == "interrupted: the figures are those until then"
    assert lines[2].startswith("saturated: the cluster was the limit")


@pytest.mark.parametrize(
    ("code", "severity", "doubted"),
    [("client_cpu", "suspect", True), ("client_cpu", "info", True), ("worker_cpu", "info", False)],
)
def test_saturation_that_may_be_the_client_s_is_no_word_on_the_cluster(
    code: str, severity: ReasonSeverity, doubted: bool
) -> None:
    reason = Reason(code=code, message="busy", severity=severity)
    verdict = Verdict(status="suspect", reasons=(reason,), saturated=True)
    assert verdict.saturation is not None
    assert ("or the client itself" in verdict.saturation) is doubted


def test_at_rate_max_the_latency_is_labelled_as_service_time() -> None:
    fast = producer().model_copy(
        update={"target_records_per_s": None, "publish_latency_is_service_time": True}
    )
    lines = told(result(producers={"checkout": fast}))

    assert any("as fast as it can" in line for line in lines)
    assert any(
        line.startswith("publish latency") and "service time, as the rate is max" in line for line in lines
    )


def test_a_percentile_without_a_sample_is_left_out() -> None:
    few = producer().model_copy(
        update={"publish_latency_us": producer().publish_latency_us.model_copy(update={"p999": None})}
    )

    assert not any("p99.9" in line for line in told(result(producers={"checkout": few}))[:3])


def test_several_groups_are_told_apart_by_name() -> None:
    lines = told(
        result(producers={"checkout": producer(), "a": producer()}, consumers={"billing": consumer()})
    )

    assert "throughput       checkout  19,998 records/s · 20.5 MB/s · target 20,000 records/s" in lines
    assert "                 a         19,998 records/s · 20.5 MB/s · target 20,000 records/s" in lines
    assert "consumed         19,998 records/s · 20.5 MB/s" in lines


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"shared_cores": 0, "brokers_share": 0.3, "workers_share": 0.2}, ""),
        ({"shared_cores": None}, ""),
        ({"shared_cores": 1}, " · shares 1 core with the clients, each slowing the other"),
        (
            {"shared_cores": 2, "brokers_share": 0.313, "workers_share": 0.2},
            (
                " · shares 2 cores with the clients, each slowing the other"
                " (brokers 31.3 %, clients 20.0 % of the CPU)"
            ),
        ),
    ],
)
def test_clients_and_brokers_on_the_same_cores_are_told_however_busy(
    fields: dict[str, float | None], text: str
) -> None:
    machine = MachineUse.model_validate({"busy_share": 0.55, "steal_share": 0.0, **fields})

    lines = told(result(machine=machine))
    assert f"cluster          docker · Kafka 4.3.1 · 1 broker · host network{text}" in lines


def test_errors_losses_and_failed_thresholds_are_told() -> None:
    failing = producer().model_copy(update={"errors": {"_MSG_TIMED_OUT": 1_200, "NOT_LEADER_OR_FOLLOWER": 3}})
    lines = told(
        result(
            producers={"checkout": failing},
            reconciliation=Reconciliation(acked=100, lost=2, duplicated=None, reordered=0, unseen=5),
            thresholds=(
                Threshold(expression="consumer_lag final == 0", measured=0.0, unit="records", passed=True),
                Threshold(expression="publish_latency p99 < 4ms", measured=4_500.0, unit="us", passed=False),
            ),
        )
    )

    assert "errors           2 records lost · _MSG_TIMED_OUT 1,200 · NOT_LEADER_OR_FOLLOWER 3" in lines
    assert "records          100 acked · 2 lost · 0 reordered · 5 unseen" in lines
    assert lines[1:3] == [
        "thresholds       FAILED  publish_latency p99 < 4ms · 4.50 ms",
        "                 passed  consumer_lag final == 0 · 0 records",
    ]


def test_what_is_lost_for_certain_is_told_where_nobody_knows_of_all() -> None:
    nothing = GroupReconciliation(**{**dict.fromkeys(GroupReconciliation.model_fields, 0), "lost": None})
    groups = {
        "late": nothing.model_copy(update={"lost": 4, "lost_at_least": 4, "unseen": 2}),
        "other": nothing,
    }
    found = Reconciliation(acked=100, lost=None, lost_at_least=4, unseen=None, groups=groups)
    lines = told(result(reconciliation=found))
    assert "records          100 acked · at least 4 lost · 2 unseen by late" in lines
    assert any(line.startswith("errors           4 records lost") for line in lines)


def test_a_run_that_measured_nothing_has_a_summary() -> None:
    lines = told(result(phases=(), producers={}, consumers={}, topics={}, interrupted=True))

    assert "nothing measured" in lines[0]


def test_a_run_with_everything_fits_on_25_lines_and_says_what_it_left_out() -> None:
    reasons = tuple(
        Reason(code=f"reason_{index}", message="m", fix="f", severity="suspect") for index in range(8)
    )
    crowded = result(
        interrupted=True,
        cluster=ClusterUsed(provider="embedded", kind="mock", brokers=1),
        verdict=Verdict(status="invalid", reasons=reasons, saturated=True),
        producers={f"p{index}": producer() for index in range(12)},
        consumers={f"c{index}": consumer() for index in range(12)},
        thresholds=tuple(Threshold(expression=f"e{index}", passed=False) for index in range(9)),
        warnings=tuple(Warned(message=f"w{index}", fix="f") for index in range(9)),
    )
    lines = told(crowded)

    assert len(lines) == MAX_LINES
    assert any("more in result.json" in line for line in lines)
    assert lines[-1].startswith("result")
    assert any(line.startswith("reason_0") for line in lines)
    assert any(line.startswith("warning: w0") for line in lines)
    assert any(line.startswith("where time goes") for line in lines)
    slow = _broker(restarts=1)
    assert len(told(crowded.model_copy(update={"brokers": {"1": slow, "2": slow}}))) == MAX_LINES


def test_every_status_has_a_colour() -> None:
    statuses = get_args(Verdict.model_fields["status"].annotation)

    assert {
        status: summary_lines(StoredRun(result(verdict=Verdict(status=status)), PATH))[0].style
        for status in statuses
    } == {"valid": "good", "suspect": "warn", "invalid": "bad"}


@pytest.mark.parametrize("block", ["lag", "end_to_end_latency_us"])
def test_what_was_not_measured_is_said_to_be_so(block: str) -> None:
    blind = consumer().model_copy(update={block: None})

    assert any("not measured" in line for line in told(result(consumers={"billing": blind})))


def _broker(**fields: object) -> BrokerResult:
    requests = Requests(count=0)
    at_ease = BrokerResult(
        samples=30,
        covered_s=30.0,
        heap=HeapUse(mean_bytes=1e8, max_bytes=2 * 10**8, limit_bytes=10**9),
        gc=Collections(count=3, pause_ms=40, pause_share=0.001),
        request_handler_idle_share=0.9,
        network_processor_idle_share=0.9,
        under_replicated_partitions_max=0,
        bytes_in_per_s=1e6,
        bytes_out_per_s=1e6,
        messages_in_per_s=1e3,
        log_flush=Flushes(count=0),
        produce=requests,
        fetch_consumer=requests,
    )
    return at_ease.model_copy(update=fields)


def test_a_broker_is_told_of_only_where_something_is_worth_knowing() -> None:
    busy = _broker(request_handler_idle_share=0.12, under_replicated_partitions_max=2)
    section = broker_section({"1": _broker(), "2": busy})
    assert [line.text.split(maxsplit=2) for line in section.lines()] == [
        ["broker", "2", "request handlers 12.0 % idle · 2 partitions under-replicated"]
    ]


def test_a_threshold_that_failed_by_less_than_is_shown_tells_all_digits() -> None:
    near = Threshold(
        expression="publish_latency p99 < 50ms", measured=50_040.0, limit=50_000.0, unit="us", passed=False
    )
    assert "50.0 ms (50040 against 50000 us)" in "\n".join(told(result(thresholds=(near,))))
