"""What reports say beside their plots: all of it, and as text whatever it holds."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser

import pytest
from capacity_samples import capacity
from result_samples import result

from loadlab.analysis.comparison import compare
from loadlab.analysis.sides import Chosen
from loadlab.api import pages, pages_of_several
from loadlab.api.markup import Page, element, table
from loadlab.cli.comparison import Compared
from loadlab.results.model import Reason, Threshold, Verdict
from loadlab.scenario import load_document

SCRIPT = "<script>alert('x')</script>"


def html(page: Page) -> str:
    return page._repr_html_()


def test_the_verdict_box_tells_status_reasons_fixes_and_thresholds_those_that_failed_first() -> None:
    reason = Reason(code="drift", message="p99 rose by 40 %", fix="measure longer", severity="suspect")
    held = Threshold(expression="publish_latency: p99 < 50ms", measured=4_500.0, unit="us", passed=True)
    failed = Threshold(expression="publish_latency: p50 < 1ms", measured=1_210.0, unit="us", passed=False)
    told = html(
        pages.verdict(result(verdict=Verdict(status="suspect", reasons=(reason,)), thresholds=(held, failed)))
    )
    for text in ("SUSPECT", "drift: p99 rose by 40 %", "measure longer", "4.50 ms"):
        assert text in told
    assert told.index("p50 &lt; 1ms") < told.index("p99 &lt; 50ms")


def test_figures_have_each_latency_with_its_unit_and_a_dash_for_what_is_not_supported() -> None:
    told = html(pages.figures(result()))
    for text in ("20,000 records/s", "send delay, checkout", "1.21 ms", "end to end, billing", "1,203"):
        assert text in told
    assert ">-<" in told  # p99.99


def test_all_text_of_a_result_stays_text() -> None:
    evil = result(
        name=SCRIPT,
        run_id=SCRIPT,
        scenario={"name": SCRIPT, "description": SCRIPT},
        verdict=Verdict(
            status="invalid", reasons=(Reason(code=SCRIPT, message=SCRIPT, fix=SCRIPT, severity="invalid"),)
        ),
        thresholds=(Threshold(expression=SCRIPT, passed=False, not_measurable=SCRIPT),),
    )
    for part in (
        pages.title,
        pages.verdict,
        pages.figures,
        pages.records,
        pages.environment,
        pages.configuration,
        pages.repeat,
    ):
        told = html(part(evil))
        assert "<script" not in told, part.__name__
    assert "&lt;script&gt;" in html(pages.title(evil))


def test_attributes_and_tables_escape_too() -> None:
    found: list[str] = []
    parser = HTMLParser()
    parser.handle_starttag = lambda tag, _attributes: found.append(tag)  # type: ignore[method-assign]
    parser.feed(html(Page((element("p", SCRIPT, css='"><script>'),))))
    assert found == ["p"]
    made = table(("a", "b"), [(SCRIPT, SCRIPT)])
    assert made is not None
    assert "<script" not in html(Page((made,)))
    assert table(("a", "b"), []) is None


def test_text_stands_where_it_was_given() -> None:
    made = element("p", "one ", element("em", "two"), " three", None, element("b", "four"))
    assert html(Page((made,))) == "<p>one <em>two</em> three<b>four</b></p>"


def test_the_command_that_repeats_a_run_holds_a_scenario_that_loads_to_the_same() -> None:
    loaded = load_document(
        {
            "name": "again",
            "description": "EOF\nEOF $(touch gone) `x`",
            "topics": {"orders": {"partitions": 3}},
            "producers": {
                "checkout": {"topic": "orders", "schedule": {"rate": "2k/s"}, "records": {"size": 200}}
            },
            "phases": {"warmup": "1s", "measure": "3s", "drain": "20s"},
        }
    )
    resolved = loaded.scenario.to_document()
    command = pages.with_scenario("again", resolved, ["loadlab", "run", "again.yaml", "--provider", "docker"])
    held = re.fullmatch(
        r"cat > again\.yaml <<'EOF'\n(.*)\nEOF\nloadlab run again\.yaml --provider docker", command, re.DOTALL
    )
    assert held is not None
    assert "\nEOF\n" not in f"\n{held[1]}\n"
    assert load_document(json.loads(held[1])).scenario == loaded.scenario


def test_a_comparison_s_page_claims_what_the_comparison_claims() -> None:
    sides = [result() for _ in range(3)], [result() for _ in range(3)]
    found = Compared("A-id", "B-id", Chosen(*map(tuple, sides), ("a remark",)), compare(*sides, paired=False))
    told = html(pages_of_several.comparison_box(found)) + html(pages_of_several.comparison_table(found))
    for text in ("o difference seen in throughput", "A-id, 3 runs", "a remark", "1.000 (1.000"):
        assert text in told, text
    assert "Nothing differs" in html(pages_of_several.what_differs(found))


@pytest.mark.parametrize(("finished", "css"), [(True, "box valid"), (False, "box suspect")])
def test_a_capacity_box_is_good_only_where_the_search_is_done_and_sure(finished: bool, css: str) -> None:
    told = html(pages_of_several.capacity_box(capacity(finished=finished)))
    assert css in told
    assert "holds 182k/s, fails 187k/s" in told
    rows = html(pages_of_several.probes(capacity()))
    assert rows.count("<tr>") == len(capacity().probes) + 1
