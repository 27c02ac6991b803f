"""Whose rows tonight can change: they are judged again from all that was ever received of them, everybody else stays.

A person whose rows of tonight all equal what is in the warehouse is not touched: one more copy of a row that is kept
cannot make another row win. A later snapshot also touches those whose rows it does not have, and those who have
versions that nothing told apart, because a snapshot may tell. A file that is read again with another source map touches
those of whom it now says something else. Other definitions or other code touch everybody.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import duckdb

from flows.earlier import WAREHOUSE
from flows.sources.protocol import literal
from flows.tonight import row_key
from transforms.schemas import schema_of

NOTHING = "SELECT 0::UBIGINT AS record_key, 0::UBIGINT AS said WHERE false"
PLACES = frozenset({"input_id", "row_number", "column_number"})


@dataclass(frozen=True)
class Arrivals:
    """What tonight brings to one table. `earlier` holds the staged files of earlier nights by input.

    `read_before` holds what earlier nights staged of files that tonight reads again, `stood` what they staged of files
    of which tonight judges only the refused rows, and `rejudged` rows of theirs that are judged with them. `snapshots`
    gives each source whose latest snapshot is another than before; `fresh` the files, of any night, that count as of
    that or later.
    """

    table: str
    tonight: Sequence[Path]
    earlier: Mapping[str, Sequence[Path]] = field(default_factory=dict)
    read_before: Sequence[Path] = ()
    snapshots: Mapping[str, datetime] = field(default_factory=dict)
    fresh: Mapping[str, Sequence[Path]] = field(default_factory=dict)
    stood: Sequence[Path] = ()
    rejudged: Sequence[Path] = ()


def find_touched(
    connection: duckdb.DuckDBPyConnection, arrivals: Sequence[Arrivals], target: Path, *, is_everybody: bool
) -> None:
    """Write Parquet of source_id and person_id; the warehouse must be attached."""
    connection.execute("CREATE OR REPLACE TEMP TABLE touched (source_id VARCHAR, person_id VARCHAR)").fetchall()
    for arrival in arrivals:
        if is_everybody:
            _add_everybody(connection, arrival)
            continue
        if arrival.tonight:
            _add_changed(connection, arrival)
        if arrival.read_before:
            _add_read_otherwise(connection, arrival)
        if arrival.stood:
            _add_set_aside(connection, arrival)
        if arrival.rejudged:
            connection.execute(
                f"INSERT INTO touched SELECT DISTINCT source_id, person_id FROM {parquet(arrival.rejudged)}"
            ).fetchall()
        for source_id in arrival.snapshots:
            _add_missing(connection, arrival, source_id)
            _add_undecided(connection, arrival, source_id)
    connection.execute(
        f"COPY (SELECT DISTINCT source_id, person_id FROM touched ORDER BY ALL) TO {literal(str(target))} "
        "(FORMAT parquet)"
    ).fetchall()


def content_hash(table: str) -> str:
    """SQL of a hash of all that a row says, where it came from apart."""
    return f"hash({', '.join(name for name in schema_of(table).column_names if name not in PLACES)})"


def parquet(files: Sequence[Path]) -> str:
    """SQL of the rows of these files."""
    return "read_parquet([" + ", ".join(literal(str(path)) for path in files) + "])"


def _add_everybody(connection: duckdb.DuckDBPyConnection, arrival: Arrivals) -> None:
    files = [*arrival.tonight, *arrival.stood, *(path for paths in arrival.earlier.values() for path in paths)]
    parts = [f"SELECT source_id, person_id FROM {WAREHOUSE}.{arrival.table}"]
    parts += [f"SELECT source_id, person_id FROM {parquet(files)}"] if files else []
    connection.execute(f"INSERT INTO touched SELECT DISTINCT * FROM ({' UNION ALL '.join(parts)})").fetchall()


def _add_changed(connection: duckdb.DuckDBPyConnection, arrival: Arrivals) -> None:
    """Keys first, which is one column; contents only of people who bring nothing but keys that are known."""
    rows, kept = parquet(arrival.tonight), _kept(arrival.table)
    connection.execute(
        f"""CREATE OR REPLACE TEMP TABLE known AS SELECT DISTINCT record_key FROM {kept}
        SEMI JOIN (SELECT record_key FROM {rows}) t USING (record_key)"""
    ).fetchall()
    connection.execute(
        f"INSERT INTO touched SELECT DISTINCT source_id, person_id FROM {rows} ANTI JOIN known USING (record_key)"
    ).fetchall()
    said = content_hash(arrival.table)
    connection.execute(
        f"""CREATE OR REPLACE TEMP TABLE repeated AS
        SELECT source_id, person_id, record_key, {said} AS said FROM {rows}
        ANTI JOIN touched USING (source_id, person_id)"""
    ).fetchall()
    if connection.execute("SELECT count(*) FROM repeated").fetchall()[0][0]:
        connection.execute(
            f"""INSERT INTO touched SELECT DISTINCT source_id, person_id FROM repeated ANTI JOIN (
                SELECT record_key, {said} AS said FROM {kept} SEMI JOIN repeated USING (record_key)
            ) k USING (record_key, said)"""
        ).fetchall()


def _add_read_otherwise(connection: duckdb.DuckDBPyConnection, arrival: Arrivals) -> None:
    """People of whom a file said something that it does not say as it is read now."""
    said = content_hash(arrival.table)
    now = f"SELECT record_key, {said} AS said FROM {parquet(arrival.tonight)}" if arrival.tonight else NOTHING
    connection.execute(
        f"""INSERT INTO touched SELECT DISTINCT source_id, person_id FROM (
            SELECT source_id, person_id, record_key, {said} AS said FROM {parquet(arrival.read_before)}
        ) ANTI JOIN ({now}) t USING (record_key, said)"""
    ).fetchall()


def _add_missing(connection: duckdb.DuckDBPyConnection, arrival: Arrivals, source_id: str) -> None:
    files = [path for paths in arrival.fresh.values() for path in paths]
    connection.execute(
        f"""INSERT INTO touched SELECT DISTINCT source_id, person_id FROM {_kept(arrival.table)}
        ANTI JOIN (SELECT record_key FROM {parquet(files)}) f USING (record_key)
        WHERE source_id = {literal(source_id)}"""
    ).fetchall()


def _add_undecided(connection: duckdb.DuckDBPyConnection, arrival: Arrivals, source_id: str) -> None:
    files = [path for paths in arrival.earlier.values() for path in paths]
    if not files:
        return
    key = ", ".join(row_key(arrival.table))
    connection.execute(
        f"""INSERT INTO touched SELECT DISTINCT source_id, person_id FROM {parquet(files)}
        SEMI JOIN (
            SELECT {key} FROM {WAREHOUSE}.quarantine.row
            WHERE rule = 'conflicting_versions' AND table_name = {literal(arrival.table)}
        ) q USING ({key}) WHERE source_id = {literal(source_id)}"""
    ).fetchall()


def _add_set_aside(connection: duckdb.DuckDBPyConnection, arrival: Arrivals) -> None:
    """People of whom a row was set aside after it was staged, or a result beside the staged ones of its row."""
    connection.execute(
        f"""INSERT INTO touched SELECT DISTINCT source_id, person_id FROM {parquet(arrival.stood)}
        SEMI JOIN (
            SELECT input_id, row_number FROM {WAREHOUSE}.quarantine.row WHERE table_name = {literal(arrival.table)}
        ) q USING (input_id, row_number)"""
    ).fetchall()


def _kept(table: str) -> str:
    """Rows of the warehouse that came from files."""
    is_given = " WHERE NOT is_inferred" if table == "canonical.observation" else ""
    return f"(SELECT * FROM {WAREHOUSE}.{table}{is_given})"
