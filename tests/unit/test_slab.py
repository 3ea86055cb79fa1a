from __future__ import annotations

import gc
import os
from pathlib import Path

import numpy as np
import pytest

from loadlab.measurement.slab import (
    COMMAND_OFFSET,
    NO_POSITION,
    SLAB,
    SLAB_VERSION,
    Command,
    State,
    attach_slab,
    create_slab,
)


def open_slabs() -> int:
    """How many slabs' files are open here, those left out that nobody holds any more."""
    gc.collect()
    return sum("loadlab-slab" in os.path.realpath(fd) for fd in Path("/proc/self/fd").iterdir())


def test_a_fresh_slab_is_zero_but_for_its_version_and_its_positions() -> None:
    slab = create_slab(partitions=3)

    assert slab.record["version"][0] == SLAB_VERSION
    assert slab.positions.tolist() == slab.begins.tolist() == [NO_POSITION] * 3
    slab.record["version"] = 0
    assert not slab.record.view(np.uint8).any()
    slab.close()


def test_both_processes_see_one_memory() -> None:
    created = create_slab(partitions=2)
    attached = attach_slab(created.fd)

    attached.record["state"] = State.READY
    attached.positions[1] = 42
    attached.begins[0] = 7
    created.command(Command.GO)

    assert created.state is State.READY
    assert created.positions.tolist() == [NO_POSITION, 42]
    assert created.begins.tolist() == [7, NO_POSITION]
    assert attached.record["command"][0] == Command.GO
    created.close()


def test_what_was_measured_outlives_the_descriptor() -> None:
    slab = create_slab()
    slab.record["lanes"][0, 1]["by_intent"][0, 0] = 7

    slab.close()

    assert slab.record["lanes"][0, 1]["by_intent"][0, 0] == 7


def test_a_slab_takes_its_space_when_it_is_made() -> None:
    slab = create_slab(partitions=1_000)
    status = os.fstat(slab.fd)

    assert status.st_size == SLAB.itemsize + 16_000
    assert status.st_blocks * 512 >= status.st_size
    slab.close()


def test_no_space_for_a_slab_is_told_when_it_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(fd: int, offset: int, length: int) -> None:
        raise OSError(28, "No space left on device", str((fd, offset, length)))

    before = open_slabs()
    monkeypatch.setattr(os, "posix_fallocate", full)

    with pytest.raises(OSError, match="No space left"):
        create_slab()
    assert open_slabs() == before


@pytest.mark.parametrize(("offset", "name"), [(COMMAND_OFFSET, "command")])
def test_words_that_compiled_code_reads_by_address_are_where_it_reads(offset: int, name: str) -> None:
    slab = create_slab()
    slab.record[name] = 77

    assert slab.record.view(np.int64)[offset // 8] == 77
    slab.close()


@pytest.mark.parametrize("name", SLAB.names)
def test_every_word_of_a_slab_is_aligned(name: str) -> None:
    """Else a word could be read half written."""
    assert SLAB.fields[name][1] % 8 == 0
    assert SLAB.itemsize % 8 == 0
