"""The snippets of docs/python.md and the README run as they stand, one after the other, as in a notebook."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.beside

ROOT = Path(__file__).parents[2]
PYTHON = (ROOT / "docs" / "python.md").read_text(encoding="utf-8")
SNIPPETS = re.findall(r"^```python\n(.*?)^```", PYTHON, re.DOTALL | re.MULTILINE)
README = (ROOT / "README.md").read_text(encoding="utf-8")
SHORT = "phases.warmup=1s\nphases.measure=2s\nphases.drain=20s"


def _run(place: Path, *command: str, code: str | None = None) -> subprocess.CompletedProcess[str]:
    (place / "scenarios").symlink_to(ROOT / "scenarios")
    environment = {**os.environ, "LOADLAB_SET": SHORT, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    environment.pop("LOADLAB_RESULTS_DIR", None)
    return subprocess.run(
        [sys.executable, *command],
        cwd=place,
        env=environment,
        input=code,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_the_snippets_do_what_they_say(tmp_path: Path) -> None:
    snippets = [snippet for snippet in SNIPPETS if not snippet.startswith("def test_")]
    assert len(snippets) >= 6
    done = _run(tmp_path, "-", code="\n".join(snippets) + "\nprint(len(runs), 'runs, as many as', 5)\n")

    assert done.returncode == 0, done.stderr
    # The quickstart, two on an open cluster, two repetitions.
    assert done.stdout.endswith("5 runs, as many as 5\n")


def test_the_readme_s_snippet_does_what_it_says(tmp_path: Path) -> None:
    (scenario,) = re.findall(r"^```yaml\n(# orders\.yaml\n.*?)^```", README, re.DOTALL | re.MULTILINE)
    (snippet,) = re.findall(r"^```python\n(.*?)^```", README, re.DOTALL | re.MULTILINE)
    (tmp_path / "orders.yaml").write_text(scenario, encoding="utf-8")
    done = _run(tmp_path, "-", code=snippet)

    # On a busy machine the run may be invalid: then the assertion must say so.
    assert done.returncode == 0 or "the run is invalid" in done.stderr, done.stderr


def test_the_test_of_the_documents_is_a_test(tmp_path: Path) -> None:
    (snippet,) = (snippet for snippet in SNIPPETS if snippet.startswith("def test_"))
    (tmp_path / "test_documented.py").write_text(snippet, encoding="utf-8")
    plugin = ("-p", "loadlab.pytest_plugin", "-p", "no:cacheprovider")
    done = _run(tmp_path, "-m", "pytest", *plugin, "--loadlab-provider", "embedded", "test_documented.py")

    # On a busy machine 20 ms may be too few, and the run invalid: then it must say so.
    assert re.search(r"1 passed|does not hold: .* limit|the run is invalid", done.stdout), done.stdout
