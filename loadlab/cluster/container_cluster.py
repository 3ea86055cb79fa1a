"""A cluster of containers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from loadlab.cluster.api import PAUSED, BrokerState
from loadlab.cluster.base import OF_OWN_BROKERS, RESTART_TIMEOUT_S, AdministeredCluster, first_ended
from loadlab.cluster.capacity import free_bytes
from loadlab.cluster.docker import DATA_PATH, Engine, Marked
from loadlab.cluster.readiness import wait_until_answering
from loadlab.errors import ClusterError, UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from loadlab.cluster.state import ClusterRecord

_PAUSE_ATTEMPTS = 3


class Containers:
    """The containers, volumes and networks of one cluster.

    Args:
        engine: where they are.
        record: what is remembered of the cluster.
    """

    def __init__(self, engine: Engine, record: ClusterRecord) -> None:
        self.engine = engine
        self.record = record

    def name(self, broker_id: int) -> str:
        """Return a broker's container.

        Raises:
            UsageError: there is no such broker.
        """
        if not 1 <= broker_id <= self.record.info.brokers:
            raise UsageError(
                f"there is no broker {broker_id}", fix=f"brokers are 1 to {self.record.info.brokers}"
            )
        return f"loadlab-{self.record.run_id}-{broker_id}"

    def states(self) -> list[BrokerState]:
        """Say which brokers live."""
        found = {one.name: one for one in self.engine.containers(self.record.run_id)}
        ids = range(1, self.record.info.brokers + 1)
        return [self._state(broker_id, found.get(self.name(broker_id))) for broker_id in ids]

    def _state(self, broker_id: int, container: Marked | None) -> BrokerState:
        if container is None:
            return BrokerState(broker_id, alive=False, detail="its container is gone")
        state = self.engine.inspect(container.name)["State"]
        started = str(state.get("StartedAt", ""))
        if container.state == "paused":
            return BrokerState(broker_id, alive=True, detail=PAUSED, started=started)
        detail = f"container {container.name}, {container.detail}"
        if not container.is_running and state.get("OOMKilled"):
            detail += ": it took more memory than its limit"
        return BrokerState(broker_id, container.is_running, detail, started)

    def process_ids(self) -> tuple[int, ...]:
        """Return the first process of each container that runs; a broker is one process."""
        found = [one.name for one in self.engine.containers(self.record.run_id) if one.is_running]
        return tuple(int(self.engine.inspect(name)["State"]["Pid"]) for name in found)

    def ending(self) -> str | None:
        """Tell how a broker ended; None while all live."""
        return first_ended(self.states())

    def end(self) -> None:
        """Remove all that has the run's label, and forget the cluster."""
        remove_run(self.engine, self.record.run_id)
        self.record.forget()

    def save_logs(self, directory: Path) -> dict[int, Path]:
        """Write each container's log into a directory; returns the files by broker id."""
        directory.mkdir(parents=True, exist_ok=True)
        saved = {}
        there = {one.name for one in self.engine.containers(self.record.run_id)}
        for broker_id in range(1, self.record.info.brokers + 1):
            if self.name(broker_id) in there:
                saved[broker_id] = directory / f"broker-{broker_id}.log"
                saved[broker_id].write_bytes(self.engine.log(self.name(broker_id)))
        return saved


class DockerCluster(AdministeredCluster):
    """Real Kafka brokers in containers.

    Args:
        containers: the brokers.
        ends_with_owner: False where it stands under a name, and `stop` must leave it.
    """

    def __init__(self, containers: Containers, *, ends_with_owner: bool) -> None:
        record = containers.record
        super().__init__(record.info, record.bootstrap_servers, OF_OWN_BROKERS, telemetry=record.telemetry)
        self._containers = containers
        self._engine = containers.engine
        self._looks = Containers(self._engine.impatient(), record)
        self._ends_with_owner = ends_with_owner

    def broker_states(self) -> list[BrokerState]:
        """Say which brokers live."""
        return self._looks.states()

    def process_ids(self) -> tuple[int, ...] | None:
        """Return the living containers' first processes, where these are all that serves the clients here.

        On a network of their own all goes through a proxy of the engine's, too.
        """
        if not self._engine.place.shares_loopback or self.info.network != "host":
            return None
        return self._looks.process_ids()

    def free_disk_bytes(self) -> int | None:
        """Return the space left on the disk of the data."""
        if self._engine.data_root is not None:
            return free_bytes(self._engine.data_root)
        living = [state.broker_id for state in self.broker_states() if state.alive]
        free_kib = self._figure(living[0], ["df", "-Pk", DATA_PATH], 3) if living else None
        return None if free_kib is None else free_kib * 1024

    def _figure(self, broker_id: int, command: list[str], column: int) -> int | None:
        """Return a figure of the last line that a command writes; None where the image lacks the command."""
        answer = self._looks.engine.run_inside(self._containers.name(broker_id), command)
        try:
            return int(answer.splitlines()[-1].split()[column])
        except (IndexError, ValueError):
            return None

    def pause(self, broker_id: int) -> None:
        """Freeze one broker (the engine's freezer); a busy one may take several attempts."""
        with self._containers.record.holding(broker_id, "paused"):
            for attempt in range(_PAUSE_ATTEMPTS):
                try:
                    self._engine.signal(self._containers.name(broker_id), "pause")
                except ClusterError:
                    # runc gives up where a thread does not stand still at once, and lets all go on.
                    if attempt == _PAUSE_ATTEMPTS - 1:
                        raise
                else:
                    return

    def resume(self, broker_id: int) -> None:
        """Continue a paused broker."""
        self._engine.signal(self._containers.name(broker_id), "unpause")
        self._containers.record.release(broker_id)

    def kill(self, broker_id: int) -> None:
        """End one broker at once (SIGKILL)."""
        with self._containers.record.holding(broker_id, "dead"):
            self._engine.signal(self._containers.name(broker_id), "kill")

    def restart(self, broker_id: int) -> None:
        """Start a killed broker again with its data and its address, and wait until it answers."""
        if self._containers.states()[broker_id - 1].alive:
            raise UsageError(f"broker {broker_id} lives; only a killed broker can be started again")
        self._engine.signal(self._containers.name(broker_id), "start")
        address = self.bootstrap_servers.split(",")[broker_id - 1]
        wait_until_answering(address, broker_id, lambda: self._ending(broker_id), RESTART_TIMEOUT_S)
        self._containers.record.release(broker_id)

    def _ending(self, broker_id: int) -> str | None:
        state = self._containers.states()[broker_id - 1]
        return None if state.alive else f"broker {broker_id}: {state.detail}"

    def save_logs(self, directory: Path) -> list[Path]:
        """Write each broker's own log into a directory."""
        return list(self._looks.save_logs(directory).values())

    def stop(self) -> None:
        """Remove the containers with their data, and all else that the cluster took."""
        self.disconnect()
        if self._ends_with_owner:
            self._containers.end()


def remove_run(engine: Engine, run_id: str) -> list[str]:
    """Remove all that has a run's label, containers first: they hold the rest; returns what was removed."""
    engine.require_answer()
    marked = [*engine.containers(run_id), *engine.volumes(run_id), *engine.networks(run_id)]
    return [f"{one.kind} {one.name}" for one in marked if engine.remove(one)]
