"""Which values of the tables of drugs must be hidden: columns `hide_VALUE` beside each table.

A drug that few people were given is left out, name and all, and so is one that nearly everybody of a cohort was given:
the rest have another drug, which is left out because they are few. Its people and courses are held to each other and
to the people of the table of causes: none may be shown beside another that differs from it by a few. Everybody has a
course, so as many courses as people would tell the people. A day of a curve needs enough people, a quantile some on
either side; a ratio goes with the episodes it is made of.
"""

from collections.abc import Mapping

import polars as pl

from transforms.cohort_order import CohortOrder
from transforms.hiding import ALL
from transforms.model.disclosure import DisclosureRule
from transforms.nested_pairs import OBSERVED
from transforms.suppression import Nesting, is_held, is_small, limits_tell_people, shown_nested

_OF_PEOPLE = ("n_people", "n_tested", "n_courses")
_LIMITS = ("share_lo", "share_hi", "method")
_PERCENT = 100


def hide_after_drugs(
    estimates: Mapping[str, pl.DataFrame],
    cause: pl.DataFrame,
    people: pl.DataFrame,
    order: CohortOrder,
    rule: DisclosureRule,
) -> dict[str, pl.DataFrame]:
    """`estimate.drug`, `estimate.drug_day` and `estimate.drug_ratio`; `cause` is what `hide_causes` gave.

    Nothing is left of them where the rule shows no single drugs.
    """
    drug, days, ratio = (estimates[f"estimate.{name}"] for name in ("drug", "drug_day", "drug_ratio"))
    is_free = ~is_held(drug.columns).any().over("drug")
    known = drug.filter(pl.col("n_people") >= rule.min_cell, pl.lit(rule.shows_agents), is_free)
    known = known.join(_near_cohort(known, people, order, rule.min_cell), on="drug", how="anti")
    hidden = _hide_courses(known, cause, rule.min_cell)
    given = hidden.select("drug", given="n_people", hide_given="hide_n_people").unique("drug", keep="any")
    return {
        "estimate.drug": hidden,
        "estimate.drug_day": _hide_days(days.join(given, on="drug"), rule),
        "estimate.drug_ratio": _hide_ratios(ratio.join(given, on="drug"), rule.min_cell),
    }


def _near_cohort(drug: pl.DataFrame, people: pl.DataFrame, order: CohortOrder, min_cell: int) -> pl.DataFrame:
    """Drugs whose people are nearly all of a cohort that shows how many it has."""
    given = pl.DataFrame(list(order.given), schema={"drug": pl.String, "cohort": pl.String}, orient="row")
    whole = people.filter(pl.col("interval_unit") == ALL, pl.col("node") == OBSERVED).select("cohort", "n_shown")
    both = drug.select("drug", "n_people").unique().join(given, on="drug").join(whole, on="cohort")
    return both.filter(is_small((pl.col("n_shown") - pl.col("n_people")).abs(), min_cell)).select("drug").unique()


def _hide_courses(drug: pl.DataFrame, cause: pl.DataFrame, min_cell: int) -> pl.DataFrame:
    thresholds = drug["threshold_cells_per_ul"].unique().sort(descending=True).to_list()
    affected = [f"n_affected|{threshold}" for threshold in thresholds]
    wide = drug.select("drug", *_OF_PEOPLE).unique("drug", keep="any").sort("drug")
    for threshold, name in zip(thresholds, affected, strict=True):
        own = drug.filter(pl.col("threshold_cells_per_ul") == threshold).select(
            "drug", pl.col("n_affected").alias(name)
        )
        wide = wide.join(own, on="drug", how="left", maintain_order="left")
    order = (*_OF_PEOPLE, *affected)
    blamed, wide = _with_blamed(wide, cause)
    related = {name: frozenset((*order, *(blamed if name in _OF_PEOPLE else ()))) - {name} for name in order}
    shown = shown_nested(wide, Nesting(order, related), min_cell)
    rows = drug
    for name in _OF_PEOPLE:
        hide = shown.select("drug", pl.col(name).is_null().alias(f"hide_{name}"))
        rows = rows.join(hide, on="drug", how="left", maintain_order="left")
    long = pl.concat(
        [
            shown.select(
                "drug", pl.lit(threshold).alias("threshold_cells_per_ul"), hide_n_affected=pl.col(name).is_null()
            )
            for threshold, name in zip(thresholds, affected, strict=True)
        ]
        or [pl.DataFrame(schema={"drug": pl.String, "threshold_cells_per_ul": pl.Int64, "hide_n_affected": pl.Boolean})]
    ).cast({"threshold_cells_per_ul": pl.Int64})
    rows = rows.join(long, on=["drug", "threshold_cells_per_ul"], how="left", maintain_order="left")
    either = pl.col("hide_n_affected") | pl.col("hide_n_tested")
    limits = either | limits_tell_people("n_courses")
    return rows.with_columns(
        hide_share=either,
        **{f"hide_{name}": limits for name in _LIMITS},
        hide_median_onset_days=pl.col("hide_n_affected"),
        hide_median_recovery_days=pl.col("hide_n_affected"),
    )


def _with_blamed(wide: pl.DataFrame, cause: pl.DataFrame) -> tuple[list[str], pl.DataFrame]:
    """`wide` with the shown people of every row of causes that names the drug, a column each."""
    named = cause.filter(pl.col("agent") != ALL, ~pl.col("hide_n_people")).select(
        "agent",
        "n_people",
        place=pl.format("blamed|{}|{}|{}|{}", "cohort", "rule", "threshold_cells_per_ul", "cause_group"),
    )
    pairs = wide.select("drug").join(named, how="cross").filter(pl.col("drug").str.starts_with(pl.col("agent")))
    if pairs.is_empty():
        return [], wide
    columns = pairs.pivot("place", index="drug", values="n_people", aggregate_function="max", sort_columns=True)
    return [name for name in columns.columns if name != "drug"], wide.join(columns, on="drug", how="left")


def _hide_days(days: pl.DataFrame, rule: DisclosureRule) -> pl.DataFrame:
    number = pl.col("n_people")
    few = is_small(number, rule.min_cell) | is_held(days.columns)
    rest = ~pl.col("hide_given") & is_small(pl.col("given") - number, rule.min_cell)
    quantiles = [name for name in days.columns if name.endswith("_cells_per_ul") and name[1].isdigit()]
    beyond = {name: int(name[1:].split("_")[0]) for name in quantiles}
    return days.with_columns(
        hide_n_people=few | rest,
        **{
            f"hide_{name}": few | (number * min(share, _PERCENT - share) < rule.quantile_people_beyond * _PERCENT)
            for name, share in beyond.items()
        },
    )


def _hide_ratios(ratio: pl.DataFrame, min_cell: int) -> pl.DataFrame:
    few = {
        name: is_small(pl.col(f"n_{name}"), min_cell) | is_held(ratio.columns)
        for name in ("risk", "reference", "pre_exposure", "on_drug")
    }
    made, before = few["risk"] | few["reference"], few["pre_exposure"] | few["reference"]
    return ratio.with_columns(
        hide_n_people=pl.col("hide_given"),
        **{f"hide_n_{name}": hide for name, hide in few.items()},
        **{f"hide_{name}": made for name in ("ratio", "ratio_lo", "ratio_hi")},
        **{f"hide_{name}": before for name in ("pre_ratio", "pre_ratio_lo", "pre_ratio_hi", "pre_check")},
        hide_log2_disproportion=few["on_drug"],
    )
