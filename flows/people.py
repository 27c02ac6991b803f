"""Everyone who appears anywhere has a person row: whoever is in no person table gets one with nothing but the key.

That is also so for a person whose rows contradict each other and are set aside: the results stay, and their owner
with them. The row points at the first row in which the person was seen.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb

from flows.sources.protocol import literal
from flows.staging import Staged
from flows.tonight import row_key
from transforms.schemas import schema_of

KEYS = frozenset({"source_id", "person_id", "record_key", "input_id", "row_number"})
NOBODY = "SELECT ''::VARCHAR AS source_id, ''::VARCHAR AS person_id WHERE false"
NOWHERE = f"SELECT *, ''::VARCHAR AS input_id, 0::BIGINT AS row_number FROM ({NOBODY})"


@dataclass(frozen=True)
class Census:
    """Where people are seen. `earlier` is Parquet of the warehouse's person rows, `contested` of those met tonight."""

    staged: Sequence[Staged]
    dropped: Path
    replaced: Path
    earlier: Path | None
    contested: Path | None


def infer_people(connection: duckdb.DuckDBPyConnection, census: Census, target: Path) -> Path | None:
    """Parquet with the columns of canonical.person for people without a person row; None when all have one."""
    connection.execute(f"CREATE OR REPLACE TEMP TABLE strangers AS {_strangers(census)}").fetchall()
    if not connection.execute("SELECT count(*) FROM strangers").fetchall()[0][0]:
        return None
    columns = ", ".join(
        f"{c.name}::{c.type} AS {c.name}" if c.name in KEYS else f"NULL::{c.type} AS {c.name}"
        for c in schema_of("canonical.person").columns
    )
    where = "source_id, person_id, input_id, row_number"
    seen = [_accepted(entry, census, where) for entry in census.staged if entry.table != "canonical.person"]
    held = f"SELECT {where} FROM {_parquet(census.contested)} WHERE NOT is_held" if census.contested else NOWHERE
    connection.execute(
        f"""COPY (
            SELECT {columns} FROM (
                SELECT source_id, person_id, hash(source_id, person_id) AS record_key,
                    min(input_id) AS input_id, min_by(row_number, (input_id, row_number)) AS row_number
                FROM ({" UNION ALL ".join([held, *seen])}) SEMI JOIN strangers USING (source_id, person_id)
                GROUP BY source_id, person_id
            ) ORDER BY source_id, person_id
        ) TO {literal(str(target))} (FORMAT parquet)"""
    ).fetchall()
    return target


def _strangers(census: Census) -> str:
    """People seen tonight, or whose row goes tonight, less those with a person row after tonight."""
    others = [entry for entry in census.staged if entry.table != "canonical.person"]
    people = [entry for entry in census.staged if entry.table == "canonical.person"]
    gone = f"SELECT source_id, person_id FROM {_parquet(census.replaced)} WHERE table_name = 'canonical.person'"
    seen = [f"SELECT source_id, person_id FROM {_parquet(entry.path)}" for entry in others]
    if census.contested:
        seen.append(gone)
    known = [NOBODY, *(_accepted(entry, census, "source_id, person_id") for entry in people)]
    if census.earlier:
        known.append(f"SELECT * FROM {_parquet(census.earlier)} ANTI JOIN ({gone}) g USING (source_id, person_id)")
    return (
        f"SELECT * FROM (SELECT DISTINCT source_id, person_id FROM ({' UNION ALL '.join([NOBODY, *seen])})) "
        f"ANTI JOIN ({' UNION ALL '.join(known)}) k USING (source_id, person_id)"
    )


def _accepted(entry: Staged, census: Census, columns: str) -> str:
    key = ", ".join(row_key(entry.table)[1:])
    is_out = f"table_name = {literal(entry.table)} AND input_id = {literal(entry.input_id)}"
    return (
        f"SELECT {columns} FROM {_parquet(entry.path)} ANTI JOIN "
        f"(SELECT {key} FROM {_parquet(census.dropped)} WHERE {is_out}) o USING ({key})"
    )


def _parquet(path: Path | None) -> str:
    return f"read_parquet({literal(str(path))})"
