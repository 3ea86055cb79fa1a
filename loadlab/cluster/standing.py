"""Clusters that stand under a name, and what killed runs left: using, listing and removing them."""

from __future__ import annotations

import contextlib
import fcntl
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from loadlab.cluster.api import PAUSED
from loadlab.cluster.container_cluster import Containers, DockerCluster, remove_run
from loadlab.cluster.docker import NAME_LABEL, OWNER_LABEL, RUN_LABEL, Engine, Marked
from loadlab.cluster.embedded import EmbeddedCluster
from loadlab.cluster.leftovers import remove_processes
from loadlab.cluster.local_cluster import Brokers, LocalCluster
from loadlab.cluster.own_topics import forget_lost_topics, forget_topics, run_on
from loadlab.cluster.processes import ProcessIdentity, boot_id
from loadlab.cluster.state import ClusterRecord, lock_of, records, standing
from loadlab.errors import ClusterError, UsageError
from loadlab.files import NOW, locked

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from contextlib import AbstractContextManager

    from loadlab.cluster.api import Cluster, Progress


@dataclass(frozen=True)
class ListedCluster:
    """One line of `cluster list`.

    Attributes:
        name: what it stands under; None if it ends with its run.
        run_id: its mark.
        provider: docker, local or embedded.
        kafka_version: None for the mock.
        brokers: how many it was started with.
        alive: how many of them live; None where that can't be told from here.
        bootstrap_servers: where it answers.
        age_s: since it was started.
        owner_alive: whether the process that started it lives; None where that can't be told.
        paused: how many of the living brokers a fault has paused.
        ready: whether all brokers have answered once; without, its start was killed or still goes on.
    """

    name: str | None
    run_id: str
    provider: str
    kafka_version: str | None
    brokers: int
    alive: int | None
    bootstrap_servers: str
    age_s: float
    owner_alive: bool | None
    paused: int = 0
    ready: bool = True


def attach(name: str, progress: Progress) -> Cluster:
    """Use a cluster that `cluster up` left standing; its `stop` leaves it so.

    What the faults of killed runs left undone is undone first.

    Args:
        name: what it stands under.
        progress: is told what is undone.

    Raises:
        ClusterError: none stands under this name, it is out of reach, its start was killed, a broker is gone
            or paused, or a run that goes on has just paused or killed one.
        UsageError: it is still being started.
    """
    record = standing(name)
    _refuse_starting(name)
    again = f"loadlab cluster down --name {name}, then loadlab cluster up --name {name}"
    if not record.ready:
        raise ClusterError(f"cluster {name!r} was never whole: its start was killed", fix=again)
    engine = _reached(record)
    cluster = _cluster(record, engine)
    try:
        _undo_left_faults(cluster, record, progress)
        _refuse_broken(cluster, record, engine, again)
    except BaseException:
        cluster.stop()
        raise
    return cluster


def _refuse_broken(cluster: Cluster, record: ClusterRecord, engine: Engine | None, again: str) -> None:
    """Refuse a cluster of which a broker is gone or paused, and by no run: nobody would answer for it.

    Raises:
        ClusterError: one is.
    """
    for state in cluster.broker_states():
        broker = f"broker {state.broker_id}"
        if not state.alive:
            what = f"cluster {record.name!r} stands no more: {broker}: {state.detail}"
            raise ClusterError(what, fix=again)
        if state.detail == PAUSED:
            what = f"{broker} of cluster {record.name!r} is paused, and by no run"
            raise ClusterError(what, fix=f"{_resumption(record, engine, state.broker_id)}; or {again}")


def _resumption(record: ClusterRecord, engine: Engine | None, broker_id: int) -> str:
    """The command by which a paused broker goes on."""
    if engine is not None:
        return f"docker unpause {Containers(engine, record).name(broker_id)}"
    return f"kill -CONT {Brokers(record).find(broker_id).identity.pid}"


def _undo_left_faults(cluster: Cluster, record: ClusterRecord, progress: Progress) -> None:
    """Undo what killed runs did to brokers; refuse a cluster of which a living run holds one."""
    for held in record.held:
        if not _is_dead(held.by):
            what = f"broker {held.broker_id} of cluster {record.name!r} is {held.kind}"
            raise ClusterError(
                f"{what} by a fault of a run that goes on (process {held.by.pid})",
                fix="wait until that run is over",
            )
    states = {state.broker_id: state for state in cluster.broker_states()} if record.held else {}
    for held in record.held:
        state = states[held.broker_id]
        if state.detail == PAUSED:
            progress(f"broker {held.broker_id} was left paused by a run that was killed: it goes on")
            cluster.resume(held.broker_id)
        elif not state.alive:
            progress(f"broker {held.broker_id} was left dead by a run that was killed: it is started again")
            cluster.restart(held.broker_id)
        else:
            record.release(held.broker_id)


def brokers_of(name: str) -> int | None:
    """How many brokers the cluster that stands under a name has; None where none does."""
    try:
        return standing(name).info.brokers
    except ClusterError:
        return None  # told when it is to be used


@contextlib.contextmanager
def claimed(name: str) -> Iterator[None]:
    """Keep a name for the cluster that is started under it meanwhile; a killed process loses its claim.

    Raises:
        UsageError: a cluster stands under it, or another process is starting one.
    """
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(_locked(name, fcntl.LOCK_EX))
        except BlockingIOError as error:
            what = f"another process is starting a cluster under the name {name!r}"
            raise UsageError(what, fix="take another name, or wait") from error
        refuse_taken(name)
        yield


def _locked(name: str, how: int) -> AbstractContextManager[None]:
    """Hold a name's lock.

    Raises:
        BlockingIOError: another process has it, and not for sharing.
    """
    return locked(lock_of(name), how | NOW, made_with=0o600)


def refuse_taken(name: str) -> None:
    """Refuse a name that a cluster has already.

    Raises:
        UsageError: one stands under it.
    """
    if any(record.name == name and record.is_here for record in records()):
        raise UsageError(
            f"a cluster stands under the name {name!r} already", fix=f"loadlab cluster down --name {name}"
        )


def _refuse_starting(name: str) -> None:
    """Refuse a cluster that another process is just starting.

    Raises:
        UsageError: there is one.
    """
    try:
        with _locked(name, fcntl.LOCK_SH):
            pass
    except BlockingIOError as error:
        raise UsageError(
            f"the cluster {name!r} is still being started", fix="wait until it stands"
        ) from error


def down(name: str, *, force: bool = False) -> list[str]:
    """End the cluster that stands under a name; returns what was removed.

    Args:
        name: what it stands under.
        force: end it under a run that goes on, too.

    Raises:
        ClusterError: none does, it is out of reach, or its engine does not answer.
        UsageError: it is still being started, or a run on it goes on.
    """
    record = standing(name, to_use=False)
    _refuse_starting(name)
    engine = _reached(record)
    if not force and (made := run_on(record.info.cluster_id)):
        raise UsageError(
            f"run {made.run_id} on cluster {name!r} goes on (process {made.owner.pid})",
            fix="wait for its end, or say --force",
        )
    return _remove(record, engine)


def list_clusters() -> list[ListedCluster]:
    """List all clusters of ours that are remembered: those that stand, and those of runs."""
    return [_listed(record) for record in records()]


def clean_leftovers(*, everything: bool = False) -> list[str]:
    """Remove what killed runs left; returns what was removed.

    Nothing that is not marked as ours, nothing of a living owner and, unless everything is asked for,
    nothing that stands under a name, whether its brokers live or not: there only pauses of killed runs end.

    Args:
        everything: remove what stands under a name too, unless a run on it goes on.
    """
    engine = _engine()
    removed = []
    in_use = {record.run_id for record in records() if record.name and run_on(record.info.cluster_id)}
    for record in list(records()):
        if _is_left(record, everything=everything and record.run_id not in in_use, engine=engine):
            removed += _remove(record, engine)
        elif record.held and _is_within_reach(record, engine):
            removed += _end_left_pauses(record, engine)
    forget_lost_topics()
    return removed + (_clean_engine(engine, in_use, everything=everything) if engine else [])


def _end_left_pauses(record: ClusterRecord, engine: Engine | None) -> Iterator[str]:
    """Let brokers go on that killed runs have paused: nobody else would, and they answer nobody."""
    left = {one.broker_id for one in record.held if one.kind == "paused" and _is_dead(one.by)}
    if not left:
        return
    cluster = _cluster(record, engine)
    for state in cluster.broker_states():
        if state.broker_id in left and state.detail == PAUSED:
            cluster.resume(state.broker_id)
            yield f"the pause of broker {state.broker_id} of cluster {record.name}"
    cluster.stop()


def end_run(run_id: str) -> None:
    """End what a run of this process has started and not handed over.

    Raises:
        ClusterError: its engine does not answer.
    """
    for record in [one for one in records() if one.run_id == run_id]:
        _remove(record, _reached(record))


def _engine() -> Engine | None:
    try:
        return Engine()
    except ClusterError:
        return None  # then there are no containers to care for


def _reached(record: ClusterRecord) -> Engine | None:
    """Return the engine that a cluster's containers are on; None for one of processes.

    Raises:
        ClusterError: it is on another engine, or on another machine.
    """
    engine = Engine() if record.info.provider == "docker" else None
    if _is_within_reach(record, engine):
        return engine
    where, way = f"on the machine {record.host.partition('/')[0]}", "go there"
    if engine is not None:
        where, way = f"on the container engine {record.engine}", "set DOCKER_HOST to that engine"
    raise ClusterError(
        f"cluster {record.name!r} stands {where}, which is not this one",
        fix=f"{way}; where it is gone for good, remove {record.path}",
    )


def _is_within_reach(record: ClusterRecord, engine: Engine | None) -> bool:
    """Say whether a cluster's brokers can be seen and ended from here, given the engine that answers."""
    if record.info.provider == "docker":
        return engine is not None and record.engine in {None, engine.identity}
    return record.is_here


def _cluster(record: ClusterRecord, engine: Engine | None) -> Cluster:
    if engine is not None:
        return DockerCluster(Containers(engine, record), ends_with_owner=False)
    if record.info.provider == "embedded":
        return EmbeddedCluster(record)
    return LocalCluster(Brokers(record), ends_with_owner=False)


def _remove(record: ClusterRecord, engine: Engine | None) -> list[str]:
    removed = []
    if record.info.provider == "docker" and engine is not None:
        removed = remove_run(engine, record.run_id)
    removed += remove_processes(record)
    forget_topics(record.info.cluster_id)
    return removed


def _alive(record: ClusterRecord, engine: Engine | None) -> int | None:
    """Count the brokers that live; None where that can't be told from here."""
    if not _is_within_reach(record, engine):
        return None
    if record.info.provider == "docker" and engine is not None:
        return sum(one.is_running for one in engine.containers(record.run_id))
    processes = sum(broker.identity.is_alive for broker in record.brokers)
    return processes * record.info.brokers if record.info.provider == "embedded" else processes


def _paused(record: ClusterRecord, engine: Engine | None) -> int:
    """Count the brokers that stand still."""
    if not _is_within_reach(record, engine):
        return 0
    if record.info.provider == "docker" and engine is not None:
        return sum(one.state == "paused" for one in engine.containers(record.run_id))
    return sum(broker.identity.is_stopped for broker in record.brokers)


def _listed(record: ClusterRecord) -> ListedCluster:
    engine = _engine() if record.info.provider == "docker" else None
    return ListedCluster(
        name=record.name,
        run_id=record.run_id,
        provider=record.info.provider,
        kafka_version=record.info.kafka_version,
        brokers=record.info.brokers,
        alive=_alive(record, engine),
        bootstrap_servers=record.bootstrap_servers,
        age_s=time.time() - record.created_s,
        owner_alive=record.owner.is_alive if record.owner.is_judgeable else None,
        paused=_paused(record, engine),
        ready=record.ready,
    )


def _is_left(record: ClusterRecord, *, everything: bool, engine: Engine | None) -> bool:
    """Say whether a remembered cluster may be removed: what can't be removed now must not be forgotten."""
    if not _is_within_reach(record, engine):
        return False
    is_ownerless = record.is_here and _is_dead(record.owner)  # owners of other machines can't be judged
    if record.name is not None and record.ready:
        return everything
    return is_ownerless


def _clean_engine(engine: Engine, in_use: Collection[str], *, everything: bool) -> list[str]:
    """Remove what has our label and no record: its state directory may be lost, or another's."""
    found = [*engine.containers(), *engine.volumes(), *engine.networks()]
    marked = [one for one in found if one.labels[RUN_LABEL] not in in_use]
    alive = {one.labels[RUN_LABEL] for one in marked if one.is_running}
    left = [
        one
        for one in marked
        if _is_leftover(one, everything=everything, is_running=one.labels[RUN_LABEL] in alive)
    ]
    return [f"{one.kind} {one.name}" for one in left if engine.remove(one)]


def _is_leftover(marked: Marked, *, everything: bool, is_running: bool) -> bool:
    """Say whether something on the engine may be removed; is_running: whether a container of its run is."""
    owner = ProcessIdentity.parse(marked.labels.get(OWNER_LABEL, ""))
    if owner is None:
        return False  # not marked as loadlab does it
    if marked.labels.get(NAME_LABEL):
        return everything
    # An owner in another container or on another host may live: while brokers run, only a certain end counts.
    return _is_dead(owner) and (owner.boot_id == boot_id() or not is_running)


def _is_dead(owner: ProcessIdentity) -> bool:
    """Say whether an owner certainly lives no more."""
    return owner.boot_id != boot_id() or owner.has_ended
