"""A cluster of JVM processes on this machine."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from loadlab.cluster import guard, local_broker
from loadlab.cluster.affinity import children_on
from loadlab.cluster.api import PAUSED, BrokerState
from loadlab.cluster.base import OF_OWN_BROKERS, RESTART_TIMEOUT_S, AdministeredCluster, first_ended
from loadlab.cluster.capacity import free_bytes
from loadlab.cluster.leftovers import marker, remove_processes
from loadlab.cluster.processes import ProcessIdentity, signal_name
from loadlab.cluster.readiness import wait_until_answering
from loadlab.cluster.state import BrokerProcess, ClusterRecord
from loadlab.errors import ClusterError, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

_PAUSE_TIMEOUT_S = 5.0
_POLL_S = 0.005


class Brokers:
    """The broker processes of one cluster: started, watched over and ended together.

    Args:
        record: what is remembered of the cluster; its brokers are added as they start.
        deaf: whether they ignore signals that ask them to end, as those of a run do.
    """

    def __init__(self, record: ClusterRecord, *, deaf: bool = False) -> None:
        self._record = record
        self._deaf = deaf
        self._children: dict[int, subprocess.Popen[bytes]] = {}
        self._guard: subprocess.Popen[str] | None = None

    @property
    def record(self) -> ClusterRecord:
        """What is remembered of the cluster; of one that stands, with the brokers that other runs renewed."""
        if self._record.name is not None:
            self._record = self._record.current()
        return self._record

    def guard(self) -> None:
        """Start the process that ends the brokers if this one dies."""
        self._guard = subprocess.Popen(
            [
                sys.executable,
                "-I",
                "-S",
                str(guard.__file__),
                marker(self.record.run_id),
                str(self.record.data_dir),
            ],
            stdin=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def launch(self, broker_id: int, directory: Path, command: Sequence[str]) -> None:
        """Start one broker, tell the guard and remember it."""
        record = self.record
        with children_on(record.info.cores or record.cpuset):
            # From here on `end` finds it, though a signal may come before it is remembered.
            child = self._children[broker_id] = local_broker.launch(directory, command, deaf=self._deaf)
        identity = ProcessIdentity.of(child.pid)
        if identity is None:
            child.wait()
            raise ClusterError(f"broker {broker_id} ended at once with status {child.returncode}")
        if self._guard and self._guard.stdin:
            self._guard.stdin.write(f"{identity.pid} {identity.started}\n")
            self._guard.stdin.flush()
        self._remember(BrokerProcess(broker_id, identity, str(directory), tuple(command)))

    def _remember(self, broker: BrokerProcess) -> None:
        def with_broker(record: ClusterRecord) -> ClusterRecord:
            others = tuple(one for one in record.brokers if one.broker_id != broker.broker_id)
            return replace(record, brokers=(*others, broker))

        self._record = self._record.changed(with_broker)

    def answered(self) -> None:
        """Remember that all brokers have answered."""
        self._record = self._record.answered()

    def find(self, broker_id: int) -> BrokerProcess:
        """Find a broker by its id.

        Raises:
            UsageError: there is none.
        """
        for broker in self.record.brokers:
            if broker.broker_id == broker_id:
                return broker
        raise UsageError(
            f"there is no broker {broker_id}", fix=f"brokers are 1 to {len(self.record.brokers)}"
        )

    def state(self, broker: BrokerProcess) -> BrokerState:
        """Say whether a broker lives, and how it ended."""
        child = self._children.get(broker.broker_id)
        if child is not None and child.pid != broker.identity.pid:
            child = None  # another run has started it again
        status = child.poll() if child else None
        if status is None and broker.identity.is_alive:
            detail = PAUSED if broker.identity.is_stopped else f"pid {broker.identity.pid}"
            return BrokerState(broker.broker_id, alive=True, detail=detail, started=str(broker.identity))
        status = child.poll() if child else None  # it may have ended since the first look
        return BrokerState(broker.broker_id, alive=False, detail=f"its process ended{_how(status)}")

    def states(self) -> list[BrokerState]:
        """Say which brokers live, in the order of their ids."""
        return [self.state(one) for one in sorted(self.record.brokers, key=lambda one: one.broker_id)]

    def ending(self) -> str | None:
        """Tell how a broker ended; None while all live."""
        return first_ended(self.states())

    def end(self) -> None:
        """Kill all brokers, remove their directory and forget them."""
        for child in self._children.values():
            child.kill()
        for child in self._children.values():
            child.wait()
        self._children.clear()
        remove_processes(self.record)
        if self._guard:
            self._guard.kill()  # which has nothing left to do, and could stand still (SIGSTOP)
            self._guard.communicate()
            self._guard = None

    def save_logs(self, directory: Path) -> dict[int, Path]:
        """Write each broker's log into a directory; returns the files by broker id."""
        return {
            one.broker_id: local_broker.save_log(
                Path(one.directory), directory / f"broker-{one.broker_id}.log"
            )
            for one in sorted(self.record.brokers, key=lambda one: one.broker_id)
            if Path(one.directory).is_dir()
        }


class LocalCluster(AdministeredCluster):
    """Real Kafka brokers as processes of this machine.

    Args:
        brokers: the processes.
        ends_with_owner: False where it stands under a name, and `stop` must leave it.
    """

    def __init__(self, brokers: Brokers, *, ends_with_owner: bool) -> None:
        record = brokers.record
        super().__init__(record.info, record.bootstrap_servers, OF_OWN_BROKERS, telemetry=record.telemetry)
        self._brokers = brokers
        self._ends_with_owner = ends_with_owner

    def broker_states(self) -> list[BrokerState]:
        """Say which brokers live."""
        return self._brokers.states()

    def process_ids(self) -> tuple[int, ...] | None:
        """Return the living brokers' processes."""
        brokers = self._brokers.record.brokers
        return tuple(one.identity.pid for one in brokers if one.identity.is_alive)

    def free_disk_bytes(self) -> int | None:
        """Return the space left on the disk of the data."""
        return free_bytes(Path(str(self._brokers.record.data_dir)))

    def pause(self, broker_id: int) -> None:
        """Freeze one broker (SIGSTOP), and wait until all its threads stand."""
        with self._brokers.record.holding(broker_id, "paused"):
            self._signal(broker_id, signal.SIGSTOP)
        broker = self._brokers.find(broker_id)
        deadline_s = time.monotonic() + _PAUSE_TIMEOUT_S
        while self._brokers.state(broker).detail != PAUSED and time.monotonic() < deadline_s:
            time.sleep(_POLL_S)

    def resume(self, broker_id: int) -> None:
        """Continue a paused broker (SIGCONT)."""
        self._signal(broker_id, signal.SIGCONT)
        self._brokers.record.release(broker_id)

    def kill(self, broker_id: int) -> None:
        """End one broker at once (SIGKILL)."""
        with self._brokers.record.holding(broker_id, "dead"):
            self._signal(broker_id, signal.SIGKILL)
        self._brokers.find(broker_id).identity.wait_until_gone()

    def restart(self, broker_id: int) -> None:
        """Start a killed broker again with its data and its address, and wait until it answers."""
        broker = self._brokers.find(broker_id)
        if broker.identity.is_alive:
            raise UsageError(f"broker {broker_id} lives; only a killed broker can be started again")
        self._brokers.launch(broker_id, Path(broker.directory), broker.command)
        wait_until_answering(
            self.bootstrap_servers.split(",")[broker_id - 1],
            broker_id,
            lambda: self._ending(broker_id),
            RESTART_TIMEOUT_S,
        )
        self._brokers.record.release(broker_id)

    def _ending(self, broker_id: int) -> str | None:
        state = self._brokers.state(self._brokers.find(broker_id))
        return None if state.alive else f"broker {broker_id}: {state.detail}"

    def _signal(self, broker_id: int, number: signal.Signals) -> None:
        if not self._brokers.find(broker_id).identity.send(number):
            raise ClusterError(f"broker {broker_id} is not running")

    def save_logs(self, directory: Path) -> list[Path]:
        """Write each broker's own log into a directory."""
        return list(self._brokers.save_logs(directory).values())

    def stop(self) -> None:
        """Kill the brokers (nothing of their data is kept) and remove what they took."""
        self.disconnect()
        if self._ends_with_owner:
            self._brokers.end()


def _how(status: int | None) -> str:
    """Tell how a process ended; only its parent knows."""
    if status is None:
        return ""
    return f" with status {status}" if status >= 0 else f" by {signal_name(-status)}"
