"""What partitions told at one moment, kept small: a long run has thousands of these."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from loadlab.run.samples import Partition

_UNTOLD: Final = np.iinfo(np.int64).min


class Told(Mapping["Partition", int]):
    """What partitions told, in 8 bytes a partition: a long run keeps thousands of these.

    Args:
        places: of all partitions, where they stand in the array.
        numbers: by partition; those that answered.
    """

    def __init__(self, places: Mapping[Partition, int], numbers: Mapping[Partition, int]) -> None:
        self._places = places
        self._numbers = np.full(len(places), _UNTOLD, dtype=np.int64)
        for partition, number in numbers.items():
            self._numbers[places[partition]] = number

    def __getitem__(self, partition: Partition) -> int:
        """The number of a partition that told it."""
        number = int(self._numbers[self._places[partition]])
        if number == _UNTOLD:
            raise KeyError(partition)
        return number

    def __iter__(self) -> Iterator[Partition]:
        """The partitions that told theirs."""
        return (partition for partition, place in self._places.items() if self._numbers[place] != _UNTOLD)

    def __len__(self) -> int:
        """How many did."""
        return int(np.count_nonzero(self._numbers != _UNTOLD))
