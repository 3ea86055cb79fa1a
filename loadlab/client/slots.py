"""Slots: what the engine keeps of a record that is on its way.

A slot's number travels as the record's opaque pointer, so that whoever gets the record back finds the slot
without a look-up.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from loadlab.compiled import Record, inlined
from loadlab.measurement.intrinsics import carray, pointer_to

SLOT: Final = np.dtype(
    [
        ("intended_ns", "<i8"),
        ("sent_ns", "<i8"),
        ("sequence", "<i8"),  # the stamp's; NO_SEQUENCE: it has none
        ("answered_ns", "<i8"),  # on the first record of a request only, else 0: see `loadlab.client.stages`
    ],
)
"""Small, because a full client queue has 100,000 of them, which go through the caches of two cores."""


@inlined
def slot_of(slots: int, ring: int, number: int) -> Record:
    """A SLOT record by its number.

    Args:
        slots: address of all slots.
        ring: how many there are.
        number: which.
    """
    return carray(pointer_to(slots), ring, SLOT)[number]
