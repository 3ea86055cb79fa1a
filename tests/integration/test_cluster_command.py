"""`loadlab cluster` and `loadlab image`, as a user calls them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import uuid
from typing import TYPE_CHECKING

import pytest
from runs import start_command

from loadlab.cluster import TopicRequest, attach
from loadlab.cluster.docker import Engine
from loadlab.errors import EXIT_THRESHOLD_FAILED, ClusterError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.beside


@pytest.fixture(autouse=True)
def _own_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOADLAB_STATE_DIR", str(tmp_path / "state"))


@pytest.fixture
def name() -> Iterator[str]:
    name = f"command-{uuid.uuid4().hex[:6]}"
    yield name
    loadlab("cluster", "down", "--name", name)


def loadlab(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "from loadlab.cli.main import main; main()", *arguments]
    return subprocess.run(
        command, check=False, capture_output=True, text=True, timeout=300, env=dict(os.environ)
    )


@pytest.mark.parametrize(
    "provider",
    [
        "embedded",
        pytest.param("local", marks=pytest.mark.local),
        pytest.param("docker", marks=pytest.mark.docker),
    ],
)
def test_a_named_cluster_stands_until_it_is_taken_down(name: str, provider: str) -> None:
    if provider == "docker":
        assert loadlab("image", "build").returncode == 0
    up = loadlab("cluster", "up", "--name", name, "--provider", provider, "--output", "json")
    assert up.returncode == 0, up.stderr
    made = json.loads(up.stdout)
    assert (made["name"], made["provider"], made["alive"]) == (name, provider, 1)

    again = loadlab("cluster", "up", "--name", name, "--provider", "embedded")
    assert again.returncode == 2
    assert "stands under the name" in again.stderr

    cluster = attach(name, print)
    cluster.create_topics([TopicRequest("kept", 1, 1)])
    cluster.stop()
    assert not any(name in line for line in loadlab("cluster", "clean").stdout.splitlines())
    other = attach(name, print)
    assert other.topic_ids(["kept"])["kept"]
    assert all(state.alive for state in other.broker_states())
    other.stop()

    listed = json.loads(loadlab("cluster", "list", "--output", "json").stdout)
    assert [one["name"] for one in listed] == [name]
    assert name in loadlab("cluster", "list").stdout

    down = loadlab("cluster", "down", "--name", name)
    assert down.returncode == 0
    assert "removed" in down.stdout
    assert loadlab("cluster", "list").stdout == "no clusters\n"
    with pytest.raises(ClusterError, match="no cluster stands"):
        attach(name, print)


@pytest.mark.parametrize("provider", ["embedded", pytest.param("local", marks=pytest.mark.local)])
def test_topics_that_a_killed_run_left_are_deleted_by_the_next(
    name: str, provider: str, tmp_path: Path
) -> None:
    assert loadlab("cluster", "up", "--name", name, "--provider", provider).returncode == 0
    short = [part for value in ("phases.warmup=1s", "phases.measure=2s") for part in ("--set", value)]
    killed = start_command(tmp_path, "--cluster", name, provider=provider)
    killed.await_load()
    killed.signal(signal.SIGKILL)
    killed.end()

    following = start_command(tmp_path, "--cluster", name, *short, provider=provider)
    code, output, errors = following.end()
    assert code in {0, EXIT_THRESHOLD_FAILED}, errors
    assert "removed what an earlier run left: topic orders" in errors
    assert json.loads(output)["reconciliation"]["lost"] == 0
    cluster = attach(name, print)
    assert cluster.topic_ids(["orders"]) == {"orders": None}
    cluster.stop()


def test_a_scenario_says_what_stands(name: str, tmp_path: Path) -> None:
    scenario = tmp_path / "scenario.yaml"
    scenario.write_text(
        "name: two\ncluster: {provider: embedded, brokers: 2}\n"
        "topics: {orders: {partitions: 1}}\n"
        "producers: {p: {topic: orders, schedule: {rate: 10/s}, records: {size: 100}}}\n"
    )
    up = loadlab("cluster", "up", str(scenario), "--name", name, "--output", "json")
    assert up.returncode == 0, up.stderr
    assert json.loads(up.stdout)["brokers"] == 2


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("cluster", "down", "--name", "nothing"), 3, "no cluster stands"),
        (("cluster", "up", "--name", "No Name"), 2, "is no name"),
        (("cluster", "up", "--name", "n", "--kafka-version", "four"), 2, "kafka_version"),
        (("cluster", "up", "--name", "n", "--brokers", "0"), 2, "brokers"),
        (("cluster", "up", "--name", "n", "--provider", "external"), 2, "stands already"),
        (("cluster", "up", "--name", "n", "--provider", "local", "--brokers", "60"), 3, "at most"),
        (("image", "build", "--kafka-version", "4"), 2, "kafka_version"),
    ],
)
def test_wrong_calls_are_told_without_a_traceback(arguments: tuple[str, ...], code: int, words: str) -> None:
    done = loadlab(*arguments)
    assert done.returncode == code
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_without_an_engine_docker_is_refused_with_the_way_without_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///nonexistent/engine.sock")
    done = loadlab("cluster", "up", "--name", "n", "--provider", "docker")
    assert done.returncode == 3
    assert "no container engine answers" in done.stderr
    assert "--provider local" in done.stderr


@pytest.mark.docker
def test_a_second_build_of_the_image_is_quick_and_says_so() -> None:
    try:
        Engine()
    except ClusterError as error:
        pytest.skip(error.message)
    assert loadlab("image", "build").returncode == 0
    again = loadlab("image", "build", "--output", "json")
    assert json.loads(again.stdout) == {"images": ["loadlab/kafka:4.3.1"]}
    assert "up to date" in again.stderr
