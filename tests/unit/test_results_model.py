from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest
from pydantic import ValidationError
from result_samples import latency_block, producer, result

from loadlab.results.environment import capture_host
from loadlab.results.model import Environment, RunResult, Throughput
from loadlab.results.run_id import new_run_id

NOW = datetime(2026, 11, 23, 16, 15, tzinfo=UTC)


def test_a_result_survives_json() -> None:
    assert RunResult.model_validate_json(result().model_dump_json()) == result()


def test_a_result_is_frozen() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        result().seed = 3  # type: ignore[misc]


def test_an_unknown_field_is_refused() -> None:
    with pytest.raises(ValidationError, match="Extra inputs"):
        result(surprise=1)


def test_a_figure_that_may_be_missing_takes_nan_for_none() -> None:
    changed = producer().model_dump() | {"cpu_us_per_record": float("nan")}

    assert type(producer()).model_validate(changed).cpu_us_per_record is None


def test_a_figure_that_must_be_there_refuses_nan() -> None:
    with pytest.raises(ValidationError, match="finite"):
        Throughput(records_per_s=float("nan"), bytes_per_s=0.0)


def test_a_percentile_that_the_sample_does_not_support_is_null() -> None:
    assert '"p9999":null' in latency_block().model_dump_json()


def test_a_phase_that_was_never_reached_is_none() -> None:
    assert result(phases=()).phase("measure") is None


def test_run_ids_sort_by_time_and_differ_within_a_second() -> None:
    later = datetime(2026, 11, 23, 16, 15, 1, tzinfo=UTC)

    assert new_run_id("zzz", NOW) < new_run_id("aaa", later)
    assert len({new_run_id("a", NOW) for _ in range(50)}) > 1


@pytest.mark.parametrize("name", ["quickstart", "a" * 64, "durable-3-brokers", "weird name/ä", "x" * 500])
def test_run_ids_are_valid_in_kafka_names(name: str) -> None:
    assert re.fullmatch(r"[a-zA-Z0-9._-]{1,100}", new_run_id(name, NOW))


def test_the_host_is_captured_without_its_name() -> None:
    host = capture_host()

    assert host.cores >= 1
    assert host.memory_bytes > 0
    assert host.numpy is not None
    assert "hostname" not in host.model_dump()
    assert Environment(**host.model_dump(), librdkafka="2.16.1").librdkafka == "2.16.1"
