"""Documents that grow while something is searched: written anew at each step, by one process at a time."""

from __future__ import annotations

import contextlib
import fcntl
from pathlib import Path
from typing import TYPE_CHECKING

from loadlab.errors import RunError, UsageError
from loadlab.files import NOW, fsync, locked, write_whole
from loadlab.results.publish import fix_for
from loadlab.results.run_id import is_called

if TYPE_CHECKING:
    from collections.abc import Iterator

    from loadlab.results.model_base import Model


def folder_of(asked: str, results_dir: Path, file: str) -> Path:
    """The folder of a search or study: by its id, or by the id's beginning or end where only one has it.

    Args:
        asked: as the user names it.
        results_dir: where it stands.
        file: what such a folder holds.

    Raises:
        UsageError: it is the beginning or end of several.
    """
    folder = results_dir / asked
    if not asked or (folder / file).is_file():
        return folder
    known = sorted(path.parent.name for path in results_dir.glob(f"*/{file}"))
    alike = [name for name in known if is_called(name, asked)]
    if len(alike) > 1:
        raise UsageError(f"{asked} may be {', '.join(alike[:-1])} or {alike[-1]}", fix="write more of the id")
    return results_dir / alike[0] if alike else folder


def refuse_other_id(asked: str, identity: str, folder: Path, what: str) -> None:
    """Refuses a path, or a folder of another name, for the id of a search or study.

    It would be read, but what it goes on with is written to the folder of its id.

    Raises:
        UsageError: with the id.
    """
    if folder.name != identity or Path(asked).name != asked:
        raise UsageError(
            f"{asked} is not the id of the {what} in {folder}",
            fix=f"name {identity}, in a folder of that name; --results-dir says where to look",
        )


def write_anew(document: Model, path: Path, what: str) -> None:
    """Store a document as it is now: whoever reads it, also after a kill, finds the old or the new whole.

    Args:
        document: what to store.
        path: its file; the folder is made if it is missing.
        what: what the document is of, for the error: "search".

    Raises:
        RunError: it can't be written.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, document.model_dump_json(indent=2) + "\n")
        fsync(path.parent.parent)
    except OSError as error:
        raise RunError(
            f"the {what} could not be stored in {path.parent}: {error.strerror}",
            fix=fix_for(error),
        ) from error


def is_under_way(folder: Path) -> bool:
    """Whether a process goes on with what the folder holds, as far as that can be told."""
    try:
        with locked(folder, fcntl.LOCK_SH | NOW):
            return False
    except OSError as error:
        return isinstance(error, BlockingIOError)


@contextlib.contextmanager
def only_writer(folder: Path) -> Iterator[None]:
    """Keep a second process from going on with what the folder holds; a killed one loses its claim.

    Raises:
        UsageError: another process is at it.
    """
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(locked(folder, fcntl.LOCK_EX | NOW))
        except BlockingIOError as error:
            what = f"another process goes on with {folder.name} now"
            raise UsageError(what, fix="wait for its end") from error
        yield
