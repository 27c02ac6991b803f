"""People, observed spans, stays, drugs, diagnoses and temperatures as sent become canonical rows, or a rule.

A row with a fault in what the table needs is set aside; a word that nadir does not know becomes null where the table
allows it, and a rule where it does not.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from flows.lab_rows import Laboratory
from flows.parsing import decimal_point, one_of, person_key, spelled
from flows.sources.protocol import constant, literal
from transforms.model.sources import Receiving
from transforms.schemas import schema_of


@dataclass(frozen=True)
class Records:
    """What a table's rows are made of: SQL of each column, the natural key, and rules in the order they are tried."""

    columns: Mapping[str, str]
    key: tuple[str, ...]
    rules: Mapping[str, str]


def judge_records(table: str, raw: str, laboratory: Laboratory, source_id: str, input_id: str, decimal: str) -> str:
    """SELECT of the columns of `table`, `sent`, and `rule`, null for a row that is taken in.

    Of a source without dates, no row of a table that needs one can be taken in.
    """
    receiving = laboratory.receiving
    records = RECORDS[table](receiving, decimal)
    parts = {
        "person_id": "person",
        **records.columns,
        "record_key": f"hash({', '.join((literal(source_id), 'person', *records.key))})",
        "row_number": "row_number",
    }
    typed = {c.name: f"{parts[c.name]}::{c.type}" for c in schema_of(table).columns if c.name in parts}
    typed |= {"source_id": constant(source_id), "input_id": constant(input_id)}
    columns = ", ".join(f"{typed[name]} AS {name}" for name in schema_of(table).column_names)
    rules = {"filtered_out": "NOT is_wanted"}
    if laboratory.source_map.dates == "none" and "date_missing" in records.rules:
        rules["no_date_possible"] = "true"
    rules |= {**_before_person(table, receiving), "person_missing": "person IS NULL"}
    whens = " ".join(f"WHEN {test} THEN {literal(rule)}" for rule, test in {**rules, **records.rules}.items())
    return f"""
        WITH raw AS ({raw}),
        known AS (SELECT raw.*, {person_key("person_id")} AS person FROM raw)
        SELECT {columns}, column_number, sent, CASE {whens} END AS rule FROM known"""


def _before_person(table: str, receiving: Receiving) -> Mapping[str, str]:
    return {"dose_not_given": one_of("status", receiving.not_given)} if table == "canonical.exposure" else {}


def _person(receiving: Receiving, decimal: str) -> Records:
    yes, no = one_of("duffy_null", receiving.trues), one_of("duffy_null", receiving.falses)
    columns = {
        "sex": spelled("sex", receiving.sexes),
        "birth_year": "try_cast(birth_year AS INTEGER)",
        "age_years": "try_cast(age_years AS INTEGER)",
        "age_at": "age_at",
        "died_on": "died_on",
        "race_ethnicity": "race_ethnicity",
        "duffy_null": f"CASE WHEN {yes} THEN true WHEN {no} THEN false END",
        "weight": f"try_cast({decimal_point('weight', decimal)} AS DOUBLE)",
        "stratum": "stratum",
        "psu": "psu",
    }
    return Records(columns, (), {"date_invalid": "died_on__bad OR age_at__bad"})


def _observation(_receiving: Receiving, _decimal: str) -> Records:
    columns = {"started_on": "started_on", "ended_on": "ended_on", "is_inferred": "false"}
    rules = {
        "date_invalid": "started_on__bad OR ended_on__bad",
        "date_missing": "started_on IS NULL OR ended_on IS NULL",
        "ends_before_start": "ended_on < started_on",
    }
    return Records(columns, ("started_on",), rules)


def _encounter(receiving: Receiving, _decimal: str) -> Records:
    setting = f"CASE WHEN setting IS NOT NULL THEN coalesce({spelled('setting', receiving.settings)}, 'other') END"
    columns = {"started_at": "started_at", "ended_at": "ended_at", "setting": setting}
    return Records(columns, ("started_at", f"({setting})"), _span_rules())


def _exposure(receiving: Receiving, decimal: str) -> Records:
    evidence = spelled("evidence", receiving.evidences)
    columns = {
        "agent": "lower(agent)",
        "atc": "upper(atc)",
        "rxnorm": person_key("rxnorm"),
        "started_at": "started_at",
        "ended_at": "ended_at",
        "route": "route",
        "dose": f"try_cast({decimal_point('dose', decimal)} AS DOUBLE)",
        "dose_unit": "dose_unit",
        "status": "status",
        "evidence": evidence,
    }
    key = ("lower(agent)", "started_at", "ended_at", "route", "dose", "dose_unit", "status", f"({evidence})")
    rules = {"agent_missing": "agent IS NULL", **_span_rules(), "evidence_unknown": f"({evidence}) IS NULL"}
    return Records(columns, key, rules)


def _diagnosis(receiving: Receiving, _decimal: str) -> Records:
    system = spelled("code_system", receiving.code_systems)
    code = "upper(replace(code, '.', ''))"
    rules = {
        "code_missing": "code IS NULL",
        "code_system_unknown": f"({system}) IS NULL",
        "date_invalid": "recorded_at__bad",
        "date_missing": "recorded_at IS NULL",
    }
    columns = {"code": code, "code_system": system, "recorded_at": "recorded_at"}
    return Records(columns, (code, f"({system})", "recorded_at"), rules)


def _vital(receiving: Receiving, decimal: str) -> Records:
    degrees = f"try_cast({decimal_point('celsius', decimal)} AS DECIMAL(5,2))"
    rules = {
        "date_invalid": "measured_at__bad",
        "date_missing": "measured_at IS NULL",
        "no_number": f"celsius IS NULL OR {one_of('celsius', receiving.no_result_texts)}",
        "value_decimal_mark": f"regexp_full_match(celsius, '[0-9]+,[0-9]+') AND ({degrees}) IS NULL",
        "value_out_of_range": f"({degrees}) IS NULL AND try_cast(celsius AS DOUBLE) IS NOT NULL",
        "value_not_a_number": f"({degrees}) IS NULL",
    }
    columns = {"measured_at": "measured_at", "celsius": degrees, "site": "coalesce(lower(site), 'unknown')"}
    return Records(columns, ("measured_at", f"({degrees})", "coalesce(lower(site), 'unknown')"), rules)


def _span_rules() -> dict[str, str]:
    is_day = "started_at__day OR ended_at__day"
    is_before = f"CASE WHEN {is_day} THEN ended_at::DATE < started_at::DATE ELSE ended_at < started_at END"
    return {
        "date_invalid": "started_at__bad OR ended_at__bad",
        "date_missing": "started_at IS NULL",
        "ends_before_start": is_before,
    }


RECORDS: Mapping[str, Callable[[Receiving, str], Records]] = {
    "canonical.person": _person,
    "canonical.observation": _observation,
    "canonical.encounter": _encounter,
    "canonical.exposure": _exposure,
    "canonical.diagnosis": _diagnosis,
    "canonical.vital": _vital,
}
