"""The order of the candidates of each episode, and which of them is the primary suspect.

By precedence, then by prior risk, then by the shorter time, then by name: so that every night ranks alike.
"""

import polars as pl

from transforms.codelists import RISKS

EPISODE = ("person_index", "rule", "threshold_cells_per_ul", "first_low_at")
OUTPUT = (
    *EPISODE,
    "cause_group",
    "agent",
    "rank",
    "is_primary",
    "category",
    "days_from_exposure",
    "dechallenge",
    "rechallenge",
    "n_competing",
    "naranjo_score",
    "naranjo_band",
    "is_window_certain",
    "began_while_falling",
)


def rank_candidates(candidates: pl.LazyFrame, keys: pl.LazyFrame) -> pl.LazyFrame:
    """Columns OUTPUT, sorted by episode and rank.

    `candidates` has episode, precedence, risk, days_from_exposure and the rest of OUTPUT but its key; `keys` has
    episode and EPISODE, in one order.
    """
    own = [name for name in OUTPUT if name not in {*EPISODE, "rank", "is_primary"}]
    is_first = pl.col("episode").ne_missing(pl.col("episode").shift(1))
    row = pl.int_range(pl.len(), dtype=pl.Int32)
    ranked = _order(candidates.select("episode", "precedence", "risk", *own)).with_columns(
        pl.col("days_from_exposure").cast(pl.Float64),
        rank=row - pl.when(is_first).then(row).forward_fill() + 1,
        is_primary=is_first,
    )
    return ranked.join(keys, on="episode", how="left", maintain_order="left").select(OUTPUT)


def find_primary(candidates: pl.LazyFrame, keys: pl.LazyFrame) -> pl.LazyFrame:
    """The first of each episode alone: EPISODE, cause_group and agent, sorted by episode; as `rank_candidates` says."""
    columns = ("episode", "cause_group", "agent", "precedence", "risk", "days_from_exposure")
    is_first = pl.col("precedence") == pl.col("precedence").min().over("episode")
    first = _order(candidates.select(columns).filter(is_first)).unique("episode", keep="first", maintain_order=True)
    return first.join(keys, on="episode", how="left", maintain_order="left").select(*EPISODE, "cause_group", "agent")


def _order(candidates: pl.LazyFrame) -> pl.LazyFrame:
    held = candidates.collect()
    names = {name: pl.Enum(held[name].unique().sort()) for name in ("cause_group", "agent")}
    risk = pl.col("risk").replace_strict({name: place for place, name in enumerate(RISKS)}, default=len(RISKS))
    order = ("precedence", "risk_place", "distance", "cause_group", "agent")
    ordered = (
        held.lazy()
        .with_columns(
            risk.cast(pl.Int8).alias("risk_place"),
            pl.col("days_from_exposure").abs().alias("distance"),
            # Sorts as its text does, and costs as much as a number.
            *(pl.col(name).cast(kind) for name, kind in names.items()),
        )
        .sort("episode", *order, nulls_last=True)
    )
    return ordered.with_columns(pl.col(*names).cast(pl.String))
