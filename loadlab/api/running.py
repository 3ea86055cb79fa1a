"""Scenarios, clusters and runs from Python: what the commands of the same names do."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeAlias, overload

import numpy as np

from loadlab.api.result import Result, ResultSet
from loadlab.api.stored import folder_of_results
from loadlab.cli.watching import watching
from loadlab.cluster import brokers_of
from loadlab.errors import UsageError
from loadlab.run.opening import OpenCluster, RunOptions, open_spec
from loadlab.run.progress import SilentObserver
from loadlab.run.runner import run_scenario
from loadlab.scenario import LoadedScenario, Provider, load, load_document
from loadlab.scenario.overrides import PROVIDER_VARIABLE

if TYPE_CHECKING:
    from loadlab.run.progress import RunObserver
    from loadlab.scenario import ClusterSpec

ScenarioSource: TypeAlias = str | Path | Mapping[str, object] | LoadedScenario
"""A file, plain data as in a file, or what `load_scenario` gave."""
Overrides: TypeAlias = Mapping[str, object] | Sequence[str]
"""Values by their paths, or texts as those of `--set`."""

_LEAST_SCENARIO: Final = {
    "name": "cluster",
    "topics": {"any": {}},
    "producers": {"any": {"topic": "any", "schedule": {"rate": 1}, "records": {"size": 100}}},
}


def load_scenario(
    scenario: ScenarioSource,
    *,
    overrides: Overrides = (),
    provider: Provider | None = None,
    brokers: int | None = None,
) -> LoadedScenario:
    """Read and check a scenario.

    Args:
        scenario: a file, or plain data as a file has it; over both go LOADLAB_PROVIDER and LOADLAB_SET.
        overrides: values over the scenario's own: ``{"producers.checkout.config.linger.ms": 20}``, or texts
            as those of `--set`.
        provider: where the cluster comes from; over all other values.
        brokers: of the cluster that stands already and is to be used.

    Returns:
        The resolved scenario, where its values come from, and what was set aside.

    Raises:
        ScenarioError: with every problem, each at its place.
    """
    texts = override_texts(overrides, provider)
    if isinstance(scenario, LoadedScenario):
        if texts:
            raise UsageError("a loaded scenario stays as it is", fix="give overrides to load_scenario")
        return scenario
    if isinstance(scenario, Mapping):
        return load_document(scenario, texts, os.environ, brokers=brokers)
    return load(Path(scenario), texts, os.environ, brokers=brokers)


def override_texts(overrides: Overrides, provider: Provider | None) -> list[str]:
    """Overrides as `--set` takes them, the provider last; JSON is YAML, so that each value keeps its type.

    Raises:
        UsageError: a value is of a type that a scenario can't hold.
    """
    if isinstance(overrides, Mapping):
        texts = [f"{path}={_as_text(path, value)}" for path, value in overrides.items()]
    else:
        texts = [overrides] if isinstance(overrides, str) else list(overrides)
    return texts if provider is None else [*texts, f"cluster.provider={provider}"]


def _as_text(path: str, value: object) -> str:
    """A value as JSON; a number of NumPy's is one of Python's."""
    try:
        return json.dumps(value, default=_plain)
    except (TypeError, ValueError) as error:
        raise UsageError(f"the override of {path} is no value that a scenario can have: {error}") from error


def _plain(value: object) -> object:
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"{type(value).__name__} {value!r}")


@contextmanager
def open_cluster(  # noqa: PLR0913 (keywords, as in a scenario's cluster)
    provider: Provider | None = None,
    *,
    brokers: int | None = None,
    kafka_version: str | None = None,
    bootstrap_servers: str | None = None,
    cluster_id: str | None = None,
    client_properties: str | Path | None = None,
    config: Mapping[str, str] | None = None,
    progress: bool = True,
) -> Iterator[OpenCluster]:
    """Start a cluster for several runs; it ends with the block.

    ``with loadlab.open_cluster("local") as cluster: loadlab.run(scenario, cluster=cluster)``. Each run makes
    its own topics there and deletes them. What the scenario says of its cluster does not count then.

    Args:
        provider: docker, local, embedded, external or auto; LOADLAB_PROVIDER's where it is None, else auto.
        brokers: how many.
        kafka_version: such as 3.9.1.
        bootstrap_servers: of an external cluster.
        cluster_id: of an external cluster that is not on this machine: that it is the one which is meant.
        client_properties: a file of how clients reach an external cluster: TLS, SASL.
        config: broker properties.
        progress: whether what is done is told on standard error.

    Yields:
        The cluster, which answers: give it to `run`.

    Raises:
        ScenarioError: a value is none for its field, as in a scenario.
        LoadlabError: no cluster could be had.
    """
    fields = {
        "provider": provider or os.environ.get(PROVIDER_VARIABLE) or None,
        "brokers": brokers,
        "kafka_version": kafka_version,
        "bootstrap_servers": bootstrap_servers,
        "cluster_id": cluster_id,
        "client_properties": None if client_properties is None else str(client_properties),
        "config": config,
    }
    with observed(progress=progress) as observer, open_spec(_checked_spec(fields), observer) as cluster:
        yield cluster


def _checked_spec(fields: Mapping[str, object]) -> ClusterSpec:
    """A cluster is checked as a part of a scenario: here of the least that there is."""
    given = {name: value for name, value in fields.items() if value is not None}
    return load_document({**_LEAST_SCENARIO, "cluster": given}).scenario.cluster


@overload
def run(
    scenario: ScenarioSource,
    *,
    overrides: Overrides = (),
    provider: Provider | None = None,
    cluster: str | OpenCluster | None = None,
    results_dir: str | Path | None = None,
    repeat: None = None,
    fresh_cluster: bool = False,
    keep_topics: bool = False,
    progress: bool = True,
) -> Result: ...


@overload
def run(
    scenario: ScenarioSource,
    *,
    overrides: Overrides = (),
    provider: Provider | None = None,
    cluster: str | OpenCluster | None = None,
    results_dir: str | Path | None = None,
    repeat: int,
    fresh_cluster: bool = False,
    keep_topics: bool = False,
    progress: bool = True,
) -> ResultSet: ...


def run(  # noqa: PLR0913 (keywords, as the options of `loadlab run`)
    scenario: ScenarioSource,
    *,
    overrides: Overrides = (),
    provider: Provider | None = None,
    cluster: str | OpenCluster | None = None,
    results_dir: str | Path | None = None,
    repeat: int | None = None,
    fresh_cluster: bool = False,
    keep_topics: bool = False,
    progress: bool = True,
) -> Result | ResultSet:
    """Run a scenario and store what it measured.

    A first Ctrl-C stops the load and keeps what was measured, with `interrupted` set; a second ends it.
    Neither an invalid run nor a threshold that failed is an error: see `Result.verdict` and `Result.passed`.

    Args:
        scenario: a file, plain data, or what `load_scenario` gave.
        overrides: as of `load_scenario`.
        provider: where the cluster comes from.
        cluster: one that `loadlab cluster up` left standing, by its name, or one of `open_cluster`.
        results_dir: where the result goes; LOADLAB_RESULTS_DIR or "results" if None.
        repeat: run it so often and store the run set.
        fresh_cluster: give each repetition a cluster of its own.
        keep_topics: leave the topics that the run made.
        progress: whether the run is shown on standard error, live in a terminal, else a line a second.

    Returns:
        What was measured; with `repeat` the set of all runs.

    Raises:
        LoadlabError: the scenario is wrong, no cluster could be had, or the run failed; what was measured by
            then is stored.
        KeyboardInterrupt: it was interrupted before anything was measured, or a second time.
    """
    brokers = _brokers(cluster, provider)
    loaded = load_scenario(scenario, overrides=overrides, provider=provider, brokers=brokers)
    options = RunOptions(
        results_dir=folder_of_results(results_dir),
        cluster_name=cluster if isinstance(cluster, str) else None,
        keep_topics=keep_topics,
    )
    if repeat is not None:
        _refuse_open(cluster, fresh_cluster=fresh_cluster)
        return _repeated(loaded, options, repeat, fresh_cluster=fresh_cluster, progress=progress)
    if fresh_cluster:
        raise UsageError("fresh_cluster says how to repeat", fix="say how often: repeat=5")
    with observed(progress=progress) as observer:
        return Result(run_scenario(loaded, options, observer, cluster=_opened(cluster)))


def _brokers(cluster: str | OpenCluster | None, provider: Provider | None) -> int | None:
    """How many the cluster that stands already has; None where none is used.

    Raises:
        UsageError: it is open, and of another provider than the one that is asked for.
    """
    if isinstance(cluster, str):
        return brokers_of(cluster)
    if cluster is None:
        return None
    info = cluster.cluster.info
    if provider not in {None, info.provider}:
        raise UsageError(
            f"cluster is of provider {info.provider}, and provider is {provider}",
            fix="leave one of them out",
        )
    return info.brokers


def _opened(cluster: str | OpenCluster | None) -> OpenCluster | None:
    """The cluster that several runs are made on, unless the user has asked for their end."""
    if not isinstance(cluster, OpenCluster):
        return None
    if cluster.interrupts.came:
        raise KeyboardInterrupt
    return cluster


def _refuse_open(cluster: str | OpenCluster | None, *, fresh_cluster: bool) -> None:
    if isinstance(cluster, OpenCluster):
        raise UsageError("repetitions open their own cluster", fix="leave out cluster, or repeat")
    if fresh_cluster and cluster is not None:
        raise UsageError("fresh_cluster and cluster contradict each other")


def _repeated(
    loaded: LoadedScenario, options: RunOptions, repeat: int, *, fresh_cluster: bool, progress: bool
) -> ResultSet:
    from loadlab.run.repetitions import RepeatOptions, repeat_scenario  # noqa: PLC0415 (SciPy takes a second)

    if not isinstance(repeat, int) or repeat < 1:
        raise UsageError(f"repeat is {repeat!r}: give a whole number of runs, from 1 on")
    with observed(progress=progress) as observer:
        repeated = repeat_scenario(loaded, options, RepeatOptions(repeat, fresh_cluster), observer)
    if repeated.error is not None and not repeated.stored.runs.interrupted:
        repeated.error.add_note(f"the runs until then are in {repeated.stored.path}")
        raise repeated.error
    return ResultSet(repeated.stored)


def observed(*, progress: bool) -> AbstractContextManager[RunObserver]:
    """Who watches: the view of the command line on standard error, or nobody."""
    return watching() if progress else nullcontext(SilentObserver())
