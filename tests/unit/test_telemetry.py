"""What a broker's beans say is read as what it means; who does not answer is named."""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import TYPE_CHECKING

import pytest

from loadlab.cluster import maven, telemetry, telemetry_agent
from loadlab.cluster.jolokia import Bean, Reading, read
from loadlab.cluster.telemetry import Timed, parse, read_telemetry
from loadlab.errors import ClusterError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

POOL = "kafka.server:name={}RequestHandlerAvgIdlePercent,type=KafkaRequestHandlerPool"


def values(
    handlers: dict[str, object] | None = None, collectors: dict[str, object] | None = None
) -> list[dict[str, object]]:
    """What the beans of a broker say, in the order in which they are asked."""
    stages = [{"Count": 10 + number, "Mean": 2.5} for number in range(14)]
    return [
        {"StartTime": 1_700_000_000_000, "Uptime": 5_000},
        {"HeapMemoryUsage": {"used": 7, "max": 9, "init": 9, "committed": 9}},
        collectors or {"java.lang:name=G1 Young Generation": {"CollectionCount": 3, "CollectionTime": 40}},
        {"TotalCompilationTime": 1_234},
        handlers or {POOL.format("Broker"): {"Count": 2_000_000_000}, POOL.format(""): {"Count": 1}},
        {"a": {"io-wait-time-ns-total": 4e9}, "b": {"io-wait-time-ns-total": 2_000_000_000}},
        {"Value": 2},
        {"Count": 100},
        {"Count": 200},
        {"Count": 300},
        {"Count": 8, "Mean": 1.5},
        *stages,
    ]


def reading(**changes: dict[str, object]) -> Reading:
    return Reading(before_ns=100, after_ns=200, values=tuple(values(**changes)))


def test_each_figure_is_taken_from_its_bean() -> None:
    told = parse(3, reading())
    assert (told.broker_id, told.at_ns, told.started_ms) == (3, 150, 1_700_000_000_000)
    assert (told.heap_used_bytes, told.heap_max_bytes) == (7, 9)
    assert (told.gc_count, told.gc_pause_ms) == (3, 40)
    assert told.compile_ms == 1_234
    assert told.network_processor_idle_s == 3.0
    assert told.under_replicated_partitions == 2
    assert (told.bytes_in, told.bytes_out, told.messages_in) == (100, 200, 300)
    assert told.log_flush == Timed(8, 12.0)
    assert (told.produce.total, told.produce.response_send) == (Timed(10, 25.0), Timed(16, 40.0))
    assert (told.fetch_consumer.total, told.fetch_consumer.local) == (Timed(17, 42.5), Timed(19, 47.5))


def test_the_brokers_own_handlers_are_taken_where_they_are_counted_apart() -> None:
    assert parse(1, reading()).request_handler_idle_s == 2.0


def test_before_kafka_4_2_the_controllers_handlers_are_taken_off_as_idle() -> None:
    """Both pools wait for 4 of 5 seconds and for all 5: one meter says 9."""
    told = parse(1, reading(handlers={POOL.format(""): {"Count": 9_000_000_000}}))
    assert told.request_handler_idle_s == 4.0


def test_concurrent_cycles_of_a_collector_are_no_pauses() -> None:
    collectors = {
        "java.lang:name=ZGC Major Cycles": {
            "CollectionCount": 2,
            "CollectionTime": 900,
        },
        "java.lang:name=ZGC Major Pauses": {"CollectionCount": 6, "CollectionTime": 1},
    }
    told = parse(1, reading(collectors=collectors))
    assert (told.gc_count, told.gc_pause_ms) == (6, 1)


def test_a_mean_of_nothing_is_none() -> None:
    assert Timed(0, 0.0).mean_ms is None


class Agent(BaseHTTPRequestHandler):
    """Answers as the test says; `answer` is set on the server."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        answer: str = self.server.answer(json.loads(body))  # type: ignore[attr-defined]
        self.send_response(200)
        self.end_headers()
        self.wfile.write(answer.encode())

    def log_message(self, *_: object) -> None: ...


@contextmanager
def agent(answer: object) -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), Agent)
    server.answer = answer  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


def whole(asked: list[dict[str, object]]) -> str:
    assert len(asked) == len(values())
    return json.dumps([{"status": 200, "value": value} for value in values()])


BEAN = Bean("some:type=Bean", ("Value",))


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ("[", "no telemetry"),
        ('{"status": 403, "error": "forbidden"}', "forbidden"),
        ("[]", "no telemetry"),
        ('[{"status": 404, "error": "no such bean"}]', "some:type=Bean: no such bean"),
    ],
)
def test_an_answer_that_is_none_is_an_error(answer: str, words: str) -> None:
    with agent(lambda _: answer) as address, pytest.raises(ClusterError, match=words):
        read(address, [BEAN], timeout_s=5)


def test_brokers_are_asked_at_once_and_one_that_hangs_costs_the_others_nothing() -> None:
    go_on = threading.Event()

    def hang(_: object) -> str:
        go_on.wait(10)
        return "[]"

    with agent(whole) as good, agent(hang) as hung:
        sample = read_telemetry({1: hung, 2: good, 3: "127.0.0.1:1"}, timeout_s=0.3)
        go_on.set()
    assert sample.brokers.keys() == {2}
    assert sample.failed.keys() == {1, 3}
    assert "timed out" in sample.failed[1]


def test_figures_that_are_none_fail_that_broker_only() -> None:
    broken = json.dumps([{"status": 200, "value": None}] * len(telemetry._BEANS))
    with agent(lambda _: broken) as address:
        assert "unreadable" in read_telemetry({1: address}).failed[1]


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LOADLAB_CACHE_DIR", str(tmp_path))
    return tmp_path


def test_an_agent_that_is_here_is_taken(cache: Path) -> None:
    jar = cache / "telemetry" / "2.4.1" / "jolokia-agent-jvm-2.4.1-javaagent.jar"
    jar.parent.mkdir(parents=True)
    jar.touch()
    assert telemetry_agent.find_agent(print) == (jar, None)


def test_the_pom_pins_the_version_that_is_looked_for() -> None:
    pom = (telemetry_agent.FILES / "telemetry" / "pom.xml").read_text()
    assert f"<version>{telemetry_agent._VERSION}</version>" in pom


@pytest.mark.usefixtures("cache")
def test_without_maven_there_is_no_agent_and_it_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(maven.shutil, "which", lambda _: None)
    jar, why = telemetry_agent.find_agent(print)
    assert jar is None
    assert "mvn" in (why or "")


def test_a_fetch_that_failed_is_not_tried_again_at_once(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mvn = cache / "bin" / "mvn"
    mvn.parent.mkdir()
    mvn.write_text("#!/bin/sh\necho called >>\"$0.log\"\necho '[ERROR] offline'\nexit 1\n")
    mvn.chmod(0o755)
    monkeypatch.setenv("PATH", f"{mvn.parent}:/bin:/usr/bin")
    first, second = telemetry_agent.find_agent(print), telemetry_agent.find_agent(print)
    assert first == second
    assert first[0] is None
    assert "offline" in (first[1] or "")
    assert (mvn.parent / "mvn.log").read_text() == "called\n"
