"""Waiting for a cluster by asking it; nothing here trusts a time or a log line."""

from __future__ import annotations

import socket
import time
from functools import partial
from typing import TYPE_CHECKING

from loadlab.cluster.admin import KafkaAdmin
from loadlab.cluster.coordinator import has_coordinator
from loadlab.errors import ClusterError

if TYPE_CHECKING:
    from collections.abc import Callable

OFFSETS_TOPIC = "__consumer_offsets"
_PROBE_GROUP = "loadlab-ready"
_POLL_S = 0.02
_LOOK_S = 0.2
_ASK_TIMEOUT_S = 2.0


class ReadinessWait:
    """Waits until a cluster of ours is ready, or says why it never will be.

    Args:
        bootstrap_servers: host:port of all brokers, comma separated.
        ended: tells how a broker ended, or None while all live.
        timeout_s: the longest wait.
    """

    def __init__(self, bootstrap_servers: str, ended: Callable[[], str | None], timeout_s: float) -> None:
        self._bootstrap_servers = bootstrap_servers
        self._ended = ended
        self._timeout_s = timeout_s
        self._deadline_s = time.monotonic() + timeout_s

    def wait(self) -> None:
        """Wait for listening sockets, all brokers in the metadata, a group coordinator and its whole topic.

        Raises:
            ClusterError: a broker ended, or the time is over.
        """
        self.wait_for_sockets()
        brokers = len(self._bootstrap_servers.split(","))
        with KafkaAdmin(self._bootstrap_servers) as admin:
            self._until(f"{brokers} brokers in the metadata", lambda: len(_brokers(admin)) == brokers)
            for address in self._bootstrap_servers.split(","):
                self._until(
                    "a group coordinator", partial(has_coordinator, address, _PROBE_GROUP, _ASK_TIMEOUT_S)
                )
            self._until(f"a leader for every partition of {OFFSETS_TOPIC}", lambda: _is_whole(admin))

    def wait_for_sockets(self) -> None:
        """Wait until every broker takes connections."""
        for address in self._bootstrap_servers.split(","):
            self._until(f"{address} to listen", partial(_listens, address))

    def wait_for_broker(self, broker_id: int) -> None:
        """Wait until one broker is in the metadata: a proxy's port is open before the broker's."""
        self.wait_for_sockets()
        with KafkaAdmin(self._bootstrap_servers) as admin:
            self._until(f"broker {broker_id} in the metadata", lambda: broker_id in _brokers(admin))

    def _until(self, what: str, holds: Callable[[], bool]) -> None:
        """Wait until something holds; whether the brokers live is asked less often, it may cost a request."""
        look_s = 0.0
        while not holds():
            now_s = time.monotonic()
            if now_s > look_s:
                look_s = now_s + _LOOK_S
                if ending := self._ended():
                    raise ClusterError(f"a broker ended while the cluster started: {ending}")
            if now_s > self._deadline_s:
                raise ClusterError(
                    f"the cluster was not ready after {self._timeout_s:.0f} s: still waiting for {what}"
                )
            time.sleep(_POLL_S)


def wait_until_answering(
    address: str, broker_id: int, ended: Callable[[], str | None], timeout_s: float
) -> None:
    """Wait until a restarted broker answers at its address and is in the metadata that it gives.

    Raises:
        ClusterError: it ended, or the time is over.
    """
    ReadinessWait(address, ended, timeout_s).wait_for_broker(broker_id)


def _listens(address: str) -> bool:
    host, _, port = address.rpartition(":")
    try:
        with socket.create_connection((host, int(port)), timeout=1):
            return True
    except OSError:
        return False


def _brokers(admin: KafkaAdmin) -> frozenset[int]:
    try:
        return frozenset(admin.metadata(OFFSETS_TOPIC, _ASK_TIMEOUT_S).brokers)
    except ClusterError:
        return frozenset()  # not yet; the wait itself has the last word


def _is_whole(admin: KafkaAdmin) -> bool:
    try:
        topic = admin.metadata(OFFSETS_TOPIC, _ASK_TIMEOUT_S).topics[OFFSETS_TOPIC]
    except ClusterError:
        return False
    partitions = (topic.partitions or {}).values()
    return bool(partitions) and all(
        one.leader >= 0 and len(one.isrs) == len(one.replicas) for one in partitions
    )
