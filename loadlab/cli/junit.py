"""Runs as JUnit XML: the form in which CI servers take tests, here the verdict and each threshold.

The elements and attributes are those that Jenkins, GitLab and GitHub's reporters read: testsuites, testsuite,
testcase, failure, error, skipped and system-out.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final
from xml.etree import ElementTree as ET

from loadlab.cli.summary_thresholds import measured_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from loadlab.results.model import RunResult, Threshold

_NOT_IN_XML: Final = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def suite_of(result: RunResult, error: str | None = None, number: int | None = None) -> ET.Element:
    """A run that has a result, as a testsuite.

    Args:
        result: the run's.
        error: why it failed all the same; None where it did not.
        number: of the repetition, from 1; None where it is the only run. Some servers drop what they take
            for the same test, so that repetitions need names of their own.
    """
    suite = _suite(result.name if number is None else f"{result.name}.run-{number}", result.duration_s)
    suite.set("timestamp", result.started_at.strftime("%Y-%m-%dT%H:%M:%S"))
    properties = ET.SubElement(suite, "properties")
    ET.SubElement(properties, "property", name="run_id", value=result.run_id)
    _verdict(_case(suite, "verdict", result.duration_s), result, error)
    for threshold in result.thresholds:
        _threshold(_case(suite, threshold.expression), threshold)
    return suite


def failed_suite(name: str, expressions: Sequence[str], error: str) -> ET.Element:
    """A run without a result, as a testsuite: an error, and what could not be judged.

    Args:
        name: the scenario's.
        expressions: its thresholds.
        error: why there is no result.
    """
    suite = _suite(name)
    _outcome(_case(suite, "verdict"), "error", "failed", error)
    for expression in expressions:
        ET.SubElement(_case(suite, expression), "skipped", message="not judged: the run has no result")
    return suite


def document(suites: Sequence[ET.Element]) -> bytes:
    """The file: all suites with their numbers of tests, failures, errors and skipped ones."""
    whole = ET.Element("testsuites", name="loadlab")
    whole.extend(suites)
    for element in (*suites, whole):
        element.set("tests", str(len(list(element.iter("testcase")))))
        element.set("failures", str(len(list(element.iter("failure")))))
        element.set("errors", str(len(list(element.iter("error")))))
        element.set("skipped", str(len(list(element.iter("skipped")))))
    whole.set("time", _seconds(sum(float(suite.get("time", "0")) for suite in suites)))
    ET.indent(whole)
    written: bytes = ET.tostring(whole, encoding="utf-8", xml_declaration=True)
    return written + b"\n"


def _suite(name: str, duration_s: float = 0.0) -> ET.Element:
    return ET.Element("testsuite", name=_text(name), time=_seconds(duration_s))


def _case(suite: ET.Element, name: str, duration_s: float = 0.0) -> ET.Element:
    classname = f"loadlab.{suite.get('name')}"
    return ET.SubElement(suite, "testcase", classname=classname, name=_text(name), time=_seconds(duration_s))


def _verdict(case: ET.Element, result: RunResult, error: str | None) -> None:
    """An error where the run did not go to its end, a failure where its measurement can't be trusted."""
    reasons = "\n".join(f"{reason.code}: {reason.message}" for reason in result.verdict.reasons)
    status = result.verdict.status
    if error is not None:
        _outcome(case, "error", "failed", error, reasons)
    elif result.interrupted:
        _outcome(case, "error", "interrupted", "interrupted: the figures are those until then", reasons)
    elif status == "invalid":
        _outcome(case, "failure", status, "the run is invalid: its figures can't be trusted", reasons)
    elif reasons:
        ET.SubElement(case, "system-out").text = _text(f"{status}\n{reasons}")


def _threshold(case: ET.Element, threshold: Threshold) -> None:
    if not threshold.passed:
        kind = "not measurable" if threshold.measured is None else "threshold"
        _outcome(case, "failure", kind, f"{threshold.expression}: {measured_text(threshold)}")


def _outcome(case: ET.Element, element: str, kind: str, message: str, details: str = "") -> None:
    found = ET.SubElement(case, element, type=kind, message=_text(message))
    found.text = _text(details or message)


def _text(text: str) -> str:
    """A text without the characters that XML 1.0 can't hold, not even escaped."""
    return _NOT_IN_XML.sub("\N{REPLACEMENT CHARACTER}", text)


def _seconds(duration_s: float) -> str:
    return f"{duration_s:.3f}"
