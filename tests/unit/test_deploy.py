"""What deploy/ holds for Prometheus and Grafana asks for metrics that are really there."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from test_live_metrics import PROGRESS

from loadlab.run.live_metrics import live_text

if TYPE_CHECKING:
    from collections.abc import Iterator

DEPLOY = Path(__file__).parents[2] / "deploy"
DASHBOARD = DEPLOY / "grafana" / "loadlab-run.json"
RULES = DEPLOY / "prometheus" / "loadlab.rules.yml"
NAME = re.compile(r"\bloadlab_[a-z_]+(?=[{\[ )]|$)(?:\{([^}]*)\})?")


@pytest.fixture(scope="module")
def promtool() -> str:
    """From Debian's package prometheus; .ci/provide lays it into the virtual environment."""
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    found = shutil.which("promtool", path=path)
    if found is None:
        pytest.skip("needs promtool")
    return found


def checked(promtool: str, *arguments: str | Path) -> str:
    done = subprocess.run([promtool, *arguments], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def exposed() -> set[str]:
    """The samples' names."""
    return {line.partition("{")[0] for line in live_text(PROGRESS).splitlines() if not line.startswith("#")}


def labels() -> set[str]:
    return {name for line in live_text(PROGRESS).splitlines() for name in re.findall(r'(\w+)="', line)}


def queries() -> Iterator[str]:
    """Every expression of the dashboard and the rules."""
    dashboard = json.loads(DASHBOARD.read_text())
    for panel in dashboard["panels"]:
        yield from (target["expr"] for target in panel["targets"])
    for variable in dashboard["templating"]["list"]:
        if variable["type"] == "query":
            yield re.sub(r"label_values\((\w+), (\w+)\)", r'\1{\2=""}', variable["definition"])
    rules = re.findall(r"expr:(.*?)\n +(?:for|labels):", RULES.read_text(), re.DOTALL)
    assert len(rules) == 4
    yield from (rule.strip().removeprefix("|") for rule in rules)


def test_every_metric_that_is_asked_for_is_exposed() -> None:
    series = [match for query in queries() for match in NAME.finditer(query)]

    assert len(series) >= 15
    assert {match[0].partition("{")[0] for match in series} <= exposed()
    assert {label for match in series for label in re.findall(r"(\w+)=", match[1] or "")} <= labels()


def test_every_metric_of_the_run_is_on_the_dashboard() -> None:
    shown = " ".join(queries())

    assert {name for name in exposed() if name not in shown} == {"loadlab_build_info"}


def test_panels_have_their_own_numbers_and_do_not_overlap() -> None:
    panels = json.loads(DASHBOARD.read_text())["panels"]
    cells = [
        (x, y)
        for place in (panel["gridPos"] for panel in panels)
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]

    assert len({panel["id"] for panel in panels}) == len(panels)
    assert len(set(cells)) == len(cells)
    assert max(x for x, _ in cells) < 24


def test_each_panel_says_how_to_read_it() -> None:
    assert all(panel["description"] for panel in json.loads(DASHBOARD.read_text())["panels"])


def test_prometheus_takes_the_configuration_and_the_rules(promtool: str) -> None:
    checked(promtool, "check", "config", DEPLOY / "prometheus" / "prometheus.yml")


def test_the_alerts_fire_when_they_should_and_only_then(promtool: str) -> None:
    checked(promtool, "test", "rules", DEPLOY / "prometheus" / "loadlab.rules.test.yml")


def test_prometheus_takes_the_dashboard_s_queries(promtool: str, tmp_path: Path) -> None:
    groups = [
        {"record": f"query:{place}", "expr": re.sub(r"\$\w+", "x", query)}
        for place, query in enumerate(queries())
    ]
    rules = tmp_path / "rules.json"
    rules.write_text(json.dumps({"groups": [{"name": "dashboard", "rules": groups}]}))

    checked(promtool, "check", "rules", rules)
