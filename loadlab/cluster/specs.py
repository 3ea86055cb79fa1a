"""Clusters asked for by options instead of a scenario file."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pydantic import ValidationError

from loadlab.errors import UsageError
from loadlab.scenario.cluster import ClusterSpec

if TYPE_CHECKING:
    from collections.abc import Mapping

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")


def cluster_spec(fields: Mapping[str, object]) -> ClusterSpec:
    """Build what is asked for; fields without a value keep their defaults.

    Args:
        fields: values by the names that they have in a scenario file.

    Raises:
        UsageError: a value is none for its field.
    """
    try:
        return ClusterSpec.model_validate(
            {
                "config": {},
                **{name: value for name, value in fields.items() if value is not None},
            }
        )
    except ValidationError as error:
        problems = (
            f"cluster.{'.'.join(map(str, one['loc']))}: {one['msg'].removeprefix('Value error, ')}"
            for one in error.errors()
        )
        raise UsageError("; ".join(problems)) from None


def check_name(name: str) -> None:
    """Refuse a name that no cluster can stand under.

    Raises:
        UsageError: it is not a-z, 0-9, ".", "_" and "-", 64 at most.
    """
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"{name!r} is no name for a cluster",
            fix='a-z, 0-9, ".", "_" and "-", 64 at most, a letter or digit first',
        )
