"""The page in a browser: drawn, driven by its selectors, kept in its address, and without a network."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import plotly
import polars as pl
import pytest
from plotly.offline import get_plotlyjs

from reports.charts.spec import Chart
from reports.facts import NightFacts
from reports.mailing import as_one_file
from reports.numbers import Numbers, read_numbers
from reports.page import gather_content, render_content
from tests.reports.browser import LOCAL, Opened
from tests.reports.reading import Words, charts_of, placed, points_of, shown, written
from transforms.load import Definitions
from transforms.release import Released

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def numbers(released: Released, facts: NightFacts, definitions: Definitions) -> Numbers:
    return read_numbers(released, facts, definitions)


@pytest.fixture(scope="module")
def charts(numbers: Numbers) -> Sequence[Chart]:
    return charts_of(numbers)


@pytest.fixture(scope="module")
def site(
    tmp_path_factory: pytest.TempPathFactory, numbers: Numbers, facts: NightFacts, definitions: Definitions
) -> Path:
    root = tmp_path_factory.mktemp("a site")
    script = f"plotly-{plotly.__version__}.min.js"
    (root / "assets").mkdir()
    (root / "assets" / script).write_text(get_plotlyjs())
    (root / "runs" / "one").mkdir(parents=True)
    shared = render_content(gather_content(numbers, facts, definitions), f"../../assets/{script}")
    (root / "runs" / "one" / "index.html").write_text(shared)
    (root / "latest.html").write_text(as_one_file(shared, get_plotlyjs(), facts.run_id))
    return root


@pytest.fixture(scope="module")
def opened(chromium: Any, site: Path) -> Iterator[Opened]:
    report = Opened(chromium, site / "runs" / "one" / "index.html")
    yield report
    report.context.close()


def test_every_figure_is_drawn_without_a_network_and_without_a_complaint(opened: Opened) -> None:
    assert_whole(opened)


def assert_whole(report: Opened) -> None:
    """Every figure is drawn, or says that the release hides all of it."""
    assert report.page.locator(".plot:has(.main-svg)").count() >= 30
    idle = report.page.locator("figure:has(.plot):not(:has(.main-svg))").all_inner_texts()
    assert [text for text in idle if "Nothing to draw" not in text] == []
    assert [url for url in report.asked if not LOCAL.match(url)] == []
    assert report.said == []


def test_no_trace_is_dropped_by_plotly(opened: Opened) -> None:
    drawn = "[...document.querySelectorAll('.plot:has(.main-svg)')]"
    script = f"{drawn}.flatMap((plot) => plot._fullData.map((trace) => trace.visible))"
    assert set(opened.page.evaluate(script)) == {True}


CHANGES: Mapping[str, Mapping[str, str]] = {
    "as it opens": {},
    "other people": {"threshold": "500", "cohort": "chemotherapy", "measure": "confirmed", "rule": "simple_run"},
    "other words": {"denominator": "tested", "sort": "name", "scale": "ctcae_v5", "drug": "rituximab", "unit": "giga"},
}


@dataclass(frozen=True)
class View:
    """What the page shows under a selection: words, points and labelled names by chart, and the address."""

    words: Words
    points: Mapping[str, Sequence[float]]
    labelled: Mapping[str, Mapping[str, bool]]
    curves: Sequence[Mapping[str, Any]]
    address: str


@pytest.fixture(scope="module")
def views(opened: Opened, charts: Sequence[Chart]) -> Mapping[str, View]:
    """Every view once, because drawing all figures anew is what takes time; the last one stays."""
    found: dict[str, View] = {}
    for view, changes in CHANGES.items():
        if opened.page.is_enabled("#reset"):
            opened.page.click("#reset")
            opened.wait_for_start()
            assert points_of(opened, charts) == found["as it opens"].points
        for name, value in changes.items():
            opened.page.select_option(f"select[name={name}]", value)
        opened.wait_for(changes)
        found[view] = View(
            shown(opened, charts),
            points_of(opened, charts),
            labels_of(opened),
            json.loads(opened.drawn("duration-curves")),
            opened.page.evaluate("location.hash"),
        )
    return found


def labels_of(opened: Opened) -> Mapping[str, Mapping[str, bool]]:
    """By figure whether each name that has a bar or a point has a text."""
    found = {}
    for chart in ("complication-shares", "drug-shares", "cycle-shares", "prevalence-by-cohort"):
        traces = json.loads(opened.drawn(chart) or "[]")
        labelled = {name for trace in traces if trace.get("mode") == "text" for name in trace["y"]}
        drawn = {name for trace in traces if trace.get("mode") != "text" for name in trace["y"]}
        found[chart] = {name: name in labelled for name in drawn}
    return found


def test_all_selectors_of_the_page_are_tried_here(opened: Opened) -> None:
    names = opened.page.eval_on_selector_all("#controls select", "(found) => found.map((one) => one.name)")
    assert {name for changes in CHANGES.values() for name in changes} == set(names)


@pytest.mark.parametrize("view", CHANGES)
def test_every_selector_changes_tables_captions_and_alt_texts_to_the_released_numbers(
    views: Mapping[str, View], numbers: Numbers, charts: Sequence[Chart], view: str
) -> None:
    assert views[view].words == written(numbers, CHANGES[view], charts)


@pytest.mark.parametrize("view", CHANGES)
def test_every_figure_draws_the_released_numbers_of_the_selection(
    views: Mapping[str, View], numbers: Numbers, charts: Sequence[Chart], view: str
) -> None:
    wanted = placed(numbers, CHANGES[view], charts)
    for chart in charts:
        assert views[view].points[chart.id] == wanted[chart.id], chart.id
    assert sum(map(len, views[view].points.values())) > 300


def test_every_bar_and_point_has_its_number_beside_it_with_or_without_an_interval(views: Mapping[str, View]) -> None:
    assert "Mouth sores and mucositis" in views["other people"].labelled["complication-shares"]
    for view in views.values():
        for chart, names in view.labelled.items():
            assert all(names.values()), (chart, names)


def test_the_threshold_changes_what_the_figures_draw(views: Mapping[str, View]) -> None:
    for chart in ("prevalence-by-cohort", "prevalence-over-time", "duration-curves", "cause-shares", "episode-endings"):
        assert views["as it opens"].points[chart] != views["other people"].points[chart]


def test_a_source_that_begins_and_a_change_of_definitions_are_marked_on_every_trend(opened: Opened) -> None:
    both = ["2025-06-01", "2026-03-04"]
    ends_earlier = {"prevalence-by-calendar": both[:1]}
    for chart in ("prevalence-over-time", "severity-over-time", "testing-over-time", *ends_earlier):
        layout = f"document.getElementById('plot-{chart}')._fullLayout"
        inside = ends_earlier.get(chart, both)
        assert opened.page.evaluate(f"{layout}.shapes.map((one) => one.x0)") == inside
        letters = [f"<b>{letter}</b>" for letter in "AB"[: len(inside)]]
        assert opened.page.evaluate(f"{layout}.annotations.map((one) => one.text)") == letters
        told = opened.page.locator(f"#chart-{chart} .breaks li").all_text_contents()
        assert told[0] == "A 2025-06-01: the source second begins"
        assert told[1].startswith("B 2026-03-04: reports from this night on have other definitions (clinical 1 to 2)")
        assert told[2].startswith("C 2026-12-06"), "after the last month it is told and makes no room"
    assert opened.page.locator("#chart-prevalence-by-cohort .breaks").count() == 0


def test_rates_go_by_factors_of_ten_unless_one_of_them_is_0(opened: Opened) -> None:
    for chart in ("incidence-by-cohort", "incidence-standardised"):
        plot = f"document.getElementById('plot-{chart}')"
        assert opened.page.evaluate(f"{plot}._fullLayout.xaxis.type") == "linear"
        assert opened.page.evaluate(f"{plot}.querySelectorAll('.xtick').length") < 15


def test_ratios_go_by_factors_and_have_a_line_at_no_difference(opened: Opened) -> None:
    plot = "document.getElementById('plot-drug-ratios')"
    lowest = opened.page.evaluate(f"Math.min(...{plot}.data.flatMap((one) => one.x))")
    kind, line, span = opened.page.evaluate(
        f"[{plot}._fullLayout.xaxis.type, {plot}._fullLayout.shapes.map((one) => one.x0), "
        f"{plot}.querySelector('.shapelayer path').getBBox().x - {plot}._fullLayout._size.l]"
    )
    assert (kind, line) == ("log", [1])
    place = opened.page.evaluate(f"{plot}._fullLayout.xaxis.d2p(1)")
    assert span == pytest.approx(place, abs=1), "the line stands at 1, not at ten to the power of 1"
    assert lowest > 0


def test_no_axis_has_the_same_number_twice(opened: Opened) -> None:
    name = "tick.parentNode.className.baseVal + tick.textContent"
    ticks_of = f"(plot) => [...plot.querySelectorAll('.ytick, .xtick')].map((tick) => {name})"
    script = f"[...document.querySelectorAll('.plot:has(.main-svg)')].map({ticks_of})"
    for ticks in opened.page.evaluate(script):
        assert len(set(ticks)) == len(ticks)


def test_back_shows_the_view_before_the_last_selection(opened: Opened, views: Mapping[str, View]) -> None:
    opened.page.go_back()
    opened.wait_for({"unit": "per_ul"})
    assert opened.page.input_value("select[name=unit]") == "per_ul"
    assert opened.page.input_value("select[name=drug]") == "rituximab"
    assert opened.table("prevalence-by-cohort") == views["other words"].words["prevalence-by-cohort"][1]


def test_an_address_that_was_sent_opens_the_same_view_in_the_file_that_is_mailed(
    chromium: Any, site: Path, views: Mapping[str, View], charts: Sequence[Chart]
) -> None:
    report = Opened(chromium, site / "latest.html", views["other people"].address)
    assert_whole(report)
    assert report.page.input_value("select[name=cohort]") == "chemotherapy"
    assert shown(report, charts) == views["other people"].words
    report.context.close()


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


@pytest.mark.parametrize("view", CHANGES)
def test_a_curve_has_a_point_on_each_day_told_and_passes_over_no_hidden_one(
    views: Mapping[str, View], view: str
) -> None:
    rows = views[view].words["duration-curves"][1]
    told = {(name, int(day)): share for name, day, *_, share, _ in rows}
    for trace in views[view].curves:
        assert trace["line"].get("shape", "linear") == "linear", "between two days nothing is told, not a step either"
        assert "markers" in trace["mode"]
        days = sorted(day for name, day in told if name == trace["name"])
        shown = [day if told[trace["name"], day] != "hidden" else None for day in days]
        assert trace["x"] == shown
    assert any(None in trace["x"] for view in views.values() for trace in view.curves)


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
