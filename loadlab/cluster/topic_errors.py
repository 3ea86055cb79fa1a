"""What is said of topics that can't be made or deleted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from confluent_kafka import KafkaError

from loadlab.cluster.admin import error_code
from loadlab.cluster.own_topics import maker_of
from loadlab.errors import ClusterError, TopicsExistError, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_MOST_LISTED, _FIRST_LISTED = 5, 2
_REFUSALS = frozenset(
    {
        KafkaError.INVALID_CONFIG,
        KafkaError.INVALID_PARTITIONS,
        KafkaError.INVALID_REPLICATION_FACTOR,
        KafkaError.TOPIC_EXCEPTION,
        KafkaError.POLICY_VIOLATION,
    }
)


def listed(items: Sequence[str], separator: str = ", ") -> str:
    """List some things, of many the first ones and how many more there are."""
    if len(items) <= _MOST_LISTED:
        return separator.join(items)
    return separator.join([*items[:_FIRST_LISTED], f"… and {len(items) - _FIRST_LISTED:,} more"])


def topics_exist(there: Mapping[str, str | None]) -> TopicsExistError:
    """Make the error for topics that are there already, by their ids where those are known."""
    what = f"{'topic' if len(there) == 1 else 'topics'} {listed(sorted(there))}"
    maker = maker_of(topic_id for topic_id in there.values() if topic_id)
    if maker is not None:
        return TopicsExistError(
            f"{what}: made by run {maker.run_id}, which goes on (process {maker.owner.pid})",
            fix="wait for its end, or name another topic",
        )
    return TopicsExistError(
        f"{what}: there already, and a run must not mix its records with others",
        fix="delete it, name another, or say `existing: true` if that is meant",
    )


def creation_error(refused: Mapping[str, BaseException]) -> UsageError | ClusterError:
    """Make the error for topics that were not made, by the error of each."""
    codes = {name: error_code(error) for name, error in refused.items()}
    if existing := [name for name, code in codes.items() if code == KafkaError.TOPIC_ALREADY_EXISTS]:
        return topics_exist(dict.fromkeys(existing))
    if _REFUSALS.issuperset(codes.values()):
        return UsageError(f"the cluster refuses to create a topic: {reasons(refused)}")
    return ClusterError(f"topics could not be created: {reasons(refused)}")


def reasons(errors: Mapping[str, BaseException]) -> str:
    """Tell topics with what was said of them; what was said of several is told once."""
    names: dict[str, list[str]] = {}
    for name, error in errors.items():
        names.setdefault(_said(error), []).append(name)
    return listed([f"{listed(those)}: {said}" for said, those in names.items()], "; ")


def _said(error: BaseException) -> str:
    if isinstance(error, TimeoutError):
        return "no answer in time"
    detail = error.args[0] if error.args else error
    return detail.str() if isinstance(detail, KafkaError) else str(error)
