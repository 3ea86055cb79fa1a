"""What control groups of both versions allow: quotas of CPU time, and memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from loadlab.cgroups import available_bytes
from loadlab.run.quota import Periods, read_periods, throttled_share

if TYPE_CHECKING:
    from pathlib import Path

V2 = "usage_usec 5\nnr_periods {}\nnr_throttled {}\nthrottled_usec 7\n"
V1 = "nr_periods {}\nnr_throttled {}\nthrottled_time 7\n"


def group(folder: Path, text: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "cpu.stat").write_text(text)


@pytest.mark.parametrize(
    ("line", "place", "text"),
    [
        ("0::/system.slice/lab.service", "system.slice/lab.service", V2),
        ("4:cpu,cpuacct:/docker/abc", "cpu,cpuacct/docker/abc", V1),
    ],
)
def test_a_quota_is_read_of_the_group_that_has_it(tmp_path: Path, line: str, place: str, text: str) -> None:
    own = tmp_path / "own"
    own.write_text(f"9:name=systemd:/\n3:cpuset:/\n{line}\n")
    group(tmp_path / place, text.format(100, 30))
    assert read_periods(tmp_path, own) == {str(tmp_path / place): Periods(100, 30)}


def test_a_quota_of_a_group_above_counts_too(tmp_path: Path) -> None:
    own = tmp_path / "own"
    own.write_text("0::/pod/container\n")
    group(tmp_path / "pod", V2.format(100, 30))
    group(tmp_path / "pod" / "container", V2.format(0, 0))
    assert list(read_periods(tmp_path, own)) == [str(tmp_path / "pod")]


def test_without_control_groups_there_is_no_quota(tmp_path: Path) -> None:
    assert read_periods(tmp_path, tmp_path / "none") == {}


def test_the_strictest_quota_is_told_and_none_without_one() -> None:
    begin = {"pod": Periods(100, 30), "container": Periods(100, 0), "idle": Periods(5, 5)}
    end = {"pod": Periods(200, 40), "container": Periods(200, 50), "idle": Periods(5, 5)}
    assert throttled_share(begin, end) == 0.5
    assert throttled_share(end, end) is throttled_share({}, {}) is None


@pytest.mark.parametrize(
    ("line", "place", "names"),
    [
        (
            "0::/system.slice/lab.service",
            "system.slice",
            ("memory.max", "memory.current", "inactive_file"),
        ),
        (
            "4:memory:/docker/abc",
            "memory/docker/abc",
            ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
        ),
    ],
)
def test_a_group_s_memory_limit_leaves_less_than_the_machine_has(
    tmp_path: Path, line: str, place: str, names: tuple[str, str, str]
) -> None:
    limit, use, files = names
    own = tmp_path / "own"
    own.write_text(f"{line}\n")
    group = tmp_path / place
    group.mkdir(parents=True)
    (group / limit).write_text("1000000\n")
    (group / use).write_text("300000\n")
    (group / "memory.stat").write_text(f"anon 5\n{files} 100000\n")
    assert available_bytes(tmp_path, own) == 800_000
    (group / use).write_text("2000000\n")
    assert available_bytes(tmp_path, own) == 0
    (group / limit).write_text("max\n")
    assert available_bytes(tmp_path, own) > 1 << 20
