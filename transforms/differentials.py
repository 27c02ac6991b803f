"""What a count may be although it was told as one number: a differential of few cells is a sample, and nucleated red
cells are counted as white ones.

The number itself stands; its bounds stand beside it. A share of cells counted by hand has the exact limits of Clopper
and Pearson, times the white cells; with nucleated red cells among white ones that were not corrected for them, the
count may be as low as the corrected one. Obeys `by_hand` and `red_cells` in `definitions/anc`.
"""

from collections.abc import Sequence
from functools import cache

import numpy as np
import polars as pl

from transforms.intervals import clopper_pearson
from transforms.model.anc import AncRoutes, ByHand, Route
from transforms.route_bounds import WHOLE, Range
from transforms.specimens import MILLION

POSSIBLE = ("possible_lower_cells_per_ul", "possible_upper_cells_per_ul", "has_uncorrected_nrbc")
_OF_WHITES = ("neut_pct", "segs_bands_pct")
_HAND_INPUTS = {"direct_manual", "segs_abs", "neut_pct_manual", "segs_pct", "bands_pct"}
_ONE = 100  # nucleated red cells are told per so many white ones


def leave_open(
    chosen: pl.LazyFrame, routes: AncRoutes, inputs: Sequence[str], possible: Sequence[Route]
) -> pl.LazyFrame:
    """`chosen` with POSSIBLE: what the count of a specimen is at least and at most, cells/uL, and a flag.

    `chosen` has what `measure_routes` gives, the rank of each route of `possible` and the chosen bounds; `inputs` are
    those the extract has. Where nothing is left open the bounds are the chosen ones.
    """
    lower, upper = pl.col("chosen_lower_cells_per_ul"), pl.col("chosen_upper_cells_per_ul")
    least, most = lower, upper
    if _HAND_INPUTS & set(inputs):
        sampled = _sample(_share_by_hand(possible), routes.by_hand)
        least, most = pl.min_horizontal(lower, sampled.lower), pl.max_horizontal(upper, sampled.upper)
        most = pl.when(upper.is_not_null()).then(most)
    has_red = pl.lit(value=False)
    if "nrbc" in inputs:
        is_product = pl.any_horizontal(_is_best(route) for route in _OF_WHITES if route in possible)
        is_many = pl.col("nrbc_lower") >= routes.red_cells.from_per_100_white * MILLION
        has_red = (is_many & ~pl.col("is_wbc_corrected") & is_product).fill_null(value=False)
        red = pl.col("nrbc_upper").cast(pl.Int128)
        corrected = (least * _ONE * MILLION + _ONE * MILLION + red - 1) // (_ONE * MILLION + red)
        least = pl.when(has_red).then(corrected.cast(pl.Int64).fill_null(0)).otherwise(least)
    return chosen.with_columns(**dict(zip(POSSIBLE, (least, most, has_red), strict=True)))


def _is_best(route: str) -> pl.Expr:
    return (pl.col(f"{route}_rank") == pl.col("best_rank")).fill_null(value=False)


def _share_by_hand(possible: Sequence[Route]) -> Range:
    """The share of white cells, in millionths of a per cent, of a specimen whose chosen route was counted by hand."""
    shares = {"neut_pct": _bounds("hand_share"), "segs_bands_pct": _bounds("hand_parts_share")}
    shares |= {route: _share_of_whites(route) for route in ("direct_manual", "parts_abs")}
    share = Range(pl.lit(None, pl.Int64), pl.lit(None, pl.Int64))
    for route, own in shares.items():
        if route in possible:
            is_best = _is_best(route)
            share = Range(
                pl.when(is_best).then(own.lower).otherwise(share.lower),
                pl.when(is_best).then(own.upper).otherwise(share.upper),
            )
    return share


def _bounds(name: str) -> Range:
    return Range(pl.col(f"{name}_lower"), pl.col(f"{name}_upper"))


def _share_of_whites(route: str) -> Range:
    """What a count of cells is of the white cells."""
    count, whites = _bounds(route), _bounds("whites")
    lower = count.lower.cast(pl.Int128) * MILLION * WHOLE // whites.upper
    upper = (count.upper.cast(pl.Int128) * MILLION * WHOLE + whites.lower - 1) // whites.lower
    return Range(lower.clip(0, WHOLE).cast(pl.Int64), upper.clip(0, WHOLE).cast(pl.Int64))


def _sample(share: Range, by_hand: ByHand) -> Range:
    """White cells times the exact limits of a share of so many cells, whole counts inside; null without a share."""
    fewest = share.lower * by_hand.cells // WHOLE
    most = (share.upper.fill_null(WHOLE) * by_hand.cells + WHOLE - 1) // WHOLE
    low, high = _limits_of_share(by_hand)
    lower = pl.col("whites_lower").cast(pl.Int128) * _look_up(fewest, low)
    upper = pl.col("whites_upper").cast(pl.Int128) * _look_up(most, high)
    unit = MILLION * WHOLE
    is_sampled = share.lower.is_not_null()
    return Range(
        pl.when(is_sampled).then(((lower + unit - 1) // unit).cast(pl.Int64)),
        pl.when(is_sampled).then((upper // unit).cast(pl.Int64)),
    )


def _look_up(cells: pl.Expr, limits: tuple[int, ...]) -> pl.Expr:
    clipped = cells.clip(0, len(limits) - 1)
    return clipped.replace_strict(dict(enumerate(limits)), default=None, return_dtype=pl.Int64)


@cache
def _limits_of_share(by_hand: ByHand) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Lower and upper limit of a share of 0, 1, ... of the cells, in millionths of a per cent, away from the share."""
    cells = np.arange(by_hand.cells + 1)
    low, high = clopper_pearson(cells, np.full_like(cells, by_hand.cells), level=by_hand.level)
    return tuple(np.floor(low * WHOLE).astype(int).tolist()), tuple(np.ceil(high * WHOLE).astype(int).tolist())
