"""What is said of the brokers of a cluster that somebody else runs."""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, cast

import pytest

from loadlab.cluster import external
from loadlab.cluster.api import ClusterInfo, StartRequest
from loadlab.cluster.external import ExternalCluster, ExternalProvider
from loadlab.cluster.specs import cluster_spec
from loadlab.errors import ClusterError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from loadlab.cluster.admin import KafkaAdmin

INFO = ClusterInfo("external", "kafka", None, 3, None, {}, "asked for", "id")


@dataclass
class FakeAdmin:
    """What one broker answers; None where it takes longer than it is given."""

    named: frozenset[int] | None = None
    answers_after_s: float = 0.0
    asked: list[int] = field(default_factory=list)
    refreshed: int = 0

    def broker_ids(self, timeout_s: float) -> frozenset[int]:
        if self.named is None or timeout_s < self.answers_after_s:
            raise ClusterError("127.0.0.1:1 did not answer (brokers)")
        return self.named

    def refresh(self, timeout_s: float) -> None:
        assert timeout_s <= 1
        self.refreshed += 1

    def broker_config(self, broker_id: int) -> dict[str, str]:
        self.asked.append(broker_id)
        return {"num.io.threads": "4"}

    def close(self) -> None:
        """Nothing is open."""


@pytest.fixture
def cluster() -> Iterator[ExternalCluster]:
    made = ExternalCluster(INFO, "127.0.0.1:1", {}, [1, 2, 3])
    made.admin.close()
    yield made
    made.stop()


def given(cluster: ExternalCluster, admin: FakeAdmin) -> ExternalCluster:
    cluster.admin = cast("KafkaAdmin", admin)
    return cluster


def test_a_broker_that_an_answer_leaves_out_is_dead(cluster: ExternalCluster) -> None:
    states = given(cluster, FakeAdmin(frozenset({1, 3}))).broker_states()
    assert [(one.broker_id, one.alive) for one in states] == [(1, True), (2, False), (3, True)]


def test_no_answer_is_not_taken_for_the_death_of_all_brokers(cluster: ExternalCluster) -> None:
    admin = FakeAdmin()
    with pytest.raises(ClusterError, match="did not answer"):
        given(cluster, admin).broker_states()
    assert admin.refreshed == 1, "so that the next call asks another broker"


def test_a_slow_broker_is_waited_for_where_its_configuration_is_asked(cluster: ExternalCluster) -> None:
    admin = FakeAdmin(frozenset({2, 3}), answers_after_s=3.0)
    assert given(cluster, admin).broker_config() == {"num.io.threads": "4"}
    assert admin.asked == [2]


def test_a_signal_is_heeded_while_what_listens_says_nothing() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        servers = f"127.0.0.1:{silent.getsockname()[1]}"
        spec = cluster_spec({"provider": "external", "bootstrap_servers": servers})
        signalling = threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT))
        request = StartRequest("run", lambda _: signalling.start(), "asked for")
        began_s = time.monotonic()
        with pytest.raises(KeyboardInterrupt):
            ExternalProvider().start(spec, request)
        assert time.monotonic() - began_s < 4, "the question takes 8 s"


def test_what_does_not_speak_kafka_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(external, "_CONNECT_TIMEOUT_S", 0.5)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        servers = f"127.0.0.1:{silent.getsockname()[1]}"
        spec = cluster_spec({"provider": "external", "bootstrap_servers": servers})
        with pytest.raises(ClusterError, match="no Kafka answered") as told:
            ExternalProvider().start(spec, StartRequest("run", print, "asked for"))
    assert "it may not speak Kafka, or expect TLS" in (told.value.fix or "")
