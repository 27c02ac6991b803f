"""The mechanisms that hide a count: it is small, it leaves a small rest, or its neighbours would give it away.

A hidden count can always be one of at least ten values for a reader who knows everything shown and this code. Zero is
shown: it is nobody. All is decided on integers, in a fixed order, so the same counts hide the same cells.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from transforms.frames import settle

_A_PAIR = 2


@dataclass(frozen=True)
class Nesting:
    """Counts of people of which one contains the other, per row of a wide frame.

    `order` lists the columns, the ones to keep first. `related` names for each the columns that contain it or that it
    contains; those already decided may be outside `order`.
    """

    order: tuple[str, ...]
    related: Mapping[str, frozenset[str]]


def is_small(count: pl.Expr, min_cell: int) -> pl.Expr:
    """Whether a count is one that may not be shown: 1 to `min_cell` - 1; false for null."""
    return count.is_between(1, min_cell - 1).fill_null(value=False)


def is_small_total(total: pl.Expr, n_parts: pl.Expr, min_cell: int) -> pl.Expr:
    """Whether a total of so many parts above zero is small, or too small to protect them if all are hidden."""
    is_too_small = (total > 0) & (total - (n_parts - 1) < min_cell - 1)
    return is_small(total, min_cell) | is_too_small.fill_null(value=False)


def is_held(columns: Sequence[str], flag: str = "is_held") -> pl.Expr:
    """Whether a row must be held back because it has moved by a few since a report showed it (`holding.py`)."""
    return pl.col(flag) if flag in columns else pl.lit(value=False)


def least_of(count: str, last: str, least: pl.Expr | None = None) -> pl.Expr:
    """What a hidden count is known to be at least: what was shown of it `last`, or `least` (1 if not given)."""
    bound = pl.lit(1, pl.Int64) if least is None else least
    return pl.min_horizontal(pl.max_horizontal(pl.col(last), bound), count).cast(pl.Int64)


def shown_nested(wide: pl.DataFrame, nesting: Nesting, min_cell: int) -> pl.DataFrame:
    """`wide` with every column of `nesting.order` null where it must be hidden.

    A count is hidden when it is small, or differs from a shown related one by a small number. Columns of `wide` that
    are not in the order are taken as decided: null is hidden.
    """
    known = frozenset(nesting.order).union(*nesting.related.values())
    names = [name for name in wide.columns if name in known]
    columns = wide.select(pl.col(names).cast(pl.Int64))
    value = columns.fill_null(0).to_numpy(order="fortran")
    is_shown = columns.select(pl.all().is_not_null()).to_numpy(order="fortran", writable=True)
    place = {name: number for number, name in enumerate(names)}
    decided = set(names) - set(nesting.order)
    for name in nesting.order:
        own = value[:, place[name]]
        hide = (own >= 1) & (own < min_cell)
        others = [place[other] for other in nesting.related[name] & decided]
        apart = np.abs(own[:, None] - value[:, others])
        hide |= (is_shown[:, others] & (apart >= 1) & (apart < min_cell)).any(axis=1)
        is_shown[:, place[name]] &= ~hide
        decided.add(name)
    return wide.with_columns(
        pl.when(pl.Series(is_shown[:, place[name]])).then(pl.col(name)).alias(name) for name in nesting.order
    )


def limits_tell_people(units: str) -> pl.Expr:
    """Whether limits of n_affected of n_tested are those of a number of tested people that nothing else shows.

    `units` counts what people have several of, such as courses; limits at none or all are exact ones of the people.
    """
    none_or_all = (pl.col("n_affected") == 0) | (pl.col("n_affected") == pl.col("n_tested"))
    is_known = (pl.col("n_tested") == pl.col(units)) | (pl.col("n_people") == pl.col(units))
    return none_or_all & (pl.col("hide_n_people") | ~is_known)


def close_relations(pairs: Iterable[tuple[str, str]]) -> dict[str, frozenset[str]]:
    """For each name all that contain it or that it contains, from (part, whole) pairs and what follows from them."""
    wholes: dict[str, set[str]] = {}
    for part, whole in pairs:
        wholes.setdefault(part, set()).add(whole)
        wholes.setdefault(whole, set())
    for middle in sorted(wholes):
        for name in sorted(wholes):
            if middle in wholes[name]:
                wholes[name] |= wholes[middle]
    related: dict[str, set[str]] = {name: set() for name in wholes}
    for part, contained in wholes.items():
        for whole in contained - {part}:
            related[part].add(whole)
            related[whole].add(part)
    return {name: frozenset(others) for name, others in related.items()}


def is_protected(n_hidden: pl.Expr, room: pl.Expr, min_cell: int) -> pl.Expr:
    """Whether hidden parts of a total protect each other: at least two that have enough room together."""
    return (n_hidden >= _A_PAIR) & (room >= min_cell - 2)


def room_of(value: str, columns: Sequence[str]) -> pl.Expr:
    """By how much a part may be less as far as a reader knows: to 1, or to what was shown last (`last_VALUE`)."""
    last = f"last_{value}"
    known = pl.min_horizontal(pl.col(last).fill_null(1), value) if last in columns else pl.lit(1, pl.Int64)
    return pl.col(value) - pl.max_horizontal(known, pl.lit(1, pl.Int64))  # a reader takes a hidden part for somebody


def hide_sums(
    rows: pl.DataFrame, *, is_total: pl.Expr, by: Sequence[str], key: Sequence[str], value: str, min_cell: int
) -> pl.DataFrame:
    """`rows` with more true in hide_VALUE, until neither a part nor a total follows from the others.

    Totals and their parts share the columns `by`. A hidden total hides parts, or it would be their sum; a total whose
    hidden parts can't protect each other is hidden with all of them.
    """
    hide, count = f"hide_{value}", pl.col(value)
    totals = rows.lazy().filter(is_total)
    above = totals.filter(hide).select(*by, _is_hidden=True)
    is_first = (count > 0) & ((count > 0).cum_sum().over(by) == 1)
    of_total = (
        rows.lazy().filter(~is_total).sort([*by, value, *key]).join(above, on=by, how="left", maintain_order="left")
    )
    is_hidden = pl.col(hide) | (pl.col("_is_hidden").fill_null(value=False) & is_first)
    parts = settle(of_total.with_columns(is_hidden).drop("_is_hidden"))
    hidden = hide_parts(parts, by=by, key=key, value=value, primary=hide, min_cell=min_cell)
    parts = parts.with_columns(hidden.alias(hide))
    room, n_hidden = room_of(value, parts.columns).sum(), pl.len().cast(pl.Int64)
    is_bare = (count.sum() > 0) & ~is_protected(n_hidden, room, min_cell)
    bare = parts.lazy().filter(hide).group_by(by).agg(_is_bare=is_bare)
    totals = totals.join(bare, on=by, how="left").with_columns(
        pl.col(hide) | pl.col("_is_bare").fill_null(value=False).alias(hide)
    )
    return settle(pl.concat([totals.drop("_is_bare"), parts.lazy()]))


def hide_parts(
    rows: pl.DataFrame, *, by: Sequence[str], key: Sequence[str], value: str, primary: str, min_cell: int
) -> pl.Series:
    """Which parts of a total must be hidden, `primary` included.

    Beside a hidden part the next smallest is hidden, until there are two and together they hold enough that each can
    be one of at least `min_cell` - 1 values; parts that are nobody hide nothing. Parts that have hardly grown since
    they were shown (`last_VALUE`) come last. `by` is the total's key, `key` makes the order of equal parts fixed.
    """
    is_primary, count, room = pl.col(primary), pl.col(value), pl.col("_room")
    is_next = ~is_primary & (count > 0)
    ranked = (
        rows.lazy()
        .with_row_index("_row")
        .with_columns(_room=room_of(value, rows.columns))
        .with_columns(_is_still=(room < min_cell - 2) & (room < count - 1))
        .sort([*by, "_is_still", value, *key, "_row"])
        .with_columns(
            _n_hidden=is_primary.sum().over(by, mapping_strategy="group_to_rows"),
            _held=pl.when(is_primary).then(count).otherwise(0).sum().over(by),
            _free=pl.when(is_primary).then(room).otherwise(0).sum().over(by),
            _n_before=is_next.cast(pl.Int64).cum_sum().over(by) - is_next.cast(pl.Int64),
            _free_before=pl.when(is_next).then(room).otherwise(0).cum_sum().over(by)
            - pl.when(is_next).then(room).otherwise(0),
        )
    )
    n_hidden = pl.col("_n_hidden").cast(pl.Int64) + pl.col("_n_before")
    free = pl.col("_free") + pl.col("_free_before")
    hidden = is_primary | (is_next & (pl.col("_held") > 0) & ~is_protected(n_hidden, free, min_cell))
    return settle(ranked.select("_row", hidden=hidden).sort("_row"))["hidden"]
