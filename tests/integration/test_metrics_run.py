"""A run that tells Prometheus how it goes, and what is exported of it afterwards."""

from __future__ import annotations

import json
import re
import urllib.error
import urllib.request
from typing import TYPE_CHECKING

import pytest
from runs import QUICK, start_command

from loadlab.analysis.export import FORMATS, export_run
from loadlab.results.reader import load

if TYPE_CHECKING:
    from pathlib import Path

    from runs import Command

pytestmark = pytest.mark.beside


def metrics_url(command: Command) -> str:
    """What it says of its endpoint, before anything else."""
    assert command.process.stderr is not None
    found = re.fullmatch(
        r"metrics: (http://127\.0\.0\.1:\d+/metrics)", command.process.stderr.readline().strip()
    )
    assert found is not None
    return found[1]


def scraped(url: str) -> dict[str, float]:
    """Values by the names of samples, with their labels."""
    with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310  the endpoint's own
        lines = answer.read().decode().splitlines()
    return {
        name: float(value)
        for name, _, value in (line.rpartition(" ") for line in lines if not line.startswith("#"))
    }


def test_metrics_are_there_while_the_run_goes_on_and_the_run_is_exported(tmp_path: Path) -> None:
    overrides = [part for override in QUICK for part in ("--set", override)]
    command = start_command(tmp_path, "--metrics-port", "0", *overrides, provider="embedded")
    url = metrics_url(command)
    early = scraped(url)
    command.await_line(" measure ")
    during = scraped(url)
    _, output, _ = command.end()

    result = json.loads(output)
    run = f'run_id="{result["run_id"]}",scenario="quickstart"'
    assert [name.partition("{")[0] for name in early] == ["loadlab_build_info"]
    assert during[f'loadlab_phase{{{run},loadlab_phase="measure"}}'] == 1
    assert during[f"loadlab_target_records_per_second{{{run}}}"] == 5_000
    assert during[f"loadlab_acked_records_per_second{{{run}}}"] > 0
    assert f'loadlab_publish_latency_seconds{{{run},quantile="0.5"}}' in during
    with pytest.raises(urllib.error.URLError):
        scraped(url)

    stored = load(result["run_id"], tmp_path)
    for form in FORMATS:
        assert all(export_run(stored, form).contents.values()), form
    omb = json.loads(export_run(stored, "omb").contents[""])
    acked = result["producers"]["checkout"]["throughput"]["records_per_s"]
    assert omb["publishRate"] == [pytest.approx(acked, rel=0.2)]
