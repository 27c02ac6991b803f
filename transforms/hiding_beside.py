"""Which numbers of rules compared, and of certainty, must be hidden: columns `hide_VALUE` beside each table.

They are of everybody, beside the counts of the largest cohort, and which of them lies in which depends on the rule and
on the counts. So a number is shown only if it is one that is shown already, or if no other number, shown or hidden, is
so near that the difference would be a small count.
"""

from dataclasses import dataclass, field

import polars as pl

from transforms.certainty import AS_TOLD, LOW, NOT_LOW, UNDECIDED
from transforms.hiding import ALL
from transforms.nested_pairs import OBSERVED, TESTED

_OF_CUTS = r"^(observed|tested|low\|any_low|possible\|any_low|grade|level|bin)"
_OF_RULES = r"^(observed|tested|low|possible|grade|level|bin|episode|isolated|new)"


@dataclass
class Beside:
    """Numbers that are shown, and numbers that are hidden; what is let through is shown from then on."""

    min_cell: int
    shown: list[int] = field(default_factory=list)
    hidden: list[int] = field(default_factory=list)

    def lets(self, count: int, same: tuple[int | None, ...] = ()) -> bool:
        """Whether a count may be shown; one of `same`, which is shown and counts the same, makes it no news."""
        is_near = any(0 < abs(count - other) < self.min_cell for other in [0, *self.shown])
        is_hidden = count > 0 and any(abs(count - other) < self.min_cell for other in self.hidden)
        if count in same or not (is_near or is_hidden):
            self.shown.append(count)
            return True
        return False


def hide_rules(rules: pl.DataFrame, episode: pl.DataFrame, people: pl.DataFrame, min_cell: int) -> pl.DataFrame:
    """`episode` is what `hide_episodes` gave. Rules that are reported in full say nothing new where they agree.

    A rule of counts after an infusion is left out where its number is hidden: its name alone would tell that there are
    a few people with one.
    """
    nodes = _of_largest(people, _OF_RULES)
    whole = episode.filter(pl.col("ended_as") == ALL, pl.col("cohort") == largest_cohort(people))
    persons = Beside(min_cell, _shown(nodes), _hidden(nodes))
    shown = pl.col("hide_n_episodes").not_()
    numbers = Beside(
        min_cell, whole.filter(shown)["n_episodes"].to_list(), whole.filter(shown.not_())["n_episodes"].to_list()
    )
    reported = whole.filter("is_confirmed")
    told = {(row["rule"], row["threshold_cells_per_ul"]): row for row in reported.rows(named=True)}
    flags = []
    ordered = rules.sort("limit_cells_per_ul", "compared_rule", descending=[True, False])
    for row in ordered.rows(named=True):
        own = told.get((row["compared_rule"], row["limit_cells_per_ul"]))
        same = {name: None if own is None else own[name] for name in ("n_episodes", "n_people")}
        hidden = {name: own is not None and own[f"hide_{name}"] for name in same}
        is_told = not hidden["n_episodes"] and numbers.lets(row["n_episodes"], (same["n_episodes"],))
        names = (same["n_people"], *_of_cut(nodes, row["limit_cells_per_ul"]))
        is_same = not hidden["n_people"] and all(row[name] == count for name, count in same.items())
        is_more = is_told and not hidden["n_people"] and persons.lets(row["n_people"], names)
        is_again = 0 < row["n_episodes"] - row["n_people"] < min_cell
        is_known = is_same or (is_more and not is_again)
        flags.append({"hide_n_episodes": not is_told, "hide_n_people": not is_known, "hide_mean_days": not is_told})
    types = dict.fromkeys(("hide_n_episodes", "hide_n_people", "hide_mean_days"), pl.Boolean)
    found = pl.concat([ordered, pl.DataFrame(flags, schema=types)], how="horizontal")
    return found.filter(~(pl.col("is_anchored") & pl.col("hide_n_episodes")))


def hide_certainty(certainty: pl.DataFrame, people: pl.DataFrame, min_cell: int) -> pl.DataFrame:
    """Low, and low or undecided, are counts that lie in each other; what lies between two that are shown is shown."""
    nodes = _of_largest(people, _OF_CUTS)
    beside = Beside(min_cell, _shown(nodes), _hidden(nodes))
    wide = certainty.pivot("certainty", index=["bounds", "threshold_cells_per_ul"], values="n_people")
    ordered = wide.sort("bounds", "threshold_cells_per_ul", descending=[False, True])
    tested = {node: count for node, count in nodes.select("node", "n_shown").iter_rows() if node == TESTED}
    told: dict[tuple[str, int], int | None] = {}
    flags = []
    for row in ordered.rows(named=True):
        limit, low = row["threshold_cells_per_ul"], row[LOW]
        possible = low + row[UNDECIDED]
        whole = beside.lets(possible + row[NOT_LOW], (tested.get(TESTED),))
        is_low = beside.lets(low, (told.get((LOW, limit)), _count_of(nodes, f"low|any_low|any_value|{limit}|{TESTED}")))
        same = (told.get((UNDECIDED, limit)), _count_of(nodes, f"possible|any_low|any_value|{limit}|{TESTED}"))
        is_possible = beside.lets(possible, (*same, low if is_low else None))
        if row["bounds"] == AS_TOLD:
            told |= {(LOW, limit): low if is_low else None, (UNDECIDED, limit): possible if is_possible else None}
        shown = {LOW: is_low, UNDECIDED: is_low and is_possible, NOT_LOW: is_possible and whole}
        key = {"bounds": row["bounds"], "threshold_cells_per_ul": limit}
        flags += [
            {**key, "certainty": name, "hide_n_people": not is_shown, "hide_share": not (is_shown and whole)}
            for name, is_shown in shown.items()
        ]
    types = {"bounds": pl.String, "threshold_cells_per_ul": pl.Int64, "certainty": pl.String}
    hidden = pl.DataFrame(flags, schema=types | dict.fromkeys(("hide_n_people", "hide_share"), pl.Boolean))
    return certainty.join(hidden, on=list(types), how="left", maintain_order="left")


def largest_cohort(people: pl.DataFrame) -> str:
    """The cohort with most people over the whole extract; empty without any."""
    whole = people.filter(pl.col("interval_unit") == ALL, pl.col("node") == OBSERVED)
    names = whole.sort(["n_people", "cohort"], descending=[True, False])["cohort"].to_list()
    return str(names[0]) if names else ""


def _of_largest(people: pl.DataFrame, kinds: str) -> pl.DataFrame:
    """The counts of the whole extract of the largest cohort that may lie in one of these, or hold it."""
    is_near = pl.col("node").str.contains(kinds)
    return people.filter(pl.col("interval_unit") == ALL, pl.col("cohort") == largest_cohort(people), is_near)


def _shown(nodes: pl.DataFrame) -> list[int]:
    return nodes["n_shown"].drop_nulls().unique().sort().to_list()


def _hidden(nodes: pl.DataFrame) -> list[int]:
    return nodes.filter(pl.col("n_shown").is_null())["n_people"].unique().sort().to_list()


def _of_cut(nodes: pl.DataFrame, limit: int) -> tuple[int | None, ...]:
    """Shown numbers of people with a count below a limit, or at most the limit."""
    names = (f"low|any_low|any_value|{limit}|{OBSERVED}", f"grade|{limit}", f"grade|{limit + 1}")
    return tuple(_count_of(nodes, name) for name in names)


def _count_of(nodes: pl.DataFrame, name: str) -> int | None:
    found = nodes.filter(pl.col("node") == name)["n_shown"].to_list()
    return found[0] if found else None
