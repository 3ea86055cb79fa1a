from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadlab.client.records import (
    NULL_LENGTH,
    RECORDS,
    has_headers,
    key_number,
    value_length,
    write_key,
)
from loadlab.client.settings import KEY_BYTES, NO_KEYS, ROUND_ROBIN_KEYS, UNIFORM_KEYS, WEIGHTED_KEYS
from loadlab.workload.keys import alias_table, zipf_weights

if TYPE_CHECKING:
    import numpy.typing as npt

DRAWS = 40_000


@dataclass(frozen=True, eq=False)
class Plan:
    """A RECORDS record with the arrays that it points at."""

    record: npt.NDArray[np.void]
    arrays: tuple[npt.NDArray[np.generic], ...]

    def key_numbers(self, amount: int = DRAWS) -> list[int]:
        return [key_number(self.record[0], number, number) for number in range(amount)]

    def lengths(self, amount: int = DRAWS) -> list[int]:
        return [value_length(self.record[0], number) for number in range(amount)]

    def headers(self, amount: int = DRAWS) -> list[bool]:
        return [has_headers(self.record[0], number) for number in range(amount)]


def plan_of(
    *, sizes: tuple[int, ...] = (100,), weights: npt.NDArray[np.float64] | None = None, **fields: float
) -> Plan:
    table = (np.zeros(0), np.zeros(0, np.int32)) if weights is None else alias_table(weights)
    arrays = (np.array(sizes, dtype=np.int64), *table)
    record = np.zeros(1, dtype=RECORDS)
    record["seed"], record["sizes"], record["size_count"] = 11, arrays[0].ctypes.data, len(sizes)
    record["likelihoods"], record["aliases"] = arrays[1].ctypes.data, arrays[2].ctypes.data
    record["workers"] = 1
    for name, value in fields.items():
        record[name] = value
    return Plan(record, arrays)


def chi_square(drawn: list[int], shares: npt.NDArray[np.float64]) -> float:
    """Pearson's statistic less its mean, in standard deviations: beyond 5 is no accident."""
    expected = shares * len(drawn)
    found = np.bincount(drawn, minlength=len(shares))
    freedom = len(shares) - 1
    statistic = float(((found - expected) ** 2 / expected).sum())
    return (statistic - freedom) / np.sqrt(2 * freedom)


def share(chosen: list[bool]) -> float:
    return sum(chosen) / len(chosen)


def test_without_keys_every_key_is_null() -> None:
    assert set(plan_of(key_kind=NO_KEYS).key_numbers(100)) == {NULL_LENGTH}


def test_round_robin_keys_go_round() -> None:
    assert plan_of(key_kind=ROUND_ROBIN_KEYS, key_count=3).key_numbers(7) == [0, 1, 2, 0, 1, 2, 0]


def test_uniform_keys_are_all_equally_frequent() -> None:
    drawn = plan_of(key_kind=UNIFORM_KEYS, key_count=64).key_numbers()

    assert abs(chi_square(drawn, np.full(64, 1 / 64))) < 5


@pytest.mark.parametrize("exponent", [0.5, 1.0, 1.1, 2.0])
@pytest.mark.parametrize("count", [2, 10, 50])
def test_zipf_keys_are_as_frequent_as_their_rank_says(count: int, exponent: float) -> None:
    weights = zipf_weights(count, exponent)
    drawn = plan_of(weights=weights, key_kind=WEIGHTED_KEYS, key_count=count).key_numbers()

    assert abs(chi_square(drawn, weights)) < 5


def test_one_weighted_key_is_always_drawn() -> None:
    plan = plan_of(weights=zipf_weights(1, 1.0), key_kind=WEIGHTED_KEYS, key_count=1)

    assert set(plan.key_numbers(50)) == {0}


@pytest.mark.parametrize("wanted", [0.0, 0.01, 0.3, 1.0])
def test_shares_of_null_keys_tombstones_and_headers_are_kept(wanted: float) -> None:
    plan = plan_of(
        key_kind=UNIFORM_KEYS, key_count=9, null_key_share=wanted, tombstone_share=wanted, header_share=wanted
    )
    shares = [
        share([key == NULL_LENGTH for key in plan.key_numbers()]),
        share([length == NULL_LENGTH for length in plan.lengths()]),
        share(plan.headers()),
    ]

    # Five standard deviations of a share of 40,000 draws.
    assert shares == pytest.approx([wanted] * 3, abs=5 * (wanted * (1 - wanted) / DRAWS) ** 0.5)


def test_sizes_are_equally_likely() -> None:
    sizes = (32, 100, 1_000, 5_000)
    drawn = plan_of(sizes=sizes).lengths()

    assert set(drawn) == set(sizes)
    assert abs(chi_square([sizes.index(length) for length in drawn], np.full(4, 0.25))) < 5


def test_one_size_is_every_records() -> None:
    assert set(plan_of(sizes=(77,)).lengths(100)) == {77}


def test_another_seed_draws_other_records() -> None:
    one = plan_of(key_kind=UNIFORM_KEYS, key_count=1_000)
    other = plan_of(key_kind=UNIFORM_KEYS, key_count=1_000, seed=12)

    same = sum(
        left == right for left, right in zip(one.key_numbers(1_000), other.key_numbers(1_000), strict=True)
    )
    assert same < 20


def test_how_many_workers_share_the_records_changes_none_of_them() -> None:
    fields = {"key_count": 100, "null_key_share": 0.1, "tombstone_share": 0.1, "key_kind": UNIFORM_KEYS}
    alone = plan_of(sizes=(10, 20, 30), **fields)
    third_of_five = plan_of(sizes=(10, 20, 30), worker=2, workers=5, **fields)

    assert alone.key_numbers(500) == third_of_five.key_numbers(500)
    assert alone.lengths(500) == third_of_five.lengths(500)


def correlation(left: list[bool], right: list[bool]) -> float:
    return float(np.corrcoef(np.array(left, float), np.array(right, float))[0, 1])


def drawn_choices() -> dict[str, list[bool]]:
    plan = plan_of(
        key_kind=UNIFORM_KEYS, key_count=9, null_key_share=0.2, tombstone_share=0.2, header_share=0.2
    )
    return {
        "null key": [key == NULL_LENGTH for key in plan.key_numbers()],
        "tombstone": [length == NULL_LENGTH for length in plan.lengths()],
        "headers": plan.headers(),
    }


def test_what_a_record_is_in_one_way_says_nothing_of_what_it_is_in_another() -> None:
    choices = list(drawn_choices().values())

    pairs = [correlation(left, right) for left in choices for right in choices if left is not right]
    assert max(map(abs, pairs)) < 5 / DRAWS**0.5


def test_what_a_record_is_says_nothing_of_the_next_one() -> None:
    choices = drawn_choices()

    pairs = {
        f"{left}, then {right}": correlation(choices[left][:-1], choices[right][1:])
        for left in choices
        for right in choices
    }
    assert {names: by for names, by in pairs.items() if abs(by) > 5 / DRAWS**0.5} == {}


@given(st.integers(0, 2**63 - 1))
def test_a_key_is_written_as_sixteen_hexadecimal_digits(key: int) -> None:
    buffer = np.full(KEY_BYTES + 2, 0x2A, dtype=np.uint8)
    write_key(buffer.ctypes.data + 1, key)

    assert buffer.tobytes() == b"*" + f"{key:016x}".encode() + b"*"
