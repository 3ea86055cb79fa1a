"""The worker process: `python -m loadlab.run.worker`, its order on standard input.

Its main thread follows the parent's commands in the slab, takes the process's CPU time at the ends of
phases and keeps the heartbeat; the compiled loops run beside it in threads of their own, without the GIL.
"""

from __future__ import annotations

import atexit
import gc
import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Final

if __name__ == "__main__":
    # All that is loaded stays to the end, and nothing here makes cycles: looking for garbage only costs CPU.
    gc.disable()

import numpy as np

from loadlab.client.kernel import die_with_parent, wake_punctually
from loadlab.client.settings import WEIGHTED_KEYS, ConsumerSettings, ProducerSettings
from loadlab.client.symbols import ERR_TIMED_OUT
from loadlab.errors import EXIT_RUN_FAILED, LoadlabError, WorkerError
from loadlab.measurement.ledger import attach_ledger
from loadlab.measurement.slab import Command, State, attach_slab
from loadlab.run.order import read_order
from loadlab.run.worker_watch import COMMAND_POLL_S, Watch, times_of
from loadlab.units import NS_PER_S

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy.typing as npt

    from loadlab.client.consumer import Consumer
    from loadlab.client.producer import Producer
    from loadlab.client.settings import RecordSettings
    from loadlab.measurement.ledger import Ledger
    from loadlab.measurement.slab import Slab

_WATCH_POLL_S: Final = 0.02
_CONNECT_TIMEOUT_S: Final = 30.0
_PURGE_TIMEOUT_S: Final = 2.0
_CLOSE_TIMEOUT_S: Final = 3.0
_SILENT_CLOSE_TIMEOUT_S: Final = 0.2


class Loop(threading.Thread):
    """The thread of a compiled loop; it leaves its own CPU and waiting times behind when it ends.

    Args:
        slab: the worker's slab.
        target: the loop.
    """

    def __init__(self, slab: Slab, target: Callable[[], None]) -> None:
        super().__init__(name="loop", daemon=True)
        self._slab = slab
        self._loop = target
        self._failure: Exception | None = None

    def run(self) -> None:
        """Runs the loop."""
        try:
            self._loop()
        except Exception as error:  # noqa: BLE001 (handed on by `check`)
            self._failure = error
        self._slab.record["loop_cpu_ns"] = time.thread_time_ns()
        self._slab.record["loop_wait_ns"] = times_of(Path("/proc/thread-self")).waited_ns

    def check(self) -> None:
        """Raises what ended the loop, if it did not end by itself.

        Raises:
            WorkerError: the loop broke.
        """
        if self._failure is not None:
            raise WorkerError(f"its loop broke: {self._failure!r}") from self._failure


def _alias_table(records: RecordSettings) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.int32]]:
    from loadlab.workload.keys import alias_table, zipf_weights  # noqa: PLC0415 (loads compiled code)

    if records.key_kind != WEIGHTED_KEYS:
        return np.zeros(0), np.zeros(0, dtype=np.int32)
    return alias_table(zipf_weights(records.key_count, records.key_exponent))


def _make_producer(settings: ProducerSettings, slab: Slab, ledger: Ledger | None) -> Producer:
    from loadlab.client.producer import Producer  # noqa: PLC0415 (a consumer does not load it)
    from loadlab.workload.payload import make_pool  # noqa: PLC0415

    records = settings.records
    pool = make_pool(records.pool_bytes, records.compressibility, records.seed + settings.worker)
    return Producer(settings, slab, pool, _alias_table(records), ledger)


def _note_batches(producer: Producer, slab: Slab) -> None:
    """Adds a statistics window to the measure phase's sums if its middle lies within that phase."""
    sums = producer.new_statistics()
    if sums is None:
        return
    middle_ns = time.monotonic_ns() - producer.statistics_window_ns // 2
    record = slab.record
    if record["warmup_end_ns"][0] <= middle_ns < record["measure_end_ns"][0]:
        record["batches"] += sums.batches
        record["batch_records"] += sums.records
        record["batch_bytes"] += sums.size_bytes


def _drain(producer: Producer, slab: Slab, watch: Watch) -> None:
    """Waits for the last delivery reports; gives up at the stop time, with a report for each record."""
    stop_ns = slab.record["stop_ns"]
    while producer.on_their_way and time.monotonic_ns() < stop_ns[0] and not watch.told(Command.STOP):
        _note_batches(producer, slab)
        watch.beat()
        time.sleep(COMMAND_POLL_S)
    if producer.on_their_way:
        producer.purge()
    give_up_s = time.monotonic() + _PURGE_TIMEOUT_S
    while producer.on_their_way and time.monotonic() < give_up_s:
        watch.beat()
        time.sleep(COMMAND_POLL_S)


def _work_as_producer(settings: ProducerSettings, slab: Slab, ledger: Ledger | None = None) -> None:
    producer = _make_producer(settings, slab, ledger)
    loop = Loop(slab, producer.send)
    serving = threading.Thread(target=producer.serve, name="delivery-reports", daemon=True)
    watch = Watch(slab, loop)
    watch.await_command(Command.CONNECT)
    producer.connect(_CONNECT_TIMEOUT_S)
    serving.start()
    slab.record["state"] = State.READY
    watch.await_command(Command.GO)
    loop.start()
    while loop.is_alive():
        _note_batches(producer, slab)
        watch.beat()
        loop.join(_WATCH_POLL_S)
    loop.check()
    slab.record["state"] = State.SENT
    _drain(producer, slab, watch)
    producer.stop_serving()
    serving.join()
    watch.finish()
    slab.record["state"] = State.FINISHED
    if not producer.on_their_way:
        _in_time(producer.close)


def _await_joining(settings: ConsumerSettings, slab: Slab, watch: Watch) -> bool:
    """Waits until a consumer that starts later is to join; says no where the run stopped before."""
    if settings.start_after_s is None:
        return True
    slab.record["state"] = State.READY
    watch.await_command(Command.GO)
    due_ns = int(slab.record["start_ns"][0]) + int(settings.start_after_s * NS_PER_S)
    while time.monotonic_ns() < due_ns and not watch.told(Command.STOP):
        watch.beat()
        time.sleep(_WATCH_POLL_S)
    return not watch.told(Command.STOP)


def _work_as_consumer(settings: ConsumerSettings, slab: Slab, ledger: Ledger | None = None) -> None:
    from loadlab.client.consumer import Consumer  # noqa: PLC0415 (a producer does not load it)

    consumer = Consumer(settings, slab, ledger)
    loop = Loop(slab, consumer.receive)
    watch = Watch(slab, loop)
    watch.await_command(Command.CONNECT)
    if _await_joining(settings, slab, watch):
        consumer.subscribe()
        loop.start()
    slab.record["state"] = State.READY
    while loop.is_alive():
        if watch.told(Command.GO):
            consumer.let_go()
        watch.beat()
        loop.join(_WATCH_POLL_S)
    loop.check()
    watch.finish()
    slab.record["state"] = State.FINISHED
    _commit(consumer, slab)
    # Where no answer came to the commit, none will come to the farewell.
    is_silent = slab.record["commit_error"][0] == ERR_TIMED_OUT
    _in_time(consumer.close, _SILENT_CLOSE_TIMEOUT_S if is_silent else _CLOSE_TIMEOUT_S)


def _commit(consumer: Consumer, slab: Slab) -> None:
    """Commits what was read; returns when all workers have: who leaves makes commits of the others fail."""

    def commit() -> None:
        slab.record["commit_error"] = consumer.commit()

    slab.record["commit_error"] = ERR_TIMED_OUT
    _in_time(commit)
    slab.record["committed"] = 1
    deadline_s = time.monotonic() + _CLOSE_TIMEOUT_S
    while not slab.record["may_leave"][0] and time.monotonic() < deadline_s:
        time.sleep(COMMAND_POLL_S)


def _in_time(end: Callable[[], None], timeout_s: float = _CLOSE_TIMEOUT_S) -> None:
    """Does what without a broker could take a minute, all being measured."""
    ending = threading.Thread(target=end, name="close", daemon=True)
    ending.start()
    ending.join(timeout_s)


def main() -> int:
    """Carries an order out; returns the exit code."""
    atexit.register(gc.freeze)  # as in loadlab.cli.main
    # What ends a service or a job reaches all its processes; the parent alone decides what it means.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    received = read_order(sys.stdin.readline())
    die_with_parent(received.parent_pid)
    wake_punctually()
    if received.order.cores:
        os.sched_setaffinity(0, received.order.cores)
    slab = attach_slab(received.slab_fd)
    ledger = None if received.ledger_fd is None else attach_ledger(received.ledger_fd)
    settings = received.order.settings
    try:
        if isinstance(settings, ProducerSettings):
            _work_as_producer(settings, slab, ledger)
        else:
            _work_as_consumer(settings, slab, ledger)
    except Exception as error:  # noqa: BLE001 (whatever it is, the parent tells it in a line)
        # The words first: the parent reads them as soon as it sees the state.
        sys.stderr.write(f"{error if isinstance(error, LoadlabError) else repr(error)}\n")
        sys.stderr.flush()
        slab.record["state"] = State.FAILED
        return EXIT_RUN_FAILED
    return 0


if __name__ == "__main__":
    sys.exit(main())
