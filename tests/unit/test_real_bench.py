"""What the bench of real runs makes of what it measured."""

from __future__ import annotations

import time
from types import SimpleNamespace
from typing import TYPE_CHECKING

from bench_samples import study
from capacity_samples import capacity, probe

from loadlab.results.model_capacity import CapacityAnswer
from loadlab.run.opening import RunOptions
from loadlab.run.progress import SilentObserver
from loadlab.tuning import real_bench

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_a_trial_where_no_rate_holds_fails_and_says_which_search_came_to_that(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of such a search the probe at max, which has no rate either, is not the one that holds."""
    search = capacity(
        probes=(probe(None, verdict=None), probe(200.0, verdict="fails", failed=("p99",))),
        answer=CapacityAnswer(kind="below", holds_per_s=None, fails_per_s=200.0, sure=True),
    )
    monkeypatch.setattr(real_bench, "find_capacity", lambda *_, **__: SimpleNamespace(result=search))
    loaded = study()
    bench = real_bench._RealBench(
        loaded,
        None,
        RunOptions(tmp_path),
        SilentObserver(),
        None,
        warms_up=False,  # type: ignore[arg-type]
    )
    measured = bench._measure_capacity(loaded.loaded, None, time.monotonic())  # type: ignore[arg-type]
    assert measured.failure == f"the capacity search {search.capacity_id} came to below"
    assert not measured.counts
