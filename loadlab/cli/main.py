"""The `loadlab` command: its subcommands, and what becomes of errors.

Subcommands are imported when they are called, so that help comes at once and `validate` needs no compiler.
"""

from __future__ import annotations

import atexit
import contextlib
import difflib
import gc
import importlib
import io
import os
import sys
import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import click

from loadlab import __version__
from loadlab.cli.output import print_note
from loadlab.errors import EXIT_INTERRUPTED, EXIT_OK, EXIT_RUN_FAILED, LoadlabError, ScenarioError
from loadlab.run.interrupts import Interrupts, heed_no_more, heeding


@dataclass(frozen=True)
class Subcommand:
    """Where a subcommand stands, and its line in the overview."""

    module: str
    attribute: str
    help: str


SUBCOMMANDS = {
    "run": Subcommand("loadlab.cli.run", "run", "Run a scenario and store its result."),
    "demo": Subcommand("loadlab.cli.run", "demo", "Run the quickstart on the best cluster at hand."),
    "tune": Subcommand("loadlab.cli.tune", "tune_command", "Search the configuration that does best."),
    "capacity": Subcommand("loadlab.cli.capacity", "capacity", "Search the highest rate that holds."),
    "validate": Subcommand("loadlab.cli.validate", "validate", "Check a scenario or a study; start nothing."),
    "lint": Subcommand("loadlab.cli.lint", "lint", "Tell what is most likely not meant; start nothing."),
    "plan": Subcommand("loadlab.cli.plan", "plan", "Show what a run would do; start nothing."),
    "doctor": Subcommand("loadlab.cli.doctor", "doctor", "Check what this machine can do."),
    "list": Subcommand("loadlab.cli.stored", "list_command", "List stored runs."),
    "show": Subcommand("loadlab.cli.stored", "show", "Show a stored run's summary."),
    "study": Subcommand("loadlab.cli.study", "study_group", "List, show and export studies."),
    "compare": Subcommand("loadlab.cli.compare", "compare", "Compare two runs or run sets."),
    "import": Subcommand("loadlab.cli.import_", "import_group", "Make a scenario of another tool's files."),
    "export": Subcommand("loadlab.cli.export", "export", "Write a stored run for another tool."),
    "report": Subcommand("loadlab.cli.report", "report", "Make a report of stored runs."),
    "schema": Subcommand("loadlab.cli.validate", "schema", "Print the JSON Schema of scenarios or studies."),
    "cluster": Subcommand("loadlab.cli.cluster", "cluster_group", "Start, stop, list and clean clusters."),
    "image": Subcommand("loadlab.cli.image", "image_group", "Build the broker image."),
}

_DEBUG = "loadlab.debug"


class LoadlabGroup(click.Group):
    """The root group: loads subcommands when they are needed and turns errors into exit codes."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  click's signature
        """All subcommands, in the order in which a new user needs them."""
        return list(SUBCOMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Import a subcommand; it takes --debug too, wherever the user puts it.

        Raises:
            KeyboardInterrupt: a signal came meanwhile, and Python dropped what it raised.
        """
        if cmd_name not in SUBCOMMANDS:
            return None
        entry = SUBCOMMANDS[cmd_name]
        command: click.Command = getattr(importlib.import_module(entry.module), entry.attribute)
        if _was_interrupted():
            raise KeyboardInterrupt
        if not any(option.name == "debug" for option in command.params):
            command.params.append(_debug_option(hidden=True))
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the subcommand that the arguments start with, or fail with the nearest name."""
        near = [] if args[0] in SUBCOMMANDS else difflib.get_close_matches(args[0], SUBCOMMANDS, n=1)
        if near:
            ctx.fail(f"No such command '{args[0]}'. Did you mean {near[0]}?")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """The overview, without importing what it names."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, entry.help) for name, entry in SUBCOMMANDS.items()])

    def main(self, *args: Any, **options: Any) -> NoReturn:  # noqa: ANN401  (click's, which differ by version)
        """As click's; but an interrupt while it reads the arguments is one as any other."""
        try:
            code = super().main(*args, **{**options, "standalone_mode": False})
        except click.ClickException as error:
            error.show()
            code = error.exit_code
        except (click.Abort, KeyboardInterrupt) as interrupt:
            code = _tell_interrupted(interrupt)
        sys.exit(code)

    def invoke(self, ctx: click.Context) -> None:
        """Run the subcommand and leave with its exit code; no traceback reaches the user unless asked for."""
        try:
            code = super().invoke(ctx)
        except LoadlabError as error:
            _tell(ctx, error)
            code = error.exit_code
        except KeyboardInterrupt as interrupt:
            code = _tell_interrupted(interrupt)
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except Exception as error:  # noqa: BLE001  the last place that can spare the user a traceback
            _trace(ctx)
            # What a signal raises while a module is imported, or a class is made, may come as another error.
            code = _tell_interrupted(error) if _was_interrupted() else _tell_unexpected(error)
        ctx.exit(code if isinstance(code, int) else EXIT_OK)


def _debug_option(*, hidden: bool = False) -> click.Option:
    return click.Option(
        ["--debug"],
        is_flag=True,
        expose_value=False,
        hidden=hidden,
        callback=_note_debug,
        help="Show the traceback of an error.",
    )


def _note_debug(ctx: click.Context, _option: click.Parameter, wanted: bool) -> None:  # noqa: FBT001  click's signature
    if wanted:
        ctx.find_root().meta[_DEBUG] = True


def _tell(ctx: click.Context, error: LoadlabError) -> None:
    """The message and its fix; a scenario's problems start with their places, which editors can follow."""
    _trace(ctx)
    print_note(error.message if isinstance(error, ScenarioError) else f"error: {error.message}")
    if error.fix:
        print_note(f"fix: {error.fix}")


def _was_interrupted() -> bool:
    heeds = heeding()
    return heeds is not None and heeds.came


def _tell_interrupted(error: BaseException) -> int:
    heed_no_more()  # a second signal would end the telling
    # Where one came within an exec, as dataclasses have them, Python ends by SIGINT: unless by another exec.
    exec("")  # noqa: S102
    notes = getattr(error, "__notes__", ()) if isinstance(error, KeyboardInterrupt) else ()
    print_note(": ".join(["interrupted", *notes]))
    return EXIT_INTERRUPTED


def _tell_unexpected(error: Exception) -> int:
    text = " ".join(str(error).split())
    print_note(f"error: unexpected {type(error).__name__}: {text}")
    print_note("fix: this is a fault of loadlab; run again with --debug and report what it shows")
    return EXIT_RUN_FAILED


def _trace(ctx: click.Context) -> None:
    if ctx.find_root().meta.get(_DEBUG):
        print_note(traceback.format_exc())


@click.group(
    cls=LoadlabGroup,
    params=[_debug_option()],
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Start with `loadlab demo`, then `loadlab run scenarios/quickstart.yaml`.",
)
@click.version_option(__version__, prog_name="loadlab")
def cli() -> None:
    """Load-test and tune Apache Kafka.

    Exit codes: 0 done, 2 bad scenario or usage, 3 no cluster, 4 the run failed, 5 the run is invalid and
    --strict was given, 99 a threshold failed, 130 interrupted.
    """


def _on_dropped(dropped: sys.UnraisableHookArgs) -> None:
    """What Python drops it tells on stderr; of an interrupt there is nothing to tell, as it is remembered."""
    if not isinstance(dropped.exc_value, KeyboardInterrupt):
        sys.__unraisablehook__(dropped)


def main() -> None:
    """Entry point of the `loadlab` command."""
    Interrupts().heed()
    sys.unraisablehook = _on_dropped
    # What a process leaves behind goes with it: to look through all of it first takes a third of a second.
    atexit.register(gc.freeze)
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # closed by whoever started this
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115  (for good)
    for stream in (sys.stdout, sys.stderr):
        # A terminal that can't show "µ" gets "?" rather than a run that dies of it.
        if isinstance(stream, io.TextIOWrapper):
            with contextlib.suppress(ValueError):
                stream.reconfigure(errors="replace")
    try:
        cli(prog_name="loadlab")
    finally:
        heed_no_more()
