"""The simulated hospital looks like published ones: healthy counts, cycles, detours of the laboratory."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from flows.simulation.chemotherapy import Courses, draw_courses
from flows.simulation.hospital import SimulationRequest, VisitRegime, simulate_hospital
from flows.simulation.parameters import load_parameters
from flows.simulation.people import draw_background, draw_people

DAYS = 21


@pytest.fixture(scope="module")
def extract(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("noisy")
    simulate_hospital(SimulationRequest(1500, 365, "parquet", out, 3, out / "truth.parquet"))
    return out


def labs_of(out: Path) -> pl.DataFrame:
    return pl.read_parquet(out / "labs.parquet")


def test_healthy_counts_have_the_published_quantiles() -> None:
    parameters = load_parameters()
    rng = np.random.default_rng(1)
    people = draw_people(rng, 20_000, 2, parameters)
    path, _, _ = draw_background(rng, people, 2, parameters, is_noise_free=False)
    untreated = np.array([group.baseline_factor == 1.0 for group in parameters.groups.groups])[people.group]
    count = np.exp(path[0])
    null = count[people.is_duffy_null & untreated & (people.age >= 18)]
    other = count[~people.is_duffy_null & untreated & (people.age >= 18)]
    assert np.median(other) == pytest.approx(4.2, abs=0.15)
    assert 0.005 < (other < 1.5).mean() < 0.012
    assert np.quantile(null, [0.25, 0.5, 0.75]) == pytest.approx([1.86, 2.60, 3.53], rel=0.08)
    assert (null < 1.5).mean() == pytest.approx(0.136, abs=0.035)
    assert (null < 1.0).mean() == pytest.approx(0.025, abs=0.012)


def first_cycle(*, has_growth_factor: bool) -> tuple[Courses, np.ndarray]:
    """Counts of 800 people twice a day over the first cycle of docetaxel and doxorubicin, 10^9/L."""
    parameters = load_parameters()
    rng = np.random.default_rng(4)
    people = draw_people(rng, 800, 100, parameters)
    names = list(parameters.regimens.regimens)
    shares = np.zeros((len(parameters.groups.groups), len(names)))
    shares[:, names.index("docetaxel_doxorubicin")] = 1.0
    courses = draw_courses(rng, people, shares, parameters.regimens)
    courses.next_on[:] = 0
    courses.has_prophylaxis[:] = has_growth_factor
    log_baseline = np.log(4.6) + 0.28 * rng.standard_normal(people.n)
    counts = []
    for day in range(DAYS):
        courses.move(day, 0, 12)
        counts.append(np.exp(log_baseline + courses.log_ratio))
        courses.decide(rng, day, np.full(people.n, np.inf))
        courses.move(day, 12, 12)
        counts.append(np.exp(log_baseline + courses.log_ratio))
    return courses, np.array(counts)


@pytest.mark.parametrize(
    ("has_growth_factor", "days_severe", "nadir"),
    [pytest.param(False, 3.85, 0.2, id="alone"), pytest.param(True, 1.1, 0.7, id="with G-CSF")],
)
def test_the_first_cycle_has_the_published_days_of_severe_neutropenia(
    has_growth_factor: bool, days_severe: float, nadir: float
) -> None:
    _, counts = first_cycle(has_growth_factor=has_growth_factor)
    assert ((counts < 0.5).sum(axis=0) / 2).mean() == pytest.approx(days_severe, abs=0.6)
    assert np.median(counts.min(axis=0)) == pytest.approx(nadir, abs=0.2)


def test_doses_are_held_back_on_an_observed_low_count() -> None:
    courses, _ = first_cycle(has_growth_factor=False)
    rng = np.random.default_rng(0)
    due = courses.next_on == DAYS
    observed = np.where(np.arange(courses.n) % 2 == 0, 900.0, 4000.0)
    given, _ = courses.decide(rng, DAYS, observed)
    assert due.all()
    assert set(given) == set(np.flatnonzero(observed > 1500))
    assert (courses.next_on[observed < 1500] > DAYS).all()


def test_each_laboratory_writes_in_its_own_unit_and_route(extract: Path) -> None:
    whites = labs_of(extract).filter(pl.col("test_code").is_in(["6690-2", "26464-8", "804-5"]))
    assert set(whites["unit"]) == {"10*3/uL", "cells/uL", "x10^9/L"}
    codes = {site: set(rows["test_code"]) for (site,), rows in labs_of(extract).group_by("site")}
    assert "751-8" in codes["north"]
    assert not codes["south"] & {"751-8", "26499-4", "753-4"}
    assert {"769-0", "764-1"} <= codes["east"]


def test_half_of_routine_counts_and_nearly_all_near_zero_have_no_differential(extract: Path) -> None:
    labs = labs_of(extract).filter((pl.col("site") == "north") & (pl.col("status") != "preliminary"))
    white = labs.filter(pl.col("test_code") == "6690-2").unique("specimen_id")
    anc = labs.filter(pl.col("test_code") == "751-8").unique("specimen_id")
    joined = white.join(anc.select("specimen_id", anc="value"), on="specimen_id", how="left")
    has_number = pl.col("anc").is_not_null() & (pl.col("anc") != "ND")
    near_zero = joined.filter(pl.col("value").is_in(["<0.1", "0.1"]))
    usual = joined.filter(pl.col("value").cast(pl.Float64, strict=False) > 4)
    assert near_zero.height > 5
    assert near_zero.select(has_number.mean()).item() < 0.25
    assert 0.5 < usual.select(has_number.mean()).item() < 0.8


def test_limits_corrections_repeats_and_urine_occur(extract: Path) -> None:
    labs = labs_of(extract)
    assert labs["value"].str.starts_with("<").sum() > 10
    corrected = labs.filter(pl.col("status") == "corrected")
    keys = ["specimen_id", "test_code"]
    earlier = corrected.join(labs.filter(pl.col("status") == "final"), on=keys)
    assert earlier.height >= corrected.height > 20
    assert (earlier["resulted_at"] > earlier["resulted_at_right"]).all()
    assert labs.is_duplicated().sum() > 20
    assert labs.filter(pl.col("status") == "preliminary").height > 20
    assert set(labs.filter(pl.col("unit") == "/HPF")["specimen"]) == {"urine"}


def test_people_are_counted_more_often_while_low_and_less_after_recovery(extract: Path) -> None:
    labs = labs_of(extract).filter(pl.col("test_code") == "751-8", pl.col("value") != "ND")
    number = pl.col("value").str.strip_prefix("<").cast(pl.Float64)
    visits = labs.select("person_id", "collected_at", number.alias("anc")).unique(["person_id", "collected_at"])
    gaps = visits.sort("person_id", "collected_at").with_columns(
        gap=(pl.col("collected_at").shift(-1) - pl.col("collected_at")).over("person_id").dt.total_hours() / 24
    )
    severe = gaps.filter(pl.col("anc") < 0.5)["gap"].median()
    normal = gaps.filter(pl.col("anc") > 2.0)["gap"].median()
    assert severe <= 2.0
    assert normal > 3 * severe


def test_nothing_happens_outside_the_time_of_observation(extract: Path) -> None:
    spans = pl.read_parquet(extract / "observations.parquet")
    timed = {"labs": "collected_at", "exposures": "started_at", "diagnoses": "recorded_at", "vitals": "measured_at"}
    for table, column in timed.items():
        rows = pl.read_parquet(extract / f"{table}.parquet").join(spans, on="person_id")
        on = pl.col(column).dt.date()
        assert rows.filter(~on.is_between("started_on", "ended_on")).height == 0, table
    died = pl.read_parquet(extract / "persons.parquet").drop_nulls("died_on").join(spans, on="person_id")
    assert died.height > 20
    assert (died["died_on"] == died["ended_on"]).all()


def test_every_cause_leaves_true_episodes(extract: Path) -> None:
    truth = pl.read_parquet(extract / "truth.parquet")
    assert set(truth["cause_group"]) == {
        "chemotherapy",
        "medication",
        "infection",
        "nutritional",
        "malignancy_or_marrow",
        "autoimmune",
        "congenital",
        "unexplained",
    }
    assert set(truth["ended_as"]) == {"recovered", "censored_end", "died"}


@pytest.mark.parametrize(("visits", "least"), [("daily", 25), ("weekly", 3)])
def test_a_fixed_schedule_is_kept_whatever_the_counts(tmp_path: Path, visits: VisitRegime, least: int) -> None:
    simulate_hospital(SimulationRequest(60, 28, "parquet", tmp_path, 9, visits=visits))
    specimens = pl.read_parquet(tmp_path / "labs.parquet").unique("specimen_id")
    spans = pl.read_parquet(tmp_path / "observations.parquet")
    whole = spans.filter((pl.col("ended_on") - pl.col("started_on")).dt.total_days() == 27)
    counted = specimens.join(whole, on="person_id", how="semi").group_by("person_id").len()
    assert counted.height == whole.height
    assert counted["len"].min() >= least


def test_fever_brings_people_in_only_where_symptoms_decide(tmp_path: Path) -> None:
    temperatures = {}
    regimes: tuple[VisitRegime, ...] = ("clinic", "symptoms", "fixed")
    for visits in regimes:
        out = tmp_path / visits
        simulate_hospital(SimulationRequest(500, 240, "parquet", out, 8, visits=visits))
        measured = pl.read_parquet(out / "vitals.parquet")
        temperatures[visits] = measured.filter(pl.col("celsius") >= 38.0).height
    assert temperatures["symptoms"] > 1.5 * temperatures["clinic"]
    assert temperatures["fixed"] <= temperatures["clinic"]
