"""The container engine, by the docker SDK, which no other module imports."""

from __future__ import annotations

import contextlib
import io
import math
import os
import shutil
import tarfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import docker
import requests
import urllib3
from docker import errors
from docker.types import EndpointConfig, LogConfig
from docker.utils import kwargs_from_env, parse_repository_tag

from loadlab.cluster.engine_place import EnginePlace
from loadlab.errors import ClusterError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

RUN_LABEL = "loadlab.run"
OWNER_LABEL = "loadlab.owner"
NAME_LABEL = "loadlab.name"
FAR_FIX = "unset DOCKER_HOST, or start a cluster there and use provider external"
DATA_PATH = "/var/lib/kafka/data"
_CONNECT_TIMEOUT_S = 5
_CALL_TIMEOUT_S = 60
_LOOK_TIMEOUT_S = 3
_SIGN_OF_LIFE_TIMEOUT_S = 10
_BUILD_TIMEOUT_S = 600
_PIDS_LIMIT = 8192
_LOG_BYTES = "16m"
_Failure: TypeAlias = tuple[type[BaseException], ...]
_FAILURES: _Failure = (errors.DockerException, requests.exceptions.RequestException)
_NO_ENGINE: _Failure = (*_FAILURES, ValueError)  # the last of a DOCKER_HOST that is no address


@dataclass(frozen=True)
class ContainerRequest:
    """A broker's container.

    Attributes:
        name: its name and the name of its volume.
        image: what it runs.
        environment: its variables.
        labels: what marks it as ours.
        network: "host", or the name of a network of ours.
        alias: the host name under which others on a network of ours reach it.
        published: ports of the container by the port of 127.0.0.1 that leads to each.
        cpus: the most CPU time it may take, in cores; None for no limit.
        memory_bytes: the most memory, page cache included; None for no limit.
        cpuset: the cores it may run on; None for all.
        files: what is laid into it before it starts, by the absolute path there.
    """

    name: str
    image: str
    environment: Mapping[str, str]
    labels: Mapping[str, str]
    network: str
    alias: str
    published: Mapping[int, int] = field(default_factory=dict)
    cpus: float | None = None
    memory_bytes: int | None = None
    cpuset: str | None = None
    files: Mapping[str, Path] = field(default_factory=dict)


@dataclass(frozen=True)
class Marked:
    """Something on the engine that has our label."""

    kind: str
    name: str
    labels: Mapping[str, str]
    state: str
    detail: str = ""

    @property
    def is_running(self) -> bool:
        """Whether it is a container whose process lives."""
        return self.state in {"running", "paused"}


class Engine:
    """A container engine that answered.

    Args:
        patience_s: how long an answer is waited for.

    Raises:
        ClusterError: none does.
    """

    def __init__(self, patience_s: int = _CALL_TIMEOUT_S) -> None:
        try:
            self._client = docker.from_env(timeout=_CONNECT_TIMEOUT_S)
            self._info: dict[str, Any] = self._client.info()
            self._client.api.timeout = patience_s
        except _NO_ENGINE as error:
            raise ClusterError(
                f"no container engine answers ({_why_no_engine(error)})",
                fix=_way_to_an_engine(),
            ) from error

    @property
    def version(self) -> str:
        """Name the engine and its version."""
        return f"docker {self._info.get('ServerVersion', '?')}, {self._info.get('OperatingSystem', '?')}"

    @property
    def identity(self) -> str:
        """Tell it from other engines: its host's name, and where it keeps its data there."""
        return f"{self._info.get('Name', '?')}:{self._info.get('DockerRootDir', '?')}"

    @property
    def place(self) -> EnginePlace:
        """Where it runs, seen from here."""
        return EnginePlace(str(self._client.api.base_url), self._info)

    @property
    def data_root(self) -> Path | None:
        """Return where the engine keeps volumes, if that is a directory of this machine."""
        root = Path(str(self._info.get("DockerRootDir", "")))
        return root if self.place.shares_loopback and root.is_absolute() and root.is_dir() else None

    def has_image(self, image: str) -> bool:
        """Say whether an image is at hand."""
        return self.image_labels(image) is not None

    def image_labels(self, image: str) -> dict[str, str] | None:
        """Return an image's labels; None if it is not at hand."""
        with _translated(f"image {image}"):
            try:
                return dict(self._client.images.get(image).labels)
            except errors.ImageNotFound:
                return None

    def pull(self, image: str, timeout_s: float) -> bool:
        """Try to pull an image within a time; returns whether it is at hand."""
        pulling = threading.Thread(target=_pull, args=(image, timeout_s), daemon=True)
        pulling.start()
        pulling.join(timeout_s)
        return not pulling.is_alive() and self.has_image(image)

    def import_root(self, archive: Path, image: str, labels: Mapping[str, str]) -> None:
        """Make an image of one layer from a tar file."""
        repository, _, tag = image.rpartition(":")
        changes = [f"LABEL {key}={value}" for key, value in labels.items()]
        with _translated(f"import of {image}"):
            self._client.api.import_image_from_file(
                str(archive), repository=repository, tag=tag, changes=changes
            )
        if not self.has_image(image):
            raise ClusterError(f"the container engine did not import {image} from {archive}")

    def build(
        self, context: Path, image: str, arguments: Mapping[str, str], labels: Mapping[str, str]
    ) -> Iterator[str]:
        """Build an image from a directory, without a network; yields what the engine says.

        Raises:
            ClusterError: it fails.
        """
        with _translated(f"build of {image}"):
            api = docker.from_env(timeout=_BUILD_TIMEOUT_S).api
            for event in api.build(
                path=str(context),
                tag=image,
                buildargs=dict(arguments),
                labels=dict(labels),
                network_mode="none",
                rm=True,
                forcerm=True,
                decode=True,
            ):
                if "error" in event:
                    raise ClusterError(f"image {image} could not be built: {event['error']}")
                yield str(event.get("stream", "")).rstrip()

    def start(self, request: ContainerRequest) -> None:
        """Create a broker's volume and container and start it, with no more rights than a broker needs."""
        with _translated(f"start of {request.name}"):
            self._client.volumes.create(request.name, labels=dict(request.labels))
            container = self._client.containers.create(
                request.image,
                name=request.name,
                environment=dict(request.environment),
                labels=dict(request.labels),
                network=request.network,
                networking_config=self._alias(request),
                ports={f"{inside}/tcp": ("127.0.0.1", port) for port, inside in request.published.items()},
                volumes={request.name: {"bind": DATA_PATH, "mode": "rw"}},
                cap_drop=["ALL"],
                security_opt=["no-new-privileges"],
                pids_limit=_PIDS_LIMIT,
                nano_cpus=int(request.cpus * 1e9) if request.cpus else None,
                mem_limit=request.memory_bytes,
                memswap_limit=request.memory_bytes,
                cpuset_cpus=request.cpuset,
                log_config=LogConfig(type="json-file", config={"max-size": _LOG_BYTES, "max-file": "2"}),
            )
            if request.files:
                container.put_archive("/", _packed(request.files))
            container.start()

    def _alias(self, request: ContainerRequest) -> dict[str, EndpointConfig] | None:
        if request.network == "host":
            return None
        return {request.network: EndpointConfig(self._client.api.api_version, aliases=[request.alias])}

    def create_network(self, name: str, labels: Mapping[str, str]) -> None:
        """Create a bridge network."""
        with _translated(f"network {name}"):
            self._client.networks.create(name, driver="bridge", labels=dict(labels))

    def impatient(self) -> Engine:
        """Return the same engine, no answer of which is waited for longer than a moment.

        For what is asked while a load goes on; it may be asked in another thread.
        """
        return Engine(_LOOK_TIMEOUT_S)

    def require_answer(self) -> None:
        """Ask for a sign of life, before requests each of which would wait for a minute.

        Raises:
            ClusterError: there is none within ten seconds.
        """
        with _translated("sign of life"):
            version = self._client.api.api_version
            docker.from_env(version=version, timeout=_SIGN_OF_LIFE_TIMEOUT_S).ping()

    def containers(self, run_id: str | None = None) -> list[Marked]:
        """List our containers, of one run or of all."""
        with _translated("list of containers"):
            found = self._client.api.containers(all=True, filters={"label": _label(run_id)})
        return [
            Marked(
                "container", one["Names"][0].lstrip("/"), one.get("Labels") or {}, one["State"], one["Status"]
            )
            for one in found
        ]

    def inspect(self, container: str) -> dict[str, Any]:
        """Return all that the engine knows of a container."""
        with _translated(f"inspection of {container}"):
            return dict(self._client.api.inspect_container(container))

    def volumes(self, run_id: str | None = None) -> list[Marked]:
        """List our volumes, of one run or of all."""
        with _translated("list of volumes"):
            found = self._client.api.volumes(filters={"label": _label(run_id)})["Volumes"] or []
        return [
            Marked("volume", one["Name"], one.get("Labels") or {}, "", one["Mountpoint"]) for one in found
        ]

    def networks(self, run_id: str | None = None) -> list[Marked]:
        """List our networks, of one run or of all."""
        with _translated("list of networks"):
            found = self._client.api.networks(filters={"label": _label(run_id)})
        return [Marked("network", one["Name"], one.get("Labels") or {}, "") for one in found]

    def remove(self, marked: Marked) -> bool:
        """Remove something of ours; returns whether it was there and is gone."""
        api = self._client.api
        try:
            if marked.kind == "container":
                api.remove_container(marked.name, v=True, force=True)
            elif marked.kind == "volume":
                api.remove_volume(marked.name, force=True)
            else:
                api.remove_network(marked.name)
        except errors.NotFound:
            return False
        except _FAILURES as error:
            if marked.kind == "container" and _is_being_removed(error):
                self._await_removal(marked.name)
                return False
            raise ClusterError(f"{marked.kind} {marked.name} could not be removed: {error}") from error
        return True

    def _await_removal(self, container: str) -> None:
        """Wait until a container is gone that another process removes; what it holds can't be before."""
        with _translated(f"removal of {container}"), contextlib.suppress(errors.NotFound):
            self._client.api.wait(container, timeout=_CALL_TIMEOUT_S, condition="removed")

    def signal(self, container: str, action: str) -> None:
        """Do one of pause, unpause, kill and start to a container."""
        with _translated(f"{action} of {container}"):
            getattr(self._client.api, action)(container)

    def log(self, container: str) -> bytes:
        """Return what a container wrote, within the bound of its log."""
        with _translated(f"log of {container}"):
            return bytes(self._client.api.logs(container, stdout=True, stderr=True))

    def run_inside(self, container: str, command: list[str]) -> str:
        """Run a command in a container and return what it wrote."""
        with _translated(f"command in {container}"):
            made = self._client.api.exec_create(container, command)
            return bytes(self._client.api.exec_start(made["Id"])).decode("utf-8", errors="replace")


class _BoundedClient(docker.APIClient):
    """A client no answer of which is waited for endlessly: the SDK gives a pull no timeout."""

    def send(self, request: requests.PreparedRequest, **options: Any) -> requests.Response:  # noqa: ANN401  (of the base class)
        """Send a request; whatever its timeout, the client's own counts."""
        return super().send(request, **{**options, "timeout": self.timeout})


def _pull(image: str, timeout_s: float) -> None:
    """Pull an image until it is there, fails, or the time is over; the engine ends it with the connection."""
    deadline_s = time.monotonic() + timeout_s
    repository, tag = parse_repository_tag(image)
    with (
        contextlib.suppress(*_FAILURES, urllib3.exceptions.HTTPError),  # what counts is whether it is there
        contextlib.closing(_BoundedClient(**kwargs_from_env(), timeout=math.ceil(timeout_s))) as api,
        contextlib.closing(api.pull(repository, tag or "latest", stream=True, decode=True)) as events,
    ):
        for event in events:
            if "error" in event or time.monotonic() > deadline_s:
                return


def _packed(files: Mapping[str, Path]) -> bytes:
    """Pack files for a container: unlike a mount it needs no directory that the engine sees, too."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for target, source in files.items():
            archive.add(source, target.lstrip("/"), filter=_readable_by_all)
    return packed.getvalue()


def _readable_by_all(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.mode, member.uid, member.gid = 0o444, 0, 0
    return member


@contextlib.contextmanager
def _translated(what: str) -> Iterator[None]:
    """Turn the SDK's errors into ours."""
    try:
        yield
    except _FAILURES as error:
        explanation = getattr(error, "explanation", None) or error
        raise ClusterError(f"the container engine refuses ({what}): {explanation}") from error


def _is_being_removed(error: BaseException) -> bool:
    """Whether the engine refuses to remove a container since it is doing so for somebody else."""
    return isinstance(error, errors.APIError) and "already in progress" in str(error.explanation)


def _label(run_id: str | None) -> str:
    return RUN_LABEL if run_id is None else f"{RUN_LABEL}={run_id}"


def _way_to_an_engine() -> str:
    if os.environ.get("DOCKER_HOST"):
        return "start that engine, or unset DOCKER_HOST"
    if shutil.which("dockerd") is None:
        return "install one (Debian: apt-get install docker.io) and start it"
    return "start one (as root: `dockerd &` or `systemctl start docker`)"


def _why_no_engine(error: BaseException) -> str:
    host = os.environ.get("DOCKER_HOST")
    if host:
        return f"DOCKER_HOST is {host}: {type(error).__name__}"
    text = str(error)
    if "Permission" in text:
        return "this user may not use its socket"
    if "No such file" in text or "Connection refused" in text:
        return "nothing listens on its socket"
    return text.splitlines()[0] if text else type(error).__name__
