"""The README's commands, run as a reader would.

Its fenced blocks marked `console` are run as they stand: lines that begin with "$ " are commands, with
`# exit N` behind those that do not exit with 0, and the lines below them are shown output. Of that, a line
without digits must come out as it is, and of one with digits the first word: figures differ by machine.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from loadlab.errors import EXIT_THRESHOLD_FAILED

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")

FENCED = re.compile(r"^```(\w+)\n(.*?)^```", re.DOTALL | re.MULTILINE)
VERDICTS = {"VALID", "SUSPECT", "INVALID"}
# What keeps the commands short without being part of them; --set in a command wins over it.
SHORT = "phases.warmup=1s\nphases.measure=3s\nphases.drain=20s"


@dataclass(frozen=True)
class Command:
    """A command of the README, the exit codes that it may have, and the output that it shows."""

    line: str
    exit_codes: frozenset[int]
    shown: tuple[str, ...]


def commands() -> list[Command]:
    """All of them, in their order."""
    found = []
    for kind, block in FENCED.findall(README):
        if kind != "console":
            continue
        assert block.startswith("$ ")
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            line, *shown = part.splitlines()
            codes = re.search(r"# exit (\d+(?: or \d+)*)$", line)
            numbers = codes[1].split(" or ") if codes else ["0"]
            found.append(Command(line, frozenset(map(int, numbers)), tuple(shown)))
    return found


def _assert_shown(shown: str, output: list[str]) -> None:
    words = shown.split()
    if not re.search(r"\d", shown):
        assert shown in output
    elif words[0] in VERDICTS:
        assert VERDICTS & {line.split()[0] for line in output if line.strip()}
    else:
        assert words[0] in {line.split()[0] for line in output if line.strip()}, shown


def prepare(folder: Path) -> None:
    """Gives a folder what a reader of the README has."""
    (folder / "scenarios").symlink_to(ROOT / "scenarios")
    for kind, block in FENCED.findall(README):
        if kind == "yaml":
            name = block.splitlines()[0].removeprefix("# ")
            (folder / name).write_text(block, encoding="utf-8")


def assert_does_what_is_shown(command: Command, place: Path) -> None:
    """Runs a command in a prepared folder."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "LOADLAB_SET": SHORT}
    environment.pop("LOADLAB_RESULTS_DIR", None)
    done = subprocess.run(
        ["bash", "-c", command.line],
        cwd=place,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    output = done.stdout + done.stderr
    # A run that says that others took the machine may miss its thresholds: other tests run beside it.
    allowed = command.exit_codes | ({EXIT_THRESHOLD_FAILED} if "foreign_load: " in output else set())
    assert done.returncode in allowed, f"{command.line}\n{output}"
    for shown in command.shown:
        _assert_shown(shown, output.splitlines())


def measures(command: Command) -> bool:
    """Whether how a command ends hangs on what else uses the machine."""
    return command.line.startswith("loadlab capacity ")
