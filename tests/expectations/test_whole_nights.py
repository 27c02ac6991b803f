"""What the verdict is for whole nights: empty, one-sided, mistyped, shifted, or the second of two."""

from typing import Any

import duckdb
import pytest

from flows.handover import CheckResult, Validated
from flows.warehouse import open_warehouse


def set_aside(validated: Validated) -> list[tuple[str, int, str]]:
    """(table, row number, rule) of every row set aside."""
    sql = f"SELECT table_name, row_number, rule FROM read_parquet('{validated.set_aside}') ORDER BY ALL"
    return duckdb.sql(sql).fetchall()


def result(validated: Validated, check_id: str) -> CheckResult:
    return next(check for check in validated.checks if check.check_id == check_id)


@pytest.mark.parametrize("tables", [{"lab": []}, {}], ids=["an empty lab table", "no lab table"])
def test_an_extract_without_blood_counts_warns_and_no_lab_check_passes(
    night: Any, tables: dict[str, list[dict[str, Any]]]
) -> None:
    validated = night.check({"person": night.good()["person"], **tables})
    lab = [check for check in validated.checks if check.table_name == "canonical.lab"]
    assert {check.status for check in lab if check.check_id not in {"lab_is_there", "lab_neutrophils_there"}} == {
        "not_applicable"
    }
    assert result(validated, "lab_is_there").status == "failed"
    assert validated.verdict == "warn"


def test_an_extract_without_neutrophils_warns(night: Any) -> None:
    tables = {"person": night.good()["person"], "lab": [night.lab(1, "wbc", "5000")]}
    validated = night.check(tables)
    assert (result(validated, "lab_neutrophils_there").status, validated.verdict) == ("failed", "warn")


def test_many_impossible_values_stop_the_night(night: Any) -> None:
    rows = [night.lab(n, "hgb", "130" if n <= 3 else "13", specimen_id=f"s{n}") for n in range(1, 11)]
    validated = night.check({"person": night.good()["person"], "lab": rows})
    stop = result(validated, "lab_mostly_impossible")
    assert (stop.status, stop.n_failed, validated.verdict) == ("failed", 3, "stop")


def test_a_column_of_another_type_stops_the_night(night: Any) -> None:
    night.types = {"lab": {"unit": "BLOB"}, "vital": {"celsius": "DOUBLE"}}
    validated = night.check(night.good())
    assert (result(validated, "vital_types").status, result(validated, "vital_types").n_failed) == ("failed", 1)
    assert result(validated, "lab_types").status in {"failed", "error"}
    assert validated.verdict == "stop"


def test_shifted_dates_are_not_judged_by_the_calendar(night: Any) -> None:
    tables = {"person": night.good()["person"]}
    tables["lab"] = [night.lab(1, "anc_direct", "3000", collected_at="2150-01-01 00:00:00", version_at=None)]
    validated = night.check(tables, dates="shifted")
    assert result(validated, "lab_date_implausible").status == "not_applicable"
    assert validated.verdict == "go"


def test_a_result_on_the_day_after_death_is_kept(night: Any) -> None:
    rows = [night.lab(1, "anc_direct", "3000", person_id="dead", collected_at="2024-03-02 23:00:00", version_at=None)]
    validated = night.check({"person": night.good()["person"], "lab": rows})
    assert (result(validated, "lab_after_death").status, set_aside(validated)) == ("passed", [])


def test_a_person_of_an_earlier_night_is_no_stranger(night: Any) -> None:
    night.context.workspace.create()
    with open_warehouse(night.context.workspace.warehouse, memory_limit="1GB") as connection:
        connection.execute(
            "INSERT INTO canonical.person (person_id, source_id, record_key, input_id, row_number, died_on) "
            "VALUES ('earlier', 'site', 1, 'old', 1, '2020-01-01')"
        ).fetchall()
    rows = [night.lab(n, "anc_direct", "3000", person_id=p, specimen_id=p) for n, p in enumerate(["earlier", "p1"], 1)]
    validated = night.check({"person": night.good()["person"], "lab": rows})
    assert result(validated, "lab_person_unknown").status == "passed"
    assert set_aside(validated) == [("canonical.lab", 1, "lab_after_death")]


def test_rows_that_receive_dropped_are_not_checked_again(night: Any) -> None:
    rows = [night.lab(1, "anc_direct", "3000"), night.lab(2, "wbc", "-5")]
    dropped = [{"table_name": "canonical.lab", "input_id": night.input_id, "row_number": 2}]
    validated = night.check({"person": night.good()["person"], "lab": rows}, dropped=dropped)
    negative = result(validated, "lab_negative")
    assert (negative.n_rows, negative.n_failed) == (1, 0)
    assert set_aside(validated) == []


@pytest.mark.parametrize(
    ("direct", "computed_wbc"),
    [("0", "100"), ("100", "800"), ("12", "120")],
    ids=["a true zero", "rounding of a low count", "a low count beside a lower one"],
)
def test_very_low_counts_are_never_taken_for_a_wrong_unit(night: Any, direct: str, computed_wbc: str) -> None:
    rows = [night.lab(1, "anc_direct", direct), night.lab(2, "wbc", computed_wbc), night.lab(3, "neut_pct", "100")]
    validated = night.check({"person": night.good()["person"], "lab": rows})
    assert set_aside(validated) == []


def test_the_largest_number_a_column_can_hold_is_set_aside_and_no_error(night: Any) -> None:
    most = "999999999999.999999"
    analytes = ["anc_direct", "wbc", "neut_pct", "bands_pct", "lymph_pct", "mono_pct", "platelets", "hgb"]
    rows = [night.lab(n, analyte, most) for n, analyte in enumerate(analytes, 1)]
    validated = night.check({"person": night.good()["person"], "lab": rows})
    assert [check.check_id for check in validated.checks if check.status == "error"] == []
    assert len(set_aside(validated)) == len(rows)
