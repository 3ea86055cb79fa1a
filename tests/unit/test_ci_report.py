"""What a CI server reads of runs: JUnit XML and a page in Markdown."""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest
from result_samples import result
from run_samples import scenario_of

from loadlab.cli.ci_report import STEP_SUMMARY, CiReport, reporting
from loadlab.cli.step_summary import markdown_of
from loadlab.errors import RunError, UsageError
from loadlab.results.artifacts import Artifacts
from loadlab.results.model import ClusterUsed, Reason, RunResult, Threshold, Verdict
from loadlab.results.store import save

if TYPE_CHECKING:
    from pathlib import Path

PASSED = Threshold(expression="consumer_lag final == 0", measured=0.0, limit=0.0, unit="records", passed=True)
FAILED = Threshold(
    expression="publish_latency{topic=a&b} p99 < 4ms",
    measured=4_500.0,
    limit=4_000.0,
    unit="us",
    passed=False,
)
UNMEASURED = Threshold(expression="reconciliation lost == 0", passed=False, not_measurable="not known")
REASONS = (Reason(code="drift", message="it drifts <a lot> & more", severity="suspect"),)


def parsed(report: CiReport) -> ET.Element:
    return ET.fromstring(report.junit_document())  # noqa: S314 - our own file


def told(*results: RunResult) -> ET.Element:
    report = CiReport("small")
    for one in results:
        report.take(one)
    return parsed(report)


def case(document: ET.Element, name: str) -> ET.Element:
    (found,) = (case for case in document.iter("testcase") if case.get("name") == name)
    return found


def test_the_verdict_and_each_threshold_are_test_cases() -> None:
    document = told(result(thresholds=(PASSED, FAILED, UNMEASURED)))
    (suite,) = document

    assert (document.tag, suite.tag) == ("testsuites", "testsuite")
    for element in (document, suite):
        numbers = {name: element.get(name) for name in ("tests", "failures", "errors", "skipped")}
        assert numbers == {"tests": "4", "failures": "2", "errors": "0", "skipped": "0"}
    assert [one.get("name") for one in suite.iter("testcase")] == [
        "verdict",
        "consumer_lag final == 0",
        "publish_latency{topic=a&b} p99 < 4ms",
        "reconciliation lost == 0",
    ]
    assert {one.get("classname") for one in suite.iter("testcase")} == {f"loadlab.{result().name}"}
    assert float(suite.get("time") or 0) == pytest.approx(result().duration_s, abs=0.001)
    assert list(case(document, PASSED.expression)) == []


def test_a_failed_threshold_says_what_was_measured() -> None:
    document = told(result(thresholds=(FAILED, UNMEASURED)))
    (failed,) = case(document, FAILED.expression)
    (unmeasured,) = case(document, UNMEASURED.expression)

    assert (failed.tag, failed.get("type")) == ("failure", "threshold")
    assert failed.get("message") == f"{FAILED.expression}: 4.50 ms"
    assert (unmeasured.tag, unmeasured.get("type")) == ("failure", "not measurable")


@pytest.mark.parametrize(
    ("changes", "element", "kind"),
    [
        ({}, None, None),
        ({"verdict": Verdict(status="suspect", reasons=REASONS)}, "system-out", None),
        ({"verdict": Verdict(status="invalid", reasons=REASONS)}, "failure", "invalid"),
        ({"interrupted": True}, "error", "interrupted"),
    ],
)
def test_the_verdict_is_a_failure_where_the_figures_cannot_be_trusted(
    changes: dict[str, object], element: str | None, kind: str | None
) -> None:
    found = list(case(told(result(**changes)), "verdict"))

    assert [one.tag for one in found] == ([element] if element else [])
    assert [one.get("type") for one in found] == ([kind] if element else [])
    if "verdict" in changes:
        assert REASONS[0].message in (found[0].text or "")


def test_each_of_several_runs_is_a_suite() -> None:
    document = told(result(thresholds=(PASSED,)), result(thresholds=(FAILED,)))

    assert [suite.get("failures") for suite in document] == ["0", "1"]
    assert (document.get("tests"), document.get("failures")) == ("4", "1")


def test_characters_that_xml_cannot_hold_are_replaced() -> None:
    reason = Reason(code="x", message="a\x00b\x1bc\ud800d\u20ace", severity="invalid")
    document = told(
        result(verdict=Verdict.model_construct(status="invalid", reasons=(reason,), saturated=False))
    )

    (failure,) = case(document, "verdict")
    assert "a\ufffdb\ufffdc\ufffdd\u20ace" in (failure.text or "")


def test_a_run_without_a_result_is_an_error_and_its_thresholds_are_skipped(tmp_path: Path) -> None:
    path = tmp_path / "junit.xml"
    scenario = scenario_of(thresholds={"errors": ["count == 0"]}).scenario

    def fails() -> None:
        with reporting(path, tmp_path / "file.yaml") as report:
            report.expect(scenario)
            raise RunError("no worker could start")

    with pytest.raises(RunError):
        fails()

    document = ET.parse(path).getroot()  # noqa: S314 - our own file
    (error,) = case(document, "verdict")
    (skipped,) = case(document, "errors count == 0")
    assert (error.tag, error.get("message"), skipped.tag) == ("error", "no worker could start", "skipped")
    assert document[0].get("name") == "small"


def test_a_failed_run_that_was_stored_is_told_with_its_thresholds(tmp_path: Path) -> None:
    stored = save(result(thresholds=(PASSED, FAILED)), Artifacts(), tmp_path)
    report = CiReport("small")
    report.fail(RunError("all workers are gone", stored_in=stored.path))
    document = parsed(report)

    (error,) = case(document, "verdict")
    assert (error.tag, error.get("message")) == ("error", "all workers are gone")
    assert (document.get("failures"), document.get("errors"), document.get("skipped")) == ("1", "1", "0")
    assert "the run failed: all workers are gone" in report.markdown()


def test_a_run_that_is_killed_leaves_a_file_that_says_so(tmp_path: Path) -> None:
    path = tmp_path / "junit.xml"
    path.write_text("of an older run")
    with reporting(path, tmp_path / "small.yaml") as report:
        (error,) = case(ET.parse(path).getroot(), "verdict")  # noqa: S314 - our own file
        assert error.get("message") == "the run did not come to its end"
        report.take(result())

    assert case(ET.parse(path).getroot(), "verdict").find("error") is None  # noqa: S314 - our own file


def test_a_file_that_cannot_be_written_is_told_before_anything_runs(tmp_path: Path) -> None:
    with (
        pytest.raises(UsageError, match="can't be written"),
        reporting(tmp_path / "no" / "junit.xml", tmp_path),
    ):
        raise AssertionError("it ran")


def test_the_page_of_the_ci_is_appended_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = tmp_path / "page.md"
    page.write_text("of a step before\n")
    monkeypatch.setenv(STEP_SUMMARY, str(page))
    with reporting(None, tmp_path / "small.yaml") as report:
        report.take(result(thresholds=(PASSED, FAILED)))

    text = page.read_text()
    assert text.startswith("of a step before\n### ")
    assert "1 of 2 thresholds held" in text
    assert text.index("**failed**") < text.index("| passed |")


def test_a_page_that_cannot_be_written_fails_no_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(STEP_SUMMARY, str(tmp_path))
    with reporting(None, tmp_path / "small.yaml") as report:
        report.take(result())

    assert "could not be written" in capsys.readouterr().err


def test_names_and_messages_are_no_markup() -> None:
    sly = Threshold(
        expression="a|b `c` <img src=x> [d](e) *f*\n# g", measured=1.0, unit="count", passed=False
    )
    reason = Reason(code="x", message="</details><script>", severity="suspect")
    text = markdown_of(result(thresholds=(sly,), verdict=Verdict(status="suspect", reasons=(reason,))))
    (line,) = (line for line in text.splitlines() if "**failed**" in line)

    assert line == r"| **failed** | a\|b \`c\` &lt;img src=x\> \[d\]\(e\) \*f\* \# g | 1 |"
    assert "<script>" not in text


def test_a_page_that_can_not_be_written_in_the_end_takes_no_outcome_away(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "gone"
    folder.mkdir()

    def run_without_folder(error: RunError | None) -> None:
        with reporting(folder / "junit.xml", tmp_path):
            (folder / "junit.xml").unlink()
            folder.rmdir()
            if error is not None:
                raise error

    with pytest.raises(RunError, match="the brokers died"):
        run_without_folder(RunError("the brokers died"))
    assert "can't be written" in capsys.readouterr().err
    folder.mkdir()
    with pytest.raises(RunError, match="can't be written"):
        run_without_folder(None)


def test_repetitions_have_names_of_their_own() -> None:
    """GitLab takes two tests of one name for one, and shows the first."""
    report = CiReport("small")
    for number in (1, 2):
        report.take(result(thresholds=(PASSED,)), number=number)
    document = parsed(report)

    names = [(one.get("classname"), one.get("name")) for one in document.iter("testcase")]
    assert len(set(names)) == len(names) == 4
    assert [suite.get("name") for suite in document] == [f"{result().name}.run-{number}" for number in (1, 2)]


def test_a_page_says_what_its_figures_are_of() -> None:
    mock = ClusterUsed(provider="embedded", kind="mock", brokers=1)
    told = markdown_of(result(cluster=mock, verdict=Verdict(status="valid", saturated=True)))

    assert "- cluster: embedded · 1 broker" in told
    assert "- mock broker: not Kafka" in told
    assert "- saturated: the cluster was the limit" in told


def test_an_interrupted_run_is_told_in_the_command_s_words() -> None:
    report = CiReport("small")
    report.fail(KeyboardInterrupt())
    (error,) = parsed(report).iter("error")

    assert error.get("message") == "interrupted"
