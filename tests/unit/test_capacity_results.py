"""What a search leaves: its file, its curve, and what the command line shows of it."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import pytest
from capacity_samples import CAPACITY_ID, PROBES, capacity, probe
from click.testing import CliRunner, Result

from loadlab.cli.capacity_view import answer_text, begun_line, capacity_lines, probe_line
from loadlab.cli.main import cli
from loadlab.errors import RunError, UsageError
from loadlab.results.capacity_store import StoredCapacity, load_capacity, save_capacity
from loadlab.results.growing import only_writer
from loadlab.results.model_capacity import CapacityAnswer
from loadlab.results.reader import load_any
from loadlab.tuning.capacity_curve import curve, knee

MORE = ", and up to 10.0 s more a drain"


def called(*arguments: str | Path) -> Result:
    return CliRunner().invoke(cli, [str(argument) for argument in arguments])


def shown(**changes: object) -> list[str]:
    return [line.text for line in capacity_lines(StoredCapacity(capacity(**changes), Path("results/a")))]


def test_a_stored_search_comes_back_as_it_was(tmp_path: Path) -> None:
    stored = save_capacity(capacity(), tmp_path)
    assert load_capacity(CAPACITY_ID, tmp_path) == stored
    assert [path.name for path in (tmp_path / CAPACITY_ID).iterdir()] == ["capacity.json"]


def test_storing_again_replaces_the_whole_file(tmp_path: Path) -> None:
    save_capacity(capacity(probes=(), finished=False), tmp_path)
    save_capacity(capacity(), tmp_path)
    assert load_capacity(CAPACITY_ID, tmp_path).result.probes == PROBES


def test_a_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / CAPACITY_ID).touch()
    with pytest.raises(RunError, match="could not be stored"):
        save_capacity(capacity(), tmp_path)


def test_a_search_is_found_by_what_only_its_id_begins_or_ends_with(tmp_path: Path) -> None:
    stored = save_capacity(capacity(), tmp_path)
    assert load_capacity(CAPACITY_ID[-4:], tmp_path) == load_capacity(CAPACITY_ID[:15], tmp_path) == stored
    save_capacity(capacity(capacity_id=f"{CAPACITY_ID}-{CAPACITY_ID[-4:]}"), tmp_path)
    with pytest.raises(UsageError, match=f"may be {CAPACITY_ID} or {CAPACITY_ID}-"):
        load_capacity(CAPACITY_ID[-4:], tmp_path)


def test_a_search_that_is_not_there_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no capacity search"):
        load_capacity("nothing", tmp_path)


@pytest.mark.parametrize(
    ("change", "message"), [({"schema_version": 2}, "version 2"), ({"probes": 7}, "probes")]
)
def test_what_this_version_can_not_read_is_told(
    tmp_path: Path, change: dict[str, object], message: str
) -> None:
    path = save_capacity(capacity(), tmp_path).path / "capacity.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(UsageError, match=message):
        load_capacity(CAPACITY_ID, tmp_path)


def test_two_processes_do_not_go_on_with_one_search(tmp_path: Path) -> None:
    with only_writer(tmp_path), pytest.raises(UsageError, match="another process"), only_writer(tmp_path):
        pass
    with only_writer(tmp_path):
        pass


def test_the_curve_has_what_was_measured_at_a_rate_lowest_first() -> None:
    rates = [one.rate_per_s for one in curve([*PROBES, probe(210_000.0, verdict="unmeasured")])]
    assert rates == [20_000.0, 152_000.0, 182_000.0, 182_000.0, 187_000.0, 187_000.0, 196_000.0]


def test_the_knee_is_where_records_per_latency_are_most() -> None:
    """Records/s per ms of p99: 4,444 · 19,000 · 5,687 · 2,690 · 218."""
    found = knee(PROBES)
    assert found is not None
    assert (found.rate_per_s, found.publish_p99_us) == (152_000.0, 8_000.0)


def test_of_a_rate_that_was_probed_twice_the_median_counts() -> None:
    lucky = probe(182_000.0, 3_000.0)
    assert knee([probe(20_000.0), probe(152_000.0, 8_000.0), lucky, lucky, *PROBES]) == knee(
        [probe(20_000.0), probe(152_000.0, 8_000.0), *PROBES, lucky, lucky]
    )


@pytest.mark.parametrize(
    "p99s_us",
    [[1_000.0, 2_000.0], [1_000.0, 5_000.0, 9_000.0], [1_000.0, 1_000.0, 1_000.0], [None, None, None]],
)
def test_a_curve_without_a_bend_has_no_knee(p99s_us: list[float | None]) -> None:
    assert knee([probe(1_000.0 * number, p99) for number, p99 in enumerate(p99s_us, start=1)]) is None


def test_the_summary_has_the_answer_the_curve_and_the_knee() -> None:
    lines = shown()
    assert lines[0] == "capacity of quickstart: holds 182k/s, fails 187k/s"
    assert lines[4].split() == ["rate", "achieved", "p50", "p99"]
    assert [line.split()[0] for line in lines[5:12]] == [
        "20.0k/s", "152k/s", "182k/s", "182k/s", "187k/s", "187k/s", "196k/s",
    ]  # fmt: skip
    assert lines[12].split()[0] == "max"
    assert "does not hold: publish_latency p99 < 50ms (71 ms) (suspect run)" in lines[9]
    assert lines[13].startswith("knee             152k/s at p99 8.00 ms")


@pytest.mark.parametrize(
    ("kind", "holds_per_s", "fails_per_s", "text"),
    [
        ("at_least", 50_000.0, None, "holds 50.0k/s at least: nothing higher was probed"),
        (
            "generator",
            9e4,
            1.2e5,
            "holds 90.0k/s at least: the generator is the limit at 120k/s, 140k/s fails",
        ),
        (
            "generator",
            9e4,
            1.3e5,
            "holds 90.0k/s at least: nothing could be measured at 130k/s, 140k/s fails",
        ),
        (
            "generator",
            9e4,
            1.5e5,
            "holds 90.0k/s at least: the generator is the limit at 150k/s",
        ),
        ("below", None, 200.0, "fails 200/s already, the lowest rate probed: too slow"),
        ("below", None, 1.4e5, "fails 140k/s already, the lowest rate that could be measured: much too slow"),
        ("nothing", None, 200.0, "nothing could be measured: generator_limited: sent late"),
    ],
)
def test_each_kind_of_answer_has_its_words(
    kind: str, holds_per_s: float | None, fails_per_s: float | None, text: str
) -> None:
    found = {"kind": kind, "holds_per_s": holds_per_s, "fails_per_s": fails_per_s, "sure": True}
    probes = (
        probe(200.0, verdict="fails", failed=("too slow",)),
        probe(1.2e5, verdict="unmeasured", failed=("generator_limited: sent late",)),
        probe(1.3e5, verdict="unmeasured", failed=("worker_died: worker 0",)),
        probe(1.4e5, verdict="fails", failed=("much too slow",)),
        probe(1.5e5, verdict="unmeasured", failed=("client_cpu: of one core",)),
        probe(1.6e5, verdict="fails", failed=("foreign",), disturbed=True),
    )
    assert answer_text(capacity(answer=CapacityAnswer.model_validate(found), probes=probes)) == text


def test_a_rate_below_the_one_that_fails_could_not_be_measured() -> None:
    found = CapacityAnswer(kind="below", holds_per_s=None, fails_per_s=200.0, sure=True)
    probes = (
        probe(200.0, verdict="fails", failed=("too slow",)),
        probe(50.0, verdict="unmeasured", failed=("generator_limited: sent late",)),
    )
    said = answer_text(capacity(answer=found, probes=probes))
    assert said == "fails 200/s already, the lowest rate that could be measured: too slow"


def test_rates_that_lie_close_are_told_apart() -> None:
    for holds, fails, text in (
        (100_010.0, 100_490.0, "holds 100,010/s, fails 100,490/s"),
        (1_000.2, 1_000.4, "holds 1,000.2/s, fails 1,000.4/s"),
        (0.5012, 0.5034, "holds 0.501/s, fails 0.503/s"),
        (152e3, 187e3, "holds 152k/s, fails 187k/s"),
    ):
        found = CapacityAnswer(kind="between", holds_per_s=holds, fails_per_s=fails, sure=True)
        assert answer_text(capacity(answer=found)) == text


def test_what_could_not_be_measured_stands_in_the_table_with_its_reason() -> None:
    late = probe(210_000.0, verdict="unmeasured", failed=("generator_limited: sent late",), status="invalid")
    assert "not measured: generator_limited: sent late" in shown(probes=(*PROBES, late))[12]


def test_an_interrupted_search_says_how_to_go_on() -> None:
    assert f"--resume {CAPACITY_ID}" in shown(finished=False)[1]


def test_a_trial_that_was_interrupted_is_its_study_s_to_repeat() -> None:
    study = "20261123T161500-orders-study-k3f9"
    told = f"interrupted: its study repeats it, with --resume {study}"
    assert shown(finished=False, study=study)[1] == told


def test_a_search_that_a_process_is_at_is_not_interrupted(tmp_path: Path) -> None:
    search = save_capacity(capacity(finished=False), tmp_path)
    with only_writer(search.path):
        assert next(itertools.islice(capacity_lines(search), 1, None)).text.startswith("under way")
        assert search.under_way
    assert not search.under_way


def test_ends_that_were_not_probed_again_are_said_to_be_unsure() -> None:
    answer = capacity().answer.model_copy(update={"sure": False})
    assert shown(answer=answer)[1] == "not sure: one of the two rates was not probed again"
    alone = answer.model_copy(update={"kind": "at_least", "fails_per_s": None})
    assert shown(answer=alone)[1] == "not sure: the rate was not probed again"


def test_an_edge_that_only_suspect_runs_tell_of_is_said_to_be_so() -> None:
    """What else used the machine may have slowed the brokers, too."""
    at_edge = [probe(187_000.0, verdict="fails", status=status) for status in ("suspect", "valid")]
    others = [each for each in PROBES if each.rate_per_s != 187_000.0]
    assert any("known from suspect runs only" in line for line in shown(probes=(*others, at_edge[0])))
    assert not any("suspect runs" in line for line in shown(probes=(*others, *at_edge)))


def test_a_mock_is_no_kafka() -> None:
    mock = capacity().cluster
    assert mock is not None
    lines = shown(cluster=mock.model_copy(update={"kind": "mock"}))
    assert "mock broker: not Kafka" in lines


def test_the_plan_says_how_long_it_takes_and_how_to_go_on() -> None:
    stored = StoredCapacity(capacity(probes=(), finished=False), Path("results/a"))
    assert begun_line(stored).splitlines() == [
        f"capacity of quickstart: at most 10 probes of 38.0 s: 6 min 20 s in all{MORE}",
        "a Kafka cluster is warmed up first, by 6 to 30 rounds of 5 s; --no-warm-up leaves that out",
        f"after an interruption: the same command with --resume {CAPACITY_ID}",
    ]
    assert "warmed up" not in begun_line(stored, warms_up=False)


def test_a_probe_is_told_on_one_line() -> None:
    assert probe_line(capacity(probes=PROBES[:4])) == (
        "probe 4 of at most 10: 196k/s · achieved 196k/s · p50 1.20 ms · p99 900 ms · does not hold: "
        "publish_latency p99 < 50ms (900 ms)"
    )
    assert "max · achieved 190k/s" in probe_line(capacity(probes=PROBES[:2]))


def test_show_tells_of_a_stored_search(tmp_path: Path) -> None:
    save_capacity(capacity(), tmp_path)
    told = called("show", CAPACITY_ID, "--results-dir", tmp_path)
    assert told.exit_code == 0
    assert told.stdout.splitlines()[0] == "capacity of quickstart: holds 182k/s, fails 187k/s"
    as_json = called("show", CAPACITY_ID, "--results-dir", tmp_path, "--output", "json")
    assert json.loads(as_json.stdout)["answer"]["holds_per_s"] == 182_000.0


def test_list_tells_of_a_stored_search(tmp_path: Path) -> None:
    save_capacity(capacity(), tmp_path)
    (line,) = called("list", "--results-dir", tmp_path).stdout.splitlines()
    assert line.split()[0] == CAPACITY_ID
    assert "capacity" in line
    assert "holds 182k/s, fails 187k/s" in line
    (entry,) = json.loads(called("list", "--results-dir", tmp_path, "--output", "json").stdout)
    assert entry["capacity_id"] == CAPACITY_ID
    (tmp_path / CAPACITY_ID / "capacity.json").write_text("{")
    assert "can't be read" in called("list", "--results-dir", tmp_path).stdout


def test_a_search_is_no_run(tmp_path: Path) -> None:
    save_capacity(capacity(), tmp_path)
    with pytest.raises(UsageError, match="is a capacity search"):
        load_any(CAPACITY_ID, tmp_path)
