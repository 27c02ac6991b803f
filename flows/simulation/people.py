"""Draws the people of one chunk: who they are, why they come, and their counts while nothing ails them.

The background path (baseline, within-person variation, viral dips) never depends on what anyone observes, so it is
drawn whole before the first day of the hospital.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from flows.simulation.arrays import Bools, Floats, Ints
from flows.simulation.parameters import Parameters
from flows.simulation.population import Hospital


@dataclass(frozen=True)
class People:
    """One entry a person in every array. Days count from the start of the hospital, months from 1."""

    group: Ints
    is_female: Bools
    age: Ints
    is_duffy_null: Bools
    is_duffy_tested: Bools
    body_surface: Floats
    baseline: Floats  # 10^9/L
    entered_on: Ints
    leaves_on: Ints
    story_on: Ints
    home_laboratory: Ints
    lineages: dict[str, Floats]
    bands_share: Floats

    @property
    def n(self) -> int:
        """How many people."""
        return len(self.group)


@dataclass(frozen=True)
class Illnesses:
    """Viral illnesses: one entry an illness, in order of person and day."""

    person: Ints
    began_on: Ints
    seen_on: Ints  # -1: nobody saw it
    code: Ints  # -1: not coded


def choose(rng: np.random.Generator, shares: Floats, size: int) -> Ints:
    """Indices drawn with the given relative shares."""
    return np.searchsorted(np.cumsum(shares / shares.sum())[:-1], rng.random(size), side="right").astype(np.int64)


def draw_people(rng: np.random.Generator, n_people: int, n_days: int, parameters: Parameters) -> People:
    """Everyone of a chunk, with the days on which they enter, leave and fall ill."""
    hospital, groups = parameters.hospital, parameters.groups.groups
    group = choose(rng, np.array([g.share for g in groups]), n_people)
    ages = np.array([g.age for g in groups])[group]
    age = np.clip(ages[:, 0] + ages[:, 1] * rng.standard_normal(n_people), ages[:, 2], ages[:, 3]).astype(np.int64)
    is_duffy_null = rng.random(n_people) < hospital.baseline.duffy_null_share
    entered_on, leaves_on, story_on = _draw_calendar(rng, n_people, n_days, hospital)
    surface, bands = hospital.body_surface, hospital.bands
    return People(
        group=group,
        is_female=rng.random(n_people) < np.array([g.female for g in groups])[group],
        age=age,
        is_duffy_null=is_duffy_null,
        is_duffy_tested=rng.random(n_people) < hospital.baseline.duffy_null_tested,
        body_surface=np.clip(
            surface["mean"] + surface["sd"] * rng.standard_normal(n_people), surface["least"], surface["most"]
        ),
        baseline=_draw_baseline(rng, age, is_duffy_null, hospital)
        * np.array([g.baseline_factor for g in groups])[group],
        entered_on=entered_on,
        leaves_on=leaves_on,
        story_on=story_on,
        home_laboratory=choose(rng, np.array([site.share for site in parameters.laboratories.laboratories]), n_people),
        lineages={
            name: spread.median * np.exp(spread.log_sd * rng.standard_normal(n_people))
            for name, spread in hospital.lineages.items()
        },
        bands_share=np.minimum(bands["share"] * np.exp(bands["log_sd"] * rng.standard_normal(n_people)), bands["most"]),
    )


def draw_background(
    rng: np.random.Generator, people: People, n_days: int, parameters: Parameters, *, is_noise_free: bool
) -> tuple[NDArray[np.float32], NDArray[np.bool_], Illnesses]:
    """Log count at every knot (knots, people), days on which a virus lowers it (days, people), and the illnesses."""
    hospital = parameters.hospital
    per_day = hospital.knots_per_day
    n_knots = n_days * per_day + 1
    path = np.empty((n_knots, people.n), dtype=np.float32)
    log_baseline = np.log(people.baseline)
    noise = _draw_noise(rng, people.n, n_days, hospital)
    if is_noise_free:
        path[:] = log_baseline
    else:
        width = int(hospital.within_person["knot_days"]) * per_day
        for start in range(0, n_knots, width):
            rows = np.arange(min(width, n_knots - start))
            left, right = noise[start // width], noise[start // width + 1]
            path[start : start + len(rows)] = log_baseline + left + np.outer(rows / width, right - left)
    dips, illnesses = _draw_illnesses(rng, path.shape, n_days, hospital)
    path += dips
    is_lowered = dips[per_day // 2 :: per_day][:n_days] < hospital.driver_log_ratio
    return path, is_lowered, illnesses


def _draw_calendar(rng: np.random.Generator, n_people: int, n_days: int, hospital: Hospital) -> tuple[Ints, Ints, Ints]:
    late, story = hospital.late_entry, hospital.story_start
    is_late = rng.random(n_people) < late["share"]
    entered_on = np.where(is_late, rng.random(n_people) * late["latest"] * n_days, 0).astype(np.int64)
    stay = rng.exponential(1.0 / hospital.leave_per_day, n_people)
    leaves_on = np.minimum(entered_on + np.minimum(stay, n_days).astype(np.int64), n_days - 1)
    earliest = min(story["earliest_days"], story["earliest"] * n_days)
    latest = np.maximum(story["latest"] * n_days - entered_on, earliest)
    story_on = entered_on + (earliest + rng.random(n_people) * (latest - earliest)).astype(np.int64)
    return entered_on, leaves_on, story_on


def _draw_baseline(rng: np.random.Generator, age: Ints, is_duffy_null: Bools, hospital: Hospital) -> Floats:
    usual = hospital.baseline
    n_people = len(age)
    deviate = rng.standard_normal(n_people)
    is_low_normal = rng.random(n_people) < usual.low_normal_share
    value = usual.median * np.exp(usual.log_sd * deviate)
    value = np.where(is_low_normal, usual.low_normal_median * np.exp(usual.low_normal_log_sd * deviate), value)
    value = np.where(is_duffy_null, usual.duffy_null_median * np.exp(usual.duffy_null_log_sd * deviate), value)
    is_child = age < usual.child_until_years
    is_smoker = (rng.random(n_people) < usual.smoker_share) & ~is_child & ~is_duffy_null
    return value * np.where(is_smoker, usual.smoker_factor, 1.0) * np.where(is_child, usual.child_factor, 1.0)


def _draw_noise(rng: np.random.Generator, n_people: int, n_days: int, hospital: Hospital) -> NDArray[np.float32]:
    """Autocorrelated log deviations every few days; between two of them the path is a line."""
    within = hospital.within_person
    n_knots = int(n_days // within["knot_days"]) + 2
    kept = float(np.exp(-within["knot_days"] / within["correlation_days"]))
    fresh = rng.standard_normal((n_knots, n_people), dtype=np.float32) * np.float32(within["log_sd"])
    noise = np.empty_like(fresh)
    noise[0] = fresh[0]
    for knot in range(1, n_knots):
        noise[knot] = kept * noise[knot - 1] + np.sqrt(1.0 - kept * kept) * fresh[knot]
    return noise


def _draw_illnesses(
    rng: np.random.Generator, shape: tuple[int, int], n_days: int, hospital: Hospital
) -> tuple[NDArray[np.float32], Illnesses]:
    viral, n_people = hospital.viral, shape[1]
    n_ill = rng.poisson(viral.per_person_year * n_days / 365.0, n_people)
    person = np.repeat(np.arange(n_people), n_ill)
    began_on = rng.integers(0, n_days, len(person))

    def between(limits: tuple[float, float]) -> Floats:
        return limits[0] + (limits[1] - limits[0]) * rng.random(len(person))

    falls_at = began_on + between(viral.begins_days)
    depth, fall = between(viral.log_depth), between(viral.fall_days)
    hold, rise = between(viral.hold_days), between(viral.rise_days)
    longest = viral.begins_days[1] + viral.fall_days[1] + viral.hold_days[1] + viral.rise_days[1]
    knots = began_on[:, None] * hospital.knots_per_day + np.arange(int(longest + 1) * hospital.knots_per_day)
    since = knots / hospital.knots_per_day - falls_at[:, None]
    extent = np.minimum(since / fall[:, None], ((fall + hold + rise)[:, None] - since) / rise[:, None])
    dip = (depth[:, None] * np.clip(extent, 0.0, 1.0)).astype(np.float32)
    inside = knots < shape[0]
    dips = np.zeros(shape, dtype=np.float32)
    np.minimum.at(dips, (knots[inside], np.broadcast_to(person[:, None], knots.shape)[inside]), dip[inside])
    seen = began_on + rng.integers(viral.visit_days[0], viral.visit_days[1] + 1, len(person))
    is_seen = rng.random(len(person)) < viral.seen_share
    code = choose(rng, np.array(list(viral.codes.values())), len(person))
    is_coded = is_seen & (rng.random(len(person)) < viral.coded_share)
    order = np.lexsort((began_on, person))
    seen_on, codes = np.where(is_seen, seen, -1), np.where(is_coded, code, -1)
    return dips, Illnesses(person[order], began_on[order], seen_on[order], codes[order])
