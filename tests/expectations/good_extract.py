"""A good extract of forty people as a hospital would send it, in any of three forms; tests spoil copies of it."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path

import polars as pl

Frames = dict[str, pl.DataFrame]
People = Sequence[tuple[int, str]]
Rows = list[dict[str, str]]

N_PEOPLE, N_DRAWS = 40, 6
STARTED = datetime(2024, 1, 8, 8)  # noqa: DTZ001 - times of an extract have no zone
UNITS = {
    "6690-2": "10*3/uL",
    "751-8": "10*3/uL",
    "770-8": "%",
    "736-9": "%",
    "5905-5": "%",
    "713-8": "%",
    "731-0": "10*3/uL",
    "742-7": "10*3/uL",
    "777-3": "10*3/uL",
    "718-7": "g/dL",
}
OMOP_CONCEPTS = {
    "6690-2": 3000905,
    "751-8": 3013650,
    "770-8": 3008342,
    "736-9": 3037511,
    "5905-5": 3011948,
    "713-8": 3010457,
    "731-0": 3004327,
    "742-7": 3033575,
    "777-3": 3024929,
    "718-7": 3000963,
}
OMOP_UNITS = {"10*3/uL": "8848", "%": "8554", "g/dL": "8713"}


def drawn_at(person: int, draw: int) -> datetime:
    """Weekly, on five days of the week, each person at a minute of their own."""
    return STARTED + timedelta(days=person % 5 + 7 * draw, minutes=3 * person)


def _values(person: int, draw: int) -> Mapping[str, float]:
    wbc, share = 3.5 + (7 * person + 5 * draw) % 40 / 10, 50 + (person + draw) % 15
    parts = {"770-8": share, "736-9": 90 - share, "5905-5": 7, "713-8": 3}
    counts = {"751-8": wbc * share / 100, "731-0": wbc * (90 - share) / 100, "742-7": wbc * 0.07}
    others = {"777-3": 150 + (11 * person + 3 * draw) % 150, "718-7": 11 + (person + 2 * draw) % 40 / 10}
    return {"6690-2": wbc, **{code: round(value, 3) for code, value in counts.items()}, **parts, **others}


def good_frames() -> Frames:
    """By the name of a file, its columns as text: complete, plausible and consistent."""
    people = [(n, f"P{n:03}") for n in range(N_PEOPLE)]
    spans = [{"person_id": person, "started_on": "2023-07-01", "ended_on": "2024-06-30"} for _, person in people]
    tables = {"labs": _labs(people), "persons": _persons(people), "observations": spans, "encounters": _stays(people)}
    tables |= {"exposures": _drugs(people), "diagnoses": _diagnoses(people), "vitals": _vitals(people)}
    return {name: pl.DataFrame(rows) for name, rows in tables.items()}


def _labs(people: People) -> Rows:
    return [
        {
            "person_id": person,
            "specimen_id": f"S{n:03}{draw}",
            "collected_at": str(drawn_at(n, draw)),
            "resulted_at": str(drawn_at(n, draw) + timedelta(hours=2)),
            "test_code": code,
            "value": str(value),
            "unit": UNITS[code],
            "status": "final",
            "specimen": "blood",
            "reference_low": "1.8" if code == "751-8" else "",
        }
        for n, person in people
        for draw in range(N_DRAWS)
        for code, value in _values(n, draw).items()
    ]


def _persons(people: People) -> Rows:
    return [
        {
            "person_id": person,
            "sex": ("female", "male")[n % 2],
            "birth_year": str(1940 + n),
            "age_years": "",
            "age_at": "",
        }
        | {"died_on": "2024-06-20" if n == N_PEOPLE - 1 else "", "weight": "", "stratum": "", "psu": ""}
        for n, person in people
    ]


def _stays(people: People) -> Rows:
    return [
        {"person_id": person, "started_at": str(drawn_at(n, 0)), "ended_at": str(drawn_at(n, 0) + timedelta(hours=3))}
        | {"setting": ("outpatient", "inpatient")[n % 2]}
        for n, person in people
    ]


def _drugs(people: People) -> Rows:
    return [
        {"person_id": person, "drug": drug, "atc": atc, "rxnorm": "", "started_at": str(drawn_at(n, 0))}
        | {"ended_at": str(drawn_at(n, 0) + timedelta(hours=1)), "dose": "100", "dose_unit": "mg"}
        | {"evidence": "administered"}
        for n, person in people
        for drug, atc in (("doxorubicin", "L01DB01"), ("cyclophosphamide", "L01AA01"))
    ]


def _diagnoses(people: People) -> Rows:
    return [
        {"person_id": person, "code": code, "code_system": "icd10cm", "recorded_at": str(drawn_at(n, 0))}
        for n, person in people
        for code in ("C50.911", "D70.1", "E11.9")
    ]


def _vitals(people: People) -> Rows:
    return [
        {"person_id": person, "measured_at": str(drawn_at(n, draw)), "celsius": str(36.5 + (n + draw) % 15 / 10)}
        | {"site": "oral"}
        for n, person in people
        for draw in range(2)
    ]


def write_extract(frames: Frames, folder: Path, form: str) -> Path:
    """`delimited`: one CSV a table; `parquet`: the same texts; `omop`: people, spans and results as in the CDM."""
    folder.mkdir(parents=True)
    for name, frame in (_as_omop(frames) if form == "omop" else frames).items():
        if form == "parquet":
            frame.write_parquet(folder / f"{name}.parquet")
        else:
            frame.write_csv(folder / f"{name}.csv")
    return folder


def _as_omop(frames: Frames) -> Frames:
    key = pl.col("person_id").str.slice(1).cast(pl.Int64).alias("person_id")
    labs, people, spans = frames["labs"], frames["persons"], frames["observations"]
    sex = pl.col("sex").replace_strict({"female": 8532, "male": 8507})
    return {
        "person": people.select(
            key,
            gender_concept_id=sex,
            year_of_birth="birth_year",
            race_concept_id=pl.lit(0),
            ethnicity_concept_id=pl.lit(0),
        ),
        "death": people.filter(pl.col("died_on") != "").select(
            key, death_date="died_on", death_datetime=pl.lit(None), death_type_concept_id=pl.lit(0)
        ),
        "observation_period": spans.with_row_index("observation_period_id", 1).select(
            "observation_period_id",
            key,
            observation_period_start_date="started_on",
            observation_period_end_date="ended_on",
            period_type_concept_id=pl.lit(0),
        ),
        "measurement": labs.with_row_index("measurement_id", 1).select(
            "measurement_id",
            key,
            measurement_concept_id=pl.col("test_code").replace_strict(OMOP_CONCEPTS),
            measurement_date=pl.col("collected_at").str.slice(0, 10),
            measurement_datetime="collected_at",
            measurement_type_concept_id=pl.lit(0),
            operator_concept_id=pl.lit(0),
            value_as_number="value",
            unit_concept_id=pl.col("unit").replace_strict(OMOP_UNITS, default="0"),
            measurement_source_value="test_code",
            unit_source_value="unit",
            value_source_value="value",
        ),
    }
