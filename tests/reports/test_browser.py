"""The page in a browser: drawn, driven by its selectors, kept in its address, and without a network."""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import plotly
import polars as pl
import pytest
from plotly.offline import get_plotlyjs

from reports.chart_list import load_charts
from reports.facts import NightFacts
from reports.numbers import read_numbers
from reports.page import render_report
from reports.rows import is_number
from reports.view import alt_text, chosen_rows, fill
from tests.reports.browser import LOCAL, Opened, start_chromium
from tests.reports.placing import places_of
from transforms.load import Definitions
from transforms.release import Released

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    with start_chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def site(
    tmp_path_factory: pytest.TempPathFactory, released: Released, facts: NightFacts, definitions: Definitions
) -> Path:
    root = tmp_path_factory.mktemp("a site")
    script = f"plotly-{plotly.__version__}.min.js"
    (root / "assets").mkdir()
    (root / "assets" / script).write_text(get_plotlyjs())
    (root / "runs" / "one").mkdir(parents=True)
    shared = render_report(released, facts, definitions, plotly="shared", plotly_src=f"../../assets/{script}")
    (root / "runs" / "one" / "index.html").write_text(shared)
    (root / "latest.html").write_text(render_report(released, facts, definitions, plotly="inline"))
    return root


@pytest.fixture(scope="module")
def opened(chromium: Any, site: Path) -> Iterator[Opened]:
    report = Opened(chromium, site / "runs" / "one" / "index.html")
    yield report
    report.context.close()


@pytest.fixture(autouse=True)
def _as_it_opens(opened: Opened) -> Iterator[None]:
    """Every test begins with the view that the page opens with."""
    yield
    if opened.page.is_enabled("#reset"):
        opened.page.click("#reset")
        opened.wait_for_start()


def test_every_figure_is_drawn_without_a_network_and_without_a_complaint(opened: Opened) -> None:
    assert_whole(opened)


def assert_whole(report: Opened) -> None:
    assert report.page.locator(".plot").count() == report.page.locator(".plot:has(.main-svg)").count() >= 15
    assert [url for url in report.asked if not LOCAL.match(url)] == []
    assert report.said == []


def test_no_trace_is_dropped_by_plotly(opened: Opened) -> None:
    script = "[...document.querySelectorAll('.plot')].flatMap((plot) => plot._fullData.map((trace) => trace.visible))"
    assert set(opened.page.evaluate(script)) == {True}


def test_the_script_writes_the_same_words_as_the_page_without_a_script(
    opened: Opened, released: Released, facts: NightFacts, definitions: Definitions
) -> None:
    assert shown(opened) == written(released, facts, definitions, {})


CHANGES: tuple[dict[str, str], ...] = (
    {"threshold": "500", "cohort": "chemotherapy", "measure": "confirmed", "rule": "simple_run"},
    {"denominator": "observed", "sort": "name", "scale": "ctcae_v5", "drug": "rituximab", "unit": "giga"},
)


def test_all_selectors_of_the_page_are_tried_here(opened: Opened) -> None:
    names = opened.page.eval_on_selector_all("#controls select", "(found) => found.map((one) => one.name)")
    assert {name for changes in CHANGES for name in changes} == set(names)


@pytest.mark.parametrize("changes", CHANGES, ids=", ".join)
def test_every_selector_changes_tables_captions_and_alt_texts_to_the_released_numbers(
    opened: Opened, released: Released, facts: NightFacts, definitions: Definitions, changes: dict[str, str]
) -> None:
    for name, value in changes.items():
        opened.page.select_option(f"select[name={name}]", value)
    opened.wait_for(changes)
    assert shown(opened) == written(released, facts, definitions, changes)


Words = dict[str, tuple[list[str], list[list[str]], str | None, str | None]]


def shown(opened: Opened) -> Words:
    """What stands in the browser: table, alternative text and caption of each figure."""
    page = opened.page
    return {
        chart.id: (
            page.locator(f"#table-{chart.id} thead th").all_text_contents(),
            opened.table(chart.id),
            page.locator(f"#plot-{chart.id}").get_attribute("aria-label"),
            page.locator(f"#chart-{chart.id} figcaption").text_content(),
        )
        for chart in load_charts()
        if not chart.is_optional
    }


def written(released: Released, facts: NightFacts, definitions: Definitions, changes: dict[str, str]) -> Words:
    """The same from the released tables, without a browser."""
    numbers = read_numbers(released, facts, definitions)
    selection = {**numbers.choices.default, **changes}
    wording = replace(numbers.wording, unit=selection["unit"])
    words: Words = {}
    for chart in (chart for chart in load_charts() if not chart.is_optional):
        rows = chosen_rows(chart, numbers.tables[chart.table], selection, wording)
        headings = [wording.with_unit(column.heading) for column in chart.columns]
        cells = [[wording.cell(row, c.kind, c.keys) for c in chart.columns] for row in rows]
        caption = fill(chart.caption, selection, wording)
        words[chart.id] = (headings, cells, alt_text(chart, rows, selection, wording), caption)
    return words


@pytest.mark.parametrize("changes", [{}, CHANGES[0], {"unit": "giga", "denominator": "tested"}], ids=", ".join)
def test_every_figure_draws_the_released_numbers_of_the_selection(
    opened: Opened, released: Released, facts: NightFacts, definitions: Definitions, changes: dict[str, str]
) -> None:
    numbers = read_numbers(released, facts, definitions)
    selection = {**numbers.choices.default, **changes}
    for name, value in changes.items():
        opened.page.select_option(f"select[name={name}]", value)
    opened.wait_for(changes)
    n_drawn = 0
    for chart in (chart for chart in load_charts() if not chart.is_optional):
        rows = chosen_rows(chart, numbers.tables[chart.table], selection, numbers.wording)
        wanted = sorted(places_of(chart, rows, selection, numbers.wording))
        traces = [trace for trace in json.loads(opened.drawn(chart.id) or "[]") if trace.get("mode") != "text"]
        found = [cell for trace in traces for axis in "xyz" for cell in trace.get(axis, ()) if is_number(cell)]
        assert sorted(round(cell, 4) for cell in found) == wanted, chart.id
        n_drawn += len(found)
    assert n_drawn > 300


def test_sentence_and_key_numbers_are_those_of_the_released_tables(opened: Opened, released: Released) -> None:
    sentence = opened.page.locator("h1").text_content()
    table = released.tables["released.prevalence"].filter(
        cohort="everyone", measure="any_low", denominator_name="tested", standard="crude", is_weighted=False
    )
    months = table.filter(pl.col("is_complete") & (pl.col("interval_unit") == "month"))
    last = months.filter(pl.col("interval_start") == pl.col("interval_start").max())
    row = last.filter(threshold_cells_per_ul=1500).row(0, named=True)
    said = [
        float(text.replace(",", "")) for text in re.findall(r"\d[\d,.]*\d|\d", re.sub(r" in \w+ \d{4}", "", sentence))
    ]
    shares = [round(row[name] * 100, 1) for name in ("prevalence", "prevalence_lo", "prevalence_hi")]
    assert said[:5] == [row["n_low"], row["n_population"], *shares]
    for suffix, rows in (("", last), ("_all", table.filter(interval_unit="all"))):
        for row in rows.iter_rows(named=True):
            tile = opened.page.locator(f"#key-low_{row['threshold_cells_per_ul']}{suffix} .value")
            if not tile.count():
                continue
            value = tile.get_attribute("data-value")
            assert (value is None) == (row["prevalence"] is None)
            if value is not None:
                assert float(value) == pytest.approx(row["prevalence"], abs=1e-6)
                assert tile.text_content().startswith(f"{round(row['prevalence'] * 100, 1)}")


def test_the_threshold_changes_what_the_figures_draw(opened: Opened) -> None:
    charts = ("prevalence-by-cohort", "prevalence-over-time", "duration-curves", "cause-shares", "episode-endings")
    before = {chart: opened.drawn(chart) for chart in charts}
    opened.select("threshold", "500")
    after = {chart: opened.drawn(chart) for chart in charts}
    assert [chart for chart in charts if before[chart] == after[chart]] == []
    opened.page.go_back()
    opened.wait_for_start()
    assert {chart: opened.drawn(chart) for chart in charts} == before


def test_an_address_that_was_sent_opens_the_same_view_in_the_file_that_is_mailed(
    chromium: Any, site: Path, opened: Opened
) -> None:
    opened.select("cohort", "chemotherapy")
    opened.select("threshold", "1000")
    sent = opened.page.evaluate("location.hash")
    report = Opened(chromium, site / "latest.html", sent)
    assert_whole(report)
    assert report.page.input_value("select[name=cohort]") == "chemotherapy"
    assert report.table("prevalence-over-time") == opened.table("prevalence-over-time")
    report.context.close()


def test_the_episodes_at_risk_follow_the_legend(opened: Opened) -> None:
    rows = opened.page.locator("#at-risk-duration-curves tbody tr")
    before = rows.count()
    opened.page.evaluate("Plotly.restyle('plot-duration-curves', {visible: 'legendonly'}, [0])")
    assert rows.count() == before - 1
    opened.page.evaluate("Plotly.restyle('plot-duration-curves', {visible: true}, [0])")


def test_a_table_can_be_sorted_and_searched_with_the_keyboard(opened: Opened) -> None:
    opened.page.locator("#chart-prevalence-by-cohort summary").focus()
    opened.page.keyboard.press("Enter")
    opened.page.locator("#table-prevalence-by-cohort thead th >> nth=4").locator("button").focus()
    opened.page.keyboard.press("Enter")
    people = [row[4] for row in opened.table("prevalence-by-cohort") if row[4][0].isdigit()]
    sizes = [int(text.replace(",", "")) for text in people]
    assert sizes == sorted(sizes)
    opened.page.locator("#chart-prevalence-by-cohort input[type=search]").fill("clozapine")
    shown = opened.page.locator("#table-prevalence-by-cohort tbody tr:visible")
    assert set(shown.locator("th").all_text_contents()) == {"On clozapine"}
    opened.page.locator("#chart-prevalence-by-cohort input[type=search]").fill("")


def test_without_a_script_every_table_is_open(chromium: Any, site: Path) -> None:
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto((site / "latest.html").as_uri())
    assert page.locator("table.data:visible").count() >= 15
    assert page.locator("#controls").is_hidden()
    context.close()


def test_no_button_of_a_figure_sends_anything_anywhere(opened: Opened) -> None:
    titles = opened.page.eval_on_selector_all(".modebar-btn", "(found) => found.map((one) => one.dataset.title)")
    assert not [title for title in titles if re.search(r"cloud|share|edit|plotly", title or "", re.IGNORECASE)]
    assert opened.page.locator(".modebar-btn--logo").count() == 0
