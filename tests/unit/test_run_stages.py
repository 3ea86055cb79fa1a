from __future__ import annotations

from dataclasses import replace

import pytest
from run_samples import producing, took, worker_of

from loadlab.measurement.slab import ACK_LANE, AckMetric, Phase
from loadlab.results.model_brokers import BrokerResult, Collections, Flushes, HeapUse, Requests
from loadlab.run.stages import BrokerTimes, StageSums, stages

US = 1_000
# Ten records in five requests: 10 ms each from intent to ack, of which 1 ms before the call.
SUMS = StageSums(
    acked=10,
    publish_ns=100_000 * US,
    service_ns=90_000 * US,
    stages_ns={"batching": 10_000 * US, "network_and_broker": 75_000 * US},
    requests=5,
    round_trips_ns=5 * 7_500 * US,
)
# Seven ms in the broker.
BROKERS = BrokerTimes(
    requests_per_s=2.5,
    stages_us={
        "broker_queue": 0.0,
        "local_append": 1_000.0,
        "waiting_for_followers": 5_800.0,
        "response": 200.0,
    },
)


def means_us(
    sums: StageSums = SUMS, brokers: BrokerTimes | None = None, *, at_max_rate: bool = False
) -> dict[str, float]:
    """Stages in a measure phase of two seconds; they come to the mean publish latency, whatever they are."""
    told = stages(sums, brokers, at_max_rate=at_max_rate, measured_s=2.0)
    whole_us = (sums.service_ns if at_max_rate else sums.publish_ns) / sums.acked / US
    assert sum(stage.mean_us for stage in told) == pytest.approx(whole_us)
    assert [stage.share for stage in told] == pytest.approx([stage.mean_us / whole_us for stage in told])
    assert told[-1].name == "unexplained"
    return {stage.name: round(stage.mean_us, 6) for stage in told}


def test_what_the_stages_leave_is_unexplained() -> None:
    assert means_us() == {
        "send_delay": 1_000,
        "batching": 1_000,
        "network_and_broker": 7_500,
        "unexplained": 500,
    }


def test_at_the_maximum_rate_stages_are_those_of_the_service_time() -> None:
    told = means_us(at_max_rate=True)

    assert (told["send_delay"], told["batching"], told["unexplained"]) == (0, 1_000, 500)


def test_without_acked_records_there_are_no_stages() -> None:
    nothing = StageSums(0, 0, 0, {"batching": 0})

    assert stages(nothing, None, at_max_rate=False, measured_s=2.0) == ()


def test_brokers_that_take_five_milliseconds_are_told_apart() -> None:
    told = means_us(brokers=BROKERS)

    assert "network_and_broker" not in told
    assert {name: told[name] for name in BROKERS.stages_us} == BROKERS.stages_us
    assert (told["network_and_socket_wait"], told["unexplained"]) == (500, 500)


def test_a_throttle_is_no_part_of_what_is_split() -> None:
    sums = replace(
        SUMS,
        stages_ns={"throttle": 20_000 * US, "network_and_broker": 75_000 * US},
        round_trips_ns=47_500 * US,
    )
    told = means_us(sums, BROKERS)

    assert (told["throttle"], told["network_and_socket_wait"]) == (2_000, 500)


def test_brokers_that_say_more_than_the_round_trip_are_seen_in_what_is_unexplained() -> None:
    longer = replace(BROKERS, stages_us={**BROKERS.stages_us, "local_append": 4_000.0})
    told = means_us(brokers=longer)

    assert (told["network_and_socket_wait"], told["unexplained"]) == (0, -2_000)


@pytest.mark.parametrize(
    ("sums", "brokers"),
    [
        (SUMS, replace(BROKERS, stages_us={"local_append": 4_900.0})),
        (SUMS, replace(BROKERS, requests_per_s=3.5)),
        (replace(SUMS, round_trips_ns=5 * 6_000 * US), BROKERS),
        (replace(SUMS, requests=0, round_trips_ns=0), BROKERS),
    ],
    ids=["below 5 ms", "requests of others too", "large requests slower", "no request seen"],
)
def test_a_round_trip_stays_whole_where_the_brokers_mean_request_is_another(
    sums: StageSums, brokers: BrokerTimes
) -> None:
    assert means_us(sums, brokers)["network_and_broker"] == 7_500


def broker(count: int, local_ms: float | None, seconds: float = 2.0) -> BrokerResult:
    requests = Requests(
        count=count, request_queue_ms=1.0, local_ms=local_ms, remote_ms=0.0, response_send_ms=0.5
    )
    return BrokerResult(
        samples=3,
        missed=0,
        restarts=0,
        covered_s=seconds,
        heap=HeapUse(mean_bytes=1, max_bytes=1, limit_bytes=1),
        gc=Collections(count=0, pause_ms=0, pause_share=0),
        request_handler_idle_share=1,
        network_processor_idle_share=1,
        under_replicated_partitions_max=0,
        bytes_in_per_s=0,
        bytes_out_per_s=0,
        messages_in_per_s=0,
        log_flush=Flushes(count=0),
        produce=requests,
        fetch_consumer=requests,
    )


def test_brokers_count_by_their_requests() -> None:
    times = BrokerTimes.of({"1": broker(300, 2.0), "2": broker(100, 6.0, seconds=1.0)}, 2)

    assert times == BrokerTimes(
        requests_per_s=250.0,
        stages_us={
            "broker_queue": 1_000.0,
            "local_append": 3_000.0,
            "waiting_for_followers": 0.0,
            "response": 500.0,
        },
    )


def test_brokers_that_do_not_all_tell_or_got_nothing_say_nothing() -> None:
    assert BrokerTimes.of({"1": broker(300, 2.0)}, 2) is None
    assert BrokerTimes.of({"1": broker(0, None)}, 1) is None


def test_the_sums_of_a_group_are_its_workers_measure_phases_added_up() -> None:
    workers = [worker_of(producing(place)) for place in range(2)]
    for worker in workers:
        took(worker, ACK_LANE, AckMetric.PUBLISH_LATENCY, [1_000 * US] * 5)
        took(worker, ACK_LANE, AckMetric.SERVICE_TIME, [900 * US] * 5)
        worker.slab.record["stages"]["batching_ns"][0] = [1 * US, 2_500 * US, 3 * US]
        worker.slab.record["stages"]["request_ns"][0, Phase.MEASURE] = 1_750 * US
        worker.slab.record["stages"]["requests"][0, Phase.MEASURE] = 2

    sums = StageSums.of(workers)
    assert (sums.acked, sums.publish_ns, sums.service_ns, sums.requests) == (10, 10_000 * US, 9_000 * US, 4)
    assert {name: part_ns // US for name, part_ns in sums.stages_ns.items()} == {
        "batching": 5_000,
        "client_queue": 0,
        "throttle": 0,
        "network_and_broker": 3_500,
        "delivery_report": 0,
    }
