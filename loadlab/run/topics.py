"""The topics of a run: made before its load; where the cluster goes on, deleted after it, with its groups."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from loadlab.cluster import Capability, TopicRequest
from loadlab.cluster.own_topics import MadeTopics, delete_left
from loadlab.errors import LoadlabError, UsageError
from loadlab.hints import near
from loadlab.run.opening import TRIED_AGAIN, end
from loadlab.run.orders import group_id

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from loadlab.cluster import Cluster
    from loadlab.run.events import Events
    from loadlab.run.interrupts import Interrupts
    from loadlab.run.plan import RunPlan


@dataclass(frozen=True)
class RunTopics:
    """The topics that a run sends to and reads.

    Attributes:
        plan: names them.
        run_id: the run's.
        cluster: that has them, or is to have them.
        events: is told what happens.
        interrupts: what the user asks for meanwhile.
    """

    plan: RunPlan
    run_id: str
    cluster: Cluster
    events: Events
    interrupts: Interrupts

    @contextmanager
    def made(
        self, *, outlives: bool, keeps: bool, timeout_s: Callable[[], float]
    ) -> Iterator[dict[str, int]]:
        """Makes those that the run has to make; gives partitions by topic name.

        Args:
            outlives: the cluster goes on after the run, so that topics have to be deleted one by one.
            keeps: leave them all the same.
            timeout_s: how long a deletion may take, asked for when it is due.

        Raises:
            UsageError: one is there that should not be, or is not that should.
            KeyboardInterrupt: the user asked for the end meanwhile.
        """
        wanted = [
            TopicRequest(topic.name, topic.partitions, topic.replication_factor, topic.config)
            for topic in self.plan.topics
            if topic.partitions is not None and topic.replication_factor is not None
        ]
        partitions = {request.name: request.partitions for request in wanted} | self._existing()
        if outlives:
            self._delete_left()
        made = None
        # Without their ids nobody could delete them: a signal waits until those are known.
        with self.interrupts.deferred():
            ids = self.cluster.create_topics(wanted) if wanted else {}
            groups = self._own_groups()
            if outlives:
                # Also where nothing is to be deleted: who ends the cluster has to know of the run.
                mine = ({}, ()) if keeps else (ids, groups)
                made = MadeTopics.of(self.run_id, self.cluster, *mine)
                self._remember(made)
        try:
            if self.interrupts.missed:
                raise KeyboardInterrupt
            yield partitions
        finally:
            if made is not None:
                deletion = partial(made.delete, self.cluster, timeout_s())
                otherwise = "they go with the cluster" if made.end_with_cluster else TRIED_AGAIN
                end("topics", deletion, self.events, self.interrupts, otherwise)

    def _existing(self) -> dict[str, int]:
        names = [topic.name for topic in self.plan.topics if topic.partitions is None]
        found = self.cluster.describe_topics(names) if names else {}
        missing = [name for name in names if found.get(name) is None]
        if missing:
            what, says = ("topic", "exists") if len(missing) == 1 else ("topics", "exist")
            meant = near(missing[0], self.cluster.topic_names())
            hint = f"did you mean {meant}? Else " if meant else ""
            raise UsageError(
                f"the cluster has no {what} {', '.join(missing)}, which the scenario says {says}",
                fix=f"{hint}create the {what}, or drop existing: true so that the run makes its own",
            )
        return {name: len(topic.partitions) for name, topic in found.items() if topic is not None}

    def _own_groups(self) -> list[str]:
        """The groups whose names the run makes up, where the cluster can delete them."""
        if Capability.ADMIN not in self.cluster.capabilities:
            return []
        return [group_id(self.run_id, one) for one in self.plan.consumers if one.group_id is None]

    def _remember(self, made: MadeTopics) -> None:
        try:
            made.remember()
        except LoadlabError as error:
            stay = "its topics stay" if made.ids else "nobody is told of it"
            self.events.note("not_remembered", f"if this run is killed, {stay}: {error}")

    def _delete_left(self) -> None:
        """Deletes what killed runs left here; what can't be deleted is no reason not to run."""
        try:
            for name in delete_left(self.cluster):
                self.events.note("cleaned", f"removed what an earlier run left: topic {name}")
        except LoadlabError as error:
            self.events.trouble("not_cleaned", f"what a killed run left could not be removed: {error}")
