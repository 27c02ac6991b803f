"""Which numbers of episodes with several suspects must be hidden: columns `hide_VALUE` beside the table.

They are of everybody, beside the counts of the largest cohort, which they are shown with only where it has every
episode. Episodes without a suspect are the causes that name none, so their number is shown where those causes are.
Those with several are at most all with one: were they nearly so many, they would tell how many a hidden cause has.
"""

from dataclasses import dataclass

import polars as pl

from transforms.closing_episodes import Hidden
from transforms.hiding import ALL
from transforms.hiding_beside import Beside
from transforms.model.disclosure import DisclosureRule

KEY = ["rule", "threshold_cells_per_ul"]
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
    ordered = competition.sort(*KEY, "several", descending=[False, True, True])  # causes are a part of suspects
    for _, rows in ordered.group_by(KEY, maintain_order=True):
        episodes, people = (_around(tables, cohort, rows, value, rule) for value in ("n_episodes", "n_people"))
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


def _around(tables: Hidden, cohort: str, rows: pl.DataFrame, value: str, rule: DisclosureRule) -> _Around:
    key = rows.select(KEY).head(1)
    own = [
        each.filter(pl.col("cohort") == cohort).join(key, on=KEY, how="semi") for each in (tables.episode, tables.cause)
    ]
    whole = own[0].filter("is_confirmed", pl.col("ended_as") == ALL)
    causes = own[1].filter(pl.col("agent") == ALL)
    seen = pl.concat([part.select(value, is_hidden=f"hide_{value}") for part in (whole, causes)])
    number = whole.filter(~pl.col(f"hide_{value}"))[value].to_list()
    return _Around(
        number[0] if number else None,
        seen.filter(~pl.col("is_hidden"))[value].to_list(),
        causes.filter(f"hide_{value}")[value].to_list(),
        bool(causes.filter(pl.col("cause_group").is_in(rule.causes_without_suspect))[f"hide_{value}"].any()),
    )
