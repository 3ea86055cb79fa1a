"""The scenario of one probe: the same workload at another rate."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from loadlab.client.settings import LATEST
from loadlab.errors import UsageError
from loadlab.measurement.histogram import SAMPLES_BEYOND
from loadlab.scenario.schedule import Ramp, RampRate
from loadlab.scenario.thresholds import Threshold
from loadlab.tuning.capacity_levels import MAX_RATE
from loadlab.tuning.warm_up import ROUND_S
from loadlab.units import format_duration

if TYPE_CHECKING:
    from loadlab.scenario import LoadedScenario, ProducerSpec, Scenario

DEFAULT_P99_S: Final = 0.1
"""What publish latency may be at its 99th percentile where the scenario has no threshold."""

_AT_MAX_S: Final = 5.0
_PUBLISH: Final = "publish_latency"
_END_TO_END: Final = "end_to_end_latency"
_MARGIN: Final = 1.02


@dataclass(frozen=True)
class Workload:
    """A scenario whose rate can be set.

    Attributes:
        loaded: the scenario, with the thresholds that a probe has to hold.
        weights: each producer group's part of the total rate; they sum to 1.
        rate_per_s: all groups together, as the scenario has it; None at `rate: max`.
    """

    loaded: LoadedScenario
    weights: dict[str, float]
    rate_per_s: float | None

    @property
    def scenario(self) -> Scenario:
        """The scenario."""
        return self.loaded.scenario

    @property
    def conditions(self) -> tuple[str, ...]:
        """The thresholds as people read them."""
        return tuple(one.expression for group in self.scenario.thresholds.values() for one in group)

    @property
    def least_per_s(self) -> float:
        """The lowest rate at which a measure phase has the records that the thresholds' percentiles need."""
        needed = [
            _records_needed(threshold) / self._share(threshold)
            for group in self.scenario.thresholds.values()
            for threshold in group
        ]
        return max(needed, default=0.0) / self.scenario.phases.measure_s

    def _share(self, threshold: Threshold) -> float:
        """Which part of the records a threshold is about."""
        about = threshold.selector
        if "producer" in about:
            return self.weights[about["producer"]]
        topic = about.get("topic")
        if "consumer" in about:
            topic = self.scenario.consumers[about["consumer"]].topic
        topics = {spec.topic for spec in self.scenario.producers.values()} if topic is None else {topic}
        if threshold.metric == _END_TO_END:
            topics &= {spec.topic for spec in self.scenario.consumers.values()}
        producers = self.scenario.producers
        return sum(part for name, part in self.weights.items() if producers[name].topic in topics) or 1.0

    def warming(self, limit_per_s: float) -> LoadedScenario:
        """The scenario of a round of warm-up: at once at full load, or at the most that may be sent.

        Args:
            limit_per_s: no more is to be sent; MAX_RATE for as much as goes.
        """
        phases = self.scenario.phases.model_copy(
            update={
                "warmup_s": 0.0,
                "measure_s": ROUND_S,
                "drain_s": min(self.scenario.phases.drain_s, _AT_MAX_S),
            }
        )
        scenario = self.scenario.model_copy(update={"phases": phases, "thresholds": {}, "faults": ()})
        return replace(self, loaded=replace(self.loaded, scenario=scenario)).at(limit_per_s)

    def at(self, rate_per_s: float) -> LoadedScenario:
        """The scenario at a rate; a probe of the maximum is short and judges nothing.

        The rate rises from 0 in the first half of the warm-up phase: the first records of a topic take long,
        and near the edge it would take seconds to work off what waited for them, some of which are measured.

        What a reader left behind at the maximum is of no interest: it may need long to read what was sent.
        """
        at_max = rate_per_s == MAX_RATE
        phases = self.scenario.phases
        rising_s = phases.warmup_s / 2.0
        changes: dict[str, object] = {
            "producers": {
                name: _at_max(spec) if at_max else _at(spec, rate_per_s * self.weights[name], rising_s)
                for name, spec in self.scenario.producers.items()
            }
        }
        if at_max:
            changes |= {"thresholds": {}, "faults": ()}
            lengths = {name: min(getattr(phases, name), _AT_MAX_S) for name in ("measure_s", "drain_s")}
            changes["phases"] = phases.model_copy(update=lengths)
        return replace(self.loaded, scenario=self.scenario.model_copy(update=changes))


def workload_of(
    loaded: LoadedScenario, *, p99_limit_s: float | None = None, measure_s: float | None = None
) -> Workload:
    """Makes a scenario ready to be probed at any rate.

    Groups with a rate keep the ratio of their rates; groups at `rate: max` share equally. `records` of a
    schedule is dropped, since a rate that is higher would use them up before the end.

    Args:
        loaded: the scenario.
        p99_limit_s: a limit of publish latency's 99th percentile beside the scenario's thresholds; None:
            DEFAULT_P99_S where the scenario has no thresholds, else none.
        measure_s: the length of the measure phase; None: the scenario's.

    Raises:
        UsageError: it is no scenario whose rate could be set.
    """
    scenario = loaded.scenario
    rates = _rates(scenario)
    refuse_old_records(scenario)
    changes: dict[str, object] = {}
    if p99_limit_s is None and not scenario.thresholds:
        p99_limit_s = DEFAULT_P99_S
    if p99_limit_s is not None:
        limit = Threshold(key=_PUBLISH, expression=f"p99 < {format_duration(p99_limit_s)}")
        there = scenario.thresholds.get(_PUBLISH, ())
        changes["thresholds"] = {**scenario.thresholds, _PUBLISH: (*there, limit)}
    if measure_s is not None:
        _refuse_late_faults(scenario, measure_s)
        changes["phases"] = scenario.phases.model_copy(update={"measure_s": measure_s})
    total_per_s = sum(rate or 0.0 for rate in rates.values()) or None
    weights = {
        name: rate / total_per_s if rate and total_per_s else 1.0 / len(rates) for name, rate in rates.items()
    }
    return Workload(replace(loaded, scenario=scenario.model_copy(update=changes)), weights, total_per_s)


def _refuse_late_faults(scenario: Scenario, measure_s: float) -> None:
    for fault in scenario.faults:
        last_s = fault.at_s if fault.end_s is None else max(fault.at_s, fault.end_s - scenario.phases.drain_s)
        if last_s >= measure_s:
            raise UsageError(
                f"{fault}, which is no more in a measure phase of {format_duration(measure_s)}",
                fix="a longer --probe, or --set faults=[]",
            )


def _records_needed(threshold: Threshold) -> float:
    """How many records a percentile needs to be told; a few more, as a phase may hold one fewer."""
    percentile = threshold.condition.percentile
    return 0.0 if percentile is None else _MARGIN * SAMPLES_BEYOND / (1.0 - percentile / 100.0)


def feeding(scenario: Scenario, consumer: str) -> list[str]:
    """The producer groups that send what a consumer group reads."""
    topic = scenario.consumers[consumer].topic
    return [name for name, spec in scenario.producers.items() if spec.topic == topic]


def _rates(scenario: Scenario) -> dict[str, float | None]:
    """Each producer group's constant rate, None at the maximum: all have one, or none has."""
    if not scenario.producers:
        raise UsageError("the scenario has no producers, whose rate could be searched", fix="give it one")
    rates: dict[str, float | None] = {}
    for name, spec in scenario.producers.items():
        rate = spec.schedule.rate
        if not isinstance(rate, int | float) and rate != "max":
            raise UsageError(
                f"capacity sets a constant rate, and that of producer {name} changes over time",
                fix=f"--set producers.{name}.schedule.rate=max, or a number such as 20k/s",
            )
        rates[name] = None if rate == "max" else float(rate)
    if len({rate is None for rate in rates.values()}) > 1:
        raise UsageError(
            "some producers have a rate and others are at max: in what ratio is the rate to be split?",
            fix="give each a rate, whose ratio is kept; or all max, then they share equally",
        )
    return rates


def refuse_old_records(scenario: Scenario) -> None:
    """A topic that outlives a run must not give its records to the next one's consumers.

    Raises:
        UsageError: it would.
    """
    for name, spec in scenario.consumers.items():
        latest = spec.config.get("auto.offset.reset") in LATEST
        if scenario.topics[spec.topic].existing and feeding(scenario, name) and not latest:
            raise UsageError(
                f"consumer {name} would read earlier runs' records: its topic {spec.topic} exists already",
                fix=f"--set consumers.{name}.config.auto.offset.reset=latest, or drop existing: true",
            )


def _at(spec: ProducerSpec, rate_per_s: float, rising_s: float) -> ProducerSpec:
    """A group at a rate that it rises to from 0 in some seconds."""
    ramp = Ramp.model_construct(from_per_s=0.0, to_per_s=rate_per_s, over_s=rising_s)
    rate = RampRate(ramp=ramp) if rising_s > 0.0 else rate_per_s
    return _sending(spec, {"rate": rate, "records": None})


def _at_max(spec: ProducerSpec) -> ProducerSpec:
    """A group that sends as much as goes."""
    return _sending(spec, {"rate": "max", "records": None, "when_full": "wait", "arrivals": "uniform"})


def _sending(spec: ProducerSpec, changes: dict[str, object]) -> ProducerSpec:
    return spec.model_copy(update={"schedule": spec.schedule.model_copy(update=changes)})
