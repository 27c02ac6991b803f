"""People of a cohort by sex and age, and the low among them: what standardised prevalence is made of.

Over the whole extract, for single values and for the default rule. The age of a person is that of the year in which
they first are in the cohort.
"""

from collections.abc import Mapping

import polars as pl

from transforms.frames import shape
from transforms.intervals import NONE
from transforms.model.estimation import Cut, Plan
from transforms.person_time import DATED_FROM, Stays
from transforms.standardising import ESTIMATED, SHARE, standardise, with_share_limits
from transforms.strata import STRATUM, stratum_of

_CUT = ("measure", "rule", "threshold_cells_per_ul")
_CELL = ["cohort", *_CUT, "denominator_name"]
_STRATUM = ["cohort", *STRATUM]


def count_strata(stays: Stays, episodes: pl.DataFrame, ages: pl.DataFrame, plan: Plan) -> pl.DataFrame:
    """`counts.prevalence_stratum` of cohorts; `ages` are those of `read_ages`."""
    day = pl.when(pl.col("started") >= DATED_FROM).then("started").cast(pl.Date)
    tested = stays.people.filter(pl.col("n_tests") > 0).select("person_index", is_tested=pl.lit(value=True))
    people = (
        stays.members.join(ages.rename({"person_index": "of_person"}), on="of_person", how="left")
        .join(tested, on="person_index", how="left")
        .with_columns(pl.col("is_tested").fill_null(value=False))
        .with_columns(**stratum_of(day.dt.year(), plan.estimation.standardisation))
        .select("person_index", "cohort", "is_tested", *STRATUM)
    )
    sizes = _count(people, "n_population")
    lows = [(cut, people.join(_low_people(cut, stays, episodes), on="person_index", how="semi")) for cut in _cuts(plan)]
    cuts = pl.concat(
        sizes.join(_count(low, "n_low"), on=_STRATUM, how="left", nulls_equal=True).with_columns(
            **{name: pl.lit(getattr(cut, name)) for name in _CUT}
        )
        for cut, low in lows
    )
    return shape(pl.concat(_of_denominators(cuts, plan)), _TABLE)


_TABLE = "counts.prevalence_stratum"


def with_standardised(prevalence: pl.DataFrame, counts: Mapping[str, pl.DataFrame], plan: Plan) -> pl.DataFrame:
    """Rows of `estimate.prevalence` without their run: those given, and the standardised ones."""
    counted = counts[_TABLE].filter(pl.col("n_population") > 0)
    strata = counted.rename({"n_low": "n_events", "n_population": "n_base"})
    if strata.is_empty() or not plan.standards:
        return prevalence
    found = standardise(strata, _CELL, plan.standards, plan.estimation.standardisation)
    rows = with_share_limits(found, level=plan.estimation.confidence_level).with_columns(
        run_id=pl.lit(""),
        interval_unit=pl.lit("all"),
        interval_start=pl.lit(None, pl.Date),
        stratum=pl.lit("all"),
        n_low="n_events",
        n_low_possible="n_events",
        n_population="n_base",
        is_weighted=pl.lit(value=False),
        prevalence="adjusted",
        prevalence_lo="lo",
        prevalence_hi="hi",
        method=pl.when(pl.col("status") == ESTIMATED).then(pl.lit(SHARE)).otherwise(pl.lit(NONE)),
        is_complete=pl.lit(value=True),
        degrees_of_freedom=None,
        lone_strata=None,
        reliability=None,
    )
    name = "estimate.prevalence"
    return pl.concat([shape(part.with_columns(run_id=pl.lit("")), name) for part in (prevalence, rows)])


def _cuts(plan: Plan) -> list[Cut]:
    return [cut for cut in plan.cuts if cut.measure == "any_low" or cut.rule == plan.estimation.default_rule]


def _low_people(cut: Cut, stays: Stays, episodes: pl.DataFrame) -> pl.DataFrame:
    if cut.measure == "any_low":
        return stays.people.filter(cut.is_low(pl.col("lowest_cells_per_ul"))).select("person_index")
    own = episodes.filter(
        "is_confirmed", pl.col("rule") == cut.rule, pl.col("threshold_cells_per_ul") == cut.threshold_cells_per_ul
    )
    is_open = (pl.col("started") <= pl.col("stay_ended")) & (pl.col("ended") >= pl.col("stay_started"))
    return stays.inside(own).filter(is_open).select("person_index").unique()


def _count(people: pl.DataFrame, name: str) -> pl.DataFrame:
    """People of each stratum, observed and tested."""
    numbers = {f"{name}_observed": pl.len(), f"{name}_tested": pl.col("is_tested").sum()}
    return people.group_by(_STRATUM).agg(number.cast(pl.Int64).alias(each) for each, number in numbers.items())


def _of_denominators(cuts: pl.DataFrame, plan: Plan) -> list[pl.DataFrame]:
    return [
        cuts.select(
            *_CUT,
            *_STRATUM,
            denominator_name=pl.lit(each.id),
            n_low=pl.col(f"n_low_{each.counts}").fill_null(0),
            n_population=f"n_population_{each.counts}",
        )
        for each in plan.main_denominators
    ]
