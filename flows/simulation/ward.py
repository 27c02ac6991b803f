"""One chunk of the hospital, a day at a time: blood moves, people come, doctors react, drugs are given.

The morning count of a day is taken from the true path between 06:00 and noon, at a whole minute; whatever it leads to
happens at noon. So the path up to noon is always finished before anybody looks at it.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from flows.simulation.arrays import Floats, Ints
from flows.simulation.calendar import MINUTES_PER_DAY, Calendar, draw_calendar
from flows.simulation.chemotherapy import Courses, draw_courses
from flows.simulation.events import Events, draw_events
from flows.simulation.measurement import CELLS_PER_UNIT, Count, count_cells, count_exactly, draw_blood
from flows.simulation.parameters import Parameters
from flows.simulation.people import Illnesses, People, choose, draw_background, draw_people
from flows.simulation.stays import DrawnStays, draw_stays, no_stays

HOURS_PER_DAY = 24
NATURAL, VIRAL, CHEMOTHERAPY, EVENT = range(4)


@dataclass(frozen=True)
class Setting:
    """What is simulated: days, who decides the visits, with or without noise."""

    parameters: Parameters
    n_days: int
    visits: str
    is_noise_free: bool


@dataclass(frozen=True)
class Seen:
    """The specimens of one day."""

    person: Ints
    minute: Ints  # since the start of the hospital
    laboratory: Ints
    count: Count
    celsius: Floats
    is_inpatient: NDArray[np.bool_]


@dataclass
class Ward:
    """The state of a chunk and the record of what happened."""

    setting: Setting
    rng: np.random.Generator
    people: People
    illnesses: Illnesses
    path: NDArray[np.float32]  # [knot, person] log of 10^9/L
    driver: NDArray[np.int8]  # [day, person] what lowers the count most
    events: Events
    courses: Courses
    calendar: Calendar
    course_of: Ints
    died_on: Ints
    seen: list[Seen] = field(default_factory=list)
    detected_on: Ints = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    growth: list[tuple[Ints, int, str]] = field(default_factory=list)

    @property
    def ends_on(self) -> Ints:
        """Last day of each person under observation."""
        return np.minimum(self.people.leaves_on, self.died_on)


def run_ward(rng: np.random.Generator, n_people: int, setting: Setting) -> Ward:
    """Everything that happens to a chunk of people."""
    ward = _open(rng, n_people, setting)
    for day in range(setting.n_days):
        _move(ward, day, is_morning=True)
        looked = _see(ward, day)
        _treat(ward, day, looked)
        _move(ward, day, is_morning=False)
        _die(ward, day)
    return ward


def _open(rng: np.random.Generator, n_people: int, setting: Setting) -> Ward:
    parameters = setting.parameters
    people = draw_people(rng, n_people, setting.n_days, parameters)
    path, is_viral, illnesses = draw_background(
        rng, people, setting.n_days, parameters, is_noise_free=setting.is_noise_free
    )
    names = list(parameters.regimens.regimens)
    shares = np.array([[g.regimens.get(name, 0.0) for name in names] for g in parameters.groups.groups])
    courses = draw_courses(rng, people, shares, parameters.regimens)
    course_of = np.full(n_people, -1)
    course_of[courses.person] = np.arange(courses.n)
    regimen = np.full(n_people, "", dtype=object)
    regimen[courses.person] = np.array(names, dtype=object)[courses.regimen]
    drawn = _draw_stays(rng, people, regimen.astype(np.str_), path, setting)
    ward = Ward(
        setting=setting,
        rng=rng,
        people=people,
        illnesses=illnesses,
        path=path,
        driver=np.where(is_viral, VIRAL, NATURAL).astype(np.int8),
        events=draw_events(rng, people, parameters),
        courses=courses,
        calendar=draw_calendar(rng, (people, illnesses, drawn), parameters, setting.visits),
        course_of=course_of,
        died_on=np.full(n_people, setting.n_days),
        detected_on=np.full(n_people, -1),
    )
    eventful = np.flatnonzero(ward.events.has_event)
    ward.path[0, eventful] += ward.events.log_ratio(eventful, 0.0).astype(np.float32)
    return ward


def _draw_stays(
    rng: np.random.Generator, people: People, regimen: NDArray[np.str_], path: NDArray[np.float32], setting: Setting
) -> DrawnStays:
    """Stays that no low count brings about, where doctors react at all; what raises counts around them lifts `path`."""
    if not setting.parameters.visits.regimes[setting.visits].reacts:
        return no_stays()
    (own,) = rng.spawn(1)  # takes nothing from the stream of everything else
    drawn, rises = draw_stays(own, people, regimen, (path.shape[0], path.shape[1]), setting.parameters)
    path += rises
    return drawn


def _move(ward: Ward, day: int, *, is_morning: bool) -> None:
    """Extend the true path by half a day."""
    per_day = ward.setting.parameters.hospital.knots_per_day
    hours = HOURS_PER_DAY // per_day
    half = per_day // 2
    eventful = np.flatnonzero(ward.events.has_event)
    threshold = ward.setting.parameters.hospital.driver_log_ratio
    for part in range(half) if is_morning else range(half, per_day):
        ward.courses.move(day, part * hours, hours)
        knot = day * per_day + part + 1
        ward.path[knot, ward.courses.person] += ward.courses.log_ratio.astype(np.float32)
        lowered = ward.events.log_ratio(eventful, day + (part + 1) / per_day)
        ward.path[knot, eventful] += lowered.astype(np.float32)
        if part + 1 == half:
            by_drug = ward.courses.person[ward.courses.log_ratio < threshold]
            ward.driver[day, by_drug] = CHEMOTHERAPY
            chemotherapy = np.where(
                ward.course_of[eventful] >= 0,
                ward.courses.log_ratio[ward.course_of[eventful]] if ward.courses.n else 0.0,
                0.0,
            )
            ward.driver[day, eventful[(lowered < threshold) & (lowered < chemotherapy)]] = EVENT


def _see(ward: Ward, day: int) -> tuple[Ints, Floats]:
    """Take blood from all who come today; returns who and the count that doctors act on, cells/uL."""
    setting, rng, calendar = ward.setting, ward.rng, ward.calendar
    present = (ward.people.entered_on <= day) & (day <= ward.people.leaves_on) & (ward.died_on >= day)
    calendar.admit(day, present)
    is_due = calendar.due(day) & present
    is_due[ward.courses.person[ward.courses.checked_on(day)]] = True
    fever = _feverish(ward, day)
    if setting.parameters.visits.regimes[setting.visits].fever:
        is_due |= fever
    is_due &= present
    person = np.flatnonzero(is_due)
    window = setting.parameters.visits
    minute = day * MINUTES_PER_DAY + rng.integers(window.first_minute, window.last_minute + 1, len(person))
    true_anc = sample(ward.path, person, minute, setting.parameters.hospital.knots_per_day)
    count, laboratory = _measure(ward, day, person, true_anc)
    observed = np.where(np.isnan(count.anc), np.where(count.wbc < CELLS_PER_UNIT, count.wbc, np.inf), count.anc)
    temperature = setting.parameters.hospital.temperature
    has_fever = (fever | calendar.is_febrile(day))[person]
    is_measured = has_fever | calendar.is_inpatient[person] | (rng.random(len(person)) < temperature.share_of_visits)
    mean, sd = (temperature.mean, temperature.sd), (temperature.fever_mean, temperature.fever_sd)
    centre, width = np.where(has_fever, sd[0], mean[0]), np.where(has_fever, sd[1], mean[1])
    celsius = np.where(is_measured, centre + width * rng.standard_normal(len(person)), np.nan)
    ward.seen.append(Seen(person, minute, laboratory, count, celsius, calendar.is_inpatient[person]))
    return person, observed


def sample(path: NDArray[np.float32], person: Ints, minute: Ints, knots_per_day: int) -> Floats:
    """The true count at whole minutes, cells/uL: between two knots its log is a line."""
    width = MINUTES_PER_DAY // knots_per_day
    knot, share = minute // width, (minute % width) / width
    before = path[knot, person].astype(np.float64)
    return np.exp(before + share * (path[knot + 1, person] - before)) * CELLS_PER_UNIT


def _feverish(ward: Ward, day: int) -> NDArray[np.bool_]:
    """Who has a fever today; it follows the true count, which nobody sees."""
    hospital = ward.setting.parameters.hospital
    log_count = ward.path[day * hospital.knots_per_day + 1]
    chance = np.zeros(ward.people.n)
    for below, share in sorted(hospital.fever_share_below.items(), reverse=True):
        chance[log_count < np.log(below / CELLS_PER_UNIT)] = share
    return ward.rng.random(ward.people.n) < chance


def _measure(ward: Ward, day: int, person: Ints, true_anc: Floats) -> tuple[Count, Ints]:
    setting, rng, people = ward.setting, ward.rng, ward.people
    laboratories = setting.parameters.laboratories
    lowered = ward.events.log_ratio(person, float(day)) * ward.events.lineage_share[person]
    course = ward.course_of[person]
    coupling = np.array([r.lymphocyte_coupling for r in setting.parameters.regimens.regimens.values()])
    treated = course >= 0
    by_drug = np.zeros(len(person))
    by_drug[treated] = ward.courses.log_ratio[course[treated]] * coupling[ward.courses.regimen[course[treated]]]
    white = np.minimum(lowered + by_drug, 0.0)
    lineages = {name: value[person] for name, value in people.lineages.items()}
    by_lineage = dict.fromkeys(("lymphocytes", "monocytes", "other", "platelets"), white)
    by_lineage["haemoglobin"] = lowered + setting.parameters.hospital.haemoglobin_coupling * np.minimum(by_drug, 0.0)
    blood = draw_blood(
        rng,
        true_anc,
        (lineages, people.bands_share[person]),
        by_lineage,
        dict(setting.parameters.hospital.lineages),
        is_noise_free=setting.is_noise_free,
    )
    sites = laboratories.laboratories
    away = rng.random(len(person)) >= laboratories.home_share
    elsewhere = choose(rng, np.array([site.share for site in sites]), len(person))
    laboratory = np.where(away, elsewhere, people.home_laboratory[person])
    if setting.is_noise_free:
        return count_exactly(blood), laboratory
    wanted = ward.calendar.differential_share(person, laboratories.differential_share)
    is_manual = np.array([site.reports == "manual" for site in sites])[laboratory]
    return count_cells(rng, blood, rng.random(len(person)) < wanted, is_manual, laboratories), laboratory


def _treat(ward: Ward, day: int, looked: tuple[Ints, Floats]) -> None:
    """What doctors do at noon on the counts of the morning."""
    person, observed = looked
    noon = day + 0.5
    ward.events.react(person, observed, noon)
    limit = ward.setting.parameters.hospital.thresholds_cells_per_ul[0]
    found = person[(observed < limit) & (ward.detected_on[person] < 0)]
    ward.detected_on[found] = day
    courses = ward.courses
    by_course = np.full(courses.n, np.nan)
    treated = ward.course_of[person] >= 0
    course = ward.course_of[person[treated]]
    by_course[course] = observed[treated]
    courses.observe(course, observed[treated])
    gone = ward.ends_on[courses.person] < day
    courses.is_over |= gone
    _, over = courses.decide(ward.rng, day, by_course)
    ward.events.chemotherapy_ended(courses.person[over], courses.last_on[over])
    _support(ward, day, by_course)
    ward.calendar.plan(ward.rng, day, person, observed)
    ward.calendar.plan_cycles(ward.rng, day, courses)


def _support(ward: Ward, day: int, observed: Floats) -> None:
    """Rescue G-CSF: daily from an observed very low count until recovery is observed."""
    courses, rules = ward.courses, ward.setting.parameters.regimens.rules
    given = courses.rescue_until > day
    stops = given & (observed >= rules.rescue_until_cells_per_ul)
    courses.rescue_until[stops] = day
    courses.stimulus_until[stops] = day
    low = np.flatnonzero((observed < rules.rescue_below_cells_per_ul) & ~given)
    starts = low[ward.rng.random(len(low)) < rules.rescue_share]
    courses.rescue_until[starts] = day + rules.rescue_most_days
    courses.stimulus_from[starts] = day
    courses.stimulus_until[starts] = day + rules.rescue_most_days
    on = (courses.rescue_until > day) & (ward.ends_on[courses.person] >= day)
    if on.any():
        ward.growth.append((courses.person[on], day, "filgrastim"))


def _die(ward: Ward, day: int) -> None:
    """Death depends on the group and on how low the true count is."""
    parameters = ward.setting.parameters
    chance = np.array([g.daily_death for g in parameters.groups.groups])[ward.people.group]
    noon = day * parameters.hospital.knots_per_day + parameters.hospital.knots_per_day // 2
    log_count = ward.path[noon]
    more = np.zeros(ward.people.n)
    for below, added in sorted(parameters.hospital.death_per_day_below.items(), reverse=True):
        more[log_count < np.log(below / CELLS_PER_UNIT)] = added
    more *= np.array([g.low_count_death for g in parameters.groups.groups])[ward.people.group]
    present = (ward.people.entered_on <= day) & (day <= ward.people.leaves_on)
    dies = present & (ward.died_on > day) & (ward.rng.random(ward.people.n) < chance + more)
    ward.died_on[dies] = day
