from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from loadlab.measurement.circumstances import MachineFigures
from loadlab.measurement.correctness import Correctness
from loadlab.measurement.generator import ProducerFigures, delivery_findings, is_saturated
from loadlab.measurement.reading import ConsumerFigures
from loadlab.measurement.validity import Incident, Judgement, RunFigures, judge

if TYPE_CHECKING:
    from loadlab.measurement.finding import Finding

GOOD = ProducerFigures(
    name="checkout",
    intended=100_000,
    sent=100_000,
    acked=100_000,
    queue_full_share=0.0,
    own_send_delay_us=200.0,
    own_send_delay_percentile=99.0,
    loop_cpu_share=0.4,
    client_cpu_share=0.0,
    limit_reached=False,
    attempted=0,
    undelivered=0,
    rejected=0,
    core_wait_share=0.0,
    on_their_way_s=0.0,
    steady=True,
    due_last=0,
    acked_until_share=1.0,
)
AT_MAX = replace(GOOD, intended=None, own_send_delay_us=None, queue_full_share=0.6, loop_cpu_share=1.0)
SATURATED = replace(GOOD, sent=60_000, acked=60_000, queue_full_share=0.8)
READING = ConsumerFigures(
    "billing",
    0.5,
    keeps_pace=True,
    limited=False,
    read_all=False,
    consumed=1_000,
    consumed_until_share=1.0,
)
READ_ALL = replace(READING, keeps_pace=False, read_all=True, consumed_until_share=0.5)
QUIET = RunFigures(
    producers=[GOOD],
    dead_workers=[],
    dead_brokers=[],
    unexplained=0,
    unread={"billing": 0},
    unacknowledged=0,
    measured_s=10.0,
    paused_brokers=[],
    failed_faults=[],
    consumers=[],
    ends_known=True,
    changed_topics=[],
    may_duplicate=False,
    correctness=Correctness(lost=0, duplicated=0, reordered=0, contradicted=0),
    stalls=[],
    drifts=[],
    machine=None,
    failure=None,
    idle=False,
)

OWN_MACHINE = MachineFigures(
    busy=0.5,
    workers=0.2,
    brokers=0.2,
    foreign=0.05,
    steal=0.0,
    shared_cores=0,
    beside_workers=0.1,
    beside_with_brokers=None,
    throttled=None,
    slept_s=0.0,
)


def of(*producers: ProducerFigures, **figures: object) -> Judgement:
    return judge(replace(QUIET, producers=list(producers) or [GOOD], **figures))


def codes(judgement: Judgement) -> list[str]:
    return [finding.code for finding in judgement.findings]


def only(judgement: Judgement) -> Finding:
    (finding,) = judgement.findings
    return finding


def test_a_run_without_a_finding_is_valid() -> None:
    judgement = of()

    assert (judgement.status, judgement.findings, judgement.saturated) == ("valid", (), False)


def test_a_run_without_producers_can_be_valid() -> None:
    assert judge(replace(QUIET, producers=[])).status == "valid"


@pytest.mark.parametrize(("sent", "status"), [(99_500, "valid"), (99_499, "invalid")])
def test_the_generator_must_send_nearly_all_that_is_due(sent: int, status: str) -> None:
    judgement = of(replace(GOOD, sent=sent, acked=sent))

    assert judgement.status == status
    assert codes(judgement) == ["generator_limited"] * (status == "invalid")


@pytest.mark.parametrize(
    ("acked", "on_their_way_s", "measured_s", "status"),
    [
        (101_500, 0.0, 10.0, "valid"),
        (101_600, 0.0, 10.0, "suspect"),
        (101_600, 0.005, 10.0, "suspect"),
        (101_600, 0.1, 10.0, "valid"),
        (100_700, 0.0, 60.0, "suspect"),
    ],
)
def test_a_measure_phase_does_not_begin_with_what_the_warm_up_left(
    acked: int, on_their_way_s: float, measured_s: float, status: str
) -> None:
    judgement = of(replace(GOOD, acked=acked, on_their_way_s=on_their_way_s), measured_s=measured_s)

    assert judgement.status == status
    assert codes(judgement) == ["drift"] * (status == "suspect")
    assert all("the warm-up had left waiting" in finding.message for finding in judgement.findings)


def test_a_few_records_at_a_low_rate_or_a_rate_that_changes_are_not_what_the_warm_up_left() -> None:
    few = replace(GOOD, intended=90, sent=90, acked=99)
    assert of(few).status == "valid"
    assert of(replace(few, acked=100)).status == "suspect"
    assert of(replace(GOOD, acked=150_000, steady=False)).status == "valid"


def test_records_missing_because_the_client_queue_was_full_are_the_clusters_doing() -> None:
    judgement = of(replace(GOOD, sent=60_000, acked=60_000, queue_full_share=0.05))

    assert (judgement.status, judgement.saturated) == ("valid", True)


@pytest.mark.parametrize(
    ("core_wait_share", "beside_workers", "starved"),
    [(0.21, 0.21, True), (0.2, 0.9, False), (0.9, 0.2, False), (0.9, None, False)],
)
def test_workers_that_others_keep_from_running_excuse_no_missing_records(
    core_wait_share: float, beside_workers: float | None, starved: bool
) -> None:
    """Librdkafka's threads wait for the same cores: the queue is full, and the cluster could take more."""
    figures = replace(SATURATED, core_wait_share=core_wait_share)
    judgement = of(figures, machine=replace(OWN_MACHINE, beside_workers=beside_workers))

    assert codes(judgement) == ["generator_limited"] * starved
    assert (judgement.status, judgement.saturated) == ("invalid" if starved else "valid", not starved)


@pytest.mark.parametrize(("beside", "status"), [(None, "valid"), (0.2, "valid"), (0.21, "suspect")])
def test_where_brokers_can_t_be_told_from_others_a_wait_for_their_cores_is_told(
    beside: float | None, status: str
) -> None:
    machine = replace(
        OWN_MACHINE, foreign=None, brokers=None, beside_workers=None, beside_with_brokers=beside
    )
    judgement = of(replace(SATURATED, core_wait_share=0.21), machine=machine)

    assert (judgement.status, judgement.saturated) == (status, True)
    assert codes(judgement) == ["generator_limited"] * (status == "suspect")


@pytest.mark.parametrize(
    ("figures", "status", "told"),
    [
        (replace(SATURATED, client_cpu_share=0.91), "suspect", True),
        (replace(SATURATED, client_cpu_share=0.9), "valid", False),
        (replace(GOOD, client_cpu_share=0.95), "valid", False),  # and it reached its target
        (replace(AT_MAX, client_cpu_share=0.95), "valid", True),  # what it can do is what is asked for
    ],
)
def test_a_client_without_time_left_may_be_why_its_queue_is_full(
    figures: ProducerFigures, status: str, told: bool
) -> None:
    judgement = of(figures)
    assert judgement.status == status
    assert codes(judgement) == ["client_cpu"] * told


@pytest.mark.parametrize(
    ("consumer", "status", "code"),
    [
        (replace(READING, thread_cpu_share=0.91), "suspect", "worker_cpu"),
        (replace(READING, thread_cpu_share=0.9), "valid", None),
        (replace(READING, thread_cpu_share=0.99, keeps_pace=False), "valid", "worker_cpu"),
        (replace(READING, thread_cpu_share=0.99, limited=True), "valid", None),
        (READ_ALL, "suspect", "limit_reached"),
        (replace(READ_ALL, consumed_until_share=0.999), "valid", None),
        (replace(READ_ALL, read_all=False), "valid", None),
        (replace(READ_ALL, consumed=0, consumed_until_share=0.0), "valid", None),
    ],
)
def test_a_consumer_may_be_the_limit_itself_or_have_nothing_left_to_read(
    consumer: ConsumerFigures, status: str, code: str | None
) -> None:
    judgement = of(consumers=[consumer])
    assert judgement.status == status
    assert codes(judgement) == ([] if code is None else [code])


@pytest.mark.parametrize(("throttled", "status"), [(None, "valid"), (0.01, "valid"), (0.011, "suspect")])
def test_a_quota_that_stopped_the_load_is_told(throttled: float | None, status: str) -> None:
    judgement = of(machine=replace(OWN_MACHINE, throttled=throttled))
    assert judgement.status == status
    assert codes(judgement) == ["cpu_quota"] * (status == "suspect")


def test_workers_that_wait_for_cores_and_reach_their_target_are_not_starved() -> None:
    machine = replace(OWN_MACHINE, beside_workers=0.5)

    assert of(replace(GOOD, core_wait_share=0.5), machine=machine).status == "valid"


def test_a_queue_that_was_full_for_a_moment_excuses_no_missing_records() -> None:
    judgement = of(replace(GOOD, sent=60_000, acked=60_000, queue_full_share=0.049))

    assert (judgement.status, judgement.saturated) == ("invalid", False)


def test_a_queue_that_was_full_for_as_long_as_is_missing_excuses_that() -> None:
    """A stall of the last second of thirty, which the generator had no time to catch up on."""
    stalled = replace(GOOD, intended=6_000_000, sent=5_800_000, acked=5_700_000, queue_full_share=0.033)
    judgement = of(stalled, measured_s=30.0)

    assert (judgement.status, judgement.saturated) == ("valid", True)
    short = of(replace(stalled, queue_full_share=0.028), measured_s=30.0)
    assert (short.status, short.saturated) == ("invalid", False)


@pytest.mark.parametrize(
    ("delay_us", "status"), [(None, "valid"), (10_000.0, "valid"), (10_001.0, "invalid")]
)
def test_records_must_not_be_late_by_the_generators_fault(delay_us: float | None, status: str) -> None:
    assert of(replace(GOOD, own_send_delay_us=delay_us)).status == status


@pytest.mark.parametrize(("share", "status"), [(0.9, "valid"), (0.91, "suspect")])
def test_a_produce_loop_that_fills_a_core_may_be_the_limit(share: float, status: str) -> None:
    judgement = of(replace(GOOD, loop_cpu_share=share))

    assert judgement.status == status
    assert codes(judgement) == ["worker_cpu"] * (status == "suspect")


@pytest.mark.parametrize(("share", "status"), [(0.05, "valid"), (0.049, "invalid")])
def test_at_the_maximum_rate_the_client_queue_must_have_been_full(share: float, status: str) -> None:
    assert of(replace(AT_MAX, queue_full_share=share)).status == status


@pytest.mark.parametrize(("share", "status"), [(0.985, "valid"), (0.984, "suspect"), (0.17, "suspect")])
def test_at_the_maximum_rate_a_limit_that_is_reached_early_makes_no_rate_of_the_phase(
    share: float, status: str
) -> None:
    judgement = of(replace(AT_MAX, limit_reached=True, acked_until_share=share))

    assert judgement.status == status
    assert codes(judgement) == ["limit_reached"] * (status == "suspect")


def test_at_the_maximum_rate_a_busy_loop_is_as_it_should_be() -> None:
    assert of(AT_MAX).status == "valid"


@pytest.mark.parametrize(
    ("producer", "saturated"),
    [
        (GOOD, False),
        (AT_MAX, True),
        (replace(AT_MAX, queue_full_share=0.0), False),
        # 10,000 a second for 10 s: 500 may be missing, and what was due last may be on its way at the end.
        (replace(GOOD, acked=98_499, due_last=1_000), True),
        (replace(GOOD, acked=98_500, due_last=1_000), False),
        (replace(GOOD, acked=60_000, due_last=40_000), False),
        (replace(GOOD, intended=0, sent=0, acked=0), False),
    ],
)
def test_the_cluster_was_the_limit_where_it_held_records_up(
    producer: ProducerFigures, saturated: bool
) -> None:
    assert is_saturated(producer) == saturated


def test_saturation_is_no_fault_of_the_measurement() -> None:
    judgement = of(replace(GOOD, acked=50_000))

    assert (judgement.status, judgement.saturated) == ("valid", True)


def test_one_saturated_group_saturates_the_run() -> None:
    assert of(GOOD, replace(GOOD, name="other", acked=0)).saturated


def test_a_dead_worker_makes_the_run_invalid() -> None:
    finding = only(
        of(dead_workers=[Incident("worker 3 of checkout", "died 4.0 s after the start: killed by SIGKILL")])
    )

    assert (finding.code, finding.severity) == ("worker_died", "invalid")
    assert finding.message == (
        "worker 3 of checkout died 4.0 s after the start: killed by SIGKILL (limit 0 deaths)"
    )
    assert finding.fix == "see who killed it (`dmesg` tells, if it was the kernel), and run again"
    failed = only(of(dead_workers=[Incident("worker 3", "died: exit code 1")]))
    assert failed.fix == "see its log beside the result, and run again"
    assert (finding.figure, finding.limit) == (1.0, 0.0)


def test_a_dead_broker_makes_the_run_suspect() -> None:
    finding = only(of(dead_brokers=[Incident("broker 2", "died 4.0 s after the start")]))

    assert (finding.code, finding.severity) == ("broker_died", "suspect")


def test_a_broker_that_stood_still_makes_it_suspect() -> None:
    finding = only(of(paused_brokers=[Incident("broker 2", "stood still 4.0 s after the start")]))
    assert (finding.code, finding.severity) == ("broker_paused", "suspect")


@pytest.mark.parametrize(
    ("unexplained", "words"),
    [(7, "7 records more than were acked"), (-1_234, "1,234 records fewer than were acked")],
)
def test_a_log_that_does_not_agree_with_the_acks_makes_the_run_invalid(unexplained: int, words: str) -> None:
    finding = only(of(unexplained=unexplained))

    assert (finding.code, finding.severity, finding.figure) == ("unreconciled", "invalid", unexplained)
    assert words in finding.message


def test_more_records_than_acks_are_suspect_where_a_retry_may_write_twice() -> None:
    assert only(of(unexplained=7, may_duplicate=True)).severity == "suspect"
    assert only(of(unexplained=-7, may_duplicate=True)).severity == "invalid"


def test_a_log_that_can_not_be_asked_makes_the_run_invalid() -> None:
    finding = only(of(ends_known=False, unexplained=None))

    assert (finding.code, finding.severity) == ("unreconciled", "invalid")


def test_a_log_that_could_not_be_asked_says_nothing() -> None:
    assert of(unexplained=None).status == "valid"


def test_records_left_unread_are_told_by_consumer() -> None:
    finding = only(of(unread={"billing": 0, "audit": 1_500}))

    assert (finding.code, finding.severity, finding.figure) == ("undrained", "suspect", 1_500)
    assert "consumer audit had 1,500 records" in finding.message


def test_records_left_unacked_are_told() -> None:
    finding = only(of(unacknowledged=3))

    assert (finding.code, finding.severity, finding.figure) == ("undrained", "suspect", 3)


def test_the_worst_comes_first_and_decides() -> None:
    judgement = of(
        replace(GOOD, loop_cpu_share=0.95),
        replace(GOOD, name="slow", sent=1, acked=1),
        unread={"billing": 5},
        dead_workers=[Incident("worker 1 of checkout", "ended: exit code 1")],
    )

    assert judgement.status == "invalid"
    assert codes(judgement) == ["worker_died", "generator_limited", "undrained", "worker_cpu"]


def test_a_run_that_ended_in_its_warm_up_is_invalid() -> None:
    finding = only(of(replace(GOOD, intended=0, sent=0, acked=0), measured_s=0.0))

    assert (finding.code, finding.severity) == ("nothing_measured", "invalid")


def test_every_finding_says_what_to_do() -> None:
    judgement = of(
        replace(GOOD, sent=1, acked=1, own_send_delay_us=1e6, loop_cpu_share=1.0),
        replace(AT_MAX, queue_full_share=0.0),
        unread={"billing": 5},
        unexplained=1,
        unacknowledged=1,
        dead_workers=[Incident("a", "b")],
        dead_brokers=[Incident("a", "b")],
    )

    assert len(judgement.findings) == 9
    assert all(finding.fix for finding in judgement.findings)
    assert all(
        finding.figure is not None and finding.limit is not None
        for finding in judgement.findings
        if not finding.code.endswith("_died")
    )


def test_a_load_that_never_came_into_the_measure_phase_measured_nothing() -> None:
    assert codes(of(replace(GOOD, intended=0, sent=0, acked=0), idle=True)) == ["nothing_measured"]


def test_a_load_that_could_not_go_on_makes_a_run_invalid() -> None:
    finding = only(of(failure="the brokers' disk has 900 MiB left, less than 1024 MiB"))

    assert (finding.code, finding.severity) == ("ended_early", "invalid")
    assert "900 MiB" in finding.message


def test_one_record_on_its_way_at_the_end_limits_nobody() -> None:
    """Of 50 records due one was sent a moment after the phase, or acked then."""
    late = replace(GOOD, intended=50, sent=49, acked=49)
    unacked = replace(GOOD, intended=50, sent=50, acked=49)

    assert (of(late).status, of(late).saturated) == ("valid", False)
    assert (of(unacked).status, of(unacked).saturated) == ("valid", False)
    assert of(replace(unacked, acked=48)).saturated


@pytest.mark.parametrize(("acked", "status"), [(0, "invalid"), (50_000, "suspect")])
def test_records_that_all_failed_leave_a_throughput_where_earlier_ones_were_acked(
    acked: int, status: str
) -> None:
    """An overloaded cluster is all through the phase at what was due in the warm-up."""
    late = replace(GOOD, acked=acked, attempted=70_000, undelivered=70_000)
    (found,) = delivery_findings(late)

    assert (found.code, found.figure, found.severity) == ("delivery_errors", 1.0, status)
