"""The numbers of quite different nights, read back from the page that a browser shows, are the released ones.

A real night of a small hospital as it was published, one without dates, and one without a neutrophil count.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import duckdb
import pytest
from plotly.offline import get_plotlyjs

from flows.coarse_facts import coarsen
from flows.earlier_night import read_released
from flows.handover import Published
from flows.settings import Settings
from reports.answer import answer_sentence
from reports.content import key_numbers_of
from reports.facts import AnswerFact, LedgerFact, NightFacts
from reports.numbers import Numbers, read_numbers
from reports.page import gather_content, render_content
from tests.reports.browser import Opened
from tests.reports.conftest import draw_facts
from tests.reports.reading import charts_of, placed, points_of, shown, written
from transforms.load import Definitions, load_definitions
from transforms.release import Released

pytestmark = pytest.mark.browser
PLOTLY = "plotly.min.js"
NIGHTS = ("as it was published", "without dates", "without a neutrophil count")


@dataclass(frozen=True)
class ReadBack:
    """A page in the browser, and the released numbers that it is of."""

    opened: Opened
    numbers: Numbers
    facts: NightFacts


@pytest.fixture(scope="module", params=NIGHTS)
def page(
    request: pytest.FixtureRequest,
    chromium: Any,
    definitions: Definitions,
    night: Callable[..., Released],
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[ReadBack]:
    if request.param == NIGHTS[0]:
        workspace, published = request.getfixturevalue("published_night")
        path, numbers, facts = _as_published(workspace, published)
    else:
        released = night(has_dates=False) if request.param == NIGHTS[1] else night(has_anc=False)
        reason = AnswerFact("anc", "not_answerable", "There is no neutrophil result.")
        facts = replace(draw_facts(definitions), answers=() if request.param == NIGHTS[1] else (reason,))
        numbers = read_numbers(released, facts, definitions)
        path = tmp_path_factory.mktemp("drawn") / "index.html"
        path.write_text(render_content(gather_content(numbers, facts, definitions), PLOTLY), encoding="utf-8")
        (path.parent / PLOTLY).write_text(get_plotlyjs(), encoding="utf-8")
    opened = Opened(chromium, path)
    yield ReadBack(opened, numbers, facts)
    opened.context.close()


def _as_published(workspace: Path, published: Published) -> tuple[Path, Numbers, NightFacts]:
    """The page of the site, and the numbers as they stand in the warehouse."""
    settings = Settings(workspace=workspace)
    definitions = load_definitions(settings.definitions)
    released = read_released(workspace / "warehouse.duckdb", published.run_id, "internal", settings.memory_limit)
    with duckdb.connect(str(workspace / "warehouse.duckdb"), read_only=True) as connection:
        lines = connection.execute("SELECT * EXCLUDE (run_id) FROM ops.row_ledger WHERE run_id = ?", [published.run_id])
        ledger = tuple(LedgerFact(*line) for line in lines.fetchall())
    facts = coarsen(draw_facts(definitions, run_id=published.run_id, ledger=ledger), definitions.showing)
    return published.report, read_numbers(released, facts, definitions), facts


def test_the_page_has_a_figure_wherever_there_is_a_released_row(page: ReadBack) -> None:
    drawn = page.opened.page.eval_on_selector_all(".plot", "(found) => found.map((one) => one.id.slice(5))")
    assert sorted(drawn) == sorted(chart.id for chart in charts_of(page.numbers))
    assert page.opened.said == []


def test_tables_captions_and_words_for_the_ear_are_the_released_numbers(page: ReadBack) -> None:
    charts = charts_of(page.numbers)
    assert shown(page.opened, charts) == written(page.numbers, {}, charts)


def test_every_figure_draws_the_released_numbers(page: ReadBack) -> None:
    charts = charts_of(page.numbers)
    assert points_of(page.opened, charts) == placed(page.numbers, {}, charts)


def test_sentence_and_key_numbers_are_the_released_ones(page: ReadBack) -> None:
    said = page.opened.page.locator("h1").text_content()
    assert said == answer_sentence(page.numbers, page.facts)
    script = """(tiles) => tiles.map((tile) => [tile.id, tile.querySelector('.value').textContent,
        tile.querySelector('.of').textContent, tile.querySelector('.value').dataset.value ?? ''])"""
    tiles = page.opened.page.eval_on_selector_all(".tile", script)
    known = key_numbers_of(page.numbers, page.facts)
    assert tiles == [[f"key-{n.id}", n.shown, n.denominator, "" if n.value is None else str(n.value)] for n in known]
