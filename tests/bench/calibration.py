"""How far estimates of durations lie from the truth, and how often their intervals hold it, by how tests are done.

Run with `make calibrate`. Each cell draws hospitals of true episodes, lets tests meet them, and estimates the median
three ways from what the tests saw, in whole hours as counts keep it: by the doubly interval-censored likelihood as the
night makes it, with its intervals from groups of people drawn by a hash; by Turnbull's curve of the bounds; and by
Kaplan-Meier from first low to first recovered value. Prints a table, and writes it and a figure where the README and
the report read them.
"""

import argparse
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version

import numpy as np
import polars as pl
from numpy.typing import NDArray

from tests.bench.calibration_output import print_table, write_figure, write_measured
from transforms.duration_families import FAMILIES
from transforms.durations import HOURS_A_DAY
from transforms.interval_estimates import fit_clusters
from transforms.interval_groups import Groups, Triples
from transforms.interval_summaries import Fitted, summarise
from transforms.load import load_definitions
from transforms.model.estimation import Plan
from transforms.survival import kaplan_meier, median_times
from transforms.turnbull import Bounds, turnbull_medians

Numbers = NDArray[np.float64]
REPLICATES = 4000
PLAN = Plan(load_definitions().estimation, (), (), (), has_calendar=True)
RULE = PLAN.estimation.duration.intervals
_REFERENCES = ("turnbull_bias_days", "turnbull_coverage", "kaplan_meier_bias_days", "kaplan_meier_coverage")


@dataclass(frozen=True)
class Cell:
    """One situation: how tests are done, which family durations come from, their median, spread and number.

    `of_person` episodes have one person, whose episodes are alike: half of the variance lies between people.
    `deaths_a_day` is the chance to die on a day in an episode. Of a typical patient: people whose episodes are shorter
    have more of them, `of_person` being the number at a person's median, and everybody counts once.
    """

    schedule: str
    family: str
    median_days: float
    spread: float
    n_episodes: int
    of_person: int = 1
    deaths_a_day: float = 0.0
    is_of_patient: bool = False

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
    """What came of a cell, over all its hospitals: bias in days, coverage and "given" as shares.

    The truth of the first two is the time until half have recovered alive; that of the mean, the days low and alive to
    the first horizon. `turnbull_coverage` is how often the interval that the median lies in holds the truth. NaN where
    nothing of the kind is made: the references are of a typical episode only.
    """

    n_hospitals: int
    truth_days: float
    bias_days: float
    coverage: float
    given: float
    mean_truth_days: float
    mean_bias_days: float
    mean_coverage: float
    turnbull_bias_days: float
    turnbull_coverage: float
    kaplan_meier_bias_days: float
    kaplan_meier_coverage: float


@dataclass(frozen=True)
class Schedule:
    """Tests every `gap_days`, `low_gap_days` once a low value was seen, and so many a day while low, unseen or not."""

    gap_days: float
    low_gap_days: float
    unseen_a_day: float = 0.0


@dataclass(frozen=True)
class Hospitals:
    """Episodes as tests saw them, one group a hospital of whole people; the person of each; who died."""

    groups: Groups
    person: NDArray[np.int64]
    is_death: Numbers


SCHEDULES: Mapping[str, Schedule] = {
    "daily": Schedule(1, 1),
    "twice weekly": Schedule(3.5, 3.5),
    "weekly until low, then daily": Schedule(7, 1),
    "weekly": Schedule(7, 7),
    "fortnightly": Schedule(14, 14),
    "weekly, and when fever says so": Schedule(7, 7, 0.15),
}
_OF_PATIENTS = ("daily", "twice weekly", "weekly")
_MORE_IF_SHORT = 0.5  # of a standard deviation between people: e to this power more episodes
CELLS = (
    *(Cell(schedule, "log_normal", 8, 0.6, 200) for schedule in SCHEDULES),
    Cell("daily", "log_normal", 5, 0.8, 200),
    Cell("twice weekly", "log_normal", 14, 0.8, 200),
    Cell("daily", "log_normal", 8, 0.6, 200, of_person=4),
    Cell("twice weekly", "log_normal", 8, 0.6, 200, of_person=4),
    Cell("daily", "log_normal", 8, 0.6, 200, deaths_a_day=0.02),
    Cell("daily", "gamma", 8, 0.6, 200),
    Cell("twice weekly", "gamma", 8, 0.6, 200),
    Cell("weekly", "gamma", 8, 0.6, 200),
    *(Cell(schedule, "log_normal", 8, 0.6, 200, of_person=4, is_of_patient=True) for schedule in _OF_PATIENTS),
)


def draw_hospitals(cell: Cell, n_hospitals: int, random: np.random.Generator) -> Hospitals:
    """What tests saw of true episodes, of those that they met."""
    schedule = SCHEDULES[cell.schedule]
    wanted = n_hospitals * cell.n_episodes
    person, lasted = _draw_durations(cell, 8 * wanted, random)
    drawn = len(lasted)
    died = random.exponential(1 / cell.deaths_a_day, drawn) if cell.deaths_a_day else np.full(drawn, np.inf)
    stayed = np.minimum(lasted, died)
    next_test = random.uniform(0, schedule.gap_days, drawn)  # from the onset to the next test of the schedule
    first_unseen, last_unseen = _unseen_tests(stayed, schedule, random)
    is_scheduled = next_test < stayed
    first = np.where(is_scheduled, np.minimum(next_test, first_unseen), first_unseen)
    steps = np.floor(np.maximum(stayed - next_test, 0) / schedule.low_gap_days)
    last_scheduled = next_test + steps * schedule.low_gap_days
    last = np.maximum(np.where(is_scheduled, last_scheduled, -np.inf), last_unseen)
    recovered = np.where(is_scheduled, last_scheduled + schedule.low_gap_days, next_test)
    met = np.flatnonzero(np.isfinite(first))[:wanted]
    is_death = (died < lasted)[met]
    after = np.where(is_death, np.inf, _in_hours(recovered[met] - last[met], 1))
    before = _in_hours(first[met] - next_test[met] + schedule.gap_days, 1)
    triples = Triples(before, _in_hours(last[met] - first[met], 0), after)
    _, first_of, own, n_own = np.unique(person[met], return_index=True, return_inverse=True, return_counts=True)
    weights = 1 / n_own[own] if cell.is_of_patient else np.ones(wanted)
    groups = Groups(triples, weights, first_of[own] // cell.n_episodes, n_hospitals)
    return Hospitals(groups, person[met], is_death.astype(np.float64))


def _draw_durations(cell: Cell, drawn: int, random: np.random.Generator) -> tuple[NDArray[np.int64], Numbers]:
    """The person of each episode, and how long it lasts."""
    place, spread = cell.parameters
    person = np.arange(drawn) // cell.of_person
    if cell.of_person == 1:
        share = random.uniform(size=drawn)
        return person, FAMILIES[cell.family].quantile(share, np.asarray(place), np.asarray(spread))
    between = random.normal(size=person[-1] + 1)
    if cell.is_of_patient:
        # An exponential tilt of a normal distribution is one of the same width, so that episodes and patients are each
        # log-normal with the same spread, and only their medians differ.
        number = np.floor(cell.of_person * np.exp(-_MORE_IF_SHORT * between) + random.uniform(size=len(between)))
        person = np.repeat(np.arange(len(between)), number.astype(np.int64))[:drawn]
    between = between[person]
    scattered = np.sqrt(0.5) * (between + random.normal(size=drawn))
    return person, np.exp(place + np.exp(spread) * scattered)


def _in_hours(days: Numbers, least: int) -> Numbers:
    hours: Numbers = np.maximum(np.round(days * HOURS_A_DAY), least) / HOURS_A_DAY
    return hours


def _unseen_tests(lasted: Numbers, schedule: Schedule, random: np.random.Generator) -> tuple[Numbers, Numbers]:
    """First and last of the tests that were done because the patient was low, whatever had been seen."""
    number = random.poisson(schedule.unseen_a_day * lasted)
    earliest = lasted * (1 - random.uniform(size=len(lasted)) ** (1 / np.maximum(number, 1)))
    rest = (lasted - earliest) * random.uniform(size=len(lasted)) ** (1 / np.maximum(number - 1, 1))
    latest = np.where(number > 1, earliest + rest, earliest)
    return np.where(number > 0, earliest, np.inf), np.where(number > 0, latest, -np.inf)


def measure(cell: Cell, replicates: int = REPLICATES) -> Measured:
    """Estimates of so many hospitals, fitted as the night does whatever the truth is."""
    random = np.random.default_rng(20261128)
    hospitals = draw_hospitals(cell, replicates, random)
    hashed = random.integers(0, RULE.person_groups, hospitals.person.max() + 1)  # of each person, as a hash gives it
    fitted = fit_clusters(hospitals.groups, hashed[hospitals.person], hospitals.is_death, PLAN)
    found, truth = summarise(fitted, PLAN), summarise(_truth(cell), PLAN)
    median, mean = truth.median[0][0], truth.means[0][0, 0]
    is_found = np.isfinite(found.median[1])
    gap = SCHEDULES[cell.schedule].low_gap_days
    typical = FAMILIES[RULE.family].quantile(np.asarray(0.5), fitted.place, fitted.spread)
    is_given = is_found & (fitted.detection >= RULE.detection_at_least) & (gap <= RULE.gap_at_most_of_median * typical)
    return Measured(
        n_hospitals=replicates,
        truth_days=float(median),
        bias_days=float(np.nanmean(found.median[0][is_found])) - float(median),
        coverage=_share((found.median[1] <= median) & (median <= found.median[2]), is_found),
        given=float(is_given.mean()),
        mean_truth_days=float(mean),
        mean_bias_days=float(found.means[0][is_found, 0].mean()) - float(mean),
        mean_coverage=_share((found.means[1][:, 0] <= mean) & (mean <= found.means[2][:, 0]), is_found),
        **_measure_references(hospitals, float(median), is_made=not cell.is_of_patient),
    )


def _measure_references(hospitals: Hospitals, median: float, *, is_made: bool) -> dict[str, float]:
    """Bias and coverage of Turnbull and of Kaplan-Meier, as `Measured` has them."""
    if not is_made:
        return dict.fromkeys(_REFERENCES, float("nan"))
    (low, high), naive = _turnbull(hospitals), _kaplan_meier(hospitals)
    middle = (low + high) / 2
    found = (
        float(middle[np.isfinite(middle)].mean()) - median,
        _share((low < median) & (median <= high), np.isfinite(middle)),
        float(np.nanmean(naive[0])) - median,
        _share((naive[1] <= median) & ~(naive[2] < median), np.isfinite(naive[0])),
    )
    return dict(zip(_REFERENCES, found, strict=True))


def _truth(cell: Cell) -> Fitted:
    """The true distribution as if it had been fitted; of people who are alike the marginal one."""
    place, spread = (np.array([value]) for value in cell.parameters)
    deaths = np.array([cell.deaths_a_day])
    return Fitted(FAMILIES[cell.family], place, spread, deaths, np.zeros((1, 3, 2)), np.array([2]), np.ones(1))


def _share(is_held: NDArray[np.bool_], among: NDArray[np.bool_]) -> float:
    return float(is_held[among].mean()) if among.any() else float("nan")


def _turnbull(hospitals: Hospitals) -> tuple[Numbers, Numbers]:
    """Between what and what Turnbull's median of the bounds lies, in each hospital."""
    groups, triples = hospitals.groups, hospitals.groups.triples
    least, most = (
        np.round(each * HOURS_A_DAY) for each in (triples.inside, triples.before + triples.inside + triples.after)
    )
    low, high = turnbull_medians(Bounds(least, most, groups.weights, groups.group, groups.n_groups))
    return low / HOURS_A_DAY, high / HOURS_A_DAY


def _kaplan_meier(hospitals: Hospitals) -> list[Numbers]:
    """Kaplan-Meier's median from first low to first recovered value, and its limits, in each hospital."""
    triples = hospitals.groups.triples
    is_event = np.isfinite(triples.after)
    until = np.where(is_event, triples.inside + np.where(is_event, triples.after, 0), triples.inside)
    rows = pl.DataFrame(
        {
            "group": hospitals.groups.group,
            "time": np.round(until * HOURS_A_DAY).astype(np.int64),
            "n_events": is_event.astype(np.int64),
            "n_censored": (~is_event).astype(np.int64),
        }
    )
    curve = kaplan_meier(rows, by=["group"], level=PLAN.estimation.confidence_level)
    found = median_times(curve, by=["group"]).sort("group")
    names = ("median", "median_lo", "median_hi")
    return [found[name].cast(pl.Float64).fill_null(np.nan).to_numpy() / HOURS_A_DAY for name in names]


def main() -> None:
    """Measure every cell, print the table, and write figures and numbers."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hospitals", type=int, default=REPLICATES)
    parser.add_argument("--dry", action="store_true", help="print only")
    arguments = parser.parse_args()
    found = []
    for cell in CELLS:
        found.append((cell, measure(cell, arguments.hospitals)))
        print(f"{len(found)} of {len(CELLS)} done", flush=True)
    print_table(found)
    if not arguments.dry:
        write_measured(found, version("nadir"))
        write_figure(found)


if __name__ == "__main__":
    main()
