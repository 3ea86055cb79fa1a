from __future__ import annotations

import errno
import os
import re
from dataclasses import replace
from pathlib import Path

import pytest
from export_samples import known, renamed, store, store_without_latency
from openmetrics_reader import read_openmetrics

from loadlab.analysis.export import FORMATS, export_run, files
from loadlab.analysis.export.files import file_name, write_files
from loadlab.errors import LoadlabError, RunError, UsageError


def test_folders_that_are_missing_are_made(tmp_path: Path) -> None:
    write_files({tmp_path / "a" / "b.csv": b"1\n", tmp_path / "a" / "c.csv": b"2\n"}, replace=False)

    assert {path.name: path.read_bytes() for path in (tmp_path / "a").iterdir()} == {
        "b.csv": b"1\n",
        "c.csv": b"2\n",
    }


def test_a_file_that_exists_stays_as_it_is_and_so_do_the_others(tmp_path: Path) -> None:
    (tmp_path / "b.csv").write_text("old")
    with pytest.raises(UsageError, match=r"b\.csv exists already") as caught:
        write_files({tmp_path / "a.csv": b"1", tmp_path / "b.csv": b"2"}, replace=False)

    assert "--force" in (caught.value.fix or "")
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("b.csv", "old")]


def test_a_file_that_may_go_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "b.csv").write_text("old")
    write_files({tmp_path / "b.csv": b"new"}, replace=True)

    assert (tmp_path / "b.csv").read_text() == "new"


@pytest.mark.parametrize(("code", "kind"), [(errno.ENOSPC, RunError), (errno.EACCES, UsageError)])
def test_what_cannot_be_written_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, kind: type[LoadlabError]
) -> None:
    def fails(_descriptor: int) -> None:
        raise OSError(code, os.strerror(code))

    (tmp_path / "b.csv").write_text("old")
    monkeypatch.setattr(files.os, "fsync", fails)
    with pytest.raises(kind, match=f"can't be written: {os.strerror(code)}"):
        write_files({tmp_path / "b.csv": b"new"}, replace=True)

    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("b.csv", "old")]


def test_a_folder_in_the_place_of_a_file_is_told(tmp_path: Path) -> None:
    (tmp_path / "b.csv").mkdir()
    with pytest.raises(UsageError, match="can't be written"):
        write_files({tmp_path / "b.csv": b"new"}, replace=True)

    assert [path.name for path in tmp_path.iterdir()] == ["b.csv"]


def test_a_folder_in_the_place_of_one_file_keeps_the_others_from_being_written(tmp_path: Path) -> None:
    (tmp_path / "b.csv").mkdir()
    with pytest.raises(UsageError, match=r"b\.csv can't be written: Is a directory"):
        write_files({tmp_path / "a.csv": b"new", tmp_path / "b.csv": b"new"}, replace=True)

    assert [path.name for path in tmp_path.iterdir()] == ["b.csv"]


def test_no_file_is_written_where_there_is_none_to_write() -> None:
    write_files({}, replace=False)


def test_a_folder_that_is_missing_is_told_where_none_may_be_made(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="can't be written: No such file"):
        write_files({tmp_path / "gone" / "a.html": b"1"}, replace=True, make_folders=False)

    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["../../etc/passwd", "/etc/passwd", "..", ".", "", "a b\n,c", "<script>"])
def test_a_name_leads_nowhere_else(name: str) -> None:
    safe = file_name(name)

    assert Path(safe).name == safe
    assert safe not in {"", ".", ".."}
    assert not set(safe) & set('/\\ \n,<>"')


def test_names_of_scenarios_stay_as_they_are() -> None:
    assert (
        file_name("producer", "check-out_2.eu", "publish_latency")
        == "producer-check-out_2.eu-publish_latency"
    )


def test_a_group_s_name_leads_out_of_no_folder_tag_or_quotes(tmp_path: Path) -> None:
    wild = '../../x, "<script>\n'
    stored = store(tmp_path, renamed(known(100), wild), producer_name=wild)

    names = export_run(stored, "hgrm").contents
    assert len(names) == 4
    assert {Path(name).name for name in names} == set(names)
    lines = export_run(stored, "hlog").contents[""].decode().splitlines()
    tagged = [line for line in lines if line.startswith("Tag=")]
    assert len(tagged) == 4 * 27
    assert {len(line.split(",")) for line in tagged} == {5}
    assert not any(" " in line or "<" in line for line in tagged)
    read_openmetrics(export_run(stored, "openmetrics").contents[""].decode())


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_a_run_without_a_latency_has_its_other_tables(tmp_path: Path, form: str) -> None:
    assert export_run(store_without_latency(tmp_path), form).contents


def test_a_run_without_a_latency_has_its_rates_in_omb_s_form(tmp_path: Path) -> None:
    exported = export_run(store_without_latency(tmp_path), "omb")
    assert sum("is 0 where there was no sample" in note for note in exported.notes) == 3


@pytest.mark.parametrize("form", ["hlog", "hgrm"])
def test_a_run_without_a_latency_has_nothing_for_formats_of_latencies(tmp_path: Path, form: str) -> None:
    with pytest.raises(UsageError, match="holds no latency"):
        export_run(store_without_latency(tmp_path), form)


SERIES, WHOLE, SECONDS = "intervals.parquet", "histograms.npz", "interval_histograms.parquet"
READS = {
    "omb": (SERIES, WHOLE, SECONDS),
    "hlog": (WHOLE, SECONDS, "events.jsonl"),
    "hgrm": (WHOLE,),
    "csv": (SERIES, WHOLE),
    "parquet": (SERIES, WHOLE, SECONDS),
    "openmetrics": (SERIES, SECONDS, "events.jsonl"),
}


def test_every_format_is_tried_with_damaged_files() -> None:
    assert READS.keys() == FORMATS.keys()


@pytest.mark.parametrize(("form", "name"), [(form, name) for form, names in READS.items() for name in names])
def test_a_damaged_file_is_told_in_one_line(tmp_path: Path, form: str, name: str) -> None:
    stored = store(tmp_path, known(100))
    damaged = stored.path / name
    damaged.chmod(0o644)
    damaged.write_bytes(damaged.read_bytes()[: damaged.stat().st_size // 2])

    with pytest.raises(UsageError, match=f"{re.escape(name)} is damaged") as caught:
        export_run(stored, form)
    assert "\n" not in caught.value.message


@pytest.mark.parametrize("form", ["hgrm", "hlog"])
def test_where_no_record_is_due_at_a_time_there_is_no_publish_latency_but_the_service_time(
    tmp_path: Path, form: str
) -> None:
    durations = known()
    at_max = store(tmp_path, durations)
    (producer,) = at_max.result.producers.values()
    told = producer.model_copy(update={"publish_latency_is_service_time": True})
    exported = export_run(
        replace(at_max, result=at_max.result.model_copy(update={"producers": {"checkout": told}})), form
    )
    text = "".join([*exported.contents, *(held.decode() for held in exported.contents.values())])
    assert "checkout-service_time" in text
    assert "checkout-publish_latency" not in text
