"""The absolute neutrophil count of a specimen, by the best route it allows, every alternative kept.

Bounds pass through every step: a limit reported by the laboratory, segmented neutrophils without bands, granulocytes
and the white-cell count alone each give a range, and a count known exactly is a range of one. Zero is a count. The
exact product is rounded once, half up; an upper bound is rounded down and a lower one up. A count above the white
cells is rejected. Routes, order and tolerances are `definitions/anc`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from transforms.differentials import POSSIBLE, leave_open
from transforms.grades import severity_of
from transforms.model.anc import ROUTES, AncRoutes, Route, Tolerance
from transforms.model.scales import Scale
from transforms.route_bounds import measure_routes, possible_routes
from transforms.specimens import LIMIT, SPECIMEN, gather_specimens, present_inputs

_PERCENT = 100


@dataclass(frozen=True)
class Specimens:
    """What every possible route says of each specimen, sorted by SPECIMEN; `possible` are the routes there are."""

    rows: pl.LazyFrame
    possible: tuple[Route, ...]


def measure_specimens(lab: pl.LazyFrame, routes: AncRoutes) -> Specimens:
    """One row per specimen: what `measure_routes` gives, which route is best, and the bounds that it and others leave.

    Of the specimen: best_rank (null: nothing usable), chosen_lower_cells_per_ul, chosen_upper_cells_per_ul,
    is_conflicting (results that contradict each other), highest_cells_per_ul and lowest_cells_per_ul of its exact
    counts, and POSSIBLE. Of a route: ROUTE_rank and ROUTE_is_rejected (above the white cells).
    """
    names = present_inputs(lab, routes)
    possible = possible_routes(names)
    measured = measure_routes(gather_specimens(lab, routes, names), routes, possible)
    return Specimens(leave_open(_choose(measured, routes, possible), routes, names, possible), possible)


def list_candidates(specimens: Specimens) -> pl.LazyFrame:
    """Every route of every specimen, usable or not: the columns of derived.anc_candidate by person_index.

    Sorted by person, time, specimen and route.
    """
    possible = specimens.possible
    listed = {
        "route": [pl.lit(place, dtype=pl.UInt8) for place in range(len(possible))],
        "lower_cells_per_ul": [pl.col(f"{route}_lower") for route in possible],
        "upper_cells_per_ul": [pl.col(f"{route}_upper") for route in possible],
    }
    # Fixed-size arrays: exploding them is forty times faster than a list of structs.
    candidates = (
        specimens.rows.select(*SPECIMEN, **{name: pl.concat_arr(parts) for name, parts in listed.items()})
        .explode(*listed)
        .filter(pl.col("lower_cells_per_ul").is_not_null())
    )
    is_exact = pl.col("lower_cells_per_ul") == pl.col("upper_cells_per_ul")
    return candidates.select(
        "person_index",
        "specimen_id",
        "collected_at",
        pl.col("route").replace_strict(dict(enumerate(possible)), return_dtype=pl.String),
        pl.when(is_exact).then("lower_cells_per_ul").alias("anc_cells_per_ul"),
        "lower_cells_per_ul",
        "upper_cells_per_ul",
    )


def choose_anc(specimens: Specimens, routes: AncRoutes, scale: Scale) -> pl.LazyFrame:
    """One count per specimen: the columns of derived.anc by person_index, sorted by person, time and specimen.

    `specimens` are those of `measure_specimens` under the same `routes`. One that says nothing about its neutrophils
    has no row.
    """
    lower, upper = pl.col("chosen_lower_cells_per_ul"), pl.col("chosen_upper_cells_per_ul")
    highest, lowest = pl.col("highest_cells_per_ul"), pl.col("lowest_cells_per_ul")
    allowance = _allowance(highest, routes.agreement)
    best = {route: pl.col(f"{route}_rank") == pl.col("best_rank") for route in specimens.possible}
    return specimens.rows.filter(pl.col("best_rank").is_not_null()).select(
        "person_index",
        "specimen_id",
        "collected_at",
        "time_precision",
        anc_cells_per_ul=pl.when(lower == upper).then(lower),
        lower_cells_per_ul=lower,
        upper_cells_per_ul=upper,
        route=pl.coalesce(pl.when(is_best).then(pl.lit(route)) for route, is_best in best.items()),
        is_discordant=pl.col("is_conflicting") | (highest - lowest > allowance).fill_null(False),
        bands_assumed_zero=pl.coalesce(
            pl.when(is_best).then(f"{route}_bands_assumed_zero") for route, is_best in best.items()
        ),
        severity=severity_of(lower, upper, scale),
        **{name: pl.col(name) for name in (*POSSIBLE, LIMIT)},
    )


def _choose(measured: pl.LazyFrame, routes: AncRoutes, possible: Sequence[Route]) -> pl.LazyFrame:
    """Add what is rejected, which route is best, and the bounds of the specimen."""
    whites = pl.col("wbc_only_upper") if "wbc_only" in possible else pl.lit(None, pl.Int64)
    rejected = {
        f"{route}_is_rejected": (pl.col(f"{route}_lower") - whites > _allowance(whites, routes.above_wbc)).fill_null(
            False
        )
        for route in possible
    }
    ranks = {f"{route}_rank": _rank(route, routes, possible) for route in possible}
    best = pl.min_horizontal(f"{route}_rank" for route in possible)
    ranked = measured.with_columns(**rejected).with_columns(**ranks).with_columns(best_rank=best)
    chosen = {f"best_{bound}": _of_best(bound, possible) for bound in ("lower", "upper")}
    limits = {
        "lower_limit": pl.max_horizontal(_limits("lower", possible)),
        "upper_limit": pl.min_horizontal(_limits("upper", possible)),
    }
    bounded = ranked.with_columns(**chosen).with_columns(**limits)
    is_exact = (pl.col("best_lower") == pl.col("best_upper")).fill_null(False)
    is_contrary = ~is_exact & (pl.col("lower_limit") > pl.col("upper_limit")).fill_null(False)
    takes_limits = ~is_exact & ~is_contrary
    counts = [
        pl.when(_is_usable(r) & (pl.col(f"{r}_lower") == pl.col(f"{r}_upper"))).then(f"{r}_lower")
        for r in possible
        if r not in {"granulocytes", "wbc_only"}
    ]
    return bounded.with_columns(
        chosen_lower_cells_per_ul=pl.when(takes_limits).then("lower_limit").otherwise("best_lower"),
        chosen_upper_cells_per_ul=pl.when(takes_limits).then("upper_limit").otherwise("best_upper"),
        is_conflicting=pl.col("is_conflicting") | is_contrary,
        highest_cells_per_ul=pl.max_horizontal(pl.lit(None, pl.Int64), *counts),
        lowest_cells_per_ul=pl.min_horizontal(pl.lit(None, pl.Int64), *counts),
    )


def _rank(route: Route, routes: AncRoutes, possible: Sequence[Route]) -> pl.Expr:
    """Place of the route on its specimen: routes that give the whole count first, then those that only limit it."""
    places = {name: place for place, name in enumerate(routes.routes_in_order)}
    place = pl.lit(places[route])
    if routes.manual_before_automated_when_both and {"direct_auto", "direct_manual"} <= set(possible):
        first, second = sorted((places["direct_auto"], places["direct_manual"]))
        if route == "direct_manual":
            place = pl.when(_is_usable("direct_auto")).then(first).otherwise(place)
        if route == "direct_auto":
            place = pl.when(_is_usable("direct_manual")).then(second).otherwise(place)
    behind = pl.when(pl.col(f"{route}_is_whole")).then(0).otherwise(len(ROUTES))
    return pl.when(_is_usable(route)).then((place + behind).cast(pl.Int32))


def _is_usable(route: str) -> pl.Expr:
    return pl.col(f"{route}_lower").is_not_null() & ~pl.col(f"{route}_is_rejected")


def _of_best(bound: str, possible: Sequence[Route]) -> pl.Expr:
    best: pl.Expr = pl.lit(None, dtype=pl.Int64)
    for route in possible:
        best = pl.when(pl.col(f"{route}_rank") == pl.col("best_rank")).then(pl.col(f"{route}_{bound}")).otherwise(best)
    return best


def _limits(bound: str, possible: Sequence[Route]) -> list[pl.Expr]:
    """The bounds of the best route and of every usable route that only limits the count."""
    limiting = [
        pl.when(_is_usable(route) & ~pl.col(f"{route}_is_whole")).then(pl.col(f"{route}_{bound}")) for route in possible
    ]
    return [pl.col(f"best_{bound}"), *limiting]


def _allowance(count: pl.Expr, tolerance: Tolerance) -> pl.Expr:
    return pl.max_horizontal(pl.lit(tolerance.cells_per_ul), count * tolerance.percent // _PERCENT)
