"""Topics and groups of runs on clusters that go on: what a killed run leaves there, the next one deletes."""

from __future__ import annotations

import contextlib
import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from loadlab.cluster.processes import ProcessIdentity, boot_id
from loadlab.cluster.state import records, state_dir, write_whole
from loadlab.errors import ClusterError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from loadlab.cluster.api import Cluster


_TIMEOUT_S: Final = 10.0


@dataclass(frozen=True)
class MadeTopics:
    """What one run made, as its file holds it.

    Attributes:
        path: the file.
        cluster_id: of the cluster that has them.
        ids: the topics' by name; none where they are to be kept, or it made none.
        owner: the process that made them.
        over: whether their run is, and could not delete them.
        external: whether the cluster is somebody else's, of which loadlab keeps no record.
        groups: the consumer groups that the run made up.
    """

    path: Path
    cluster_id: str
    ids: Mapping[str, str]
    owner: ProcessIdentity
    over: bool = False
    external: bool = True
    groups: tuple[str, ...] = ()

    @property
    def run_id(self) -> str:
        """Of the run that made them."""
        return self.path.stem

    @property
    def goes_on(self) -> bool:
        """Whether that run does."""
        return self.owner.is_alive and not self.over

    @property
    def is_left(self) -> bool:
        """Whether nobody else will delete them."""
        return self.over or self.owner.has_ended

    @property
    def end_with_cluster(self) -> bool:
        """Whether the cluster ends with the process that made them."""
        return any(one.info.cluster_id == self.cluster_id and one.name is None for one in records())

    @classmethod
    def of(
        cls, run_id: str, cluster: Cluster, ids: Mapping[str, str], groups: Sequence[str] = ()
    ) -> MadeTopics:
        """What a run of this process has made."""
        return cls(
            _folder() / f"{run_id}.json",
            cluster.info.cluster_id,
            dict(ids),
            ProcessIdentity.current(),
            external=cluster.info.provider == "external",
            groups=tuple(groups),
        )

    def remember(self) -> None:
        """Write the file, by which a later run knows what this one left if it is killed.

        Raises:
            UsageError: there is no place for it.
        """
        document = {
            "cluster_id": self.cluster_id,
            "ids": dict(self.ids),
            "owner": str(self.owner),
            "over": self.over,
            "external": self.external,
            "groups": self.groups,
        }
        write_whole(self.path, json.dumps(document))

    def delete(self, cluster: Cluster, timeout_s: float) -> None:
        """Delete them, then the groups; what could not be deleted is left to the next run.

        Raises:
            ClusterError: the cluster did not answer.
        """
        try:
            if self.ids:
                cluster.delete_topics(self.ids, timeout_s)
        except ClusterError:
            self.leave()
            raise
        if left := self._delete_groups(cluster, timeout_s):
            replace(self, ids={}, groups=left).leave()
        else:
            self.forget()

    def _delete_groups(self, cluster: Cluster, timeout_s: float) -> tuple[str, ...]:
        if not self.groups or self.end_with_cluster:
            return ()
        return tuple(cluster.delete_groups(self.groups, timeout_s))

    def leave(self) -> None:
        """Leave what could not be deleted to the next run."""
        with contextlib.suppress(UsageError):  # without a mark they are left until their process ends
            replace(self, over=True).remember()

    def forget(self) -> None:
        """Remove the file; one that stays names topics that are gone, and does no harm."""
        with contextlib.suppress(OSError):
            self.path.unlink()


def delete_left(cluster: Cluster) -> list[str]:
    """Delete what runs that were killed, or could not, have left on a cluster; returns the topics' names.

    Topics whose id is another by now are not theirs, and stay.

    Raises:
        ClusterError: the cluster did not answer.
    """
    deleted: list[str] = []
    for record in _records():
        if record.is_left and record.cluster_id == cluster.info.cluster_id:
            there = cluster.topic_ids(list(record.ids)) if record.ids else {}
            record.delete(cluster, _TIMEOUT_S)
            deleted += [name for name, topic_id in record.ids.items() if there.get(name) == topic_id]
    return deleted


def maker_of(topic_ids: Iterable[str]) -> MadeTopics | None:
    """What a run that goes on has made, if any of these topics is among it."""
    wanted = set(topic_ids)
    return next((one for one in _records() if one.goes_on and wanted & set(one.ids.values())), None)


def run_on(cluster_id: str) -> MadeTopics | None:
    """What a run that goes on has made on a cluster; None where none does."""
    return next((one for one in _records() if one.goes_on and one.cluster_id == cluster_id), None)


def forget_topics(cluster_id: str) -> None:
    """Forget what runs left on a cluster that is no more."""
    for record in _records():
        if record.cluster_id == cluster_id:
            record.forget()


def forget_lost_topics() -> None:
    """Forget what runs left on clusters of ours that are no more; an external one may come back."""
    known = {one.info.cluster_id for one in records()}
    for record in _records():
        was_before_boot = record.owner.boot_id != boot_id()
        if not record.external and record.cluster_id not in known and (record.is_left or was_before_boot):
            record.forget()


def _folder() -> Path:
    return state_dir() / "topics"


def _records() -> Iterator[MadeTopics]:
    """All records; a file that is none (a torn or foreign one) is passed over."""
    for path in sorted(_folder().glob("*.json")):
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
            owner = ProcessIdentity.parse(str(found["owner"]))
            if owner is not None:
                yield MadeTopics(
                    path,
                    str(found["cluster_id"]),
                    dict(found["ids"]),
                    owner,
                    over=bool(found.get("over", False)),
                    external=bool(found.get("external", True)),
                    groups=tuple(found.get("groups", ())),
                )
        except (OSError, ValueError, KeyError, TypeError):
            continue
