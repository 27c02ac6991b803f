"""What changed between two nights is told by number, by check, and by what moved it."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from reports.changed import tell_changes
from reports.chart_list import load_charts
from reports.facts import CheckMark, Earlier, NightFacts
from reports.moves import Move, Moves, compare_nights
from reports.numbers import Numbers, read_numbers
from reports.page import render_report
from tests.reports.conftest import draw_estimates, released_of
from transforms.load import Definitions
from transforms.release import Released

EARLIER = Earlier("20261031T020000-aa11bb", "2026-10-31T02:00:00+00:00", n_new_files=2)
Night = Callable[..., Released]


@pytest.fixture(scope="module")
def later() -> Released:
    """The same hospital a night later: a cohort is gone, and among those on chemotherapy more are low."""
    drawn = draw_estimates()
    for rows in drawn.values():
        rows[:] = [row for row in rows if row.get("cohort") != "solid_tumour"]
    for row in drawn["estimate.prevalence"]:
        if row["cohort"] == "chemotherapy" and row["interval_unit"] == "all" and row["threshold_cells_per_ul"] == 1500:
            shares = {name: min(row[name] * 1.4, 1.0) for name in ("prevalence", "prevalence_lo", "prevalence_hi")}
            row.update(n_low=min(round(row["n_low"] * 1.4), row["n_population"]), **shares)
            row["n_low_possible"] = row["n_low"]
    return released_of(drawn)


@pytest.fixture(scope="module")
def numbers(released: Released, later: Released, facts: NightFacts, definitions: Definitions) -> Numbers:
    return read_numbers(later, replace(facts, earlier=EARLIER), definitions, released)


@pytest.fixture(scope="module")
def moves(numbers: Numbers) -> Moves:
    return compare_nights(load_charts(), numbers.before, numbers.tables)


def of(moves: Moves, chart: str, **wanted: object) -> list[Move]:
    return [m for m in moves.all if m.chart.id == chart and all(m.row.get(k) == v for k, v in wanted.items())]


def test_a_night_held_against_itself_has_only_numbers_that_are_the_same(
    released: Released, facts: NightFacts, definitions: Definitions
) -> None:
    numbers = read_numbers(released, facts, definitions, released)
    moves = compare_nights(load_charts(), numbers.before, numbers.tables)
    assert {move.state for move in moves.all} == {"same"}
    assert len(moves.all) > 2000
    assert moves.outstanding == ()


def test_a_number_that_left_its_interval_stands_out_and_one_inside_does_not(moves: Moves) -> None:
    found = of(moves, "prevalence-by-cohort", cohort="chemotherapy", measure="any_low", threshold_cells_per_ul=1500)
    shown = [move for move in found if move.state == "changed"]
    assert shown
    for move in shown:
        assert move.size is not None
        assert move.before is not None
        assert move.now is not None
        least, most = float(move.before["prevalence_lo"] or 0), float(move.before["prevalence_hi"] or 0)
        assert float(move.now["prevalence"] or 0) > most
        moved = float(move.now["prevalence"] or 0) - float(move.before["prevalence"] or 0)
        assert move.size == pytest.approx(moved / ((most - least) / 2))
    assert moves.outstanding[0].row["cohort"] == "chemotherapy"
    assert list(moves.outstanding) == sorted(moves.outstanding, key=lambda move: -(move.size or 0))


def test_a_number_that_is_not_shown_any_more_is_gone_and_counted_once(moves: Moves, numbers: Numbers) -> None:
    gone = of(moves, "prevalence-by-cohort", cohort="solid_tumour")
    assert gone
    assert {move.state for move in gone} == {"gone"}
    keys = [(move.chart.table, move.chart.alt.value, tuple(move.row.items())) for move in moves.all]
    assert len(keys) == len(set(map(str, keys)))
    assert sum(sum(moves.count(chart).values()) for chart in load_charts()) == len(moves.all)


@pytest.mark.parametrize(
    ("differs", "words"),
    [
        ({"n_new_files": 2}, "only the data moved"),
        ({"is_other_definitions": True}, "only the definitions moved"),
        ({"is_other_code": True}, "only the code moved"),
        ({"n_new_files": 1, "is_other_code": True}, "data and code differ together"),
        ({}, "No new file came"),
    ],
)
def test_the_page_says_whether_data_definitions_or_code_moved_the_numbers(
    numbers: Numbers, facts: NightFacts, differs: dict[str, int | bool], words: str
) -> None:
    earlier = Earlier("one", "2026-10-31T02:00:00", **differs)  # type: ignore[arg-type]
    assert words in tell_changes(load_charts(), numbers, replace(facts, earlier=earlier))["movers"]


def test_checks_are_new_failures_still_failing_or_resolved(numbers: Numbers, facts: NightFacts) -> None:
    told = tell_changes(load_charts(), numbers, facts)["checks_moved"]
    assert [check.check_id for check in told["new"]] == ["lab_value_range"]
    before = dict(facts.trend.checks)
    before["person_key"] = (*before["person_key"][:-2], CheckMark("failed", 10, 2), CheckMark("passed", 10, 0))
    before["lab_value_range"] = (CheckMark("failed", 10, 2),) * len(facts.trend.nights)
    told = tell_changes(load_charts(), numbers, replace(facts, trend=replace(facts.trend, checks=before)))[
        "checks_moved"
    ]
    assert [check.check_id for check in told["still"]] == ["lab_value_range"]
    assert [check.check_id for check in told["resolved"]] == ["person_key"]


def test_the_first_screen_says_what_to_look_at_first_with_the_way_to_it(
    numbers: Numbers, released: Released, later: Released, facts: NightFacts, definitions: Definitions
) -> None:
    facts = replace(facts, earlier=EARLIER)
    first = tell_changes(load_charts(), numbers, facts)["look_first"]
    assert first[0]["href"] == "#check-lab_value_range"
    assert "On chemotherapy" in first[1]["text"]
    assert "&at=chart-" in f"&{first[1]['href'].removeprefix('#')}"
    html = render_report(later, facts, definitions, plotly="shared", plotly_src="x.js", earlier=released)
    assert html.index("Look at first") < html.index('<section id="prevalence"')
    assert "only the data moved the numbers" in html
    versions = replace(facts, earlier=replace(EARLIER, definitions=(("young_women", "", "1"),)))
    assert tell_changes(load_charts(), numbers, versions)["versions_moved"] == [("young_women", "\u2013", "1")]
    assert EARLIER.run_id in html


def test_a_first_night_has_nothing_to_compare_with(
    released: Released, facts: NightFacts, definitions: Definitions
) -> None:
    html = render_report(released, facts, definitions, plotly="shared", plotly_src="x.js")
    assert "so there is nothing to compare with" in html
