"""The traps of attribution, one scenario each: what a careless rule would blame, and what is suspected instead."""

from typing import Any

import polars as pl
import pytest

from transforms.examples_of_patients import attribute_patients
from transforms.load import load_definitions
from transforms.model.cause_examples import CauseExample

DEFINITIONS = load_definitions()
Facts = dict[str, Any]


def _dose(agent: str, day: int, until: int | None = None, **more: Any) -> Facts:
    return {"agent": agent, "day": day, "until": until, **more}


def _code(code: str, day: int, system: str = "icd10cm") -> Facts:
    return {"code": code, "code_system": system, "day": day}


def _count(day: int, cells_per_ul: int) -> Facts:
    return {"day": day, "cells_per_ul": cells_per_ul}


def _result(analyte: str, day: int, value: float) -> Facts:
    return {"analyte": analyte, "day": day, "value": value}


CLOZAPINE = {"exposures": [_dose("clozapine", -40, 0)]}
TRAPS: dict[str, tuple[Facts, Facts]] = {
    "the last dose came too late, the one before did it": (
        {"exposures": [_dose("docetaxel", -10), _dose("docetaxel", -1)]},
        {"cause_group": "chemotherapy", "agent": "docetaxel", "days_from_exposure": 10},
    ),
    "a nitrosourea falls six weeks later": (
        {"exposures": [_dose("lomustine", -42)]},
        {"cause_group": "chemotherapy", "agent": "lomustine", "category": "expected"},
    ),
    "seven and three: doses of a week, the first of them did it": (
        {"exposures": [_dose("cytarabine", -7, 0), _dose("daunorubicin", -7, -5)], "diagnoses": [_code("C9200", -10)]},
        {"cause_group": "chemotherapy", "category": "expected"},
    ),
    "an expected fall is not scored for causality": (
        {"exposures": [_dose("docetaxel", -10)]},
        {"category": "expected", "naranjo_score": None, "naranjo_band": None, "dechallenge": None},
    ),
    "lenalidomide stands under L04 and is targeted": (
        {"exposures": [_dose("x", -30, 0, atc="L04AX04")]},
        {"cause_group": "medication", "agent": "lenalidomide"},
    ),
    "rituximab by its earlier ATC code": (
        {"exposures": [_dose("x", -100, atc="L01XC02")]},
        {"cause_group": "medication", "agent": "rituximab"},
    ),
    "methotrexate by its code of an immunosuppressant": (
        {"exposures": [_dose("x", -10, atc="L04AX03")]},
        {"cause_group": "medication", "agent": "methotrexate"},
    ),
    "a cancer of more than a year before the dose does not make it chemotherapy": (
        {"exposures": [_dose("methotrexate", -10)], "diagnoses": [_code("C509", -376)]},
        {"cause_group": "medication", "agent": "methotrexate"},
    ),
    "methotrexate of the arthritis is no chemotherapy": (
        {"exposures": [_dose("methotrexate", -10)], "diagnoses": [_code("M069", -100)]},
        {"cause_group": "medication", "agent": "methotrexate"},
    ),
    "methotrexate of the lymphoma is": (
        {"exposures": [_dose("methotrexate", -10)], "diagnoses": [_code("C833", -100)]},
        {"cause_group": "chemotherapy", "agent": "methotrexate"},
    ),
    "a cancelled order was not given": (
        {"exposures": [_dose("docetaxel", -10, status="cancelled", evidence="ordered")]},
        {"cause_group": "unexplained"},
    ),
    "eye drops do not reach the marrow": (
        {"exposures": [_dose("chloramphenicol", -20, 0, route="ophthalmic")]},
        {"cause_group": "unexplained"},
    ),
    "oral vancomycin stays in the gut": (
        {"exposures": [_dose("vancomycin", -20, 0, route="PO")]},
        {"cause_group": "unexplained"},
    ),
    "a test dose is no course": (
        {"exposures": [_dose("clozapine test dose", -40)]},
        {"cause_group": "unexplained"},
    ),
    "the clock of an idiosyncratic drug starts again with a new course": (
        {"exposures": [_dose("thiamazole", -400, -250), _dose("thiamazole", -30, 0)]},
        {"cause_group": "medication", "agent": "thiamazole", "category": "possible", "days_from_exposure": 30},
    ),
    "a drug begun days ago is too early for its window": (
        {"exposures": [_dose("thiamazole", -5, 0)]},
        {"cause_group": "unexplained"},
    ),
    "metamizole counts ten days after its end": (
        {"exposures": [_dose("metamizole", -14, -10)]},
        {"cause_group": "medication", "agent": "metamizole sodium"},
    ),
    "a cold alone is suspected, for want of anything else": (
        {"diagnoses": [_code("J069", -3)]},
        {"cause_group": "infection", "agent": "viral_other"},
    ),
    "an influenza of three weeks ago is the oldest that counts": (
        {"diagnoses": [_code("J101", -21)]},
        {"cause_group": "infection", "agent": "viral_influenza"},
    ),
    "a day more and it is past": ({"diagnoses": [_code("J101", -22)]}, {"cause_group": "unexplained"}),
    "typhoid in the two weeks before": ({"diagnoses": [_code("A010", -14)]}, {"cause_group": "infection"}),
    "a virus that stays counts ever": ({"diagnoses": [_code("B182", -3000)]}, {"cause_group": "infection"}),
    "a deficiency of vitamin B12 with a usual level is treated, and not the cause": (
        {"diagnoses": [_code("D510", -200)], "results": [_result("b12", -5, 480)]},
        {"cause_group": "unexplained"},
    ),
    "copper may be low without a code": (
        {"results": [_result("copper", 90, 69)]},
        {"cause_group": "nutritional", "agent": "low_copper"},
    ),
    "a low vitamin B12 that nobody coded": (
        {"results": [_result("b12", -180, 199)]},
        {"cause_group": "nutritional", "agent": "low_vitamin_b12"},
    ),
    "blasts in the blood and no diagnosis yet": (
        {"results": [_result("blasts_pct", 3, 5)]},
        {"cause_group": "malignancy_or_marrow", "agent": "blasts"},
    ),
    "all three cell lines low speaks for the marrow, but after a drug": (
        {**CLOZAPINE, "results": [_result("hgb", 0, 8), _result("platelets", 0, 50_000)]},
        {"cause_group": "medication", "agent": "clozapine", "n_competing": 0},
    ),
    "anaemia as well is no isolated fall": (
        {"results": [_result("hgb", 7, 9)]},
        {"cause_group": "malignancy_or_marrow", "agent": "haemoglobin_low_as_well"},
    ),
    "a lymphoma with a usual haemoglobin does not fill the marrow": (
        {"diagnoses": [_code("C833", -30)], "results": [_result("hgb", 0, 13)]},
        {"cause_group": "unexplained"},
    ),
    "a late fall after rituximab is not the lymphoma that it was given for": (
        {"exposures": [_dose("rituximab", -90)], "diagnoses": [_code("C833", -150)]},
        {"cause_group": "medication", "agent": "rituximab"},
    ),
    "rituximab of eleven months ago is the oldest that counts": (
        {"exposures": [_dose("rituximab", -330)]},
        {"cause_group": "medication", "agent": "rituximab"},
    ),
    "a day more of rituximab is too long ago": (
        {"exposures": [_dose("rituximab", -331)]},
        {"cause_group": "unexplained"},
    ),
    "a leukaemia is not the treatment that began the day after": (
        {"exposures": [_dose("cytarabine", 1)], "diagnoses": [_code("C9200", 1), _code("D701", 1)]},
        {"cause_group": "malignancy_or_marrow"},
    ),
    "who has always been near the threshold has not fallen by the drug": (
        {**CLOZAPINE, "counts": [_count(-41, 1900), _count(0, 1300)], "nadir_cells_per_ul": 1300},
        {"cause_group": "unexplained"},
    ),
    "the count was low before the drug": (
        {**CLOZAPINE, "counts": [_count(-45, 1400), _count(0, 1300)], "threshold_cells_per_ul": 1500},
        {"cause_group": "unexplained"},
    ),
    "immunoglobulin of three days before": (
        {"exposures": [_dose("IVIG", -3)]},
        {"cause_group": "medication", "agent": "immunoglobulins, normal human, for intravascular adm."},
    ),
    "mitomycin into the bladder does not reach the marrow": (
        {"exposures": [_dose("mitomycin", -30, route="intravesical")]},
        {"cause_group": "unexplained"},
    ),
    "an operation on the stomach alone is context": (
        {"diagnoses": [_code("Z9884", -700)]},
        {"cause_group": "unexplained"},
    ),
    "sepsis the day after is a consequence": ({"diagnoses": [_code("A419", 1)]}, {"cause_group": "unexplained"}),
    "sepsis on the day is a candidate": ({"diagnoses": [_code("A419", 0)]}, {"cause_group": "infection"}),
    "HIV of years ago still counts": ({"diagnoses": [_code("B20", -3000)]}, {"cause_group": "infection"}),
    "a cold neither outranks a drug nor competes with it": (
        {**CLOZAPINE, "diagnoses": [_code("J069", -3)], "counts": [_count(0, 400), _count(14, 2500)]},
        {"agent": "clozapine", "category": "probable", "n_competing": 0},
    ),
    "vitamin B12 deficiency is found after the count": (
        {"diagnoses": [_code("D519", 60)]},
        {"cause_group": "nutritional", "agent": "b12"},
    ),
    "the marrow disease is diagnosed after the count": (
        {"diagnoses": [_code("D469", 90)]},
        {"cause_group": "malignancy_or_marrow", "agent": "mds"},
    ),
    "LGL leukaemia is marrow, though its neutropenia is immune": (
        {"diagnoses": [_code("C91Z0", -30)]},
        {"cause_group": "malignancy_or_marrow", "agent": "lgl_leukaemia"},
    ),
    "a lymphoma of two years ago is not active": ({"diagnoses": [_code("C833", -730)]}, {"cause_group": "unexplained"}),
    "a history of chemotherapy is context": ({"diagnoses": [_code("Z9221", -5)]}, {"cause_group": "unexplained"}),
    "D70.1 is cancer chemotherapy in ICD-10-CM": ({"diagnoses": [_code("D701", 5)]}, {"cause_group": "chemotherapy"}),
    "D70.1 is any drug in ICD-10-GM": (
        {"diagnoses": [_code("D701", 5, "icd10gm")]},
        {"cause_group": "medication"},
    ),
    "D70.1 does not exist in the ICD-10 of the WHO": (
        {"diagnoses": [_code("D701", 5, "icd10who")]},
        {"cause_group": "unexplained"},
    ),
    "D70.2 stands for a drug that nobody recorded": (
        {"diagnoses": [_code("D702", 5)]},
        {"cause_group": "medication", "agent": "coded_attribution", "category": "supported"},
    ),
    "an encounter for chemotherapy stands for its doses": (
        {"diagnoses": [_code("Z5111", -10)]},
        {"cause_group": "chemotherapy", "agent": "encounter"},
    ),
    "the adverse effect of a cytotoxic is coded": (
        {"diagnoses": [_code("T451X5A", 0)]},
        {"cause_group": "chemotherapy", "agent": "adverse_effect_code"},
    ),
    "a poisoning is no adverse effect": ({"diagnoses": [_code("T360X1A", -2)]}, {"cause_group": "unexplained"}),
    "an adverse effect by its fifth or sixth character is": (
        {"diagnoses": [_code("T360X5A", -2)]},
        {"cause_group": "medication"},
    ),
    "cirrhosis without hypersplenism decides nothing": (
        {"diagnoses": [_code("K7460", -100)]},
        {"cause_group": "unexplained"},
    ),
    "dialysis lowers the count for minutes only": ({"diagnoses": [_code("Z992", -1)]}, {"cause_group": "unexplained"}),
    "alcohol for want of anything else": ({"diagnoses": [_code("F1020", -100)]}, {"cause_group": "other"}),
    "a large spleen alone decides nothing": ({"diagnoses": [_code("R161", -10)]}, {"cause_group": "unexplained"}),
    "a congenital code of a year later still tells": (
        {"diagnoses": [_code("D700", 365)], "age_years": 3},
        {"cause_group": "congenital"},
    ),
    "rheumatoid arthritis alone is no immune neutropenia": (
        {"diagnoses": [_code("M069", -100)]},
        {"cause_group": "unexplained"},
    ),
    "radiotherapy a month before": ({"diagnoses": [_code("Z510", -30)]}, {"cause_group": "other"}),
    "growth factor is treatment, however near": (
        {"exposures": [_dose("filgrastim", -2, 5)]},
        {"cause_group": "unexplained"},
    ),
    "steroids raise the count and are never blamed": (
        {"exposures": [_dose("prednisone", -30, 0)]},
        {"cause_group": "unexplained"},
    ),
    "nothing found, and half a year watched": ({"observed_from_day": -180}, {"cause_group": "unexplained"}),
    "nothing found, and hardly watched": ({"observed_from_day": -20}, {"cause_group": "insufficient_data"}),
    "whoever dies cannot recover after stopping": (
        {**CLOZAPINE, "counts": [_count(0, 100), _count(2, 50)]},
        {"agent": "clozapine", "category": "possible", "dechallenge": "unknown", "naranjo_band": "probable"},
    ),
    "recovered while the drug went on": (
        {
            "exposures": [_dose("clozapine", -40, 60)],
            "counts": [_count(0, 1200), _count(10, 2100), _count(50, 2500)],
            "recovery_day": 10,
        },
        {"cause_group": "unexplained"},
    ),
    "two drugs in their windows make each only possible": (
        {
            "exposures": [_dose("clozapine", -40, 0), _dose("famotidine", -20, 0)],
            "counts": [_count(0, 400), _count(14, 2500)],
        },
        {"agent": "clozapine", "category": "possible", "n_competing": 1},
    ),
    "equal suspects stand by risk, then time, then name": (
        {"exposures": [_dose("ampicillin", -20, 0), _dose("amoxicillin", -20, 0)]},
        {"agent": "amoxicillin", "n_competing": 1},
    ),
    "begun when the count had already fallen by half": (
        {"exposures": [_dose("clozapine", -30, 0)], "counts": [_count(-40, 4000), _count(-31, 2000), _count(0, 900)]},
        {"agent": "clozapine", "began_while_falling": True},
    ),
    "begun at the usual count": (
        {"exposures": [_dose("clozapine", -30, 0)], "counts": [_count(-40, 4000), _count(-31, 2001), _count(0, 900)]},
        {"agent": "clozapine", "began_while_falling": False},
    ),
    "one count before the drug tells nothing of a fall": (
        {"exposures": [_dose("clozapine", -30, 0)], "counts": [_count(-31, 2000), _count(0, 900)]},
        {"agent": "clozapine", "began_while_falling": None},
    ),
    "in its window at the low value but not when the fall may have begun": (
        {"exposures": [_dose("docetaxel", -10)], "last_good_day": -9},
        {"agent": "docetaxel", "is_window_certain": False},
    ),
    "in its window at both ends": (
        {"exposures": [_dose("docetaxel", -10)], "last_good_day": -6},
        {"agent": "docetaxel", "is_window_certain": True},
    ),
    "in its window only when the fall may have begun": (
        {"exposures": [_dose("docetaxel", -20)], "last_good_day": -8},
        {"cause_group": "unexplained", "is_window_certain": False},
    ),
    "the start of the fall was not seen": (
        {"exposures": [_dose("docetaxel", -10)]},
        {"agent": "docetaxel", "is_window_certain": None},
    ),
}
FOUND = attribute_patients(
    DEFINITIONS, [CauseExample.model_validate({"title": "", "expect": {}, **facts}) for facts, _ in TRAPS.values()]
).filter("is_primary")


@pytest.mark.parametrize("trap", TRAPS)
def test_a_trap_is_not_stepped_into(trap: str) -> None:
    expected = TRAPS[trap][1]
    row = FOUND.filter(pl.col("person_index") == list(TRAPS).index(trap)).row(0, named=True)
    assert {name: row[name] for name in expected} == expected
