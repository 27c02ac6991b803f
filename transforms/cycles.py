"""Chemotherapy cycles: which doses make one, its nadir, and its days of severe neutropenia where tests can tell them.

Days of a cycle count from its first dose, which is day 0. All tests of a day are one value, the lowest proven one. A
number of severe days is given, or a word says why none is. Obeys `definitions/cycles`.
"""

import polars as pl

from transforms.model.cycles import CycleRules
from transforms.model.regimens import RegimenList
from transforms.regimens import label_cycles

CYCLE_COLUMNS: dict[str, pl.DataType] = {
    "person_index": pl.UInt32(),
    "cycle_number": pl.Int32(),
    "started_on": pl.Date(),
    "ended_on": pl.Date(),
    "regimen": pl.String(),
    "agents": pl.String(),
    "n_tests": pl.Int64(),
    "nadir_cells_per_ul": pl.Int64(),
    "nadir_day": pl.Int32(),
    "largest_gap_days": pl.Int32(),
    "is_near_daily": pl.Boolean(),
    "severe_days": pl.Int32(),
    "severe_status": pl.String(),
}
COUNTED = "counted"
STATUSES = (COUNTED, "no_tests", "not_near_daily", "not_recovered", "onset_not_seen", "undecided")
_CYCLE = ["person_index", "started"]
_ROOM = 2**20  # for days beside a count in one whole number


def find_cycles(doses: pl.LazyFrame, test_days: pl.DataFrame, rules: CycleRules, regimens: RegimenList) -> pl.DataFrame:
    """Every cycle of every person with CYCLE_COLUMNS, sorted by person and number.

    `doses`: as `antineoplastic_days` gives them. `test_days`: as `find_test_days` does, with a cut at the limit of
    severe days. The regimen of a single cytotoxic is its name.
    """
    given = doses.with_columns(day=pl.col("given_on").cast(pl.Int32)).drop("given_on").collect()
    cycles = _start_cycles(given, rules, regimens)
    values = _values_of(cycles, test_days, rules)
    told = cycles.join(_tell(values, rules), on=_CYCLE, how="left", maintain_order="left").with_columns(
        n_tests=pl.col("n_tests").fill_null(0), severe_status=pl.col("severe_status").fill_null("no_tests")
    )
    dated = told.with_columns(started_on=pl.col("started").cast(pl.Date), ended_on=pl.col("ended").cast(pl.Date))
    return dated.select(pl.col(name).cast(type_) for name, type_ in CYCLE_COLUMNS.items())


def number_by_cycle(episodes: pl.LazyFrame, cycles: pl.DataFrame) -> pl.LazyFrame:
    """`episodes` with cycle_number of the cycle in which the first low value lies, null outside of all."""
    starts = cycles.lazy().select("person_index", "ended_on", found="cycle_number", day="started_on")
    rows = episodes.with_row_index("_row").with_columns(day=pl.col("first_low_at").dt.date())
    joined = rows.sort("day").join_asof(
        starts.sort("day"),
        on="day",
        by="person_index",
        strategy="backward",
        allow_exact_matches=False,
        check_sortedness=False,
    )
    number = pl.when(pl.col("day") <= pl.col("ended_on")).then(pl.col("found"))
    return joined.sort("_row").with_columns(cycle_number=number).drop("_row", "day", "ended_on", "found")


def _start_cycles(given: pl.DataFrame, rules: CycleRules, regimens: RegimenList) -> pl.DataFrame:
    """person_index, cycle_number, started, ended (days since 1970), regimen and agents, in order."""
    since = pl.col("day") - pl.col("day").shift(1).over("person_index")
    is_new = since.is_null() | (since > rules.new_cycle_after_days)
    days = given.filter("is_cytotoxic").select("person_index", "day").unique().sort("person_index", "day")
    starts = days.filter(is_new).with_columns(
        cycle_number=pl.int_range(1, pl.len() + 1).over("person_index").cast(pl.Int32), started="day"
    )
    soon = given.with_columns(pl.when("is_cytotoxic").then("day").otherwise(pl.col("day") + rules.beside_days))
    placed = soon.sort("person_index", "day").join_asof(starts, on="day", by="person_index", check_sortedness=False)
    inside = placed.filter(pl.col("day") - pl.col("started") <= rules.last_value_day + rules.beside_days)
    drugs = inside.group_by(*_CYCLE, "drug").agg(pl.col("is_cytotoxic").any(), n_days=pl.col("day").n_unique())
    named = label_cycles(drugs.lazy(), regimens, _CYCLE).collect()
    is_single = pl.col("regimen") == regimens.one_agent
    last = pl.col("started") + rules.last_value_day
    return (
        starts.with_columns(ended=pl.min_horizontal(pl.col("started").shift(-1).over("person_index"), last))
        .join(named, on=_CYCLE, how="left", maintain_order="left")
        .with_columns(regimen=pl.when(is_single).then("agents").otherwise("regimen"))
        .drop("day")
    )


def _values_of(cycles: pl.DataFrame, test_days: pl.DataFrame, rules: CycleRules) -> pl.DataFrame:
    """Test days of each cycle in order: the cycle, d (days since its start), n_tests, lowest, is_undecided, before.

    A test on the day of the start is kept as d 0: it belongs to the cycle before, and tells what came before here.
    """
    bounds = cycles.select("person_index", "ended", day="started", started="started")
    tests = (
        test_days.filter(pl.col("n_tests") > 0, pl.col("day").is_not_null())
        .select(
            "person_index",
            "day",
            "n_tests",
            lowest=pl.col("lowest_cells_per_ul").cast(pl.Int64),
            is_undecided=f"undecided_{rules.severe.below_cells_per_ul}",
        )
        .join(cycles.select("person_index").unique(), on="person_index", how="semi", maintain_order="left")
        .sort("person_index", "day")
    )
    inside = tests.join_asof(
        bounds, on="day", by="person_index", strategy="backward", allow_exact_matches=False, check_sortedness=False
    ).filter(pl.col("day") <= pl.col("ended"))
    first = tests.join(bounds, on=["person_index", "day"])
    both = pl.concat([inside, first.select(inside.columns)]).with_columns(d=pl.col("day") - pl.col("started"))
    kept = both.filter((pl.col("d") == 0) | (pl.col("d") >= rules.first_value_day)).sort(*_CYCLE, "d")
    return kept.with_columns(before=pl.col("d").shift(1).over(_CYCLE), after=pl.col("d").shift(-1).over(_CYCLE)).drop(
        "day", "ended"
    )


def _tell(values: pl.DataFrame, rules: CycleRules) -> pl.DataFrame:
    """One row for each cycle with a value: n_tests, nadir, gaps, severe_days and severe_status."""
    near, severe = rules.near_daily, rules.severe
    d, lowest, is_value = pl.col("d"), pl.col("lowest"), pl.col("d") >= rules.first_value_day
    packed = pl.when(is_value).then(lowest * _ROOM + d).min().over(_CYCLE)
    placed = values.filter(is_value.any().over(_CYCLE)).with_columns(
        nadir_day=packed % _ROOM,
        nadir_cells_per_ul=packed // _ROOM,
        fell=pl.when(is_value & (lowest < near.from_below_cells_per_ul)).then(d).min().over(_CYCLE),
    )
    is_back = (d > pl.col("nadir_day")) & (lowest >= near.recovered_cells_per_ul)
    placed = placed.with_columns(rose=pl.when(is_back).then(d).min().over(_CYCLE))
    is_on_way = (d > pl.col("fell")) & (d <= pl.col("rose").fill_null(d))
    is_down = (d >= pl.col("fell")) & (d < pl.col("rose").fill_null(d + 1))
    is_watched = (d > severe.none_from_day) & (pl.col("before") < severe.none_until_day)
    is_severe = lowest < severe.below_cells_per_ul
    gap, is_first = d - pl.col("before"), d == pl.col("fell")
    facts = placed.group_by(_CYCLE, maintain_order=True).agg(
        pl.col("nadir_day", "nadir_cells_per_ul", "fell", "rose").first(),
        n_tests=pl.when(is_value).then("n_tests").sum(),
        largest_gap_days=pl.when(is_on_way).then(gap).max(),
        starts_severe=(is_first & is_severe).any(),
        gap_at_fall=pl.when(is_first).then(gap).max(),
        days=pl.when(is_down & is_severe).then(pl.col("after") - d).sum(),
        is_unsure=(is_value & pl.col("is_undecided") & (is_down | pl.col("fell").is_null())).any(),
        is_watched=(d <= severe.none_from_day).any() & (d >= severe.none_until_day).any(),
        watched_gap=pl.when(is_watched).then(gap).max(),
    )
    return _name_status(facts, rules)


def _name_status(facts: pl.DataFrame, rules: CycleRules) -> pl.DataFrame:
    most = rules.near_daily.gap_at_most_days
    never_fell, never_rose = pl.col("fell").is_null(), pl.col("rose").is_null()
    is_sparse = pl.col("largest_gap_days").fill_null(0) > most
    is_unwatched = ~pl.col("is_watched") | (pl.col("watched_gap") > most)
    status = (
        pl.when((never_fell & is_unwatched) | (~never_fell & is_sparse))
        .then(pl.lit("not_near_daily"))
        .when(~never_fell & never_rose)
        .then(pl.lit("not_recovered"))
        .when(pl.col("starts_severe") & (pl.col("gap_at_fall").fill_null(most + 1) > most))
        .then(pl.lit("onset_not_seen"))
        .when("is_unsure")
        .then(pl.lit("undecided"))
        .otherwise(pl.lit(COUNTED))
    )
    is_near_daily = pl.when(~never_fell).then(~never_rose & ~is_sparse)
    named = facts.with_columns(severe_status=status, is_near_daily=is_near_daily)
    is_counted = pl.col("severe_status") == COUNTED
    return named.with_columns(severe_days=pl.when(is_counted).then("days"))
