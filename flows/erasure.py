"""People who were erased stay erased: only a keyed hash of each is kept, and their rows are left out when they come.

The key lies in the workspace, readable by its owner only; without it nobody can try names against the hashes.
"""

import secrets
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import duckdb

from flows.earlier import WAREHOUSE
from flows.sources.protocol import literal
from flows.staging import Shared, Staged
from flows.touched import parquet
from flows.workspace import Workspace

SALT_BYTES = 32


def leave_out_erased(
    connection: duckdb.DuckDBPyConnection, staged: Sequence[Staged], workspace: Workspace
) -> list[Staged]:
    """The staged files without rows of erased people, who then count as irrelevant; the warehouse must be attached."""
    if not has_erased(connection):
        return list(staged)
    who = f"{mark_of(read_salt(workspace))} IN (SELECT person_mark FROM {WAREHOUSE}.ops.erased)"
    theirs = {shared: _inputs_of(connection, shared, who) for shared in {entry.shared for entry in staged} if shared}
    left = [
        _leave_out(connection, entry, who) if entry.shared is None or entry.input_id in theirs[entry.shared] else entry
        for entry in staged
    ]
    for shared, inputs in theirs.items():
        for path in (shared.rows, shared.refused) if inputs else ():
            rewrite_without(connection, path, _people(path, who))
    return left


def has_erased(connection: duckdb.DuckDBPyConnection) -> bool:
    """Whether anybody was erased here; a warehouse of an older version knows of nobody."""
    return bool(
        connection.execute(
            "SELECT count(*) FROM duckdb_tables() WHERE database_name = ? AND schema_name = 'ops' "
            "AND table_name = 'erased' AND estimated_size > 0",
            [WAREHOUSE],
        ).fetchall()[0][0]
    )


def read_salt(workspace: Workspace) -> str:
    """The key of the hashes; made when there is none yet."""
    path = workspace.salt
    if not path.exists():
        path.touch(mode=0o600)
        path.write_text(secrets.token_hex(SALT_BYTES), encoding="ascii")
    return path.read_text(encoding="ascii").strip()


def mark_of(salt: str) -> str:
    """SQL of the keyed hash of source_id and person_id."""
    return f"sha256({literal(salt)} || sha256(source_id) || sha256(person_id))"


def rewrite_without(connection: duckdb.DuckDBPyConnection, path: Path, people: str) -> int:
    """Write a staged file anew without the rows of `people` (SQL of source_id and person_id); how many went."""
    rows = parquet([path])
    found = connection.execute(
        f"SELECT count(*) FROM {rows} SEMI JOIN ({people}) e USING (source_id, person_id)"
    ).fetchall()
    if not found[0][0]:
        return 0
    aside = path.with_suffix(".part")
    connection.execute(
        f"COPY (SELECT * FROM {rows} ANTI JOIN ({people}) e USING (source_id, person_id)) "
        f"TO {literal(str(aside))} (FORMAT parquet, COMPRESSION snappy)"
    ).fetchall()
    aside.replace(path)
    return int(found[0][0])


def _inputs_of(connection: duckdb.DuckDBPyConnection, shared: Shared, who: str) -> frozenset[str]:
    """The inputs that have rows of erased people."""
    rows = " UNION ALL ".join(
        f"SELECT source_id, person_id, input_id FROM {parquet([path])}" for path in (shared.rows, shared.refused)
    )
    found = connection.execute(
        f"SELECT DISTINCT input_id FROM (SELECT DISTINCT * FROM ({rows})) WHERE {who}"
    ).fetchall()
    return frozenset(input_id for (input_id,) in found)


def _leave_out(connection: duckdb.DuckDBPyConnection, entry: Staged, who: str) -> Staged:
    n_accepted = rewrite_without(connection, entry.path, _people(entry.path, who))
    n_refused = rewrite_without(connection, entry.refused, _people(entry.refused, who)) if entry.n_quarantined else 0
    return replace(entry, n_accepted=entry.n_accepted - n_accepted, n_quarantined=entry.n_quarantined - n_refused)


def _people(path: Path, who: str) -> str:
    return f"SELECT source_id, person_id FROM (SELECT DISTINCT source_id, person_id FROM {parquet([path])}) WHERE {who}"
