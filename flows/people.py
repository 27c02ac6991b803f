"""Everyone of whom there is a row has a person row: whoever is in no person table gets one with nothing but the key.

That is also so for a person whose rows contradict each other and are set aside: the results stay, and their owner
with them. The row points at the first row in which the person was seen; where only set-aside person rows tell of the
person, at row 0 of their file. Rows that a snapshot does not have tell of nobody, nor do results that were
withdrawn, which may be of somebody else.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb

from flows.lab_rows import WITHDRAWN
from flows.sources.protocol import literal
from flows.tonight import row_key
from flows.touched import parquet
from transforms.schemas import schema_of

KEYS = frozenset({"source_id", "person_id", "record_key", "input_id", "row_number"})
PERSON = "canonical.person"


@dataclass(frozen=True)
class Census:
    """Where people are seen: files by table, Parquet of the rows set aside, and of the people concerned, None for all.

    Of the people concerned, all rows that were ever received are among the files.
    """

    files: Mapping[str, Sequence[Path]]
    dropped: Path
    touched: Path | None


def infer_people(connection: duckdb.DuckDBPyConnection, census: Census, target: Path) -> Path | None:
    """Parquet with the columns of canonical.person for people without a person row; None when all have one."""
    connection.execute(f"CREATE OR REPLACE TEMP TABLE strangers AS {_strangers(connection, census)}").fetchall()
    if not connection.execute("SELECT count(*) FROM strangers").fetchall()[0][0]:
        return None
    columns = ", ".join(
        f"{c.name}::{c.type} AS {c.name}" if c.name in KEYS else f"NULL::{c.type} AS {c.name}"
        for c in schema_of(PERSON).columns
    )
    taken = f"SELECT input_id, row_number FROM {parquet([census.dropped])} WHERE table_name = {literal(PERSON)}"
    where = "source_id, person_id, input_id, row_number"
    seen = [
        f"SELECT {where}, {str(table == PERSON).lower()} AS is_person FROM ({_there(connection, census, table)})"
        for table in census.files
    ]
    connection.execute(
        f"""COPY (
            SELECT {columns} FROM (
                SELECT source_id, person_id, hash(source_id, person_id) AS record_key,
                    coalesce(min(input_id) FILTER (is_free), min(input_id)) AS input_id,
                    coalesce(min_by(row_number, (input_id, row_number)) FILTER (is_free), 0) AS row_number
                FROM (
                    SELECT s.*, NOT is_person AND t.is_taken IS NULL AS is_free
                    FROM ({" UNION ALL ".join(seen)}) s
                    LEFT JOIN (SELECT DISTINCT *, true AS is_taken FROM ({taken})) t USING (input_id, row_number)
                ) SEMI JOIN strangers USING (source_id, person_id)
                GROUP BY source_id, person_id
            ) ORDER BY source_id, person_id
        ) TO {literal(str(target))} (FORMAT parquet)"""
    ).fetchall()
    return target


def _strangers(connection: duckdb.DuckDBPyConnection, census: Census) -> str:
    """People seen, less those with a person row that is taken in."""
    seen = [f"SELECT source_id, person_id FROM ({_there(connection, census, table)})" for table in census.files]
    everyone = f"SELECT DISTINCT source_id, person_id FROM ({' UNION ALL '.join(seen)})"
    mine = f" SEMI JOIN {parquet([census.touched])} p USING (source_id, person_id)" if census.touched else ""
    if not census.files.get(PERSON):
        return f"SELECT * FROM ({everyone}){mine}"
    known = f"SELECT * FROM {parquet(census.files[PERSON])} {_without(census, PERSON, '')}"
    return f"SELECT * FROM ({everyone}){mine} ANTI JOIN ({known}) k USING (source_id, person_id)"


def _there(connection: duckdb.DuckDBPyConnection, census: Census, table: str) -> str:
    """Rows of a table that a snapshot has left in, less results that were withdrawn."""
    gone = "AND rule = 'gone_from_snapshot'"
    found = connection.execute(
        f"SELECT count(*) FROM {parquet([census.dropped])} WHERE table_name = {literal(table)} {gone}"
    ).fetchall()
    stands = f"WHERE status <> {literal(WITHDRAWN)}" if table == "canonical.lab" else ""
    without = _without(census, table, gone) if found[0][0] else ""
    return f"SELECT * FROM {parquet(census.files[table])} {without} {stands}"


def _without(census: Census, table: str, condition: str) -> str:
    key = ", ".join(row_key(table))
    return (
        f"ANTI JOIN (SELECT {key} FROM {parquet([census.dropped])} "
        f"WHERE table_name = {literal(table)} {condition}) o USING ({key})"
    )
