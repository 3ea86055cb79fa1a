"""Whose a path is: names that the user chose may have dots, so that one of them may begin as another does."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


def owner_of(path: str, owners: Iterable[str]) -> str | None:
    """The owner that a path leads through, the longest where several would do; None where none does.

    Args:
        path: such as topics.orders.eu.partitions.
        owners: such as topics.orders and topics.orders.eu.
    """
    return max((owner for owner in owners if path.startswith(f"{owner}.")), key=len, default=None)
