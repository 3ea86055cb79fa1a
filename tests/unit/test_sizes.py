from __future__ import annotations

import numpy as np
import pytest

from loadlab.scenario import Records
from loadlab.workload.sizes import ENTRIES, MOST_ENTRIES, size_table


def sizes_of(size: object) -> np.ndarray:
    return size_table(Records.model_validate({"size": size}))


def test_a_fixed_size_needs_one_entry() -> None:
    assert sizes_of("1KiB").tolist() == [1_024]


def test_uniform_sizes_reach_from_the_smallest_to_the_largest_equally_often() -> None:
    sizes = sizes_of({"uniform": {"min": 100, "max": 3_099}})

    assert sorted(sizes.tolist()) == list(range(100, 3_100))


def test_uniform_sizes_over_a_wide_range_keep_its_mean_and_bounds() -> None:
    sizes = sizes_of({"uniform": {"min": 1, "max": "1MB"}})

    assert 1 <= sizes.min() < 5
    assert 1_000_000 - 5 < sizes.max() <= 1_000_000
    assert sizes.mean() == pytest.approx(500_000, rel=1e-3)


def test_one_size_may_be_both_bounds() -> None:
    assert set(sizes_of({"uniform": {"min": 64, "max": 64}}).tolist()) == {64}


def test_lognormal_sizes_have_their_median_and_their_spread_and_stay_in_bounds() -> None:
    sizes = sizes_of({"lognormal": {"median": 1000, "sigma": 0.5, "min": 100, "max": "100kB"}})
    logarithms = np.log(sizes)

    assert np.median(sizes) == pytest.approx(1_000, rel=0.01)
    assert logarithms.std() == pytest.approx(0.5, rel=0.02)
    assert sizes.mean() == pytest.approx(1_000 * np.exp(0.125), rel=0.01)


def test_lognormal_sizes_beyond_a_bound_become_that_bound() -> None:
    sizes = sizes_of({"lognormal": {"median": 1000, "sigma": 2.0, "min": 500, "max": 2000}})

    assert (sizes.min(), sizes.max()) == (500, 2_000)
    assert (sizes == 500).sum() > ENTRIES // 4


def test_large_sizes_of_a_lognormal_tail_are_drawn_too() -> None:
    sizes = sizes_of({"lognormal": {"median": 1024, "sigma": 1.0, "max": "900kB"}})

    # One record in 8,200 is beyond exp(ln 1024 + 3.67).
    assert (sizes > 40_127).mean() == pytest.approx(1 / 8_200, rel=0.1)


def test_weighted_sizes_come_as_often_as_their_weights_say() -> None:
    choices = [{"size": 100, "weight": 3}, {"size": "1KiB", "weight": 1}]
    sizes = sizes_of({"weighted": choices})

    assert (sizes == 100).mean() == 0.75
    assert (sizes == 1_024).mean() == 0.25


def test_a_rare_size_is_drawn_too() -> None:
    sizes = sizes_of({"weighted": [{"size": 100, "weight": 99_999}, {"size": "1MiB", "weight": 1}]})

    assert 1 << 20 in sizes.tolist()


def test_a_weight_beyond_all_measure_is_as_rare_as_a_table_can_have_it() -> None:
    choices = [{"size": 1_024, "weight": 1}, {"size": 2_048, "weight": 1e-320}]
    sizes = sizes_of({"weighted": choices})

    assert (sizes == 2_048).sum() == 1
    assert len(sizes) <= MOST_ENTRIES + 1
