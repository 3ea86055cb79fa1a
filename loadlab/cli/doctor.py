"""`loadlab doctor`: what this machine can do, and how to mend what it can't."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from loadlab.cli.options import OutputFormat, examples, output_option
from loadlab.cli.output import Line, print_json, print_lines
from loadlab.cluster import doctor_checks
from loadlab.errors import EXIT_NO_CLUSTER, EXIT_OK

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from loadlab.cluster import Check


@click.command(epilog=examples("loadlab doctor", "loadlab doctor --output json"))
@output_option
def doctor(output: OutputFormat) -> int:
    """Check what this machine can do; exit 3 where it can start no real Kafka."""
    checks = doctor_checks()
    if output == "json":
        print_json([asdict(check) for check in checks])
    else:
        print_lines(line for check in checks for line in _told(check))
    return EXIT_OK if _starts_kafka(checks) else EXIT_NO_CLUSTER


def _starts_kafka(checks: Sequence[Check]) -> bool:
    """Whether what each provider needs is in order, and all that one of them needs."""

    def in_order(needed_by: str | None) -> bool:
        return all(check.ok for check in checks if check.needed_by == needed_by)

    return in_order(None) and (in_order("docker") or in_order("local"))


def _told(check: Check) -> Iterator[Line]:
    yield Line(
        f"{'ok' if check.ok else 'failed':<8} {check.name}: {check.detail}", "plain" if check.ok else "bad"
    )
    if not check.ok and check.fix:
        yield Line(f"{'':<8} fix: {check.fix}")
