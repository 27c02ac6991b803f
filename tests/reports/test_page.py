"""One page a night: readable without a script, made of released rows only, and nothing in it that runs by itself."""

import re
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

import pytest

from reports.chart_list import load_charts
from reports.facts import AnswerFact, CheckFact, InputFact, NightFacts, RefusedFact, RefusedKey
from reports.page import render_report
from reports.rendering import unpack
from reports.rows import POPULATION_TREND, TABLES, rows_of
from transforms.load import Definitions
from transforms.release import Released

Night = Callable[..., Released]
NIGHTS = 12
HOSTILE = "<script>alert('1')</script>\"\u202e=cmd()"


class Page(HTMLParser):
    """Elements by id, attributes that load or run something, text of tables."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.ids: dict[str, dict[str, str]] = {}
        self.loads: list[str] = []
        self.scripts: list[dict[str, str]] = []
        self.cells: dict[str, list[str]] = {}
        self._table = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = {name: value or "" for name, value in attrs}
        if "id" in found:
            assert found["id"] not in self.ids, f"the id {found['id']} is used twice"
            self.ids[found["id"]] = found
        self.loads += [found[name] for name in ("src", "href", "action", "data", "poster") if name in found]
        assert not [name for name in found if name.startswith("on")], "an event handler in the page"
        if tag == "script":
            self.scripts.append(found)
        if tag == "table":
            self._table = found.get("id", "")
            self.cells[self._table] = []
        if tag in {"td", "th"}:
            self.cells[self._table].append("")

    def handle_data(self, data: str) -> None:
        if self._table and self.cells[self._table]:
            self.cells[self._table][-1] += data.strip()

    def handle_endtag(self, tag: str) -> None:
        self._table = "" if tag == "table" else self._table


def render(released: Released, facts: NightFacts, definitions: Definitions) -> str:
    return render_report(released, facts, definitions, plotly="shared", plotly_src="../../assets/plotly.min.js")


@pytest.fixture(scope="module")
def html(released: Released, facts: NightFacts, definitions: Definitions) -> str:
    return render(released, facts, definitions)


@pytest.fixture(scope="module")
def payload(html: str) -> dict[str, Any]:
    return read_payload(html)


def read_payload(html: str) -> dict[str, Any]:
    match = re.search(r'<script type="text/plain" id="page-data">(.*?)</script>', html)
    assert match
    return dict(unpack(match[1]))


def decode(table: dict[str, Any]) -> list[dict[str, Any]]:
    columns = {
        name: column
        if isinstance(column, list)
        else [column["words"][place] for place in column["at"] or [0] * table["n"]]
        for name, column in table["columns"].items()
    }
    return [{name: column[row] for name, column in columns.items()} for row in range(table["n"])]


def test_the_same_night_gives_the_same_page(
    html: str, released: Released, facts: NightFacts, definitions: Definitions
) -> None:
    assert render(released, facts, definitions) == html


def test_every_figure_has_alternative_text_and_a_table_that_says_the_same(html: str) -> None:
    page = Page(html)
    for chart in (chart for chart in load_charts() if not chart.is_optional):
        assert len(page.ids[f"plot-{chart.id}"]["aria-label"]) > 60, chart.id
        assert len(page.cells[f"table-{chart.id}"]) > len(chart.columns), chart.id


def test_every_chart_draws_columns_that_its_table_has(payload: dict[str, Any]) -> None:
    for chart in payload["charts"]:
        columns = set(payload["tables"][chart["table"]]["columns"])
        bound = [bind for trace in chart["traces"] for bind in trace["bind"].values()]
        named = {bind[key] for bind in bound for key in ("col", "minus", "mark", "short_mark", "when") if key in bind}
        named |= {name for bind in bound for cells in bind.get("cells", []) for name in cells[1:]}
        named |= {key for column in chart["columns"] for key in column["keys"]}
        assert named <= columns, chart["id"]


def test_a_hidden_value_is_a_word_in_the_page_and_never_a_number(payload: dict[str, Any], released: Released) -> None:
    n_hidden = 0
    for name in ("prevalence", "severity", "testing", "episode", "cause", "anc_distribution"):
        table = released.tables[f"released.{name}"]
        values = [column.removesuffix("_mark") for column in table.columns if column.endswith("_mark")]
        for shown in decode(payload["tables"][name]):
            assert all(not isinstance(shown[value], str) or shown[value] for value in values)
        for value in values:
            words = sum(row[value] == "hidden" for row in decode(payload["tables"][name]))
            assert words == (table[f"{value}_mark"] == "hidden").sum(), (name, value)
            n_hidden += words
    assert n_hidden > 100


def test_the_page_carries_released_rows_and_row_counts_only(payload: dict[str, Any], released: Released) -> None:
    assert set(payload["tables"]) <= {*TABLES, POPULATION_TREND, "row_flow"}
    for name in ("prevalence", "testing", "episode", "cause"):
        assert decode(payload["tables"][name]) == [dict(row) for row in rows_of(released, name)]
    severity = rows_of(released, "severity")
    assert sorted(
        [{name: row[name] for name in severity[0]} for row in decode(payload["tables"]["severity"])], key=str
    ) == sorted([dict(row) for row in severity], key=str)
    thinned = decode(payload["tables"]["duration_curve"])
    whole = [dict(row) for row in rows_of(released, "duration_curve")]
    assert thinned
    assert all(row in whole for row in thinned[:: max(1, len(thinned) // 200)])


def test_an_estimate_of_duration_has_its_shortest_and_its_longest_mean_in_one_row(
    payload: dict[str, Any], released: Released
) -> None:
    rows = rows_of(released, "duration")
    shown = decode(payload["tables"]["duration"])
    assert [{name: row[name] for name in rows[0]} for row in shown] == [dict(r) for r in rows if r["tau_days"] == 30]
    longest = [row["rmst_days"] for row in rows if row["tau_days"] == 90]
    assert [row["longest_rmst_days"] for row in shown] == longest
    assert "hidden" in longest
    for row in shown:
        counts = row["n_censored"], row["n_episodes"]
        if all(isinstance(count, int) for count in counts):
            assert row["censored_share"] == pytest.approx(counts[0] / counts[1], abs=1e-6)
        else:
            assert row["censored_share"] == "hidden"


def test_a_zero_is_shown_as_zero_and_not_as_hidden(payload: dict[str, Any], released: Released) -> None:
    zeros = (released.tables["released.severity"]["n_people_mark"] == "zero").sum()
    assert zeros > 0
    assert sum(row["n_people"] == 0 for row in decode(payload["tables"]["severity"])) == zeros


def test_hostile_text_stays_text(night: Night, facts: NightFacts, definitions: Definitions) -> None:
    hostile = replace(
        facts,
        run_id=HOSTILE,
        inputs=(InputFact(HOSTILE, 1, 1, "ab", HOSTILE),),
        verdict_why=HOSTILE,
        refused=(RefusedFact(HOSTILE, HOSTILE, HOSTILE, 12, HOSTILE, HOSTILE, 24, HOSTILE),),
        checks=(CheckFact("a", HOSTILE, HOSTILE, "warn", "failed", 1, 1, HOSTILE, HOSTILE, HOSTILE),),
        trend=replace(facts.trend, refused={RefusedKey(HOSTILE, HOSTILE, HOSTILE): (None,) * NIGHTS}),
        answers=(AnswerFact(HOSTILE, "partly", HOSTILE),),
    )
    html = render(night(cohorts={"everyone": 900, HOSTILE: 700}), hostile, definitions)
    page = Page(html)
    assert len(page.scripts) == 3
    assert "<script>alert" not in html
    assert "\u202e" not in html
    assert HOSTILE.replace("\u202e", "\ufffd") in page.cells["table-prevalence-by-cohort"]
    assert HOSTILE in read_payload(html)["options"]["cohort"]


def test_nothing_is_loaded_from_anywhere_but_beside_the_page(html: str) -> None:
    page = Page(html)
    assert all(not re.match(r"[a-z]+:|//", link) for link in page.loads)
    assert "default-src 'none'" in html
    assert "'unsafe-eval'" not in html


def test_one_file_to_send_holds_everything_and_stays_small(
    released: Released, facts: NightFacts, definitions: Definitions
) -> None:
    html = render_report(released, facts, definitions, plotly="inline", plotly_src="")
    page = Page(html)
    assert all("src" not in script for script in page.scripts)
    assert all(link.startswith("#") for link in page.loads)
    assert len(html.encode()) < 7_000_000


def test_without_a_neutrophil_count_the_page_says_so_and_shows_no_percentage(
    night: Night, facts: NightFacts, definitions: Definitions
) -> None:
    reason = "ANC not computable: no neutrophil result in the extract."
    bare = replace(facts, answers=(AnswerFact("anc", "not_answerable", reason),))
    html = render(night(has_anc=False), bare, definitions)
    page = Page(html)
    assert html.count(reason) >= 5
    assert "plot-prevalence-by-cohort" not in page.ids
    assert "plot-attrition" in page.ids
    assert "0 %" not in re.sub(
        r"<script.*?</script>|<style>.*?</style>|<section id=\"methods\".*", "", html, flags=re.DOTALL
    )


def test_without_dates_there_is_no_trend_and_the_reason_stands_in_its_place(
    night: Night, facts: NightFacts, definitions: Definitions
) -> None:
    answers = (
        AnswerFact("calendar_trend", "not_answerable", "The extract has no dates."),
        AnswerFact("duration", "not_answerable", "Duration needs dates, and this extract has none."),
    )
    html = render(night(has_dates=False), replace(facts, dates="none", answers=answers), definitions)
    page = Page(html)
    assert "plot-prevalence-over-time" not in page.ids
    assert "plot-prevalence-by-cohort" in page.ids
    assert "Duration needs dates, and this extract has none." in html


def test_methods_name_every_definition_with_its_version_and_reason(html: str, definitions: Definitions) -> None:
    page = Page(html)
    for definition in (*definitions.rules, *definitions.cohorts, *definitions.causes, *definitions.denominators):
        assert [name for name in page.ids if re.fullmatch(rf"definition-\d+-{definition.id}", name)]
        assert f"{definition.id} {definition.version}" in html


def test_methods_tell_how_estimates_of_durations_did_where_the_truth_was_known(
    html: str, definitions: Definitions
) -> None:
    cells = Page(html).cells["table-calibration"]
    measured = definitions.calibration
    assert measured.height > 9
    assert measured["n_hospitals"].min() >= 2000
    width = len(definitions.glossary["calibration"]["columns"])
    first = cells[width : 2 * width]
    assert first[0] == measured["tests"][0]
    assert first[4] == f"{measured['coverage'][0] * 100:.1f}\u00a0%"


def test_how_much_the_lists_know_is_told_in_whole_per_cent_and_without_a_name(html: str) -> None:
    cells = Page(html).cells["table-words"][4:]
    assert cells == ["names of drugs", "90", "545", "under 1 %", "codes of diagnoses", "12", "0", "all"]


def test_the_ledger_of_every_file_adds_up(html: str) -> None:
    cells = Page(html).cells["table-ledger"][8:]
    lines = [cells[place : place + 8] for place in range(0, len(cells), 8)]
    assert lines
    for line in lines:
        received, *parts = (int(cell.replace(",", "")) for cell in line[2:])
        assert received == sum(parts)


def test_a_chart_is_one_file_and_needs_no_list(payload: dict[str, Any]) -> None:
    assert [chart["id"] for chart in payload["charts"]] == [
        chart.id for chart in load_charts() if not chart.is_optional or chart.table == "incidence"
    ]
    assert len({chart["id"] for chart in payload["charts"]}) >= 15


def test_levels_that_are_not_shown_are_drawn_together_as_what_shown_numbers_leave(payload: dict[str, Any]) -> None:
    groups: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for row in decode(payload["tables"]["severity"]):
        if row["severity"] == "not_applicable":
            continue
        groups.setdefault((row["cohort"], str(row["interval_start"]), row["scale"], row["applied_to"]), []).append(row)
    n_rests = 0
    for group in groups.values():
        shares = [row["share"] for row in group if isinstance(row["share"], float | int)]
        rests = [row["rest_share"] for row in group if row["rest_share"] is not None]
        if rests:
            n_rests += 1
            assert len(shares) < len(group)
            assert sum(shares) + sum(rests) == pytest.approx(1, abs=1e-5)
    assert n_rests > 0
