"""The documents say what is so: their commands run, their links lead somewhere, their tables are complete."""

from __future__ import annotations

import ast
import os
import re
import subprocess
import sys
import typing
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from pyarrow import parquet
from pydantic import BaseModel
from readme import FENCED, README, ROOT, SHORT, assert_does_what_is_shown, commands, measures, prepare

import loadlab
from loadlab.cli.main import SUBCOMMANDS
from loadlab.measurement import circumstances, correctness, generator, reading, validity
from loadlab.results.model import RunResult
from loadlab.results.model_capacity import CapacityResult
from loadlab.results.model_groups import LatencyBlock
from loadlab.results.model_study import StudyResult
from loadlab.results.runset import RunSet
from loadlab.run import broker_readings, series

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.beside


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8")


PACKAGE = Path(loadlab.__file__).parent
DOCUMENTS = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md"))]
ARCHITECTURE = _text(ROOT / "ARCHITECTURE.md")
MEASUREMENT = _text(ROOT / "docs" / "measurement.md")

LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ (.*)$", re.MULTILINE)


@pytest.mark.timeout(600)  # there are many, and other tests run beside them
def test_the_readme_s_commands_do_what_it_shows(tmp_path: Path) -> None:
    """But for what measures: tests/integration/test_readme_search.py."""
    prepare(tmp_path)
    shown = [command for command in commands() if not measures(command)]
    assert len(shown) > 10
    for command in shown:
        assert_does_what_is_shown(command, tmp_path)
    for intervals in (tmp_path / "results").glob("*/intervals.parquet"):
        measured = set(parquet.read_table(intervals)["metric"].to_pylist())
        assert measured <= _documented_metrics()


def test_the_first_command_of_the_readme_makes_a_run_and_says_where_it_is(tmp_path: Path) -> None:
    make = ["make", "demo", f"VENV={sys.prefix}", f"ARGS=--results-dir {tmp_path}"]
    environment = {**os.environ, "LOADLAB_SET": f"{SHORT}\nthresholds={{}}"}
    done = subprocess.run(
        make, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=240, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert len(done.stdout.splitlines()) <= 25
    (stored,) = tmp_path.glob("*/result.json")
    assert str(stored.parent) in done.stdout


def test_the_readme_shows_every_command() -> None:
    shown = " ".join(command.line for command in commands())
    for name in SUBCOMMANDS:
        assert f"loadlab {name}" in shown, name


def test_make_targets_that_documents_name_are_there() -> None:
    makefile = _text(ROOT / "Makefile")
    mentioned = {name for path in DOCUMENTS for name in re.findall(r"`make ([a-z]+)\b", _text(path))}
    for kind, block in FENCED.findall(README):
        if kind == "sh":
            mentioned |= set(re.findall(r"^make ([a-z]+)", block, re.MULTILINE))
    assert {"demo", "test"} <= mentioned
    for target in mentioned:
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


def test_the_readme_has_each_exit_code() -> None:
    codes = {value for name, value in vars(loadlab.errors).items() if name.startswith("EXIT_")}
    assert {int(code) for code in re.findall(r"^\| (\d+) \|", README, re.MULTILINE)} == codes


def _anchors(text: str) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    lowered = (heading.lower() for heading in HEADING.findall(FENCED.sub("", text)))
    return {re.sub(r"[^\w\- ]", "", heading).replace(" ", "-") for heading in lowered}


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_somewhere(document: Path) -> None:
    for target in LINK.findall(FENCED.sub("", _text(document))):
        if "://" in target:
            continue
        name, _, anchor = target.partition("#")
        page = document.parent / name if name else document
        assert page.exists(), target
        if anchor:
            assert anchor in _anchors(_text(page)), target


def test_the_architecture_names_every_package() -> None:
    for folder in PACKAGE.iterdir():
        if (folder / "__init__.py").exists():
            assert f"`loadlab.{folder.name}`" in ARCHITECTURE, folder.name
    for module in PACKAGE.glob("[!_]*.py"):
        assert f"`loadlab.{module.stem}`" in ARCHITECTURE, module.stem


def test_every_module_that_a_document_names_exists() -> None:
    folders = ("notebooks", "tests/unit", "tests/integration")
    roots = (ROOT, PACKAGE, *(ROOT / folder for folder in folders))
    for document in DOCUMENTS:
        for name in set(re.findall(r"[\w/.*]+\.py\b", _text(document))):
            assert any(list(root.glob(name)) for root in roots), f"{document.name}: {name}"


def test_the_architecture_s_import_order_is_the_contract_s() -> None:
    contract = re.search(r"^layers = \[\n(.*?)^\]", _text(ROOT / "pyproject.toml"), re.DOTALL | re.MULTILINE)
    assert contract is not None
    in_contract = [
        set(re.findall(r"loadlab\.\w+", line)) for line in contract[1].splitlines() if "(" not in line
    ]
    rows = re.findall(r"^\| (`loadlab\.[^|]*) \|", ARCHITECTURE, re.MULTILINE)
    assert [set(re.findall(r"loadlab\.\w+", row)) for row in rows] == in_contract


def _fields(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    """The paths of a model's fields that hold no further model; a latency block's are those of `*_us`."""
    for name, field in model.model_fields.items():
        below = list(_models(field.annotation))
        if not below or below[0][0] is LatencyBlock:
            yield prefix + name
        for part, step in below:
            yield from _fields(part, "*_us." if part is LatencyBlock else f"{prefix}{name}{step}.")


def _models(annotation: object, step: str = "") -> Iterator[tuple[type[BaseModel], str]]:
    """The models in an annotation, and the step by which a path goes through lists and mappings to them."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation, step
    inside = {dict: ".<name>", tuple: "[]"}.get(typing.get_origin(annotation), "")
    for argument in typing.get_args(annotation):
        yield from _models(argument, step + inside)


def _documented_fields() -> Iterator[str]:
    """The fields in the tables of docs/measurement.md below headings that are a path of result.json."""
    for section in re.split(r"^##+ ", MEASUREMENT, flags=re.MULTILINE)[1:]:
        heading = section.splitlines()[0]
        if not re.fullmatch(r"`[^`]+`", heading) or "| field |" not in section:
            continue
        prefix = "" if heading == "`result.json`" else heading.strip("`") + "."
        for cell in re.findall(r"^\| (`[^|]*) \|", section, re.MULTILINE):
            yield from (prefix + name for name in re.findall(r"`([^`]+)`", cell))


def test_every_field_of_a_result_is_defined_and_no_other() -> None:
    documented = list(_documented_fields())
    assert len(documented) == len(set(documented))
    assert set(documented) == set(_fields(RunResult))


@pytest.mark.parametrize(
    ("heading", "model"),
    [("Capacity searches", CapacityResult), ("Run sets", RunSet), ("Studies", StudyResult)],
    ids=["capacity", "set", "study"],
)
def test_every_field_of_several_runs_is_defined_and_no_other(heading: str, model: type[BaseModel]) -> None:
    section = _text(ROOT / "docs" / "results.md").split(f"## {heading}")[1].split("\n## ")[0]
    rows = re.findall(r"^\| (`[^|]*) \|", section, re.MULTILINE)
    documented = [name for cell in rows for name in re.findall(r"`([^`]+)`", cell)]
    of_runs = {"cluster", "environment"}
    fields = {name.split(".")[0] if name.split(".")[0] in of_runs else name for name in _fields(model)}
    assert len(documented) == len(set(documented))
    assert set(documented) == fields


def test_every_reason_of_a_verdict_is_documented_with_its_severity_and_limit() -> None:
    rows = re.findall(r"^\| `(\w+)` \|.*\| ([^|]*) \| (\w+) \| [^|]* \|$", MEASUREMENT, re.MULTILINE)
    documented = {(code, severity) for code, _, severity in rows}
    assert documented == set(_findings())
    limits = " ".join(limit.replace(",", "") for _, limit, _ in rows)
    for limit in ("ACHIEVED_LIMIT", "QUEUE_FULL_LIMIT", "SEND_DELAY_LIMIT_US", "WORKER_CPU_LIMIT"):
        assert f"{getattr(generator, limit):g}" in limits, limit


def _findings() -> Iterator[tuple[str, str]]:
    """Code and severity of each finding that the rules can make, as their source has them."""
    order = ("code", "message", "fix", "figure", "limit", "severity")
    rules = [Path(module.__file__) for module in (validity, generator, reading, circumstances, correctness)]
    for node in (node for path in rules for node in ast.walk(ast.parse(_text(path)))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Finding":
            values = dict(zip(order, node.args, strict=False))
            values |= {keyword.arg: keyword.value for keyword in node.keywords if keyword.arg}
            severity = values["severity"]
            either = (severity.body, severity.orelse) if isinstance(severity, ast.IfExp) else (severity,)
            yield from ((ast.literal_eval(values["code"]), ast.literal_eval(one)) for one in either)


def _documented_metrics() -> set[str]:
    """The metrics in the tables of docs/measurement.md's section on intervals, each statistic apart."""
    section = MEASUREMENT.split("## intervals.parquet")[1].split("\n## ")[0]
    names = re.findall(r"`(\w+_(?:records|per_s|us|bytes|ms|count|share|partitions|ack_s))`", section)
    names = [name.replace("STAGE", stage) for name in names for stage in broker_readings.STAGES]
    return {name.replace("STAT", statistic) for name in names for statistic in series._SHOWN}
