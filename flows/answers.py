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
    anc = _find_anc(connection, night, frames["anc"], has_history=has_history)
    found = {
        "anc": anc,
        "prevalence": "answerable" if anc == "answerable" else "anc_missing",
        "duration": _find_duration(connection, frames["anc"], anc, night.received.dates),
        "cause_by_drug": _present(connection, night, "canonical.exposure", has_history=has_history),
        "cause_by_diagnosis": _present(connection, night, "canonical.diagnosis", has_history=has_history),
        "calendar_trend": night.received.dates,
    }
    sentences = definitions.answers
    return tuple(Answer(question, *sentences[question][found[question]]) for question in sentences)


def _find_anc(connection: duckdb.DuckDBPyConnection, night: Validated, anc: Path, *, has_history: bool) -> str:
    if _count(connection, f"SELECT count(*) FROM read_parquet('{quoted(anc)}') WHERE route <> 'wbc_only'"):
        return "answerable"
    has_blood = _present(connection, night, "canonical.lab", has_history=has_history) == "answerable"
    return "bounds_only" if has_blood else "no_blood_counts"


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


def _present(connection: duckdb.DuckDBPyConnection, night: Validated, table: str, *, has_history: bool) -> str:
    queries = [f"SELECT 1 FROM ({tonight_rows(night, table)}) LIMIT 1"]
    if has_history:
        queries.append(f"SELECT 1 FROM {table} LIMIT 1")
    is_there = any(_count(connection, f"SELECT count(*) FROM ({query})") for query in queries)
    return "answerable" if is_there else "missing"


def _count(connection: duckdb.DuckDBPyConnection, query: str) -> int:
    return int(connection.execute(query).fetchall()[0][0])
