"""A page tells of rows of files, and not how many people came tonight or have died."""

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from flows.coarse_facts import coarsen
from flows.handover import Published
from reports.facts import (
    CheckFact,
    CheckMark,
    IdentifierFact,
    InputFact,
    LedgerFact,
    NightFacts,
    RefusedFact,
    RefusedKey,
    RefusedMark,
    Trend,
    TrendNight,
)
from transforms.load import Definitions

STEP = 100
PEOPLE = "canonical.person"
AT = datetime(2026, 11, 1, 2, tzinfo=UTC)
NUMBER = re.compile(r'<td class="num" data-value="(\d+)">')


@pytest.fixture(scope="module")
def small_night(definitions: Definitions) -> NightFacts:
    """Three people came, seven of all have died, and one row was refused."""
    reason, key = "A reason.", RefusedKey("demo", "canonical.lab", "lab_unit_unknown")
    exact = NightFacts(
        run_id="night",
        result_id="result",
        started_at=AT,
        verdict="warn",
        channel="internal",
        dates="real",
        definitions_hash="hash",
        code_version="code",
        inputs=(
            InputFact("persons.csv", 81, 3, "ab" * 32, "delimited", "demo"),
            InputFact("labs.csv", 40_100, 531, "cd" * 32, "delimited", "demo"),
        ),
        ledger=(
            LedgerFact("persons.csv", PEOPLE, 153, 3, 150, 0, 0, 0),
            LedgerFact("labs.csv", "canonical.lab", 531, 5, 520, 0, 1, 5),
        ),
        checks=(
            CheckFact("person_died_in_future", reason, PEOPLE, "warn", "passed", 7, 0),
            CheckFact("lab_in_future", reason, "canonical.lab", "warn", "failed", 531, 2),
        ),
        refused=(RefusedFact("lab_unit_unknown", reason, "canonical.lab", 1, "demo", "labs.csv", 531),),
        verdict_why="1 warning check failed; 1 row was set aside in all.",
        identifiers=(IdentifierFact("persons.csv", "age", "age", "generalised", "values", 2, 153),),
        trend=Trend(
            (TrendNight("night", AT, "warn"),),
            {"person_died_in_future": (CheckMark("passed", 7, 0),), "lab_in_future": (CheckMark("failed", 531, 2),)},
            {key: (RefusedMark(1, 531),)},
        ),
    )
    return coarsen(exact, definitions.showing)


def test_rows_of_people_are_counted_nowhere(small_night: NightFacts) -> None:
    persons, labs = small_night.inputs
    assert (persons.rows, labs.rows) == (None, 600)
    assert [line.table_name for line in small_night.ledger] == ["canonical.lab"]
    died = small_night.checks[0]
    assert (died.status, died.n_rows, died.n_failed) == ("passed", None, None)
    assert small_night.trend.checks["person_died_in_future"] == (CheckMark("passed"),)


def test_other_rows_are_rounded_up_so_that_only_none_is_0(small_night: NightFacts) -> None:
    assert small_night.ledger == (LedgerFact("labs.csv", "canonical.lab", 600, 100, 600, 0, 100, 100),)
    assert (small_night.checks[1].n_rows, small_night.checks[1].n_failed) == (600, 100)
    assert (small_night.refused[0].n_rows, small_night.refused[0].n_received) == (100, 600)
    assert small_night.trend.checks["lab_in_future"] == (CheckMark("failed", 600, 100),)
    assert list(small_night.trend.refused.values()) == [(RefusedMark(100, 600),)]
    assert (small_night.identifiers[0].n_rows, small_night.identifiers[0].n_given) == (100, 200)
    assert "row" not in small_night.verdict_why


def test_a_file_of_a_few_rows_has_no_checksum_that_could_be_tried(small_night: NightFacts) -> None:
    persons, labs = small_night.inputs
    assert (persons.sha256, persons.bytes) == ("", 10_000)
    assert (labs.sha256, labs.bytes) == ("cd" * 32, 50_000)


@pytest.mark.parametrize("table", ["checks", "ledger", "inputs", "identifiers", "expected-identifiers", "unjudged"])
def test_a_published_page_has_only_rounded_numbers_of_rows(table: str, published_night: tuple[Path, Published]) -> None:
    page = published_night[1].report.read_text(encoding="utf-8")
    found = re.search(rf'id="table-{table}">(.*?)</table>', page, re.DOTALL)
    if found is None:
        pytest.skip("nothing of it tonight")
    numbers = [int(number) for number in NUMBER.findall(found.group(1))]
    assert [number for number in numbers if number % STEP] == []
    people = [row for row in found.group(1).split("</tr>") if "<td>people</td>" in row]
    assert [row for row in people if NUMBER.search(row)] == []
