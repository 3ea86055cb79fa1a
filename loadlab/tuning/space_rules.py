"""The rules between knobs: those that a study declares, and those that Kafka and librdkafka have."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

from loadlab.hints import HintedError
from loadlab.scenario.expressions import HOLDS
from loadlab.scenario.problems import Problem
from loadlab.tuning.knobs import MOST_IN_ORDER, called, value_in
from loadlab.tuning.rules import Rule, parse_rule, plain
from loadlab.tuning.space import Choices, Knob, Range, When
from loadlab.tuning.targets import target_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from loadlab.scenario import ProducerSpec, Scenario
    from loadlab.scenario.document import Path
    from loadlab.tuning.space import Assignment, SearchSpace, Value

_DRAWN: Final = 2_000
_LEVEL: Final = "compression.level"
_MOST_LEVELS: Final = {"gzip": 9, "snappy": 0, "none": 0}
"""The highest compression.level of codecs that have not all that librdkafka takes, by its table."""

_OF_BROKERS: Final = "cluster.config.message.max.bytes"  # what a topic without its own has


@dataclass(frozen=True)
class Rules:
    """Rules with what they compare.

    Attributes:
        rules: in the order of the file, those that nobody wrote last.
        fixed: the values of what they name and no knob changes.
    """

    rules: tuple[Rule, ...]
    fixed: Mapping[str, Value]


def read_rules(
    texts: Sequence[str], scenario: Scenario, knobs: Mapping[str, Knob], told: list[Problem]
) -> Rules:
    """The rules of a study.

    Args:
        texts: those that its file declares.
        scenario: whose settings they name.
        knobs: what is searched, by name.
        told: takes the problems.
    """
    declared = [
        (rule, ("rules", place))
        for place, text in enumerate(texts)
        if (rule := _declared(text, ("rules", place), scenario, knobs, told)) is not None
    ]
    own: list[tuple[Rule, Path]] = [
        (rule, ("search_space", rule.left))
        for rule in _own_rules(scenario, knobs)
        if not any(rule.text == other.text for other, _ in declared)
    ]
    named = {name for rule, _ in (*declared, *own) for name in (*rule.names, *rule.conditions)}
    values = {name: value_in(target_of(name, scenario), scenario) for name in sorted(named - knobs.keys())}
    fixed = {name: value for name, value in values.items() if value is not None}
    for rule, at in (*declared, *own):
        told += _never_kept(rule, at, knobs, fixed)
    return Rules(tuple(rule for rule, _ in (*declared, *own)), fixed)


def drawn(space: SearchSpace) -> Iterator[Assignment]:
    """Many assignments at random, whether or not they keep the rules; the same ones each time."""
    import optuna  # noqa: PLC0415 (seldom needed, and slow to import)

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    for _ in range(_DRAWN):
        yield space.suggest(study.ask())


def unkept(space: SearchSpace) -> str | None:
    """Why no trial is likely to keep the rules of a space together; None where one of many drawn does."""
    if not space.rules:
        return None
    for assignment in drawn(space):
        broken = space.violations(assignment)
        if not broken:
            return None
    return f"no trial can keep all rules together, by {_DRAWN:,} that were drawn; the last: {broken[0]}"


def beyond_levels(space: SearchSpace, scenario: Scenario) -> Iterator[str]:
    """Which levels are searched that a codec does not have, for people."""
    knobs = {knob.name: knob for knob in space.knobs}
    for knob in space.knobs:
        target = target_of(knob.name, scenario)
        if target.property_name != _LEVEL:
            continue
        bounds = _bounds(knob.name, knobs, {})
        for codec in _codecs(knob, knobs, scenario.producers[str(target.path[1])]):
            most = _MOST_LEVELS.get(codec)
            if most is not None and bounds is not None and bounds[1] > most:
                has = f"no level above {most}" if most else "no levels"
                yield f"{knob.name}: {codec} has {has}: librdkafka takes what is above for {most}"


def _codecs(level: Knob, knobs: Mapping[str, Knob], spec: ProducerSpec) -> list[str]:
    """The codecs with which a level is searched."""
    name = f"{level.name.removesuffix(_LEVEL)}{called(spec.config, 'compression.type')}"
    told = next((when.values for when in level.when if when.name == name), None)
    if told is None:
        searched = knobs[name].domain if name in knobs else None
        told = searched.values if isinstance(searched, Choices) else (spec.codec,)
    return [str(codec) for codec in told]


def _declared(
    text: str, at: Path, scenario: Scenario, knobs: Mapping[str, Knob], told: list[Problem]
) -> Rule | None:
    """A declared rule; None where it can't be used, and then `told` has why."""
    try:
        rule = parse_rule(text)
        left = target_of(rule.left, scenario)
        if isinstance(rule.right, str) and rule.right[0].isdigit():  # a number with a unit, such as 64KiB
            rule = replace(rule, right=left.value(rule.right))
        _refuse_unknown(rule, scenario, knobs)
        rule = replace(rule, right_scale=_right_scale(rule, scenario))
    except HintedError as error:
        told.append(Problem(at, str(error), error.suggestion))
        return None
    return rule


def _refuse_unknown(rule: Rule, scenario: Scenario, knobs: Mapping[str, Knob]) -> None:
    """Refuses a rule that nothing in the search can break, or that compares what nobody knows."""
    if rule.left == rule.right:
        raise HintedError(f"compares {rule.left} with itself")
    if not any(name in knobs for name in rule.names):
        raise HintedError("compares nothing that is searched")
    for name in rule.names:
        target = target_of(name, scenario)
        if target.kind in {"switch", "text"}:
            raise HintedError(f"{name} is no number, and rules compare numbers")
        if name not in knobs and value_in(target, scenario) is None:
            raise HintedError(f"{name} has no value to compare with: set it in the scenario")


def _right_scale(rule: Rule, scenario: Scenario) -> float:
    """How many of the left side's units one of the right side's is; a number is in the left side's."""
    if not isinstance(rule.right, str):
        return 1.0
    left, right = (target_of(name, scenario).unit for name in (rule.left, rule.right))
    if left is None or right is None:
        return 1.0
    if left.of != right.of:
        raise HintedError(f"compares a {left.of} with a {right.of}")
    return right.factor / left.factor


def _own_rules(scenario: Scenario, knobs: Mapping[str, Knob]) -> Iterator[Rule]:
    """What Kafka and librdkafka have between settings, as far as it is about what is searched."""
    for owner, spec in scenario.producers.items():
        at = f"producers.{owner}.config."
        used = {*spec.config, *(name.removeprefix(at) for name in knobs if name.startswith(at))}
        batch, codec = f"{at}batch.size", f"{at}{called(used, 'compression.type')}"
        topic = f"topics.{spec.topic}.config.max.message.bytes"
        if _OF_BROKERS in knobs and "max.message.bytes" not in scenario.topics[spec.topic].config:
            topic = topic if topic in knobs else _OF_BROKERS
        in_flight = f"{at}{called(used, 'max.in.flight')}"
        idempotent = (When(f"{at}enable.idempotence", ("true",)),)
        rules = [
            Rule(batch, "<=", f"{at}message.max.bytes", reason="librdkafka makes no larger batch"),
            Rule(in_flight, "<=", MOST_IN_ORDER, idempotent, "an idempotent producer may have no more"),
        ]
        if not scenario.topics[spec.topic].existing:
            uncompressed = (When(codec, ("none",)),)
            rules.append(Rule(batch, "<=", topic, uncompressed, "brokers refuse a larger batch"))
        yield from (rule for rule in rules if any(name in knobs for name in rule.names))


def _never_kept(
    rule: Rule, at: Path, knobs: Mapping[str, Knob], fixed: Mapping[str, Value]
) -> Iterator[Problem]:
    """Tells of a rule that no assignment can keep; one that doesn't always apply is left to the trials."""
    if any(fixed.get(when.name) not in when.values for when in rule.when):
        return
    left, right = (_bounds(side, knobs, fixed) for side in (rule.left, rule.right))
    if left is None or right is None:
        return
    if rule.op == "==" and all(isinstance(side, str) and _is_range(knobs.get(side)) for side in rule.names):
        message = (
            f"{rule.left} and {rule.right} are drawn by themselves and hardly ever equal: give them choices"
        )
        yield Problem(at, message)
        return
    holds = HOLDS[rule.op]
    scaled = right[0] * rule.right_scale, right[1] * rule.right_scale
    if rule.op in {"<", "<="}:
        kept = holds(left[0], scaled[1])
    elif rule.op in {">", ">="}:
        kept = holds(left[1], scaled[0])
    else:
        kept = left[0] <= scaled[1] and scaled[0] <= left[1]
    if not kept:
        sides = f"{rule.left} is {_span(left)}, {rule.right} {_span(right)}"
        because = f": {rule.reason}" if rule.reason else ""
        told = sides if isinstance(rule.right, str) else f"{rule.left} is {_span(left)}"
        yield Problem(at, f"no trial can keep {rule.text}{because} ({told})")


def _is_range(knob: Knob | None) -> bool:
    return knob is not None and isinstance(knob.domain, Range)


def _bounds(
    side: str | float, knobs: Mapping[str, Knob], fixed: Mapping[str, Value]
) -> tuple[float, float] | None:
    """The least and the greatest number that a side of a rule can be; None where that isn't known."""
    if not isinstance(side, str):
        return side, side
    if side not in knobs:
        value = fixed.get(side)
        return (value, value) if isinstance(value, int | float) else None
    domain = knobs[side].domain
    if isinstance(domain, Choices):
        numbers = [value for value in domain.values if isinstance(value, int | float)]
    else:
        numbers = [domain.low, domain.high, *domain.special]
    return (min(numbers), max(numbers)) if numbers else None


def _span(bounds: tuple[float, float]) -> str:
    low, high = bounds
    return plain(low) if low == high else f"{plain(low)} to {plain(high)}"
