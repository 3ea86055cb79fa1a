from __future__ import annotations

import socket
import threading
import urllib.error
import urllib.request
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner
from openmetrics_reader import read_openmetrics
from result_samples import RUN_ID

import loadlab
from loadlab.cli.main import cli
from loadlab.errors import UsageError
from loadlab.run import metrics_endpoint as endpoint
from loadlab.run.live_metrics import live_text
from loadlab.run.metrics_endpoint import MetricsObserver, metrics_endpoint
from loadlab.run.progress import Progress
from loadlab.run.shield import Several

if TYPE_CHECKING:
    from pathlib import Path

PROGRESS = Progress(
    run_id=RUN_ID,
    name="quickstart",
    phase="measure",
    elapsed_s=12.0,
    phase_left_s=23.0,
    target_records_per_s=20_000.0,
    sent_records_per_s=19_990.5,
    acked_records_per_s=19_980.0,
    consumed_records_per_s=19_970.0,
    publish_p50_us=1_210.0,
    publish_p99_us=4_500.0,
    end_to_end_p99_us=6_100.0,
    consumer_lag=1_203,
    errors=3,
    generator_limited=False,
    saturated=True,
)
RUN = (("run_id", RUN_ID), ("scenario", "quickstart"))


def told(progress: Progress | None) -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    """Values by name and labels."""
    return {(name, labels): value for name, labels, value, _ in read_openmetrics(live_text(progress)).samples}


def scraped(url: str) -> tuple[str, str]:
    with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310  the endpoint's own
        return answer.headers["Content-Type"], answer.read().decode()


def test_figures_are_told_in_base_units() -> None:
    values = told(PROGRESS)

    assert values["loadlab_sent_records_per_second", RUN] == 19_990.5
    assert values["loadlab_publish_latency_seconds", (("quantile", "0.99"), *RUN)] == pytest.approx(0.0045)
    assert values["loadlab_end_to_end_latency_seconds", (("quantile", "0.99"), *RUN)] == pytest.approx(0.0061)
    assert values["loadlab_consumer_lag_records", RUN] == 1_203
    assert values["loadlab_errors_total", RUN] == 3
    assert values["loadlab_generator_limited", RUN] == 0
    assert values["loadlab_saturated", RUN] == 1


def test_the_phase_is_a_set_of_states() -> None:
    states = {
        labels[0][1]: value for (name, labels), value in told(PROGRESS).items() if name == "loadlab_phase"
    }

    assert states == {"warmup": 0, "measure": 1, "drain": 0}


def test_what_is_not_known_is_not_told() -> None:
    values = told(
        replace(
            PROGRESS,
            target_records_per_s=None,
            publish_p99_us=None,
            publish_p50_us=None,
            end_to_end_p99_us=None,
            consumer_lag=None,
        )
    )

    names = {name for name, _ in values}
    assert names.isdisjoint(
        {
            "loadlab_target_records_per_second",
            "loadlab_publish_latency_seconds",
            "loadlab_end_to_end_latency_seconds",
            "loadlab_consumer_lag_records",
        }
    )
    assert "loadlab_acked_records_per_second" in names


def test_before_the_first_interval_only_the_program_is_told() -> None:
    assert told(None) == {("loadlab_build_info", (("version", loadlab.__version__),)): 1}


def test_names_from_scenarios_cannot_break_out_of_their_quotes() -> None:
    wild = 'a"} 1\nloadlab_errors_total{x="\\'
    read = read_openmetrics(live_text(replace(PROGRESS, name=wild)))

    assert {dict(labels).get("scenario", wild) for _, labels, _, _ in read.samples} == {wild}


def test_the_endpoint_tells_the_latest_interval() -> None:
    with metrics_endpoint("127.0.0.1", 0) as (observer, url):
        first = scraped(url)
        observer.progress(PROGRESS)
        second = scraped(url)

    assert first[0] == "application/openmetrics-text; version=1.0.0; charset=utf-8"
    assert "loadlab_errors" not in first[1]
    assert second[1] == live_text(PROGRESS)


def test_the_endpoint_ends_with_its_run() -> None:
    with metrics_endpoint("127.0.0.1", 0) as (_, url):
        pass
    with pytest.raises(urllib.error.URLError):
        scraped(url)

    assert "metrics" not in {thread.name for thread in threading.enumerate()}


def test_other_paths_say_where_metrics_are() -> None:
    with (
        metrics_endpoint("127.0.0.1", 0) as (_, url),
        pytest.raises(urllib.error.HTTPError, match="404: metrics are at /metrics"),
    ):
        scraped(url.replace("/metrics", "/"))


def test_a_port_that_is_taken_is_said_before_anything_starts(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        told = CliRunner().invoke(
            cli,
            ["demo", "--provider", "embedded", "--metrics-port", str(port), "--results-dir", str(tmp_path)],
        )

    assert told.exit_code == 2
    assert f"error: metrics can't be served on 127.0.0.1:{port}: Address already in use" in told.stderr
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("host", ["203.0.113.1", "no such host"])
def test_an_address_of_another_machine_is_refused(host: str) -> None:
    with pytest.raises(UsageError, match="metrics can't be served"), metrics_endpoint(host, 0):
        pass


def test_scrapers_that_stand_still_hold_up_neither_others_nor_the_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(endpoint._Handler, "timeout", 60)
    with metrics_endpoint("127.0.0.1", 0) as (_, url):
        port = int(url.split(":")[2].split("/")[0])
        silent = [socket.create_connection(("127.0.0.1", port)) for _ in range(endpoint._MOST_REQUESTS - 1)]
        assert "loadlab_build_info" in scraped(url)[1]
    for connection in silent:
        connection.close()


def test_more_scrapers_than_there_are_places_for_are_closed() -> None:
    with metrics_endpoint("127.0.0.1", 0) as (_, url):
        port = int(url.split(":")[2].split("/")[0])
        address = ("127.0.0.1", port)
        held = [socket.create_connection(address) for _ in range(endpoint._MOST_REQUESTS)]
        with socket.create_connection(address, timeout=10) as refused:
            assert refused.recv(1) == b""
    for connection in held:
        connection.close()


class Broken:
    def message(self, _text: str) -> None:
        raise OSError

    def warn(self, _text: str) -> None:
        raise OSError

    def progress(self, _progress: Progress) -> None:
        raise OSError


def test_a_display_that_fails_leaves_the_metrics_alone() -> None:
    metrics = MetricsObserver()
    several = Several(Broken(), metrics)
    several.message("starting")
    several.progress(PROGRESS)

    assert metrics.latest == PROGRESS
