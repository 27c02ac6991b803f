"""What an extract says was given becomes what episodes are anchored at and flagged by."""

from datetime import date

import polars as pl

from transforms.codelists import read_conditions, read_drugs
from transforms.episodes import find_episodes
from transforms.examples_of_episodes import COUNTS, count_row, day_at
from transforms.examples_of_patients import DIAGNOSIS, EXPOSURE
from transforms.exposures import recognise_drugs
from transforms.load import load_definitions
from transforms.treatments import Treatments, read_treatments

DEFINITIONS = load_definitions()
DEATHS = pl.LazyFrame(schema={"person_index": pl.UInt32, "died_on": pl.Date})


def _given(*doses: tuple[str, float, float | None]) -> Treatments:
    rows = [
        (0, agent, None, None, day_at(first), None if last is None else day_at(last), None, None, "administered")
        for agent, first, last in doses
    ]
    recognised = recognise_drugs(
        pl.LazyFrame(rows, schema=EXPOSURE, orient="row"),
        pl.LazyFrame(schema=DIAGNOSIS),
        read_drugs(DEFINITIONS),
        read_conditions(DEFINITIONS),
        DEFINITIONS.exposures,
    )
    return read_treatments(recognised.collect().lazy(), DEATHS, DEFINITIONS.exposures, DEFINITIONS.rules)


def _day(number: float) -> date:
    return day_at(number).date()


def test_an_infusion_by_its_brand_name_gives_grades_from_its_day_on() -> None:
    counts = [count_row(day, count) for day, count in {0: 2000, 5: 800, 6: 400, 9: 200, 13: 300, 14: 900}.items()]
    treatments = _given(("Yescarta", 0, None))
    found = find_episodes(pl.LazyFrame(counts, schema=COUNTS), DEFINITIONS.rules, treatments).collect()
    (row,) = found.filter(pl.col("rule") == "icaht_early").to_dicts()
    assert (row["anchored_on"], row["grade"], row["grade_possible"]) == (_day(0), 2, 2)


def test_where_nobody_had_an_infusion_nothing_is_graded() -> None:
    counts = [count_row(day, count) for day, count in {0: 2000, 6: 400, 9: 200, 14: 900}.items()]
    treatments = _given(("cyclophosphamide", 0, None))
    found = find_episodes(pl.LazyFrame(counts, schema=COUNTS), DEFINITIONS.rules, treatments).collect()
    assert found.filter(pl.col("rule").str.starts_with("icaht")).is_empty()
    assert found["grade"].null_count() == found.height > 0


def test_a_steroid_counts_on_every_day_on_which_it_was_taken() -> None:
    taken = _given(("prednisone 20 mg tablet", 1, 30), ("lithium carbonate", 2, None)).raising
    assert taken.sort("kind").rows() == [(0, "lithium", _day(2), _day(2)), (0, "steroid", _day(1), _day(30))]


def test_steroid_eye_drops_raise_no_count() -> None:
    assert _given(("prednisolone acetate 1% ophth. susp.", 1, 30)).raising.is_empty()


def test_treatments_come_in_order_and_once() -> None:
    doses = _given(("doxorubicin", 3, None), ("doxorubicin", 1, None), ("doxorubicin", 1, None)).doses
    assert doses["day"].to_list() == [_day(1), _day(3)]
