"""Each check finds exactly what was spoiled in a night, and a good night passes them all."""

from dataclasses import dataclass
from typing import Any

import duckdb
import pytest

from expectations.suite import load_suites
from flows.handover import CheckResult, Validated
from flows.night_verdict import judge_night
from flows.stages.validate import stop_message
from tests.expectations.spoils import REFUSING
from tests.expectations.spoils import SPOILS as WHOLE
from transforms.model.changes import CHANGE

Row = dict[str, Any]
Bad = tuple[Validated, dict[tuple[str, int], str]]
BESIDE = (CHANGE, "identifiers_")  # checks that are no suites of tables
CHECKS = {check.id: check for suite in load_suites() for check in suite.checks}


@dataclass(frozen=True)
class Spoil:
    """What is changed in copies of a good row, and how many rows or groups each check then finds."""

    name: str
    table: str
    rows: tuple[Row, ...]
    breaks: dict[str, int]


def lab(analyte: str, value: str | None = "50", breaks: str = "", **changes: Any) -> Spoil:
    row = {"analyte": analyte, "value": value, **changes}
    return Spoil(breaks.split(maxsplit=1)[0], "lab", (row,), dict.fromkeys(breaks.split(), 1))


def other(table: str, breaks: str, **changes: Any) -> Spoil:
    return Spoil(breaks.split(maxsplit=1)[0], table, (changes,), dict.fromkeys(breaks.split(), 1))


def specimen(breaks: dict[str, int], **values: str) -> Spoil:
    return Spoil(next(iter(breaks)), "lab", tuple({"analyte": a, "value": v} for a, v in values.items()), breaks)


SPOILS = (
    lab("wbc", "5000", "lab_person_missing", person_id=None),
    lab("wbc", "5000", "lab_incomplete", status=None),
    lab("wbc", "5000", "lab_time_missing", collected_at=None, version_at=None),
    lab("wbc", "5000", "lab_person_unknown", person_id="stranger"),
    lab("wbc", "5000", "lab_specimen_type", specimen_type="urine"),
    lab("wbc", "5000", "lab_time_precision", time_precision="hour"),
    lab("wbc", "5000", "lab_method", method="guess"),
    lab("wbc", "5000", "lab_comparator", comparator="~"),
    lab("wbc", "5000", "lab_status", status="cancelled"),
    lab("wbc", "5", "lab_unit_count", unit="K/uL"),
    lab("neut_pct", "0.5", "lab_unit_share", unit="1"),
    lab("wbc", None, "lab_bounds_crossed", lower_bound="400", upper_bound="300"),
    lab("wbc", "500", "lab_value_outside_bounds", lower_bound="100", upper_bound="400"),
    lab("wbc", None, "lab_comparator_without_bound", comparator="<", lower_bound="0", upper_bound=None),
    lab("wbc", "-1", "lab_negative"),
    lab("anc_direct", "200001", "lab_neutrophils_impossible lab_neutrophils_extreme"),
    lab("wbc", "1000001", "lab_wbc_impossible lab_wbc_extreme"),
    lab("lymph_pct", "101", "lab_share_impossible"),
    lab("platelets", "3000001", "lab_platelets_impossible"),
    lab("hgb", "130", "lab_hemoglobin_impossible"),
    lab("anc_direct", "50001", "lab_neutrophils_extreme"),
    lab("wbc", "100001", "lab_wbc_extreme"),
    lab("bands_pct", "61", "lab_bands_extreme"),
    lab("wbc", "5000", "lab_resulted_before_collection", version_at="2024-03-01 07:59:00"),
    lab("wbc", "5000", "lab_before_birth lab_resulted_late", person_id="young", collected_at="1998-12-31 12:00:00"),
    lab(
        "wbc", "5000", "lab_year_before_birth lab_resulted_late", person_id="young", collected_at="1999-01-01 12:00:00"
    ),
    lab("wbc", "5000", "lab_after_death", person_id="dead", collected_at="2024-03-03 00:00:00", version_at=None),
    lab(
        *("wbc", "5000", "lab_date_implausible lab_in_future lab_outside_observation"),
        collected_at="2026-01-01 00:00:00",
        version_at="2026-01-02 00:00:00",
    ),
    lab("wbc", "5000", "lab_resulted_late", version_at="2024-05-01 00:00:00"),
    specimen({"lab_differential_blank": 4}, wbc="100", anc_direct="0", neut_pct="0", lymph_pct="0", mono_pct="0"),
    specimen({"lab_factor_of_ten": 3}, wbc="5000", anc_direct="3", neut_pct="60", platelets="150000"),
    specimen({"lab_differential_sum": 1}, neut_pct="60", lymph_pct="45", mono_pct="7"),
    specimen({"lab_anc_above_wbc": 1}, wbc="1000", anc_direct="1121"),
    Spoil(
        "lab_duplicate_key",
        "lab",
        ({"analyte": "wbc", "value": "5000", "record_key": 7},) * 2,
        {"lab_duplicate_key": 1},
    ),
    lab("wbc", "5000", "lab_untraceable", row_number=None),
    other("person", "person_key_missing", person_id=" "),
    other("person", "person_untraceable", person_id="p-u", row_number=None),
    Spoil("person_duplicate_key", "person", ({"person_id": "twin"},) * 2, {"person_duplicate_key": 1}),
    other("person", "person_sex", person_id="p-s", sex="M"),
    other("person", "person_age", person_id="p-a", age_years=300),
    other("person", "person_birth_year", person_id="p-b", birth_year=1870),
    other("person", "person_died_before_birth", person_id="p-d", died_on="1960-01-01"),
    other("person", "person_died_too_old", person_id="p-o", birth_year=1891, died_on="2024-01-01"),
    other("person", "person_died_in_future", person_id="p-f", died_on="2025-01-01"),
    other("person", "person_age_contradicts", person_id="p-c", age_years=20, age_at="2024-01-01"),
    other("person", "person_weight", person_id="p-w", weight=-1.0),
    other("person", "person_design_missing", person_id="p-n", weight=1.0),
    other("observation", "observation_incomplete", ended_on=None, started_on="2023-01-02"),
    Spoil(
        "observation_duplicate_key",
        "observation",
        ({"started_on": "2022-01-01"},) * 2,
        {"observation_duplicate_key": 1},
    ),
    other("observation", "observation_ends_first", started_on="2025-01-01"),
    other("observation", "observation_person_unknown", person_id="stranger"),
    other("observation", "observation_before_birth", person_id="p2", started_on="1960-01-01"),
    other("observation", "observation_too_long observation_before_birth", started_on="1850-01-01"),
    other("observation", "observation_after_death", person_id="dead", started_on="2023-01-01"),
    other("observation", "observation_ends_in_future", started_on="2021-01-01", ended_on="2024-12-31"),
    other("encounter", "encounter_untraceable", row_number=None, setting="outpatient"),
    other("encounter", "encounter_incomplete", started_at=None),
    Spoil("encounter_duplicate_key", "encounter", ({"setting": "emergency"},) * 2, {"encounter_duplicate_key": 1}),
    other("encounter", "encounter_person_unknown", person_id="stranger"),
    other(
        "encounter",
        "encounter_date_implausible encounter_before_birth encounter_too_long",
        started_at="1899-12-31 00:00:00",
    ),
    other(
        "encounter",
        "encounter_before_birth",
        person_id="young",
        started_at="1990-01-01 00:00:00",
        ended_at="1990-01-01 12:00:00",
    ),
    other(
        "encounter",
        "encounter_after_death",
        person_id="dead",
        started_at="2024-05-01 00:00:00",
        ended_at="2024-05-01 12:00:00",
    ),
    other("encounter", "encounter_in_future", started_at="2024-07-01 00:00:00", ended_at="2024-07-01 12:00:00"),
    other("encounter", "encounter_ends_first", started_at="2024-02-01 00:00:00"),
    other("encounter", "encounter_setting", setting="garden"),
    other("encounter", "encounter_too_long", started_at="2024-01-05 00:00:00", ended_at="2027-01-01 00:00:00"),
    other("exposure", "exposure_untraceable", row_number=None),
    other("exposure", "exposure_incomplete", agent=None),
    Spoil("exposure_duplicate_key", "exposure", ({"record_key": 7},) * 2, {"exposure_duplicate_key": 1}),
    other("exposure", "exposure_person_unknown", person_id="stranger"),
    other("exposure", "exposure_date_implausible exposure_before_birth", started_at="1899-12-31 00:00:00"),
    other(
        "exposure",
        "exposure_before_birth",
        person_id="young",
        started_at="1990-01-01 00:00:00",
        ended_at="1990-01-01 12:00:00",
    ),
    other(
        "exposure",
        "exposure_after_death",
        person_id="dead",
        started_at="2024-05-01 00:00:00",
        ended_at="2024-05-01 12:00:00",
    ),
    other(
        "exposure",
        "exposure_in_future",
        started_at="2024-07-01 00:00:00",
        ended_at="2024-07-01 12:00:00",
        evidence="administered",
    ),
    other("exposure", "exposure_ends_first", started_at="2024-02-01 00:00:00"),
    other("exposure", "exposure_agent_blank", agent=" "),
    other("exposure", "exposure_evidence", evidence="rumour"),
    other("exposure", "exposure_dose", dose=-1.0),
    other("exposure", "exposure_given_too_long", evidence="administered", ended_at="2026-01-01 00:00:00"),
    other("exposure", "exposure_atc_shape", atc="253337"),
    other("exposure", "exposure_rxnorm_shape", rxnorm="L01DB01"),
    Spoil(
        *("exposure_agent_is_number", "exposure", ({"agent": "12345"}, {"agent": "67.8"})),
        {"exposure_agent_is_number": 2},
    ),
    other("diagnosis", "diagnosis_untraceable", row_number=None),
    other("diagnosis", "diagnosis_incomplete", code=None),
    Spoil("diagnosis_duplicate_key", "diagnosis", ({"record_key": 7},) * 2, {"diagnosis_duplicate_key": 1}),
    other("diagnosis", "diagnosis_person_unknown", person_id="stranger"),
    other("diagnosis", "diagnosis_date_implausible diagnosis_before_birth", recorded_at="1899-12-31 00:00:00"),
    other("diagnosis", "diagnosis_before_birth", person_id="young", recorded_at="1990-01-01 00:00:00"),
    other(
        "diagnosis", "diagnosis_after_death diagnosis_in_future", person_id="dead", recorded_at="2025-06-01 00:00:00"
    ),
    other("diagnosis", "diagnosis_in_future", recorded_at="2024-07-01 00:00:00"),
    other("diagnosis", "diagnosis_code_blank", code=""),
    other("diagnosis", "diagnosis_code_system", code_system="icd11"),
    other("diagnosis", "diagnosis_code_shape", code="2880"),
    other("diagnosis", "diagnosis_code_shape", code="D709", code_system="icd9cm"),
    other("vital", "vital_untraceable", row_number=None),
    other("vital", "vital_incomplete", celsius=None),
    Spoil("vital_duplicate_key", "vital", ({"record_key": 7},) * 2, {"vital_duplicate_key": 1}),
    other("vital", "vital_person_unknown", person_id="stranger"),
    other("vital", "vital_date_implausible vital_before_birth", measured_at="1899-12-31 00:00:00"),
    other("vital", "vital_before_birth", person_id="young", measured_at="1990-01-01 00:00:00"),
    other("vital", "vital_after_death", person_id="dead", measured_at="2024-05-01 00:00:00"),
    other("vital", "vital_in_future", measured_at="2024-07-01 00:00:00"),
    other("vital", "vital_celsius", celsius="99.5"),
    other("vital", "vital_site", site="elbow"),
)

# Whole extracts are spoiled for the others.
ABOUT_WHOLE_TABLES = {found for spoil in WHOLE for found in (spoil.found, *spoil.beside)} | set(REFUSING)


def set_aside(validated: Validated) -> list[tuple[str, int, str]]:
    """(table, row number, rule) of every row set aside."""
    sql = f"SELECT table_name, row_number, rule FROM read_parquet('{validated.set_aside}') ORDER BY ALL"
    return duckdb.sql(sql).fetchall()


def result(validated: Validated, check_id: str) -> CheckResult:
    return next(check for check in validated.checks if check.check_id == check_id)


def spoiled_night(night: Any) -> tuple[dict[str, list[Row]], dict[tuple[str, int], str]]:
    """A good night with every spoil in it, each in rows of its own; and which spoil each new row belongs to."""
    tables, owners = night.good(), {}
    number = 1000
    for place, spoil in enumerate(SPOILS):
        template = tables[spoil.table][0]
        for changes in spoil.rows:
            number += 1
            own = {"row_number": number, "record_key": number}
            if spoil.table == "lab":
                base = night.lab(number, changes["analyte"], changes["value"], specimen_id=f"x{place}")
            else:
                base = {**template, **own}
            row = {**base, **changes}
            tables[spoil.table].append(row)
            owners[(f"canonical.{spoil.table}", number)] = spoil.name
    return tables, owners


@pytest.fixture(scope="module")
def bad(new_night: Any) -> Bad:
    night = new_night("bad")
    tables, owners = spoiled_night(night)
    return night.check(tables), owners


@pytest.fixture(scope="module")
def fine(new_night: Any) -> Validated:
    night = new_night("fine")
    return night.check(night.good())


def test_a_good_night_goes(fine: Validated) -> None:
    assert fine.verdict == "go"
    assert {check.status for check in fine.checks} == {"passed", "not_applicable"}
    assert set_aside(fine) == []
    assert set(fine.ledger) == set(fine.received.ledger)


def test_every_check_of_every_suite_is_listed(fine: Validated) -> None:
    assert [check.check_id for check in fine.checks if not check.check_id.startswith(BESIDE)] == list(CHECKS)


def test_every_check_has_a_way_to_break_it() -> None:
    broken = {check_id for spoil in SPOILS for check_id in spoil.breaks}
    types = {check_id for check_id, check in CHECKS.items() if check.types}
    assert set(CHECKS) - broken - ABOUT_WHOLE_TABLES == types


@pytest.mark.parametrize("check_id", sorted({c for spoil in SPOILS for c in spoil.breaks}))
def test_a_check_fails_for_exactly_what_was_spoiled(bad: Bad, check_id: str) -> None:
    found = result(bad[0], check_id)
    assert found.status == "failed"
    assert found.n_failed == sum(spoil.breaks.get(check_id, 0) for spoil in SPOILS)


def test_the_rows_set_aside_are_those_that_were_spoiled_and_carry_the_rule_that_caught_them(
    bad: Bad,
) -> None:
    validated, owners = bad
    caught = {(table, number): rule for table, number, rule in set_aside(validated)}
    refusing = {check_id for check_id, check in CHECKS.items() if check.severity == "quarantine"}
    partly = {"lab_differential_blank": 4, "lab_factor_of_ten": 3}
    for spoil in SPOILS:
        rules = [rule for key, rule in caught.items() if owners.get(key) == spoil.name]
        expected = spoil.name in refusing
        assert rules == [spoil.name] * (partly.get(spoil.name, 1) if expected else 0), spoil.name
    assert set(caught) <= set(owners), "a good row was set aside"


def test_white_cells_stay_when_a_differential_of_zeros_goes(
    bad: Bad,
) -> None:
    validated, owners = bad
    numbers = sorted(number for (_, number), name in owners.items() if name == "lab_differential_blank")
    kept = set(numbers) - {number for _, number, _ in set_aside(validated)}
    assert kept == {numbers[0]}


def test_the_ledger_still_adds_up_and_holds_every_row_set_aside(
    bad: Bad,
) -> None:
    validated, _ = bad
    for line in validated.ledger:
        parts = (line.n_accepted, line.n_duplicate, line.n_superseded, line.n_quarantined, line.n_irrelevant)
        assert line.n_received == sum(parts)
    assert sum(line.n_quarantined for line in validated.ledger) == len(set_aside(validated)) > 0


def test_a_night_with_a_broken_key_is_stopped(bad: Bad) -> None:
    validated, _ = bad
    assert validated.verdict == "stop"
    message = str(stop_message(validated))
    assert "lab_duplicate_key" in message
    assert "lab_wbc_extreme" not in message, "what only warns does not stop"


def test_the_summary_shows_the_verdict_and_every_check(bad: Bad, night: Any) -> None:
    text = judge_night(bad[0], night.context).as_markdown()
    assert text.startswith("**Verdict stop")
    assert all(f"| {check_id} |" in text for check_id in CHECKS)
