"""The worker processes of a run, seen from the parent."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final

from loadlab.client.property_table import NEW_PROTOCOL
from loadlab.client.settings import ConsumerSettings, most_holders
from loadlab.cluster.processes import signal_name
from loadlab.errors import WorkerError
from loadlab.measurement.slab import CONSUME_LANE, Command, State, create_slab
from loadlab.run.readings import errors

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from loadlab.measurement.slab import Slab
    from loadlab.run.order import Order

_POLL_S: Final = 0.01
_READY_TIMEOUT_S: Final = 60.0
_LAST_LINES: Final = 5


@dataclass(frozen=True, eq=False)
class WorkerProcess:
    """One worker process and its slab.

    Attributes:
        order: what it was told.
        slab: what it measures into; it outlives the process.
        process: the process.
        log: where its standard error goes: a file without a name, so that a killed run leaves none.
    """

    order: Order
    slab: Slab
    process: subprocess.Popen[str]
    log: IO[bytes]

    @property
    def log_path(self) -> Path:
        """A path by which this process can read the log."""
        return Path(f"/proc/self/fd/{self.log.fileno()}")

    @property
    def alive(self) -> bool:
        """Whether the process still runs."""
        return self.process.poll() is None

    @property
    def finished(self) -> bool:
        """Whether it came to its end as it should."""
        return self.slab.state is State.FINISHED

    @property
    def died(self) -> bool:
        """Whether the process is gone without having finished."""
        return not self.alive and not self.finished

    def last_words(self) -> str:
        """The last lines that it wrote to standard error."""
        lines = self.log_path.read_text(errors="replace").splitlines()
        return "\n".join(lines[-_LAST_LINES:])

    def close(self) -> None:
        """Gives descriptors back; what was measured can still be read."""
        self.slab.close()
        self.log.close()

    def exit_text(self) -> str:
        """How it ended, for people: "finished", "killed by SIGKILL", "exit code 1"."""
        code = self.process.poll()
        if code is None:
            return "running"
        if code < 0:
            return f"killed by {signal_name(-code)}"
        return "finished" if code == 0 else f"exit code {code}"


def _commits(worker: WorkerProcess) -> bool:
    """Whether a worker's last commit is still to come."""
    return worker.alive and not worker.slab.record["committed"][0]


def _held(workers: Sequence[WorkerProcess]) -> list[int]:
    """How many partitions each worker of a consumer group holds."""
    return [int(worker.slab.record["assigned"][0]) for worker in workers]


def _formed(workers: Sequence[WorkerProcess]) -> str:
    """How far a consumer group got, and what went wrong."""
    order = workers[0].order
    joined = sum(int(worker.slab.record["assignments"][0] > 0) for worker in workers)
    text = (
        f"{joined} of {len(workers)} workers of {order.group} have joined, and hold {sum(_held(workers))} of "
        f"{order.partitions} partitions"
    )
    met = ", ".join(errors(workers, [CONSUME_LANE]))
    return f"{text} ({met})" if met else text


def _spawn(order: Order, ledger_fd: int | None) -> WorkerProcess:
    try:
        worker = _started(order, ledger_fd)
    except OSError as error:
        raise WorkerError(
            f"worker {order.worker} could not be started: {error.strerror or error}",
            fix="let fewer workers run, or raise the limits on processes, open files or memory",
        ) from error
    if worker.process.stdin is None:
        raise AssertionError("its standard input is a pipe")
    try:
        worker.process.stdin.write(order.to_json(worker.slab.fd, os.getpid(), ledger_fd) + "\n")
        worker.process.stdin.close()
    except BrokenPipeError as error:
        worker.process.wait()
        words = worker.last_words()
        worker.close()
        raise WorkerError(f"worker {order.worker} ended at once: {words}") from error
    return worker


def _started(order: Order, ledger_fd: int | None) -> WorkerProcess:
    """Starts a worker's process; what was opened for one that can't be started is closed again."""
    with ExitStack() as stack:
        slab = create_slab(order.partitions)
        stack.callback(slab.close)
        log = stack.enter_context(tempfile.TemporaryFile(prefix="loadlab-"))
        process = _process(order, slab, log, ledger_fd)
        stack.pop_all()  # they are closed with the fleet
    return WorkerProcess(order=order, slab=slab, process=process, log=log)


def _process(order: Order, slab: Slab, log: IO[bytes], ledger_fd: int | None) -> subprocess.Popen[str]:
    return subprocess.Popen(
        # -P: what lies in the user's working directory shadows no module.
        [sys.executable, "-P", "-m", "loadlab.run.worker"],
        stdin=subprocess.PIPE,
        stdout=log,
        stderr=log,
        pass_fds=(slab.fd, *order.shared_fds, *(() if ledger_fd is None else (ledger_fd,))),
        # A worker does no linear algebra; each of OpenBLAS's threads would take memory of its own.
        env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
        text=True,
        # Ctrl-C is the parent's to interpret.
        process_group=0,
    )


@dataclass(eq=False)
class Fleet:
    """All workers of a run.

    Attributes:
        workers: in the order of their ids.
    """

    workers: list[WorkerProcess] = field(default_factory=list)

    @property
    def producers(self) -> list[WorkerProcess]:
        """The workers that send."""
        return [worker for worker in self.workers if worker.order.produces]

    @property
    def consumers(self) -> list[WorkerProcess]:
        """The workers that read."""
        return [worker for worker in self.workers if not worker.order.produces]

    def group(self, name: str, *, produces: bool) -> list[WorkerProcess]:
        """The workers of one group."""
        of_kind = self.producers if produces else self.consumers
        return [worker for worker in of_kind if worker.order.group == name]

    def senders_to(self, groups: Collection[str]) -> list[WorkerProcess]:
        """The workers of some producer groups: those that send what a consumer group reads."""
        return [worker for worker in self.producers if worker.order.group in groups]

    def spawn(self, orders: Sequence[Order], ledger_fd: int | None = None) -> None:
        """Starts a process for each order; they wait to be told to connect.

        Args:
            orders: one for each worker.
            ledger_fd: the run's ledger; None where it keeps none.

        Raises:
            WorkerError: a process could not start.
        """
        for order in orders:
            self.workers.append(_spawn(order, ledger_fd))

    def command(self, command: Command) -> None:
        """Tells all workers what to do."""
        for worker in self.workers:
            worker.slab.command(command)

    def await_ready(self) -> None:
        """Waits until every worker is ready and every group that starts now holds its partitions.

        Raises:
            WorkerError: a worker ended, or one was not ready in time.
        """
        self._await(self._ready)

    def connect(self) -> None:
        """Lets all workers connect at once, as soon as each has loaded what it needs.

        Members that join one after the other make a group rebalance, and on the mock wait for a session
        timeout.

        Raises:
            WorkerError: a worker ended, or one had not come so far in time.
        """
        self._await(lambda: all(worker.slab.record["heartbeat_ns"][0] for worker in self.workers))
        self.command(Command.CONNECT)

    def _await(self, done: Callable[[], bool]) -> None:
        deadline = time.monotonic() + _READY_TIMEOUT_S
        while not done():
            self._refuse_dead()
            if time.monotonic() > deadline:
                raise self._late()
            time.sleep(_POLL_S)

    def _ready(self) -> bool:
        if any(worker.slab.state is not State.READY for worker in self.workers):
            return False
        return all(self._assigned(worker.order.group) for worker in self.consumers)

    def _assigned(self, group: str) -> bool:
        """Whether a group holds all its partitions, or is to join only later."""
        workers = self.group(group, produces=False)
        settings = workers[0].order.settings
        if not isinstance(settings, ConsumerSettings) or settings.start_after_s is not None:
            return True
        held = _held(workers)
        if settings.properties.get("group.protocol") == NEW_PROTOCOL:
            # There a member that gets no partition is told nothing.
            most = most_holders(settings.properties, settings.topics)
            joined = sum(map(bool, held)) == min(len(workers), most)
        else:
            joined = all(worker.slab.record["assignments"][0] for worker in workers)
        return joined and sum(held) == workers[0].order.partitions

    def _late(self) -> WorkerError:
        """Who was not ready in time, and what is known of the reason."""
        waiting = [worker for worker in self.workers if worker.slab.state is State.STARTING]
        if waiting:
            names = ", ".join(f"{worker.order.group} (worker {worker.order.worker})" for worker in waiting)
            return WorkerError(
                f"not ready within {_READY_TIMEOUT_S:.0f} s: {names}",
                fix="is the cluster reachable from this machine?",
            )
        late = dict.fromkeys(worker.order.group for worker in self.consumers)
        groups = [self.group(name, produces=False) for name in late if not self._assigned(name)]
        formed = "; ".join(map(_formed, groups))
        return WorkerError(
            f"consumer groups did not form within {_READY_TIMEOUT_S:.0f} s: {formed}",
            fix="may the client read by this group, and is nobody else in it?",
        )

    def _refuse_dead(self) -> None:
        for worker in self.workers:
            if not worker.alive or worker.slab.state is State.FAILED:
                raise WorkerError(
                    f"worker {worker.order.worker} of {worker.order.group} could not start: "
                    f"{worker.last_words() or worker.exit_text()}"
                )

    def end(self, timeout_s: float) -> None:
        """Tells all workers to stop, and to leave their groups when all have committed; kills who is late."""
        self.command(Command.STOP)
        deadline = time.monotonic() + timeout_s
        while any(map(_commits, self.consumers)) and time.monotonic() < deadline - timeout_s / 2.0:
            time.sleep(_POLL_S)
        for worker in self.consumers:
            worker.slab.record["may_leave"] = 1
        for worker in self.workers:
            try:
                worker.process.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                worker.process.kill()
                worker.process.wait()

    def kill(self) -> None:
        """Ends all workers at once."""
        for worker in self.workers:
            worker.process.kill()
        for worker in self.workers:
            worker.process.wait()

    def close(self) -> None:
        """Gives descriptors back; what was measured can still be read."""
        for worker in self.workers:
            worker.close()
