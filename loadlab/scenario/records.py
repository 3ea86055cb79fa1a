"""What is sent: sizes, keys, headers, and how compressible the bytes are."""

from __future__ import annotations

from typing import Annotated, Final, Literal, Self

from pydantic import BeforeValidator, Discriminator, Field, Tag, model_serializer, model_validator

from loadlab import units
from loadlab.hints import HintedError
from loadlab.scenario.fields import Count, Model, Number, PositiveSize, Share, Whole
from loadlab.scenario.forms import form_of, one_form

STAMP_BYTES: Final = 32
"""A record of this size or more can carry the stamp from which end-to-end latency and loss are told."""

_HEADER_OVERHEAD_BYTES: Final = 17  # its name, and two lengths of five bytes at the most

LARGEST_BYTES: Final = 1_000_000_000
"""librdkafka's own upper limit of message.max.bytes."""

_MOST_KEYS: Final = 10**12
_MOST_ZIPF_KEYS: Final = 10_000_000
_LAST_PARTITION: Final = 2**31 - 1

_DRAWN: Final = ("uniform", "lognormal", "weighted")
_NOT_DRAWN: Final = frozenset({"none", "trace"})

RecordSize = Annotated[PositiveSize, Field(le=LARGEST_BYTES)]


class UniformSize(Model):
    """Every size from the smallest to the largest, equally often."""

    min_bytes: RecordSize = Field(alias="min")
    max_bytes: RecordSize = Field(alias="max")

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.min_bytes > self.max_bytes:
            raise HintedError(_backwards(self.min_bytes, self.max_bytes))
        return self


class LognormalSize(Model):
    """Sizes whose logarithm is normal, cut at both ends: exp(N(ln median, sigma²)), as payloads often are.

    A size below ``min_bytes`` becomes ``min_bytes``, one above ``max_bytes`` becomes ``max_bytes``.
    """

    median_bytes: RecordSize = Field(alias="median")
    sigma: Number = Field(gt=0, le=5)
    min_bytes: RecordSize = Field(default=STAMP_BYTES, alias="min")
    max_bytes: RecordSize = Field(alias="max")

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if not self.min_bytes <= self.median_bytes <= self.max_bytes:
            raise HintedError(
                f"the median, {units.format_size(self.median_bytes)}, must lie between min, "
                f"{units.format_size(self.min_bytes)}, and max, {units.format_size(self.max_bytes)}"
            )
        return self


class WeightedSize(Model):
    """One size of several, drawn as often as its weight says."""

    size_bytes: RecordSize = Field(alias="size")
    weight: Number = Field(gt=0, le=1e9)


class UniformForm(Model):
    """``size: {uniform: {min: …, max: …}}``."""

    uniform: UniformSize


class LognormalForm(Model):
    """``size: {lognormal: {median: …, sigma: …, max: …}}``."""

    lognormal: LognormalSize


class WeightedForm(Model):
    """``size: {weighted: [{size: …, weight: …}, …]}``."""

    weighted: tuple[WeightedSize, ...] = Field(min_length=1, max_length=1000)


SizeForm = Annotated[
    Annotated[Literal["trace"], Tag("<trace>")]
    | Annotated[RecordSize, Tag("<fixed>")]
    | Annotated[UniformForm, Tag("<uniform>")]
    | Annotated[LognormalForm, Tag("<lognormal>")]
    | Annotated[WeightedForm, Tag("<weighted>")],
    Discriminator(lambda value: "<trace>" if value == "trace" else _size_form(value)),
    BeforeValidator(one_form(*_DRAWN)),
]
_size_form = form_of("fixed", *_DRAWN)


class Keys(Model):
    """Which key a record gets: one of ``count``, picked as ``kind`` says, or, for ``null_share``, null.

    With ``kind: trace`` it gets the key of its row in the trace.
    """

    kind: Literal["none", "round_robin", "uniform", "zipf", "trace"] = "none"
    count: Annotated[Count, Field(le=_MOST_KEYS)] = 10_000
    exponent: Number = Field(default=1.0, gt=0, le=10)
    null_share: Share = 0.0

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.kind in _NOT_DRAWN and self.model_fields_set - {"kind"}:
            raise HintedError(
                f"kind: {self.kind} has no keys to count, weigh or leave out; drop the other fields"
            )
        if self.kind != "zipf" and "exponent" in self.model_fields_set:
            raise HintedError(f"exponent belongs to kind: zipf, not to kind: {self.kind}")
        if self.kind == "zipf" and self.count > _MOST_ZIPF_KEYS:
            raise HintedError(
                f"{self.count:,} keys by Zipf's law need a table in each worker's memory (12 bytes a key, "
                f"and 50 while it is made): {_MOST_ZIPF_KEYS:,} are the most; kind: uniform needs none"
            )
        return self

    @model_serializer(mode="plain")
    def _document(self) -> dict[str, str | int | float]:
        if self.kind in _NOT_DRAWN:
            return {"kind": self.kind}
        exponent = {"exponent": self.exponent} if self.kind == "zipf" else {}
        return {"kind": self.kind, "count": self.count, **exponent, "null_share": self.null_share}


class Headers(Model):
    """Headers: ``share`` of the records carry ``count`` of them, each with a value of ``size_bytes``."""

    share: Share = 1.0
    count: Annotated[Whole, Field(ge=1, le=100)] = 1
    size_bytes: Annotated[PositiveSize, Field(le=65536)] = Field(default=16, alias="size")

    @property
    def sent_bytes(self) -> int:
        """What they take of a record that carries them."""
        return self.count * (self.size_bytes + _HEADER_OVERHEAD_BYTES)


class Records(Model):
    """The records of a producer group.

    Attributes:
        size: bytes of a record's value, fixed, drawn, or each its own by the trace.
        compressibility: the share of a value's bytes that a codec can take away: 0 is random, 1 all the same.
        keys: which keys they have.
        tombstones: the share of records with a null value; they carry no stamp.
        headers: their headers, or None.
        partition: the one partition that all go to, or None to leave it to the partitioner.
        stamp: whether values of STAMP_BYTES or more carry the stamp that latency and loss are told from.
    """

    size: SizeForm
    compressibility: Share = 0.5
    keys: Keys = Keys()
    tombstones: Share = 0.0
    headers: Headers | None = None
    partition: Annotated[Whole, Field(ge=0, le=_LAST_PARTITION)] | None = None
    stamp: Annotated[bool, Field(strict=True)] = True

    def drawn_bounds(self) -> tuple[int, int]:
        """The smallest and the largest value that can be drawn, in bytes; (0, 0) where a trace decides."""
        match self.size:
            case "trace":
                return 0, 0
            case UniformForm(uniform=drawn) | LognormalForm(lognormal=drawn):
                return drawn.min_bytes, drawn.max_bytes
            case WeightedForm(weighted=choices):
                sizes = [choice.size_bytes for choice in choices]
                return min(sizes), max(sizes)
            case fixed:
                return fixed, fixed


def _backwards(smallest: int, largest: int) -> str:
    return f"min, {units.format_size(smallest)}, is larger than max, {units.format_size(largest)}"
