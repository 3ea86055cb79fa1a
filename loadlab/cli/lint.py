"""`loadlab lint`: mistakes that configurations are known to have, without a cluster."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from loadlab.cli.options import OutputFormat, examples, output_option, set_option
from loadlab.cli.output import Line, print_json, print_lines
from loadlab.errors import EXIT_OK, EXIT_THRESHOLD_FAILED
from loadlab.scenario import load
from loadlab.scenario.lint import lint_file, lint_loaded

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pydantic import JsonValue

    from loadlab.cli.output import Style
    from loadlab.scenario.lint import LintFinding, Severity

_STYLES: dict[Severity, Style] = {"high": "bad", "medium": "warn", "low": "plain"}


@click.command(
    epilog=examples(
        "loadlab lint scenarios/quickstart.yaml",
        "loadlab lint producer.properties",
        "loadlab lint scenarios/quickstart.yaml --set producers.checkout.config.acks=1 --strict",
    )
)
@click.argument("file", type=click.Path(path_type=Path))
@set_option
@click.option("--strict", is_flag=True, help="Exit 99 where anything is found.")
@output_option
def lint(file: Path, overrides: tuple[str, ...], *, strict: bool, output: OutputFormat) -> int:
    """Tell what is allowed in FILE and most likely not meant; each with reason, source and fix.

    FILE is a scenario, or the .properties of a client (Java's or librdkafka's) or a broker.
    """
    findings = _findings(file, overrides)
    if output == "json":
        print_json([_document(finding) for finding in findings])
    else:
        print_lines(_lines(str(file), findings))
    return EXIT_THRESHOLD_FAILED if strict and findings else EXIT_OK


def _findings(file: Path, overrides: tuple[str, ...]) -> list[LintFinding]:
    if file.suffix != ".properties":
        return lint_loaded(load(file, overrides, os.environ))
    if overrides:
        raise click.UsageError("--set is for scenarios")
    return lint_file(file)


def _lines(name: str, findings: Sequence[LintFinding]) -> Iterator[Line]:
    if not findings:
        yield Line(f"{name}: nothing found", "good")
    for finding in findings:
        rule = finding.rule
        where = f"{finding.place}: {finding.path}" if finding.place else finding.path
        yield Line(f"{rule.severity}  {rule.code}  {where}: {finding.message}", _STYLES[rule.severity])
        yield Line(f"      {rule.reason}")
        yield Line(f"      fix: {rule.fix}")
        yield Line(f"      {rule.source}", "dim")


def _document(finding: LintFinding) -> dict[str, JsonValue]:
    rule = finding.rule
    return {
        "code": rule.code,
        "severity": rule.severity,
        "path": finding.path,
        "place": finding.place,
        "message": finding.message,
        "reason": rule.reason,
        "fix": rule.fix,
        "source": rule.source,
    }
