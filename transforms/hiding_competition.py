"""Which numbers of episodes with several suspects must be hidden: columns `hide_VALUE` beside the table.

They are of everybody, beside the counts of the largest cohort, which they are shown with only where it has every
episode. Episodes without a suspect are the causes that name none, so their number is shown where those causes are.
Those with several are at most all with one: were they nearly so many, they would tell how many a hidden cause has.
"""

from dataclasses import dataclass
from typing import Any

import polars as pl

from transforms.closing_episodes import Hidden
from transforms.hiding import ALL
from transforms.hiding_beside import Beside
from transforms.model.disclosure import DisclosureRule

KEY = ["rule", "threshold_cells_per_ul"]
Row = dict[str, Any]
VALUES = ("n_episodes", "n_people", "n_suspected", "n_confirmed", "share")


@dataclass(frozen=True)
class _Around:
    """What is shown of one rule and threshold: all episodes (None: hidden), each number shown and hidden, and whether
    the causes that name no suspect are among the hidden ones.
    """

    whole: int | None
    shown: list[int]
    hidden: list[int]
    hides_without_suspect: bool


def hide_competition(competition: pl.DataFrame, tables: Hidden, cohort: str, rule: DisclosureRule) -> pl.DataFrame:
    """`competition` with hide_VALUE for each of its values; `tables` is what `close_episodes` gave, `cohort` one of it.

    People are shown only where those of every cause are.
    """
    flags, min_cell = [], rule.min_cell
    of_all, is_cause = (pl.col("ended_as") == ALL) & pl.col("is_confirmed"), pl.col("agent") == ALL
    wholes = tables.episode.filter(pl.col("cohort") == cohort, of_all).partition_by(KEY, as_dict=True)
    causes = tables.cause.filter(pl.col("cohort") == cohort, is_cause).partition_by(KEY, as_dict=True)
    ordered = competition.sort(*KEY, "several", descending=[False, True, True])  # causes are a part of suspects
    for key, rows in ordered.group_by(KEY, maintain_order=True):
        whole, of_cause = (of_key[key].rows(named=True) if key in of_key else [] for of_key in (wholes, causes))
        episodes, people = (_around(whole, of_cause, value, rule) for value in ("n_episodes", "n_people"))
        numbers = Beside(min_cell, list(episodes.shown), list(episodes.hidden))
        persons = Beside(min_cell, list(people.shown), list(people.hidden))
        told: dict[str, int | None] = {}
        for row in rows.rows(named=True):
            number, n_people = row["n_episodes"], row["n_people"]
            is_whole = episodes.whole == row["n_confirmed"]
            is_inside = number == 0 or number + min_cell <= row["n_suspected"] - sum(episodes.hidden)
            is_told = is_whole and is_inside and not 0 < n_people < min_cell
            is_told = is_told and numbers.lets(number, (told.get("n_episodes"),))
            is_known = is_told and not people.hidden and not 0 < number - n_people < min_cell
            is_known = is_known and persons.lets(n_people, (told.get("n_people"),))
            told = {"n_episodes": number if is_told else None, "n_people": n_people if is_known else None}
            flags.append(
                {
                    "hide_n_episodes": not is_told,
                    "hide_n_people": not is_known,
                    "hide_n_suspected": not is_whole or episodes.hides_without_suspect,
                    "hide_n_confirmed": not is_whole,
                    "hide_share": not is_told,
                }
            )
    types = {f"hide_{name}": pl.Boolean for name in VALUES}
    return pl.concat([ordered, pl.DataFrame(flags, schema=types)], how="horizontal")


def _around(whole: list[Row], causes: list[Row], value: str, rule: DisclosureRule) -> _Around:
    seen, hide = [*whole, *causes], f"hide_{value}"
    number = [row[value] for row in whole if not row[hide]]
    return _Around(
        number[0] if number else None,
        [row[value] for row in seen if not row[hide]],
        [row[value] for row in causes if row[hide]],
        any(row[hide] for row in causes if row["cause_group"] in rule.causes_without_suspect),
    )
