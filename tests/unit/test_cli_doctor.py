from __future__ import annotations

import json
from dataclasses import replace

import pytest
from click.testing import CliRunner, Result

from loadlab.cli import doctor as doctor_module
from loadlab.cli.main import cli
from loadlab.cluster import Check

GOOD = Check("Java", ok=True, detail="17.0.15", needed_by="local")
BAD = Check(
    "container engine",
    ok=False,
    detail="none answers",
    fix="start one: systemctl start docker",
    needed_by="docker",
)
SHARED = Check("disk for brokers", ok=False, detail="0.1 GiB free", fix="free some space")


def called(*arguments: str) -> Result:
    return CliRunner().invoke(cli, ["doctor", *arguments])


@pytest.fixture
def checks(monkeypatch: pytest.MonkeyPatch) -> list[Check]:
    found = [GOOD]
    monkeypatch.setattr(doctor_module, "doctor_checks", lambda: found)
    return found


def test_a_machine_in_order_exits_0(checks: list[Check]) -> None:
    assert checks == [GOOD]
    told = called()

    assert (told.exit_code, told.stdout) == (0, "ok       Java: 17.0.15\n")


def test_what_fails_names_its_fix_and_one_provider_is_enough(checks: list[Check]) -> None:
    checks.append(BAD)
    told = called()

    assert told.exit_code == 0
    assert told.stdout.splitlines()[1:] == [
        "failed   container engine: none answers",
        "         fix: start one: systemctl start docker",
    ]


def test_the_checks_as_json(checks: list[Check]) -> None:
    checks.append(BAD)
    told = called("--output", "json")

    assert [check["ok"] for check in json.loads(told.stdout)] == [True, False]


@pytest.mark.parametrize("broken", [[BAD, replace(GOOD, ok=False)], [GOOD, SHARED]])
def test_a_machine_that_can_start_no_kafka_exits_3(checks: list[Check], broken: list[Check]) -> None:
    checks[:] = broken

    assert called().exit_code == 3
