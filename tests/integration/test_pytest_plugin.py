"""The pytest plugin, in a session of its own on the mock."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.beside

TESTS = """
from pathlib import Path

SCENARIO = {
    "name": "plugged",
    "cluster": {"provider": "docker", "brokers": 3},
    "topics": {"orders": {"partitions": 2}},
    "producers": {"web": {"topic": "orders", "schedule": {"rate": "500/s"}, "records": {"size": 100}}},
    "phases": {"warmup": "1s", "measure": "2s"},
    "thresholds": {"publish_latency": ["p99 < 1us"]},
}
seen = []


def test_what_holds_passes(loadlab_run, kafka_cluster, loadlab_results_dir):
    result = loadlab_run(SCENARIO)
    result.assert_threshold("reconciliation", "acked > 0", allow_invalid=True)
    assert not result.passed
    assert result.document.cluster.provider == "embedded"
    assert result.path.parent == loadlab_results_dir == Path("kept").absolute()
    seen.append((result.run_id, kafka_cluster.bootstrap_servers))


def test_what_does_not_hold_fails(loadlab_run, kafka_cluster):
    result = loadlab_run(SCENARIO, overrides={"phases.measure": "1s"})
    ((run_id, servers),) = seen
    assert (servers, result.run_id != run_id) == (kafka_cluster.bootstrap_servers, True)
    result.assert_threshold("publish_latency{producer=web}", "p50 < 1us", allow_invalid=True)


def test_a_mistake_is_told(loadlab_run):
    loadlab_run({**SCENARIO, "topics": {}})
"""


def _pytest(place: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    # Where loadlab is installed, the plugin would be loaded a second time by its entry point.
    environment = {**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    command = [sys.executable, "-m", "pytest", "-p", "loadlab.pytest_plugin", "-p", "no:cacheprovider"]
    return subprocess.run(
        [*command, *arguments],
        cwd=place,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_tests_share_a_cluster_and_a_failed_one_shows_measured_and_limit(tmp_path: Path) -> None:
    (tmp_path / "test_load.py").write_text(TESTS, encoding="utf-8")
    kept = tmp_path / "kept"
    done = _pytest(
        tmp_path, "--loadlab-provider", "embedded", "--loadlab-results-dir", str(kept), "test_load.py"
    )

    assert "2 failed, 1 passed" in done.stdout, done.stdout + done.stderr
    assert "publish_latency{producer=web} p50 < 1us does not hold: " in done.stdout
    assert "limit 1.00 µs" in done.stdout
    assert "ScenarioError: scenario: topics" in done.stdout
    assert len(list(kept.glob("*-plugged-*/result.json"))) == 2


def test_without_its_fixtures_the_plugin_loads_nothing_of_loadlab(tmp_path: Path) -> None:
    heavy = "{'numba', 'pandas', 'confluent_kafka'}"
    (tmp_path / "test_plain.py").write_text(
        f"import sys\n\n\ndef test_plain():\n    assert not {heavy} & set(sys.modules)\n", encoding="utf-8"
    )
    assert "1 passed" in _pytest(tmp_path, "test_plain.py").stdout
    assert "--loadlab-provider" in _pytest(tmp_path, "--help").stdout
