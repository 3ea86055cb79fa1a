"""Traces as files: what is read of them, and what is told of those that can't be replayed."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from loadlab.client.trace import NULL_KEY, Trace
from loadlab.errors import EXIT_USAGE, ScenarioError
from loadlab.hints import HintedError
from loadlab.scenario import load, trace_file, trace_rows
from loadlab.scenario.trace_file import LARGEST_FILE_BYTES, read_trace

if TYPE_CHECKING:
    from pathlib import Path

S = 1_000_000_000


def csv_of(folder: Path, text: str, name: str = "t.csv") -> Path:
    path = folder / name
    path.write_bytes(text.encode())
    return path


def parquet_of(folder: Path, **columns: Any) -> Path:  # noqa: ANN401 (arrays of any type)
    path = folder / "t.parquet"
    parquet.write_table(pa.table(columns), path)
    return path


def dues_s(trace: Trace) -> list[float]:
    return (trace.rows["due_ns"] / S).tolist()


def keys(trace: Trace) -> list[bytes | None]:
    return [
        None
        if row["key_bytes"] == NULL_KEY
        else trace.keys[row["key_at"] : row["key_at"] + row["key_bytes"]].tobytes()
        for row in trace.rows
    ]


def refusal(path: Path, scale: float = 1.0) -> str:
    with pytest.raises(HintedError) as refused:
        read_trace(path, scale)
    message = str(refused.value)
    assert "\n" not in message
    assert message.startswith(str(path))
    return message.removeprefix(str(path)).removeprefix(":").strip()


def test_a_csv_trace_is_read_as_it_stands(tmp_path: Path) -> None:
    trace = read_trace(csv_of(tmp_path, 'time,size,key\n0,100,a\n0.5,200,\n0.5,0,""\n2,300,"b,c"\n'), 1.0)

    assert dues_s(trace) == [0.0, 0.5, 0.5, 2.0]
    assert trace.rows["size_bytes"].tolist() == [100, 200, 0, 300]
    assert keys(trace) == [b"a", None, b"", b"b,c"]


def test_columns_may_stand_in_any_order_beside_others(tmp_path: Path) -> None:
    trace = read_trace(csv_of(tmp_path, "\ufeffnote, key ,time\r\nx,a,1\r\n\r\ny,NA, 2 \r\n"), 1.0)

    assert (dues_s(trace), keys(trace), trace.has_sizes) == ([0.0, 1.0], [b"a", b"NA"], False)


def test_lines_may_end_as_on_old_macs_and_names_stand_in_quotes(tmp_path: Path) -> None:
    trace = read_trace(csv_of(tmp_path, '\ufeff"time","key"\r0,"a\rb"\r0.5,c\r'), 1.0)

    assert (dues_s(trace), keys(trace)) == ([0.0, 0.5], [b"a\rb", b"c"])


def test_keys_of_several_lines_are_read_wherever_they_stand(tmp_path: Path) -> None:
    """Arrow reads blocks of 1 MiB, and one of them ends within a key."""
    rows = "".join(f'{number},"a\nb\nc"\n' for number in range(200_000))
    trace = read_trace(csv_of(tmp_path, f"time,key\n{rows}"), 1.0)

    assert len(trace.rows) == 200_000
    assert set(trace.rows["key_bytes"].tolist()) == {5}


TEXTS = pa.string(), pa.large_string(), pa.string_view(), pa.dictionary(pa.int32(), pa.string())


@pytest.mark.parametrize("text", TEXTS, ids=str)
@pytest.mark.parametrize(
    "times", [["1", " 1.5", "61"], ["2026-03-01T10:00:00", "2026-03-01T10:00:00.5", "2026-03-01T10:01:00"]]
)
def test_parquet_times_may_be_text_however_it_is_laid_out(
    tmp_path: Path, text: pa.DataType, times: list[str]
) -> None:
    column = pa.array(times).dictionary_encode() if pa.types.is_dictionary(text) else pa.array(times, text)
    sizes = pa.array([1, 2, 2]).dictionary_encode()
    trace = read_trace(parquet_of(tmp_path, time=column, size=sizes), 1.0)

    assert dues_s(trace) == [0.0, 0.5, 60.0]
    assert trace.rows["size_bytes"].tolist() == [1, 2, 2]


def test_the_first_row_is_due_at_the_start_whatever_its_time(tmp_path: Path) -> None:
    trace = read_trace(csv_of(tmp_path, "time\n1700000000.5\n1700000001.5\n1700000004.5\n"), 2.0)

    assert dues_s(trace) == [0.0, 0.5, 2.0]


@pytest.mark.parametrize(
    "times",
    [
        ["2026-03-01T10:00:00", "2026-03-01T10:00:00.000000001", "2026-03-01 10:01:00.5"],
        ["2026-03-01T10:00:00Z", "2026-03-01T10:00:00.000000001Z", "2026-03-01T11:01:00.5+01:00"],
    ],
)
def test_times_may_be_timestamps_to_the_nanosecond(tmp_path: Path, times: list[str]) -> None:
    trace = read_trace(csv_of(tmp_path, "time\n" + "\n".join(times)), 1.0)

    assert trace.rows["due_ns"].tolist() == [0, 1, 60_500_000_000]


@pytest.mark.parametrize("unit", ["s", "ms", "us", "ns"])
@pytest.mark.parametrize("zone", [None, "Europe/Berlin"])
def test_parquet_timestamps_have_their_unit(tmp_path: Path, unit: str, zone: str | None) -> None:
    start = datetime(2026, 3, 1, tzinfo=UTC if zone else None)
    stamps = [start, start + timedelta(seconds=1), start + timedelta(seconds=90)]

    trace = read_trace(parquet_of(tmp_path, time=pa.array(stamps, pa.timestamp(unit, zone))), 1.0)

    assert dues_s(trace) == [0.0, 1.0, 90.0]


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        (pa.array(["a", None, "ü"]), [b"a", None, "ü".encode()]),
        (pa.array(["a", None, "a"]).dictionary_encode(), [b"a", None, b"a"]),
        (pa.array([b"\x00\xff", None, b""]), [b"\x00\xff", None, b""]),
        (pa.array([17, None, -1]), [b"17", None, b"-1"]),
        (pa.array(["a", None, "c"], pa.large_string()), [b"a", None, b"c"]),
        (pa.array([None, None, None], pa.string()), [None, None, None]),
    ],
    ids=["text", "dictionary", "bytes", "numbers", "large text", "nulls"],
)
def test_parquet_keys_may_be_text_bytes_or_numbers(
    tmp_path: Path, column: pa.Array, expected: list[bytes | None]
) -> None:
    trace = read_trace(parquet_of(tmp_path, time=[0, 1, 2], key=column), 1.0)

    assert keys(trace) == expected


@settings(max_examples=60)
@given(
    st.lists(
        st.tuples(st.integers(0, 10**7), st.integers(0, 10**9), st.none() | st.text('abc,"é ', max_size=5)),
        min_size=1,
        max_size=40,
    ),
    st.integers(1, 7),
)
def test_batches_of_any_size_give_the_same_trace(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple[int, int, str | None]], batch_rows: int
) -> None:
    rows.sort(key=lambda row: row[0])
    times, sizes, given_keys = zip(*rows, strict=True)
    folder = tmp_path_factory.mktemp("trace")
    path = parquet_of(
        folder, time=[time / 1000 for time in times], size=sizes, key=pa.array(given_keys, pa.string())
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(trace_file, "_BATCH_ROWS", batch_rows)
        trace = read_trace(path, 1.0)

    assert trace.rows["due_ns"].tolist() == [(time - times[0]) * 1_000_000 for time in times]
    assert trace.rows["size_bytes"].tolist() == list(sizes)
    assert keys(trace) == [None if key is None else key.encode() for key in given_keys]


BAD_CSV = {
    "goes back": (
        "time\n1\n2\n1.5\n",
        "4: time 1.5 lies before that of the row above: the times of a trace never go back",
    ),
    "goes back by timestamps": (
        "time\n2026-03-01\n2026-02-01\n",
        "3: time 2026-02-01 lies before that of the row above: the times of a trace never go back",
    ),
    "blank lines count": (
        "\ntime\n1\n\n\n0\n",
        "6: time 0 lies before that of the row above: the times of a trace never go back",
    ),
    "a line of blanks is a row": (
        "time\n1\n  \n",
        '3: time "" is no number of seconds, as the first row has',
    ),
    "lines that end as on old Macs": (
        "time\n1\r0.5\r",
        "3: time 0.5 lies before that of the row above: the times of a trace never go back",
    ),
    "a key of several lines": (
        'time,key\n1,"a\n\nb"\n0,c\n',
        "5: time 0 lies before that of the row above: the times of a trace never go back",
    ),
    "a key too long for Python": (
        f"time,key\n1,{'x' * 200_000}\n0,c\n",
        "row 2: time 0 lies before that of the row above: the times of a trace never go back",
    ),
    "a field short behind an empty line": (
        "time,size\n\n1,2\n2\n",
        "4: has 1 fields, and the first line 2 names",
    ),
    "a quote that is open": (
        'time,key\n1,"a"\n2,"b\n3,c\n4,d\n',
        "3: has a quote that is never closed",
    ),
    "milliseconds": (
        "time\n1700000000000\n1700000000500\n",
        "2: time 1700000000000 is no number of seconds: divide milliseconds by 1000",
    ),
    "negative time": ("time\n-1\n2\n", "2: time -1 is negative"),
    "no number": ("time\n1\nsoon\n", '3: time "soon" is no number of seconds, as the first row has'),
    "neither": ("time\nsoon\n", '2: time "soon" is neither seconds nor an ISO 8601 timestamp'),
    "mixed": (
        "time\n2026-03-01\n5\n",
        '3: time "5" is no ISO 8601 timestamp without a time zone, as the first row has',
    ),
    "one time zone": (
        "time\n2026-03-01T10:00:00\n2026-03-01T10:00:01Z\n",
        '3: time "2026-03-01T10:00:01Z" is no ISO 8601 timestamp without a time zone, as the first row has',
    ),
    "not a number": ("time\n1\nnan\n", "3: time nan is no moment"),
    "infinite": ("time\n1\ninf\n", "3: time inf is no moment"),
    "empty time": ("time,size\n1,2\n,3\n", "3: time is empty"),
    "negative size": ("time,size\n1,2\n2,-3\n", "3: size -3 is negative"),
    "half a byte": ("time,size\n1,2.5\n", '2: size "2.5" is no whole number of bytes'),
    "base 16": ("time,size\n0,100\n1,0X1F4\n", '3: size "0X1F4" is no whole number of bytes'),
    "empty size": ("time,size\n1,\n", "2: size is empty"),
    "gigabytes": ("time,size\n1,2000000000\n", "2: size 2000000000 is more than 1,000,000,000 bytes"),
    "the first of several": ("time,size\n1,5\n2,-1\n3,\n4,-7\n", "3: size -1 is negative"),
    "a field short": ("time,size\n1,2\n2\n", "3: has 1 fields, and the first line 2 names"),
    "no time": ("when,size\n1,2\n", "has no column time; there are when, size"),
    "nearly a time": ("size,Timestamp\n1,2\n", 'has no column time; "Timestamp" is there, to be renamed'),
    "time twice": ("time,time\n1,2\n", "has two columns time"),
    "only names": ("time,size\n", "has no rows"),
    "empty": ("", "is empty"),
    "a million columns": (
        "time," + "x," * 10**6,
        "1: has a first line of more than 64 KiB; it has the names time, size and key",
    ),
    "thousands of columns": (
        "time" + ",x" * 5000 + "\n",
        "1: has 5,001 columns; a trace has time, size and key",
    ),
}


@pytest.mark.parametrize(("text", "expected"), BAD_CSV.values(), ids=BAD_CSV)
def test_a_csv_file_that_cannot_be_replayed_is_told_by_its_line(
    tmp_path: Path, text: str, expected: str
) -> None:
    assert refusal(csv_of(tmp_path, text)) == expected


BAD_PARQUET: dict[str, tuple[dict[str, Any], str]] = {
    "a moment that Python has no date for": (
        {"time": pa.array([17 * 10**14, 16 * 10**14], pa.timestamp("ms"))},
        'row 1: time "1700000000000000" is no ISO 8601 timestamp',
    ),
    "goes back": ({"time": [1.0, 2.0, 0.0]}, "row 3: time 0.0 lies before"),
    "negative": ({"time": [-5, 2]}, "row 1: time -5 is negative"),
    "not a number": ({"time": [1.0, float("nan")]}, "row 2: time nan is no moment"),
    "empty": ({"time": [1.0, None]}, "row 2: time is empty"),
    "negative size": ({"time": [1, 2], "size": [1, -1]}, "row 2: size -1 is negative"),
    "half a byte": ({"time": [1, 2], "size": [1.0, 1.5]}, 'row 2: size "1.5" is no whole number of bytes'),
    "lists of times": ({"time": [[1], [2]]}, "has a column time of type list<"),
    "lists of keys": ({"time": [1], "key": [[1]]}, "has a column key of type list<"),
    "bools": ({"time": [False, True]}, "has a column time of type bool, which is neither seconds nor"),
    "bools as sizes": ({"time": [1], "size": [True]}, "has a column size of type bool, which is no"),
    "no rows": ({"time": pa.array([], pa.float64())}, "has no rows"),
    "no time": ({"times": [1]}, 'has no column time; "times" is there, to be renamed'),
    "thousands of columns": ({f"c{number}": [1] for number in range(2000)}, "has 2,000 columns"),
}


@pytest.mark.parametrize(("columns", "expected"), BAD_PARQUET.values(), ids=BAD_PARQUET)
def test_a_parquet_file_that_cannot_be_replayed_is_told_by_its_row(
    tmp_path: Path, columns: dict[str, Any], expected: str
) -> None:
    assert refusal(parquet_of(tmp_path, **columns)).startswith(expected)


def test_a_parquet_file_of_a_hundred_thousand_columns_is_never_parsed(tmp_path: Path) -> None:
    path = tmp_path / "wide.parquet"
    # What its end says of its own length is all that is looked at.
    path.write_bytes(b"PAR1" + bytes(20 << 20) + (20 << 20).to_bytes(4, "little") + b"PAR1")

    assert refusal(path) == "describes itself in more than 16 MiB; a trace has the columns time, size and key"


@pytest.mark.parametrize(
    "content", [b"PAR1", b"time\n1\n", b"PAR1" + bytes(50) + b"PAR1", b"PAR1" + b"\xff" * 50 + b"PAR1", b"x"]
)
def test_what_is_no_parquet_file_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "t.parquet"
    path.write_bytes(content)

    assert "no Parquet file" in refusal(path) or "can't be read" in refusal(path)


def test_what_is_no_file_at_all_is_refused(tmp_path: Path) -> None:
    (tmp_path / "folder.csv").mkdir()
    os.mkfifo(tmp_path / "pipe.csv")

    assert refusal(tmp_path / "none.csv") == "no such file"
    assert refusal(tmp_path / "folder.csv") == "is a directory, not a trace"
    assert refusal(tmp_path / "pipe.csv") == "is no plain file"
    assert refusal(csv_of(tmp_path, "time\n1\n", "t.txt")) == "is neither .csv nor .parquet by its name"


def test_a_huge_file_is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    with path.open("wb") as file:
        file.truncate(LARGEST_FILE_BYTES + 1)

    assert refusal(path) == "has 1,073,741,825 bytes, and a trace at most 1GiB; replay a part of it"


def test_more_rows_than_a_trace_may_have_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = csv_of(tmp_path, "time\n" + "1\n" * 101)
    monkeypatch.setattr(trace_rows, "MOST_ROWS", 101)
    assert len(read_trace(path, 1.0).rows) == 101

    monkeypatch.setattr(trace_rows, "MOST_ROWS", 100)
    assert refusal(path) == "is too large: a trace has at most 100 rows and 512 MiB of keys"


@settings(max_examples=150)
@given(
    st.binary(max_size=300),
    st.sampled_from([b"", b"time,size,key\n", b"PAR1"]),
    st.sampled_from([".csv", ".parquet"]),
)
def test_any_bytes_give_a_trace_or_one_line(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, begin: bytes, suffix: str
) -> None:
    path = tmp_path_factory.mktemp("any") / f"t{suffix}"
    path.write_bytes(begin + content)
    trace: Trace | HintedError
    try:
        trace = read_trace(path, 1.0)
    except HintedError as error:
        trace = error
    if isinstance(trace, HintedError):
        assert str(trace).startswith(str(path))
        assert "\n" not in str(trace)
    else:
        assert np.all(np.diff(trace.rows["due_ns"]) >= 0)
        assert trace.rows["size_bytes"].min() >= 0


SCENARIO = """
name: replay
topics: {orders: {}}
producers:
  checkout:
    topic: orders
    schedule: {rate: {trace: {file: t.csv}}}
    records: {size: trace, keys: {kind: trace}}
consumers:
  billing: {topic: orders}
"""


def told(folder: Path, scenario: str, trace: str, *overrides: str) -> str:
    csv_of(folder, trace)
    path = folder / "replay.yaml"
    path.write_text(scenario, encoding="utf-8")
    with pytest.raises(ScenarioError) as refused:
        load(path, overrides)
    assert refused.value.exit_code == EXIT_USAGE
    return refused.value.message.replace(f"{folder}/", "")


def test_a_bad_row_is_told_at_the_file_in_the_scenario(tmp_path: Path) -> None:
    assert told(tmp_path, SCENARIO, "time,size,key\n1,100,a\n0,100,a\n") == (
        "replay.yaml:7:37: producers.checkout.schedule.rate.trace.file: t.csv:3: time 0 lies before that of "
        "the row above: the times of a trace never go back\n"
        "        schedule: {rate: {trace: {file: t.csv}}}\n"
        "                                        ^"
    )


def test_a_size_without_room_for_the_stamp_is_told_by_its_line(tmp_path: Path) -> None:
    trace = "time,size,key\n1,100,a\n2,31,a\n"

    message = told(tmp_path, SCENARIO, trace)
    assert "producers.checkout.records.size: t.csv:3: a record of 31 B has no room for the stamp" in message
    path = tmp_path / "replay.yaml"
    spec = load(path, ["producers.checkout.records.stamp=false"]).scenario.producers["checkout"]
    assert (spec.smallest_bytes, spec.largest_bytes, spec.stamped) == (31, 100, False)


def test_a_size_that_no_broker_takes_is_told_by_its_line(tmp_path: Path) -> None:
    message = told(tmp_path, SCENARIO, "time,size,key\n1,100,a\n2,2000000,a\n")

    assert "records.size: t.csv:3: 2MB and 1 B of its key are more than" in message


def test_a_key_counts_with_its_value(tmp_path: Path) -> None:
    rows = f"time,size,key\n1,990000,a\n2,500000,{'k' * 100_000}\n3,950000,{'k' * 90_000}\n"

    assert "t.csv:4: 950kB and 90kB of its key are more than" in told(tmp_path, SCENARIO, rows)


@pytest.mark.parametrize(
    ("columns", "field", "column"),
    [("time,key\n1,a\n", "size", "size"), ("time,size\n1,99\n", "keys.kind", "key")],
)
def test_a_column_that_is_not_there_cannot_be_taken(
    tmp_path: Path, columns: str, field: str, column: str
) -> None:
    assert f"producers.checkout.records.{field}: t.csv has no column {column}" in told(
        tmp_path, SCENARIO, columns
    )


def test_without_a_trace_there_is_nothing_to_take(tmp_path: Path) -> None:
    message = told(tmp_path, SCENARIO, "time\n1\n", "producers.checkout.schedule.rate=100")

    assert "producers.checkout.records.size: there is no trace" in message
    assert "producers.checkout.records.keys.kind: there is no trace" in message


def test_a_trace_has_its_own_arrivals_and_a_speed_above_zero(tmp_path: Path) -> None:
    row = "time,size,key\n1,100,a\n"

    assert "drop arrivals: poisson" in told(
        tmp_path, SCENARIO, row, "producers.checkout.schedule.arrivals=poisson"
    )
    scale = "producers.checkout.schedule.rate.trace.scale"
    assert "must be more than 0" in told(tmp_path, SCENARIO, row, f"{scale}=0")


def test_a_file_set_over_the_scenario_is_where_the_user_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "scenarios").mkdir()
    (tmp_path / "here").mkdir()
    path = tmp_path / "scenarios" / "replay.yaml"
    path.write_text(SCENARIO, encoding="utf-8")
    csv_of(tmp_path / "scenarios", "time,size,key\n1,100,a\n")
    csv_of(tmp_path / "here", "time,size,key\n1,100,a\n2,200,a\n", "mine.csv")
    monkeypatch.chdir(tmp_path / "here")

    beside = load(path).scenario.producers["checkout"]
    over = load(path, ["producers.checkout.schedule.rate.trace.file=mine.csv"]).scenario.producers["checkout"]
    assert beside.trace is not None
    assert over.trace is not None
    assert (len(beside.trace.rows), len(over.trace.rows)) == (1, 2)
