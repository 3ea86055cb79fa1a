"""`loadlab report`: pages that stand alone, made of notebooks that also run as they are."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import pytest
from click.testing import CliRunner, Result

from loadlab.analysis.report import PARAMETERS, Report, execute, read_notebook, write_report, write_whole
from loadlab.cli.main import cli
from loadlab.errors import RunError, UsageError

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


def test_a_report_is_one_page_that_fetches_nothing_with_its_notebook_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    told = report("quickstart")
    assert told.exit_code == 0, told.stderr
    assert told.stdout.strip() == "quickstart.html"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["quickstart.html", "quickstart.ipynb"]
    page = (tmp_path / "quickstart.html").read_text(encoding="utf-8")
    assert requests_of(page) == []
    assert "default-src 'none'" in page
    anchors = re.findall(r'<a href="#([^"]+)">', page)
    assert len(anchors) > 8
    assert all(f'id="{anchor}"' in page for anchor in anchors)
    order = [
        'class="box ',
        "Figures</h2>",
        "Throughput</h2>",
        "Environment</h2>",
        "Effective configuration</h2>",
    ]
    assert [page.index(text) for text in order] == sorted(page.index(text) for text in order)
    assert "loadlab run quickstart.yaml --provider docker" in page
    nbformat.validate(nbformat.read(tmp_path / "quickstart.ipynb", as_version=4))


def test_a_scenario_that_is_a_script_tag_stays_text_and_its_names_lead_nowhere(tmp_path: Path) -> None:
    folder = tmp_path / "results" / "evil"
    folder.mkdir(parents=True)
    for path in (REFERENCE / "quickstart").iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    document = json.loads((folder / "result.json").read_text(encoding="utf-8"))
    document["name"] = document["scenario"]["description"] = SCRIPT
    document["run_id"] = "../../../escaped"
    (folder / "result.json").write_text(json.dumps(document), encoding="utf-8")
    runner = CliRunner()
    with runner.isolated_filesystem(tmp_path) as place:
        told = runner.invoke(cli, ["report", str(folder)])
        assert told.exit_code == 0, told.stderr
        assert sorted(path.name for path in Path(place).iterdir()) == ["evil.html", "evil.ipynb"]
        page = Path(place, "evil.html").read_text(encoding="utf-8")
    assert "<script" not in page
    assert "&lt;script&gt;alert" in page
    assert not list(tmp_path.rglob("*escaped*"))


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


def test_a_damaged_run_fails_in_one_line_and_leaves_nothing(tmp_path: Path) -> None:
    folder = tmp_path / "damaged"
    folder.mkdir()
    for path in (REFERENCE / "quickstart").iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    (folder / "intervals.parquet").write_bytes(b"PAR1 nothing")
    told = report(folder, "--output", tmp_path / "page.html")
    assert told.exit_code == 2
    assert "intervals.parquet can't be read" in told.stderr
    assert "Traceback" not in told.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["damaged"]


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
        while not _kernel_of(process.pid) and time.monotonic() < end_s:
            assert process.poll() is None
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=60)
    assert process.returncode == 130, errors
    assert not list(tmp_path.iterdir())


def _kernel_of(pid: int) -> bool:
    """Whether the process has a child: only the notebook's kernel is one."""
    children = Path(f"/proc/{pid}/task/{pid}/children")
    return children.exists() and bool(children.read_text(encoding="ascii").split())
