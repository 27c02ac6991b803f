"""The canonical tables of a chunk: laboratory, people, spans, stays, drugs, diagnoses and temperatures.

Everything is cut to the time a person is observed. Person and specimen keys count on from chunk to chunk.
"""

from dataclasses import dataclass
from datetime import date, datetime, timedelta

import numpy as np
import polars as pl

from flows.simulation.calendar import MINUTES_PER_DAY
from flows.simulation.diagnosis_rows import diagnosis_rows
from flows.simulation.drug_rows import exposure_rows
from flows.simulation.lab_rows import lab_rows
from flows.simulation.people import choose
from flows.simulation.ward import Ward

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


def moment(column: str, keys: Keys) -> pl.Expr:
    """A whole number of minutes since the start as a time."""
    return pl.lit(keys.start).dt.cast_time_unit("us") + pl.duration(minutes=pl.col(column))


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
    """One outpatient visit a specimen drawn outside a stay; stays last until noon of their last day."""
    hour = timedelta(hours=1)
    visits = specimens.filter(~pl.col("is_inpatient")).select(
        "person_id", started_at=pl.col("at"), ended_at=pl.col("at") + hour, setting=pl.lit("outpatient")
    )
    stays = [(people, since, np.full(len(people), until)) for people, since, until in ward.calendar.stays]
    inside = np.flatnonzero(ward.calendar.is_inpatient)
    stays.append((inside, ward.calendar.admitted_at[inside], ward.ends_on[inside]))
    person, since, until = (np.concatenate(column) for column in zip(*stays, strict=True))
    beds = pl.DataFrame({"person": person, "from": since, "to": np.minimum(until, ward.ends_on[person]) + 0.5})
    beds = beds.filter(pl.col("from") <= pl.col("to")).select(
        person_id=person_id(keys),
        started_at=day_moment("from", keys),
        ended_at=day_moment("to", keys),
        setting=pl.lit("inpatient"),
    )
    return pl.concat([visits, beds]).sort("person_id", "started_at", "setting")


def _exposures(ward: Ward, keys: Keys) -> pl.DataFrame:
    rows = exposure_rows(ward)
    last = ward.ends_on[rows["person"].to_numpy()] + 1.0 - 1.0 / MINUTES_PER_DAY
    first = ward.people.entered_on[rows["person"].to_numpy()].astype(np.float64)
    rows = rows.with_columns(
        pl.Series("off", np.minimum(rows["off"].to_numpy(), last)),
        pl.Series("on", np.maximum(rows["on"].to_numpy(), first)),
    )
    return (
        rows.filter((pl.col("on") < pl.Series(last)) & (pl.col("off") >= pl.col("on")))
        .sort("person", "on", "drug", "off", maintain_order=True)
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
    rows = diagnosis_rows(ward)
    person, on = rows["person"].to_numpy(), np.floor(rows["on"].to_numpy())
    is_observed = (ward.people.entered_on[person] <= on) & (on <= ward.ends_on[person])
    return (
        rows.filter(pl.Series(is_observed))
        .sort("person", "on", "code")
        .select(
            person_id=person_id(keys), code="code", code_system=pl.lit(CODE_SYSTEM), recorded_at=day_moment("on", keys)
        )
    )


def _vitals(ward: Ward, specimens: pl.DataFrame) -> pl.DataFrame:
    sites = ward.setting.parameters.hospital.temperature.sites
    measured = specimens.filter(pl.col("celsius").is_not_nan())
    where = np.array(list(sites))[choose(ward.rng, np.array(list(sites.values())), measured.height)]
    return measured.select("person_id", measured_at="at", celsius=pl.col("celsius").round(1), site=pl.Series(where))
