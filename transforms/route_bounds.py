"""The bounds that each route gives for a specimen's neutrophil count, in whole cells/uL.

Products are exact integers until the one rounding: half up when the factors are exact, else down for an upper and up
for a lower bound. Whether bands lie inside the neutrophil share is tested per specimen. Obeys `definitions/anc`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from transforms.model.anc import ROUTES, AncRoutes, Route
from transforms.specimens import LIMIT, MILLION, SPECIMEN

_PERCENT = 100
WHOLE = _PERCENT * MILLION
_INPUTS: Mapping[Route, frozenset[str]] = {
    "direct_auto": frozenset({"direct_auto"}),
    "direct_manual": frozenset({"direct_manual"}),
    "parts_abs": frozenset({"segs_abs"}),
    "neut_pct": frozenset({"neut_pct", "neut_pct_manual", "neut_fraction"}),
    "segs_bands_pct": frozenset({"segs_pct", "bands_pct"}),
    "granulocytes": frozenset({"gran_abs", "gran_pct"}),
    "wbc_only": frozenset({"wbc", "wbc_corrected"}),
}


@dataclass(frozen=True)
class Range:
    """Lower and upper bound of one quantity, as integers; `per_unit` of them make one unit."""

    lower: pl.Expr
    upper: pl.Expr
    per_unit: int = MILLION

    def __add__(self, other: "Range") -> "Range":
        return Range(self.lower + other.lower, self.upper + other.upper)

    def or_else(self, other: "Range") -> "Range":
        """This quantity where the specimen has it, else the other."""
        has = self.lower.is_not_null()
        lower = pl.when(has).then(self.lower).otherwise(other.lower)
        return Range(lower, pl.when(has).then(self.upper).otherwise(other.upper), self.per_unit)

    def only_if(self, condition: pl.Expr) -> "Range":
        """Nothing where the condition does not hold."""
        return Range(pl.when(condition).then(self.lower), pl.when(condition).then(self.upper), self.per_unit)


def possible_routes(inputs: Sequence[str]) -> tuple[Route, ...]:
    """The routes that these inputs allow; each of the others would cost a pass over all specimens."""
    return tuple(route for route in ROUTES if _INPUTS[route] & set(inputs)) or ROUTES


def measure_routes(specimens: pl.LazyFrame, routes: AncRoutes, possible: Sequence[Route] = ROUTES) -> pl.LazyFrame:
    """Specimens with LIMIT and, of each possible route, its lower and upper, is_whole and bands_assumed_zero (ROUTE_x).

    `specimens` are those of `gather_specimens`. A route the specimen does not allow is null; one that says nothing
    (0 or more) is null too. `is_whole` is false where the route only limits the count. Also what `differentials` reads,
    in millionths: whites_BOUND, hand_share_BOUND and hand_parts_share_BOUND (of a share counted by hand, alone and with
    bands beside it), nrbc_BOUND and is_wbc_corrected.
    """
    whites = _input("wbc_corrected").or_else(_input("wbc"))
    neutrophils = _input("neut_pct_manual").or_else(_input("neut_pct")).or_else(_input("neut_fraction"))
    bands = _input("bands_pct")
    has_bands = bands.lower.is_not_null()
    prepared = specimens.with_columns(
        whites_lower=whites.lower,
        whites_upper=whites.upper,
        neutrophils_lower=neutrophils.lower,
        neutrophils_upper=neutrophils.upper,
    ).with_columns(
        is_blank=_is_blank(),
        adds_bands=has_bands & pl.col("segs_pct_lower").is_null() & ~_has_bands_inside(routes),
    )
    columns: dict[str, pl.Expr] = {}
    every = _bounds_by_route()
    for route, bounds in ((route, every[route]) for route in possible):
        lower, upper = _whole_cells(bounds)
        says_something = (lower > 0) | upper.is_not_null()
        columns |= {f"{route}_lower": pl.when(says_something).then(lower), f"{route}_upper": upper}
        columns |= {f"{route}_is_whole": _is_whole(route), f"{route}_bands_assumed_zero": _assumes_no_bands(route)}
    return prepared.select(*SPECIMEN, "time_precision", "is_conflicting", LIMIT, **columns, **_beside())


def _beside() -> dict[str, pl.Expr]:
    """What a count by hand, and red cells among the white ones, leave open."""
    found = {
        "whites": _input("whites"),
        "hand_share": _input("neutrophils").only_if(pl.col("neut_pct_manual_lower").is_not_null()),
        "hand_parts_share": _manual_share(),
        "nrbc": _input("nrbc"),
    }
    bounds = {f"{name}_{which}": getattr(each, which) for name, each in found.items() for which in ("lower", "upper")}
    return {**bounds, "is_wbc_corrected": pl.col("wbc_corrected_lower").is_not_null()}


def _manual_share() -> Range:
    """Segmented neutrophils and bands as shares; or a neutrophil share with bands beside it."""
    bands, zero = _input("bands_pct"), pl.lit(0, dtype=pl.Int64)
    apart = (_input("neutrophils") + bands).only_if(pl.col("adds_bands"))
    return (_input("segs_pct") + bands.or_else(Range(zero, zero))).or_else(apart)


def _bounds_by_route() -> dict[str, Range]:
    whites, neutrophils = _input("whites"), _input("neutrophils")
    is_counted = ~pl.col("is_blank")
    segments_alone = Range(pl.col("segs_abs_lower"), pl.lit(None, dtype=pl.Int64))
    granulocytes = whites.upper.cast(pl.Int128) * pl.col("gran_pct_upper") // WHOLE
    bounds = {
        "direct_auto": _input("direct_auto"),
        "direct_manual": _input("direct_manual"),
        "parts_abs": (_input("segs_abs") + _input("bands_abs")).or_else(segments_alone),
        "neut_pct": _times(whites, neutrophils).only_if(is_counted & ~pl.col("adds_bands")),
        "segs_bands_pct": _times(whites, _manual_share()).only_if(is_counted),
    }
    bounds |= {
        "granulocytes": _at_most(pl.coalesce("gran_abs_upper", granulocytes.cast(pl.Int64))),
        "wbc_only": _at_most(whites.upper),
    }
    return {route: bounds[route] for route in ROUTES}


def _at_most(upper: pl.Expr) -> Range:
    """Between none and `upper`; of no cells at all, none are neutrophils."""
    return Range(pl.when(upper.is_not_null()).then(pl.lit(0, dtype=pl.Int64)), upper)


def _input(name: str) -> Range:
    return Range(pl.col(f"{name}_lower"), pl.col(f"{name}_upper"))


def _times(whites: Range, share: Range) -> Range:
    """White cells times a share of them, exact; a share without an upper bound is at most all of them."""
    most = pl.when(share.lower.is_not_null()).then(pl.coalesce(share.upper, pl.lit(WHOLE)))
    lower, upper = (whites.lower.cast(pl.Int128) * share.lower, whites.upper.cast(pl.Int128) * most)
    return Range(lower, upper, per_unit=MILLION * WHOLE)


def _whole_cells(bounds: Range) -> tuple[pl.Expr, pl.Expr]:
    """Whole cells/uL: half up when exact, else the whole counts that lie inside."""
    unit = bounds.per_unit
    rounded = (2 * bounds.lower + unit) // (2 * unit)
    is_exact = bounds.lower == bounds.upper
    lower = pl.when(is_exact).then(rounded).otherwise((bounds.lower + unit - 1) // unit)
    upper = pl.when(is_exact).then(rounded).otherwise(bounds.upper // unit)
    # Two limits inside one whole count leave none between them: the lower one stands.
    return lower.cast(pl.Int64), pl.when(upper < lower).then(lower).otherwise(upper).cast(pl.Int64)


def _is_whole(route: str) -> pl.Expr:
    if route == "parts_abs":
        return pl.col("bands_abs_lower").is_not_null()
    return pl.lit(route not in {"granulocytes", "wbc_only"})


def _assumes_no_bands(route: str) -> pl.Expr:
    no_bands = pl.col("bands_pct_lower").is_null()
    if route == "neut_pct":
        return no_bands & pl.col("neut_pct_manual_lower").is_not_null()
    return no_bands if route == "segs_bands_pct" else pl.lit(False)


def _is_blank() -> pl.Expr:
    """A differential that lists other parts and is zero in every one of them."""
    own = pl.sum_horizontal("neutrophils_lower", "segs_pct_lower", "bands_pct_lower")
    return ((pl.col("other_parts_pct") == 0) & (own == 0)).fill_null(False)


def _has_bands_inside(routes: AncRoutes) -> pl.Expr:
    tolerance = routes.differential_sum_tolerance_pct * MILLION
    neutrophils, bands, others = (pl.col(name) for name in ("neutrophils_lower", "bands_pct_lower", "other_parts_pct"))
    without = (neutrophils + others - WHOLE).abs()
    apart = (neutrophils + bands + others - WHOLE).abs()
    is_whole_without = (without <= tolerance) & (without < apart)
    exceeds = neutrophils + bands > WHOLE + tolerance
    return is_whole_without.fill_null(False) | exceeds.fill_null(False)
