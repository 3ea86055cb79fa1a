from __future__ import annotations

import errno
import fcntl
import os
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from pyarrow import parquet
from result_samples import RUN_ID, result

from loadlab.errors import RunError, UsageError
from loadlab.measurement.histogram import BUCKETS
from loadlab.results import publish
from loadlab.results.artifacts import (
    INTERVAL_HISTOGRAMS_FILE,
    Artifacts,
    Histograms,
    Interval,
    IntervalHistogram,
    read_events,
    read_histograms,
    read_interval_histograms,
    read_intervals,
)
from loadlab.results.publish import ensure_writable
from loadlab.results.reader import list_runs, load
from loadlab.results.store import save

if TYPE_CHECKING:
    from pydantic import JsonValue

FIXTURES = Path(__file__).parent / "data"


def stored_files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_a_saved_result_is_loaded_back_as_it_was(tmp_path: Path) -> None:
    stored = save(result(), Artifacts(), tmp_path)

    assert stored.path == tmp_path / RUN_ID
    assert load(RUN_ID, tmp_path).result == result() == stored.result


@pytest.mark.parametrize("ending", ["", "result.json"])
def test_a_run_is_found_by_its_path_too(tmp_path: Path, ending: str) -> None:
    path = save(result(), Artifacts(), tmp_path).path

    assert load(path / ending, tmp_path / "elsewhere").result.run_id == RUN_ID


def test_the_artifacts_are_stored_beside_the_result(tmp_path: Path) -> None:
    log = tmp_path / "server.log"
    log.write_text("broker says: no space\n")
    edges = np.array([1.0, 2.0, 4.0])
    artifacts = Artifacts(
        intervals=[
            Interval(5.0, "producer/checkout", "acked_records_per_s", 19_990.0),
            Interval(5.0, "consumer/billing", "consumer_lag_records", 12.0),
        ],
        histograms=Histograms(
            edges, {"producer/checkout/publish_latency_us": np.array([3, 4], dtype=np.int64)}
        ),
        events=[{"at_s": 3.1, "kind": "rebalance", "group": "billing"}],
        logs={"broker-1.log": log},
    )
    folder = save(result(), artifacts, tmp_path / "results").path

    assert stored_files(folder) == {
        "result.json",
        "intervals.parquet",
        "histograms.npz",
        "interval_histograms.parquet",
        "events.jsonl",
        "logs/broker-1.log",
    }
    assert read_intervals(folder).to_pylist()[0] == {
        "interval_start_s": 5.0,
        "source": "producer/checkout",
        "metric": "acked_records_per_s",
        "value": 19_990.0,
    }
    histograms = read_histograms(folder)
    assert histograms is not None
    assert histograms.bucket_edges_us.tolist() == [1.0, 2.0, 4.0]
    assert histograms.counts["producer/checkout/publish_latency_us"].tolist() == [3, 4]
    assert (folder / "logs/broker-1.log").read_text() == "broker says: no space\n"


def test_an_event_may_hold_what_unicode_calls_the_end_of_a_line(tmp_path: Path) -> None:
    events: list[dict[str, JsonValue]] = [{"at_s": 1.0, "text": "a\u2028b\x85c"}, {"at_s": 2.0}]

    assert read_events(save(result(), Artifacts(events=events), tmp_path).path) == events


def sparse(start_s: float, metric: str, buckets: list[int], counts: list[int]) -> IntervalHistogram:
    return IntervalHistogram(
        start_s, "producer/checkout", metric, np.array(buckets, np.int16), np.array(counts, np.int64)
    )


def test_the_histograms_of_intervals_come_back_by_source_and_metric(tmp_path: Path) -> None:
    kept = [
        sparse(0.0, "publish_latency_us", [3, 900], [7, 1]),
        sparse(0.0, "service_time_us", [5], [8]),
        sparse(2.0, "publish_latency_us", [BUCKETS - 1], [4]),
    ]
    folder = save(result(), Artifacts(interval_histograms=kept), tmp_path).path

    read = read_interval_histograms(folder, "producer/checkout", "publish_latency_us")
    assert read is not None
    starts_s, counts = read
    assert starts_s.tolist() == [0.0, 2.0]
    assert counts.shape == (2, BUCKETS)
    assert (counts[0, 3], counts[0, 900], counts[1, BUCKETS - 1], counts.sum()) == (7, 1, 4, 12)


def test_a_long_run_s_histograms_of_intervals_are_written_in_parts(tmp_path: Path) -> None:
    kept = [
        sparse(float(second), "publish_latency_us", [second % 7], [second + 1]) for second in range(2_500)
    ]
    folder = save(result(), Artifacts(interval_histograms=kept), tmp_path).path

    assert parquet.ParquetFile(folder / INTERVAL_HISTOGRAMS_FILE).num_row_groups == 3
    read = read_interval_histograms(folder, "producer/checkout", "publish_latency_us")
    assert read is not None
    assert read[0].tolist() == list(range(2_500))
    assert read[1].max(axis=1).tolist() == list(range(1, 2_501))


def test_a_metric_without_a_sample_has_no_interval_with_a_histogram(tmp_path: Path) -> None:
    folder = save(result(), Artifacts(), tmp_path).path

    read = read_interval_histograms(folder, "producer/checkout", "publish_latency_us")
    assert read is not None
    assert (len(read[0]), read[1].shape) == (0, (0, BUCKETS))


def test_a_run_of_before_they_were_kept_has_no_histograms_of_intervals(tmp_path: Path) -> None:
    folder = save(result(), Artifacts(), tmp_path).path
    (folder / INTERVAL_HISTOGRAMS_FILE).unlink()

    assert read_interval_histograms(folder, "producer/checkout", "publish_latency_us") is None


def test_a_run_without_intervals_or_histograms_is_stored(tmp_path: Path) -> None:
    folder = save(result(), Artifacts(), tmp_path).path

    assert read_intervals(folder).num_rows == 0
    assert read_histograms(folder) is None


def test_a_log_that_has_gone_does_not_cost_the_result(tmp_path: Path) -> None:
    folder = save(result(), Artifacts(logs={"broker-1.log": tmp_path / "gone"}), tmp_path).path

    assert "could not be read" in (folder / "logs/broker-1.log").read_text()


def test_an_existing_run_is_never_changed(tmp_path: Path) -> None:
    save(result(), Artifacts(), tmp_path)
    with pytest.raises(RunError, match="exists already"):
        save(result(seed=8), Artifacts(), tmp_path)

    assert load(RUN_ID, tmp_path).result.seed == 7
    assert [entry.name for entry in list_runs(tmp_path)] == [RUN_ID]


def test_stored_files_are_read_only(tmp_path: Path) -> None:
    folder = save(result(), Artifacts(), tmp_path).path

    assert {oct(path.stat().st_mode & 0o777) for path in folder.iterdir()} == {"0o444"}


def test_a_full_disk_leaves_nothing_behind_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(publish.os, "fsync", full)
    with pytest.raises(RunError, match="No space left on device") as caught:
        save(result(), Artifacts(), tmp_path)

    assert "free disk space" in (caught.value.fix or "")
    assert [path.name for path in tmp_path.iterdir()] == [".lock"]


def test_a_folder_that_cannot_be_written_is_refused_before_the_run(tmp_path: Path) -> None:
    occupied = tmp_path / "file"
    occupied.write_text("")

    with pytest.raises(UsageError, match="can't be written") as caught:
        ensure_writable(occupied / "results")
    assert "--results-dir" in (caught.value.fix or "")


def test_a_file_and_a_dangling_link_are_told_apart_from_a_folder(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to(tmp_path / "nothing")
    with pytest.raises(UsageError, match=r"file: it is no folder"):
        ensure_writable(tmp_path / "file")
    with pytest.raises(UsageError, match=r"link: it is a link to nothing"):
        ensure_writable(tmp_path / "link")


def test_a_read_only_folder_is_refused_clearly(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def read_only(*_arguments: object) -> int:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(publish.os, "open", read_only)
    with pytest.raises(RunError, match="Read-only file system"):
        save(result(), Artifacts(), tmp_path)


def test_what_a_killed_writer_left_is_ignored_and_removed_by_the_next(tmp_path: Path) -> None:
    killed = f"""
import os, signal
from pathlib import Path
from types import SimpleNamespace
from loadlab.results.publish import published
with published(Path({str(tmp_path)!r}), "killed") as folder:
    (folder / "result.json").write_text("{{}}")
    os.kill(os.getpid(), signal.SIGKILL)
"""
    subprocess.run([sys.executable, "-c", killed], check=False, timeout=60)
    (left,) = tmp_path.glob(".incomplete-*")

    assert list_runs(tmp_path) == []
    save(result(), Artifacts(), tmp_path)
    assert not left.exists()


def test_a_folder_that_a_living_writer_holds_is_left_alone(tmp_path: Path) -> None:
    with publish.published(tmp_path, "other") as other:
        save(result(), Artifacts(), tmp_path)
        assert other.exists()
    assert (tmp_path / "other").is_dir()


def test_runs_are_listed_oldest_first_and_a_damaged_one_with_its_problem(tmp_path: Path) -> None:
    for run_id in ("20261124T000000-b-aaaa", "20261123T000000-a-bbbb"):
        save(result(run_id=run_id), Artifacts(), tmp_path)
    damaged = tmp_path / "20261125T000000-c-cccc"
    damaged.mkdir()
    (damaged / "result.json").write_text('{"schema_version": 1, "run_')

    entries = list_runs(tmp_path)
    assert [entry.name for entry in entries] == [
        "20261123T000000-a-bbbb",
        "20261124T000000-b-aaaa",
        "20261125T000000-c-cccc",
    ]
    assert entries[2].stored is None
    assert "damaged" in (entries[2].problem or "")


def test_a_folder_that_does_not_exist_holds_no_runs(tmp_path: Path) -> None:
    assert list_runs(tmp_path / "none") == []


def test_an_unknown_run_gets_the_nearest_name(tmp_path: Path) -> None:
    save(result(), Artifacts(), tmp_path)

    with pytest.raises(UsageError, match=f"did you mean {RUN_ID}"):
        load("20261123T161500-quickstart-k3f8", tmp_path)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"schema_version": 1, "run_id": "2026', "is damaged: Unterminated string"),
        ("[]", "is not a result of loadlab"),
        ("{}", "it has no schema version"),
        ('{"schema_version": 1}', "is damaged: loadlab_version: Field required"),
        ("\x00\xff", "is damaged"),
        ("[" * 200_000, "is damaged: maximum recursion depth exceeded"),
    ],
)
def test_a_damaged_result_gets_one_clear_line(tmp_path: Path, text: str, said: str) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "result.json").write_text(text, encoding="latin-1")

    with pytest.raises(UsageError) as caught:
        load("run", tmp_path)
    assert said in caught.value.message
    assert "\n" not in caught.value.message


def test_a_newer_schema_version_is_refused_clearly(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / "result.json").write_text('{"schema_version": 999, "loadlab_version": "9.0.0"}')

    with pytest.raises(UsageError, match="schema version 999") as caught:
        load("run", tmp_path)
    assert caught.value.fix == "use loadlab 9.0.0 or newer"


@pytest.mark.parametrize("fixture", sorted(FIXTURES.glob("result-v*.json")), ids=lambda path: path.stem)
def test_every_schema_version_stays_readable(tmp_path: Path, fixture: Path) -> None:
    folder = tmp_path / "run"
    folder.mkdir()
    shutil.copy(fixture, folder / "result.json")

    assert load("run", tmp_path).result.producers["checkout"].publish_latency_us.p99 == 4_500.0


def test_a_full_disk_is_said_before_anything_is_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=100_000))
    with pytest.raises(UsageError, match="its disk has 97 KiB left"):
        ensure_writable(tmp_path)


def test_a_lock_that_another_user_made_needs_no_right_to_write(tmp_path: Path) -> None:
    """Root may write anything: the open file's own mode is what is looked at."""
    ensure_writable(tmp_path)
    with publish._locked(tmp_path):
        opened = [
            fcntl.fcntl(int(fd.name), fcntl.F_GETFL) & os.O_ACCMODE
            for fd in Path("/proc/self/fd").iterdir()
            if fd.resolve() == tmp_path / ".lock"
        ]
    assert opened == [os.O_RDONLY]


def test_a_folder_on_a_disk_that_is_read_only_is_refused_before_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its lock is there and can be opened; root may write anything, so that the question is answered here."""
    ensure_writable(tmp_path)

    def read_only(**_: Path) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(publish.tempfile, "TemporaryFile", read_only)
    with pytest.raises(UsageError, match=r"can't be written.*Read-only file system"):
        ensure_writable(tmp_path)
