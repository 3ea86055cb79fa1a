from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadlab import units

non_negative = st.floats(min_value=0, max_value=1e12, allow_nan=False).filter(lambda x: x == 0 or x > 1e-12)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("5ms", 0.005),
        ("30s", 30.0),
        ("2m", 120.0),
        ("1.5h", 5400.0),
        ("10us", 1e-5),
        ("10µs", 1e-5),
        ("7ns", 7e-9),
        ("0.3ms", 0.0003),
        (" 5 s ", 5.0),
        ("0", 0.0),
        (0, 0.0),
    ],
)
def test_a_duration_is_read_as_seconds(text: object, seconds: float) -> None:
    assert units.duration_s(text) == seconds


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("64KiB", 65536),
        ("1MB", 1_000_000),
        ("1kB", 1000),
        ("1KB", 1000),
        ("1.5KiB", 1536),
        ("2GiB", 2**31),
        ("100B", 100),
        ("512", 512),
        (512, 512),
        (512.0, 512),
        ("0", 0),
    ],
)
def test_a_size_is_read_as_bytes(text: object, size: int) -> None:
    assert units.size_bytes(text) == size


@pytest.mark.parametrize(
    ("text", "per_second"),
    [
        ("20k/s", 20_000.0),
        ("500/s", 500.0),
        ("1.5M/s", 1.5e6),
        ("500", 500.0),
        (500, 500.0),
        (0.5, 0.5),
        ("0/s", 0.0),
    ],
)
def test_a_rate_is_read_as_per_second(text: object, per_second: float) -> None:
    assert units.rate_per_s(text) == per_second


@pytest.mark.parametrize(("text", "number"), [("50k", 50_000), ("2M", 2_000_000), (7, 7), ("1.5k", 1500)])
def test_a_count_is_read_as_a_whole_number(text: object, number: int) -> None:
    assert units.count(text) == number


@pytest.mark.parametrize(
    ("read", "text", "suggestion"),
    [
        (units.duration_s, 5, "5s"),
        (units.duration_s, "5", "5s"),
        (units.duration_s, "3S", "3s"),
        (units.duration_s, "10 sec", "10s"),
        (units.duration_s, "5 bananas", None),
        (units.duration_s, "7d", "168h"),
        (units.duration_s, "1h30m", "90m"),
        (units.duration_s, "1m 30s", "90s"),
        (units.duration_s, "1h 5x", None),
        (units.size_bytes, "64K", "64KiB"),
        (units.size_bytes, "2Gi", "2GiB"),
        (units.size_bytes, "64Ki", "64KiB"),
        (units.size_bytes, "1,000,000", "1000000"),
        (units.size_bytes, "64kib", "64KiB"),
        (units.rate_per_s, "20K/s", "20k/s"),
        (units.rate_per_s, "20k", "20k/s"),
        (units.rate_per_s, "300k/min", None),  # is 5k/s
        (units.rate_per_s, "5,000/s", "5000/s"),
        (units.rate_per_s, "5_000/s", "5000/s"),
        (units.rate_per_s, "5,00/s", None),
        (units.count, "5 apples", None),
    ],
)
def test_a_wrong_unit_is_refused_with_the_near_one(
    read: object, text: object, suggestion: str | None
) -> None:
    assert callable(read)
    with pytest.raises(units.UnitError) as refused:
        read(text)
    assert refused.value.suggestion == suggestion


@pytest.mark.parametrize("read", [units.duration_s, units.size_bytes, units.rate_per_s, units.count])
@pytest.mark.parametrize(
    "value",
    [
        "",
        "-1s",
        "fast",
        None,
        True,
        [],
        {},
        -1,
        math.nan,
        math.inf,
        "1e9",
        "9" * 100,
        "1.2.3s",
        "ms",
        "x" * 10_000,
    ],
)
def test_what_is_no_number_with_a_unit_is_refused_shortly(read: object, value: object) -> None:
    assert callable(read)
    with pytest.raises(units.UnitError) as refused:
        read(value)
    assert len(str(refused.value)) < 200


@pytest.mark.parametrize("text", ["0.5B", "1.0001KiB", 1.5])
def test_a_size_is_a_whole_number_of_bytes(text: object) -> None:
    with pytest.raises(units.UnitError, match="no whole number of bytes"):
        units.size_bytes(text)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.005, "5ms"),
        (120.0, "2m"),
        (90.0, "90s"),
        (3600.0, "1h"),
        (0.0, "0s"),
        (1e-5, "10us"),
        (0.0015, "1500us"),
    ],
)
def test_a_duration_is_written_in_its_largest_whole_unit(seconds: float, text: str) -> None:
    assert units.format_duration(seconds) == text


@pytest.mark.parametrize(
    ("size", "text"), [(65536, "64KiB"), (1_000_000, "1MB"), (100, "100B"), (0, "0B"), (1536, "1536B")]
)
def test_a_size_is_written_in_its_largest_whole_unit(size: int, text: str) -> None:
    assert units.format_size(size) == text


@given(non_negative)
def test_a_duration_reads_back_as_the_same_float(seconds: float) -> None:
    assert units.duration_s(units.format_duration(seconds)) == seconds


@given(st.integers(min_value=0, max_value=2**60))
def test_a_size_reads_back_as_the_same_number(size: int) -> None:
    assert units.size_bytes(units.format_size(size)) == size


@given(non_negative)
def test_a_rate_reads_back_as_the_same_float(per_second: float) -> None:
    assert units.rate_per_s(units.format_rate(per_second)) == per_second


@pytest.mark.parametrize(
    ("name", "written", "plain"),
    [
        ("linger.ms", "5ms", "5"),
        ("linger.ms", "0.5", "0.5"),
        ("linger.ms", "500us", "0.5"),
        ("retention.ms", "1h", "3600000"),
        ("retention.ms", "-1", "-1"),
        ("batch.size", "64KiB", "65536"),
        ("max.message.bytes", "2MiB", "2097152"),
        ("queue.buffering.max.kbytes", "1GiB", "1048576"),
        ("compression.type", "lz4", "lz4"),
        ("queue.buffering.max.messages", "5ms", "5ms"),
    ],
)
def test_a_property_takes_units_where_its_name_says_one(name: str, written: str, plain: str) -> None:
    assert units.property_value(name, written) == plain
