"""A calendar tells nobody's first or last day."""

from collections.abc import Callable, Mapping
from datetime import date, timedelta

import polars as pl
import pytest

from tests.disclosure.conftest import draw_plan, growing_hospital
from tests.disclosure.test_release import ORDER
from transforms.counting import count_people
from transforms.estimates import estimate_counts
from transforms.load import Definitions
from transforms.release import release
from transforms.schemas import load_tables

EARLIER = timedelta(days=1400)
Tables = Mapping[str, pl.DataFrame]
DATED = sorted(n for n, t in load_tables().items() if n.startswith("released.") and "interval_start" in t.column_names)


def _release(estimates: Tables, definitions: Definitions) -> Tables:
    rule = next(rule for rule in definitions.disclosure if rule.channel == "internal")
    return release(estimates, rule, ORDER, run_id="night", definitions_hash="0123456789abcdef").tables


@pytest.fixture(scope="module")
def released(definitions: Definitions) -> Tables:
    """A hospital in which one person came years before all others."""
    plan, frames = draw_plan(definitions), growing_hospital()
    is_first, at = pl.col("person_index") == 0, pl.col("collected_at")
    days = [
        pl.when(is_first).then(pl.col(day) - EARLIER).otherwise(day).alias(day) for day in ("started_on", "ended_on")
    ]
    frames |= {name: frames[name].with_columns(days) for name in ("observation", "cohort_member")}
    frames["anc"] = frames["anc"].with_columns(pl.when(is_first).then(at - EARLIER).otherwise(at).alias("collected_at"))
    return _release(estimate_counts(count_people(frames, plan), plan, run_id="night"), definitions)


def _starts(rows: pl.DataFrame) -> list[date]:
    return rows["interval_start"].drop_nulls().unique().sort().to_list()


@pytest.mark.parametrize("name", DATED)
def test_who_came_years_before_all_others_begins_no_calendar(name: str, released: Tables) -> None:
    starts = _starts(released[name])
    assert not starts or starts[-1] - starts[0] < EARLIER / 2


def test_months_and_weeks_in_which_somebody_is_shown_stay(released: Tables) -> None:
    assert len(_starts(released["released.testing"])) > 1
    assert len(_starts(released["released.population"].filter(pl.col("interval_unit") == "week"))) > 4


@pytest.mark.parametrize("seed", range(4))
def test_months_begin_and_end_with_a_number_that_is_shown(
    seed: int, draw_estimates: Callable[[int], Tables], definitions: Definitions
) -> None:
    tables = _release(draw_estimates(seed), definitions)
    is_count = pl.selectors.starts_with("n_") - pl.selectors.ends_with("_mark")
    months = [tables[name].filter(pl.col("interval_unit") == "month") for name in DATED]
    kept = _starts(pl.concat(rows.select("interval_start") for rows in months))
    shown = _starts(pl.concat(rows.filter(pl.any_horizontal(is_count > 0)).select("interval_start") for rows in months))
    assert kept[:1] == shown[:1]
    assert kept[-1:] == shown[-1:]
