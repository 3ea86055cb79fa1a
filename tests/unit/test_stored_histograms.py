from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from recorded_runs import copied, recorded

from loadlab.analysis.histograms import LATENCIES, latency_histogram, latency_histograms
from loadlab.errors import UsageError
from loadlab.measurement.histogram import PERCENTILES
from loadlab.results.artifacts import BUCKET_EDGES

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("run", ["pair", "fast"])
def test_a_stored_histogram_tells_what_the_result_tells(run: str) -> None:
    result = recorded(run).result
    groups = {
        **{f"producer/{name}": group for name, group in result.producers.items()},
        **{f"consumer/{name}": group for name, group in result.consumers.items()},
    }
    for (source, metric), found in latency_histograms(recorded(run)).items():
        block = getattr(groups[source], f"{metric}_us")
        assert found.count == block.count
        assert (found.min_us, found.max_us) == (block.min, block.max)
        assert found.mean_us == pytest.approx(block.mean, abs=0.001)
        for name, percentile in PERCENTILES.items():
            assert found.percentile_us(percentile) == getattr(block, name), f"{source} {metric} {name}"


def test_groups_are_merged_by_adding_their_counts() -> None:
    run = recorded("pair")
    parts = [latency_histogram(run, "publish_latency", name) for name in run.result.producers]
    merged = latency_histogram(run, "publish_latency")

    assert np.array_equal(merged.counts, parts[0].counts + parts[1].counts)
    assert merged.sources == ("producer/checkout", "producer/auditor")
    assert merged.max_us == max(part.max_us for part in parts if part.max_us is not None)
    assert len(merged.bucket_edges_us) == len(merged.counts) + 1


def test_runs_are_merged_too() -> None:
    found = latency_histogram(recorded("pair"), "end_to_end_latency")

    assert (found + found).count == 2 * found.count
    assert (found + found).sources == found.sources


def test_at_the_maximum_rate_publish_latency_is_the_service_time() -> None:
    run = recorded("fast")

    assert np.array_equal(
        latency_histogram(run, "publish_latency").counts, latency_histogram(run, "service_time").counts
    )
    with pytest.raises(UsageError, match="has no send_delay: no record has the intended send time"):
        latency_histogram(run, "send_delay")


def test_what_is_not_there_is_told_with_the_near_name() -> None:
    run = recorded("pair")
    with pytest.raises(UsageError, match="no latency is called publish; did you mean publish_latency"):
        latency_histogram(run, "publish")  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="no producer is called chekout; did you mean checkout"):
        latency_histogram(run, "publish_latency", "chekout")
    with pytest.raises(UsageError, match="no consumer is called checkout; there are billing, archive"):
        latency_histogram(run, "end_to_end_latency", "checkout")


def test_different_latencies_are_not_added() -> None:
    run = recorded("pair")
    with pytest.raises(UsageError, match="are not the same"):
        latency_histogram(run, "publish_latency") + latency_histogram(run, "service_time")


@pytest.mark.parametrize("percentile", [0, 100, -1, 99.999])
def test_what_is_no_percentile_is_refused(percentile: float) -> None:
    with pytest.raises(UsageError, match="is no percentile"):
        latency_histogram(recorded("pair"), "publish_latency").percentile_us(percentile)


def test_other_buckets_are_refused(tmp_path: Path) -> None:
    run = copied("pair", tmp_path)
    with np.load(run.path / "histograms.npz") as stored:
        arrays = dict(stored)
    arrays[BUCKET_EDGES] = arrays[BUCKET_EDGES] * 2
    np.savez(run.path / "histograms.npz", **arrays)

    with pytest.raises(UsageError, match="has other buckets"):
        latency_histogram(run, "publish_latency")


def test_every_latency_of_a_run_is_there() -> None:
    assert {metric for _, metric in latency_histograms(recorded("pair"))} == set(LATENCIES)
