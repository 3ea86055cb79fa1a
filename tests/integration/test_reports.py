"""`loadlab report`: pages that stand alone, made of notebooks that also run as they are."""

from __future__ import annotations

import ast
import contextlib
import errno
import json
import os
import re
import shutil
import signal
import socketserver
import subprocess
import sys
import threading
import time
from pathlib import Path
from urllib.parse import urlsplit

import nbformat
import psutil
import pytest
from click.testing import CliRunner, Result
from matplotlib.image import imread

from loadlab.analysis.export import files
from loadlab.analysis.report import (
    PARAMETERS,
    Report,
    execute,
    make_report,
    read_notebook,
    write_report,
)
from loadlab.cli.main import cli
from loadlab.errors import LoadlabError, RunError, UsageError

pytestmark = pytest.mark.beside

ROOT = Path(__file__).parents[2]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.py"))
REFERENCE = ROOT / "results" / "reference"
SCRIPT = "<script>alert('x')</script>"
MOST_REFERENCE_BYTES = 5_000_000


def report(*arguments: str | Path) -> Result:
    return CliRunner().invoke(cli, ["report", *map(str, arguments), "--results-dir", str(REFERENCE)])


def requests_of(page: str) -> list[str]:
    """What a browser would fetch or run."""
    fetched = re.findall(r"""<[^>]+\s(?:src|href|data|action|srcset)\s*=\s*["']?([^"'\s>]+)""", page)
    return [
        *(each for each in fetched if not each.startswith(("data:image/png;", "#"))),
        *re.findall(r"<script|<iframe|<link|@import|url\(", page),
    ]


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_as_it_is_without_a_cluster(notebook: Path) -> None:
    made = read_notebook(notebook, {})
    assert sum(PARAMETERS in cell.metadata.get("tags", []) for cell in made.cells) == 1
    executed = execute(made, notebook.parent)
    shown = [output for cell in executed.cells for output in cell.get("outputs", [])]
    assert len(shown) > 3
    assert not [output for output in shown if output.output_type in {"error", "stream"}]
    assert any("data:image/png;base64," in output.data.get("text/html", "") for output in shown)


def test_the_reference_results_are_small_and_each_has_its_command() -> None:
    files = [path for path in REFERENCE.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) < MOST_REFERENCE_BYTES
    told = (REFERENCE / "README.md").read_text(encoding="utf-8")
    for notebook in NOTEBOOKS:
        for name in re.findall(r"results/reference/([\w-]+)", notebook.read_text(encoding="utf-8")):
            assert (REFERENCE / name).is_dir(), name
            assert f"`{name}`" in told, name


@pytest.fixture(scope="module")
def evil(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder in which a report was made of a run whose scenario is a script tag, and its id a path."""
    place = tmp_path_factory.mktemp("place")
    stored = tmp_path_factory.mktemp("results") / "evil"
    shutil.copytree(REFERENCE / "quickstart", stored)
    document = json.loads((stored / "result.json").read_text(encoding="utf-8"))
    document["name"] = document["scenario"]["description"] = SCRIPT
    document["run_id"] = "../../../escaped"
    (stored / "result.json").write_text(json.dumps(document), encoding="utf-8")
    with contextlib.chdir(place):
        told = report(stored)
    assert told.exit_code == 0, told.stderr
    assert told.stdout.strip() == "evil.html"
    return place


@pytest.fixture
def page(evil: Path) -> str:
    return (evil / "evil.html").read_text(encoding="utf-8")


def test_a_report_is_named_after_the_run_s_folder_with_its_notebook_beside_it(evil: Path) -> None:
    assert sorted(path.name for path in evil.iterdir()) == ["evil.html", "evil.ipynb"]
    nbformat.validate(nbformat.read(evil / "evil.ipynb", as_version=4))


def test_a_report_fetches_nothing_and_says_so_to_the_browser(page: str) -> None:
    assert requests_of(page) == []
    assert "default-src 'none'" in page
    assert "data:image/png;base64," in page


CHROMIUM = shutil.which("chromium")
ALONE = (
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-default-apps",
    "--disable-domain-reliability",
    "--disable-extensions",
    "--disable-gpu",
    "--disable-sync",
    "--no-first-run",
)
"""What keeps Chromium from asking the network for most of what it wants for itself."""

OWN_HOSTS = frozenset(("accounts.google.com", "clients2.google.com", "update.googleapis.com"))
"""Whom it asks all the same, whatever page it shows: an empty one, too."""


class Asked(socketserver.ThreadingTCPServer):
    """A proxy that passes nothing on, and keeps the address of each request."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Note)
        self.addresses: list[str] = []


class Note(socketserver.StreamRequestHandler):
    server: Asked

    def handle(self) -> None:
        method, address, _ = self.rfile.readline().decode(errors="replace").split(" ", 2)
        self.server.addresses.append(f"https://{address}/" if method == "CONNECT" else address)


def opened(page: Path, place: Path) -> tuple[list[str], Path]:
    """Opens a page in Chromium: the addresses that were asked for on its behalf, and a picture of it."""
    picture = place / "page.png"
    with Asked() as proxy:
        threading.Thread(target=proxy.serve_forever, daemon=True).start()
        command = [
            str(CHROMIUM),
            "--headless",
            *ALONE,
            *(["--no-sandbox"] if os.geteuid() == 0 else []),
            f"--user-data-dir={place / 'profile'}",
            f"--proxy-server=http://127.0.0.1:{proxy.server_address[1]}",
            "--proxy-bypass-list=<-loopback>",
            "--window-size=1000,1600",
            f"--screenshot={picture}",
            page.as_uri(),
        ]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
        proxy.shutdown()
    assert done.returncode == 0, done.stderr
    return [each for each in proxy.addresses if urlsplit(each).hostname not in OWN_HOSTS], picture


@pytest.mark.skipif(CHROMIUM is None, reason="needs chromium")
def test_a_browser_shows_a_report_and_asks_nothing_of_the_network(evil: Path, tmp_path: Path) -> None:
    asked, picture = opened(evil / "evil.html", tmp_path)
    assert asked == []
    assert imread(picture).std() > 0.05


@pytest.mark.skipif(CHROMIUM is None, reason="needs chromium")
def test_what_a_page_asks_of_the_network_would_be_seen(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_text('<img src="http://elsewhere.invalid/pixel.png">', encoding="utf-8")
    asked, _ = opened(page, tmp_path)
    assert asked == ["http://elsewhere.invalid/pixel.png"]


def test_a_scenario_that_is_a_script_tag_stays_text(page: str) -> None:
    assert "<script" not in page
    assert "&lt;script&gt;alert" in page


def test_a_report_has_contents_the_verdict_first_and_the_environment_last(page: str) -> None:
    anchors = re.findall(r'<a href="#([^"]+)">', page)
    assert len(anchors) > 8
    assert all(f'id="{anchor}"' in page for anchor in anchors)
    order = ["Figures", "Throughput", "Environment", "Effective configuration", "Repeat it"]
    places = [page.index('class="box '), *(page.index(f"{heading}</h2>") for heading in order)]
    assert places == sorted(places)
    assert "--provider docker" in page[places[-1] :]


@pytest.mark.parametrize(
    ("names", "heading"),
    [
        (["quickstart"], "### quickstart: "),
        (["linger-5-set"], "### Repetitions of quickstart"),
        (["capacity"], "### Capacity of rate"),
        (["linger-5-set", "linger-50-set"], "**"),
    ],
)
def test_markdown_goes_to_standard_output(names: list[str], heading: str) -> None:
    told = report(*names, "--format", "markdown")
    assert told.exit_code == 0, told.stderr
    assert told.stdout.startswith(heading)


def test_markdown_goes_to_a_file_whole(tmp_path: Path) -> None:
    told = report("quickstart", "--format", "markdown", "--output", tmp_path / "comment.md")
    assert told.exit_code == 0, told.stderr
    assert (tmp_path / "comment.md").read_text(encoding="utf-8").startswith("### quickstart")
    assert [path.name for path in tmp_path.iterdir()] == ["comment.md"]


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["quickstrat"], "did you mean quickstart?"),
        (["quickstart", "capacity"], "a report is of one run"),
        (["quickstart", "paused-with-room"], "can't be compared"),
        (["quickstart", "linger-5-set", "linger-50-set"], "a report is of one run"),
    ],
)
def test_what_can_t_be_reported_is_one_clear_line(names: list[str], message: str, tmp_path: Path) -> None:
    told = report(*names, "--output", tmp_path / "page.html")
    assert told.exit_code == 2
    assert message in told.stderr
    assert not list(tmp_path.iterdir())


def test_a_folder_that_is_not_there_is_one_clear_line_and_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="can't be written"):
        write_report(Report("page", "notebook"), tmp_path / "gone" / "page.html")
    with pytest.raises(UsageError, match="the name of a notebook"):
        write_report(Report("page", "notebook"), tmp_path / "page.ipynb")
    assert not list(tmp_path.iterdir())


def test_a_notebook_that_was_gone_on_from_is_not_written_over(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text('# %% tags=["parameters"]\nvalue = 1\n', encoding="utf-8")
    made = make_report(script, {}, "title")
    page = tmp_path / "page.html"
    for _ in range(2):  # one that is as it was made is replaced
        _, written = write_report(made, page)
    notebook = nbformat.read(written, as_version=4)
    notebook.cells.append(nbformat.v4.new_code_cell("value + 1"))
    nbformat.write(notebook, written)

    with pytest.raises(UsageError, match="is not as a report made it"):
        write_report(made, page)
    assert nbformat.read(written, as_version=4).cells[-1].source == "value + 1"


def test_a_disk_that_fills_leaves_the_older_report_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    older = tmp_path / "page.html"
    older.write_text("older", encoding="utf-8")

    def full(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(files.os, "fsync", full)
    with pytest.raises(RunError, match="No space left"):
        write_report(Report("newer", "notebook"), older)
    assert [path.name for path in tmp_path.iterdir()] == ["page.html"]
    assert older.read_text(encoding="utf-8") == "older"


@pytest.mark.parametrize(
    ("code", "error", "message"),
    [
        ('from loadlab.errors import UsageError; raise UsageError("damaged")', UsageError, "^damaged$"),
        ("1 / 0", RunError, "the report's notebook failed: ZeroDivisionError: division by zero"),
    ],
)
def test_a_cell_that_fails_is_one_clear_line(
    code: str, error: type[LoadlabError], message: str, tmp_path: Path
) -> None:
    notebook = tmp_path / "failing.py"
    notebook.write_text(f'# %% tags=["parameters"]\nx = 1\n\n# %%\n{code}\n', encoding="utf-8")
    with pytest.raises(error, match=message):
        make_report(notebook, {"x": 2}, "failing")


def test_a_kernel_that_is_killed_is_told_with_what_to_look_for() -> None:
    cell = nbformat.v4.new_code_cell("import os, signal; os.kill(os.getpid(), signal.SIGKILL)")
    with pytest.raises(RunError, match="Kernel died") as told:
        execute(nbformat.v4.new_notebook(cells=[cell]))
    assert "out of memory" in (told.value.fix or "")


def test_a_notebook_runs_in_this_python_whatever_kernels_jupyter_finds_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "kernels" / "python3" / "kernel.json"
    other.parent.mkdir(parents=True)
    spec = {"argv": ["/gone/python", "{connection_file}"], "display_name": "other", "language": "python"}
    other.write_text(json.dumps(spec), encoding="utf-8")
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path))
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("import sys; sys.executable")])

    (output,) = execute(notebook).cells[0].outputs
    assert ast.literal_eval(output.data["text/plain"]) == sys.executable


def test_parameters_stand_behind_their_defaults_and_stay_values(tmp_path: Path) -> None:
    notebook = tmp_path / "some.py"
    notebook.write_text('# %% tags=["parameters"]\nrun = "one"\n', encoding="utf-8")
    evil = '"; import os; os.abort() #\n\\'
    made = read_notebook(notebook, {"run": evil})
    assert ast.literal_eval(made.cells[1].source.removeprefix("run = ")) == evil


def test_an_interrupted_report_leaves_nothing(tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-m",
        "loadlab",
        "report",
        str(REFERENCE / "quickstart"),
        "--output",
        "page.html",
    ]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        command, cwd=tmp_path, env=environment, stderr=subprocess.PIPE, text=True
    ) as process:
        end_s = time.monotonic() + 60
        while not psutil.Process(process.pid).children() and time.monotonic() < end_s:
            assert process.poll() is None
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    assert errors == "interrupted\n"
    assert not list(tmp_path.iterdir())
