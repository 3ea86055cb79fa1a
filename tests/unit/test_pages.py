"""What reports say beside their plots: all of it, and as text whatever it holds."""

from __future__ import annotations

import json
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from capacity_samples import capacity
from result_samples import consumer, result

from loadlab.analysis.comparison import compare
from loadlab.analysis.sides import Chosen
from loadlab.api import pages, pages_of_set, pages_of_several
from loadlab.api.markup import Page, element, table
from loadlab.cli.comparison import Compared
from loadlab.results.model import LatencyBlock, Reason, Threshold, Verdict
from loadlab.results.model_capacity import CapacitySettings
from loadlab.results.reader import StoredRun, StoredSet
from loadlab.results.runset import Repetition, RunSet
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


def test_latencies_tell_what_never_came_through() -> None:
    none_came = LatencyBlock(count=0, missing=10_000)
    slow = consumer().model_copy(update={"end_to_end_latency_us": none_came})
    told = html(pages.figures(result(consumers={"slow": slow})))
    (row,) = re.findall(r"<tr>(?:(?!</tr>).)*end to end, slow.*?</tr>", told)
    assert re.findall(r">([^<]+)<", row) == ["end to end, slow", "0", "10,000", *["-"] * 6]


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
    for text in ("o difference seen in throughput", "A-id, 3 runs", "a remark", "1.000 (0.991–1.009)"):
        assert text in told, text
    assert "Nothing differs" in html(pages_of_several.what_differs(found))


@pytest.mark.parametrize(("finished", "css"), [(True, "box valid"), (False, "box suspect")])
def test_a_capacity_box_is_good_only_where_the_search_is_done_and_sure(finished: bool, css: str) -> None:
    told = html(pages_of_several.capacity_box(capacity(finished=finished)))
    assert css in told
    assert "holds 182k/s, fails 187k/s" in told
    rows = html(pages_of_several.probes(capacity()))
    assert rows.count("<tr>") == len(capacity().probes) + 1


def a_set(*, used: tuple[bool, ...], status: str = "valid", **changes: object) -> StoredSet:
    """A set of runs, of which those that don't count are invalid."""
    reason = Reason(code="generator_limited", message=SCRIPT, severity="invalid")
    runs = tuple(
        Repetition(
            repetition=number,
            run_id=f"run-{number}",
            seed=number,
            status=status if counts else "invalid",  # type: ignore[arg-type]
            used=counts,
            reasons=() if counts else (reason,),
        )
        for number, counts in enumerate(used, 1)
    )
    run = result()
    fields: dict[str, object] = {
        "loadlab_version": "0.1.0",
        "set_id": "the-set",
        "name": run.name,
        "started_at": run.started_at,
        "scenario": run.scenario,
        "seed": 1,
        "fresh_clusters": False,
        "requested": len(used),
        "runs": runs,
        "headline": {},
    }
    return StoredSet(RunSet.model_validate({**fields, **changes}), Path("the-set"))


SHOWN = StoredRun(result(), Path("run-1"))


def test_a_set_s_report_begins_with_how_many_runs_count_and_why_others_do_not() -> None:
    stored = a_set(used=(True, True, False, True, True))
    told = html(pages_of_set.verdict(stored, SHOWN))
    first, then = told.split("</div>", 1)
    assert 'class="box suspect"><strong>4 of 5 runs count</strong>' in first
    assert "run 3 (invalid, left out): generator_limited: &lt;script&gt;" in first
    assert f"Shown below is run {SHOWN.result.run_id}" in then
    assert html(pages.verdict(SHOWN.result)) in then
    title = html(pages_of_set.title(stored, SHOWN))
    assert "Run set the-set of" in title
    assert SHOWN.result.run_id not in title


@pytest.mark.parametrize(
    ("used", "changes", "css", "text"),
    [
        ((True, True), {}, "valid", "2 of 2 runs count"),
        ((True,), {"requested": 3, "interrupted": True}, "suspect", "interrupted after 1 run"),
        ((True,), {"requested": 2, "failure": "no disk"}, "suspect", "failed after 1 run: no disk"),
        ((False,), {}, "invalid", "0 of 1 run count"),
    ],
)
def test_a_set_s_box_is_good_only_where_all_runs_count(
    used: tuple[bool, ...], changes: dict[str, object], css: str, text: str
) -> None:
    first = html(pages_of_set.verdict(a_set(used=used, **changes), SHOWN)).split("</div>", 1)[0]
    assert f'class="box {css}"' in first
    assert text in first


def test_a_set_is_made_again_as_a_set() -> None:
    told = html(
        pages_of_set.repeat(a_set(used=(True, False), fresh_clusters=True, requested=7), SHOWN.result)
    )
    assert "--repeat 7 --fresh-cluster" in told
    assert "--repeat" not in html(pages_of_set.repeat(SHOWN, SHOWN.result))


def test_a_search_is_made_again_with_the_limits_that_it_had() -> None:
    settings = CapacitySettings(
        start_per_s=20_000.0,
        lowest_per_s=500.0,
        highest_per_s=150_000.0,
        precision=0.01,
        max_probes=20,
        measure_s=10.0,
        conditions=(),
    )
    told = html(pages_of_several.repeat_search(capacity(settings=settings)))
    wanted = "--probe 10s --min-rate 500/s --max-rate 150k/s --probes 20 --precision 0.01 --provider"
    assert wanted in told
    changes = {"lowest_per_s": 200.0, "highest_per_s": None, "precision": 0.03, "max_probes": 10}
    plain = html(pages_of_several.repeat_search(capacity(settings=settings.model_copy(update=changes))))
    assert "--probe 10s --provider" in plain


def test_a_comparison_has_environment_and_configuration_of_both_sides_to_unfold() -> None:
    environment = result().environment.model_copy(update={"client_config": {"checkout": {"acks": "all"}}})
    sides = (
        [result(run_id="run-a", environment=environment)],
        [result(run_id="run-b", environment=environment)],
    )
    found = Compared("A-id", "B-id", Chosen(*map(tuple, sides), ()), compare(*sides, paired=False))
    for part, words in (
        (pages_of_several.environments, "environment"),
        (pages_of_several.configurations, "effective configuration"),
    ):
        told = html(part(found))
        assert f"<summary>A: {words} of run-a</summary>" in told
        assert f"<summary>B: {words} of run-b</summary>" in told
    assert "memory bytes" in html(pages_of_several.environments(found))
    assert html(pages_of_several.configurations(found)).count("<td>acks</td>") == 2
