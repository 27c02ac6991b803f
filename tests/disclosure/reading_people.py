"""What a reader of a report knows of its people: who must be among whom, and which numbers add up.

Nothing here knows how counts were hidden, but for one thing that every report tells: nobody at all is shown as 0.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import polars as pl

from tests.disclosure.inverting import learn_limits, learn_share
from tests.disclosure.puzzle import Key, Puzzle
from tests.disclosure.reading_cycles import read_cycles
from tests.disclosure.reading_days import read_chronic, read_days, read_drugs
from tests.disclosure.reading_onsets import read_onsets, read_test_shares
from tests.disclosure.reading_populations import read_populations
from tests.disclosure.reading_steps import read_attrition
from transforms.model.scales import EVERYBODY

Tables = Mapping[str, pl.DataFrame]
ALL = "all"
UNNAMED = "no drug that is named"


@dataclass(frozen=True)
class Background:
    """What stands in the methods of the report: cohorts inside cohorts, groups of them without people in common (with
    the one that they are parts of), and below which count each severity and worse lies. `entries`: cohorts, how many
    things that they ask for, and the cohort of whoever has so many.
    """

    inside: tuple[tuple[str, str], ...]
    apart: tuple[tuple[str, tuple[str, ...]], ...]
    severity_below: Mapping[int, int]
    entries: tuple[tuple[str, int, str], ...] = ()


def read_people(puzzle: Puzzle, tables: Tables, background: Background) -> None:
    """Add all that the tables of people tell."""
    _read_testing(puzzle, tables["released.testing"])
    _read_prevalence(
        puzzle, tables["released.prevalence"].filter(~pl.col("is_weighted"), pl.col("standard") == "crude")
    )
    read_populations(puzzle, tables["released.population"])
    _read_severity(puzzle, tables["released.severity"], background)
    _read_bins(puzzle, tables["released.anc_distribution"])
    read_attrition(puzzle, tables["released.attrition"])
    read_test_shares(puzzle, tables["released.test_share"])
    read_onsets(puzzle, tables["released.cumulative_incidence"])
    _read_certainty(puzzle, tables["released.certainty"])
    read_cycles(puzzle, tables["released.cycle"], tables["released.cycle_severe"])
    read_days(puzzle, tables["released.person_days"])
    read_chronic(puzzle, tables["released.chronic"])
    read_drugs(puzzle, *(tables[f"released.{name}"] for name in ("drug", "drug_day", "drug_ratio")))
    _relate_cuts(puzzle)
    _relate_months(puzzle)
    relate_cohorts(puzzle, background)


def place_of(row: Mapping[str, Any]) -> Key:
    """Cohort, and first day of the month or `all`."""
    return row["cohort"], row["interval_start"] or ALL


def _read_testing(puzzle: Puzzle, testing: pl.DataFrame) -> None:
    for row in testing.rows(named=True):
        place = place_of(row)
        for name, least in (("observed", 1), ("tested", 1), ("tests", 1), ("gaps", 0)):
            puzzle.see((*place, name), row[f"n_{name}"], least=least)
        puzzle.lies_in((*place, "tested"), (*place, "observed"))
        puzzle.lies_in((*place, "tested"), (*place, "tests"))
        if place[1] == ALL:  # a gap counts for the month of its later test
            puzzle.bound({(*place, "tests"): 1, (*place, "tested"): -1, (*place, "gaps"): -1}, least=0)
        learn_share(puzzle, row["tested_share"], (*place, "tested"), (*place, "observed"))
        learn_share(puzzle, row["tests_per_tested_person"], (*place, "tests"), (*place, "tested"))
        if row["median_gap_days"] is not None:
            puzzle.suppose((*place, "gaps"), least=11)


def _read_prevalence(puzzle: Puzzle, prevalence: pl.DataFrame) -> None:
    families: dict[Key, list[tuple[int, Key]]] = {}
    for row in prevalence.rows(named=True):
        place, whom = place_of(row), row["denominator_name"]
        kind = (row["measure"], row["rule"], row["threshold_cells_per_ul"], whom)
        low, possible, population = (*place, "low", *kind), (*place, "possible", *kind), (*place, whom)
        puzzle.see(low, row["n_low"], least=1)
        puzzle.see(possible, row["n_low_possible"], least=1)
        puzzle.see(population, row["n_population"], least=1)
        puzzle.lies_in(low, possible)
        puzzle.lies_in(possible, population)
        learn_share(puzzle, row["prevalence"], low, population)
        learn_limits(puzzle, row["prevalence_lo"], row["prevalence_hi"], low, population)
        # An undecided value may be low for sure at a higher threshold, and alone there, so that nothing is confirmed.
        for node in (low, possible) if kind[0] != "confirmed" else (low,):
            families.setdefault(tuple(part for part in node if part != kind[2]), []).append((kind[2], node))
    for family in families.values():
        for (_, part), (_, whole) in pairwise(sorted(family, key=str)):
            puzzle.lies_in(*sorted((part, whole), key=_threshold))
    _relate_denominators(puzzle)


def _threshold(node: Key) -> int:
    return next(int(part) for part in node if isinstance(part, int))


def _relate_denominators(puzzle: Puzzle) -> None:
    """Low among the tested is low among the observed; a low value is a test; over all time an episode has one."""
    for node in [key for key in puzzle.least if len(key) == 7 and key[2] in {"low", "possible"}]:
        *rest, whom = node
        if whom == "tested":
            puzzle.lies_in(node, (*rest, "observed"))
            if node[2:4] == ("low", "any_low"):
                puzzle.lies_in((*rest, "observed"), node)
        if node[1] == ALL and node[2:4] == ("low", "confirmed"):
            puzzle.lies_in(node, (*node[:3], "any_low", "any_value", *node[5:]))


def _read_severity(puzzle: Puzzle, severity: pl.DataFrame, background: Background) -> None:
    """Levels of everybody; those of the people that a scale is meant for are some of them, and the others the rest."""
    places: dict[Key, list[int]] = {}
    scoped: dict[Key, list[Key]] = {}
    for row in severity.rows(named=True):
        place, order, whom = place_of(row), row["severity_order"], row["applied_to"]
        own: Key = (*place, "grade", order) if whom == EVERYBODY else (*place, "grade of", whom, order)
        puzzle.see(own, row["n_people"])
        whole: Key = (*place, "tested") if whom == EVERYBODY or order < 0 else (*place, "grade of", whom, ALL)
        if whom == EVERYBODY:
            places.setdefault(place, []).append(order)
        else:
            puzzle.suppose((*place, "grade of", whom, ALL))
            scoped.setdefault((*place, "grade of", whom), []).append(own)
        learn_share(puzzle, row["share"], own, whole)
    for place, orders in places.items():
        puzzle.adds_up([(*place, "grade", order) for order in orders], (*place, "tested"))
        for order, below in background.severity_below.items():
            worse = (*place, "below", below, order)
            puzzle.suppose(worse)
            puzzle.adds_up([(*place, "grade", each) for each in orders if each >= order], worse)
    for group, levels in scoped.items():
        of_scale = [level for level in levels if int(str(level[-1])) >= 0]
        others = [level for level in levels if level not in of_scale]
        puzzle.adds_up(of_scale, (*group, ALL))
        puzzle.adds_up([(*group, ALL), *others], (*group[:2], "tested"))
        for level in of_scale:
            puzzle.lies_in(level, (*group[:2], "grade", level[-1]))


def _read_bins(puzzle: Puzzle, bins: pl.DataFrame) -> None:
    cohorts: dict[str, list[tuple[int, int | None]]] = {}
    for row in bins.rows(named=True):
        edges = row["bin_lower_cells_per_ul"], row["bin_upper_cells_per_ul"]
        puzzle.see((row["cohort"], ALL, "bin", edges[0]), row["n_people"])
        cohorts.setdefault(row["cohort"], []).append(edges)
    for cohort, edges in cohorts.items():
        puzzle.adds_up([(cohort, ALL, "bin", lower) for lower, _ in edges], (cohort, ALL, "tested"))
        for _, upper in edges:
            if upper is not None:
                below = (cohort, ALL, "below", upper, "bins")
                puzzle.suppose(below)
                puzzle.adds_up([(cohort, ALL, "bin", lower) for lower, _ in edges if lower < upper], below)


def _read_certainty(puzzle: Puzzle, certainty: pl.DataFrame) -> None:
    """Three parts of the tested: as told they are those of the prevalence, left open fewer are certain of either."""
    place, parts = ("everyone", ALL), ("low", "undecided", "not_low")
    for row in certainty.rows(named=True):
        key = (*place, "certainty", row["bounds"], row["threshold_cells_per_ul"], row["certainty"])
        puzzle.see(key, row["n_people"])
        learn_share(puzzle, row["share"], key, (*place, "tested"))
    limits = sorted(certainty["threshold_cells_per_ul"].unique())
    for bounds in certainty["bounds"].unique().sort():
        for limit in limits:
            own = [(*place, "certainty", bounds, limit, part) for part in parts]
            puzzle.adds_up(own, (*place, "tested"))
            if bounds == "as_told":
                low, possible = (
                    (*place, kind, "any_low", "any_value", limit, "tested") for kind in ("low", "possible")
                )
                puzzle.adds_up(own[:1], low)
                puzzle.adds_up(own[:2], possible)
            else:
                for part in ("low", "not_low"):
                    told = (*place, "certainty", "as_told", limit, part)
                    puzzle.lies_in((*place, "certainty", bounds, limit, part), told)
        for below, above in pairwise(limits):
            puzzle.lies_in((*place, "certainty", bounds, below, "low"), (*place, "certainty", bounds, above, "low"))
            not_low = [(*place, "certainty", bounds, limit, "not_low") for limit in (above, below)]
            puzzle.lies_in(*not_low)


def read_rules(puzzle: Puzzle, rules: pl.DataFrame) -> None:
    """Confirmed episodes of everybody: of the rules that are reported in full the same as there."""
    place = ("everyone", ALL)
    for row in rules.rows(named=True):
        group = (row["compared_rule"], row["limit_cells_per_ul"])
        for what in ("episodes", "people"):
            key = (*place, "ruled", *group, what)
            puzzle.see(key, row[f"n_{what}"])
            reported = ("everyone", "episodes", *group, True, ALL, what)
            if reported in puzzle.least:
                puzzle.adds_up([key], reported)
        puzzle.lies_in((*place, "ruled", *group, "people"), (*place, "ruled", *group, "episodes"))
        puzzle.lies_in((*place, "ruled", *group, "people"), (*place, "tested"))


def _relate_cuts(puzzle: Puzzle) -> None:
    """People below a count, however they are counted: severities, bins, prevalence among the tested."""
    places: dict[Key, list[tuple[int, Key]]] = {}
    for key in puzzle.least:
        if key[2] == "below" or (key[2:4] == ("low", "any_low") and key[-1] == "tested"):
            places.setdefault(key[:2], []).append((_threshold(key), key))
    for place, cuts in places.items():
        ordered = sorted(cuts, key=lambda cut: (cut[0], str(cut[1])))
        for (one, part), (other, whole) in pairwise(ordered):
            puzzle.lies_in(part, whole)
            if one == other:
                puzzle.lies_in(whole, part)
        puzzle.lies_in(ordered[-1][1], (*place, "tested"))


def _relate_months(puzzle: Puzzle) -> None:
    """A month lies in the whole extract, which its months cover; tests and gaps of months add up to it."""
    months: dict[Key, list[Key]] = {}
    for key in puzzle.least:
        if len(key) > 2 and key[1] != ALL and key[0] != "step":
            months.setdefault((key[0], ALL, *key[2:]), []).append(key)
    for whole, parts in months.items():
        if whole not in puzzle.least:
            continue
        if whole[2] in {"tests", "gaps"}:
            puzzle.adds_up(parts, whole)
            continue
        is_people = whole[2] not in {"grade", "grade of", "below"}
        if is_people or whole[2] == "below":
            for part in parts if whole[2:4] != ("low", "index_test") else ():  # the first test of another month
                puzzle.lies_in(part, whole)
            # What is undecided may be so of no month, and who is low in one month may be on a drug in another.
            if whole[2] != "possible" and "exposed" not in whole:
                puzzle.covers(parts, whole)


def relate_cohorts(puzzle: Puzzle, background: Background) -> None:
    """Counts of a cohort lie in those of one that holds it; of cohorts apart, they add up to at most that."""
    of_cohort: dict[str, set[Key]] = {}
    for key in puzzle.least:
        of_cohort.setdefault(str(key[0]), set()).add(key[1:])
    for part, whole in background.inside:
        for rest in sorted(of_cohort.get(part, set()) & of_cohort.get(whole, set()), key=str):
            if _is_comparable(rest):
                puzzle.lies_in((part, *rest), (whole, *rest))
    for whole, parts in background.apart:
        for rest in sorted(of_cohort.get(whole, set()), key=str):
            known = [(part, *rest) for part in parts if (part, *rest) in puzzle.least]
            if len(known) > 1 and _is_comparable(rest):
                others: Key = ("others than", *parts, *rest)
                puzzle.suppose(others)
                puzzle.adds_up([*known, others], (whole, *rest))


def _is_comparable(rest: Key) -> bool:
    """Someone's worst value, first test or new episode may lie outside the smaller cohort; others name other drugs.

    Days to a first episode begin for each cohort with its own first value that is not low.
    """
    is_other = rest[1] in {"grade", "grade of", "bin", "onset"} or rest[1:3] == ("low", "index_test") or "new" in rest
    return not is_other and UNNAMED not in rest
