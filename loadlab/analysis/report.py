"""Reports: a notebook, executed, as one HTML page that stands alone, with the notebook beside it."""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import signal
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

import jupytext
import nbformat
from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
from jupyter_client.provisioning.local_provisioner import LocalProvisioner
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from nbconvert import HTMLExporter

from loadlab.analysis.export.files import write_files
from loadlab.errors import RunError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from nbformat import NotebookNode

PARAMETERS: Final = "parameters"
"""The tag of the cell whose values a report replaces, as papermill has it."""

_TEMPLATES: Final = Path(__file__).parent / "report_template"
_CELL_TIMEOUT_S: Final = 120
_KILLED: Final = "run it again; where that happens again, see whether the machine is out of memory"
_MARK: Final = "loadlab_sources"
"""The metadata by which a notebook that a report wrote is known, as long as nobody has gone on from it."""
_HEADING: Final = re.compile(r"^##? (.+)$", re.MULTILINE)


@dataclass(frozen=True)
class Section:
    """An entry of a report's table of contents."""

    anchor: str
    title: str


@dataclass(frozen=True, eq=False)
class Report:
    """A report that is made and not yet written.

    Attributes:
        html: the page.
        notebook: the executed notebook as JSON text.
    """

    html: str
    notebook: str


def make_report(notebook: Path, parameters: Mapping[str, object], title: str) -> Report:
    """Execute a notebook and make a page of it.

    Args:
        notebook: a jupytext percent script with a cell tagged "parameters".
        parameters: plain values by the names that the cell gives defaults.
        title: of the page.

    Raises:
        RunError: a cell failed, or the kernel did.
    """
    executed = execute(read_notebook(notebook, parameters))
    executed.metadata[_MARK] = _digest(executed)
    return Report(html=as_html(executed, title), notebook=nbformat.writes(executed) + "\n")


def read_notebook(path: Path, parameters: Mapping[str, object]) -> NotebookNode:
    """Read a notebook and set its parameters, in a cell of their own behind that of the defaults.

    Raises:
        ValueError: the notebook has no cell tagged "parameters".
    """
    notebook = jupytext.read(path, fmt="py:percent")
    place = next((at for at, cell in enumerate(notebook.cells) if PARAMETERS in _tags(cell)), None)
    if place is None:
        raise ValueError(f"{path} has no cell tagged {PARAMETERS}")
    # repr, so that no value can be anything but a value.
    source = "\n".join(f"{name} = {value!r}" for name, value in parameters.items())
    if source:
        cell = nbformat.v4.new_code_cell(source, metadata={"tags": ["injected-parameters"]})
        notebook.cells.insert(place + 1, cell)
    return notebook


def _tags(cell: NotebookNode) -> list[str]:
    return list(cell.metadata.get("tags", []))


def execute(notebook: NotebookNode, folder: Path | None = None) -> NotebookNode:
    """Execute a notebook in a process of this very Python.

    Args:
        notebook: it gets the outputs.
        folder: where its code runs; None for where this process does.

    Raises:
        UsageError: a cell says that what it was given can't be used.
        RunError: a cell failed otherwise, or the kernel did.
    """
    resources = {"metadata": {"path": str(folder or Path.cwd())}}
    client = NotebookClient(notebook, timeout=_CELL_TIMEOUT_S, kernel_name="python3", resources=resources)
    try:
        with tempfile.TemporaryDirectory(prefix="loadlab-report-") as sockets:
            # By sockets that only this user can open, rather than by ports that all of the machine can.
            client.km = client.create_kernel_manager()
            client.km.kernel_spec_manager = _ThisPython()
            client.km.connection_file = str(Path(sockets, "kernel.json"))
            client.km.transport = "ipc"
            return _interruptible(client)
    except CellExecutionError as error:
        if error.ename == UsageError.__name__:
            raise UsageError(error.evalue) from error
        raise RunError(f"the report's notebook failed: {error.ename}: {error.evalue}") from error
    except (CellTimeoutError, RuntimeError) as error:  # a kernel that does not start is a bare RuntimeError
        what = f"the report's notebook did not end: {' '.join(str(error).split())}"
        raise RunError(what, fix=_KILLED if isinstance(error, DeadKernelError) else None) from error


class _ThisPython(KernelSpecManager):
    """Has this interpreter for every kernel: Jupyter's search path may lead to another, without loadlab."""

    def get_kernel_spec(self, kernel_name: str) -> KernelSpec:
        """How the kernel is started."""
        command = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"]
        return KernelSpec(argv=command, display_name=kernel_name, language="python")


def _interruptible(client: NotebookClient) -> NotebookNode:
    """Execute in a thread: in the main one nbclient takes Ctrl-C for itself, as a dead kernel."""
    with ThreadPoolExecutor(max_workers=1) as pool:
        executing = pool.submit(client.execute)
        try:
            return executing.result()
        except KeyboardInterrupt:
            manager = client.km
            kernel = manager.provisioner if manager is not None else None
            if isinstance(kernel, LocalProvisioner) and kernel.pid is not None:
                with contextlib.suppress(ProcessLookupError):  # the signal may have ended it, too
                    os.kill(kernel.pid, signal.SIGKILL)
            pool.shutdown()
            # nbclient, which has given it up by now, looks after it once more when this process ends.
            client.km = manager
            raise


def as_html(notebook: NotebookNode, title: str) -> str:
    """An executed notebook as a page without its code: nothing in it is fetched, no script runs."""
    exporter = HTMLExporter(
        template_name="loadlab",
        extra_template_basedirs=[str(_TEMPLATES)],
        exclude_input=True,
        exclude_anchor_links=True,
    )
    sections = list(_sections(notebook))
    page, _ = exporter.from_notebook_node(notebook, {"title": title, "sections": sections})
    return str(page)


def _sections(notebook: NotebookNode) -> Iterator[Section]:
    """The headings of the notebook's texts; each cell with one is told its anchor."""
    for number, cell in enumerate(notebook.cells):
        found = _HEADING.search(cell.source) if cell.cell_type == "markdown" else None
        if found:
            cell.metadata["anchor"] = f"section-{number}"
            yield Section(cell.metadata["anchor"], found[1])


def write_report(report: Report, output: Path) -> tuple[Path, Path]:
    """Write a report's page, and the notebook beside it: both whole, or neither.

    Args:
        report: what is written.
        output: of the page.

    Returns:
        The paths of page and notebook.

    Raises:
        UsageError: the folder is not there, or can't be written; or the notebook there holds somebody's work.
        RunError: the disk is full.
    """
    notebook = output.with_suffix(".ipynb")
    if notebook == output:
        raise UsageError(f"{output} is the name of a notebook", fix="name an HTML file: --output report.html")
    if notebook.exists() and not _is_as_made(notebook):
        raise UsageError(
            f"{notebook} is not as a report made it, and would be lost",
            fix="move it, or name another file by --output",
        )
    texts = {output: report.html, notebook: report.notebook}
    contents = {path: text.encode("utf-8") for path, text in texts.items()}
    write_files(contents, replace=True, make_folders=False)
    return output, notebook


def _is_as_made(notebook: Path) -> bool:
    """Whether a notebook is a report's, and its cells are as they were."""
    try:
        found = nbformat.read(notebook, as_version=4)
    except (OSError, ValueError, nbformat.ValidationError):
        return False
    return bool(found.metadata.get(_MARK) == _digest(found))


def _digest(notebook: NotebookNode) -> str:
    sources = "\0".join(cell.source for cell in notebook.cells)
    return hashlib.sha256(sources.encode("utf-8")).hexdigest()
