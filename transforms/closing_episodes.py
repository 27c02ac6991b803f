"""What a reader knows of counts of episodes beyond one total: their people, causes, durations, and other cohorts.

`hiding_episodes.py` looks at each total and its parts; here whatever follows from all of them together is closed.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from transforms.cohort_order import CohortOrder
from transforms.frames import settle
from transforms.relations import Relations, apart_pairs, close_counts, order_pairs, weigh
from transforms.suppression import least_of

_RULE = ["cohort", "rule", "threshold_cells_per_ul"]
_ALL = "all"
_WORDS = {"n_episodes": "e", "n_people": "p", "n_censored": "c", "n_died": "d"}


@dataclass(frozen=True)
class Hidden:
    """The three tables of episodes, each with hide_VALUE beside its values."""

    episode: pl.DataFrame
    cause: pl.DataFrame
    duration: pl.DataFrame


def close_episodes(tables: Hidden, order: CohortOrder, min_cell: int) -> Hidden:
    """The tables with more of hide_VALUE true; a drug whose number is hidden is left out, name and all."""
    named = {"episode": _name_endings(tables.episode), "cause": _name_causes(tables.cause)}
    named["duration"] = _name_durations(tables.duration)
    with_median = pl.when("hide_values").then(1).otherwise(min_cell)  # a shown median is of at least that many
    least = {name: with_median if name == "duration" else pl.lit(1) for name in named}
    long = pl.concat([_long(rows, least[name], *_values(name)) for name, rows in named.items()])
    unique = long.group_by(*_RULE, "node").agg(
        n=pl.col("n").first(), is_shown=pl.col("is_shown").any(), least=pl.col("least").first()
    )
    cells = unique.sort(*_RULE, "node").with_row_index("cell").cast({"cell": pl.Int64})
    is_total = pl.col("node").str.ends_with(f"|{_ALL}")
    cells = cells.with_columns(weigh(cells, order, is_total, min_cell))
    is_shown = close_counts(cells, _relate(cells, order), min_cell, together=True)["is_shown"]
    hidden = cells.select(*_RULE, "node", is_hidden=~is_shown)
    episode, cause, duration = (_hide(named[name], _values(name), hidden) for name in ("episode", "cause", "duration"))
    whole = episode.filter("is_confirmed", pl.col("ended_as") == _ALL).select(*_RULE, _is_hidden="hide_n_episodes")
    cause = cause.join(whole, on=_RULE, how="left", maintain_order="left").with_columns(
        hide_share=pl.col("hide_share") | pl.col("hide_n_episodes") | pl.col("_is_hidden").fill_null(value=True)
    )
    is_bare = (pl.col("agent") != _ALL) & pl.col("hide_n_episodes")
    return Hidden(episode, cause.filter(~is_bare).drop("_is_hidden"), duration)


def _values(table: str) -> tuple[str, ...]:
    return ("n_episodes", "n_censored", "n_died") if table == "duration" else ("n_episodes", "n_people")


def _name_endings(episode: pl.DataFrame) -> pl.DataFrame:
    kind = pl.when("is_confirmed").then(pl.lit("confirmed")).otherwise(pl.lit("isolated"))
    return episode.with_columns(group=pl.format("{}|{}", kind, "ended_as"))


def _name_causes(cause: pl.DataFrame) -> pl.DataFrame:
    whole = pl.format("cause|{}", "cause_group")
    drug = pl.format("drug|{}|{}", "cause_group", "agent")
    return cause.with_columns(group=pl.when(pl.col("agent") == _ALL).then(whole).otherwise(drug))


def _name_durations(duration: pl.DataFrame) -> pl.DataFrame:
    return duration.with_columns(group=pl.format("incident|{}", "cause_group"))


def _long(rows: pl.DataFrame, least: pl.Expr, *values: str) -> pl.DataFrame:
    parts = [
        rows.select(
            *_RULE,
            node=pl.format(f"{_WORDS[value]}|{{}}", "group"),
            n=value,
            is_shown=~pl.col(f"hide_{value}"),
            least=least_of(
                value,
                f"last_{value}",
                least if value == "n_episodes" else pl.lit(0 if value in ("n_censored", "n_died") else 1),
            ),
        )
        for value in values
    ]
    return pl.concat(parts)


def _hide(rows: pl.DataFrame, values: Sequence[str], hidden: pl.DataFrame) -> pl.DataFrame:
    found, marked = hidden.lazy().rename({"is_hidden": "_is_hidden"}), rows.lazy()
    for value in values:
        marked = (
            marked.with_columns(node=pl.format(f"{_WORDS[value]}|{{}}", "group"))
            .join(found, on=[*_RULE, "node"], how="left", maintain_order="left")
            .with_columns(pl.col(f"hide_{value}") | pl.col("_is_hidden").fill_null(value=False))
            .drop("_is_hidden", "node")
        )
    return settle(marked.drop("group"))


def _relate(cells: pl.DataFrame, order: CohortOrder) -> Relations:
    split = cells.with_columns(
        word=pl.col("node").str.split("|").list.get(0),
        kind=pl.col("node").str.split("|").list.get(1),
        name=pl.col("node").str.split("|").list.get(2),
    )
    ending = split.filter(pl.col("kind").is_in(["confirmed", "isolated"]))
    cause, drug = split.filter(pl.col("kind") == "cause"), split.filter(pl.col("kind") == "drug")
    incident = split.filter(pl.col("kind") == "incident")
    whole, parts = pl.col("name") == _ALL, pl.col("name") != _ALL
    of_all = _pairs(cause, ending.filter(whole, pl.col("kind") == "confirmed"), ["word"])
    of_ending = _pairs(ending.filter(parts), ending.filter(whole), ["word", "kind"])
    of_drug, of_incident = (
        _pairs(drug, cause, ["word", "name"]),
        _pairs(incident.filter(parts), incident.filter(whole), ["word"]),
    )
    died = ending.filter(pl.col("node") == "e|confirmed|died")
    inside = [of_all, of_ending, of_drug]
    inside += [_by_word(split, "p", "e"), _by_word(incident, "c", "e"), _by_word(incident, "d", "c")]
    inside += [_pairs(incident.filter(parts, pl.col("word") == "e"), cause.filter(pl.col("word") == "e"), ["name"])]
    confirmed = ending.filter(pl.col("node") == "e|confirmed|all")
    inside += [_pairs(incident.filter(whole, pl.col("word") == "e"), confirmed, [])]
    inside += [_pairs(incident.filter(whole, pl.col("word") == "d"), died, [])]
    is_people = pl.col("word") == "p"
    exact = [_only(table, split, ~is_people) for table in (of_all, of_ending, of_incident)]
    sums = [table.with_columns(family=pl.lit(place, pl.Int64)) for place, table in enumerate(exact)]
    drugs = _only(of_drug, split, ~is_people).with_columns(family=pl.lit(-1, pl.Int64))
    return Relations(
        inside=pl.concat([*inside, order_pairs(split, order, _RULE[1:])]),
        covers=pl.concat([_only(table, split, is_people) for table in (of_all, of_ending)]),
        adds=pl.concat([drugs, apart_pairs(split, order, _RULE[1:])]),
        sums=pl.concat(sums),
    )


def _pairs(parts: pl.DataFrame, wholes: pl.DataFrame, same: Sequence[str]) -> pl.DataFrame:
    key = [*_RULE, *same]
    inside = parts.lazy().select(*key, part="cell").join(wholes.lazy().select(*key, whole="cell"), on=key)
    return settle(inside.select("part", "whole"))


def _by_word(split: pl.DataFrame, part: str, whole: str) -> pl.DataFrame:
    named = split.with_columns(group=pl.col("node").str.slice(2))
    return _pairs(named.filter(pl.col("word") == part), named.filter(pl.col("word") == whole), ["group"])


def _only(pairs: pl.DataFrame, split: pl.DataFrame, condition: pl.Expr) -> pl.DataFrame:
    return pairs.join(split.filter(condition).select(whole="cell"), on="whole", how="semi")
