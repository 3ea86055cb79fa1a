from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loadlab.workload.keys import alias_table, zipf_weights


def chances(likelihoods: np.ndarray, aliases: np.ndarray) -> np.ndarray:
    """The chance of each key that a table stands for: what its columns keep and what they give away."""
    columns = len(likelihoods)
    given_away = np.bincount(aliases, weights=1.0 - likelihoods, minlength=columns)
    return (likelihoods + given_away) / columns


@pytest.mark.parametrize("exponent", [0.01, 1.0, 1.1, 10.0])
@pytest.mark.parametrize("count", [1, 2, 3, 10_000])
def test_an_alias_table_stands_for_exactly_its_weights(count: int, exponent: float) -> None:
    weights = zipf_weights(count, exponent)

    assert chances(*alias_table(weights)) == pytest.approx(weights, abs=1e-12)


@settings(max_examples=60)
@given(st.lists(st.floats(1e-6, 1e6), min_size=1, max_size=200))
def test_an_alias_table_stands_for_any_weights(numbers: list[float]) -> None:
    weights = np.array(numbers) / sum(numbers)

    assert chances(*alias_table(weights)) == pytest.approx(weights, abs=1e-12)


def test_likelihoods_are_chances_and_aliases_are_keys() -> None:
    likelihoods, aliases = alias_table(zipf_weights(1_000, 1.5))

    assert ((likelihoods >= 0) & (likelihoods <= 1)).all()
    assert ((aliases >= 0) & (aliases < 1_000)).all()


def test_zipf_gives_key_two_half_the_weight_of_key_one_at_exponent_one() -> None:
    weights = zipf_weights(100, 1.0)

    assert weights.sum() == pytest.approx(1.0)
    assert weights[0] / weights[1] == pytest.approx(2.0)
    assert weights[0] / weights[9] == pytest.approx(10.0)
