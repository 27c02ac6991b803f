"""Exposures: what counts, in which course, on which evidence."""

from datetime import datetime
from typing import Any

import polars as pl
import pytest

from transforms.codelists import read_conditions, read_drugs
from transforms.examples_of_patients import DIAGNOSIS, EXPOSURE
from transforms.exposures import chemotherapy_doses, courses, gcsf_doses, recognise_drugs
from transforms.load import load_definitions

DEFINITIONS = load_definitions()
DRUGS, CONDITIONS = read_drugs(DEFINITIONS), read_conditions(DEFINITIONS)


def _at(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _recognise(*rows: dict[str, Any], codes: tuple[tuple[str, str], ...] = ()) -> pl.LazyFrame:
    base = {"person_index": 0, "agent": "docetaxel", "evidence": "administered", "started_at": _at("2020-03-01T10:00")}
    exposure = pl.LazyFrame([{**base, **row} for row in rows], schema=EXPOSURE)
    listed = [
        {"person_index": 0, "code": code, "code_system": "icd10cm", "recorded_at": _at(day)} for code, day in codes
    ]
    diagnosis = pl.LazyFrame(listed, schema=DIAGNOSIS)
    return recognise_drugs(exposure, diagnosis, DRUGS, CONDITIONS, DEFINITIONS.exposures)


def test_an_end_before_the_start_is_a_single_flagged_moment() -> None:
    found = _recognise({"ended_at": _at("2020-02-20"), "evidence": "ordered"}).collect().row(0, named=True)
    assert found["started_at"] == found["ended_at"] == _at("2020-03-01T10:00")
    assert found["is_end_repaired"]


def test_no_end_is_a_single_moment_without_a_flag() -> None:
    found = _recognise({}).collect().row(0, named=True)
    assert found["started_at"] == found["ended_at"]
    assert not found["is_end_repaired"]


@pytest.mark.parametrize(("next_dose", "n_courses"), [("2020-03-31", 1), ("2020-04-01", 2)])
def test_a_gap_of_more_than_30_days_starts_a_new_course(next_dose: str, n_courses: int) -> None:
    found = courses(_recognise({}, {"started_at": _at(next_dose)})).collect()
    assert found.height == n_courses
    assert found["n_doses"].sum() == 2


def test_a_gap_counts_from_the_latest_end_so_far_not_from_the_last_row() -> None:
    long = {"started_at": _at("2020-03-01"), "ended_at": _at("2020-06-01")}
    short = {"started_at": _at("2020-03-02"), "ended_at": _at("2020-03-03")}
    assert courses(_recognise(long, short, {"started_at": _at("2020-06-20")})).collect().height == 1


def test_given_doses_take_the_place_of_orders_of_the_same_course_and_only_of_that() -> None:
    order = {"evidence": "ordered", "ended_at": _at("2020-03-20")}
    given = {"evidence": "administered", "started_at": _at("2020-03-03")}
    later_order = {"evidence": "ordered", "started_at": _at("2020-08-01")}
    other_drug = {"agent": "carboplatin", "evidence": "reported"}
    found = _recognise(order, given, later_order, other_drug).collect()
    assert sorted(zip(found["drug"], found["evidence"], strict=True)) == [
        ("carboplatin", "reported"),
        ("docetaxel", "administered"),
        ("docetaxel", "ordered"),
    ]
    assert _at("2020-03-01T10:00") not in found.filter(pl.col("drug") == "docetaxel")["started_at"].to_list()


def test_people_put_in_order_some_at_a_time_have_the_exposures_of_all_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [
        {"person_index": person, "evidence": evidence, "started_at": _at(f"2020-03-{10 + day:02}"), "agent": agent}
        for person in (5, 0, 3, 9)
        for evidence, day, agent in (("ordered", 0, "docetaxel"), ("administered", person, "methotrexate"))
    ]
    together = _recognise(*rows, codes=(("C50", "2020-03-12"),)).collect()
    monkeypatch.setattr("transforms.exposures._AT_A_TIME", 3)
    assert _recognise(*reversed(rows), codes=(("C50", "2020-03-12"),)).collect().equals(together)
    assert together.height == len(rows)


@pytest.mark.parametrize(
    "status",
    ["Not Given", "not given per sliding scale", "Hold Dose", "cancelled", "entered-in-error", "Flushed", "not-done"],
)
def test_a_dose_that_was_not_given_is_no_exposure(status: str) -> None:
    assert _recognise({"status": status}).collect().is_empty()


@pytest.mark.parametrize(
    "status", [None, "", "Administered", "Delayed Administered", "completed", "stopped", "Discontinued"]
)
def test_a_dose_that_was_given_or_an_order_that_ended_is_an_exposure(status: str | None) -> None:
    assert _recognise({"status": status}).collect().height == 1


@pytest.mark.parametrize(
    ("agent", "route"),
    [
        ("Fluorouracil 5% Creme", None),
        ("Cloramfenicol colirio", None),
        ("Dexamethason Augentropfen", None),
        ("fluorouracil 5% cream", None),
        ("mitomycin", "Intravesical"),
        ("methotrexate", "Intravitreal"),
        ("dexamethasone ophthalmic susp 0.1%", "BOTH EYES"),
        ("diclofenac gel", "TP"),
        ("tobramycin / clindamycin", "IH"),
        ("vancomycin", "PO"),
        ("vancomycin oral liquid", None),
    ],
)
def test_what_does_not_reach_the_marrow_is_no_exposure(agent: str, route: str | None) -> None:
    assert _recognise({"agent": agent, "route": route}).collect().is_empty()


@pytest.mark.parametrize(("agent", "route"), [("vancomycin", "IV"), ("methotrexate", "PO"), ("methotrexate", "IT")])
def test_what_reaches_the_marrow_is_an_exposure(agent: str, route: str) -> None:
    assert _recognise({"agent": agent, "route": route}).collect().height == 1


def test_an_atc_code_comes_before_the_name() -> None:
    found = _recognise({"agent": "clozapine placebo", "atc": "L01CD02"}).collect()
    assert found["drug"].to_list() == ["docetaxel"]


def test_the_same_row_twice_is_one_exposure() -> None:
    assert _recognise({}, {}).collect().height == 1


def test_chemotherapy_doses_are_cytotoxic_and_dual_use_only_with_a_cancer() -> None:
    doses = [{"agent": agent} for agent in ("methotrexate", "venetoclax", "filgrastim", "clozapine")]
    assert chemotherapy_doses(_recognise(*doses)).collect().is_empty()
    with_cancer = chemotherapy_doses(_recognise(*doses, codes=(("C509", "2019-12-01"),))).collect()
    assert with_cancer.rows() == [(0, _at("2020-03-01T10:00"))]


def test_growth_factor_doses_are_those_of_g_csf_and_gm_csf() -> None:
    doses = [{"agent": "Neulasta", "started_at": _at("2020-03-02")}, {"agent": "plerixafor"}, {"agent": "docetaxel"}]
    assert gcsf_doses(_recognise(*doses)).collect().rows() == [(0, _at("2020-03-02"))]


def test_the_order_of_rows_changes_nothing() -> None:
    rows = [
        {"agent": agent, "started_at": _at(f"2020-0{month}-01"), "evidence": evidence}
        for agent in ("docetaxel", "clozapine")
        for month in (1, 3, 4)
        for evidence in ("ordered", "administered")
    ]
    assert _recognise(*rows).collect().equals(_recognise(*reversed(rows)).collect())
