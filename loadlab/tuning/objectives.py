"""What a study can search for: the numbers of a result that its scenario produces."""

from __future__ import annotations

from types import NoneType, UnionType
from typing import TYPE_CHECKING, Annotated, Final, Union, get_args, get_origin

from pydantic import BaseModel

from loadlab import units
from loadlab.errors import UsageError
from loadlab.hints import HintedError, near
from loadlab.measurement.histogram import PERCENTILES, samples_needed
from loadlab.results.model import ConsumerResult, ProducerResult, TopicResult
from loadlab.results.model_groups import LatencyBlock
from loadlab.scenario.expressions import percentile_of
from loadlab.tuning.capacity_scenario import workload_of
from loadlab.tuning.owners import owner_of
from loadlab.tuning.study_model import CAPACITY

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from loadlab.results.model import RunResult
    from loadlab.scenario import LoadedScenario, ProducerSpec, Scenario, Threshold
    from loadlab.tuning.study_model import Objective

_PARTS: Final[Mapping[str, type[BaseModel]]] = {
    "producers": ProducerResult,
    "consumers": ConsumerResult,
    "topics": TopicResult,
}
_PACED: Final = ("target_records_per_s", "achieved_ratio", "send_delay_us")
_END_TO_END: Final = "end_to_end_latency_us"
_GIVEN: Final = ("target_records_per_s", "partitions")
_ZERO_IS_GOOD: Final = (
    *(
        f"records.{name}"
        for name in ("failed", "indeterminate", "rejected", "unsent", "unstamped", "foreign")
    ),
    *(f"{name}.final" for name in ("lag", "committed_lag", "backlog")),
    "rebalances.count",
    "rebalances.seconds",
)
_DONE: Final = ("attempted", "acked", "consumed")
_WAITING: Final = ("lag", "committed_lag", "backlog", "drain_s")
_LATENCY: Final = "_us"
_MISSING: Final = "_us.missing"
_OF_THOSE_THAT_CAME: Final = ("mean", "max")
_OF_CODEC: Final = "compression_ratio"
_OF_STATISTICS: Final = ("batch.", _OF_CODEC)
_SHORTEST_S: Final = 2.0
_THROUGHPUT: Final = "throughput"


def value_of(result: RunResult, field: str) -> float | None:
    """The number that a result has at a path such as producers.checkout.throughput.records_per_s.

    None where the run could not tell it.
    """
    part = field.partition(".")[0]
    groups: dict[str, BaseModel] = getattr(result, part)
    owners = {f"{part}.{name}": group for name, group in groups.items()}
    owner = owner_of(field, owners)
    return None if owner is None else _walked(owners[owner], field.removeprefix(f"{owner}."))


def _walked(value: object, path: str) -> float | None:
    for key in path.split("."):
        if isinstance(value, LatencyBlock) and value.missing and key in _OF_THOSE_THAT_CAME:
            return None  # what never came took longer than all that did
        value = getattr(value, key, None)
    return float(value) if isinstance(value, int | float) else None


def check_objective(objective: Objective, loaded: LoadedScenario) -> None:
    """Refuses an objective that the scenario doesn't produce.

    Raises:
        HintedError: with the nearest that it does.
    """
    if objective.field == CAPACITY:
        _check_capacity(objective, loaded)
        return
    fields = produced(loaded.scenario)
    if objective.field not in fields:
        missing = _missing(objective.field, loaded.scenario)
        if missing is not None:
            raise HintedError(missing)
        suggestion = near(objective.field, [CAPACITY, *fields])
        there = "" if suggestion else f", as {next(iter(fields), CAPACITY)} would be"
        message = f'"{objective.field}" is no number that runs of this scenario produce{there}'
        raise HintedError(message, suggestion)
    if objective.direction == "maximize" and _less_is_better(objective.field):
        raise HintedError(f"of {objective.field} less is better: minimize it")
    if objective.direction == "minimize" and _more_is_better(objective.field):
        raise HintedError(f"of {objective.field} more is better: maximize it")


def _less_is_better(field: str) -> bool:
    """Whether a number is a time that passes, or a count of what waits: nobody wants more of it."""
    *_, block, leaf = field.split(".")
    if leaf.startswith("cpu_us"):
        return True
    return leaf != "count" and any(name.endswith(_LATENCY) or name in _WAITING for name in (block, leaf))


def _more_is_better(field: str) -> bool:
    """Whether a number is of what the load gets done: nobody wants less of it."""
    *_, block, leaf = field.split(".")
    done = (block == "records" and leaf in _DONE) or (leaf == "count" and block.endswith(_LATENCY))
    return done or block == _THROUGHPUT or leaf == "achieved_ratio"


def _check_capacity(objective: Objective, loaded: LoadedScenario) -> None:
    if objective.direction == "minimize":
        raise HintedError("capacity is the highest rate that holds: maximize it")
    try:
        workload_of(loaded)
    except UsageError as error:
        fix = f" ({error.fix})" if error.fix else ""
        raise HintedError(f"{error.message}{fix}") from None


def produced(scenario: Scenario) -> list[str]:
    """All numbers that a run of the scenario tells, by their paths in result.json."""
    every = [f"{part}.{name}.{leaf}" for part, name in _owners(scenario) for leaf in _leaves(_PARTS[part])]
    return [field for field in every if _missing(field, scenario) is None]


def _owners(scenario: Scenario) -> Iterator[tuple[str, str]]:
    yield from (("producers", name) for name in scenario.producers)
    yield from (("consumers", name) for name in scenario.consumers)
    yield from (("topics", made) for name, topic in scenario.topics.items() for made in topic.names(name))


def _leaves(model: type[BaseModel]) -> Iterator[str]:
    """The paths of a model's plain numbers; those in lists, and in maps with free keys, are no objectives."""
    for name, info in model.model_fields.items():
        for kind in _kinds(info.annotation):
            if kind in {int, float}:
                yield name
            elif isinstance(kind, type) and issubclass(kind, BaseModel):
                yield from (f"{name}.{leaf}" for leaf in _leaves(kind))


def _kinds(annotation: object) -> tuple[object, ...]:
    if get_origin(annotation) is Annotated:
        return _kinds(get_args(annotation)[0])
    if get_origin(annotation) in {Union, UnionType}:
        return tuple(kind for part in get_args(annotation) for kind in _kinds(part) if kind is not NoneType)
    return (annotation,)


def _missing(field: str, scenario: Scenario) -> str | None:
    """Why a run of this scenario can't tell a number; None where it can, or where no result has it."""
    owners = {f"{part}.{name}": (part, name) for part, name in _owners(scenario)}
    owner = owner_of(field, owners)
    if owner is None:
        return None
    leaf = field.removeprefix(f"{owner}.")
    if leaf in _ZERO_IS_GOOD or leaf.endswith(_MISSING):
        return "may be 0 in a good run, and gains are ratios, which 0 has none of: make it a constraint"
    if leaf in _GIVEN:
        return "is what the scenario asks for, not what a run measures"
    part, name = owners[owner]
    if part == "topics":
        return None
    senders = _senders(part, name, scenario)
    return (
        _unpaced(leaf, senders)
        or _unstamped(leaf, senders)
        or _too_short(leaf, scenario)
        or (_too_few(leaf, senders, scenario) if leaf.rpartition(".")[2] in PERCENTILES else None)
    )


def _senders(part: str, name: str, scenario: Scenario) -> list[ProducerSpec]:
    """The producers whose records a group's numbers are about."""
    if part == "producers":
        return [scenario.producers[name]]
    topic = scenario.consumers[name].topic
    return [spec for spec in scenario.producers.values() if spec.topic == topic]


def _unpaced(leaf: str, senders: list[ProducerSpec]) -> str | None:
    if leaf.startswith(_PACED) and any(spec.schedule.rate == "max" for spec in senders):
        return "at rate: max nothing is due at a time, so nothing can be late or missed"
    return None


def _unstamped(leaf: str, senders: list[ProducerSpec]) -> str | None:
    if leaf.startswith(_END_TO_END) and senders and not any(spec.stamped for spec in senders):
        return "the records carry no stamp from which end-to-end latency is told: send 32B or more, stamped"
    return None


def _too_short(leaf: str, scenario: Scenario) -> str | None:
    """Whether librdkafka's statistics, which come once a second, may all lie outside the measure phase."""
    measure_s = scenario.phases.measure_s
    if not leaf.startswith(_OF_STATISTICS) or measure_s >= _SHORTEST_S:
        return None
    shortest, length = map(units.format_duration, (_SHORTEST_S, measure_s))
    return (
        f"comes of librdkafka's statistics, once a second: phases.measure is to be {shortest} or more,"
        f" not {length}"
    )


def _too_few(leaf: str, senders: list[ProducerSpec], scenario: Scenario) -> str | None:
    """Whether a percentile asks for more records than a constant rate sends in the measure phase."""
    block, _, stat = leaf.partition(".")
    percentile = percentile_of(stat) if block.endswith(_LATENCY) else None
    rates = [spec.schedule.rate for spec in senders]
    if percentile is None or not all(isinstance(rate, float) for rate in rates):
        return None
    records = sum(rate for rate in rates if isinstance(rate, float)) * scenario.phases.measure_s
    needed = samples_needed(percentile)
    if records >= needed or not senders:
        return None
    length = units.format_duration(scenario.phases.measure_s)
    return f"{stat} needs {needed:,} records, and a measure phase of {length} has {records:,.0f}"


def unsupported(threshold: Threshold, scenario: Scenario) -> str | None:
    """Why no run of a scenario has the records that a threshold's percentile asks for; None where one may."""
    about = threshold.selector
    if "producer" in about:
        senders = [scenario.producers[about["producer"]]]
    elif "consumer" in about:
        senders = _senders("consumers", about["consumer"], scenario)
    elif threshold.metric == "end_to_end_latency" and len(scenario.consumers) > 1:
        return None  # each group counts each record
    else:
        topic = about.get("topic")
        senders = [spec for spec in scenario.producers.values() if topic in {None, spec.topic}]
    return _too_few(f"{threshold.metric}_us.{threshold.condition.stat}", senders, scenario)


def needs_codec(field: str, scenario: Scenario) -> bool:
    """Whether an objective is of a codec and the scenario's producer has none."""
    owners = {f"producers.{name}.{_OF_CODEC}": spec for name, spec in scenario.producers.items()}
    return field in owners and owners[field].codec == "none"


def capped_by_schedule(objective: Objective, scenario: Scenario) -> str | None:
    """What to tell of a throughput that is to be raised though the schedule holds it; None of all else."""
    if objective.direction != "maximize":
        return None
    senders = next((found for begin, found in _fed(scenario) if objective.field.startswith(begin)), [])
    if not senders or any(scenario.producers[name].schedule.rate == "max" for name in senders):
        return None
    rates = ", ".join(f"producers.{name}.schedule.rate: max" for name in senders)
    return (
        f"{objective.field} can't be more than the schedule's rate, whatever the configuration: "
        f'give the study set: {{{rates}}}, or search for "{CAPACITY}"'
    )


def _fed(scenario: Scenario) -> Iterator[tuple[str, list[str]]]:
    """How the names of throughputs begin, and the producers that they are of; none where others may write."""
    for name in scenario.producers:
        yield f"producers.{name}.{_THROUGHPUT}.", [name]
    # Who starts late reads what has come meanwhile as fast as it can.
    punctual = {name: spec for name, spec in scenario.consumers.items() if spec.start_after_s is None}
    read = {f"consumers.{name}": spec.topic for name, spec in punctual.items()}
    for part, topic in {**read, **{f"topics.{name}": name for name in scenario.topics}}.items():
        senders = [name for name, spec in scenario.producers.items() if spec.topic == topic]
        yield f"{part}.{_THROUGHPUT}.", [] if scenario.topics[topic].existing else senders
