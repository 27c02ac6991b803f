"""Every true episode: a maximal stretch of the true path below a threshold, inside the time a person is observed.

Computed from the very path that visits sample. Onset is the first whole second that is low, the end the first that is
not, so that a visit at a whole minute can never contradict them. Null onset: already low when observation began; null
end: still low when it ended. `cause_group` lowers the count at the nadir, `began_by` when it fell below the threshold.
"""

from dataclasses import dataclass

import numpy as np
import polars as pl
from numpy.typing import NDArray

from flows.simulation.arrays import Floats, Ints
from flows.simulation.measurement import CELLS_PER_UNIT
from flows.simulation.ward import CHEMOTHERAPY, EVENT, NATURAL, VIRAL, Ward

SECONDS_PER_DAY = 86400
TRUTH_COLUMNS = (
    "person_id",
    "threshold_cells_per_ul",
    "onset_at",
    "end_at",
    "nadir_cells_per_ul",
    "nadir_at",
    "cause_group",
    "agent",
    "began_by",
    "is_detectable",
    "is_isolated",
    "ended_as",
)


@dataclass(frozen=True)
class Excursions:
    """Stretches below one threshold: knots of the first and last low, and crossing seconds (-1: none)."""

    person: Ints
    first_knot: Ints
    last_knot: Ints
    onset_s: Ints
    end_s: Ints


def true_episodes(ward: Ward, specimens: pl.DataFrame) -> pl.DataFrame:
    """All true episodes of a chunk: person (index), times in seconds since the start, and what is said of them."""
    thresholds = ward.setting.parameters.hospital.thresholds_cells_per_ul
    return pl.concat([_at_threshold(ward, specimens, threshold) for threshold in thresholds]).sort(
        "person", "threshold_cells_per_ul", "first_s", descending=[False, True, False]
    )


def _at_threshold(ward: Ward, specimens: pl.DataFrame, threshold: int) -> pl.DataFrame:
    per_day = ward.setting.parameters.hospital.knots_per_day
    width = SECONDS_PER_DAY // per_day
    starts_s = ward.people.entered_on * SECONDS_PER_DAY
    ends_s = ward.ends_on * SECONDS_PER_DAY + SECONDS_PER_DAY // 2
    found = _excursions(ward.path, np.log(threshold / CELLS_PER_UNIT), (starts_s // width, ends_s // width), width)
    first_s = np.where(found.onset_s < 0, starts_s[found.person], found.onset_s)
    last_s = np.where(found.end_s < 0, ends_s[found.person] + 1, found.end_s)
    nadir_knot = _nadir_knots(ward.path, found)
    nadir = np.exp(ward.path[nadir_knot, found.person].astype(np.float64)) * CELLS_PER_UNIT
    frame = pl.DataFrame(
        {
            "person": found.person,
            "threshold_cells_per_ul": np.full(len(found.person), threshold),
            "onset_s": found.onset_s,
            "end_s": found.end_s,
            "first_s": first_s,
            "last_s": last_s,
            "nadir_cells_per_ul": np.floor(nadir).astype(np.int64),
            "nadir_s": nadir_knot * width,
            "is_detectable": _is_seen(specimens, found.person, first_s, last_s),
        }
    )
    died = ward.died_on[found.person] == ward.ends_on[found.person]
    frame = frame.with_columns(
        ended_as=np.where(found.end_s >= 0, "recovered", np.where(died, "died", "censored_end")),
        is_isolated=_is_isolated(ward, found, (starts_s, ends_s)),
    )
    last_day = ward.setting.n_days - 1
    nadir_day, first_day = (np.minimum(knot // per_day, last_day) for knot in (nadir_knot, found.first_knot))
    group, agent = _causes(ward, found.person, nadir_day)
    # Nothing may lower the count enough yet on the day on which chance takes it below the threshold.
    is_driven = ward.driver[first_day, found.person] != NATURAL
    began_by, _ = _causes(ward, found.person, np.where(is_driven, first_day, nadir_day))
    return frame.with_columns(
        pl.Series("cause_group", group), pl.Series("agent", agent), pl.Series("began_by", began_by)
    )


def _excursions(path: NDArray[np.float32], level: np.float64, window: tuple[Ints, Ints], width: int) -> Excursions:
    first, last = window
    knots = np.arange(path.shape[0])[:, None]
    is_low = ((path < level) & (knots >= first) & (knots <= last)).T
    padded = np.zeros((is_low.shape[0], is_low.shape[1] + 2), dtype=np.int8)
    padded[:, 1:-1] = is_low
    change = np.diff(padded, axis=1)
    person, begins = np.nonzero(change == 1)
    _, after = np.nonzero(change == -1)
    ends = after - 1
    crossed_in, crossed_out = begins > first[person], ends < last[person]
    onset = _crossing(path, person, np.maximum(begins, 1) - 1, level, width)
    end = _crossing(path, person, np.minimum(ends, path.shape[0] - 2), level, width)
    return Excursions(
        person,
        begins,
        ends,
        np.where(crossed_in, np.floor(onset) + 1, -1).astype(np.int64),
        np.where(crossed_out, np.ceil(end), -1).astype(np.int64),
    )


def _crossing(path: NDArray[np.float32], person: Ints, knot: Ints, level: np.float64, width: int) -> Floats:
    """Seconds at which the line from `knot` to the next meets the level."""
    before, after = path[knot, person].astype(np.float64), path[knot + 1, person].astype(np.float64)
    slope = np.where(after == before, 1.0, after - before)
    share = np.clip((level - before) / slope, 0.0, 1.0)
    seconds: Floats = (knot.astype(np.float64) + share) * width
    return seconds


def _nadir_knots(path: NDArray[np.float32], found: Excursions) -> Ints:
    """First knot of the lowest count: the path is a line between knots, so its minimum is at one."""
    lengths = found.last_knot - found.first_knot + 1
    starts = np.cumsum(lengths) - lengths
    owner = np.repeat(np.arange(len(lengths)), lengths)
    knot = np.arange(lengths.sum()) - starts[owner] + found.first_knot[owner]
    value = path[knot, found.person[owner]]
    order = np.lexsort((knot, value, owner))
    return knot[order][starts] if len(lengths) else np.empty(0, dtype=np.int64)


def _is_seen(specimens: pl.DataFrame, person: Ints, first_s: Ints, last_s: Ints) -> NDArray[np.bool_]:
    """Whether any specimen was drawn inside."""
    base = np.int64(1) << 40
    key = np.sort(specimens["person"].to_numpy() * base + specimens["minute"].to_numpy() * 60)
    inside = np.searchsorted(key, person * base + first_s), np.searchsorted(key, person * base + last_s)
    return inside[1] > inside[0]


def _is_isolated(ward: Ward, found: Excursions, window: tuple[Ints, Ints]) -> NDArray[np.bool_]:
    """Both ends seen by nature, and no other crossing, nor the edge of observation, within the isolation time."""
    away = int(ward.setting.parameters.hospital.isolation_days * SECONDS_PER_DAY)
    same_before = np.append(False, found.person[1:] == found.person[:-1]) if len(found.person) else np.empty(0, bool)
    same_after = np.append(same_before[1:], False) if len(found.person) else same_before
    far = np.int64(1) << 40
    start, stop = window[0][found.person], window[1][found.person]
    earlier = np.where(same_before, np.roll(found.end_s, 1), np.minimum(start, found.onset_s - far))
    later = np.where(same_after, np.roll(found.onset_s, -1), far)
    is_whole = (found.onset_s >= 0) & (found.end_s >= 0)
    apart = (found.onset_s - earlier > away) & (later - found.end_s > away)
    return is_whole & apart & (found.onset_s - start > 0) & (stop - found.end_s > 0)


def _causes(ward: Ward, person: Ints, day: Ints) -> tuple[list[str], list[str | None]]:
    parameters = ward.setting.parameters
    causes = [*parameters.causes.causes.values()]
    driver = ward.driver[day, person]
    usual = parameters.hospital.baseline_causes
    regimens = list(parameters.regimens.regimens)
    course = ward.course_of[person]
    regimen = np.where(course >= 0, ward.courses.regimen[course], -1) if ward.courses.n else np.full(len(person), -1)
    groups, agents = [usual["natural"], usual["duffy_null"]], [None, "duffy_null"]
    table = {"natural": 0, "duffy": 1}
    index = np.where(ward.people.is_duffy_null[person], table["duffy"], table["natural"])
    groups, agents = [*groups, parameters.hospital.viral.cause_group], [*agents, "viral illness"]
    index = np.where(driver == VIRAL, 2, index)
    first = len(groups)
    groups += [parameters.regimens.cause_group] * len(regimens)
    agents += regimens
    index = np.where(driver == CHEMOTHERAPY, first + regimen, index)
    labels = [(cause.cause_group, drug) for cause in causes for drug in _generic(cause.drugs, cause.agent)]
    n_drugs = np.array([len(_generic(cause.drugs, cause.agent)) for cause in causes])
    begins = np.cumsum(n_drugs) - n_drugs + len(groups)
    groups += [label[0] for label in labels]
    agents += [label[1] for label in labels]
    of_event = begins[ward.events.cause[person]] + np.maximum(ward.events.drug[person], 0)
    index = np.where(driver == EVENT, of_event, index)
    return np.array(groups)[index].tolist(), np.array(agents, dtype=object)[index].tolist()


def _generic(drugs: tuple[object, ...], agent: str) -> list[str]:
    return [getattr(drug, "generic", "") or agent for drug in drugs] or [agent]


def stamp(column: str, start: pl.Expr) -> pl.Expr:
    """Seconds since the start as a time; negative: null."""
    moment = start + pl.duration(seconds=pl.col(column))
    return pl.when(pl.col(column) >= 0).then(moment).otherwise(None)
