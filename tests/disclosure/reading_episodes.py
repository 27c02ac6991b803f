"""What a reader of a report knows of its episodes: endings, causes and drugs, durations and their curves."""

from collections.abc import Iterable, Mapping
from itertools import pairwise
from typing import Any

import polars as pl

from tests.disclosure.inverting import half_digit
from tests.disclosure.puzzle import Key, Puzzle
from tests.disclosure.reading_people import ALL, UNNAMED, Background, Tables, relate_cohorts

Row = Mapping[str, Any]
NAIVE = "kaplan_meier_naive"
WITHOUT = frozenset({"unexplained", "insufficient_data"})  # causes that name no suspect


def read_episodes(puzzle: Puzzle, tables: Tables) -> None:
    """Add all that the tables of endings, causes and durations tell."""
    _read_endings(puzzle, tables["released.episode"])
    for (window,), rows in tables["released.cause"].group_by("window", maintain_order=True):
        _read_causes(puzzle, rows, "cause" if window == "default" else f"cause, {window}")
    _read_durations(puzzle, tables["released.duration"])
    _read_competition(puzzle, tables["released.competition"])


def relate_episodes(puzzle: Puzzle, background: Background) -> None:
    """Episodes of a cohort are among those of one that holds it."""
    of_episodes = Puzzle(least=puzzle.least, most=puzzle.most)
    relate_cohorts(of_episodes, background)
    puzzle.rules += [rule for rule in of_episodes.rules if any(_is_of_episodes(key) for key in rule.factors)]


def _is_of_episodes(key: Key) -> bool:
    return key[1] == "episodes"


def _group(row: Row) -> Key:
    return row["cohort"], "episodes", row["rule"], row["threshold_cells_per_ul"]


def _read_endings(puzzle: Puzzle, episode: pl.DataFrame) -> None:
    parts: dict[Key, list[Row]] = {}
    for row in episode.rows(named=True):
        group = (*_group(row), row["is_confirmed"])
        for what in ("episodes", "people"):
            puzzle.see((*group, row["ended_as"], what), row[f"n_{what}"], least=1)
        puzzle.lies_in((*group, row["ended_as"], "people"), (*group, row["ended_as"], "episodes"))
        parts.setdefault(group, []).append(row)
    for group, rows in parts.items():
        endings = [row["ended_as"] for row in rows if row["ended_as"] != ALL]
        _divide(puzzle, [(*group, each) for each in endings], (*group, ALL))
        measure = ("confirmed", group[2]) if group[4] else ("any_low", "any_value")
        low = (group[0], ALL, "low", *measure, group[3], "observed")
        puzzle.lies_in((*group, ALL, "people"), low)


def _divide(puzzle: Puzzle, parts: list[Key], whole: Key) -> None:
    """Episodes add up; people may be in several parts."""
    puzzle.adds_up([(*part, "episodes") for part in parts], (*whole, "episodes"))
    puzzle.covers([(*part, "people") for part in parts], (*whole, "people"))
    for part in parts:
        puzzle.lies_in((*part, "people"), (*whole, "people"))


def _read_causes(puzzle: Puzzle, cause: pl.DataFrame, word: str) -> None:
    """Of one length of windows: all of them divide the same episodes, and what a longer one moves nobody knows."""
    groups: dict[Key, list[str]] = {}
    drugs: dict[Key, list[Key]] = {}
    for row in cause.rows(named=True):
        group, name = (*_group(row), True), (word, row["cause_group"])
        key = (*group, *name) if row["agent"] == ALL else (*group, *name, row["agent"])
        for what in ("episodes", "people"):
            puzzle.see((*key, what), row[f"n_{what}"], least=1)
        puzzle.lies_in((*key, "people"), (*key, "episodes"))
        if row["share"] is not None:
            error = half_digit(row["share"])
            puzzle.bound({(*key, "episodes"): 1, (*group, ALL, "episodes"): -(row["share"] - error)}, least=0)
            puzzle.bound({(*key, "episodes"): 1, (*group, ALL, "episodes"): -(row["share"] + error)}, most=0)
        if row["agent"] == ALL:
            groups.setdefault(group, []).append(row["cause_group"])
        else:
            drugs.setdefault((*group, *name), []).append(key)
    for group, names in groups.items():
        _divide(puzzle, [(*group, word, name) for name in names], (*group, ALL))
    for whole, keys in drugs.items():
        rest: Key = (*whole, UNNAMED, "episodes")
        puzzle.suppose(rest)
        puzzle.adds_up([*((*key, "episodes") for key in keys), rest], (*whole, "episodes"))
        for key in keys:
            puzzle.lies_in((*key, "people"), (*whole, "people"))


def _read_competition(puzzle: Puzzle, competition: pl.DataFrame) -> None:
    """Of everybody: several causes in several suspects, these in episodes with one; the others are what names none."""
    for row in competition.rows(named=True):
        group: Key = ("everyone", "episodes", row["rule"], row["threshold_cells_per_ul"], True)
        whole, one = (*group, ALL, "episodes"), (*group, "suspected", "episodes")
        several = {what: (*group, row["several"], what) for what in ("episodes", "people")}
        puzzle.see(whole, row["n_confirmed"])
        puzzle.see(one, row["n_suspected"])
        for what, key in several.items():
            puzzle.see(key, row[f"n_{what}"])
        puzzle.lies_in(several["people"], several["episodes"])
        puzzle.lies_in(several["episodes"], one)
        puzzle.lies_in(one, whole)
        for what in ("episodes", "people"):
            puzzle.lies_in((*group, "causes", what), (*group, "suspects", what))
        bare = [key for key in puzzle.least if key[:6] == (*group, "cause") and key[7:] == ("episodes",)]
        none = [key for key in bare if key[6] in WITHOUT]
        puzzle.adds_up([one, *none], whole)
        puzzle.covers([key for key in bare if key not in none], one)
        if row["share"] is not None:
            error = half_digit(row["share"])
            puzzle.bound({several["episodes"]: 1, whole: -(row["share"] - error)}, least=0)
            puzzle.bound({several["episodes"]: 1, whole: -(row["share"] + error)}, most=0)


def _read_durations(puzzle: Puzzle, duration: pl.DataFrame) -> None:
    """Incident episodes are among the confirmed ones; every estimator of a group has the same counts."""
    causes: dict[Key, set[str]] = {}
    for row in duration.rows(named=True):
        group, name = _group(row), row["cause_group"]
        incident = (*group, "incident", name)
        for what in ("episodes", "censored", "died"):
            puzzle.see((*incident, what), row[f"n_{what}"], least=1 if what == "episodes" else 0)
        puzzle.lies_in((*incident, "died"), (*incident, "censored"))
        puzzle.lies_in((*incident, "censored"), (*incident, "episodes"))
        wider = (*group, True, ALL) if name == ALL else (*group, True, "cause", name)
        puzzle.lies_in((*incident, "episodes"), (*wider, "episodes"))
        if row["median_days"] is not None:
            puzzle.suppose((*incident, "episodes"), least=11)
        causes.setdefault(group, set()).add(name)
    for group, names in causes.items():
        for what in ("episodes", "censored", "died"):
            parts = [(*group, "incident", name, what) for name in sorted(names - {ALL})]
            puzzle.adds_up(parts, (*group, "incident", ALL, what))
        died = (*group, "incident", ALL, "died")
        puzzle.lies_in(died, (*group, True, "died", "episodes"))


def read_curves(puzzle: Puzzle, curve: pl.DataFrame) -> None:
    """At each day: open, recovered, censored; they go one way, and of all causes they are the sum."""
    curve = curve.filter(pl.col("estimator") == NAIVE)
    days = sorted(curve["day"].unique())
    curves: dict[Key, dict[int, Row]] = {}
    for row in curve.sort("day").rows(named=True):
        curves.setdefault((*_group(row), "incident", row["cause_group"]), {})[row["day"]] = row
    for key, rows in curves.items():
        _read_curve(puzzle, key, rows, days)
    for key in [key for key in curves if key[-1] == ALL]:
        of_causes = [other for other in curves if other[:-1] == key[:-1] and other != key]
        every = [name[-2] for name in puzzle.least if name[:5] == key[:5] and name[-1] == "episodes" and len(name) == 7]
        if len(of_causes) == len(set(every) - {ALL}):
            for day in days:
                for what in ("open", "recovered", "censored"):
                    puzzle.adds_up([(*each, day, what) for each in of_causes], (*key, day, what))


def _read_curve(puzzle: Puzzle, key: Key, rows: Mapping[int, Row], days: list[int]) -> None:
    end = next((day for day, row in sorted(rows.items()) if row["n_at_risk"] == 0), None)
    before: dict[str, Key | None] = {"recovered": None, "censored": None}
    for day in days:
        row = rows.get(day)
        is_over = end is not None and day > end
        puzzle.see((*key, day, "open"), 0 if is_over else row["n_at_risk"] if row else None)
        for what in ("recovered", "censored"):
            puzzle.suppose((*key, day, what))
        state = [(*key, day, what) for what in ("open", "recovered", "censored")]
        puzzle.adds_up(state, (*key, "episodes"))
        puzzle.lies_in(state[2], (*key, "censored"))
        puzzle.bound({(*key, "episodes"): 1, (*key, "censored"): -1, state[1]: -1}, least=0)
        for what in ("recovered", "censored"):
            _read_step(puzzle, (*key, day, what), row and row[f"n_{what}"], before)
    for one, other in pairwise(days):
        for what in ("recovered", "censored"):
            puzzle.lies_in((*key, one, what), (*key, other, what))
    _read_shares(puzzle, key, [row for _, row in sorted(rows.items()) if row["still_low"] is not None])


def _read_step(puzzle: Puzzle, gone: Key, since: Any, before: dict[str, Key | None]) -> None:
    """What happened since the last day that shows it; hidden, it is a count like any other."""
    last = before[str(gone[-1])]
    step: Key = (*gone[:-1], f"{gone[-1]} since")
    puzzle.see(step, since)
    puzzle.adds_up([step] if last is None else [step, last], gone)
    if since is not None:
        before[str(gone[-1])] = gone


def _read_shares(puzzle: Puzzle, key: Key, rows: Iterable[Row]) -> None:
    """Between two days the share falls by the recovered among those open, had the censored left last or first."""
    for one, other in pairwise(rows):
        if not one["still_low"]:
            continue
        error = 0.5 * 10.0**-3
        most = min(1.0, (other["still_low"] + error) / max(one["still_low"] - error, 1e-9))
        least = max(0.0, (other["still_low"] - error) / (one["still_low"] + error))
        start = (*key, one["day"], "open")
        gone = {(*key, other["day"], "recovered"): 1.0, (*key, one["day"], "recovered"): -1.0}
        left = {(*key, other["day"], "censored"): 1 - most, (*key, one["day"], "censored"): most - 1}
        puzzle.bound({**gone, start: -(1 - least)}, most=0)
        puzzle.bound({**gone, **left, start: -(1 - most)}, least=0)
