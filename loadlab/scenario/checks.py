"""Checks across a scenario: names that must match, numbers that must fit each other."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from loadlab.scenario import checks_cluster, checks_faults, checks_thresholds, checks_trace, checks_workload
from loadlab.scenario.finding import Finding, View
from loadlab.scenario.validation import Built, overlaps

if TYPE_CHECKING:
    from collections.abc import Mapping

    from loadlab.scenario.model import Scenario
    from loadlab.scenario.problems import Problem

_Check = Callable[[View], Iterator[Finding]]

# Those that hold for a study's constraints too, whose trials may set a codec or search for a rate.
_OF_THRESHOLDS: Final[tuple[_Check, ...]] = (
    checks_thresholds.known_selectors,
    checks_thresholds.measured_by_someone,
    checks_thresholds.stamped_records,
    checks_thresholds.judged_in_time,
    checks_thresholds.judged_live,
)
_CHECKS: Final[tuple[_Check, ...]] = (
    checks_cluster.provider_fields,
    checks_cluster.external_target,
    checks_cluster.client_properties_file,
    checks_cluster.heap_within_memory,
    checks_cluster.group_protocols,
    checks_cluster.client_protocols,
    checks_cluster.session_timeouts,
    checks_cluster.replication,
    checks_workload.topic_names,
    checks_workload.bearable,
    checks_workload.known_topics,
    checks_workload.fixed_partitions,
    checks_trace.replayable_traces,
    checks_trace.trace_columns,
    checks_workload.record_sizes,
    checks_workload.stamps,
    checks_workload.something_to_do,
    checks_workload.senders,
    checks_workload.starts_in_time,
    checks_workload.countable_bursts,
    checks_workload.own_groups,
    checks_faults.faults_on_own_brokers,
    checks_faults.faults_in_time,
    checks_faults.pauses_that_end,
    checks_faults.faults_one_by_one,
    *_OF_THRESHOLDS,
    checks_thresholds.due_records,
    checks_thresholds.compressed_records,
)


def check(data: Mapping[str, object], built: Built[Scenario]) -> list[Finding]:
    """The problems between parts of a scenario, each with what it follows from.

    Args:
        data: the document, for the names of things that could not be built.
        built: what could be built; a finding about something that was refused already is not told.
    """
    if built.model is None:
        return []
    view = View(data, built.model)
    return [
        replace(finding, problem=replace(finding.problem, path=built.in_file(finding.problem.path)))
        for find in _CHECKS
        for finding in find(view)
        if not any(overlaps(built.in_file(path), built.removed) for path in finding.about)
    ]


def check_codecs(scenario: Scenario) -> list[Problem]:
    """The problems of a sound scenario's thresholds that are of what only a codec has."""
    view = View(scenario.to_document(), scenario)
    return [finding.problem for finding in checks_thresholds.compressed_records(view)]


def check_thresholds(scenario: Scenario, *, own_rates: bool) -> list[Problem]:
    """The problems between a sound scenario and its thresholds, which came from elsewhere.

    Args:
        scenario: with these thresholds.
        own_rates: whether its producers keep their rates.
    """
    view = View(scenario.to_document(), scenario)
    of_rates = (checks_thresholds.due_records,) if own_rates else ()
    return [finding.problem for find in (*_OF_THRESHOLDS, *of_rates) for finding in find(view)]
