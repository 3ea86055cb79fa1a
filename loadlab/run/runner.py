"""Runs a scenario: cluster, topics, workers, load, result. The one way by which anything is measured."""

from __future__ import annotations

import gc
import tempfile
import time
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Final

from loadlab.errors import ClusterError, LoadlabError, RunError, UsageError, WorkerError
from loadlab.results.artifacts import Artifacts
from loadlab.results.environment import capture_host
from loadlab.results.publish import ensure_writable
from loadlab.results.redact import Redactor
from loadlab.results.run_id import new_run_id
from loadlab.results.store import save
from loadlab.run.account import open_account
from loadlab.run.beginnings import Beginnings, all_partitions
from loadlab.run.broker_readings import broker_rows
from loadlab.run.brokers import follow_brokers
from loadlab.run.collect import make_histograms, make_result
from loadlab.run.ended import EndedRun
from loadlab.run.events import Events
from loadlab.run.faults import require_faults
from loadlab.run.fleet import Fleet
from loadlab.run.interrupts import Interrupts
from loadlab.run.judging import LiveThresholds, judged
from loadlab.run.load import Load
from loadlab.run.memory import check_memory
from loadlab.run.offsets import OffsetSampler
from loadlab.run.opening import OpenCluster, Opening, RunOptions, check_existing, open_cluster
from loadlab.run.orders import Target, make_orders
from loadlab.run.plan import RunPlan, plan_scenario
from loadlab.run.series import Series, partition_lags
from loadlab.run.shield import Shield
from loadlab.run.topics import RunTopics
from loadlab.run.traces import shared_traces
from loadlab.run.volume import needed_bytes
from loadlab.run.watch import Watcher
from loadlab.scenario.secrets import is_secret

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from loadlab.cluster import Cluster
    from loadlab.results.model_environment import HostEnvironment
    from loadlab.results.reader import StoredRun
    from loadlab.run.account import Account
    from loadlab.run.brokers import BrokerSampler
    from loadlab.run.progress import RunObserver
    from loadlab.scenario import LoadedScenario, Scenario

__all__ = ["OpenCluster", "RunOptions", "open_cluster", "run_scenario"]

_DELETION_S: Final = 10.0
_SILENT_DELETION_S: Final = 1.0
_ELSEWHERE: Final = "loadlab-results"


def run_scenario(
    loaded: LoadedScenario,
    options: RunOptions,
    observer: RunObserver,
    *,
    cluster: OpenCluster | None = None,
) -> StoredRun:
    """Runs a scenario and stores what it measured.

    A first SIGINT or SIGTERM stops the load and keeps what was measured; a second ends the run at once.
    Whatever happens, no process, container or topic of the run's own is left.

    Args:
        loaded: the scenario.
        options: how to run it.
        observer: is told what happens; each of its calls must return at once.
        cluster: one that `open_cluster` opened, for the next of several runs; it goes on afterwards. None to
            open the scenario's for this run.

    Returns:
        The result and its folder.

    Raises:
        LoadlabError: the run could not be made, or failed; what was measured by then is stored.
        KeyboardInterrupt: it was interrupted before anything was measured, or a second time.
    """
    ensure_writable(options.results_dir)
    if cluster is not None:
        cluster.require_alive()
        try:
            return _Run(loaded, options, observer, cluster.interrupts).run(cluster)
        finally:
            # What was measured is stored; a signal from now on has nothing of this run's to keep.
            cluster.interrupts.gentle = False
            # Its objects refer to each other, and slabs and ledger stay mapped as long as they are there.
            with cluster.interrupts.undisturbed():
                gc.collect()
    with Interrupts().handled() as interrupts:
        return _Run(loaded, options, observer, interrupts).run()


class _Run:
    """One execution; each step adds to the stack what undoes it."""

    def __init__(
        self,
        loaded: LoadedScenario,
        options: RunOptions,
        observer: RunObserver,
        interrupts: Interrupts,
    ) -> None:
        self._options = options
        self._observer = Shield(observer)
        self._interrupts = interrupts
        self._scenario: Scenario = loaded.scenario
        self._plan: RunPlan = plan_scenario(loaded)
        self._events = Events(self._observer)
        self._started_at = datetime.now(UTC)
        self._started_ns = time.monotonic_ns()
        self._outlives = False
        self._silent = False  # the cluster gave no answer after the load
        self._cluster_ready_ns = 0
        self._run_id = new_run_id(self._scenario.name, self._started_at)

    def run(self, given: OpenCluster | None = None) -> StoredRun:
        check_memory(self._scenario)
        if given is None:
            check_existing(self._scenario, self._options.cluster_name)
        host = capture_host()
        self._outlives = outlives = given is not None or self._cluster_outlives
        if self._options.keep_topics and not outlives:
            raise UsageError(
                "topics can't be kept on a cluster that ends with the run",
                fix="start one that stands: loadlab cluster up --name lab; then loadlab run … --cluster lab",
            )
        with ExitStack() as stack:
            opened = given or stack.enter_context(self._opening().opened())
            self._plan = replace(self._plan, warnings=(*self._plan.warnings, *opened.warnings))
            self._cluster_ready_ns = max(opened.ready_ns, self._started_ns)
            require_faults(opened.cluster, self._plan.faults)
            if given is not None:
                self._events.note("cluster", f"cluster ready: {given.cluster.bootstrap_servers}")
            topics = RunTopics(self._plan, self._run_id, opened.cluster, self._events, self._interrupts)
            made = topics.made(outlives=outlives, keeps=self._options.keep_topics, timeout_s=self._deletion_s)
            try:
                partitions = stack.enter_context(made)
                account = stack.enter_context(self._account(partitions))
                fleet = stack.enter_context(self._fleet())
                return self._measure(opened.cluster, partitions, fleet, host, account)
            except (ClusterError, WorkerError):
                self._keep_logs(opened.cluster)
                raise

    def _opening(self) -> Opening:
        return Opening(
            spec=self._scenario.cluster,
            needed_disk_bytes=needed_bytes(
                self._scenario, self._plan, stands=self._options.cluster_name is not None
            ),
            cluster_name=self._options.cluster_name,
            run_id=self._run_id,
            events=self._events,
            interrupts=self._interrupts,
        )

    def _deletion_s(self) -> float:
        """How long the deletion of topics may take."""
        hurried = self._silent or self._interrupts.missed  # by the user's second word
        return _SILENT_DELETION_S if hurried else _DELETION_S

    @property
    def _cluster_outlives(self) -> bool:
        """Whether the cluster goes on after the run, so that topics have to be deleted one by one."""
        return self._options.cluster_name is not None or self._scenario.cluster.provider == "external"

    @contextmanager
    def _fleet(self) -> Iterator[Fleet]:
        fleet = Fleet()
        try:
            yield fleet
        finally:
            with self._interrupts.undisturbed():
                fleet.kill()
                fleet.close()

    @contextmanager
    def _account(self, partitions: dict[str, int]) -> Iterator[Account | None]:
        """The run's ledger, where there is one."""
        everywhere = all_partitions(partitions)
        account = None
        if self._options.ledger:
            try:
                account = open_account(self._scenario, self._plan, everywhere)
            except OSError as error:
                self._events.note("ledger_stopped", f"there is no ledger: {error.strerror or error}")
        try:
            yield account
        finally:
            if account is not None:
                account.close()

    def _spawn(
        self, cluster: Cluster, partitions: dict[str, int], fleet: Fleet, account: Account | None
    ) -> None:
        """Starts the worker processes."""
        target = Target(
            bootstrap_servers=cluster.bootstrap_servers,
            client_properties=cluster.client_properties,
            partitions=partitions,
            is_mock=cluster.info.kind == "mock",
        )
        with shared_traces(self._scenario) as traces:
            orders = make_orders(self._scenario, self._plan, self._run_id, target, traces)
            self._observer.message(f"starting {len(orders)} workers")
            fleet.spawn(orders, None if account is None else account.ledger.fd)

    def _measure(
        self,
        cluster: Cluster,
        partitions: dict[str, int],
        fleet: Fleet,
        host: HostEnvironment,
        account: Account | None,
    ) -> StoredRun:
        self._spawn(cluster, partitions, fleet, account)
        brokers = follow_brokers(cluster, self._events)
        beginnings = Beginnings(cluster, self._scenario, self._plan, self._run_id, partitions, self._events)
        before = beginnings.log_ends()
        ids = cluster.topic_ids(list(partitions))
        groups = beginnings.groups(before.offsets)
        begun_ns = time.monotonic_ns()
        fleet.connect()
        fleet.await_ready()
        everywhere = all_partitions(partitions)
        written = {topic for producer in self._plan.producers for topic in producer.topics}
        read_again = account.read_again if account else None
        sampler = OffsetSampler(
            cluster, fleet, everywhere, groups, before=before, written=written, read_again=read_again
        )
        series, live = Series(fleet), LiveThresholds(self._scenario, self._options.patient)
        watcher = self._watcher(sampler, series, account)
        load = self._load(cluster, brokers, watcher, live)
        self._interrupts.gentle = True
        ended_ns = load.run()
        self._silent = load.final is None or not load.final.ends
        with self._interrupts.deferred():
            watcher.finish(load.timeline, ended_ns)
            series.rows += broker_rows(brokers.samples, load.timeline.start_ns)
            brokers.note_missed(self._events)
            measured = EndedRun(
                run_id=self._run_id,
                started_at=self._started_at,
                started_ns=self._started_ns,
                cluster_ready_ns=self._cluster_ready_ns,
                workers_begun_ns=begun_ns,
                scenario=self._scenario,
                load=load,
                ended_ns=ended_ns,
                baseline=before.offsets,
                host=host,
                late=series.late(),
                rows=series.rows,
                account=account,
                changed=self._changed(cluster, partitions, ids),
            )
            return self._store(measured, series, live)

    def _changed(
        self, cluster: Cluster, partitions: Mapping[str, int], ids: Mapping[str, str | None]
    ) -> list[str]:
        """What others did to topics in the run, in words: some got partitions, or were made again."""
        try:
            found = {} if self._silent else cluster.describe_topics(list(partitions))
        except LoadlabError as error:
            self._events.trouble("topics_unknown", f"whether topics are as they were is not known: {error}")
            return []
        told = []
        for name, topic in found.items():
            if topic is None:
                continue  # which log ends that nobody tells say, too; brokers that fail over may forget one
            if topic.topic_id != ids[name]:
                told.append(f"{name} was deleted and made again")
            elif len(topic.partitions) != partitions[name]:
                told.append(f"{name} has {len(topic.partitions)} partitions now, and had {partitions[name]}")
        return told

    def _watcher(self, sampler: OffsetSampler, series: Series, account: Account | None) -> Watcher:
        return Watcher(
            run_id=self._run_id,
            plan=self._plan,
            fleet=sampler.fleet,
            sampler=sampler,
            series=series,
            observer=self._observer,
            events=self._events,
            account=account,
        )

    def _load(self, cluster: Cluster, brokers: BrokerSampler, watcher: Watcher, live: LiveThresholds) -> Load:
        return Load(
            plan=self._plan,
            fleet=watcher.fleet,
            cluster=cluster,
            sampler=watcher.sampler,
            brokers=brokers,
            events=self._events,
            interrupts=self._interrupts,
            each_interval=watcher.each_interval,
            why_to_end=live.why_to_end,
            outlives=self._outlives,
        )

    def _store(self, measured: EndedRun, series: Series, live: LiveThresholds) -> StoredRun:
        load = measured.load
        with ExitStack() as stack:
            logs = self._logs(load, stack)
            result = judged(measured, make_result(measured), live)
            secrets = _secrets(load.cluster, self._scenario)

            def saved(folder: Path) -> StoredRun:
                lags = partition_lags(load.sampler.samples, load.sampler.groups, load.timeline.start_ns)
                artifacts = Artifacts(
                    intervals=chain(series.rows, lags),
                    histograms=make_histograms(measured),
                    interval_histograms=series.histograms,
                    events=load.events.lines,
                    logs=logs,
                )
                return save(result, artifacts, folder, secrets=secrets)

            stored = self._saved(saved)
        if load.failure is not None and not load.interrupted:
            raise RunError(f"{load.failure}; what was measured is in {stored.path}", stored_in=stored.path)
        return stored

    def _saved(self, saved: Callable[[Path], StoredRun]) -> StoredRun:
        """Stores a result: where it can't be where it belongs, what was measured is not to be lost."""
        try:
            return saved(self._options.results_dir)
        except RunError as error:
            try:
                stored = saved(Path(tempfile.gettempdir(), _ELSEWHERE))
            except RunError:
                raise error from None
            self._observer.warn(f"{error.message}; it is in {stored.path} instead: move it from there")
            return stored

    def _logs(self, load: Load, stack: ExitStack) -> dict[str, Path]:
        """The logs of what died, if it said a word; brokers' copies are there as long as the stack."""
        logs = {
            f"worker-{worker.order.worker}.log": worker.log_path
            for worker in load.fleet.workers
            if worker.order.worker in load.dead_workers and worker.log_path.stat().st_size
        }
        if load.watch.dead or load.faults.has_failed:
            try:
                scratch = stack.enter_context(tempfile.TemporaryDirectory(prefix="loadlab-logs-"))
                logs |= {path.name: path for path in load.cluster.save_logs(Path(scratch))}
            except (OSError, LoadlabError) as error:
                load.events.trouble("logs_missing", f"the brokers' logs could not be kept: {error}")
        return logs

    def _keep_logs(self, cluster: Cluster) -> None:
        """Keeps the brokers' logs of a run that has no result to lay them beside."""
        folder = self._options.results_dir / f"failed-{self._run_id}"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            if logs := cluster.save_logs(folder):
                redactor = Redactor(_secrets(cluster, self._scenario))
                for log in logs:
                    log.write_text(redactor.text(log.read_text("utf-8", "replace")), "utf-8")
                self._observer.warn(f"the brokers' logs are kept in {folder}")
            else:
                folder.rmdir()
        except (OSError, LoadlabError) as error:
            self._observer.warn(f"the brokers' logs could not be kept: {error}")


def _secrets(cluster: Cluster, scenario: Scenario) -> list[str]:
    """The values that must stand in no file: of the cluster's clients, of all groups and of brokers."""
    configs = [cluster.client_properties, scenario.cluster.config]
    configs += [producer.config for producer in scenario.producers.values()]
    configs += [consumer.config for consumer in scenario.consumers.values()]
    return [value for config in configs for name, value in config.items() if is_secret(name)]
