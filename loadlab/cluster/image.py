"""The image that brokers run from: an apache/kafka one, or one built here where no registry answers."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import tarfile
from typing import TYPE_CHECKING

from loadlab.cluster.artifacts import FILES, get_jars, uses_log4j2
from loadlab.cluster.scratch import scratch
from loadlab.cluster.state import CACHE_VARIABLE, cache_dir
from loadlab.errors import ClusterError

if TYPE_CHECKING:
    from pathlib import Path

    from loadlab.cluster.api import Progress
    from loadlab.cluster.docker import Engine

IMAGE_VARIABLE = "LOADLAB_KAFKA_IMAGE"
RECIPE_LABEL = "loadlab.recipe"
PULL_TIMEOUT_S = 20.0
_SUITE = "bookworm"
_JAVA_PACKAGE = "openjdk-17-jre-headless"
_DEBOOTSTRAP_TIMEOUT_S = 900
_PROBE_S = 10
_CLIENTS_JAR = re.compile(r"(?<![\w-])kafka-clients-(\d+(?:\.\d+)+)\.jar\b")
# What a broker never reads and an image need not carry.
_LEFT_OUT = (
    "./var/cache/apt",
    "./var/lib/apt/lists",
    "./usr/share/doc",
    "./usr/share/man",
    "./usr/share/locale",
)


def official_image(version: str) -> str:
    """Name Apache's image of a version."""
    return f"apache/kafka:{version}"


def built_image(version: str) -> str:
    """Name the image that is built here."""
    return f"loadlab/kafka:{version}"


def find_image(engine: Engine, version: str) -> str | None:
    """Find the image for a version: configured, Apache's, or built here, at hand or pulled; None without one.

    What is at hand comes before a pull, so that a start never waits for a registry that it doesn't need.
    """
    if configured := os.environ.get(IMAGE_VARIABLE):
        return configured if engine.has_image(configured) or engine.pull(configured, PULL_TIMEOUT_S) else None
    at_hand = (image for image in (official_image(version), built_image(version)) if engine.has_image(image))
    if found := next(at_hand, None):
        return found
    return official_image(version) if engine.pull(official_image(version), PULL_TIMEOUT_S) else None


def no_image(engine: Engine, version: str) -> ClusterError:
    """What to say where `find_image` finds none."""
    if configured := os.environ.get(IMAGE_VARIABLE):
        return ClusterError(
            f"{engine.version} has no image {configured}, which {IMAGE_VARIABLE} names, and can pull none",
            fix=f"unset {IMAGE_VARIABLE}, or let it name an image that is there",
        )
    return ClusterError(
        f"{engine.version} has no image of Kafka {version} and could pull none",
        fix=f"loadlab image build --kafka-version {version}",
    )


def refuse_other_version(names: str, version: str) -> None:
    """Refuse a configured image whose Kafka is not the version that is asked for.

    Args:
        names: of the jars in the image; where none of them is Kafka's, nothing is known.
        version: as asked for; properties and results go by it.

    Raises:
        ClusterError: with the version that it has.
    """
    found = _CLIENTS_JAR.search(names)
    if found is not None and found[1] != version:
        raise ClusterError(
            f"{os.environ.get(IMAGE_VARIABLE)}, which {IMAGE_VARIABLE} names, has Kafka {found[1]}, and the"
            f" scenario asks for {version}",
            fix=f"--set cluster.kafka_version={found[1]}",
        )


def build_image(engine: Engine, version: str, progress: Progress) -> str:
    """Build the image of a version from a debootstrap root and Maven's jars, unless it is there already.

    Raises:
        ClusterError: something it needs is missing, or a step fails.
    """
    image, recipe = built_image(version), _recipe(version)
    labels = engine.image_labels(image)
    if labels is not None and labels.get(RECIPE_LABEL) == recipe:
        progress(f"image {image} is up to date")
        return image
    try:
        base = _base_image(engine, progress)
        jars = get_jars(version, progress)
        progress(f"building {image}")
        with scratch(cache_dir() / "image") as context:
            _fill_context(context, version, jars.directory)
            arguments = {"BASE": base, "VERSION": version}
            for line in engine.build(context, image, arguments, {RECIPE_LABEL: recipe}):
                if line.startswith("Step "):
                    progress(line)
    except OSError as error:
        raise ClusterError(
            f"the image can't be made: {error}",
            fix=f"free disk space, or let {CACHE_VARIABLE} name a folder that can be written",
        ) from error
    return image


def _recipe(version: str) -> str:
    """Return a digest of all that the image is made after: another recipe makes another image."""
    digest = hashlib.sha256(f"{version} {_SUITE} {_JAVA_PACKAGE} {_LEFT_OUT}".encode())
    for path in [FILES / "pom.xml", *sorted((FILES / "image").iterdir())]:
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:16]


def _base_image(engine: Engine, progress: Progress) -> str:
    """Return the image of a Debian root with a Java runtime, made if it is not there."""
    image = f"loadlab/jre:{_SUITE}-{_JAVA_PACKAGE}"
    if engine.has_image(image):
        return image
    archive = cache_dir() / "image" / f"{_SUITE}-{_JAVA_PACKAGE}.tar"
    if not archive.is_file():
        _make_root(archive, progress)
    progress(f"importing {image}")
    engine.import_root(archive, image, {RECIPE_LABEL: "root"})
    return image


def _make_root(archive: Path, progress: Progress) -> None:
    """Run debootstrap and pack what it made, the parts left out that a broker never reads."""
    if shutil.which("debootstrap") is None or os.geteuid() != 0:
        raise ClusterError(
            "the image is built from a debootstrap root, which needs the program and the rights of root",
            fix="apt-get install debootstrap, and run as root; or let the engine pull apache/kafka",
        )
    progress(f"debootstrap: Debian {_SUITE} with {_JAVA_PACKAGE} (kept for later builds)")
    with scratch(archive.parent) as directory:
        root, draft = directory / "root", directory / "root.tar"
        command = ["debootstrap", "--variant=minbase", f"--include={_JAVA_PACKAGE}", _SUITE, str(root)]
        _run([*_apart(), *command], _DEBOOTSTRAP_TIMEOUT_S)
        with tarfile.open(draft, "w") as packed:
            packed.add(root, arcname=".", filter=_kept)
        draft.replace(archive)


def _apart() -> tuple[str, ...]:
    """A command that keeps mounts and processes of another to itself; empty where that is not allowed.

    Debootstrap mounts /proc in its root and leaves it there where it is killed: whoever removed that root
    would remove from the machine's own /proc. All of it ends with this process, however that ends.
    """
    apart = (
        "setpriv",
        "--pdeathsig",
        "KILL",
        "unshare",
        "--mount",
        "--propagation=private",
        "--pid",
        "--fork",
        "--kill-child",
        "--mount-proc",
    )
    try:
        allowed = subprocess.run([*apart, "true"], check=False, capture_output=True, timeout=_PROBE_S)
    except (OSError, subprocess.TimeoutExpired):
        return ()
    return () if allowed.returncode else apart


def _kept(member: tarfile.TarInfo) -> tarfile.TarInfo | None:
    return None if f"./{member.name.removeprefix('./')}".startswith(_LEFT_OUT) else member


def _run(command: list[str], timeout_s: float) -> None:
    try:
        done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=timeout_s)
    except subprocess.TimeoutExpired as error:
        raise ClusterError(f"{command[0]} took more than {timeout_s:.0f} s") from error
    if done.returncode:
        last = "\n".join((done.stdout + done.stderr).splitlines()[-10:])
        raise ClusterError(f"{command[0]} failed:\n{last}", fix="check that its package mirror answers")


def _fill_context(context: Path, version: str, jars: Path) -> None:
    """Lay out what the Dockerfile copies; Kafka 3 and 4 log by different libraries."""
    files = FILES / "image"
    shutil.copy(files / "Dockerfile", context)
    shutil.copytree(
        jars, context / "libs", copy_function=os.link if _same_disk(jars, context) else shutil.copy
    )
    (context / "docker").mkdir()
    for path in files.iterdir():
        foreign = path.suffix == (".properties" if uses_log4j2(version) else ".yaml")
        if path.name != "Dockerfile" and not foreign:
            shutil.copy(path, context / "docker")
    (context / "docker" / "server.properties").write_text(
        "process.roles=broker,controller\n", encoding="utf-8"
    )


def _same_disk(one: Path, other: Path) -> bool:
    return one.stat().st_dev == other.stat().st_dev
