"""The run's side of the ledger: makes it before the start, and asks it for its judgement after the end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

from loadlab.cgroups import available_bytes
from loadlab.client.settings import LATEST
from loadlab.cluster import Capability
from loadlab.errors import ClusterError
from loadlab.measurement.ledger import (
    MOST_MEMORY_BYTES,
    UNKNOWN,
    Anomaly,
    Stopped,
    TrackedWorker,
    create_ledger,
)
from loadlab.measurement.ledger_fold import make_folder
from loadlab.measurement.ledger_judge import FATES, TOTALS, VIEW, Fate, judge_worker
from loadlab.measurement.slab import SEND_LANE, Counter
from loadlab.run.readings import counted
from loadlab.run.samples import begins, passed_over
from loadlab.scenario.client_settings import Settings

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt

    from loadlab.measurement.ledger import Ledger
    from loadlab.measurement.ledger_fold import Folder
    from loadlab.run.ended import EndedRun
    from loadlab.run.events import Events
    from loadlab.run.fleet import WorkerProcess
    from loadlab.run.plan import PlannedProducer, RunPlan
    from loadlab.run.samples import Group, Partition
    from loadlab.scenario import Scenario

_MOST_RECORDS_PER_S: Final = 5_000_000
"""More than a worker can send: the least that was measured for a record is half a microsecond."""

_WHY_STOPPED: Final = {
    Stopped.FULL: "records that are not acked and read by all groups would take more than {limit} MiB",
    Stopped.BEYOND: "a record's number or partition was beyond what was planned for",
}


@dataclass(frozen=True)
class Found:
    """What the ledger says of a run.

    Attributes:
        counts: by fate, shape (groups, fates).
        anomalies: by kind, shape (groups, anomalies).
        lost: records that at least one group lost.
        found: indeterminate ones that at least one group read.
        absent: indeterminate ones that at least one group knows not to be in the log.
        duplicated: copies in the logs beyond the first.
        reordered: records behind a later one of their worker and partition.
        fates: with examples, shape (groups,).
    """

    counts: npt.NDArray[np.int64]
    anomalies: npt.NDArray[np.int64]
    lost: int
    found: int
    absent: int
    duplicated: int
    reordered: int
    fates: npt.NDArray[np.void]


@dataclass(eq=False)
class Account:
    """A run's ledger, and the names behind its numbers.

    Attributes:
        ledger: shared with the workers.
        partitions: by run-wide number.
        groups: consumer names by number.
        folders: by run-wide id of the workers that are kept.
        most_bytes: the memory that it may take.
    """

    ledger: Ledger
    partitions: tuple[Partition, ...]
    groups: tuple[str, ...]
    folders: Mapping[int, Folder]
    most_bytes: int
    _released: bool = False

    def fold(self, workers: Sequence[WorkerProcess], events: Events) -> None:
        """Gives back the memory of what is complete; stops the ledger where the rest takes too much."""
        for worker in workers:
            if worker.order.worker in self.folders and self.ledger.stopped is Stopped.NO:
                self.folders[worker.order.worker].fold(_handed_out(worker))
        if self.ledger.stopped is Stopped.NO and self.ledger.memory_bytes() > self.most_bytes:
            self.ledger.stop(Stopped.FULL)
        if self.ledger.stopped is not Stopped.NO and not self._released:
            self._released = True
            self.ledger.release()
            events.note("ledger_stopped", f"the ledger is given up: {self.why_stopped}")

    def read_again(self, group: str) -> int:
        """Copies and records delivered again that a group has read so far."""
        found = self.ledger.passages["found"][self.groups.index(group)].sum(axis=0)
        return int(found[Anomaly.DUPLICATED] + found[Anomaly.REDELIVERED])

    @property
    def why_stopped(self) -> str | None:
        """Why the ledger had to be given up; None where it was not."""
        reason = _WHY_STOPPED.get(self.ledger.stopped)
        return reason and reason.format(limit=self.most_bytes >> 20)

    def found(self, run: EndedRun) -> Found | None:
        """The judgement on a run that has ended; None where the ledger had to be given up."""
        if self.ledger.stopped is not Stopped.NO:
            return None
        views = self._views(run)
        fates = np.zeros(len(self.groups), dtype=FATES)
        totals = np.zeros(1, dtype=TOTALS)
        for worker in run.load.fleet.producers:
            self._judge(worker, views, fates, totals)
        in_log = self.ledger.passages["found"].max(axis=0).sum(axis=0)
        return Found(
            counts=fates["counts"],
            anomalies=self.ledger.findings["counts"],
            lost=int(totals["lost"][0]),
            found=int(totals["found"][0]),
            absent=int(totals["absent"][0]),
            duplicated=int(in_log[Anomaly.DUPLICATED]),
            reordered=int(in_log[Anomaly.REORDERED]),
            fates=fates,
        )

    def _judge(
        self,
        worker: WorkerProcess,
        views: npt.NDArray[np.void],
        fates: npt.NDArray[np.void],
        totals: npt.NDArray[np.void],
    ) -> None:
        """Judges one worker's records."""
        number = worker.order.worker
        if number not in self.folders:
            return
        topics = {topic.name for topic in worker.order.settings.topics}
        sent_to = np.array([topic in topics for topic, _ in self.partitions])
        fates["whole"] = views["whole"][:, sent_to].all(axis=1)
        handed_out = _handed_out(worker)
        fates["counts"][self._readers(number), Fate.SEEN] += self.folders[number].folded_records
        until = max(handed_out, int(self.ledger.latest["behind"][:, :, number].max()))
        addresses = [int(array.ctypes.data) for array in (views, fates, totals)]
        judge_worker(self.ledger.address, number, handed_out, until, *addresses)

    def _readers(self, worker: int) -> list[int]:
        readers = int(self.ledger.workers["readers"][worker])
        return [group for group in range(len(self.groups)) if readers >> group & 1]

    def _views(self, run: EndedRun) -> npt.NDArray[np.void]:
        """What each group can know of each partition."""
        views = np.zeros((len(self.groups), len(self.partitions)), dtype=VIEW)
        views["log_start"] = self._offsets(run.log_starts)
        views["log_end"] = self._offsets({} if run.load.final is None else run.load.final.ends)
        compacted = _compacted(run)
        views["binding"] = _binding(run, self.partitions)
        views["compacted"] = [topic in compacted for topic, _ in self.partitions]
        baseline = self._offsets(run.baseline)
        for number, group in enumerate(run.load.sampler.groups):
            view, passages = views[number], self.ledger.passages[number]
            view["start"] = self._starts(run, group)
            view["passed"] = np.maximum(passages["next"], view["start"])
            if _jumps_to_the_end(run, group):
                # Where retention came before it, what it never read is in the log all the same.
                view["compacted"] |= view["log_start"] > view["start"]
            # Read by others, or handed on with a gap: what this run did not see there, nobody can tell.
            unclear = run.read_by_others(group) | passed_over(self._members(run, group), group)
            others = dict(zip(group.partitions, unclear.tolist(), strict=True))
            view["compacted"] |= [others.get(partition, False) for partition in self.partitions]
            view["whole"] = (
                (view["start"] >= 0)
                & (view["start"] <= baseline)
                & (view["log_start"] != UNKNOWN)
                & (view["log_start"] <= baseline)
                & (view["log_end"] != UNKNOWN)
                & (view["passed"] >= view["log_end"])
                & (view["compacted"] == 0)
            )
        return views

    def _starts(self, run: EndedRun, group: Group) -> npt.NDArray[np.int64]:
        """The first offsets that concern a group; UNKNOWN in partitions that it does not read."""
        first = begins(self._members(run, group), group)
        return self._offsets(dict(zip(group.partitions, first.tolist(), strict=True)))

    def _members(self, run: EndedRun, group: Group) -> list[WorkerProcess]:
        return run.load.fleet.group(group.name, produces=False)

    def _offsets(self, known: Mapping[Partition, int]) -> npt.NDArray[np.int64]:
        return np.array([known.get(each, UNKNOWN) for each in self.partitions], dtype=np.int64)

    def close(self) -> None:
        """Gives the ledger's descriptor back."""
        self.ledger.close()


def _handed_out(worker: WorkerProcess) -> int:
    """How many sequence numbers a worker has given to records."""
    return counted(worker, SEND_LANE, Counter.ATTEMPTED, None, by="by_intent")


def _jumps_to_the_end(run: EndedRun, group: Group) -> bool:
    """Whether a group whose position retention has taken goes on at the log's end."""
    planned = next(consumer for consumer in run.load.plan.consumers if consumer.name == group.name)
    return planned.config.get("auto.offset.reset") in LATEST


def _binding(run: EndedRun, partitions: Sequence[Partition]) -> list[bool]:
    """Whether what was acked is below the end of each log, or gone.

    The end that a log tells is the one for its readers, which waits for the followers in sync. With acks=all
    an ack does so too. With others it comes before; then only a change of the leader can have lost a record.
    """
    producers, final = run.load.plan.producers, run.load.final
    early = {
        topic
        for producer in producers
        if not Settings.of_client(producer.config).acks_all
        for topic in producer.topics
    }
    return [
        partition[0] not in early or final is None or not run.load.sampler.kept_leader(final, partition)
        for partition in partitions
    ]


def _compacted(run: EndedRun) -> set[str]:
    """The topics whose own rule lets records vanish from their middle."""
    planned = {topic.name: topic.config.get("cleanup.policy") for topic in run.load.plan.topics}
    unknown = [name for name, policy in planned.items() if policy is None]
    if Capability.ADMIN in run.cluster.capabilities:
        planned |= _cleanup_policies(run, unknown)
    return {name for name, policy in planned.items() if "compact" in (policy or "")}


def _cleanup_policies(run: EndedRun, topics: Sequence[str]) -> dict[str, str]:
    """What the cluster says; where it can't be asked, nothing is called lost that may be compacted away."""
    if run.load.final is None or not run.load.final.ends:
        return dict.fromkeys(topics, "compact")
    try:
        told = run.cluster.topic_config(topics)
    except ClusterError:
        return dict.fromkeys(topics, "compact")
    return {name: config.get("cleanup.policy", "") for name, config in told.items()}


def open_account(scenario: Scenario, plan: RunPlan, partitions: Sequence[Partition]) -> Account | None:
    """Makes the ledger of a run; None where there is nothing to enter: nobody reads stamped records.

    Args:
        scenario: says which records have a stamp.
        plan: who sends and reads what.
        partitions: of all topics, in the order in which workers number them.
    """
    producers = [producer for producer in plan.producers if scenario.producers[producer.name].stamped]
    tracked = {worker: _tracked(plan, producer) for producer in producers for worker in producer.workers}
    if not any(worker is not None for worker in tracked.values()):
        return None
    last = max(tracked)
    workers = [tracked.get(worker) for worker in range(last + 1)]
    ledger = create_ledger(workers, groups=len(plan.consumers), partitions=len(partitions))
    return Account(
        ledger=ledger,
        partitions=tuple(partitions),
        groups=tuple(consumer.name for consumer in plan.consumers),
        folders={worker: make_folder(ledger, worker) for worker, kept in tracked.items() if kept},
        most_bytes=memory_limit_bytes(),
    )


def memory_limit_bytes() -> int:
    """The memory that a ledger may take now: never so much that the machine or the container runs out."""
    return min(MOST_MEMORY_BYTES, available_bytes() // 4)


def _tracked(plan: RunPlan, producer: PlannedProducer) -> TrackedWorker | None:
    """What the ledger is to keep of a worker of a group; None where nobody reads what it sends."""
    readers = tuple(
        number
        for number, consumer in enumerate(plan.consumers)
        if set(consumer.topics) & set(producer.topics)
    )
    most = producer.records
    if most is None:  # at the maximum rate
        most = int(_MOST_RECORDS_PER_S * (plan.warmup_s + plan.measure_s))
    return TrackedWorker(most + 1, readers) if readers else None
