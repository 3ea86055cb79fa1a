"""`loadlab report`: pages that stand alone, made of notebooks that also run as they are."""

from __future__ import annotations

import ast
import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import psutil
import pytest
from click.testing import CliRunner, Result

from loadlab.analysis.report import (
    PARAMETERS,
    Report,
    execute,
    make_report,
    read_notebook,
    write_report,
    write_whole,
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


def test_a_disk_that_fills_leaves_the_older_report_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    older = tmp_path / "page.html"
    older.write_text("older", encoding="utf-8")
    real = Path.write_text

    def full(path: Path, text: str, **more: str) -> int:
        if text == "notebook":
            raise OSError(28, "No space left on device")
        return real(path, text, **more)

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(RunError, match="No space left"):
        write_whole({older: "newer", tmp_path / "page.ipynb": "notebook"})
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
    assert not list(tmp_path.iterdir())
