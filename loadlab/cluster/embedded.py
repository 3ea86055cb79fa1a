"""The embedded provider: librdkafka's mock brokers in a process of their own. Not Kafka, and labelled so."""

from __future__ import annotations

import contextlib
import json
import math
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from confluent_kafka import cimpl, libversion

from loadlab.cluster import mock_process
from loadlab.cluster.api import (
    Availability,
    BrokerState,
    ClusterInfo,
    StartRequest,
    TopicDescription,
    TopicRequest,
)
from loadlab.cluster.base import AdministeredCluster
from loadlab.cluster.leftovers import marker
from loadlab.cluster.logs import tail
from loadlab.cluster.processes import ProcessIdentity, signals_held
from loadlab.cluster.state import BrokerProcess, ClusterRecord
from loadlab.cluster.topic_errors import topics_exist
from loadlab.cluster.topics import described
from loadlab.errors import ClusterError, UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from loadlab.scenario.cluster import ClusterSpec

_ANSWER_TIMEOUT_S = 10.0
_SOCKET = "control"
_ERRORS = "errors.log"
_PREFIX = "loadlab-mock-"
_LONGEST_SOCKET_PATH = 107  # unix(7): sun_path has 108 bytes, the last of which is 0


class EmbeddedCluster(AdministeredCluster):
    """Mock brokers in one process; topics are made through its control socket.

    Args:
        record: what loadlab remembers of it.
        process: the process, where this one started it and it ends with this one.
    """

    def __init__(self, record: ClusterRecord, process: subprocess.Popen[str] | None = None) -> None:
        super().__init__(record.info, record.bootstrap_servers, frozenset())
        self._record = record
        self._process = process

    def broker_states(self) -> list[BrokerState]:
        """Say which brokers live: all of them while their process does."""
        identity = self._record.brokers[0].identity
        alive = identity.is_alive
        detail = f"mock, pid {identity.pid}" if alive else "the mock's process ended"
        return [BrokerState(broker_id, alive, detail) for broker_id in range(1, self.info.brokers + 1)]

    def process_ids(self) -> tuple[int, ...] | None:
        """Return the mock's process, which is all brokers in one."""
        identity = self._record.brokers[0].identity
        return (identity.pid,) if identity.is_alive else ()

    def create_topics(self, requests: Sequence[TopicRequest]) -> dict[str, str]:
        """Create topics; the mock gives them leaders at once. Their configuration means nothing to it."""
        known = self._ids()
        if existing := {one.name: known[one.name] for one in requests if one.name in known}:
            raise topics_exist(existing)
        return {
            request.name: str(
                self._ask(f"create {request.name} {request.partitions} {request.replication_factor}")
            )
            for request in requests
        }

    def describe_topics(self, names: Sequence[str]) -> dict[str, TopicDescription | None]:
        """Describe topics by name; None where there is none."""
        known = self._ids()
        metadata = self.admin.metadata().topics if known else {}
        there = known.keys() & metadata.keys()
        return {name: described(metadata[name], known[name]) if name in there else None for name in names}

    def delete_topics(self, ids: Mapping[str, str], timeout_s: float = 10.0) -> None:  # noqa: ARG002
        """Delete topics whose id still is the given one."""
        for name, topic_id in ids.items():
            self._ask(f"delete {name} {topic_id}")

    def _ids(self) -> dict[str, str]:
        answer = self._ask("ids")
        return (
            {str(name): str(topic_id) for name, topic_id in answer.items()}
            if isinstance(answer, dict)
            else {}
        )

    def _ask(self, line: str) -> object:
        path = Path(self._record.brokers[0].directory, _SOCKET)
        try:
            with socket.socket(socket.AF_UNIX) as connection:
                connection.settimeout(_ANSWER_TIMEOUT_S)
                connection.connect(str(path))
                connection.sendall(f"{line}\n".encode())
                answer = json.loads(connection.makefile(encoding="utf-8").readline())
        except (OSError, ValueError) as error:
            raise ClusterError(
                f"the embedded mock did not answer {line.split(maxsplit=1)[0]!r}: {error}"
            ) from error
        if "error" in answer:
            raise UsageError(f"the embedded mock refuses: {answer['error']}")
        return answer["result"]

    def stop(self) -> None:
        """End the process, unless the cluster stands by a name."""
        self.disconnect()
        if self._process is None:
            return
        process, self._process = self._process, None
        process.kill()
        process.communicate()
        shutil.rmtree(self._record.brokers[0].directory, ignore_errors=True)
        self._record.forget()


class EmbeddedProvider:
    """Starts mock brokers; can always."""

    name = "embedded"

    def check(self, spec: ClusterSpec) -> Availability:  # noqa: ARG002  (it needs nothing of the machine)
        """Say that it can."""
        return Availability(available=True, reason=f"librdkafka {libversion()[0]} brings mock brokers")

    def start(self, spec: ClusterSpec, request: StartRequest) -> EmbeddedCluster:
        """Start the process; it prints where it answers as soon as it does."""
        request.progress("starting mock brokers (librdkafka): not Kafka")
        directory = process = None
        try:
            with signals_held():  # what is made is known, whenever a signal comes
                directory = _directory()
                process = _launch(directory, spec, request)
            return self._started(process, directory, spec, request)
        except BaseException:
            with signals_held():
                if process is not None:
                    process.kill()
                    process.communicate()
                if directory is not None:
                    shutil.rmtree(directory, ignore_errors=True)
            raise

    def _started(
        self, process: subprocess.Popen[str], directory: Path, spec: ClusterSpec, request: StartRequest
    ) -> EmbeddedCluster:
        identity = ProcessIdentity.of(process.pid)
        brokers = () if identity is None else (BrokerProcess(1, identity, str(directory), ()),)
        record = ClusterRecord(
            run_id=request.run_id,
            name=request.standing_name,
            owner=ProcessIdentity.current(),
            info=_info(spec, request),
            bootstrap_servers="",
            data_dir=str(directory),
            brokers=brokers,
        )
        try:
            # Before it answers: whoever is killed while it starts leaves a trace of it.
            record.save()
            record = replace(record, bootstrap_servers=_address(process, directory))
            record.save()
            if request.standing_name is not None:
                _let_stand(process)
                return EmbeddedCluster(record)
        except BaseException:
            record.forget()
            raise
        return EmbeddedCluster(record, process)


def _address(process: subprocess.Popen[str], directory: Path) -> str:
    """Where the mock answers, which it prints as soon as it does.

    Raises:
        ClusterError: it ended instead.
    """
    address = process.stdout.readline().strip() if process.stdout else ""
    if not address:
        process.communicate()
        detail = " ".join(tail(directory / _ERRORS)[-1:])
        raise ClusterError(f"the embedded mock did not start: {detail}")
    return address


def _directory() -> Path:
    """A directory for the process, whose socket must not have a long path.

    Raises:
        UsageError: there is no place for temporary files.
    """
    try:
        directory = Path(tempfile.mkdtemp(prefix=_PREFIX))
        if len(os.fsencode(directory / _SOCKET)) > _LONGEST_SOCKET_PATH:
            directory.rmdir()
            directory = Path(tempfile.mkdtemp(prefix=_PREFIX, dir="/tmp"))
    except OSError as error:
        raise UsageError(
            f"no temporary directory can be made: {error}", fix="set TMPDIR to a folder that can be written"
        ) from error
    return directory


def _launch(directory: Path, spec: ClusterSpec, request: StartRequest) -> subprocess.Popen[str]:
    round_trip_ms = math.ceil((spec.round_trip_s or 0) * 1000)
    command = [
        sys.executable,
        "-I",
        "-S",
        str(mock_process.__file__),
        str(cimpl.__file__),
        str(directory / _SOCKET),
    ]
    with (directory / _ERRORS).open("wb") as errors:
        return subprocess.Popen(
            [*command, str(spec.brokers), str(round_trip_ms), marker(request.run_id)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            start_new_session=True,  # a Ctrl-C in the terminal is the run's to handle
        )


def _let_stand(process: subprocess.Popen[str]) -> None:
    """Lets the mock go on without this process."""
    if process.stdin is not None:
        # One that has ended meanwhile is told of when it is used.
        with contextlib.suppress(BrokenPipeError), process.stdin:
            process.stdin.write(f"{mock_process.STAND}\n")


def _info(spec: ClusterSpec, request: StartRequest) -> ClusterInfo:
    return ClusterInfo(
        provider="embedded",
        kind="mock",
        kafka_version=None,
        brokers=spec.brokers,
        network=None,
        config={},
        reason=request.reason,
        cluster_id=f"mock-{request.run_id}",
    )
