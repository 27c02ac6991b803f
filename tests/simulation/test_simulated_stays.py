"""People are in hospital for many reasons, are counted there, and are mostly not neutropenic."""

from pathlib import Path

import duckdb
import polars as pl
import pytest

from flows.simulation import hospital
from flows.simulation.hospital import Format, SimulationRequest, VisitRegime, simulate_hospital
from flows.simulation.parameters import Parameters, load_parameters

WHITE_CODES = ["6690-2", "26464-8", "804-5"]
ANC_CODES = ["751-8", "26499-4", "753-4"]


@pytest.fixture(scope="module")
def extract(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("stays")
    request = SimulationRequest(2500, 600, "parquet", out, 4, out / "truth.parquet", is_noise_free=True)
    simulate_hospital(request)
    return out


@pytest.fixture(scope="module")
def stays(extract: Path) -> pl.DataFrame:
    """Each stay with its number, its person's age and sex, and its codes."""
    rows = pl.read_parquet(extract / "encounters.parquet").filter(pl.col("setting") == "inpatient")
    persons = pl.read_parquet(extract / "persons.parquet")
    rows = rows.join(persons, on="person_id").sort("person_id", "started_at").with_row_index("stay")
    coded = pl.read_parquet(extract / "diagnoses.parquet").join(rows, on="person_id")
    coded = coded.filter(pl.col("recorded_at").is_between("started_at", "ended_at"))
    codes = coded.group_by("stay").agg(codes="code")
    age = pl.lit(load_parameters().hospital.start_on.year) - pl.col("birth_year")
    days = (pl.col("ended_at") - pl.col("started_at")).dt.total_hours() / 24
    return rows.join(codes, on="stay", how="left").with_columns(age=age, days=days)


@pytest.fixture(scope="module")
def counts(extract: Path, stays: pl.DataFrame) -> pl.DataFrame:
    """Every exact count, cells/uL, with the stay in which it was drawn."""
    number = pl.col("value").cast(pl.Float64)
    cells = pl.when(pl.col("unit") == "cells/uL").then(number).otherwise(number * 1000)
    labs = pl.read_parquet(extract / "labs.parquet").filter(pl.col("test_code").is_in(ANC_CODES))
    labs = labs.select("person_id", "collected_at", anc=cells).sort("collected_at")
    opened = stays.select("person_id", "stay", "started_at", "ended_at").sort("started_at")
    found = labs.join_asof(
        opened, left_on="collected_at", right_on="started_at", by="person_id", check_sortedness=False
    )
    return found.with_columns(stay=pl.when(pl.col("collected_at") <= pl.col("ended_at")).then("stay"))


def test_most_people_in_hospital_are_not_neutropenic_and_some_are(stays: pl.DataFrame, counts: pl.DataFrame) -> None:
    lowest = counts.drop_nulls("stay").group_by("person_id").agg(pl.col("anc").min())
    share = lowest.select((pl.col("anc") < 1500).mean()).item()
    assert lowest.height > 500
    assert 0.05 < share < 0.4
    assert stays["person_id"].n_unique() < 2500 * 0.6


def test_stays_of_a_person_never_overlap_and_lie_in_the_time_of_observation(extract: Path, stays: pl.DataFrame) -> None:
    before = pl.col("ended_at").shift(1).over("person_id")
    assert stays.filter(pl.col("started_at") < before).height == 0
    assert stays.filter(pl.col("ended_at") < pl.col("started_at")).height == 0
    spans = pl.read_parquet(extract / "observations.parquet").rename({"started_on": "first", "ended_on": "last"})
    on = (pl.col("started_at").dt.date(), pl.col("ended_at").dt.date())
    outside = stays.join(spans, on="person_id").filter((on[0] < pl.col("first")) | (on[1] > pl.col("last")))
    assert outside.height == 0


def test_people_are_counted_when_they_are_taken_in_and_again_while_they_stay(
    stays: pl.DataFrame, counts: pl.DataFrame
) -> None:
    per_stay = counts.drop_nulls("stay").group_by("stay").len("n_counts")
    both = stays.join(per_stay, on="stay", how="left").with_columns(pl.col("n_counts").fill_null(0))
    drawn = both.filter(pl.col("started_at").dt.hour() == 6)
    assert drawn.height > 600
    assert drawn.filter(pl.col("n_counts") == 0).height == 0
    surgery = drawn.filter(pl.col("codes").list.contains("M17.9"), pl.col("codes").list.len() == 1)
    assert surgery.height > 30
    assert surgery.filter(pl.col("n_counts") <= pl.col("days")).height == 0  # each day, the first and the last too
    assert counts.drop_nulls("stay").is_duplicated().sum() == 0


def test_older_people_are_in_hospital_more_often(extract: Path, stays: pl.DataFrame) -> None:
    persons = pl.read_parquet(extract / "persons.parquet")
    age = pl.lit(load_parameters().hospital.start_on.year) - pl.col("birth_year")
    drawn, rates = stays.filter(pl.col("started_at").dt.hour() == 6), []
    for first, last in ((1, 17), (18, 44), (45, 64), (65, 100)):
        of_age = age.is_between(first, last)
        rates.append(drawn.filter(of_age).height / persons.filter(of_age).height)
    assert rates == sorted(rates)
    assert rates[-1] > 5 * rates[0]


def test_induction_of_acute_leukaemia_is_given_in_hospital_until_counts_recover(
    extract: Path, stays: pl.DataFrame
) -> None:
    drugs = pl.read_parquet(extract / "exposures.parquet")
    first = drugs.filter(pl.col("atc") == "L01DB02").group_by("person_id").agg(given_at=pl.col("started_at").min())
    inside = stays.join(first, on="person_id").filter(pl.col("given_at").is_between("started_at", "ended_at"))
    assert first.height > 10
    assert inside.height >= 0.85 * first.height
    assert 20 <= inside["days"].median() <= 40


def test_a_transplant_is_a_stay_over_its_chemotherapy_and_its_low_counts(extract: Path, stays: pl.DataFrame) -> None:
    drugs = pl.read_parquet(extract / "exposures.parquet").filter(pl.col("atc") == "L01AA03")
    inside = stays.join(drugs.select("person_id", given_at="started_at"), on="person_id")
    inside = inside.filter(pl.col("given_at").is_between("started_at", "ended_at"))
    truth = pl.read_parquet(extract / "truth.parquet").filter(pl.col("threshold_cells_per_ul") == 500)
    low = truth.join(inside, on="person_id").filter(pl.col("onset_at").is_between("started_at", "ended_at"))
    assert drugs.height >= 5
    assert inside.height == drugs.height
    assert set(low["agent"]) == {"r_beam"}
    assert low["person_id"].n_unique() == drugs.height


def test_only_women_of_an_age_to_give_birth_do(stays: pl.DataFrame) -> None:
    births = stays.filter(pl.col("codes").list.contains("O80") | pl.col("codes").list.contains("O82"))
    assert births.height > 5
    assert set(births["sex"]) == {"female"}
    assert births["age"].is_between(18, 44).all()


def test_operations_and_infections_raise_counts_for_a_while(stays: pl.DataFrame, counts: pl.DataFrame) -> None:
    usual = counts.filter(pl.col("stay").is_null()).group_by("person_id").agg(usual=pl.col("anc").median())
    highest = counts.drop_nulls("stay").group_by("person_id", "stay").agg(pl.col("anc").max())
    both = highest.join(usual, on="person_id").join(stays.select("stay", "codes"), on="stay")
    for codes, least, most in ((["M17.9", "K80.20"], 1.3, 2.3), (["J18.9", "A41.9"], 1.4, 3.5)):
        ratio = both.filter(pl.any_horizontal(pl.col("codes").list.contains(code) for code in codes))
        assert ratio.height > 30
        assert least < ratio.select((pl.col("anc") / pl.col("usual")).median()).item() < most


def test_counts_at_a_birth_are_as_high_as_published(stays: pl.DataFrame, counts: pl.DataFrame) -> None:
    """White cells of 13.4 after it are some 10 neutrophils, 10^9/L."""
    births = stays.filter(pl.col("codes").list.contains("O80") | pl.col("codes").list.contains("O82"))
    highest = counts.join(births, on="stay", how="semi").group_by("stay").agg(pl.col("anc").max())
    assert 7000 < highest["anc"].median() < 12000


@pytest.mark.parametrize("visits", ["fixed", "weekly", "daily"])
def test_nobody_is_taken_in_where_people_are_counted_on_fixed_days(tmp_path: Path, visits: VisitRegime) -> None:
    simulate_hospital(SimulationRequest(150, 120, "parquet", tmp_path, 3, visits=visits))
    assert set(pl.read_parquet(tmp_path / "encounters.parquet")["setting"]) == {"outpatient"}


def without_stays(parameters: Parameters) -> Parameters:
    births = parameters.stays.births.model_copy(update={"per_person_year": 0.0})
    none = {"by_age": (), "by_group": {}, "planned": (), "births": births}
    return parameters.model_copy(update={"stays": parameters.stays.model_copy(update=none)})


def test_stays_are_drawn_beside_everything_else(extract: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without them the same people come and begin the same drugs on the same days."""
    start_on, fewer = load_parameters().hospital.start_on, without_stays(load_parameters())
    monkeypatch.setattr(hospital, "load_parameters", lambda: fewer)
    simulate_hospital(SimulationRequest(2500, 600, "parquet", tmp_path, 4, is_noise_free=True, start_on=start_on))
    one, other = (pl.read_parquet(out / "persons.parquet") for out in (extract, tmp_path))
    assert one.drop("died_on").equals(other.drop("died_on"))
    begun = pl.col("atc").is_in(["N05AH02", "H03BB02", "N02BB02", "J01EE01"])  # no count decides when they begin
    first = [
        pl.read_parquet(out / "exposures.parquet")
        .filter(begun)
        .group_by("person_id", "atc")
        .agg(pl.col("started_at").min())
        for out in (extract, tmp_path)
    ]
    same = first[0].join(first[1], on=["person_id", "atc", "started_at"], how="semi")
    assert same.height > 0.95 * first[0].height


STAYS_OF = {
    "parquet": "SELECT right(person_id, 8)::BIGINT, started_at, ended_at FROM '{out}/encounters.parquet' "
    "WHERE setting = 'inpatient'",
    "omop": "SELECT person_id, visit_start_datetime, visit_end_datetime FROM '{out}/VISIT_OCCURRENCE.csv' "
    "WHERE visit_concept_id = 9201",
    "mimic_iv": "SELECT subject_id - 10000000, admittime, dischtime FROM '{out}/hosp/admissions.csv.gz' "
    "WHERE admission_type = 'URGENT'",
    "fhir": "SELECT right(subject.reference, 8)::BIGINT, left(period.start::VARCHAR, 19)::TIMESTAMP, "
    "left(period.end::VARCHAR, 19)::TIMESTAMP "
    "FROM read_json('{out}/Encounter.000.ndjson.gz', format = 'newline_delimited', "
    "columns = {{class: 'STRUCT(code VARCHAR)', subject: 'STRUCT(reference VARCHAR)', "
    "period: 'STRUCT(start VARCHAR, \"end\" VARCHAR)'}}) WHERE class.code = 'IMP'",
}


def test_every_layout_carries_the_same_stays(tmp_path: Path) -> None:
    forms: tuple[Format, ...] = ("parquet", "omop", "mimic_iv", "fhir")
    found = {}
    for form in forms:
        simulate_hospital(SimulationRequest(150, 240, form, tmp_path / form, 7))
        found[form] = duckdb.execute(f"{STAYS_OF[form].format(out=tmp_path / form)} ORDER BY ALL").fetchall()
    assert len(found["parquet"]) > 40
    assert found["omop"] == found["mimic_iv"] == found["fhir"] == found["parquet"]


def test_every_code_of_a_stay_has_a_title() -> None:
    parameters = load_parameters()
    codes = {code for reason in parameters.stays.reasons.values() for code in reason.codes}
    assert codes <= set(parameters.mimic_iv.icd_titles)


def test_every_reason_group_and_regimen_of_a_stay_is_known() -> None:
    parameters = load_parameters()
    stays, groups = parameters.stays, {group.id for group in parameters.groups.groups}
    used = {reason for band in (*stays.by_age, *stays.by_group.values()) for reason in band.per_person_year}
    used |= {planned.reason for planned in stays.planned} | {stays.births.reason}
    assert used == set(stays.reasons)
    assert set(stays.by_group) | set(stays.births.groups) | {planned.group for planned in stays.planned} <= groups
    assert {name for planned in stays.planned for name in planned.regimens} <= set(parameters.regimens.regimens)
