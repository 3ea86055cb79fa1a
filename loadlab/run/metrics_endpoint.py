"""An HTTP endpoint that tells Prometheus how a run goes, for as long as it goes on.

It reads what the run last told and nothing else: a scrape costs the run no lock, no call and no wait.
"""

from __future__ import annotations

import socket
import sys
import threading
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from typing import TYPE_CHECKING, Final

from loadlab.analysis.export.openmetrics_text import CONTENT_TYPE
from loadlab.errors import UsageError
from loadlab.run.live_metrics import live_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from loadlab.run.progress import Progress

PATH: Final = "/metrics"
_MOST_REQUESTS: Final = 8
_REQUEST_TIMEOUT_S: Final = 5.0
_END_CHECK_S: Final = 0.1


@dataclass(eq=False)
class MetricsObserver:
    """Keeps the latest interval.

    Attributes:
        latest: None before the first.
    """

    latest: Progress | None = None

    def message(self, text: str) -> None:
        """Messages are no metrics."""

    def warn(self, text: str) -> None:
        """Warnings are none either."""

    def progress(self, progress: Progress) -> None:
        """Keeps the interval; whoever scrapes reads this one reference."""
        self.latest = progress


@contextmanager
def metrics_endpoint(host: str, port: int) -> Iterator[tuple[MetricsObserver, str]]:
    """Serves `/metrics` while the block runs.

    Args:
        host: the address to listen on.
        port: its port; 0 for any that is free.

    Yields:
        The observer to tell, and the endpoint's URL.

    Raises:
        UsageError: nothing can listen there.
    """
    if not host:
        fix = "leave it out for this machine only, or name an address"
        raise UsageError("--metrics-host is empty", fix=fix)
    observer = MetricsObserver()
    try:
        server = _Server((host, port), observer)
    except (OSError, OverflowError) as error:
        raise UsageError(
            f"metrics can't be served on {host}:{port}: {getattr(error, 'strerror', None) or error}",
            fix="name a free port by --metrics-port, and an address of this machine by --metrics-host",
        ) from error
    thread = threading.Thread(target=server.serve_forever, args=(_END_CHECK_S,), name="metrics", daemon=True)
    thread.start()
    try:
        yield observer, f"http://{f'[{host}]' if ':' in host else host}:{server.server_address[1]}{PATH}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Server(ThreadingHTTPServer):
    """Answers a few requests at a time; more of them are closed unanswered rather than given threads."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, address: tuple[str, int], observer: MetricsObserver) -> None:
        self.observer = observer
        self._places = threading.BoundedSemaphore(_MOST_REQUESTS)
        if ":" in address[0]:
            self.address_family = socket.AF_INET6
        super().__init__(address, _Handler)

    def server_bind(self) -> None:
        """Bind without asking a name server who this is, as HTTPServer would."""
        TCPServer.server_bind(self)

    def process_request(
        self, request: socket.socket | tuple[bytes, socket.socket], client_address: tuple[str, int]
    ) -> None:
        """Start a thread where there is a place."""
        if not self._places.acquire(blocking=False):
            self.shutdown_request(request)
            return
        try:
            super().process_request(request, client_address)
        except BaseException:
            self._places.release()
            raise

    def process_request_thread(
        self, request: socket.socket | tuple[bytes, socket.socket], client_address: tuple[str, int]
    ) -> None:
        """Answer, then give the place back."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._places.release()

    def handle_error(
        self, request: socket.socket | tuple[bytes, socket.socket], client_address: tuple[str, int]
    ) -> None:
        """Drop it where the scraper went away in the middle; what else went wrong is a fault of ours."""
        if not isinstance(sys.exception(), OSError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    timeout = _REQUEST_TIMEOUT_S
    server: _Server

    def do_GET(self) -> None:
        """Tell the latest interval."""
        if self.path.partition("?")[0] != PATH:
            self.send_error(HTTPStatus.NOT_FOUND, f"metrics are at {PATH}")
            return
        body = live_text(self.server.observer.latest).encode()
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", CONTENT_TYPE)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  http.server's name
        """Say nothing: stderr is the run's."""
