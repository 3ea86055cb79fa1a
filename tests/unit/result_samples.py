"""Results to test with: small, complete, and easy to change in one place."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from loadlab.results.model import (
    Backlog,
    Batches,
    ClusterUsed,
    CommittedLag,
    ConsumerRecords,
    ConsumerResult,
    ConsumerWorker,
    Environment,
    Lag,
    LatencyBlock,
    PartitionLag,
    Phase,
    ProducerRecords,
    ProducerResult,
    ProducerWorker,
    Reconciliation,
    RunResult,
    Stage,
    Throughput,
    TopicResult,
    TopicThroughput,
    Verdict,
)

if TYPE_CHECKING:
    from pydantic import JsonValue

RUN_ID = "20261123T161500-quickstart-k3f9"


def latency_block(scale: float = 1.0) -> LatencyBlock:
    return LatencyBlock(
        count=600_000,
        mean=1_400.0 * scale,
        min=310.0 * scale,
        p50=1_210.0 * scale,
        p90=2_030.0 * scale,
        p95=2_900.0 * scale,
        p99=4_500.0 * scale,
        p999=9_100.0 * scale,
        max=22_400.0 * scale,
    )


def producer() -> ProducerResult:
    records = ProducerRecords(attempted=600_000, acked=600_000)
    return ProducerResult(
        target_records_per_s=20_000.0,
        records=records,
        throughput=Throughput(records_per_s=19_998.4, bytes_per_s=20_478_361.6),
        send_delay_us=latency_block(0.02),
        service_time_us=latency_block(0.98),
        publish_latency_us=latency_block(),
        stages=(
            Stage(name="send_delay", mean_us=28.0, share=0.02),
            Stage(name="batching", mean_us=490.0, share=0.35),
            Stage(name="client_queue", mean_us=7.0, share=0.005),
            Stage(name="network_and_broker", mean_us=868.0, share=0.62),
            Stage(name="delivery_report", mean_us=7.0, share=0.005),
            Stage(name="unexplained", mean_us=0.0, share=0.0),
        ),
        achieved_ratio=1.0,
        cpu_us_per_record=0.61,
        batch=Batches(records_mean=58.2, bytes_mean=61_000.0),
        compression_ratio=2.0,
        workers=(
            ProducerWorker(
                worker=0,
                pid=4711,
                cpu_s=0.4,
                cpu_share=0.013,
                max_rss_bytes=180_000_000,
                exit="finished",
                records=records,
            ),
        ),
    )


def consumer() -> ConsumerResult:
    records = ConsumerRecords(consumed=600_000)
    return ConsumerResult(
        group_id=f"loadlab-{RUN_ID}-billing",
        records=records,
        throughput=Throughput(records_per_s=19_998.4, bytes_per_s=20_478_361.6),
        end_to_end_latency_us=latency_block(1.4),
        lag=Lag(max=1_203, mean=210.4, final=0, by_partition={"orders-0": PartitionLag(max=1_203, final=0)}),
        committed_lag=CommittedLag(max=21_000, mean=9_800.0, final=0),
        backlog=Backlog(max=1_300, final=0),
        drain_s=0.31,
        cpu_us_per_record=0.34,
        workers=(
            ConsumerWorker(
                worker=1,
                pid=4712,
                cpu_s=0.2,
                cpu_share=0.007,
                max_rss_bytes=170_000_000,
                exit="finished",
                records=records,
            ),
        ),
    )


def environment() -> Environment:
    return Environment(
        cpu_model="Some CPU @ 2.10GHz",
        cores=2,
        memory_bytes=8_000_000_000,
        kernel="6.1.0",
        os="Debian GNU/Linux 12 (bookworm)",
        load_average_1m=0.2,
        python="3.11.9",
        loadlab="0.1.0",
        librdkafka="2.16.1",
    )


def result(**changes: object) -> RunResult:
    """A valid run of one producer and one consumer; any field can be changed."""
    scenario: dict[str, JsonValue] = {"name": "quickstart", "topics": {"orders": {"partitions": 1}}}
    fields: dict[str, object] = {
        "loadlab_version": "0.1.0",
        "run_id": RUN_ID,
        "name": "quickstart",
        "started_at": datetime(2026, 11, 23, 16, 15, tzinfo=UTC),
        "duration_s": 41.5,
        "scenario": scenario,
        "seed": 7,
        "environment": environment(),
        "cluster": ClusterUsed(
            provider="docker", kind="kafka", kafka_version="4.3.1", brokers=1, network="host"
        ),
        "phases": (
            Phase(name="warmup", start_s=0.0, end_s=5.0),
            Phase(name="measure", start_s=5.0, end_s=35.0),
            Phase(name="drain", start_s=35.0, end_s=35.3),
        ),
        "verdict": Verdict(status="valid"),
        "producers": {"checkout": producer()},
        "consumers": {"billing": consumer()},
        "topics": {
            "orders": TopicResult(
                partitions=1,
                log_end_growth=700_000,
                throughput=TopicThroughput(records_per_s=20_001.0, bytes_per_s=20_481_024.0),
                partition_share=(1.0,),
            )
        },
        "reconciliation": Reconciliation(
            acked=700_000,
            log_end_growth=700_000,
            consumed={"billing": 700_000},
            lost=0,
            duplicated=0,
            reordered=0,
            unexplained=0,
        ),
    }
    return RunResult.model_validate({**fields, **changes})
