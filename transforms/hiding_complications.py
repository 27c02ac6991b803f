"""Which values of complications must be hidden: columns `hide_VALUE` beside the table.

Episodes in bands of severity, and of duration, are parts of all. Episodes with a complication are parts of those in
which it could be seen, and those are parts of all confirmed episodes. One definition of a kind may lie inside another
(fever above 38.3 in fever from 38.0), so two of a kind are never shown a small number apart.
"""

from collections.abc import Sequence

import polars as pl

from transforms.closing_complications import close_complications
from transforms.cohort_order import CohortOrder
from transforms.hiding import ALL
from transforms.suppression import hide_sums, is_held, is_small, is_small_total

_RULE = ["cohort", "rule", "threshold_cells_per_ul"]
_COMPLICATION = [*_RULE, "complication"]
_CELL = [*_RULE, "band_kind", "band"]
_BANDS = ("severity", "duration")


def hide_complications(
    complication: pl.DataFrame, episode: pl.DataFrame, order: CohortOrder, min_cell: int
) -> pl.DataFrame:
    """`complication` with hide_VALUE for each of its values; `episode` is from `hide_episodes`.

    Where one value must go, it goes in every band that could give it away.
    """
    confirmed = episode.filter(pl.col("is_confirmed"), pl.col("ended_as") == ALL)
    whole = confirmed.select(*_RULE, _whole="n_episodes", _is_whole_hidden="hide_n_episodes")
    rows = complication.join(whole, on=_RULE, how="left")
    rows = _add_near(rows, "n_assessed", _CELL, min_cell)
    rows = _add_near(rows, "n_episodes", [*_CELL, "kind"], min_cell)
    rows = _add_near(rows, "n_people", [*_CELL, "kind"], min_cell)
    rest = pl.col("_whole") - pl.col("n_assessed")
    assessed = _is_few("n_assessed", min_cell) | pl.col("_is_near_n_assessed") | is_held(rows.columns)
    is_all = pl.col("band_kind") == ALL
    beyond = is_all & (pl.col("_is_whole_hidden").fill_null(value=True) | is_small(rest, min_cell))
    rows = _hide(rows, "n_assessed", assessed | beyond, min_cell)
    without = pl.col("n_assessed") - pl.col("n_episodes")
    few = _is_few("n_episodes", min_cell) | is_small(pl.col("n_people"), min_cell) | is_small(without, min_cell)
    is_any = pl.col("n_episodes") > 0  # nobody is shown as 0, of however many
    hide = is_any & (pl.col("hide_n_assessed") | few | pl.col("_is_near_n_episodes"))
    rows = _hide(rows, "n_episodes", hide, min_cell).with_columns(
        hide_n_people=is_any & (pl.col("hide_n_episodes") | pl.col("_is_near_n_people") | _hide_people(min_cell))
    )
    rows = close_complications(rows, episode, order, min_cell).with_columns(
        hide_share=pl.col("hide_n_episodes") | pl.col("hide_n_assessed"),
    )
    # An interval says how many episodes a person has, so it goes with the people too.
    limits = pl.col("hide_share") | pl.col("hide_n_people")
    rows = rows.with_columns(**{f"hide_{name}": limits for name in ("share_lo", "share_hi", "method")})
    return rows.select(*complication.columns, *(name for name in rows.columns if name.startswith("hide_")))


def _hide(rows: pl.DataFrame, value: str, hide: pl.Expr, min_cell: int) -> pl.DataFrame:
    """Adds hide_VALUE: `hide`, and what protects it among the bands of each kind.

    A total that one kind of bands can't protect is hidden, and the other kind is looked at again: a hidden total hides
    parts of both.
    """
    flag = f"hide_{value}"
    rows = rows.with_columns(hide.alias(flag))
    while True:
        n_hidden = rows[flag].sum()
        for kind in _BANDS:
            rows = _hide_bands(rows, kind, value, min_cell)
        if rows[flag].sum() == n_hidden:
            return rows


def _hide_bands(rows: pl.DataFrame, kind: str, value: str, min_cell: int) -> pl.DataFrame:
    concerned = pl.col("band_kind").is_in([ALL, kind])
    hidden = hide_sums(
        rows.filter(concerned),
        is_total=pl.col("band_kind") == ALL,
        by=_COMPLICATION,
        key=["band_order"],
        value=value,
        min_cell=min_cell,
    )
    return pl.concat([hidden.select(rows.columns), rows.filter(~concerned)])


def _is_few(value: str, min_cell: int) -> pl.Expr:
    """Whether a number is small; of all episodes, also whether it is too small to protect its parts."""
    is_part = (pl.col("band_kind") != ALL) & (pl.col(value) > 0)
    n_parts = pl.max_horizontal((is_part & (pl.col("band_kind") == kind)).sum().over(_COMPLICATION) for kind in _BANDS)
    parts = pl.when(pl.col("band_kind") == ALL).then(n_parts).otherwise(1).cast(pl.Int64)
    return is_small_total(pl.col(value), parts, min_cell)


def _add_near(rows: pl.DataFrame, value: str, by: Sequence[str], min_cell: int) -> pl.DataFrame:
    """Adds _is_near_VALUE: another count of the same cell is a small number above; the smaller of two is hidden.

    One that is small itself is not shown, so it gives nothing away.
    """
    name = f"_is_near_{value}"
    counts = rows.select(*by, value).unique()
    pairs = counts.join(counts.rename({value: "_other"}), on=by)
    is_near = is_small(pl.col("_other") - pl.col(value), min_cell) & ~is_small(pl.col("_other"), min_cell)
    near = pairs.filter(is_near).select(*by, value).unique()
    told = rows.join(near.with_columns(pl.lit(value=True).alias(name)), on=[*by, value], how="left")
    return told.with_columns(pl.col(name).fill_null(value=False))


def _hide_people(min_cell: int) -> pl.Expr:
    """People go with their episodes; in a band they must not nearly be all who have the complication."""
    again = pl.col("n_episodes") - pl.col("n_people")
    of_all = pl.col("n_people").filter(pl.col("band_kind") == ALL).first().over(_COMPLICATION)
    return is_small(again, min_cell) | is_small(of_all - pl.col("n_people"), min_cell)
