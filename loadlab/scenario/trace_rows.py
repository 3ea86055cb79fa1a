"""From the columns of a trace to the rows that are replayed; what can't be is told by its row."""

from __future__ import annotations

from operator import itemgetter
from typing import TYPE_CHECKING, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from loadlab.client.trace import NULL_KEY, TRACE_ROW, Trace
from loadlab.hints import HintedError
from loadlab.scenario.records import LARGEST_BYTES
from loadlab.units import NS_PER_S

if TYPE_CHECKING:
    import numpy.typing as npt

    _Numbers = npt.NDArray[np.int64] | npt.NDArray[np.float64]

MOST_ROWS: Final = 10_000_000
MOST_KEY_BYTES: Final = 1 << 29

_LATEST_NS: Final = 4e18
_LATEST_S: Final = 1e11
"""In the year 5138; of milliseconds it is one in 1973."""

_SHOWN: Final = 40


class BadRowError(Exception):
    """A row that can't be replayed.

    Args:
        row: its number, from 0.
        reason: what is wrong with it.
    """

    def __init__(self, row: int, reason: str) -> None:
        super().__init__(reason)
        self.row = row
        self.reason = reason


class TraceBuilder:
    """Takes a trace in, batch by batch.

    Args:
        has_sizes: whether batches have a column "size".
        has_keys: whether they have a column "key".
    """

    def __init__(self, *, has_sizes: bool, has_keys: bool) -> None:
        self._has_sizes = has_sizes
        self._has_keys = has_keys
        self._parts: list[npt.NDArray[np.void]] = []
        self._times: list[_Numbers] = []
        self._keys: list[npt.NDArray[np.uint8]] = []
        self._time_type: pa.DataType | None = None
        self._rows = 0
        self._key_bytes = 0

    def add(self, batch: pa.RecordBatch) -> None:
        """Takes the next rows.

        Raises:
            BadRowError: one of them can't be replayed.
            HintedError: there are too many, or a column is of a type that has no meaning here.
        """
        if not batch.num_rows:
            return
        part = np.zeros(batch.num_rows, dtype=TRACE_ROW)
        times = self._checked_times(batch.column("time"))
        if self._has_sizes:
            part["size_bytes"] = self._checked_sizes(batch.column("size"))
        part["key_bytes"] = NULL_KEY
        if self._has_keys:
            self._take_keys(_as_bytes(batch.column("key")), part)
        self._times.append(times)
        self._parts.append(part)
        self._rows += len(part)
        if self._rows > MOST_ROWS or self._key_bytes > MOST_KEY_BYTES:
            raise HintedError(
                f"is too large: a trace has at most {MOST_ROWS:,} rows and {MOST_KEY_BYTES >> 20} MiB of keys"
            )

    def finish(self, scale: float) -> Trace:
        """The trace, replayed `scale` times as fast.

        Raises:
            HintedError: it has no row.
        """
        if not self._parts:
            raise HintedError("has no rows")
        rows = np.concatenate(self._parts)
        times = np.concatenate(self._times)
        since_first = (times - times[0]).astype(np.float64)
        per_unit = 1.0 if times.dtype == np.int64 else NS_PER_S
        with np.errstate(over="ignore"):
            rows["due_ns"] = np.minimum(np.rint(since_first * per_unit / scale), _LATEST_NS)
        keys = np.concatenate([np.zeros(0, dtype=np.uint8), *self._keys])
        return Trace(rows, keys, self._has_sizes, self._has_keys)

    def _checked_times(self, column: pa.Array) -> _Numbers:
        """Times in seconds (float64), or in nanoseconds (int64) where they are timestamps."""
        column = _plain(column)
        if self._time_type is None:
            self._time_type = _time_type(column)
        cast = self._cast(column, self._time_type, "time", _no_time(column, self._time_type))
        if pa.types.is_timestamp(self._time_type):
            cast = pc.cast(cast, pa.int64())
        times = _filled(cast)
        latest = _LATEST_S if times.dtype == np.float64 else np.inf
        before = np.concatenate([self._times[-1][-1:] if self._times else times[:1], times[:-1]])
        back = "lies before that of the row above: the times of a trace never go back"
        self._refuse(
            column,
            (_nulls(cast), "time is empty"),
            (~np.isfinite(times), "time {} is no moment"),
            (times < 0, "time {} is negative"),
            (times >= latest, "time {} is no number of seconds: divide milliseconds by 1000"),
            (times < before, f"time {{}} {back}"),
        )
        return times

    def _checked_sizes(self, column: pa.Array) -> _Numbers:
        column = _plain(column)
        cast = self._cast(column, pa.int64(), "size", "no whole number of bytes")
        sizes = _filled(cast)
        self._refuse(
            column,
            (_hexadecimal(column), 'size "{}" is no whole number of bytes'),
            (_nulls(cast), "size is empty"),
            (sizes < 0, "size {} is negative"),
            (sizes > LARGEST_BYTES, f"size {{}} is more than {LARGEST_BYTES:,} bytes"),
        )
        return sizes

    def _take_keys(self, column: pa.LargeBinaryArray, part: npt.NDArray[np.void]) -> None:
        _, offsets, data = column.buffers()
        ends = np.frombuffer(offsets, dtype=np.int64, count=len(column) + 1, offset=8 * column.offset)
        keys = np.frombuffer(data or b"", dtype=np.uint8)[ends[0] : ends[-1]]
        part["key_at"] = self._key_bytes + ends[:-1] - ends[0]
        part["key_bytes"] = np.where(_nulls(column), NULL_KEY, np.diff(ends))
        self._keys.append(keys.copy())
        self._key_bytes += len(keys)

    def _cast(self, column: pa.Array, wanted: pa.DataType, name: str, lacking: str) -> pa.Array:
        """A column in another type; where a value has none, its row is told."""
        if pa.types.is_boolean(column.type):
            raise HintedError(f"has a column {name} of type {column.type}, which is {lacking}")
        if pa.types.is_string(column.type):
            column = pc.utf8_trim_whitespace(column)
        try:
            return pc.cast(column, wanted)
        except pa.ArrowInvalid:
            row = next(row for row in range(len(column)) if not _casts(column[row : row + 1], wanted))
            raise BadRowError(self._rows + row, f'{name} "{_told(column, row)}" is {lacking}') from None
        except pa.ArrowNotImplementedError:
            raise HintedError(f"has a column {name} of type {column.type}, which is {lacking}") from None

    def _refuse(self, column: pa.Array, *checks: tuple[npt.NDArray[np.bool_], str]) -> None:
        """Raises what is wrong with the first row that anything is wrong with.

        Args:
            column: as it came.
            checks: which rows are wrong, and in which way; {} stands for the value.
        """
        found = [(int(wrong.argmax()), reason) for wrong, reason in checks if wrong.any()]
        if found:
            row, reason = min(found, key=itemgetter(0))
            raise BadRowError(self._rows + row, reason.format(_told(column, row)))


def _plain(column: pa.Array) -> pa.Array:
    """A column by its values: those of a dictionary, and text however it is laid out."""
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    is_text = pa.types.is_large_string(column.type) or pa.types.is_string_view(column.type)
    return pc.cast(column, pa.string()) if is_text else column


def _hexadecimal(column: pa.Array) -> npt.NDArray[np.bool_]:
    """Which texts pyarrow takes for whole numbers to the base of 16."""
    if not pa.types.is_string(column.type):
        return np.zeros(len(column), dtype=bool)
    found = pc.fill_null(pc.match_substring_regex(column, "[xX]"), fill_value=False)
    return np.asarray(found, dtype=bool)


def _time_type(column: pa.Array) -> pa.DataType:
    """What times are read as: a text says it by its first value."""
    if pa.types.is_timestamp(column.type):
        return pa.timestamp("ns", column.type.tz)
    if pa.types.is_string(column.type):
        first = pc.utf8_trim_whitespace(column[:1])
        stamps = (pa.timestamp("ns"), pa.timestamp("ns", "UTC"))
        return next((one for one in stamps if first[0].is_valid and _casts(first, one)), pa.float64())
    return pa.float64()


def _no_time(column: pa.Array, kind: pa.DataType) -> str:
    """What a value is that is no time: all are to be written as the first one is."""
    if pa.types.is_timestamp(kind):
        zone = "without a time zone" if kind.tz is None else "with a time zone"
        return f"no ISO 8601 timestamp {zone}, as the first row has"
    if pa.types.is_string(column.type) and _casts(pc.utf8_trim_whitespace(column[:1]), kind):
        return "no number of seconds, as the first row has"
    return "neither seconds nor an ISO 8601 timestamp"


def _casts(values: pa.Array, wanted: pa.DataType) -> bool:
    try:
        pc.cast(values, wanted)
    except pa.ArrowInvalid:
        return False
    return True


def _as_bytes(column: pa.Array) -> pa.LargeBinaryArray:
    """Keys as bytes: a text in UTF-8, a whole number in digits."""
    try:
        if pa.types.is_integer(column.type) or pa.types.is_dictionary(column.type):
            column = pc.cast(column, pa.string())
        return pc.cast(column, pa.large_binary())
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
        raise HintedError(
            f"has a column key of type {column.type}; a key is text, bytes or a whole number"
        ) from None


def _nulls(column: pa.Array) -> npt.NDArray[np.bool_]:
    nulls: npt.NDArray[np.bool_] = column.is_null().to_numpy(zero_copy_only=False)
    return nulls


def _filled(column: pa.Array) -> _Numbers:
    """A column of numbers with 0 where it is empty."""
    values: _Numbers = pc.fill_null(column, 0).to_numpy(zero_copy_only=False)
    return values


def _told(column: pa.Array, row: int) -> str:
    """A value as it stands in the file, cut to what fits a line."""
    try:
        text = str(column[row].as_py())
    except (OverflowError, ValueError):
        text = str(pc.cast(column.slice(row, 1), pa.int64())[0])  # a moment after the year 9999
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
