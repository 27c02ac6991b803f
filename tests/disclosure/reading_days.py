"""What a reader of a report knows of days below a threshold, of people low for months, and of what follows a drug."""

from itertools import pairwise

import polars as pl

from tests.disclosure.inverting import half_digit, learn_limits, learn_share, learn_tested_people
from tests.disclosure.puzzle import Key, Puzzle

ALL = "all"
KINDS = ("low", "not low", "unknown")
DAYS_A_YEAR = 365.25


def read_days(puzzle: Puzzle, days: pl.DataFrame) -> None:
    """Days are low, not low or unknown; whoever is low is so on a day, and whoever is observed on a day as well."""
    limits = sorted({*days["threshold_cells_per_ul"]})
    for row in days.rows(named=True):
        at, limit = (row["cohort"], ALL), row["threshold_cells_per_ul"]
        whole: Key = (*at, "days")
        puzzle.see((*at, "observed"), row["n_people"], least=1)
        puzzle.see(whole, row["n_days_observed"], least=1)
        keys = [(*at, "days", kind, limit) for kind in KINDS]
        for kind, key in zip(KINDS, keys, strict=True):
            puzzle.see(key, row[f"n_days_{kind.replace(' ', '_')}"])
        puzzle.adds_up(keys, whole)
        puzzle.lies_in((*at, "observed"), whole)
        puzzle.lies_in((*at, "low", "any_low", "any_value", limit, "observed"), keys[0])
        for name, key, sign in (("least", keys[0], 1), ("most", keys[1], -1)):
            if (rate := row[f"low_days_a_year_{name}"]) is not None:
                share = rate / DAYS_A_YEAR if sign > 0 else 1 - rate / DAYS_A_YEAR
                error = half_digit(rate) / DAYS_A_YEAR
                puzzle.bound({key: 1, whole: -(share - error)}, least=0)
                puzzle.bound({key: 1, whole: -(share + error)}, most=0)
    for cohort in days["cohort"].unique().sort():
        for below, above in pairwise(limits):
            puzzle.lies_in((cohort, ALL, "days", "low", below), (cohort, ALL, "days", "low", above))
            puzzle.lies_in((cohort, ALL, "days", "not low", above), (cohort, ALL, "days", "not low", below))


def read_chronic(puzzle: Puzzle, chronic: pl.DataFrame) -> None:
    """People low for months are among those seen for long enough, and among those low at all."""
    for _, rows in chronic.sort("threshold_cells_per_ul").group_by("cohort", "rule", maintain_order=True):
        before: Key | None = None
        for row in rows.rows(named=True):
            at, limit = (row["cohort"], ALL), row["threshold_cells_per_ul"]
            seen: Key = (*at, "chronic", row["rule"], "assessable")
            people, still = ((*at, "chronic", row["rule"], what, limit) for what in ("people", "open"))
            puzzle.see(seen, row["n_assessable"])
            puzzle.see(people, row["n_people"])
            puzzle.see(still, row["n_people_open"])
            for part, whole in ((still, people), (people, seen), (seen, (*at, "tested"))):
                puzzle.lies_in(part, whole)
            puzzle.lies_in(people, (*at, "low", "any_low", "any_value", limit, "observed"))
            learn_share(puzzle, row["chronic_share"], people, seen)
            learn_limits(puzzle, row["chronic_lo"], row["chronic_hi"], people, seen)
            if before is not None:
                puzzle.lies_in(before, people)
            before = people


def read_drugs(puzzle: Puzzle, drug: pl.DataFrame, day: pl.DataFrame, ratio: pl.DataFrame) -> None:
    """Affected courses are tested ones; who is suspected to react to a drug was given it, and had a course affected.

    An episode may begin before a dose at one threshold and after it at a lower one, so these do not lie in each other.
    """
    for row in drug.rows(named=True):
        key, limit = _drug(row["drug"]), row["threshold_cells_per_ul"]
        affected: Key = (*key, "affected", limit)
        for what in ("people", "courses", "tested"):
            puzzle.see((*key, what), row[f"n_{what}"], least=0 if what == "tested" else 1)
        puzzle.see(affected, row["n_affected"])
        for part, whole in ((affected, "tested"), ((*key, "tested"), "courses"), ((*key, "people"), "courses")):
            puzzle.lies_in(part, (*key, whole))
        puzzle.lies_in((*key, "people"), ("everyone", ALL, "observed"))
        learn_share(puzzle, row["share"], affected, (*key, "tested"))
        people = (*key, "tested people", limit), (*key, "people")
        learn_tested_people(puzzle, row, ("share_lo", "share_hi"), people)
    for row in day.rows(named=True):
        here: Key = (*_drug(row["drug"]), "day", row["day"])
        puzzle.see(here, row["n_people"], least=1)
        puzzle.lies_in(here, (*_drug(row["drug"]), "people"))
    for row in ratio.rows(named=True):
        puzzle.see((*_drug(row["drug"]), "people"), row["n_people"])
        for what in ("risk", "reference", "pre_exposure", "on_drug"):
            puzzle.see((*_drug(row["drug"]), what), row[f"n_{what}"])


def relate_drugs(puzzle: Puzzle, drug: pl.DataFrame, rule: str) -> None:
    """With the episodes of the tables of causes, once these have been read; courses are held against the own `rule`."""
    blamed: dict[str, list[Key]] = {}
    for key in puzzle.least:
        is_drug = key[:2] == ("everyone", "episodes") and len(key) == 9 and key[5] == "cause" and key[8] == "people"
        if is_drug:
            blamed.setdefault(str(key[7]), []).append(key)
    for name, limit in drug.select("drug", "threshold_cells_per_ul").rows():
        for people in blamed.get(name, []):
            puzzle.lies_in(people, (*_drug(name), "people"))
            if people[2:4] == (rule, limit):
                puzzle.lies_in(people, (*_drug(name), "affected", limit))


def _drug(name: str) -> Key:
    return "everyone", ALL, "drug", name
