"""How far estimates of durations lie from the truth, and how often their intervals hold it, by how tests are done.

Run with `make calibrate`. Each cell draws hospitals of true episodes, lets tests meet them, and estimates the median
three ways from what the tests saw: by the doubly interval-censored likelihood, by Turnbull's curve on the bounds, and
by Kaplan-Meier from first low to first recovered value.
"""

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from lifelines import KaplanMeierFitter
from numpy.typing import NDArray

from transforms.duration_families import FAMILIES
from transforms.interval_durations import Groups, Triples, chances_of_detection, fit_durations, resample
from transforms.load import load_definitions

Numbers = NDArray[np.float64]
REPLICATES, REFERENCES, WEIGHTS = 2000, 200, 200
Z = NormalDist().inv_cdf(0.975)
RULE = load_definitions().estimation.duration.intervals


@dataclass(frozen=True)
class Cell:
    """One situation: how tests are done, which family the durations come from, their median, spread and number."""

    schedule: str
    family: str
    median_days: float
    spread: float
    n_episodes: int

    @property
    def parameters(self) -> tuple[float, float]:
        """place and spread of the family with this median; the spread is that of the logarithm, roughly."""
        if self.family == "log_normal":
            return float(np.log(self.median_days)), float(np.log(self.spread))
        shape = 1 / self.spread**2
        unit = float(FAMILIES["gamma"].quantile(np.asarray(0.5), np.asarray(0.0), np.asarray(np.log(shape))))
        return float(np.log(self.median_days / unit)), float(np.log(shape))


@dataclass(frozen=True)
class Measured:
    """What came of a cell, over all its hospitals. Medians in days; NaN where nothing was estimated."""

    bias_days: float
    coverage: float
    is_given: float
    turnbull_days: float
    kaplan_meier_days: float


@dataclass(frozen=True)
class Schedule:
    """Tests every `gap_days`, `low_gap_days` once a low value was seen, and so many a day while low, unseen or not."""

    gap_days: float
    low_gap_days: float
    unseen_a_day: float = 0.0


SCHEDULES: Mapping[str, Schedule] = {
    "daily": Schedule(1, 1),
    "twice weekly": Schedule(3.5, 3.5),
    "weekly until low, then daily": Schedule(7, 1),
    "weekly": Schedule(7, 7),
    "fortnightly": Schedule(14, 14),
    "weekly, and when fever says so": Schedule(7, 7, 0.15),
}
CELLS = (
    *(Cell(schedule, "log_normal", 8, 0.6, 200) for schedule in SCHEDULES),
    Cell("daily", "log_normal", 5, 0.8, 200),
    Cell("twice weekly", "log_normal", 14, 0.8, 200),
    Cell("daily", "gamma", 8, 0.6, 200),
    Cell("twice weekly", "gamma", 8, 0.6, 200),
)


def draw_hospitals(cell: Cell, n_hospitals: int, random: np.random.Generator) -> Groups:
    """What tests saw of true episodes, of those that they met: one group a hospital."""
    schedule, family = SCHEDULES[cell.schedule], FAMILIES[cell.family]
    place, spread = cell.parameters
    wanted = n_hospitals * cell.n_episodes
    drawn = 8 * wanted
    lasted = family.quantile(random.uniform(size=drawn), np.asarray(place), np.asarray(spread))
    next_test = random.uniform(0, schedule.gap_days, drawn)  # from the onset to the next test of the schedule
    first_unseen, last_unseen = _unseen_tests(lasted, schedule, random)
    is_scheduled = next_test < lasted
    first = np.where(is_scheduled, np.minimum(next_test, first_unseen), first_unseen)
    steps = np.floor(np.maximum(lasted - next_test, 0) / schedule.low_gap_days)
    last_scheduled = next_test + steps * schedule.low_gap_days
    last = np.maximum(np.where(is_scheduled, last_scheduled, -np.inf), last_unseen)
    recovered = np.where(is_scheduled, last_scheduled + schedule.low_gap_days, next_test)
    is_met = np.flatnonzero(np.isfinite(first))[:wanted]
    before = first - next_test + schedule.gap_days
    triples = Triples(before[is_met], (last - first)[is_met], (recovered - last)[is_met])
    return Groups(triples, np.ones(wanted), np.arange(wanted) // cell.n_episodes, n_hospitals)


def _unseen_tests(lasted: Numbers, schedule: Schedule, random: np.random.Generator) -> tuple[Numbers, Numbers]:
    """First and last of the tests that were done because the patient was low, whatever had been seen."""
    number = random.poisson(schedule.unseen_a_day * lasted)
    earliest = lasted * (1 - random.uniform(size=len(lasted)) ** (1 / np.maximum(number, 1)))
    rest = (lasted - earliest) * random.uniform(size=len(lasted)) ** (1 / np.maximum(number - 1, 1))
    latest = np.where(number > 1, earliest + rest, earliest)
    return np.where(number > 0, earliest, np.inf), np.where(number > 0, latest, -np.inf)


def measure(cell: Cell, replicates: int = REPLICATES, references: int = REFERENCES) -> Measured:
    """Estimates of so many hospitals, fitted as log-normal; the first `references` of them also by the naive ways."""
    random = np.random.default_rng(20261128)
    hospitals = draw_hospitals(cell, replicates, random)
    fits = fit_durations(hospitals, FAMILIES["log_normal"])
    person = np.arange(len(hospitals.triples)) % cell.n_episodes  # one episode each
    places, _ = resample(hospitals, fits, person, random.poisson(1.0, (cell.n_episodes, WEIGHTS)).astype(float))
    error = np.std(places, axis=1, ddof=1)
    is_found = np.isfinite(fits.place)
    median = np.exp(np.where(is_found, fits.place, 0.0))
    is_held = np.abs(fits.place - np.log(cell.median_days)) <= Z * error
    detected = chances_of_detection(hospitals, median)
    gap = SCHEDULES[cell.schedule].low_gap_days
    is_given = is_found & (detected >= RULE.detection_at_least) & (gap <= RULE.gap_at_most_of_median * median)
    return Measured(
        bias_days=float(median[is_found].mean()) - cell.median_days,
        coverage=float(is_held[is_found].mean()),
        is_given=float(is_given.mean()),
        turnbull_days=_average(_turnbull, hospitals, references),
        kaplan_meier_days=_average(_kaplan_meier, hospitals, references),
    )


def _average(estimate: Callable[[Triples], float], hospitals: Groups, number: int) -> float:
    """Of the first hospitals; NaN of none."""
    if not number:
        return float("nan")
    triples, size = hospitals.triples, len(hospitals.triples) // hospitals.n_groups
    parts = [slice(hospital * size, (hospital + 1) * size) for hospital in range(number)]
    return float(np.mean([estimate(Triples(triples.before[p], triples.inside[p], triples.after[p])) for p in parts]))


def _turnbull(triples: Triples) -> float:
    """The middle of the interval in which Turnbull's curve of the bounds crosses one half."""
    most = triples.before + triples.inside + triples.after
    fitted = KaplanMeierFitter().fit_interval_censoring(triples.inside + 1e-9, most)
    medians = fitted.median_survival_time_
    return float(np.mean(np.asarray(medians, dtype=float)))


def _kaplan_meier(triples: Triples) -> float:
    return float(KaplanMeierFitter().fit(triples.inside + triples.after).median_survival_time_)


def main() -> None:
    """Print a row a cell."""
    replicates = int(sys.argv[1]) if len(sys.argv) > 1 else REPLICATES
    print(f"{replicates} hospitals a row, 95 % intervals, fitted as log-normal\n")
    print("| tests | durations | true median | bias | coverage | given | Turnbull | Kaplan-Meier |")
    print("|---|---|---:|---:|---:|---:|---:|---:|")
    for cell in CELLS:
        found = measure(cell, replicates, min(REFERENCES, replicates))
        print(
            f"| {cell.schedule} | {cell.family.replace('_', '-')}, {cell.spread} | {cell.median_days:g} "
            f"| {found.bias_days:+.2f} | {found.coverage:.1%} | {found.is_given:.0%} "
            f"| {found.turnbull_days:.1f} | {found.kaplan_meier_days:.1f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
