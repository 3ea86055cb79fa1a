"""Directories that can't be used are told with the variable that names another one."""

from __future__ import annotations

import errno
import os
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from loadlab.cli.main import cli
from loadlab.cluster import checks, local, providers, telemetry_agent
from loadlab.cluster.api import ClusterInfo, StartRequest
from loadlab.cluster.capacity import data_root
from loadlab.cluster.logs import keep_logs
from loadlab.cluster.maven import Artifacts, fetch
from loadlab.cluster.processes import ProcessIdentity
from loadlab.cluster.specs import cluster_spec
from loadlab.cluster.state import ClusterRecord, records
from loadlab.errors import EXIT_NO_CLUSTER, ClusterError, UsageError

INFO = ClusterInfo("embedded", "mock", None, 1, None, {}, "asked for", "mock")
RECORD = ClusterRecord("r", None, ProcessIdentity.current(), INFO, "127.0.0.1:1")


@pytest.fixture
def no_directory(tmp_path: Path) -> Path:
    """A path below a file, where even root can make no directory."""
    (tmp_path / "file").touch()
    return tmp_path / "file" / "below"


def test_the_directory_for_data_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOADLAB_DATA_DIR", str(tmp_path / "not" / "there"))
    assert data_root() == tmp_path / "not" / "there"
    assert data_root().is_dir()


def test_what_is_no_directory_for_data_is_told_with_its_variable(
    no_directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOADLAB_DATA_DIR", str(no_directory))
    with pytest.raises(UsageError, match=str(no_directory)) as told:
        local.LocalProvider().start(cluster_spec({}), StartRequest("r", print, "asked for"))
    assert "LOADLAB_DATA_DIR" in (told.value.fix or "")


def test_a_directory_for_data_that_takes_no_more_is_told_with_its_variable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(**_: object) -> str:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setenv("LOADLAB_DATA_DIR", str(tmp_path))
    monkeypatch.setattr(local.tempfile, "mkdtemp", full)
    with pytest.raises(UsageError, match="No space left") as told:
        local._new_directory("loadlab-r-")
    assert "LOADLAB_DATA_DIR" in (told.value.fix or "")


def test_a_directory_that_this_user_may_not_write_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOADLAB_DATA_DIR", str(tmp_path))
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(UsageError, match="may not write there"):
        data_root()


def test_the_doctor_tells_which_directory_is_wrong(
    no_directory: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/no.sock")
    monkeypatch.setenv("LOADLAB_DATA_DIR", str(no_directory))
    monkeypatch.setenv("LOADLAB_STATE_DIR", str(no_directory))
    found = {check.name: check for check in checks.doctor_checks()}
    for name, variable in (
        ("disk for brokers", "LOADLAB_DATA_DIR"),
        ("state directory", "LOADLAB_STATE_DIR"),
    ):
        assert not found[name].ok
        assert variable in (found[name].fix or "")
    done = CliRunner().invoke(cli, ["doctor"])
    assert done.exit_code == EXIT_NO_CLUSTER
    assert "fault of loadlab" not in done.output


def test_a_cluster_that_can_not_be_remembered_is_refused_and_leaves_nothing(
    no_directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended: list[int] = []
    kill = subprocess.Popen.kill
    monkeypatch.setattr(subprocess.Popen, "kill", lambda child: (ended.append(child.pid), kill(child)))
    monkeypatch.setenv("LOADLAB_STATE_DIR", str(no_directory))
    spec = cluster_spec({"provider": "embedded"})
    with pytest.raises(UsageError, match="can't be used") as told:
        providers.start_cluster(spec, progress=print, run_id="r", standing_name="lab")
    assert "LOADLAB_STATE_DIR" in (told.value.fix or "")
    assert len(ended) == 1
    assert not Path(f"/proc/{ended[0]}").exists()


def test_a_record_that_is_not_written_whole_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setenv("LOADLAB_STATE_DIR", str(tmp_path))
    RECORD.save()
    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(UsageError, match="No space left"):
        replace(RECORD, name="lab").save()
    assert [one.name for one in records()] == [None]


def test_what_is_not_remembered_can_be_forgotten(no_directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOADLAB_STATE_DIR", str(no_directory))
    RECORD.forget()


def test_a_run_goes_on_without_telemetry_where_the_cache_can_not_be_written(
    no_directory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOADLAB_CACHE_DIR", str(no_directory))
    monkeypatch.setattr(telemetry_agent, "has_maven", lambda: True)
    jar, why = telemetry_agent.find_agent(lambda _: None)
    assert jar is None
    assert "can't be kept" in (why or "")


def test_jars_that_can_not_be_kept_are_told_with_the_variable(no_directory: Path) -> None:
    with pytest.raises(ClusterError, match="Kafka can't be kept in ") as told:
        fetch(Artifacts("Kafka", Path("pom.xml"), no_directory / "kafka", [], 1, "none"))
    assert "LOADLAB_CACHE_DIR" in (told.value.fix or "")


def test_a_failed_start_is_told_though_its_logs_can_not_be_kept(no_directory: Path) -> None:
    def save(directory: Path) -> dict[int, Path]:
        directory.mkdir(parents=True)
        return {1: directory}

    assert keep_logs(save, no_directory) == {}
