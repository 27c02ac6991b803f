"""The canonical tables of a chunk: laboratory, people, spans, stays, drugs, diagnoses and temperatures.

Everything is cut to the time a person is observed. Person and specimen keys count on from chunk to chunk.
"""

from dataclasses import dataclass
from datetime import date, datetime, timedelta

import numpy as np
import polars as pl

from flows.simulation.drug_rows import exposure_rows
from flows.simulation.lab_rows import lab_rows
from flows.simulation.parameters import Parameters
from flows.simulation.people import Bools, Floats, Ints, choose
from flows.simulation.ward import MINUTES_PER_DAY, Ward

TABLES = ("labs", "persons", "observations", "encounters", "exposures", "diagnoses", "vitals")
CODE_SYSTEM = "icd10cm"


@dataclass(frozen=True)
class Keys:
    """Where this chunk's keys begin, and when day 0 is."""

    first_person: int
    first_specimen: int
    start_on: date

    @property
    def start(self) -> datetime:
        """Midnight at which the hospital opens."""
        return datetime.combine(self.start_on, datetime.min.time())


def canonical_tables(ward: Ward, specimens: pl.DataFrame, keys: Keys) -> dict[str, pl.DataFrame]:
    """All tables by name, each in its written column order."""
    specimens = specimens.with_columns(person_id=person_id(keys), at=moment("minute", keys))
    return {
        "labs": _labs(ward, specimens, keys),
        "persons": _persons(ward, keys),
        "observations": _observations(ward, keys),
        "encounters": _encounters(ward, specimens, keys),
        "exposures": _exposures(ward, keys),
        "diagnoses": _diagnoses(ward, keys),
        "vitals": _vitals(ward, specimens),
    }


def person_id(keys: Keys) -> pl.Expr:
    """The written person key."""
    return pl.format("P{}", (pl.col("person") + keys.first_person + 1).cast(pl.String).str.zfill(8))


def moment(column: str, keys: Keys, unit: str = "minutes") -> pl.Expr:
    """A whole number of minutes (or seconds) since the start as a time."""
    return pl.lit(keys.start).dt.cast_time_unit("us") + pl.duration(**{unit: pl.col(column)})


def day_moment(column: str, keys: Keys) -> pl.Expr:
    """A number of days since the start as a time at a whole minute; NaN and infinity are null."""
    minutes = (pl.col(column) * MINUTES_PER_DAY).round(0)
    known = pl.when(minutes.is_finite()).then(minutes).otherwise(None).cast(pl.Int64)
    return pl.lit(keys.start).dt.cast_time_unit("us") + pl.duration(minutes=known)


def day(column: str, keys: Keys) -> pl.Expr:
    """A whole day since the start as a date."""
    return (pl.lit(keys.start) + pl.duration(days=pl.col(column))).dt.date()


def _labs(ward: Ward, specimens: pl.DataFrame, keys: Keys) -> pl.DataFrame:
    sites = np.array([site.id for site in ward.setting.parameters.laboratories.laboratories])
    drawn = specimens.select(
        "person_id",
        "at",
        specimen_id=pl.format("S{}", (pl.col("specimen") + keys.first_specimen + 1).cast(pl.String).str.zfill(9)),
        site=pl.lit(pl.Series(sites)).gather(pl.col("laboratory")),
    )
    rows = lab_rows(ward, specimens)
    taken = drawn[rows["specimen"].to_numpy()]
    return pl.concat([taken, rows], how="horizontal").select(
        "person_id",
        "specimen_id",
        collected_at="at",
        resulted_at=pl.col("at") + pl.duration(minutes=pl.col("delay")),
        test_code="test_code",
        test_name="test_name",
        value="value",
        unit="unit",
        status="status",
        specimen="fluid",
        site="site",
        reference_low="low",
    )


def _persons(ward: Ward, keys: Keys) -> pl.DataFrame:
    people = ward.people
    is_known = people.is_duffy_tested
    died = np.where(ward.died_on <= people.leaves_on, ward.died_on, -1)
    return pl.DataFrame(
        {
            "person": np.arange(people.n),
            "sex": np.where(people.is_female, "female", "male"),
            "birth_year": keys.start_on.year - people.age,
            "died": died,
            "is_null": people.is_duffy_null,
            "is_known": is_known,
        }
    ).select(
        person_id=person_id(keys),
        sex="sex",
        birth_year="birth_year",
        died_on=pl.when(pl.col("died") >= 0).then(day("died", keys)),
        duffy_null=pl.when(pl.col("is_known")).then(pl.col("is_null")),
    )


def _observations(ward: Ward, keys: Keys) -> pl.DataFrame:
    spans = pl.DataFrame({"person": np.arange(ward.people.n), "from": ward.people.entered_on, "to": ward.ends_on})
    return spans.select(person_id=person_id(keys), started_on=day("from", keys), ended_on=day("to", keys))


def _encounters(ward: Ward, specimens: pl.DataFrame, keys: Keys) -> pl.DataFrame:
    """One outpatient visit a specimen drawn outside a stay; stays from noon of the first to noon of the last day."""
    hour = timedelta(hours=1)
    visits = specimens.filter(~pl.col("is_inpatient")).select(
        "person_id", started_at=pl.col("at"), ended_at=pl.col("at") + hour, setting=pl.lit("outpatient")
    )
    stays = [(people, since, np.full(len(people), until)) for people, since, until in ward.calendar.stays]
    inside = np.flatnonzero(ward.calendar.is_inpatient)
    stays.append((inside, ward.calendar.admitted_on[inside], ward.ends_on[inside]))
    person, since, until = (np.concatenate(column) for column in zip(*stays, strict=True))
    beds = pl.DataFrame({"person": person, "from": since + 0.5, "to": np.minimum(until, ward.ends_on[person]) + 0.5})
    beds = beds.filter(pl.col("from") <= pl.col("to")).select(
        person_id=person_id(keys),
        started_at=day_moment("from", keys),
        ended_at=day_moment("to", keys),
        setting=pl.lit("inpatient"),
    )
    return pl.concat([visits, beds]).sort("person_id", "started_at", "setting")


def _exposures(ward: Ward, keys: Keys) -> pl.DataFrame:
    rows = exposure_rows(ward)
    last = ward.ends_on[rows["person"].to_numpy()] + 1.0
    first = ward.people.entered_on[rows["person"].to_numpy()].astype(np.float64)
    rows = rows.with_columns(
        pl.Series("off", np.minimum(rows["off"].to_numpy(), last)),
        pl.Series("on", np.maximum(rows["on"].to_numpy(), first)),
    )
    return (
        rows.filter((pl.col("on") < pl.Series(last)) & (pl.col("off") >= pl.col("on")))
        .sort("person", "on", "drug", "off")
        .select(
            person_id=person_id(keys),
            drug="drug",
            atc="atc",
            started_at=day_moment("on", keys),
            ended_at=day_moment("off", keys),
            route="route",
            dose="dose",
            dose_unit="dose_unit",
            status=pl.lit("completed"),
            evidence="evidence",
        )
    )


def _diagnoses(ward: Ward, keys: Keys) -> pl.DataFrame:
    rng, parameters = ward.rng, ward.setting.parameters
    parts: list[tuple[Ints, str, Floats]] = []

    def record(person: Ints, shares: dict[str, float], on: Floats) -> None:
        for code, share in shares.items():
            is_coded = rng.random(len(person)) < share
            parts.append((person[is_coded], code, on[is_coded]))

    for index, group in enumerate(parameters.groups.groups):
        person = np.flatnonzero(ward.people.group == index)
        record(person, dict(group.diagnoses), ward.people.story_on[person] + 0.4)
    _record_detected(ward, parameters, record)
    ill, codes = ward.illnesses, list(parameters.hospital.viral.codes)
    for index, code in enumerate(codes):
        coded = ill.code == index
        parts.append((ill.person[coded], code, ill.seen_on[coded] + 0.45))
    frame = pl.concat(
        [
            pl.DataFrame({"person": who.astype(np.int64), "code": np.full(len(who), code), "on": on})
            for who, code, on in parts
        ],
        how="vertical_relaxed",
    )
    person = frame["person"].to_numpy()
    inside = _is_observed(ward, person, np.floor(frame["on"].to_numpy()).astype(np.int64))
    return (
        frame.filter(pl.Series(inside))
        .sort("person", "on", "code")
        .select(
            person_id=person_id(keys), code="code", code_system=pl.lit(CODE_SYSTEM), recorded_at=day_moment("on", keys)
        )
    )


def _record_detected(ward: Ward, parameters: Parameters, record: object) -> None:
    """Codes that follow an observed low count: the cause that was found, or the neutropenia itself."""
    assert callable(record)
    events, on = ward.events, ward.detected_on + 0.6
    found = ward.detected_on >= 0
    for index, cause in enumerate(parameters.causes.causes.values()):
        person = np.flatnonzero(found & events.has_event & (events.cause == index) & (events.falls_at <= on))
        record(person, dict(cause.detected_codes), on[person])
        if cause.coded is not None:
            record(person, {cause.coded.code: cause.coded.share}, on[person])
    coded = parameters.regimens.coded
    treated = ward.courses.person[ward.courses.last_on[: ward.courses.n] <= on[ward.courses.person]]
    record(treated[found[treated]], {coded.code: coded.share}, on[treated[found[treated]]])


def _vitals(ward: Ward, specimens: pl.DataFrame) -> pl.DataFrame:
    sites = ward.setting.parameters.hospital.temperature.sites
    measured = specimens.filter(pl.col("celsius").is_not_nan())
    where = np.array(list(sites))[choose(ward.rng, np.array(list(sites.values())), measured.height)]
    return measured.select("person_id", measured_at="at", celsius=pl.col("celsius").round(1), site=pl.Series(where))


def _is_observed(ward: Ward, person: Ints, on: Ints) -> Bools:
    return (ward.people.entered_on[person] <= on) & (on <= ward.ends_on[person])
