"""Reads trace files: CSV or Parquet with a column "time", and "size" and "key" if they are there."""

from __future__ import annotations

import codecs
import csv
import io
import re
from contextlib import suppress
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from loadlab import units
from loadlab.hints import HintedError, near
from loadlab.scenario.trace_rows import BadRowError, TraceBuilder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from loadlab.client.trace import Trace

LARGEST_FILE_BYTES: Final = 1 << 30
MOST_COLUMNS: Final = 1_000

_COLUMNS: Final = ("time", "size", "key")
_SEPARATORS: Final = {";": "semicolons", "\t": "tabs", "|": "bars"}
_NAMES: Final = -1  # the row of the names
_LONGEST_HEADER_BYTES: Final = 1 << 16
_BATCH_ROWS: Final = 1 << 16
_BROKEN_ROW: Final = re.compile(r"Row #(\d+): Expected (\d+) columns, got (\d+)")
_PARQUET_MAGIC: Final = b"PAR1"
_FOOTER_BYTES: Final = 8
_PART_BYTES: Final = 1 << 20
_LARGEST_FOOTER_BYTES: Final = 1 << 24


def read_trace(path: Path, scale: float) -> Trace:
    """Reads a trace.

    Args:
        path: a file whose name ends in .csv or .parquet.
        scale: how many times as fast as in the file it is replayed.

    Raises:
        HintedError: it can't be replayed; the message begins with the file, and the line or row.
    """
    try:
        _refuse_unreadable(path)
        columns, batches = _READERS[path.suffix.lower()](path)
        builder = TraceBuilder(has_sizes="size" in columns, has_keys="key" in columns)
        for batch in batches:
            builder.add(batch)
        return builder.finish(scale)
    except BadRowError as error:
        raise HintedError(f"{place_of(path, error.row)}: {error.reason}") from None
    except HintedError as error:
        raise HintedError(f"{path}: {error}", error.suggestion) from None
    except (OSError, ValueError, pa.ArrowException) as error:
        reason = " ".join(str(getattr(error, "strerror", None) or error).split())
        raise HintedError(f"{path}: can't be read: {reason}") from None


def place_of(path: Path, row: int) -> str:
    """Where a row, counted from 0, stands: ``trace.csv:17``, or ``trace.parquet: row 16``."""
    if path.suffix.lower() == ".csv":
        # A field of more than 128 KiB is too long for Python's own reader.
        with path.open(encoding="latin-1") as file, suppress(csv.Error):
            # The first line has the names.
            for line, _ in islice(_csv_rows(file), row + 1, None):
                return f"{path}:{line}"
    return f"{path}: row {row + 1}"


def _csv_rows(lines: Iterable[str]) -> Iterator[tuple[int, list[str]]]:
    """The rows of a CSV file, each with the line that it begins in; as for Arrow, an empty line is none."""
    reader, line = csv.reader(lines), 1
    for fields in reader:
        if fields:
            yield line, fields
        line = reader.line_num + 1


def _refuse_unreadable(path: Path) -> None:
    if path.is_dir():
        raise HintedError("is a directory, not a trace")
    if not path.exists():
        raise HintedError("no such file")
    if not path.is_file():
        raise HintedError("is no plain file")
    if path.suffix.lower() not in _READERS:
        raise HintedError("is neither .csv nor .parquet by its name")
    size_bytes = path.stat().st_size
    if size_bytes == 0:
        raise HintedError("is empty")
    if size_bytes > LARGEST_FILE_BYTES:
        limit = units.format_size(LARGEST_FILE_BYTES)
        raise HintedError(f"has {size_bytes:,} bytes, and a trace at most {limit}; replay a part of it")


def _known(names: Iterable[str]) -> dict[str, str]:
    """The columns that mean something, by what they mean, as the file calls them.

    Raises:
        HintedError: there is no time, or one of them is there twice.
    """
    given = list(names)
    if len(given) > MOST_COLUMNS:
        raise HintedError(_too_many(given))
    known: dict[str, str] = {}
    for name in given:
        meaning = name.strip()
        if meaning in known:
            raise HintedError(f"has two columns {meaning}")
        if meaning in _COLUMNS:
            known[meaning] = name
    if "time" not in known:
        raise HintedError(_without_time([name.strip() for name in given]))
    return known


def _too_many(names: Sequence[str]) -> str:
    return f"has {len(names):,} columns; a trace has time, size and key"


def _without_time(names: Sequence[str]) -> str:
    if len(names) == 1 and (parted := next((sign for sign in ";\t|" if sign in names[0]), None)):
        return f"is parted by {_SEPARATORS[parted]}: put commas between time, size and key"
    meant = near("time", names)
    there = f'"{meant}" is there, to be renamed' if meant else f"there are {', '.join(names[:5])}"
    return f"has no column time; {there}"


def _read_csv(path: Path) -> tuple[Mapping[str, str], Iterator[pa.RecordBatch]]:
    columns = _known(_csv_header(path))
    return columns, _csv_batches(path, columns)


def _csv_header(path: Path) -> list[str]:
    """The names in a CSV file's first line."""
    with path.open("rb") as file:
        begin = file.read(_LONGEST_HEADER_BYTES + 1)
    if begin.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise HintedError("is UTF-16: save it as UTF-8")
    # Byte by byte, as the last letter of what was read may be cut; lines may end as on any system.
    text = io.StringIO(begin.removeprefix(codecs.BOM_UTF8).decode("latin-1"), newline=None)
    rows = _csv_rows(text)
    _, fields = next(rows, (0, []))
    if len(begin) > _LONGEST_HEADER_BYTES and next(rows, None) is None:
        raise BadRowError(_NAMES, "has a first line of more than 64 KiB; it has the names time, size and key")
    if len(fields) > MOST_COLUMNS:
        raise BadRowError(_NAMES, _too_many(fields))
    return [field.encode("latin-1").decode() for field in fields]


def _csv_batches(path: Path, columns: Mapping[str, str]) -> Iterator[pa.RecordBatch]:
    types = {"time": pa.string(), "size": pa.string(), "key": pa.binary()}
    convert = pa.csv.ConvertOptions(
        include_columns=list(columns.values()),
        column_types={name: types[meaning] for meaning, name in columns.items()},
        # An empty field is null, an empty text in quotes is one, and "NA" is a key like any other.
        null_values=[""],
        strings_can_be_null=True,
        quoted_strings_can_be_null=False,
    )
    # By one thread, which knows the numbers of rows.
    one_thread = pa.csv.ReadOptions(use_threads=False)
    parse = pa.csv.ParseOptions(newlines_in_values=True)
    try:
        for batch in pa.csv.open_csv(path, one_thread, parse, convert):
            yield batch.rename_columns(list(columns))
        _refuse_open_quote(path)
    except pa.ArrowInvalid as error:
        broken = _BROKEN_ROW.search(str(error))
        if broken is None:
            raise
        row, names, fields = map(int, broken.groups())
        # Arrow counts the line of names as row 1.
        raise BadRowError(row - 2, f"has {fields} fields, and the first line {names} names") from None


def _refuse_open_quote(path: Path) -> None:
    """Refuses a quote that nothing closes: Arrow takes all rows behind it for one value."""
    with path.open("rb") as file:
        if sum(part.count(b'"') for part in iter(lambda: file.read(_PART_BYTES), b"")) % 2 == 0:
            return
    row = -1  # that of names
    try:
        with path.open(encoding="latin-1", newline="") as lines:
            for _ in filter(None, csv.reader(lines, strict=True)):
                row += 1
    except csv.Error as error:
        if "unexpected end of data" in str(error):
            raise BadRowError(row, "has a quote that is never closed") from None


def _read_parquet(path: Path) -> tuple[Mapping[str, str], Iterator[pa.RecordBatch]]:
    _refuse_other_than_parquet(path)
    file = pa.parquet.ParquetFile(path)
    columns = _known(file.schema_arrow.names)
    return columns, _parquet_batches(file, columns)


def _parquet_batches(file: Any, columns: Mapping[str, str]) -> Iterator[pa.RecordBatch]:  # noqa: ANN401 (pyarrow)
    meanings = {name: meaning for meaning, name in columns.items()}
    with file:
        for batch in file.iter_batches(_BATCH_ROWS, columns=list(meanings)):
            yield batch.rename_columns([meanings[name] for name in batch.schema.names])


def _refuse_other_than_parquet(path: Path) -> None:
    """Looks at the ends of a file before its metadata is parsed: that of a million columns takes a GiB."""
    with path.open("rb") as file:
        begins = file.read(len(_PARQUET_MAGIC)) == _PARQUET_MAGIC
        with suppress(OSError):
            file.seek(-_FOOTER_BYTES, 2)
        footer = file.read()
    footer_bytes = int.from_bytes(footer[:4], "little")
    is_whole = len(footer) == _FOOTER_BYTES and footer_bytes < path.stat().st_size
    if not begins or not is_whole or not footer.endswith(_PARQUET_MAGIC):
        raise HintedError("is no Parquet file")
    if footer_bytes > _LARGEST_FOOTER_BYTES:
        raise HintedError("describes itself in more than 16 MiB; a trace has the columns time, size and key")


_READERS: Final[Mapping[str, Callable[[Path], tuple[Mapping[str, str], Iterator[pa.RecordBatch]]]]] = {
    ".csv": _read_csv,
    ".parquet": _read_parquet,
}
