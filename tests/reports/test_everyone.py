"""The report for everyone: judged by axe-core, worked by keyboard, printed whole, and proof against hostile text."""

import csv
import io
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from typing import Any
from unicodedata import normalize
from urllib.parse import urlsplit
from urllib.request import url2pathname

import pytest
from pypdf import PdfReader

from reports.catalogue import CatalogueEntry, render_catalogue
from reports.chart_list import load_charts
from reports.facts import Earlier, InputFact, NightFacts, RefusedFact
from reports.page import render_report
from tests.reports.browser import LOCAL, Opened
from tests.reports.conftest import draw_estimates, released_of
from transforms.load import Definitions

pytestmark = pytest.mark.browser
MARKUP = "<img src=x onerror=alert(1)><script>alert('2')</script>\"'& \u202eevil"
FORMULA = '=HYPERLINK("a")'
SHOWN = MARKUP.replace("\u202e", "\ufffd")
COHORTS = {"everyone": 5200, "chemotherapy": 900, MARKUP: 1200, FORMULA: 210}
LONG = " ".join(["Donaudampfschifffahrtselektrizitaetenhauptbetriebswerk", *["and all that belongs to it"] * 6])
WITHOUT_COLOURS = {"color-contrast": {"enabled": False}}
# Colours are those of the style sheet: one of each kind has them all, and axe takes its time for each letter.
ALIKE = (
    "article.chart:nth-of-type(n + 2), tbody tr:nth-child(n + 2), #methods details details, .terms > :nth-child(n + 2)"
)
# Strokes and sentences, which take ten times as long to read from paper as all tables.
NO_TABLES = ".plot { visibility: hidden } #glossary, .definition > :not(.table-holder) { display: none !important }"
PAGE_HEIGHT = 960  # of letter paper, in pixels of a style sheet
HEIGHTS_ON_PAPER = """[...document.querySelectorAll('.plot:has(.main-svg)')]
    .map((one) => one._fullLayout.height * Number(getComputedStyle(one).getPropertyValue('--shrinking')))"""
CURVE = "document.getElementById('plot-drug-curve').data.at(-1).line.color"  # black, which is ink
INK = "getComputedStyle(document.documentElement).getPropertyValue('--ink').trim()"
TAKE_AWAY = f"for (const one of document.querySelectorAll('{ALIKE}')) one.remove()"
AXE = (files("axe_playwright_python") / "axe.min.js").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def report(
    chromium: Any, tmp_path_factory: pytest.TempPathFactory, facts: NightFacts, definitions: Definitions
) -> Iterator[Opened]:
    """A small night whose cohorts, drugs, units, files and sources have names that want to be more than text.

    So has the night before, in which half as many of one cohort were low.
    """
    drawn, before = draw_estimates(cohorts=COHORTS), draw_estimates(cohorts=COHORTS)
    for row in (row for row in before["estimate.prevalence"] if row["cohort"] == MARKUP):
        shares = ("prevalence", "prevalence_lo", "prevalence_hi")
        row.update(
            {name: row[name] / 2 for name in shares}, **dict.fromkeys(("n_low", "n_low_possible"), row["n_low"] // 2)
        )
    for row in (row for rows in drawn.values() for row in rows):
        renamed = {"docetaxel": MARKUP, "clozapine": FORMULA, "chem drug 1": MARKUP}
        row |= {name: renamed.get(str(row[name]), row[name]) for name in ("drug", "agent") if name in row}
    hostile = replace(
        facts,
        earlier=Earlier(MARKUP, "2026-10-31T02:00:00", n_new_files=2, definitions=((MARKUP, "1", "2"),)),
        inputs=(InputFact(MARKUP, 1, 1, "ab", "delimited", MARKUP),),
        refused=(RefusedFact("unit_unknown", f"unit {MARKUP}", "canonical.lab", 12, MARKUP, MARKUP, 24, FORMULA),),
    )
    page = tmp_path_factory.mktemp("everyone") / "latest.html"
    earlier = released_of(before)
    html = render_report(released_of(drawn), hostile, definitions, plotly="inline", earlier=earlier)
    page.write_text(html, encoding="utf-8")
    opened = Opened(chromium, page)
    yield opened
    opened.context.close()


def test_hostile_text_is_shown_as_text_in_every_place_and_runs_nowhere(report: Opened) -> None:
    page = report.page
    assert report.said == []
    assert [url for url in report.asked if not LOCAL.match(url)] == []
    assert page.locator("main img, header img, form img, [onerror]").count() == 0
    assert page.locator("script").count() == 3
    assert SHOWN in page.locator("select[name=cohort]").text_content()
    assert SHOWN in page.locator("select[name=drug]").text_content()
    of_cohorts = [chart.id for chart in load_charts() if chart.columns[0].kind == "name:cohort"]
    drawn = [chart for chart in of_cohorts if page.locator(f"#table-{chart}").count()]
    assert {"person-days", "chronic-by-cohort", "tests-low", "incidence-standardised", "cause-heatmap"} <= set(drawn)
    for chart in (*drawn, "drug-shares", "cause-drugs"):
        assert SHOWN in {cell for row in report.table(chart) for cell in row}, chart
    assert FORMULA in {cell for row in report.table("drug-ratios") for cell in row}
    assert page.evaluate("document.getElementById('plot-incidence-by-cohort')._fullLayout.xaxis.type") == "log"
    names = page.locator("#plot-prevalence-by-cohort .ytick").all_text_contents()
    assert {SHOWN.replace(" ", ""), FORMULA} <= {name.replace(" ", "") for name in names}
    for table in ("refused", "inputs", "outstanding", "definitions-moved"):
        assert SHOWN in page.locator(f"#table-{table}").text_content()
    assert SHOWN in page.locator(".first").text_content()
    assert "\u202e" not in page.locator("body").inner_text()


@pytest.mark.slow
def test_very_long_names_are_cut_in_a_figure_are_still_two_and_stand_whole_in_the_table(
    chromium: Any, tmp_path: Path, facts: NightFacts, definitions: Definitions
) -> None:
    names = {"everyone": 5200, f"{LONG} one": 2600, f"{LONG} two": 2600}
    released = released_of(draw_estimates(cohorts=names))
    (tmp_path / "page.html").write_text(render_report(released, facts, definitions, plotly="inline"))
    report = Opened(chromium, tmp_path / "page.html")
    wide = "document.getElementById('plot-testing-by-cohort')._fullLayout"
    assert report.page.evaluate(f"{wide}._size.w / {wide}.width") > 0.4, "the figure keeps its room"
    shown = report.page.locator("#plot-testing-by-cohort .ytick").all_text_contents()
    assert len([name for name in shown if "\u2026" in name]) == 2
    assert len(set(shown)) == len(shown) == len(names)
    assert {f"{LONG} one", f"{LONG} two"} <= {row[0] for row in report.table("testing-by-cohort")}
    report.context.close()


def save(report: Opened, kind: str, chart: str) -> Any:
    with report.page.expect_download() as saving:
        report.page.click(f"[data-save={kind}][data-of={chart}]")
    return saving.value


def test_a_saved_table_says_what_was_selected_in_its_rows_and_its_name(report: Opened) -> None:
    report.select("threshold", "500")
    saved = save(report, "csv", "prevalence-by-cohort")
    report.page.click("#reset")
    report.wait_for_start()
    rows = list(csv.DictReader(Path(saved.path()).read_text(encoding="utf-8-sig").splitlines()))
    assert {row["threshold_cells_per_ul"] for row in rows} == {"500"}
    assert {row["denominator_name"] for row in rows} == {"tested", "observed"}
    assert "-500" in saved.suggested_filename
    sizes = [row["People"] for row in rows if row["People"] != "hidden"]
    assert max(map(int, sizes)) > 999, "a comma between thousands is a decimal sign to some spreadsheets"


def test_a_saved_figure_is_dark_on_white_and_says_what_it_shows_whatever_the_colours_of_the_page(
    report: Opened,
) -> None:
    report.page.click("#theme")
    report.wait()
    page_before = report.drawn("prevalence-over-time")
    text = Path(save(report, "svg", "prevalence-over-time").path()).read_text()
    assert report.drawn("prevalence-over-time") == page_before
    assert report.page.get_attribute("html", "data-theme") == "dark"
    report.page.click("#theme")
    report.wait()
    assert "rgb(255, 255, 255)" in text[:600]
    fills = {tuple(map(int, found)) for found in re.findall(r"<text[^>]*fill: rgb\((\d+), (\d+), (\d+)\)", text)}
    assert fills
    assert max(max(fill) for fill in fills) < 128, "letters are dark"
    told = re.sub(r"<[^>]+>", "", text)
    assert "Prevalence over time" in told
    assert "below 1,500" in told
    assert "Everyone" in told


def test_a_saved_table_runs_no_formula_and_says_which_night_it_is_of(report: Opened, facts: NightFacts) -> None:
    text = Path(save(report, "csv", "prevalence-by-cohort").path()).read_text(encoding="utf-8-sig")
    assert not re.search(r'(^|,)"?[=+@-]', text, re.MULTILINE)
    assert "'=HYPERLINK" in text
    lines = text.strip().splitlines()
    assert all(facts.run_id in line and facts.definitions_hash in line for line in lines[1:])
    for kind, start in (("svg", b"<svg"), ("png", b"\x89PNG")):
        saved = save(report, kind, "prevalence-by-cohort")
        assert Path(saved.path()).read_bytes().startswith(start)
        assert facts.run_id in saved.suggested_filename


def test_a_table_without_a_figure_keeps_its_caption_and_can_be_saved(report: Opened) -> None:
    report.page.select_option("select[name=cohort]", FORMULA)
    report.until("JSON.parse(document.documentElement.dataset.drawn ?? '{}').cohort?.startsWith('=')")
    undrawn = report.page.locator(".undrawn:has(.nothing:visible)")
    assert undrawn.count() > 0
    assert undrawn.locator("figcaption:visible").count() == undrawn.count()
    assert undrawn.locator("[data-save=csv]:visible").count() == undrawn.count()
    assert undrawn.locator("[data-save=png]:visible").count() == 0
    report.page.click("#reset")
    report.wait_for_start()


def test_who_does_not_see_the_page_change_hears_what_it_shows_now(report: Opened) -> None:
    status = report.page.get_by_role("status")
    report.select("threshold", "500")
    report.until("document.getElementById('heard').textContent.includes('Threshold 500')")
    report.page.click("#reset")
    report.wait_for_start()
    report.until("document.getElementById('heard').textContent.includes('what the page opens with')")
    report.page.locator("#chart-prevalence-by-cohort summary").click()
    field = report.page.locator("#chart-prevalence-by-cohort input[type=search]")
    field.fill("chemo")
    assert re.fullmatch(r"\d+ of \d+ rows\.", status.text_content() or "")
    field.fill("")
    report.page.locator("#chart-prevalence-by-cohort summary").click()


def test_keyboard_alone_reaches_everything_and_focus_is_seen(report: Opened) -> None:
    page = report.page
    page.evaluate("document.activeElement.blur(); window.scrollTo(0, 0)")
    wanted = page.evaluate(
        """() => {
        const all = document.querySelectorAll('a[href], button, select, input, summary, [tabindex="0"]');
        const seen = [...all].filter((one) => one.checkVisibility({ visibilityProperty: true }) && !one.disabled);
        seen.forEach((one) => { one.dataset.wanted = one.outerHTML.slice(0, 90); });
        window.unseen = [];
        document.addEventListener('focusin', (event) => {
            event.target.dataset.reached = 'yes';
            const style = getComputedStyle(event.target);
            if (style.outlineStyle === 'none' && style.boxShadow === 'none') window.unseen.push(event.target.outerHTML);
        });
        return seen.length;
    }"""
    )
    assert wanted > 150
    for _ in range(wanted + 20):
        page.keyboard.press("Tab")
    missed = "[...document.querySelectorAll('[data-wanted]:not([data-reached])')].map((one) => one.dataset.wanted)"
    assert page.evaluate(missed) == []
    assert page.evaluate("window.unseen") == []


def test_keyboard_alone_works_selectors_figures_tables_and_folds_whatever_they_are_called(report: Opened) -> None:
    page = report.page
    page.focus("select[name=cohort]")
    page.keyboard.press("Home")
    page.wait_for_selector('html[data-drawn*=\'"cohort":"<img\']', state="attached")
    assert page.input_value("select[name=cohort]") == MARKUP
    following = [chart.id for chart in load_charts() if "cohort" in chart.follows and "{cohort}" in chart.caption]
    assert {"cycle-shares", "cycle-severe-days", "cause-windows", "specification-curve", "attrition"} <= set(following)
    for chart in following:
        assert page.locator(f"#chart-{chart} figcaption").text_content().count(SHOWN) == 1, chart
        assert SHOWN in page.locator(f"#plot-{chart}").get_attribute("aria-label"), chart
    page.focus("#reset")
    page.keyboard.press("Enter")
    report.wait_for_start()
    assert report.said == []
    at_risk = page.locator("#at-risk-duration-curves tbody tr")
    before = at_risk.count()
    switch = page.locator("#plot-duration-curves [role=switch]").first
    for shown, n_rows in (("false", before - 1), ("true", before)):
        page.evaluate("document.activeElement.blur()")
        switch.focus()
        page.keyboard.press("Space")
        report.until(f"document.activeElement.getAttribute('aria-checked') === '{shown}'")
        assert at_risk.count() == n_rows
    axis = "document.getElementById('plot-duration-curves')._fullLayout.xaxis.range"
    spread = f"({axis}[1] - {axis}[0])"
    wide = page.evaluate(spread)
    page.locator("#plot-duration-curves [aria-label='Zoom in']").focus()
    page.keyboard.press("Enter")
    report.until(f"{spread} < {wide}")
    page.locator("#plot-duration-curves [aria-label='Reset axes']").focus()
    page.keyboard.press("Enter")
    report.until(f"Math.abs({spread} - {wide}) < 1e-6")
    fold = page.locator("#chart-prevalence-by-cohort details.twin")
    page.locator("#chart-prevalence-by-cohort summary").focus()
    page.keyboard.press("Enter")
    assert fold.get_attribute("open") is not None
    page.locator("#table-prevalence-by-cohort thead button").nth(4).focus()
    page.keyboard.press("Enter")
    sizes = [int(row[4].replace(",", "")) for row in report.table("prevalence-by-cohort") if row[4][0].isdigit()]
    assert sizes == sorted(sizes)
    page.locator("#chart-prevalence-by-cohort input[type=search]").focus()
    page.keyboard.type("hyperlink")
    names = page.locator("#table-prevalence-by-cohort tbody tr:visible th").all_text_contents()
    assert set(names) == {FORMULA}
    for _ in "hyperlink":
        page.keyboard.press("Backspace")


@pytest.mark.slow
def test_printing_gives_a_file_with_every_row_of_every_table(report: Opened) -> None:
    page = report.page
    page.evaluate("document.querySelector('#chart-prevalence-by-cohort details').open = true")
    page.locator("#chart-prevalence-by-cohort input[type=search]").fill("nothing is called this")
    cells = "[...document.querySelectorAll('main table:not(.moves) :is(td, th)')].map((cell) => cell.textContent)"
    words = count_words(page.evaluate(cells))
    hiding = page.add_style_tag(content=NO_TABLES)
    page.evaluate(f"window.addEventListener('beforeprint', () => {{ window.heights = {HEIGHTS_ON_PAPER} }})")
    printed = PdfReader(io.BytesIO(page.pdf(format="A4", prefer_css_page_size=True)))
    found = count_words(sheet.extract_text() for sheet in printed.pages)
    assert sum(words.values()) > 2000
    assert {word: n for word, n in words.items() if found[word] < n} == {}
    heights = page.evaluate("window.heights")
    assert len(heights) > 25
    assert max(heights) <= PAGE_HEIGHT - 100  # with its heading and its caption
    page.locator("#chart-prevalence-by-cohort input[type=search]").fill("")
    hiding.evaluate("(style) => style.remove()")
    report.wait()
    assert not page.evaluate("document.documentElement.classList.contains('printed')")
    widths = "[...document.querySelectorAll('.plot .main-svg:first-of-type')].map((one) => one.clientWidth)"
    assert 972 not in page.evaluate(widths)  # the width on paper


def count_words(texts: Any) -> Counter[str]:
    """Words and numbers that no line break can part, without ligatures."""
    return Counter(
        word for text in texts for word in re.findall(r"[A-Za-z]{1,12}|\d[\d,.]*\d|\d", normalize("NFKC", text))
    )


def test_any_two_nights_of_the_catalogue_are_compared_and_the_address_keeps_which(
    chromium: Any, tmp_path: Path
) -> None:
    number = {"id": "low_1500", "label": "Neutropenia", "title": "Neutropenia, May", "kind": "percent"}
    nights = [
        CatalogueEntry(
            f"run-{day}",
            f"2026-10-0{day}T02:00:00",
            "go",
            [{**number, "text": f"{share * 100:.1f} %", "value": share}],
            {"low_1500": share},
            sources=[MARKUP],
            definitions_hash=f"{day // 3}",
        )
        for day, share in ((1, 0.061), (2, 0.079), (3, 0.06))
    ]
    page = tmp_path / "index.html"
    page.write_text(render_catalogue(nights), encoding="utf-8")
    opened = Opened(chromium, page, drawn="html.scripted")
    cells = opened.page.locator("#compared td")
    assert cells.all_text_contents() == ["7.9 %", "6.0 %", "1.9 points down"]
    assert "differ in their definitions" in opened.page.locator("#compared").text_content()
    opened.page.select_option("select[name=before]", "run-1")
    opened.page.select_option("select[name=now]", "run-2")
    opened.page.wait_for_selector("#compared td:has-text('1.8 points up')")
    assert "what changed is the data" in opened.page.locator("#compared").text_content()
    again = Opened(chromium, page, opened.page.evaluate("location.hash"), drawn="html.scripted")
    assert again.page.locator("#compared td").all_text_contents() == ["6.1 %", "7.9 %", "1.8 points up"]
    again.page.evaluate(AXE)
    assert judge(again.page, {}) == []
    assert opened.said == again.said == []
    again.context.close()
    opened.context.close()


def test_axe_finds_nothing_serious_in_light_dark_and_on_a_phone(chromium: Any, report: Opened) -> None:
    page = report.page
    show_one_of_each(page)
    assert judge(page, {"rules": WITHOUT_COLOURS}) == []
    page.evaluate(TAKE_AWAY)
    assert judge(page, {"runOnly": ["color-contrast"]}) == []
    path = Path(url2pathname(urlsplit(page.url).path))
    dark = Opened(chromium, path, color_scheme="dark", viewport={"width": 390, "height": 900})
    assert dark.page.evaluate("document.documentElement.scrollWidth") == 390
    assert dark.page.evaluate(CURVE) == dark.page.evaluate(INK) != page.evaluate(INK)
    show_one_of_each(dark.page)
    dark.page.evaluate(TAKE_AWAY)
    assert judge(dark.page, {}) == []
    dark.context.close()


def show_one_of_each(page: Any) -> None:
    """Every fold open; of definitions the first and of tables four rows, because the others look alike."""
    alike = "#methods details:not(:first-of-type)"
    page.evaluate(f"for (const fold of document.querySelectorAll('main details:not({alike})')) fold.open = true")
    rows = "document.querySelectorAll('tbody tr:nth-child(n + 5)')"
    page.evaluate(f"for (const row of {rows}) row.hidden = true")
    page.evaluate(AXE)


def judge(page: Any, options: dict[str, Any]) -> list[tuple[str, str]]:
    """What axe-core calls serious or critical."""
    options = {"resultTypes": ["violations"], **options}
    found = page.evaluate("(options) => axe.run({ exclude: ['.main-svg:first-child'] }, options)", options)
    assert found["passes"]
    grave = [entry for entry in found["violations"] if entry["impact"] in {"serious", "critical"}]
    return [(entry["id"], str(entry["nodes"][0]["target"])) for entry in grave]
