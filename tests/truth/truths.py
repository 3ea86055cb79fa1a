"""Runs beside known truths, and the table of how near the measured figures came."""

from __future__ import annotations

import math
import os
import statistics
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import docker
from relay import LOOPBACK

from loadlab.run.progress import Progress, SilentObserver
from loadlab.run.runner import RunOptions, run_scenario
from loadlab.scenario import load_document

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from docker.models.containers import Container
    from relay import RelayProcess

    from loadlab.results.reader import StoredRun
    from loadlab.run.progress import RunObserver


def repetitions(default: int) -> int:
    """How often a case is repeated, unless LOADLAB_REPETITIONS says otherwise."""
    return int(os.environ.get("LOADLAB_REPETITIONS", default))


@dataclass(frozen=True)
class Row:
    """One known truth, and what was measured of it."""

    what: str
    known: str
    measured: str
    limit: str
    reached: bool

    def __str__(self) -> str:
        word = "yes" if self.reached else "**no**"
        return f"| {self.what} | {self.known} | {self.measured} | {self.limit} | {word} |"


@dataclass
class Table:
    """What `make truth` prints, as Markdown."""

    rows: list[Row] = field(default_factory=list)

    def add(self, what: str, known: str, measured: str, limit: str, *, reached: bool) -> bool:
        """Adds a row and returns whether its limit was kept."""
        self.rows.append(Row(what, known, measured, limit, reached))
        print(f"\n{self.rows[-1]}", flush=True)
        return reached

    def near(
        self,
        what: str,
        pairs: Sequence[tuple[float, float]],
        unit: str,
        *,
        relative: float = 0.0,
        absolute: float = 0.0,
    ) -> bool:
        """Adds a figure whose truth is known; the median deviation of the repetitions decides.

        Args:
            what: is measured.
            pairs: known and measured of each repetition.
            unit: of both.
            relative: the allowed deviation as a share of what is known.
            absolute: what is allowed on top of it.
        """
        known = statistics.median(pair[0] for pair in pairs)
        off = [measured - truth for truth, measured in pairs]
        deviation, limit = statistics.median(off), relative * known + absolute
        spread = f"; {min(off):+.3g} to {max(off):+.3g}" if len(off) > 1 else ""
        measured = f"{known + deviation:.4g} {unit} ({deviation:+.3g}{spread})"
        return self.add(
            what, f"{known:.4g} {unit}", measured, f"±{limit:.3g} {unit}", reached=abs(deviation) <= limit
        )


@dataclass
class At(SilentObserver):
    """Does something to a run's cluster at a known time of its measure phase.

    Attributes:
        after_s: when, after the measure phase has begun.
        action: what; it is given the run's id.
        warmup_s: the scenario's warm-up, at least two seconds: a run tells its first interval after two.
        measured_from_s: when the measure phase begins, as time.monotonic() tells it; once the run goes on.
    """

    after_s: float
    action: Callable[[str], None]
    warmup_s: float = 3.0
    measured_from_s: float = math.nan
    _thread: threading.Thread | None = None
    _error: list[BaseException] = field(default_factory=list)

    def progress(self, progress: Progress) -> None:
        if self._thread is None:
            self.measured_from_s = time.monotonic() + self.warmup_s - progress.elapsed_s
            at_s = self.measured_from_s + self.after_s
            assert at_s > time.monotonic(), "the run told its first interval too late"
            self._thread = threading.Thread(target=self._act, args=(at_s, progress.run_id))
            self._thread.start()

    def _act(self, at_s: float, run_id: str) -> None:
        time.sleep(max(0.0, at_s - time.monotonic()))
        try:
            self.action(run_id)
        except BaseException as error:  # noqa: BLE001  it is raised again where the test sees it
            self._error.append(error)

    def finish(self) -> None:
        """Raises what went wrong with the action."""
        assert self._thread is not None, "the run told no interval"
        self._thread.join()
        if self._error:
            raise self._error[0]


def scenario(
    cluster: Mapping[str, object], producer: Mapping[str, object], **parts: object
) -> dict[str, object]:
    """A scenario of one producer and, unless parts say otherwise, no consumer."""
    return {
        "name": "truth",
        "cluster": dict(cluster),
        "topics": {"orders": {"partitions": 1}},
        "producers": {"checkout": {"topic": "orders", "records": {"size": 100}, **producer}},
        "phases": {"warmup": "3s", "measure": "6s", "drain": "30s"},
        **parts,
    }


def behind(relay: RelayProcess) -> dict[str, object]:
    """The cluster of a scenario that goes through a relay."""
    return {"provider": "external", "bootstrap_servers": f"{LOOPBACK}:{relay.port}"}


def run(
    document: dict[str, object],
    results_dir: Path,
    observer: RunObserver | None = None,
    *,
    keep_topics: bool = False,
) -> StoredRun:
    """Runs a scenario by the one way by which anything is measured."""
    options = RunOptions(results_dir, keep_topics=keep_topics)
    stored = run_scenario(load_document(document), options, observer or SilentObserver())
    if isinstance(observer, At):
        observer.finish()
    return stored


def containers(run_id: str) -> list[Container]:
    """A run's broker containers, by the engine itself."""
    return docker.from_env().containers.list(all=True, filters={"label": f"loadlab.run={run_id}"})
