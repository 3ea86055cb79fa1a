"""Opens the cluster that runs are made on: for one run, or for several after each other."""

from __future__ import annotations

import threading
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING, Final

from loadlab.cluster import attach, clean_leftovers, end_run, start_cluster
from loadlab.errors import ClusterError, LoadlabError, UsageError
from loadlab.results.publish import ensure_writable
from loadlab.results.run_id import new_run_id
from loadlab.run.engine import await_compiled, start_compiling, stop_compiling
from loadlab.run.events import Events
from loadlab.run.interrupts import Interrupts
from loadlab.run.memory import check_memory
from loadlab.run.plan import plan_scenario
from loadlab.run.shield import Shield
from loadlab.run.standing import check_standing
from loadlab.run.volume import needed_bytes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from loadlab.cluster import BrokerState, Cluster
    from loadlab.run.progress import RunObserver
    from loadlab.scenario import LoadedScenario, Scenario
    from loadlab.scenario.cluster import ClusterSpec

_STATES_TIMEOUT_S: Final = 10.0
_STATES_AGAIN_S: Final = 0.5

TRIED_AGAIN: Final = "the next run tries again"
"""What becomes of what could not be ended."""


@dataclass(frozen=True)
class RunOptions:
    """How a run is to be made.

    Attributes:
        results_dir: where the result goes.
        cluster_name: the cluster that `cluster up` left standing and that is to be used; None to start one.
        keep_topics: whether the topics that the run makes outlive it.
        ledger: whether each record is followed; only benchmarks go without, to see what that costs.
        patient: whether a threshold with `abort_on_fail` ends the run only where it could not come right any
            more, rather than as soon as it fails.
    """

    results_dir: Path
    cluster_name: str | None = None
    keep_topics: bool = False
    ledger: bool = True
    patient: bool = False


@dataclass(frozen=True)
class OpenCluster:
    """A cluster that several runs are made on, one after the other.

    Attributes:
        cluster: it answers.
        ready_ns: since when, CLOCK_MONOTONIC.
        interrupts: what the user asks for meanwhile: after a run, `came` says that no other is to begin.
        warnings: what every run's result is to tell of it.
        closed: set once the block that it was opened for has ended.
    """

    cluster: Cluster
    ready_ns: int
    interrupts: Interrupts
    warnings: tuple[str, ...] = ()
    closed: threading.Event = field(default_factory=threading.Event)

    @property
    def bootstrap_servers(self) -> str:
        """Where it answers: host:port, comma separated."""
        return self.cluster.bootstrap_servers

    def require_alive(self) -> None:
        """Refuses to measure on what an earlier run left broken.

        Raises:
            UsageError: the cluster is closed.
            ClusterError: a broker has died, or nobody says for a while whether one has.
        """
        if self.closed.is_set():
            raise UsageError("the cluster is closed: its block has ended", fix="run within the block")
        if dead := [state for state in self._broker_states() if not state.alive]:
            raise ClusterError(
                f"broker {dead[0].broker_id} has died since the cluster was opened: {dead[0].detail}",
                fix="run again; where the load kills brokers, give each run a cluster of its own",
            )

    def _broker_states(self) -> list[BrokerState]:
        deadline_s = time.monotonic() + _STATES_TIMEOUT_S
        while True:
            try:
                return self.cluster.broker_states()
            except ClusterError:
                if time.monotonic() > deadline_s:
                    raise
                time.sleep(_STATES_AGAIN_S)


@contextmanager
def open_cluster(
    loaded: LoadedScenario,
    options: RunOptions,
    observer: RunObserver,
    *,
    interrupts: Interrupts | None = None,
) -> Iterator[OpenCluster]:
    """Opens a scenario's cluster for several runs: give what this yields to each `run_scenario`.

    Each run makes its own topics there and deletes them at its end. Signals are handled for as long as the
    block runs: between two runs they raise KeyboardInterrupt, in a run they are the run's.

    Args:
        loaded: the scenario; of its cluster, and of the size of its data.
        options: how to run; names the standing cluster to use, if any.
        observer: is told what happens.
        interrupts: of a caller that handles signals already; None to handle them here.

    Yields:
        The cluster, which answers. A cluster that was started here ends with the block.

    Raises:
        LoadlabError: no cluster could be had, or results can't be written.
    """
    ensure_writable(options.results_dir)
    check_memory(loaded.scenario)
    check_existing(loaded.scenario, options.cluster_name)
    plan = plan_scenario(loaded)
    with ExitStack() as stack:
        if interrupts is None:
            interrupts = stack.enter_context(Interrupts().handled())
        opening = Opening(
            spec=loaded.scenario.cluster,
            needed_disk_bytes=needed_bytes(loaded.scenario, plan, stands=options.cluster_name is not None),
            cluster_name=options.cluster_name,
            run_id=new_run_id(plan.name, datetime.now(UTC)),
            events=Events(Shield(observer)),
            interrupts=interrupts,
        )
        yield stack.enter_context(opening.opened())


def check_existing(scenario: Scenario, cluster_name: str | None) -> None:
    """Refuses topics that are to exist already on a cluster that is yet to be started.

    Raises:
        UsageError: there is one.
    """
    wanted = [name for name, topic in scenario.topics.items() if topic.existing]
    if wanted and cluster_name is None and scenario.cluster.provider != "external":
        raise UsageError(
            f"topics.{wanted[0]} says existing: true, and a cluster that the run starts has no topics yet",
            fix="name a cluster that has it by --cluster or provider: external, or drop existing: true",
        )


@contextmanager
def open_spec(spec: ClusterSpec, observer: RunObserver) -> Iterator[OpenCluster]:
    """Opens a cluster that no scenario asks for, as `open_cluster` does.

    Args:
        spec: what is asked for.
        observer: is told what happens.

    Yields:
        The cluster, which answers and ends with the block.

    Raises:
        LoadlabError: no cluster could be had.
    """
    with Interrupts().handled() as interrupts:
        opening = Opening(
            spec=spec,
            needed_disk_bytes=0,
            cluster_name=None,
            run_id=new_run_id("cluster", datetime.now(UTC)),
            events=Events(Shield(observer)),
            interrupts=interrupts,
        )
        with opening.opened() as cluster:
            yield cluster


@dataclass(frozen=True)
class Opening:
    """What it takes to open a cluster.

    Attributes:
        spec: what is asked for.
        needed_disk_bytes: how much will be written, as far as it is known.
        cluster_name: of a standing cluster that is to be used instead; None to start one.
        run_id: marks all that is started.
        events: is told what happens.
        interrupts: are told of signals that come while the cluster ends.
    """

    spec: ClusterSpec
    needed_disk_bytes: int
    cluster_name: str | None
    run_id: str
    events: Events
    interrupts: Interrupts

    @contextmanager
    def opened(self) -> Iterator[OpenCluster]:
        """Starts the cluster, or attaches to it, and compiles the engine meanwhile; ends what it started."""
        self._clean()
        with ExitStack() as stack:
            compiling = start_compiling(self.events.observer.message)
            if compiling is not None:
                stack.callback(stop_compiling, compiling)
            try:
                cluster = self._start()
                stack.callback(end, "the cluster", cluster.stop, self.events, self.interrupts)
            except BaseException:
                # A signal may come when all brokers stand, and nobody has taken them over yet.
                end("the cluster", partial(end_run, self.run_id), self.events, self.interrupts)
                raise
            ready_ns = time.monotonic_ns()
            warnings = tuple(self._checked(cluster))
            self.events.note("cluster", f"cluster ready: {cluster.bootstrap_servers}")
            await_compiled(compiling)
            opened = OpenCluster(cluster, ready_ns, self.interrupts, warnings)
            stack.callback(opened.closed.set)
            yield opened

    def _start(self) -> Cluster:
        if self.cluster_name is not None:
            return attach(self.cluster_name, self.events.observer.message)
        return start_cluster(
            self.spec,
            progress=self.events.observer.message,
            run_id=self.run_id,
            needed_disk_bytes=self.needed_disk_bytes,
        )

    def _checked(self, cluster: Cluster) -> Iterator[str]:
        """What a standing cluster will not give to the scenario; told at once, and in the results."""
        if self.cluster_name is None:
            return
        warning = check_standing(cluster, self.cluster_name, self.spec, self.needed_disk_bytes)
        if warning is not None:
            self.events.note("ignored", warning)
            yield warning

    def _clean(self) -> None:
        """Removes what killed runs left; what can't be removed is no reason not to run."""
        try:
            for removed in clean_leftovers():
                self.events.note("cleaned", f"removed what a killed run left: {removed}")
        except LoadlabError as error:
            self.events.trouble("not_cleaned", f"what a killed run left could not be removed: {error}")


def end(
    what: str,
    ending: Callable[[], None],
    events: Events,
    interrupts: Interrupts,
    otherwise: str = TRIED_AGAIN,
) -> None:
    """Ends something of a run's; an error is told with what becomes of it, and takes no result with it."""
    with interrupts.undisturbed():
        try:
            ending()
        except LoadlabError as error:
            events.trouble("not_ended", f"{what} could not be ended ({otherwise}): {error}")
