"""The verdict's rules on what a run ran under: was it steady, and was the machine its own?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from loadlab.measurement.finding import Finding

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from loadlab.measurement.steadiness import Drift

THROUGHPUT_DRIFT_LIMIT: Final = 0.1
"""The most by which the records acked in an interval may change over the measure phase."""

LATENCY_DRIFT_LIMIT: Final = 0.5
"""The most by which the median latency of an interval may change over it."""

TAIL_DRIFT_LIMIT: Final = 1.0
"""The most by which the 99th percentile of an interval may change over it."""

FOREIGN_LOAD_LIMIT: Final = 0.1
"""The most of the machine's CPU time that processes of others may take."""

STEAL_LIMIT: Final = 0.05
"""The most of the machine's CPU time that its hypervisor may give to others."""

SLEEP_LIMIT_S: Final = 1.0
"""For how long the machine may have been suspended in the measure phase: beyond what two clocks differ by."""

BUSY_LIMIT: Final = 0.8
"""Above this use of their cores, clients and brokers that share them slow each other down."""

THROTTLED_LIMIT: Final = 0.01
"""The most of a CPU quota's periods in which it may stop the run: p99 is not to be its doing."""

STALL_LIMIT_S: Final = 2.0
"""The longest that a worker may give no sign of life."""


@dataclass(frozen=True)
class SeriesDrift:
    """A series that was not steady.

    Attributes:
        what: for people: "publish_latency p50 of producer checkout".
        drift: how it changed.
        limit: the most that it may, as a share.
    """

    what: str
    drift: Drift
    limit: float


@dataclass(frozen=True)
class MachineFigures:
    """The measuring machine's CPU time in the measure phase, as shares of all its cores' time.

    Attributes:
        busy: in use by anybody.
        workers: by the run's workers and the process that watches them; None where one of them died.
        brokers: by the brokers; None where they are not this machine's, or not known.
        foreign: by anybody else; None where it can't be told from the brokers'.
        steal: wanted, and given to other machines by the hypervisor.
        shared_cores: on which both workers and brokers may run; None where the brokers are elsewhere.
        beside_workers: the CPU time that others took, as a share of that of the cores which the workers may
            use; None as of `foreign`.
        beside_with_brokers: likewise with what brokers took there, whether that is known or not; None where a
            worker died.
        throttled: of a CPU quota, the share of its periods in which it stopped the run's own processes; None
            without one.
        slept_s: for how long the whole machine was suspended, seconds.
    """

    busy: float
    workers: float | None
    brokers: float | None
    foreign: float | None
    steal: float
    shared_cores: int | None
    beside_workers: float | None
    beside_with_brokers: float | None
    throttled: float | None
    slept_s: float


@dataclass(frozen=True)
class Stall:
    """A worker that gave no sign of life for a while."""

    who: str
    longest_s: float


def unsteady(drifts: Sequence[SeriesDrift]) -> Iterator[Finding]:
    """The measure phase is to be one state, not the way from one to another."""
    for found in drifts:
        change = found.drift.change
        if abs(change) <= found.limit:
            continue
        how = "changed evenly" if found.drift.kind == "trend" else "jumped"
        where = "upwards" if change > 0 else "downwards"
        # Nothing falls by more than all of it: the median is then that of what is left.
        by = f"{abs(change):.1%} of" if abs(change) <= 1 else f"{abs(change):.1f} times"
        yield Finding(
            code="drift",
            message=(
                f"{found.what} {how} {where} by {by} its median within the measure phase"
                f" (limit {found.limit:.0%})"
            ),
            fix="lengthen phases.warmup until it is steady; a step has a cause: see events and intervals",
            figure=change,
            limit=found.limit,
            severity="suspect",
        )


def disturbed(machine: MachineFigures) -> Iterator[Finding]:
    """The machine's time is to go to the run."""
    yield from _suspended(machine)
    if machine.foreign is not None and machine.foreign > FOREIGN_LOAD_LIMIT:
        yield Finding(
            code="foreign_load",
            message=(
                f"other processes took {machine.foreign:.1%} of the machine's CPU time (limit "
                f"{FOREIGN_LOAD_LIMIT:.0%})"
            ),
            fix="end them, or measure when they are not there",
            figure=machine.foreign,
            limit=FOREIGN_LOAD_LIMIT,
            severity="suspect",
        )
    if machine.steal > STEAL_LIMIT:
        yield Finding(
            code="foreign_load",
            message=(
                f"the hypervisor gave {machine.steal:.1%} of the machine's CPU time to others (limit "
                f"{STEAL_LIMIT:.0%})"
            ),
            fix="measure on a machine of its own, or when its neighbours are quiet",
            figure=machine.steal,
            limit=STEAL_LIMIT,
            severity="suspect",
        )
    yield from _throttled(machine)
    if machine.shared_cores and machine.busy > BUSY_LIMIT:
        yield Finding(
            code="shared_cores",
            message=(
                f"clients and brokers share {machine.shared_cores} cores, and the machine was "
                f"{machine.busy:.0%} busy{_taken_by(machine)}"
            ),
            fix="brokers of their own would do better: compare only with runs made like this one",
            figure=machine.busy,
            limit=BUSY_LIMIT,
            severity="info",
        )


def _taken_by(machine: MachineFigures) -> str:
    """Who took how much of the machine, as far as that is known."""
    shares = {"brokers": machine.brokers, "clients": machine.workers}
    told = ", ".join(f"{who} {share:.0%}" for who, share in shares.items() if share is not None)
    return f": {told}" if told else ""


def _suspended(machine: MachineFigures) -> Iterator[Finding]:
    if machine.slept_s > SLEEP_LIMIT_S:
        yield Finding(
            code="suspended",
            message=(
                f"the machine was suspended for {machine.slept_s:.0f} s in the measure phase (limit "
                f"{SLEEP_LIMIT_S:g} s), in which its clock stood still"
            ),
            fix="keep it awake (systemd-inhibit loadlab …), and run again",
            figure=machine.slept_s,
            limit=SLEEP_LIMIT_S,
            severity="invalid",
        )


def _throttled(machine: MachineFigures) -> Iterator[Finding]:
    if machine.throttled is not None and machine.throttled > THROTTLED_LIMIT:
        yield Finding(
            code="cpu_quota",
            message=(
                f"a CPU quota stopped the load's own processes in {machine.throttled:.1%} of its periods "
                f"(limit {THROTTLED_LIMIT:.0%}): what waited then was no doing of the cluster"
            ),
            fix="raise the limit of the container, pod or service that loadlab runs in, or lower the rate",
            figure=machine.throttled,
            limit=THROTTLED_LIMIT,
            severity="suspect",
        )


def stalled(stalls: Sequence[Stall]) -> Iterator[Finding]:
    """Every worker is to run all the time."""
    for stall in stalls:
        yield Finding(
            code="worker_stalled",
            message=(
                f"{stall.who} gave no sign of life for {stall.longest_s:.1f} s (limit {STALL_LIMIT_S:g} s)"
            ),
            fix="was it stopped, or the machine suspended or short of memory? Run again",
            figure=stall.longest_s,
            limit=STALL_LIMIT_S,
            severity="invalid",
        )
