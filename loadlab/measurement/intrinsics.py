"""What numba has no word for on the CPU: atomic words, leading zeros, the monotonic clock.

Each function here compiles to one machine instruction or one C library call. Addresses are those of
aligned 64-bit words. They are called from compiled code only.
"""

# The names and the signature argument are those that numba's extension interface asks for.
# ruff: noqa: ARG001, ANN001, ANN202
# mypy: disable-error-code="no-untyped-def"

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import numba
from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

from loadlab.units import NS_PER_S

if TYPE_CHECKING:
    from collections.abc import Callable

_WORD_BYTES = 8
_CLOCK_MONOTONIC = 1
_TIMER_ABSTIME = 1
_INT32 = ir.IntType(32)
_INT64 = ir.IntType(64)
_TIMESPEC = ir.LiteralStructType([_INT64, _INT64])


def _word_pointer(builder: ir.IRBuilder, address: ir.Value) -> ir.Value:
    return builder.inttoptr(address, _INT64.as_pointer())


@intrinsic
def _load(typing_context, address):
    def generate(context, builder, signature, arguments):
        pointer = _word_pointer(builder, arguments[0])
        return builder.load_atomic(pointer, "acquire", _WORD_BYTES, typ=_INT64)

    return types.int64(types.uintp), generate


@intrinsic
def _store(typing_context, address, value):
    def generate(context, builder, signature, arguments):
        pointer = _word_pointer(builder, arguments[0])
        builder.store_atomic(arguments[1], pointer, "release", _WORD_BYTES)
        return context.get_dummy_value()

    return types.void(types.uintp, types.int64), generate


def _generate_change(operation: str) -> Callable[..., ir.Value]:
    """Generates one indivisible change of a word, which gives what stood there before."""

    def generate(context, builder, signature, arguments):
        pointer = _word_pointer(builder, arguments[0])
        return builder.atomic_rmw(operation, pointer, arguments[1], "seq_cst")

    return generate


@intrinsic
def _change_or(typing_context, address, bits):
    return types.int64(types.uintp, types.int64), _generate_change("or")


@intrinsic
def _change_max(typing_context, address, value):
    return types.int64(types.uintp, types.int64), _generate_change("max")


@intrinsic
def _change_add(typing_context, address, amount):
    return types.int64(types.uintp, types.int64), _generate_change("add")


@intrinsic
def _one_bits(typing_context, value):
    def generate(context, builder, signature, arguments):
        return builder.ctpop(arguments[0])

    return types.int64(types.int64), generate


@intrinsic
def _trailing_zeros(typing_context, value):
    def generate(context, builder, signature, arguments):
        return builder.cttz(arguments[0], ir.Constant(ir.IntType(1), 0))

    return types.int64(types.int64), generate


@intrinsic
def _leading_zeros(typing_context, value):
    def generate(context, builder, signature, arguments):
        return builder.ctlz(arguments[0], ir.Constant(ir.IntType(1), 0))

    return types.int64(types.int64), generate


def _timespec_ns(builder: ir.IRBuilder, timespec: ir.Value) -> ir.Value:
    seconds = builder.load(cgutils.gep_inbounds(builder, timespec, 0, 0), typ=_INT64)
    nanoseconds = builder.load(cgutils.gep_inbounds(builder, timespec, 0, 1), typ=_INT64)
    return builder.add(builder.mul(seconds, _INT64(NS_PER_S)), nanoseconds)


@intrinsic
def _monotonic_ns(typing_context):
    def generate(context, builder, signature, arguments):
        timespec = cgutils.alloca_once(builder, _TIMESPEC)
        prototype = ir.FunctionType(_INT32, [_INT32, _TIMESPEC.as_pointer()])
        function = cgutils.get_or_insert_function(builder.module, prototype, "clock_gettime")
        builder.call(function, [_INT32(_CLOCK_MONOTONIC), timespec])
        return _timespec_ns(builder, timespec)

    return types.int64(), generate


@intrinsic
def _sleep_until(typing_context, wake_ns):
    def generate(context, builder, signature, arguments):
        timespec = cgutils.alloca_once(builder, _TIMESPEC)
        seconds = builder.sdiv(arguments[0], _INT64(NS_PER_S))
        nanoseconds = builder.srem(arguments[0], _INT64(NS_PER_S))
        builder.store(seconds, cgutils.gep_inbounds(builder, timespec, 0, 0))
        builder.store(nanoseconds, cgutils.gep_inbounds(builder, timespec, 0, 1))
        pointer = _TIMESPEC.as_pointer()
        prototype = ir.FunctionType(_INT32, [_INT32, _INT32, pointer, pointer])
        function = cgutils.get_or_insert_function(builder.module, prototype, "clock_nanosleep")
        nothing = ir.Constant(pointer, None)
        flags = [_INT32(_CLOCK_MONOTONIC), _INT32(_TIMER_ABSTIME)]
        builder.call(function, [*flags, timespec, nothing])
        return context.get_dummy_value()

    return types.void(types.int64), generate


@intrinsic
def _pointer_to(typing_context, address):
    def generate(context, builder, signature, arguments):
        return builder.inttoptr(arguments[0], ir.IntType(8).as_pointer())

    return types.voidptr(types.uintp), generate


@intrinsic
def _address_of(typing_context, pointer):
    def generate(context, builder, signature, arguments):
        return builder.ptrtoint(arguments[0], _INT64)

    return types.uintp(pointer), generate


def _typed(function: object) -> Callable[..., Any]:
    """What numba makes is a function that no type checker can call."""
    return cast("Callable[..., Any]", function)


load_acquire: Callable[[int], int] = _typed(_load)
"""Reads the word at an address; later reads are not moved before it."""

store_release: Callable[[int, int], None] = _typed(_store)
"""Writes the word at an address; earlier writes are not moved behind it."""

atomic_or: Callable[[int, int], int] = _typed(_change_or)
"""Sets bits of the word at an address; returns it as it was. Neither reads nor writes are moved past it."""

atomic_max: Callable[[int, int], int] = _typed(_change_max)
"""Raises the word at an address to a value, unless it is larger; returns it as it was."""

atomic_add: Callable[[int, int], int] = _typed(_change_add)
"""Adds to the word at an address; returns it as it was."""

carray: Callable[..., Any] = _typed(numba.carray)  # type: ignore[attr-defined]
"""An array over memory of somebody else: `carray(pointer, shape, dtype)`."""

pointer_to: Callable[[int], Any] = _typed(_pointer_to)
"""An address as the pointer that `numba.carray` takes."""

address_of: Callable[[Any], int] = _typed(_address_of)
"""The address that a pointer holds."""

one_bits: Callable[[int], int] = _typed(_one_bits)
"""How many bits of a 64-bit value are set."""

trailing_zeros: Callable[[int], int] = _typed(_trailing_zeros)
"""How many zero bits stand behind the lowest one bit of a 64-bit value."""

leading_zeros: Callable[[int], int] = _typed(_leading_zeros)
"""How many zero bits stand before the highest one bit of a 64-bit value."""

monotonic_ns: Callable[[], int] = _typed(_monotonic_ns)
"""CLOCK_MONOTONIC in nanoseconds, as `time.monotonic_ns`."""

sleep_until: Callable[[int], None] = _typed(_sleep_until)
"""Sleeps until CLOCK_MONOTONIC reaches a value in nanoseconds; returns at once when it has."""
