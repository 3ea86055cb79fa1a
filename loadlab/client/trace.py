"""A trace in memory: when each record is due, how large it is and which key it has.

The parent reads the file once and lays rows and keys into one memory file, which the workers map: none has a
copy of its own.
"""

from __future__ import annotations

import hashlib
import mmap
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

NULL_KEY: Final = -1
"""In place of a key's length: the record has none."""

TRACE_ROW: Final = np.dtype(
    [
        ("due_ns", "<i8"),  # since the common start
        ("key_at", "<i8"),  # where its key begins among all keys' bytes
        ("size_bytes", "<i4"),  # of its value; 0 where the trace has no sizes
        ("key_bytes", "<i4"),  # NULL_KEY where it has none
    ],
)


@dataclass(frozen=True, eq=False)
class Trace:
    """A trace's records.

    Attributes:
        rows: TRACE_ROW records in the order of time, one at least; the first is due at the common start.
        keys: the bytes of all keys.
        has_sizes: whether the trace tells sizes.
        has_keys: whether it tells keys.
    """

    rows: npt.NDArray[np.void]
    keys: npt.NDArray[np.uint8]
    has_sizes: bool
    has_keys: bool

    @property
    def sha256(self) -> str:
        """What tells it from other traces: a digest of times, sizes and keys as they are replayed."""
        digest = hashlib.sha256(self.rows.data)
        digest.update(self.keys.data)
        return digest.hexdigest()

    def share(self) -> int:
        """Lays the trace into a memory file and gives its descriptor, which the caller closes."""
        fd = os.memfd_create("loadlab-trace", os.MFD_CLOEXEC)
        try:
            with os.fdopen(os.dup(fd), "wb") as file:
                file.write(self.rows.data)
                file.write(self.keys.data)
        except OSError:
            os.close(fd)
            raise
        return fd


def attach_trace(fd: int, row_count: int) -> tuple[npt.NDArray[np.void], npt.NDArray[np.uint8]]:
    """Maps what `Trace.share` laid into a memory file: its rows and the bytes of its keys."""
    memory = mmap.mmap(fd, os.fstat(fd).st_size, prot=mmap.PROT_READ)
    rows = np.frombuffer(memory, dtype=TRACE_ROW, count=row_count)
    return rows, np.frombuffer(memory, dtype=np.uint8, offset=rows.nbytes)
