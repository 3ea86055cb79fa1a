"""What loadlab remembers of its own clusters: one small file each, so that a killed run leaves a trace."""

from __future__ import annotations

import contextlib
import json
import os
import time
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from loadlab import files
from loadlab.cluster.api import ClusterInfo
from loadlab.cluster.processes import ProcessIdentity, boot_id, host_id
from loadlab.errors import ClusterError, UsageError
from loadlab.home import home
from loadlab.scenario.secrets import redacted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager


STATE_VARIABLE = "LOADLAB_STATE_DIR"
CACHE_VARIABLE = "LOADLAB_CACHE_DIR"


def state_dir() -> Path:
    """Where records of clusters and logs of failed starts are kept."""
    return _user_dir(STATE_VARIABLE, "XDG_STATE_HOME", ".local/state")


def cache_dir() -> Path:
    """Where jars and what an image is built of are kept; losing it costs time only."""
    return _user_dir(CACHE_VARIABLE, "XDG_CACHE_HOME", ".cache")


def usable(directory: Path, variable: str) -> Path:
    """Make a directory unless it is there.

    Args:
        directory: what a variable of the environment names, or its default.
        variable: its name.

    Raises:
        UsageError: the directory can't be made or written.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise unusable(directory, variable, error) from error
    if not os.access(directory, os.W_OK | os.X_OK):
        raise unusable(directory, variable, "this user may not write there")
    return directory


def write_whole(path: Path, text: str) -> None:
    """Write a file of ours; a reader sees the old one or this one, never a part.

    Raises:
        UsageError: it can't be written.
    """
    usable(path.parent, STATE_VARIABLE)
    try:
        files.write_whole(path, text)
    except OSError as error:
        raise unusable(path.parent, STATE_VARIABLE, error) from error


def unusable(directory: Path, variable: str, why: OSError | str) -> UsageError:
    """Make the error for a directory that can't be written; its variable may name another one."""
    said = why if isinstance(why, str) else why.strerror or why
    return UsageError(
        f"{directory} can't be used: {said}", fix=f"set {variable} to a directory that can be written"
    )


def _user_dir(own_variable: str, base_variable: str, base_default: str) -> Path:
    if own := os.environ.get(own_variable):
        return Path(own)
    base = os.environ.get(base_variable)
    return (Path(base) if base else home() / base_default) / "loadlab"


@dataclass(frozen=True)
class BrokerProcess:
    """One broker that runs as a process of this machine, and how to start it again."""

    broker_id: int
    identity: ProcessIdentity
    directory: str
    command: tuple[str, ...]


@dataclass(frozen=True)
class Held:
    """A broker of a standing cluster that a fault holds until the run that did it undoes it.

    Attributes:
        broker_id: the broker.
        kind: what it is meanwhile.
        by: the run's process; where that lives no more, others undo it.
    """

    broker_id: int
    kind: Literal["paused", "dead"]
    by: ProcessIdentity


@dataclass(frozen=True)
class ClusterRecord:
    """A cluster of ours, as its file holds it.

    Attributes:
        run_id: the mark on its processes and containers.
        name: the name that it stands under, or None if it ends with its owner.
        owner: the process that it belongs to.
        info: what the cluster says of itself.
        bootstrap_servers: where it answers.
        created_s: when it was started, in seconds since 1970.
        data_dir: the directory to remove with it; None if there is none.
        brokers: its processes.
        telemetry: host:port of each broker's agent, from broker 1 on; empty without.
        host: the machine that it was started on; this one if the file does not say.
        engine: the container engine that it is on; None if the file does not say, and without containers.
        ready: whether all its brokers have answered once; what stands under a name is not used before.
        held: brokers that faults of runs hold.
        cpuset: the cores of the process that started its brokers, where it outlives that: those of a run that
            starts one again are its own.
    """

    run_id: str
    name: str | None
    owner: ProcessIdentity
    info: ClusterInfo
    bootstrap_servers: str
    created_s: float = field(default_factory=time.time)
    data_dir: str | None = None
    brokers: tuple[BrokerProcess, ...] = ()
    telemetry: tuple[str, ...] = ()
    host: str = field(default_factory=host_id)
    engine: str | None = None
    ready: bool = True
    held: tuple[Held, ...] = ()
    cpuset: str | None = None

    @property
    def path(self) -> Path:
        """The file."""
        return _records_dir() / f"{self.run_id}.json"

    @property
    def is_here(self) -> bool:
        """Whether it was started on this machine: what others start may lie in the same directory."""
        is_same_boot = self.owner.boot_id == boot_id() and boot_id() != ""
        return is_same_boot or self.host == host_id()

    def current(self) -> ClusterRecord:
        """Read the file anew: several runs may use what stands under a name; this one where it is gone."""
        return _read(self.path) or self

    def changed(self, change: Callable[[ClusterRecord], ClusterRecord]) -> ClusterRecord:
        """Change the file as it is now; one that others have removed with the cluster is not made again.

        Raises:
            UsageError: it can't be written.
        """
        with _locked_records():
            record = change(self.current())
            if record.name is None or self.path.exists():
                record.save()
        return record

    def answered(self) -> ClusterRecord:
        """Remember that all brokers have answered.

        Raises:
            UsageError: the file can't be written.
        """
        return self.changed(lambda record: replace(record, ready=True))

    def hold(self, broker_id: int, kind: Literal["paused", "dead"]) -> None:
        """Remember that this process pauses or kills a broker, where the cluster outlives it.

        Raises:
            UsageError: the file can't be written.
        """
        if self.name is not None:
            held = Held(broker_id, kind, ProcessIdentity.current())
            self.changed(lambda record: replace(record, held=(*_but(record, broker_id), held)))

    def release(self, broker_id: int) -> None:
        """Forget that a broker was held.

        Raises:
            UsageError: the file can't be written.
        """
        if self.name is not None:
            self.changed(lambda record: replace(record, held=_but(record, broker_id)))

    @contextlib.contextmanager
    def holding(self, broker_id: int, kind: Literal["paused", "dead"]) -> Iterator[None]:
        """Hold a broker, unless the block fails to do so."""
        self.hold(broker_id, kind)
        try:
            yield
        except BaseException:
            self.release(broker_id)
            raise

    def save(self) -> None:
        """Write the file; a reader sees the old one or this one, never a part.

        Raises:
            UsageError: it can't be written.
        """
        write_whole(self.path, json.dumps(redacted(asdict(self)), indent=1))

    def forget(self) -> None:
        """Remove the file.

        Raises:
            UsageError: it is there and can't be removed.
        """
        try:
            self.path.unlink()
        except (FileNotFoundError, NotADirectoryError):
            return
        except OSError as error:
            raise unusable(_records_dir(), STATE_VARIABLE, error) from error


def records() -> Iterator[ClusterRecord]:
    """Read the records of all clusters; a file that is no record (a torn or foreign one) is passed over."""
    for path in sorted(_records_dir().glob("*.json")):
        record = _read(path)
        if record is not None:
            yield record


def standing(name: str, *, to_use: bool = True) -> ClusterRecord:
    """Find the cluster that stands under a name, rather one of this machine than another's.

    Args:
        name: what it stands under.
        to_use: whether one that is started would do.

    Raises:
        ClusterError: there is none.
    """
    named = {record.name: record for record in sorted(records(), key=lambda one: one.is_here) if record.name}
    if name not in named:
        known = ", ".join(sorted(named)) or "none"
        raise ClusterError(
            f"no cluster stands under the name {name!r} (standing: {known})",
            fix=f"loadlab cluster up --name {name}" if to_use else "loadlab cluster list shows what stands",
        )
    return named[name]


def lock_of(name: str) -> Path:
    """The file that is locked while a cluster is started under a name.

    Raises:
        UsageError: there is no place for it.
    """
    return usable(_records_dir(), STATE_VARIABLE) / f"{name}.lock"


def _but(record: ClusterRecord, broker_id: int) -> tuple[Held, ...]:
    return tuple(one for one in record.held if one.broker_id != broker_id)


def _locked_records() -> AbstractContextManager[None]:
    """Let one process at a time change records."""
    return files.locked(usable(_records_dir(), STATE_VARIABLE))


def _records_dir() -> Path:
    return state_dir() / "clusters"


def _read(path: Path) -> ClusterRecord | None:
    try:
        return _from_json(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError, KeyError, AttributeError):
        return None


def _from_json(fields: dict[str, Any]) -> ClusterRecord:
    brokers = tuple(
        BrokerProcess(
            broker_id=broker["broker_id"],
            identity=ProcessIdentity(**broker["identity"]),
            directory=broker["directory"],
            command=tuple(broker["command"]),
        )
        for broker in fields.pop("brokers")
    )
    owner = ProcessIdentity(**fields.pop("owner"))
    info = ClusterInfo(**fields.pop("info"))
    telemetry = tuple(fields.pop("telemetry", ()))
    held = tuple(
        Held(one["broker_id"], one["kind"], ProcessIdentity(**one["by"])) for one in fields.pop("held", ())
    )
    return ClusterRecord(owner=owner, info=info, brokers=brokers, telemetry=telemetry, held=held, **fields)
