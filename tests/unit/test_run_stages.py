from __future__ import annotations

from run_samples import producing, took, worker_of

from loadlab.measurement.slab import ACK_LANE, Metric, Phase
from loadlab.run.stages import StageSums, stages

US = 1_000
# Ten records: 1 ms each from intent to ack, of which 0.1 ms before the call.
SUMS = StageSums(
    acked=10,
    publish_ns=10_000 * US,
    service_ns=9_000 * US,
    stages_ns={"batching": 5_000 * US, "network_and_broker": 3_500 * US},
)


def test_stages_and_what_they_leave_come_to_the_mean_publish_latency() -> None:
    told = stages(SUMS, at_max_rate=False)

    assert {stage.name: stage.mean_us for stage in told} == {
        "send_delay": 100.0,
        "batching": 500.0,
        "network_and_broker": 350.0,
        "unexplained": 50.0,
    }
    assert sum(stage.share for stage in told) == 1.0
    assert told[-1].name == "unexplained"


def test_at_the_maximum_rate_stages_are_those_of_the_service_time() -> None:
    told = {stage.name: stage for stage in stages(SUMS, at_max_rate=True)}

    assert told["send_delay"].mean_us == 0
    assert told["batching"].share == 5 / 9
    assert told["unexplained"].mean_us == 50.0


def test_without_acked_records_there_are_no_stages() -> None:
    assert stages(StageSums(0, 0, 0, {"batching": 0}), at_max_rate=False) == ()


def test_the_sums_of_a_group_are_its_workers_measure_phases_added_up() -> None:
    workers = [worker_of(producing(place)) for place in range(2)]
    for worker in workers:
        took(worker, ACK_LANE, Metric.PUBLISH_LATENCY, [1_000 * US] * 5)
        took(worker, ACK_LANE, Metric.SERVICE_TIME, [900 * US] * 5)
        worker.slab.record["stages"]["batching_ns"][0] = [1 * US, 2_500 * US, 3 * US]
        worker.slab.record["stages"]["request_ns"][0, Phase.MEASURE] = 1_750 * US

    sums = StageSums.of(workers)
    assert (sums.acked, sums.publish_ns, sums.service_ns) == (10, SUMS.publish_ns, SUMS.service_ns)
    assert sums.stages_ns == {**SUMS.stages_ns, "client_queue": 0, "delivery_report": 0}
