"""One row per specimen with every quantity a neutrophil count can be made of, as exact bounds.

Quantities are integers in millionths of their unit (cells/uL, %), so that products are exact. A quantity known
exactly has equal bounds. Two results of one quantity in one specimen are settled by method, status and value, or
averaged where only the day is known; different ones mark the specimen as conflicting, unless they are other parts.
Obeys `definitions/anc`.
"""

from collections.abc import Sequence

import polars as pl

from transforms.lots import share_out
from transforms.model.anc import AncRoutes

SPECIMEN = ("person_index", "collected_at", "specimen_id")
MILLION = 10**6
_OTHER_PART = "other_part"
_AT_A_TIME = 2**20  # results: half the memory of all at once, and less time
LIMIT = "reference_low_cells_per_ul"
_PRECISIONS = pl.Enum(["day", "minute", "none"])  # of one specimen the first is taken: the coarsest rules


def gather_specimens(lab: pl.LazyFrame, routes: AncRoutes, names: Sequence[str]) -> pl.LazyFrame:
    """One row per specimen: SPECIMEN, time_precision, is_conflicting, other_parts_pct, LIMIT, NAME_lower, NAME_upper.

    LIMIT is the laboratory's lower limit of normal, null where it gives none: of several the highest, up to the next
    whole count, because a count is below the limit or it is not. `lab` may have it as reference_low, cells/uL.
    NAME is each input of `routes`; bounds are null where the specimen lacks it, and `names` are those of
    `present_inputs`. `other_parts_pct` is the sum of the shares that are no neutrophils, null when none is listed.
    Sorted by SPECIMEN.
    """
    found = pl.concat([_gather(lab.filter(people), routes, names) for people in share_out(lab, _AT_A_TIME)])
    absent = {
        f"{name}_{bound}": pl.lit(None, dtype=pl.Int64)
        for name, _ in routes.named_inputs
        for bound in ("lower", "upper")
        if name not in names
    }
    return found.lazy().with_columns(**absent)


def _gather(lab: pl.LazyFrame, routes: AncRoutes, names: Sequence[str]) -> pl.DataFrame:
    results = _read_results(lab, routes)
    # Collected, because the rows of doubled specimens are read again only if there are any.
    single = _pivot(results, names, LIMIT).with_columns(is_conflicting=pl.lit(False)).collect()
    is_doubled = (pl.col("n_results") > _n_inputs(names)) | pl.col("has_doubled_parts")
    doubled = single.filter(is_doubled).select(*SPECIMEN, LIMIT)
    if doubled.height:
        settled = _settle(results.join(doubled.lazy(), on=SPECIMEN, how="semi", nulls_equal=True))
        conflicts = settled.group_by(SPECIMEN).agg(pl.col("is_conflicting").any())
        again = _pivot(settled, names)
        for known in (conflicts, doubled.lazy()):
            again = again.join(known, on=SPECIMEN, nulls_equal=True)
        single = pl.concat([single.filter(~is_doubled), again.select(single.columns).collect()])
    return single.drop("n_results", "has_doubled_parts").sort(SPECIMEN)


def present_inputs(lab: pl.LazyFrame, routes: AncRoutes) -> list[str]:
    """The inputs this extract has at all; most extracts have few, and each costs a pass over all rows."""
    found = set(lab.select("analyte", "method").unique().collect().iter_rows())
    return [
        name for name, entry in routes.named_inputs if any((entry.analyte, method) in found for method in entry.methods)
    ]


def _n_inputs(names: Sequence[str]) -> pl.Expr:
    return pl.sum_horizontal(pl.lit(0), *(pl.col(f"{name}_lower").is_not_null().cast(pl.UInt32) for name in names))


def _read_results(lab: pl.LazyFrame, routes: AncRoutes) -> pl.LazyFrame:
    """Results by input, with bounds in millionths; a strict limit excludes the limit itself."""
    lower = pl.coalesce("value", "lower_bound").to_physical().cast(pl.Int64)
    upper = pl.coalesce("value", "upper_bound").to_physical().cast(pl.Int64)
    is_number = pl.col("value").is_not_null()
    # A fraction that still is one becomes per cent; receive may have done so already.
    to_percent = pl.when((pl.col("analyte") == routes.inputs.neut_fraction.analyte) & (pl.col("unit") != "%"))
    factor = to_percent.then(100).otherwise(1)
    above, below = ((~is_number & (pl.col("comparator") == sign)).fill_null(False) for sign in (">", "<"))
    has_limits = "reference_low" in lab.collect_schema()
    limit = pl.col("reference_low").to_physical().cast(pl.Int64) if has_limits else pl.lit(None, pl.Int64)
    return lab.select(
        *SPECIMEN,
        "time_precision",
        ((limit + MILLION - 1) // MILLION).alias(LIMIT),
        input=_input_of(routes),
        part=_part_of(routes),
        method_rank=_rank("method", routes.method_order),
        status_rank=_rank("status", routes.status_order),
        lower=(lower + above.cast(pl.Int64)) * factor,
        upper=(upper - below.cast(pl.Int64)) * factor,
    ).filter(pl.col("input").is_not_null())


def _input_of(routes: AncRoutes) -> pl.Expr:
    """Which input a row is; null when its analyte or method is none of them."""
    kinds = pl.Enum([*(name for name, _ in routes.named_inputs), _OTHER_PART])
    takes_all = {n: set(entry.methods) == set(routes.method_order) for n, entry in routes.named_inputs}
    whole = {entry.analyte: n for n, entry in routes.named_inputs if takes_all[n]}
    whole |= dict.fromkeys(routes.other_parts_pct, _OTHER_PART)
    is_known = pl.col("method").is_in(routes.method_order)
    chosen: pl.Expr = pl.when(is_known).then(pl.col("analyte").replace_strict(whole, default=None, return_dtype=kinds))
    for name, entry in routes.named_inputs:
        if not takes_all[name]:
            is_it = (pl.col("analyte") == entry.analyte) & pl.col("method").is_in(entry.methods)
            chosen = pl.when(is_it).then(pl.lit(name, dtype=kinds)).otherwise(chosen)
    return chosen


def _part_of(routes: AncRoutes) -> pl.Expr:
    """A power of two for each other part, else 0. A sum of them has as many ones as terms where none is there twice."""
    powers = {analyte: 1 << place for place, analyte in enumerate(routes.other_parts_pct)}
    return pl.col("analyte").replace_strict(powers, default=0, return_dtype=pl.Int64)


def _rank(column: str, order: tuple[str, ...]) -> pl.Expr:
    ranks = {word: rank for rank, word in enumerate(order)}
    return pl.col(column).replace_strict(ranks, default=len(order), return_dtype=pl.UInt8)


def _pivot(results: pl.LazyFrame, names: Sequence[str], *highest: str) -> pl.LazyFrame:
    is_other = pl.col("input") == _OTHER_PART
    bounds = [
        pl.when(pl.col("input") == name).then(bound).min().alias(f"{name}_{bound}")
        for name in names
        for bound in ("lower", "upper")
    ]
    return (
        results.group_by(SPECIMEN)
        .agg(
            pl.col("time_precision").cast(_PRECISIONS).to_physical().min(),
            *bounds,
            *(pl.col(name).max() for name in highest),
            n_results=(~is_other).sum(),
            n_other_parts=is_other.sum(),
            parts=pl.when(is_other).then("part").sum(),
            other_parts_pct=pl.when(is_other).then("lower").sum(),
        )
        .with_columns(
            pl.col("time_precision").cat.to(_PRECISIONS).cast(pl.String),
            other_parts_pct=pl.when(pl.col("n_other_parts") > 0).then("other_parts_pct"),
            has_doubled_parts=pl.col("parts").bitwise_count_ones() != pl.col("n_other_parts"),
        )
        .drop("n_other_parts", "parts")
    )


def _settle(results: pl.LazyFrame) -> pl.LazyFrame:
    """One result per specimen and input of specimens that have several, and one of each other part.

    Of the other parts those by hand are taken first, as the share of the neutrophils by hand is.
    """
    is_other = pl.col("input") == _OTHER_PART
    columns = [*SPECIMEN, "input", "part", "time_precision", "is_conflicting", "lower", "upper"]
    order = ["method_rank", "status_rank", "lower", "upper"]
    keys = [*SPECIMEN, "input", "part"]
    ordered = results.filter(~is_other).sort(*keys, *order, nulls_last=True)
    settled = ordered.group_by(keys, maintain_order=True).agg(
        is_conflicting=(pl.col("lower").n_unique() > 1) | (pl.col("upper").n_unique() > 1), **_taken()
    )
    by_hand_first = -pl.col("method_rank").cast(pl.Int16)
    parts = results.filter(is_other).with_columns(method_rank=by_hand_first).sort(*keys, *order, nulls_last=True)
    others = parts.group_by(keys, maintain_order=True).agg(is_conflicting=pl.lit(False), **_taken())
    return pl.concat([settled.select(columns), others.select(columns)])


def _taken() -> dict[str, pl.Expr]:
    """Of results in order the first, or the mean of those by its method where only the day is known."""
    best = pl.col("method_rank") == pl.col("method_rank").min()
    is_day = pl.col("time_precision").min() == "day"
    bounds = {
        bound: pl.when(is_day).then(_mean(pl.col(bound).filter(best))).otherwise(pl.col(bound).first())
        for bound in ("lower", "upper")
    }
    return {"time_precision": pl.col("time_precision").min(), **bounds}


def _mean(values: pl.Expr) -> pl.Expr:
    """Mean of integers, half up; null when one of them is not bounded."""
    return pl.when(values.null_count() == 0).then((2 * values.sum() + values.len()) // (2 * values.len()))
