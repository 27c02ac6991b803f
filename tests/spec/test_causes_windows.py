"""Windows hold at both edges, for every drug of the list and for codes; expected days come from the CSV files."""

import csv
from collections.abc import Iterator, Sequence
from typing import Any

import polars as pl
import pytest

from transforms.examples_of_patients import attribute_patients
from transforms.load import SHIPPED, Definitions, load_definitions
from transforms.model.cause_examples import CauseExample, CodeOnDay, DoseOnDay


@pytest.fixture(scope="module")
def definitions() -> Definitions:
    return load_definitions()


def _rows(name: str) -> list[dict[str, str]]:
    with (SHIPPED / "codelists" / name).open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


def _patient(*doses: tuple[str, int, int | None], codes: Sequence[tuple[str, int]] = ()) -> CauseExample:
    return CauseExample(
        title="",
        exposures=tuple(DoseOnDay(agent=agent, day=day, until=until) for agent, day, until in doses),
        diagnoses=tuple(CodeOnDay(code=code, code_system="icd10cm", day=day) for code, day in codes),
        expect={},
    )


def _categories(definitions: Definitions, patients: Sequence[CauseExample], agents: Sequence[str]) -> list[str | None]:
    """The category that each patient's agent got; null: no candidate."""
    found = attribute_patients(definitions, patients)
    wanted = pl.DataFrame({"person_index": range(len(patients)), "agent": agents}).cast({"person_index": pl.UInt32})
    told = wanted.join(found.filter(pl.col("agent") != ""), on=["person_index", "agent"], how="left")
    return told.sort("person_index")["category"].to_list()


def _cytotoxics() -> list[dict[str, str]]:
    return [row for row in _rows("drugs.csv") if row["cytotoxic"] == "Y"]


def _in_course() -> Iterator[dict[str, Any]]:
    for row in _rows("drugs.csv"):
        if row["cytotoxic"] == "N" and row["onset_anchor"] == "course_start" and row["typical_onset_min_days"]:
            yield {
                "agent": row["generic_name"],
                "min": int(row["typical_onset_min_days"]),
                "max": int(row["typical_onset_max_days"]),
                "tail": int(row["tail_days_after_last_dose"]),
            }


CANCER = ("C509", -200)


@pytest.mark.parametrize(
    ("edge", "category"),
    [("first", "expected"), ("too early", None), ("last", "expected"), ("too late", None)],
)
def test_a_cytotoxic_dose_counts_from_3_days_to_its_window_and_7_more(
    definitions: Definitions, edge: str, category: str | None
) -> None:
    drugs = _cytotoxics()
    latest = [int(row["typical_onset_max_days"]) + 7 for row in drugs]
    day = {
        "first": [3] * len(drugs),
        "too early": [2] * len(drugs),
        "last": latest,
        "too late": [d + 1 for d in latest],
    }
    agents = [row["generic_name"] for row in drugs]
    patients = [_patient((a, -d, None), codes=[CANCER]) for a, d in zip(agents, day[edge], strict=True)]
    found = dict(zip(agents, _categories(definitions, patients, agents), strict=True))
    assert found == dict.fromkeys(agents, category)


def test_of_doses_that_overlap_the_one_that_goes_on_longest_is_counted_from(definitions: Definitions) -> None:
    shorter = ("rituximab", -80, -78)
    found = attribute_patients(definitions, [_patient(("rituximab", -90, -40), shorter), _patient(shorter)])
    days = found.filter(pl.col("agent") == "rituximab").sort("person_index")["days_from_exposure"]
    assert days.unique(maintain_order=True).to_list() == [40, 78]


def test_of_two_doses_before_a_fall_the_nearer_is_counted_from_and_one_too_near_is_not(
    definitions: Definitions,
) -> None:
    doses = [("docetaxel", day, None) for day in (-30, -9, -1)]
    found = attribute_patients(definitions, [_patient(*doses, codes=[CANCER])])
    assert found.filter(pl.col("agent") == "docetaxel")["days_from_exposure"].unique().to_list() == [9]


@pytest.mark.parametrize(
    ("edge", "category"),
    [("minimum", "possible"), ("below minimum", "unlikely"), ("maximum", "possible"), ("above maximum", "unlikely")],
)
def test_a_course_drug_counts_from_its_minimum_to_its_maximum(
    definitions: Definitions, edge: str, category: str
) -> None:
    drugs = list(_in_course())
    start = {"minimum": 0, "below minimum": -1, "maximum": 0, "above maximum": 1}[edge]
    days = [(d["min"] if "minimum" in edge else d["max"]) + start for d in drugs]
    agents = [d["agent"] for d in drugs]
    patients = [_patient((agent, -day, 0)) for agent, day in zip(agents, days, strict=True)]
    assert dict(zip(agents, _categories(definitions, patients, agents), strict=True)) == dict.fromkeys(agents, category)


@pytest.mark.parametrize(("after_tail", "is_candidate"), [(0, True), (1, False)])
def test_a_stopped_drug_counts_to_the_last_day_of_its_tail(
    definitions: Definitions, after_tail: int, is_candidate: bool
) -> None:
    drugs = [drug for drug in _in_course() if drug["min"] + drug["tail"] + 1 <= drug["max"]]
    agents = [drug["agent"] for drug in drugs]
    patients = [_patient((d["agent"], -d["max"], -d["tail"] - after_tail)) for d in drugs]
    found = _categories(definitions, patients, agents)
    assert [category is not None for category in found] == [is_candidate] * len(drugs)


@pytest.mark.parametrize(("day", "category"), [(28, "possible"), (27, None), (330, "possible"), (331, None)])
def test_rituximab_counts_28_to_330_days_after_its_last_dose(
    definitions: Definitions, day: int, category: str | None
) -> None:
    patients = [_patient(("rituximab", -day, None)), _patient(("rituximab", -day, None), ("rituximab", -day - 7, None))]
    assert _categories(definitions, patients, ["rituximab"] * 2) == [category] * 2


@pytest.mark.parametrize(("days_before", "cause"), [(365, "chemotherapy"), (366, "medication")])
def test_dual_use_is_chemotherapy_with_a_cancer_code_up_to_365_days_before_the_dose(
    definitions: Definitions, days_before: int, cause: str
) -> None:
    patient = _patient(("methotrexate", -10, None), codes=[("C509", -10 - days_before)])
    found = attribute_patients(definitions, [patient])
    assert found.filter("is_primary")["cause_group"].to_list() == [cause]


def test_dual_use_with_a_cancer_code_after_the_dose_stays_medication(definitions: Definitions) -> None:
    found = attribute_patients(definitions, [_patient(("methotrexate", -10, None), codes=[("C509", -9)])])
    assert found.filter("is_primary")["cause_group"].to_list() == ["medication"]


@pytest.mark.parametrize(
    ("code", "agent", "lookback", "lookahead"),
    [
        ("J101", "viral_influenza", 21, 7),
        ("B279", "viral_ebv", 42, 14),
        ("A419", "bacterial_sepsis", 14, 0),
        ("D519", "b12", 365, 90),
        ("C833", "lymphoma", 365, 90),
        ("D469", "mds", 365, 180),
        ("Z5111", "encounter", 42, -3),
        ("D701", "coded_attribution", 0, 30),
    ],
)
def test_a_code_counts_on_the_first_and_last_day_of_its_window_and_not_beyond(
    definitions: Definitions, code: str, agent: str, lookback: int, lookahead: int
) -> None:
    days = [-lookback - 1, -lookback, lookahead, lookahead + 1]
    found = _categories(definitions, [_patient(codes=[(code, day)]) for day in days], [agent] * len(days))
    assert found == [None, "supported", "supported", None]
