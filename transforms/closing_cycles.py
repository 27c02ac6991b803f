"""What a reader knows of chemotherapy cycles beyond one cohort: regimens, reasons, people and cohorts hang together.

`hiding_cycles.py` looks at each cohort and threshold alone; here whatever follows from all of them together is closed.
A regimen that a cohort does not show is a count as well, and may be nobody; those that no cohort shows are one count.
"""

from itertools import pairwise, product

import polars as pl

from transforms.cohort_order import CohortOrder
from transforms.counts_as_nodes import as_nodes, hide_unshown
from transforms.hiding import ALL
from transforms.hiding_days import decided_people
from transforms.relations import Named, close_nodes

LIMIT = "threshold_cells_per_ul"
_COUNTS = {"n_cycles": "cycles", "n_people": "people", "n_tested": "tested"}
_AFFECTED = {"n_affected": "affected", "n_people_affected": "ill"}
_SEVERE = {"n_cycles": "days", "n_people": "owners"}
UNNAMED = "unnamed"
_FIRST_OF_ALL = ("cycles", "people", "days", "owners")  # of a row that is there, somebody


def close_cycles(
    cycle: pl.DataFrame, severe: pl.DataFrame, people: pl.DataFrame, order: CohortOrder, min_cell: int
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Both tables with more of their hide_COUNT true. `people` is what `shown_people` gave."""
    while True:
        cells = _cells(_lump_unnamed(cycle), severe, people)
        shown = close_nodes(cells, _relate(cells), order, min_cell)
        n_hidden = _count_hidden(cycle) + _count_hidden(severe)
        cycle = _hide_all_of_regimens(_apply(cycle, shown, _COUNTS | _AFFECTED))
        severe = _apply(severe, shown, _SEVERE)
        if _count_hidden(cycle) + _count_hidden(severe) == n_hidden:
            return cycle, severe


def _count_hidden(rows: pl.DataFrame) -> int:
    return sum(int(rows[name].sum()) for name in rows.columns if name.startswith("hide_"))


def _lump_unnamed(cycle: pl.DataFrame) -> pl.DataFrame:
    """Regimens whose cycles no cohort shows as one: only their sum is anything to a reader."""
    is_unnamed = (pl.col("regimen") != ALL) & pl.col("hide_n_cycles").all().over("regimen")
    values = [*_COUNTS, *_AFFECTED]
    last = [f"last_{value}" for value in values if f"last_{value}" in cycle.columns]
    flags = [f"hide_{value}" for value in values]
    kept = cycle.select("cohort", "regimen", LIMIT, *values, *last, *flags, is_unnamed=is_unnamed)
    one = kept.filter("is_unnamed").group_by("cohort", LIMIT).agg(
        pl.col(values).sum(), pl.col(last).sum(), pl.col(flags).all()
    ).with_columns(regimen=pl.lit(UNNAMED))  # fmt: skip
    others = kept.filter(~pl.col("is_unnamed")).drop("is_unnamed")
    return pl.concat([others, one.select(others.columns)])


def _nodes(value: str, word: str) -> pl.Expr:
    if value in _AFFECTED:
        return pl.format(f"{word}|{{}}|{{}}", LIMIT, "regimen")
    return pl.format(f"{word}|{{}}", "severe_status" if word in _SEVERE.values() else "regimen")


def _cells(cycle: pl.DataFrame, severe: pl.DataFrame, people: pl.DataFrame) -> pl.DataFrame:
    parts = [
        as_nodes(rows, value, _nodes(value, word), least=1 if word in _FIRST_OF_ALL else 0)
        for rows, words in ((cycle, _COUNTS | _AFFECTED), (severe, _SEVERE))
        for value, word in words.items()
    ]
    known = pl.concat(parts).unique(["cohort", "node"], keep="first", maintain_order=True)
    every = known.select("cohort").unique().join(known.select("node").unique(), how="cross")
    missing = every.join(known, on=["cohort", "node"], how="anti").with_columns(
        n=pl.lit(0, pl.Int64), is_shown=pl.lit(value=False), least=pl.lit(0, pl.Int64), is_decided=pl.lit(value=False)
    )
    beside = decided_people(people).join(known.select("cohort").unique(), on="cohort", how="semi")
    return pl.concat([known, missing, beside])


def _relate(cells: pl.DataFrame) -> Named:
    split = [node.split("|") for node in cells["node"].unique().sort()]
    regimens = sorted({parts[1] for parts in split if parts[0] == "cycles"} - {ALL})
    reasons = sorted(parts[1] for parts in split if parts[0] == "days")
    limits = sorted({parts[1] for parts in split if parts[0] == "ill"}, key=int)
    adding = ["cycles", "tested", *(f"affected|{limit}" for limit in limits)]
    people = ["people", *(f"ill|{limit}" for limit in limits)]
    inside = [(f"{word}|{name}", f"{word}|{ALL}") for word, name in product([*adding, *people], regimens)]
    inside += [("people|all", "observed"), *((f"ill|{limit}|all", f"low|{limit}") for limit in limits)]
    for name in (*regimens, ALL):
        inside += [(f"{part}|{name}", f"cycles|{name}") for part in ("tested", "people")]
        for limit in limits:
            ill, affected = f"ill|{limit}|{name}", f"affected|{limit}|{name}"
            inside += [(ill, affected), (ill, f"people|{name}"), (affected, f"tested|{name}")]
        inside += [
            (f"{word}|{low}|{name}", f"{word}|{high}|{name}")
            for (low, high), word in product(pairwise(limits), ("ill", "affected"))
        ]
    inside += [(f"owners|{reason}", f"days|{reason}") for reason in reasons]
    inside += [(f"owners|{reason}", f"people|{ALL}") for reason in reasons]
    sums = [(f"{word}|{name}", f"{word}|{ALL}", 0) for word, name in product(adding, regimens)]
    sums += [(f"days|{reason}", f"tested|{ALL}", 1) for reason in reasons]
    return Named(inside, [(f"{word}|{name}", f"{word}|{ALL}") for word, name in product(people, regimens)], sums)


def _apply(rows: pl.DataFrame, shown: pl.DataFrame, words: dict[str, str]) -> pl.DataFrame:
    for value, word in words.items():
        rows = hide_unshown(rows, value, _nodes(value, word), shown)
    return rows


def _hide_all_of_regimens(cycle: pl.DataFrame) -> pl.DataFrame:
    """A regimen whose cycles are hidden is left out, and one with hidden tested cycles tells of none affected."""
    gone = pl.col("hide_n_cycles")
    untold = gone | pl.col("hide_n_tested")
    unknown = untold | pl.col("hide_n_affected")
    return cycle.with_columns(
        hide_n_people=gone | pl.col("hide_n_people"),
        hide_n_tested=untold,
        hide_n_affected=unknown,
        hide_n_people_affected=unknown | pl.col("hide_n_people_affected"),
    )
