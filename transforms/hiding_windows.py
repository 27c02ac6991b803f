"""Which shares of causes by windows of another length must be hidden: columns `hide_VALUE` beside the table.

They divide the same episodes as the default windows do, and mostly alike. So a number that differs from the default's
by a few tells those few, and one whose default is hidden tells about as much as that would: both are hidden. The parts
of one length protect each other as those of the default do, and are left out where they can't, or have no shown total.
"""

import polars as pl

from transforms.hiding import ALL
from transforms.suppression import hide_parts, is_held, is_protected, is_small, room_of

_RULE = ["cohort", "rule", "threshold_cells_per_ul"]
_COUNTS = ("n_episodes", "n_people")


def hide_windows(others: pl.DataFrame, default: pl.DataFrame, episode: pl.DataFrame, min_cell: int) -> pl.DataFrame:
    """`others` are rows of `estimate.cause`; `default` has hide_VALUE beside them, as `episode` has."""
    confirmed = episode.filter(pl.col("is_confirmed"), pl.col("ended_as") == ALL)
    totals = confirmed.select(
        *_RULE,
        hide_total="hide_n_episodes",
        total_people="n_people",
        hide_total_people="hide_n_people",
    )
    usual = default.filter(pl.col("agent") == ALL).select(
        *_RULE,
        "cause_group",
        **{f"{count}_default": count for count in _COUNTS},
        **{f"hide_{count}_default": f"hide_{count}" for count in _COUNTS},
    )
    rows = others.join(totals, on=_RULE, how="left").join(usual, on=[*_RULE, "cause_group"], how="left")
    rows = rows.sort(*_RULE, "cause_group", "window").with_columns(_is_few(count, min_cell) for count in _COUNTS)
    rows = rows.with_columns(pl.col(f"few_{count}") | is_held(rows.columns) for count in _COUNTS)
    few = pl.col("few_n_episodes") | is_small(pl.col("n_people"), min_cell)
    rows = rows.with_columns(hide_n_episodes=few | pl.col("hide_total").fill_null(value=True))
    by, key = [*_RULE, "window"], ["cause_group"]
    rows = rows.with_columns(
        hide_n_episodes=hide_parts(
            rows, by=by, key=key, value="n_episodes", primary="hide_n_episodes", min_cell=min_cell
        )
    )
    held = pl.col("n_episodes").filter("hide_n_episodes").sum().over(by)
    n_hidden = pl.col("hide_n_episodes").sum().over(by).cast(pl.Int64)
    room = room_of("n_episodes", rows.columns).filter("hide_n_episodes").sum().over(by)
    is_total_shown = ~pl.col("hide_total").fill_null(value=True)  # else the names of its causes would still tell of it
    rows = rows.filter(is_total_shown & ((held == 0) | is_protected(n_hidden, room, min_cell)))
    again, rest = pl.col("n_episodes") - pl.col("n_people"), pl.col("total_people") - pl.col("n_people")
    return rows.with_columns(
        hide_share=pl.col("hide_n_episodes"),
        hide_n_people=pl.col("hide_n_episodes")
        | pl.col("few_n_people")
        | pl.col("hide_total_people")
        | is_small(again, min_cell)
        | is_small(rest, min_cell),
    )


def _is_few(count: str, min_cell: int) -> pl.Expr:
    """Whether a count is small, differs by a few from the default's or another length's, or the default's is hidden."""
    usual = pl.col(f"{count}_default").fill_null(0)
    of_cause = [*_RULE, "cause_group"]
    least, most = pl.col(count).min().over(of_cause), pl.col(count).max().over(of_cause)
    differs = is_small((pl.col(count) - usual).abs(), min_cell) | is_small(most - least, min_cell)
    is_hidden = pl.col(f"hide_{count}_default").fill_null(value=False)
    return (is_small(pl.col(count), min_cell) | differs | is_hidden).alias(f"few_{count}")
