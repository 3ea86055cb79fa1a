from __future__ import annotations

import pytest

from loadlab.analysis import numbers


@pytest.mark.parametrize(
    ("microseconds", "told"),
    [
        (0.0, "0 µs"),
        (3.456, "3.46 µs"),
        (350.0, "350 µs"),
        (999.4, "999 µs"),
        (999.6, "1.00 ms"),
        (1_210.0, "1.21 ms"),
        (22_400.0, "22.4 ms"),
        (999_960.0, "1.00 s"),
        (12_345_678.0, "12.3 s"),
        (100_000_000.0, "100 s"),
        (None, "-"),
    ],
)
def test_a_latency_has_three_digits_and_its_unit(microseconds: float | None, told: str) -> None:
    assert numbers.latency(microseconds) == told


@pytest.mark.parametrize(
    ("per_s", "told"),
    [
        (0.0, "0 records/s"),
        (0.25, "0.25 records/s"),
        (0.0001, "0.0001 records/s"),
        (19_998.4, "19,998 records/s"),
        (1_234_567.8, "1,234,568 records/s"),
        (None, "-"),
    ],
)
def test_a_record_rate_is_told_to_the_record(per_s: float | None, told: str) -> None:
    assert numbers.record_rate(per_s) == told


@pytest.mark.parametrize(
    ("size", "told"), [(0, "0 B"), (999, "999 B"), (20_478_361.6, "20.5 MB"), (3_000_000_000, "3.00 GB")]
)
def test_a_size_is_told_in_powers_of_1000(size: float, told: str) -> None:
    assert numbers.size(size) == told
    assert numbers.byte_rate(size) == f"{told}/s"


@pytest.mark.parametrize(
    ("seconds", "told"), [(0.31, "0.3 s"), (59.94, "59.9 s"), (59.96, "1 min 0 s"), (95.0, "1 min 35 s")]
)
def test_a_duration_is_told_in_seconds_and_minutes(seconds: float, told: str) -> None:
    assert numbers.duration(seconds) == told


def test_one_thing_is_singular() -> None:
    assert (numbers.counted(1, "broker"), numbers.counted(3, "broker")) == ("1 broker", "3 brokers")


def test_a_ratio_has_the_digits_that_say_something() -> None:
    told = [numbers.ratio(number) for number in (1.1834, 0.06583, 22.01, 41_700.2)]

    assert told == ["1.18", "0.0658", "22.0", "41,700"]
    assert numbers.ratio(1.0031, fine=True) == "1.003"


def test_an_interval_names_its_unit_once() -> None:
    assert numbers.between(3_130.0, 3_250.0, "µs") == "3.13–3.25 ms"
    assert numbers.between(980.0, 1_020.0, "µs") == "980 µs–1.02 ms"
    assert numbers.between(4_999.0, 5_001.0, "records/s") == "4,999–5,001 records/s"
