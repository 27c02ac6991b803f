"""What a reader knows of complications beyond one table of bands: episodes in which they could be seen, and cohorts.

`hiding_complications.py` looks at the bands of one complication; here whatever follows from other cohorts, and from all
of it together, is closed.
"""

import polars as pl

from transforms.cohort_order import CohortOrder
from transforms.relations import Relations, apart_pairs, close_counts, order_pairs, weigh

_RULE = ["cohort", "rule", "threshold_cells_per_ul"]
_ALL = "all"
_WORDS = {"n_assessed": "a", "n_episodes": "e", "n_people": "p"}
_DECIDED = 2**39  # above every weight of `weigh`: what other tables show is not taken back here


def close_complications(rows: pl.DataFrame, episode: pl.DataFrame, order: CohortOrder, min_cell: int) -> pl.DataFrame:
    """`rows` of complications, in their order, with more of hide_VALUE true; `episode` is from `hide_episodes`.

    Where only a number of all episodes could give room, every complication of its cohort, rule and threshold goes.
    """
    cells = _cells(rows, episode).with_row_index("cell").cast({"cell": pl.Int64})
    is_whole = pl.col("band_kind") == _ALL
    cells = cells.with_columns(weigh(cells, order, is_whole, min_cell))
    cells = cells.with_columns(pl.col("weight") + pl.col("is_decided").cast(pl.Int64) * _DECIDED)
    shown = cells.select(
        *_RULE,
        "node",
        is_hidden=~close_counts(cells, _relate(cells, order), min_cell, together=False)["is_shown"],
        is_taken=pl.col("is_decided") & pl.col("is_shown"),
    )
    taken = shown.filter("is_hidden", "is_taken").select(_RULE).unique().with_columns(_is_taken=pl.lit(value=True))
    rows = rows.join(taken, on=_RULE, how="left", maintain_order="left")
    for value in _WORDS:
        found = shown.select(*_RULE, "node", _is_hidden="is_hidden")
        rows = (
            rows.with_columns(node=_node(value))
            .join(found, on=[*_RULE, "node"], how="left", maintain_order="left")
            .with_columns(pl.col(f"hide_{value}") | pl.col("_is_hidden") | pl.col("_is_taken").fill_null(value=False))
            .drop("node", "_is_hidden")
        )
    return rows.drop("_is_taken")


def _node(value: str) -> pl.Expr:
    return pl.format(f"{_WORDS[value]}|{{}}|{{}}|{{}}", "complication", "band_kind", "band")


def _cells(rows: pl.DataFrame, episode: pl.DataFrame) -> pl.DataFrame:
    """Every count of the table, and the confirmed episodes and their people, with what is known of each."""
    parts = [
        rows.select(
            *_RULE,
            "complication",
            "band_kind",
            word=pl.lit(word),
            node=_node(value),
            n=value,
            is_shown=~pl.col(f"hide_{value}"),
            least=pl.min_horizontal(pl.col(f"last_{value}").fill_null(0), value)
            if f"last_{value}" in rows.columns
            else pl.lit(0, pl.Int64),
            is_decided=pl.lit(value=False),
        )
        for value, word in _WORDS.items()
    ]
    whole = episode.filter("is_confirmed", pl.col("ended_as") == _ALL)
    parts += [
        whole.select(
            *_RULE,
            complication=pl.lit(""),
            band_kind=pl.lit(""),
            word=pl.lit(word),
            node=pl.lit(f"{word}|"),
            n=value,
            is_shown=~pl.col(f"hide_{value}"),
            least=pl.lit(0, pl.Int64),
            is_decided=pl.lit(value=True),
        )
        for value, word in (("n_episodes", "e"), ("n_people", "p"))
    ]
    return pl.concat(parts).sort(*_RULE, "node")


def _relate(cells: pl.DataFrame, order: CohortOrder) -> Relations:
    own = cells.with_columns(group=pl.col("node").str.slice(2))
    whole, part = own.filter(pl.col("band_kind") == _ALL), own.filter(~pl.col("band_kind").is_in([_ALL, ""]))
    of_bands = _pairs(part, whole, ["complication", "word"], ["band_kind"])
    every = own.filter("is_decided")
    inside = [
        _pairs(own.filter(word="e"), own.filter(word="a"), ["group"]),
        _pairs(own.filter(word="p"), own.filter(word="e"), ["group"]),
        _pairs(whole.filter(word="a"), every.filter(word="e"), []),
        _pairs(whole.filter(word="p"), every.filter(word="p"), []),
        of_bands.select("part", "whole"),
        order_pairs(cells, order, _RULE[1:]),
    ]
    is_people = of_bands.join(cells.filter(word="p").select(part="cell"), on="part", how="semi")
    sums = of_bands.join(is_people, on=["part", "whole"], how="anti")
    family = pl.col("band_kind").rank("dense").cast(pl.Int64)
    return Relations(
        inside=pl.concat(inside),
        covers=is_people.select("part", "whole"),
        adds=apart_pairs(cells, order, _RULE[1:]),
        sums=sums.select("part", "whole", family=family),
    )


def _pairs(parts: pl.DataFrame, wholes: pl.DataFrame, same: list[str], kept: list[str] | None = None) -> pl.DataFrame:
    key = [*_RULE, *same]
    named = parts.select(*key, *(kept or []), part="cell").join(wholes.select(*key, whole="cell"), on=key)
    return named.select("part", "whole", *(kept or []))
