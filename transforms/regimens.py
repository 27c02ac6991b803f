"""Which regimen a cycle of chemotherapy is: told by the antineoplastics that were given in it.

A regimen fits when all its agents were given, on as many days as it asks, and no cytotoxic that it does not name;
antibodies and other targeted drugs beside it do no harm. Of several that fit the one that names most of what was given
is taken, then the first by id. Obeys `definitions/regimens`.
"""

from collections.abc import Sequence

import polars as pl

from transforms.model.regimens import RegimenList

_JOINED = " + "
_MEMBERS = {
    "regimen": pl.String(),
    "n_required": pl.UInt32(),
    "drug": pl.String(),
    "is_required": pl.Boolean(),
    "days_at_least": pl.Int32(),
    "days_at_most": pl.Int32(),
}


def label_cycles(given: pl.LazyFrame, regimens: RegimenList, key: Sequence[str]) -> pl.LazyFrame:
    """One row per cycle, sorted by `key`: `key`, regimen, agents (the cytotoxics by name, joined by " + ").

    `given` has one row per cycle and antineoplastic: `key`, drug, is_cytotoxic, n_days (days of the cycle on which it
    was given). A cycle without a cytotoxic has no row.
    """
    each = pl.concat_str("drug", "is_cytotoxic", "n_days", separator=" ")
    # Cycles of the same drugs on as many days are one regimen, told once: there are few such sets and many cycles.
    held = given.collect()
    sets = held.lazy().group_by(key).agg(what=each.sort().str.join(_JOINED)).collect()
    one_of_each = held.lazy().join(sets.lazy().unique("what", keep="any"), on=list(key))
    told = _label(one_of_each, regimens, ["what"])
    return sets.lazy().join(told, on="what").select(*key, "regimen", "agents").sort(key)


def _label(given: pl.LazyFrame, regimens: RegimenList, key: Sequence[str]) -> pl.LazyFrame:
    cycles = (
        given.filter("is_cytotoxic")
        .group_by(key)
        .agg(n_cytotoxic=pl.col("drug").n_unique(), agents=pl.col("drug").unique().sort().str.join(_JOINED))
    )
    unlisted = (
        pl.when(pl.col("n_cytotoxic") == 1)
        .then(pl.lit(regimens.one_agent))
        .otherwise(pl.lit(regimens.other_combination))
    )
    fitting = _fitting(given, cycles, regimens, key)
    named = cycles.join(fitting, on=list(key), how="left")
    return named.select(*key, pl.coalesce("regimen", unlisted).alias("regimen"), "agents")


def _fitting(given: pl.LazyFrame, cycles: pl.LazyFrame, regimens: RegimenList, key: Sequence[str]) -> pl.LazyFrame:
    """The best regimen of each cycle that has one."""
    is_often = (pl.col("n_days") >= pl.col("days_at_least")).fill_null(value=True)
    is_rare = (pl.col("n_days") <= pl.col("days_at_most")).fill_null(value=True)
    is_met = pl.col("is_required") & is_often & is_rare
    met = (
        given.join(_members(regimens), on="drug")
        .group_by(*key, "regimen")
        .agg(
            n_met=is_met.sum(),
            n_named_cytotoxic=pl.col("is_cytotoxic").sum(),
            n_named=pl.len(),
            n_required=pl.col("n_required").first(),
        )
        .join(cycles.select(*key, "n_cytotoxic"), on=list(key))
        .filter(pl.col("n_met") == pl.col("n_required"), pl.col("n_named_cytotoxic") == pl.col("n_cytotoxic"))
    )
    best_first = met.sort(*key, "n_named", "n_required", "regimen", descending=[*[False] * len(key), True, True, False])
    return best_first.group_by(key).agg(pl.col("regimen").first())


def _members(regimens: RegimenList) -> pl.LazyFrame:
    """One row per regimen and drug that it names."""
    rows = [
        (one.id, len(one.agents), drug, drug in one.agents, one.days_at_least.get(drug), one.days_at_most.get(drug))
        for one in regimens.regimens
        for drug in (*one.agents, *one.with_or_without)
    ]
    return pl.LazyFrame(rows, schema=_MEMBERS, orient="row")
