"""Every mistake in a study is told, at its place: beside each file in tests/studies/invalid stands how."""

from __future__ import annotations

from pathlib import Path

import pytest
from study_samples import STUDIES

from loadlab.errors import EXIT_USAGE, ScenarioError
from loadlab.tuning.study_file import load_study

INVALID = STUDIES / "invalid"
CASES = sorted(path.stem for path in INVALID.glob("*.yaml"))


@pytest.mark.parametrize("case", CASES)
def test_a_wrong_study_is_told_as_expected(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(INVALID)
    with pytest.raises(ScenarioError) as refused:
        load_study(Path(f"{case}.yaml"))

    assert refused.value.exit_code == EXIT_USAGE
    assert refused.value.message + "\n" == (INVALID / f"{case}.txt").read_text(encoding="utf-8")


def test_no_expectation_is_left_without_its_study() -> None:
    assert sorted(path.stem for path in INVALID.glob("*.txt")) == CASES


def test_a_secret_is_never_quoted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(INVALID)
    with pytest.raises(ScenarioError) as refused:
        load_study(Path("knobs.yaml"))

    assert "hunter2" in Path("knobs.yaml").read_text(encoding="utf-8")
    assert "hunter2" not in refused.value.message


def test_the_problems_of_a_study_and_of_its_scenario_are_told_together(tmp_path: Path) -> None:
    (tmp_path / "scenario.yaml").write_text("name: x\ntopcs: {orders: {}}\n", encoding="utf-8")
    study = tmp_path / "study.yaml"
    study.write_text(
        "study: x\nscenario: scenario.yaml\nobjective: {maximize: capacity}\nsed: 1\n", encoding="utf-8"
    )
    with pytest.raises(ScenarioError) as refused:
        load_study(study)

    assert f"{study}:4:1: sed: unknown key" in refused.value.message
    assert f"{tmp_path / 'scenario.yaml'}:2:1: topcs: unknown key" in refused.value.message
