"""A pull ends at its time, whatever the registry or the engine does meanwhile."""

from __future__ import annotations

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest

from loadlab.cluster.docker import Engine

if TYPE_CHECKING:
    from collections.abc import Iterator

TIMEOUT_S = 0.5
MUCH_LATER_S = 10.0
EVENT = b'{"status": "Pulling fs layer"}\r\n'


class FakeEngine(ThreadingHTTPServer):
    """An engine over HTTP whose pulls do as they are told to.

    Attributes:
        pull: "silent", "begun" (an event, then nothing), "lively" (events without an end), "error" or "done".
        images: those that it has.
        let_go: set when a pull's connection was closed by the client, or need not be held any longer.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.pull = "silent"
        self.images: set[str] = set()
        self.let_go = threading.Event()


class Handler(BaseHTTPRequestHandler):
    server: FakeEngine
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        if "/images/" in self.path:
            there = any(f"/images/{image}/json" in self.path for image in self.server.images)
            self._answer({"Config": {"Labels": {}}} if there else {"message": "no such image"}, there)
        else:
            self._answer({"ApiVersion": "1.41", "ServerVersion": "fake"}, is_there=True)

    def _answer(self, document: object, is_there: bool) -> None:
        body = json.dumps(document).encode()
        self.send_response(200 if is_there else 404)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        if self.server.pull != "silent":
            self.send_response(200)
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            self._events()
        else:
            self._await_end()

    def _events(self) -> None:
        if self.server.pull == "done":
            self.server.images.add("apache/kafka:4.3.1")
            self._chunk(EVENT)
            self._chunk(b"")
        elif self.server.pull == "error":
            self._chunk(b'{"error": "no such manifest"}\r\n')
            self._chunk(b"")
        elif self.server.pull == "begun":
            self._chunk(EVENT)
            self._await_end()
        else:
            self._write_on()

    def _write_on(self) -> None:
        try:
            while not self.server.let_go.wait(0.01):
                self._chunk(EVENT)
        except OSError:
            self.server.let_go.set()

    def _chunk(self, data: bytes) -> None:
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))

    def _await_end(self) -> None:
        """Wait until the client closes the connection."""
        self.close_connection = True
        if not self.rfile.read(1):
            self.server.let_go.set()

    def log_message(self, *_: object) -> None:
        """Nothing is logged."""


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeEngine]:
    with FakeEngine() as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("DOCKER_HOST", f"tcp://127.0.0.1:{server.server_address[1]}")
        yield server
        server.let_go.set()
        server.shutdown()


@pytest.mark.parametrize("pull", ["silent", "begun", "lively"])
def test_a_pull_that_does_not_end_is_given_up_and_ended(server: FakeEngine, pull: str) -> None:
    server.pull = pull
    begun_s = time.monotonic()
    assert not Engine().pull("apache/kafka:4.3.1", TIMEOUT_S)
    assert time.monotonic() - begun_s < MUCH_LATER_S
    assert server.let_go.wait(MUCH_LATER_S), "the engine goes on pulling while the run measures"


@pytest.mark.parametrize(("pull", "is_there"), [("done", True), ("error", False)])
def test_a_pull_tells_whether_the_image_is_there(server: FakeEngine, pull: str, is_there: bool) -> None:
    server.pull = pull
    assert Engine().pull("apache/kafka:4.3.1", MUCH_LATER_S) == is_there
