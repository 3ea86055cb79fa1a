"""Rules between knobs, such as ``batch.size <= message.max.bytes``: what can't hold is not worth a run."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, cast

from loadlab.hints import HintedError
from loadlab.scenario.expressions import HOLDS, Operator

if TYPE_CHECKING:
    from collections.abc import Mapping

    from loadlab.tuning.space import Value, When

_RULE: Final = re.compile(r"\s*([^\s<>=]+)\s*(<=|>=|==|<|>)\s*([^\s<>=]+)\s*")


@dataclass(frozen=True)
class Rule:
    """One comparison of two settings, or of a setting and a number.

    Attributes:
        left: a path of the scenario.
        op: how the two must compare.
        right: a path, or a number.
        when: the values of other settings with which it applies; empty: always.
        reason: why, for a rule that no study wrote; None for one that it did.
        right_scale: how many of the left side's units one of the right side's is, as of KiB against bytes.
    """

    left: str
    op: Operator
    right: str | float
    when: tuple[When, ...] = ()
    reason: str | None = None
    right_scale: float = 1.0

    @property
    def names(self) -> tuple[str, ...]:
        """The paths that it compares."""
        return (self.left, self.right) if isinstance(self.right, str) else (self.left,)

    @property
    def conditions(self) -> tuple[str, ...]:
        """The paths that say whether it applies."""
        return tuple(when.name for when in self.when)

    @property
    def text(self) -> str:
        """The rule as a study writes it."""
        right = self.right if isinstance(self.right, str) else plain(self.right)
        return f"{self.left} {self.op} {right}"

    def broken(self, values: Mapping[str, Value]) -> str | None:
        """How values break the rule; None where they keep it, or where one that it names has none."""
        if any(values.get(when.name) not in when.values for when in self.when):
            return None
        left = values.get(self.left)
        right = values.get(self.right) if isinstance(self.right, str) else self.right
        if not isinstance(left, int | float) or not isinstance(right, int | float):
            return None
        if HOLDS[self.op](left, right * self.right_scale):
            return None
        scale = "" if self.right_scale == 1.0 else f" times {plain(self.right_scale)}"
        because = f": {self.reason}" if self.reason else ""
        return f"{self.text} does not hold with {plain(left)} and {plain(right)}{scale}{because}"


def parse_rule(text: str) -> Rule:
    """Reads a rule such as ``producers.web.config.batch.size <= topics.orders.config.max.message.bytes``.

    Raises:
        HintedError: no comparison.
    """
    found = _RULE.fullmatch(text)
    if found is None:
        raise HintedError(
            f'"{text}" is no rule such as "PATH <= PATH" or "PATH <= NUMBER": one of < <= > >= == between two'
        )
    left, op, right = found.groups()
    if _is_number(left):
        turned = op.translate(str.maketrans("<>", "><"))
        raise HintedError(f"begins with a number: write {right} {turned} {left}")
    if not _is_number(right):
        return Rule(left, cast("Operator", op), right)
    if not math.isfinite(float(right)):
        raise HintedError(f"compares with {right}, which is no finite number")
    return Rule(left, cast("Operator", op), float(right))


def plain(number: float) -> str:
    """A number without an exponent."""
    return str(int(number)) if number == int(number) else f"{number:.12g}"


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
