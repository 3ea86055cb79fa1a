"""The process of the embedded cluster: librdkafka's mock brokers, ruled by lines on a Unix socket.

Run as a file, with nothing but the standard library, so that it is there in milliseconds:

    python mock_process.py LIBRARY SOCKET BROKERS ROUND_TRIP_MS

It prints the bootstrap servers as its first line. It ends when its standard input does, which is when the
process that started it ends, however that happens; unless it is told `stand` there, after which it goes on
without that process. A request is a line, its answer a line of JSON:

    create NAME PARTITIONS REPLICATION_FACTOR   the topic's id (made here: the mock has none)
    delete NAME ID                              whether it was this one and is gone now
    ids                                         all topics' ids by name
    end                                         ends the process
"""

from __future__ import annotations

import base64
import contextlib
import ctypes
import json
import selectors
import shutil
import signal
import socket
import sys
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import BinaryIO

STAND = "stand"
_PRODUCER = 0  # rd_kafka_type_t
_LOG_NOTHING = b"0"

# A member that joins a group of the mock's later than its first ones waits for a session timeout, so that all
# of a run's workers must be there by then.
_JOIN_MS = 500


class MockCluster:
    """librdkafka's mock cluster: brokers that speak Kafka's protocol and keep little."""

    def __init__(self, library: str, brokers: int, round_trip_ms: int) -> None:
        self._library = _bind(ctypes.CDLL(library))
        self._ids: dict[str, str] = {}
        error = ctypes.create_string_buffer(512)
        configuration = self._library.rd_kafka_conf_new()
        self._library.rd_kafka_conf_set(configuration, b"log_level", _LOG_NOTHING, error, len(error))
        self._client = self._library.rd_kafka_new(_PRODUCER, configuration, error, len(error))
        if not self._client:
            raise RuntimeError(error.value.decode())
        self._cluster = self._library.rd_kafka_mock_cluster_new(self._client, brokers)
        self._library.rd_kafka_mock_group_initial_rebalance_delay_ms(self._cluster, _JOIN_MS)
        for broker_id in range(1, brokers + 1):
            self._library.rd_kafka_mock_broker_set_rtt(self._cluster, broker_id, round_trip_ms)

    @property
    def bootstrap_servers(self) -> str:
        """host:port, comma separated."""
        servers: bytes = self._library.rd_kafka_mock_cluster_bootstraps(self._cluster)
        return servers.decode("ascii")

    def create(self, name: str, partitions: str, replication_factor: str) -> str:
        """Create a topic and return the id that is made for it."""
        if name in self._ids:
            raise ValueError(f"topic {name} exists already")
        error = self._library.rd_kafka_mock_topic_create(
            self._cluster, name.encode(), int(partitions), int(replication_factor)
        )
        if error:
            raise ValueError(self._library.rd_kafka_err2str(error).decode())
        self._ids[name] = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode("ascii").rstrip("=")
        return self._ids[name]

    def delete(self, name: str, topic_id: str) -> bool:
        """Delete a topic if it still is this one."""
        if self._ids.get(name) != topic_id:
            return False
        del self._ids[name]
        return bool(self._library.rd_kafka_mock_topic_delete(self._cluster, name.encode()) == 0)

    def ids(self) -> dict[str, str]:
        """Return the ids of all topics by name."""
        return dict(self._ids)


def _bind(library: ctypes.CDLL) -> ctypes.CDLL:
    """Give the functions their types; C signatures from librdkafka's rdkafka.h and rdkafka_mock.h."""
    pointer, text, number = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int
    for name, result, arguments in (
        ("rd_kafka_conf_new", pointer, []),
        ("rd_kafka_conf_set", number, [pointer, text, text, text, ctypes.c_size_t]),
        ("rd_kafka_new", pointer, [number, pointer, text, ctypes.c_size_t]),
        ("rd_kafka_err2str", text, [number]),
        ("rd_kafka_mock_cluster_new", pointer, [pointer, number]),
        ("rd_kafka_mock_cluster_bootstraps", text, [pointer]),
        ("rd_kafka_mock_topic_create", number, [pointer, text, number, number]),
        ("rd_kafka_mock_topic_delete", number, [pointer, text]),
        ("rd_kafka_mock_broker_set_rtt", number, [pointer, ctypes.c_int32, number]),
        ("rd_kafka_mock_group_initial_rebalance_delay_ms", None, [pointer, ctypes.c_int32]),
    ):
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library


def answer(cluster: MockCluster, line: str) -> str:
    """Carry out one request and return the line that answers it."""
    handlers: dict[str, Callable[..., object]] = {
        "create": cluster.create,
        "delete": cluster.delete,
        "ids": cluster.ids,
    }
    try:
        verb, *arguments = line.split()
        return json.dumps({"result": handlers[verb](*arguments)})
    except (ValueError, TypeError, KeyError) as error:
        return json.dumps({"error": str(error)})


def _answered(cluster: MockCluster, connection: socket.socket) -> bool:
    """Answer the one request of a connection; say no where it is to end."""
    with connection.makefile("rw", encoding="utf-8") as stream:
        line = stream.readline().strip()
        if line == "end":
            return False
        stream.write(answer(cluster, line) + "\n")
    return True


def _serve(cluster: MockCluster, listener: socket.socket, owner: BinaryIO, stand: Callable[[], None]) -> bool:
    """Answer requests until `end` comes, or the owner's words end without `stand`, of which it tells.

    Returns whether the owner is gone.
    """
    with selectors.DefaultSelector() as selector:
        selector.register(listener, selectors.EVENT_READ)
        selector.register(owner, selectors.EVENT_READ)
        while True:
            for key, _ in selector.select():
                if key.fileobj is not listener:
                    if owner.readline().strip() != STAND.encode():
                        return True
                    selector.unregister(owner)
                    stand()
                    continue
                connection, _ = listener.accept()
                # A client that has gone, or says what is no text, ends nothing for the others.
                with contextlib.suppress(OSError, ValueError), connection:
                    if not _answered(cluster, connection):
                        return False


def _heed(how: signal.Handlers) -> None:
    """Say what signals do that ask a process to end."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, how)


def main(library: str, path: str, brokers: str, round_trip_ms: str) -> None:
    """Start the mock brokers and serve."""
    # A service manager's stop reaches all processes: what it means the run alone decides.
    _heed(signal.SIG_IGN)
    cluster = MockCluster(library, int(brokers), int(round_trip_ms))
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()
        sys.stdout.write(cluster.bootstrap_servers + "\n")
        sys.stdout.flush()
        is_orphan = _serve(cluster, listener, sys.stdin.buffer, lambda: _heed(signal.SIG_DFL))
    Path(path).unlink(missing_ok=True)
    if is_orphan:  # nobody else removes what the owner made for it
        shutil.rmtree(Path(path).parent, ignore_errors=True)


if __name__ == "__main__":
    main(*sys.argv[1:5])
