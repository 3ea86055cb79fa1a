"""What `loadlab doctor` says of the machine's ability to have clusters."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from loadlab.cgroups import available_bytes
from loadlab.cluster.artifacts import find_jars
from loadlab.cluster.artifacts import missing as missing_jars
from loadlab.cluster.capacity import DEFAULT_HEAP_BYTES, LEAST_DISK_BYTES, data_root, free_bytes
from loadlab.cluster.docker import FAR_FIX, Engine
from loadlab.cluster.image import find_image, no_image
from loadlab.cluster.java import MISSING, find_java, passed_over
from loadlab.cluster.maven import has_maven
from loadlab.cluster.state import STATE_VARIABLE, state_dir, usable
from loadlab.errors import ClusterError, UsageError
from loadlab.scenario.cluster import ClusterSpec

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_LOOK: Final = "see to the container engine: docker version"

Provider = Literal["docker", "local"]


@dataclass(frozen=True)
class Check:
    """One thing that was looked at: whether it is in order, what was seen, and how to mend it.

    Attributes:
        name: what was looked at.
        ok: whether it is in order.
        detail: what was seen.
        fix: how to mend it; None where nothing has to be.
        needed_by: the provider that needs it; None for what each needs.
    """

    name: str
    ok: bool
    detail: str
    fix: str | None = None
    needed_by: Provider | None = None


def doctor_checks() -> list[Check]:
    """Look at all that providers need; a provider needs its own lines only, and one is enough."""
    version = str(ClusterSpec.model_fields["kafka_version"].default)
    machine = [_memory_check(), _disk_check(), _state_check()]
    return [*_engine_checks(version), *_local_checks(version), *machine]


def _engine_checks(version: str) -> Iterator[Check]:
    try:
        engine = Engine()
    except ClusterError as error:
        yield Check("container engine", ok=False, detail=error.message, fix=error.fix, needed_by="docker")
        return
    if not engine.place.is_near:
        yield Check(
            "container engine",
            ok=False,
            detail=f"{engine.version} is {engine.place.why_far}",
            fix=FAR_FIX,
            needed_by="docker",
        )
        return
    yield Check("container engine", ok=True, detail=engine.version, needed_by="docker")
    if engine.data_root is not None:
        fix = "free some space, or move the engine's data to a larger disk"
        yield _disk("disk for containers", engine.data_root, fix, "docker")
    try:
        image = find_image(engine, version)
    except ClusterError as error:
        yield Check("Kafka image", ok=False, detail=error.message, fix=error.fix or _LOOK, needed_by="docker")
        return
    if image is None:
        missing = no_image(engine, version)
        yield Check("Kafka image", ok=False, detail=missing.message, fix=missing.fix, needed_by="docker")
        return
    yield Check("Kafka image", ok=True, detail=image, needed_by="docker")


def _local_checks(version: str) -> Iterator[Check]:
    java = find_java()
    yield Check(
        "Java",
        ok=java is not None,
        detail="; ".join(filter(None, [str(java), passed_over(java)])) if java else "none that is new enough",
        fix=None if java else MISSING,
        needed_by="local",
    )
    jars = find_jars(version)
    if jars is not None:
        ok, detail = True, f"{version} from {jars.source}"
    elif has_maven():
        ok, detail = True, f"{version} will be fetched by Maven"
    else:
        ok, detail = False, f"no {version}, no Maven"
    yield Check(
        "Kafka's jars", ok=ok, detail=detail, fix=None if ok else missing_jars(version), needed_by="local"
    )


def _memory_check() -> Check:
    available = available_bytes()
    ok = available >= 2 * DEFAULT_HEAP_BYTES
    fix = None if ok else "close other programs, or --set cluster.resources.heap=512MiB"
    return Check("memory for brokers", ok=ok, detail=f"{available / 2**30:.1f} GiB available", fix=fix)


def _state_check() -> Check:
    try:
        directory = usable(state_dir(), STATE_VARIABLE)
    except UsageError as error:
        return Check("state directory", ok=False, detail=error.message, fix=error.fix)
    return Check("state directory", ok=True, detail=str(directory))


def _disk_check() -> Check:
    try:
        root = data_root()
    except UsageError as error:
        return Check("disk for brokers", ok=False, detail=error.message, fix=error.fix)
    return _disk(
        "disk for brokers", root, "free some space, or set LOADLAB_DATA_DIR to a larger disk", "local"
    )


def _disk(name: str, root: Path, fix: str, needed_by: Provider) -> Check:
    free = free_bytes(root) or 0
    ok = free >= LEAST_DISK_BYTES
    detail = f"{free / 2**30:.1f} GiB free in {root}"
    return Check(name, ok=ok, detail=detail, fix=None if ok else fix, needed_by=needed_by)
