"""The page in a browser: drawn, driven by its selectors, kept in its address, and without a network."""

import json
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import plotly
import pytest
from plotly.offline import get_plotlyjs

from reports.facts import NightFacts
from reports.numbers import read_numbers
from reports.page import load_charts, render_report
from reports.view import alt_text, chosen_rows, fill
from transforms.load import Definitions
from transforms.release import Released

pytestmark = pytest.mark.browser
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
DRAWN = "html[data-drawn]"
LOCAL = re.compile(r"^(file|data|blob):")


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    path = shutil.which("chromium")
    if path is None:
        if os.environ.get("CI") == "true":
            pytest.fail("CI must have Debian's chromium: apt-get install chromium")
        pytest.skip("Debian's chromium is not installed")
    from playwright.sync_api import sync_playwright  # noqa: PLC0415

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


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


class Opened:
    """A page with all it asked for and complained about."""

    def __init__(self, browser: Any, path: Path, address: str = "", **context: Any) -> None:
        self.context = browser.new_context(**{"viewport": {"width": 1280, "height": 900}, **context})
        self.page = self.context.new_page()
        self.asked: list[str] = []
        self.said: list[str] = []
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.on("console", lambda message: self.said.append(message.text))
        self.page.on("pageerror", lambda error: self.said.append(str(error)))
        self.page.goto(f"{path.as_uri()}{address}")
        self.wait()

    def wait(self) -> None:
        self.page.wait_for_selector(DRAWN, timeout=40_000, state="attached")

    def select(self, name: str, value: str) -> None:
        self.page.select_option(f"select[name={name}]", value)
        self.page.wait_for_selector(f'html[data-drawn*=\'"{name}":"{value}"\']', state="attached")

    def wait_for_start(self) -> None:
        """Until the page shows again what it opens with."""
        self.page.wait_for_selector("#reset:disabled")
        self.wait()

    def drawn(self, chart: str) -> Any:
        """What a figure shows; nothing where a line says why there is none."""
        plot = f"document.getElementById('plot-{chart}')"
        return self.page.evaluate(f"{plot}.offsetParent === null ? null : JSON.stringify({plot}.data)")

    def table(self, chart: str) -> list[list[str]]:
        script = f"""[...document.querySelectorAll('#table-{chart} tbody tr')]
            .map((row) => [...row.cells].map((cell) => cell.textContent))"""
        return list(self.page.evaluate(script))


@pytest.fixture(scope="module")
def opened(chromium: Any, site: Path) -> Iterator[Opened]:
    report = Opened(chromium, site / "runs" / "one" / "index.html")
    yield report
    report.context.close()


@pytest.mark.parametrize("name", ["runs/one/index.html", "latest.html"])
def test_every_figure_is_drawn_without_a_network_and_without_a_complaint(chromium: Any, site: Path, name: str) -> None:
    report = Opened(chromium, site / name)
    assert report.page.locator(".plot").count() == report.page.locator(".plot:has(.main-svg)").count() >= 15
    assert [url for url in report.asked if not LOCAL.match(url)] == []
    assert report.said == []
    report.context.close()


def test_no_trace_is_dropped_by_plotly(opened: Opened) -> None:
    script = "[...document.querySelectorAll('.plot')].flatMap((plot) => plot._fullData.map((trace) => trace.visible))"
    assert set(opened.page.evaluate(script)) == {True}


def test_the_script_writes_the_same_words_as_the_page_without_a_script(
    opened: Opened, released: Released, facts: NightFacts, definitions: Definitions
) -> None:
    assert shown(opened) == written(released, facts, definitions, {})


@pytest.mark.parametrize(
    "changes",
    [
        {"threshold": "500", "cohort": "chemotherapy", "measure": "confirmed", "rule": "simple_run"},
        {"denominator": "observed", "sort": "name", "cohort": "rituximab"},
        {"sort": "size", "threshold": "1000"},
    ],
)
def test_every_selector_changes_tables_captions_and_alt_texts_to_the_released_numbers(
    opened: Opened, released: Released, facts: NightFacts, definitions: Definitions, changes: dict[str, str]
) -> None:
    for name, value in changes.items():
        opened.select(name, value)
    assert shown(opened) == written(released, facts, definitions, changes)
    opened.page.click("#reset")
    opened.wait_for_start()


Words = dict[str, tuple[list[list[str]], str | None, str | None]]


def shown(opened: Opened) -> Words:
    """What stands in the browser: table, alternative text and caption of each figure."""
    page = opened.page
    return {
        chart.id: (
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
    words: Words = {}
    for chart in (chart for chart in load_charts() if not chart.is_optional):
        rows = chosen_rows(chart, numbers.tables[chart.table], selection, numbers.wording)
        cells = [[numbers.wording.cell(row, c.kind, c.keys) for c in chart.columns] for row in rows]
        caption = fill(chart.caption, selection, numbers.wording)
        words[chart.id] = (cells, alt_text(chart, rows, selection, numbers.wording), caption)
    return words


def test_a_figure_shows_the_numbers_of_its_table(opened: Opened, released: Released) -> None:
    points = [trace for trace in json.loads(opened.drawn("prevalence-by-cohort")) if trace["mode"] == "markers"]
    drawn = sorted(round(x, 4) for trace in points for x in trace["x"])
    table = released.tables["released.prevalence"]
    wanted = table.filter(interval_unit="all", measure="any_low", threshold_cells_per_ul=1500)[
        "prevalence"
    ].drop_nulls()
    assert drawn == sorted(round(value * 100, 4) for value in wanted)


def test_the_threshold_changes_what_the_figures_draw(opened: Opened) -> None:
    charts = ("prevalence-by-cohort", "prevalence-over-time", "duration-curves", "cause-shares", "episode-endings")
    before = {chart: opened.drawn(chart) for chart in charts}
    opened.select("threshold", "500")
    after = {chart: opened.drawn(chart) for chart in charts}
    assert [chart for chart in charts if before[chart] == after[chart]] == []
    opened.page.go_back()
    opened.wait_for_start()
    assert {chart: opened.drawn(chart) for chart in charts} == before


def test_an_address_that_was_sent_opens_the_same_view(chromium: Any, site: Path, opened: Opened) -> None:
    opened.select("cohort", "chemotherapy")
    opened.select("threshold", "1000")
    sent = opened.page.evaluate("location.hash")
    report = Opened(chromium, site / "latest.html", sent)
    assert report.page.input_value("select[name=cohort]") == "chemotherapy"
    assert report.table("prevalence-over-time") == opened.table("prevalence-over-time")
    report.context.close()
    opened.page.click("#reset")
    opened.wait_for_start()


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


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_needs_no_sideways_scrolling(chromium: Any, site: Path, scheme: str) -> None:
    report = Opened(chromium, site / "latest.html", viewport={"width": 390, "height": 844}, color_scheme=scheme)
    assert report.page.evaluate("document.documentElement.scrollWidth") <= 390
    assert report.said == []
    report.context.close()


def test_without_a_script_every_table_is_open(chromium: Any, site: Path) -> None:
    context = chromium.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto((site / "latest.html").as_uri())
    assert page.locator("table.data:visible").count() >= 15
    assert page.locator("#controls").is_hidden()
    context.close()


def test_printing_opens_every_table(opened: Opened) -> None:
    opened.page.evaluate("window.dispatchEvent(new Event('beforeprint'))")
    assert opened.page.evaluate("[...document.querySelectorAll('details')].every((fold) => fold.open)")
    opened.page.evaluate("window.dispatchEvent(new Event('afterprint'))")
    opened.wait()
    assert not opened.page.evaluate("[...document.querySelectorAll('details.twin')].every((fold) => fold.open)")


def test_no_button_of_a_figure_sends_anything_anywhere(opened: Opened) -> None:
    titles = opened.page.eval_on_selector_all(".modebar-btn", "(found) => found.map((one) => one.dataset.title)")
    assert not [title for title in titles if re.search(r"cloud|share|edit|plotly", title or "", re.IGNORECASE)]
    assert opened.page.locator(".modebar-btn--logo").count() == 0
