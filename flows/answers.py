"""Which questions the data can answer, and the reason for each one it cannot; nothing is invented.

The findings are made here from what is there after tonight; the sentences stand in `definitions/answers.yaml`.
"""

from collections.abc import Mapping
from pathlib import Path

import duckdb

from flows.handover import Answer, Validated
from flows.population import quoted
from flows.tonight import tonight_rows
from transforms.load import Definitions


def answer_questions(
    connection: duckdb.DuckDBPyConnection,
    night: Validated,
    frames: Mapping[str, Path],
    definitions: Definitions,
    *,
    has_history: bool,
) -> tuple[Answer, ...]:
    """One answer a question, in the order of the definition."""
    has_drugs, has_diagnoses = (
        holds_rows(connection, night, table, has_history=has_history)
        for table in ("canonical.exposure", "canonical.diagnosis")
    )
    anc = _find_anc(connection, night, frames["anc"], has_history=has_history)
    found = {
        "anc": anc,
        "prevalence": "answerable" if anc == "answerable" else "anc_missing",
        "duration": _find_duration(connection, frames["anc"], anc, night.received.dates),
        "cause_by_drug": _find_cause(night.received.dates, has_rows=has_drugs),
        "cause_by_diagnosis": _find_cause(night.received.dates, has_rows=has_diagnoses),
        "calendar_trend": night.received.dates,
    }
    sentences = definitions.answers
    return tuple(Answer(question, *sentences[question][found[question]]) for question in sentences)


def _find_anc(connection: duckdb.DuckDBPyConnection, night: Validated, anc: Path, *, has_history: bool) -> str:
    if _count(connection, f"SELECT count(*) FROM read_parquet('{quoted(anc)}') WHERE route <> 'wbc_only'"):
        return "answerable"
    has_blood = holds_rows(connection, night, "canonical.lab", has_history=has_history)
    return "bounds_only" if has_blood else "no_blood_counts"


def _find_cause(dates: str, *, has_rows: bool) -> str:
    if has_rows:
        return "answerable"
    return "no_dates" if dates == "none" else "missing"


def _find_duration(connection: duckdb.DuckDBPyConnection, anc: Path, found: str, dates: str) -> str:
    if found != "answerable":
        return "anc_missing"
    if dates == "none":
        return "no_dates"
    retested = (
        f"SELECT count(*) FROM (SELECT person_index FROM read_parquet('{quoted(anc)}') WHERE route <> 'wbc_only' "
        "GROUP BY person_index HAVING min(collected_at)::DATE < max(collected_at)::DATE LIMIT 1)"
    )
    return "answerable" if _count(connection, retested) else "one_visit"


def holds_rows(connection: duckdb.DuckDBPyConnection, night: Validated, table: str, *, has_history: bool) -> bool:
    """Whether a canonical table has any row after tonight."""
    queries = [f"SELECT 1 FROM ({tonight_rows(night, table)}) LIMIT 1"]
    if has_history:
        queries.append(f"SELECT 1 FROM {table} LIMIT 1")
    return any(_count(connection, f"SELECT count(*) FROM ({query})") for query in queries)


def _count(connection: duckdb.DuckDBPyConnection, query: str) -> int:
    return int(connection.execute(query).fetchall()[0][0])
