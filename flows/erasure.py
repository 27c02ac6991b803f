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
from flows.staging import Staged
from flows.touched import parquet
from flows.workspace import Workspace

SALT_BYTES = 32


def leave_out_erased(
    connection: duckdb.DuckDBPyConnection, staged: Sequence[Staged], workspace: Workspace
) -> list[Staged]:
    """The staged files without rows of erased people, who then count as irrelevant; the warehouse must be attached."""
    if not has_erased(connection):
        return list(staged)
    mark = mark_of(read_salt(workspace))
    return [_leave_out(connection, entry, mark) for entry in staged]


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


def _leave_out(connection: duckdb.DuckDBPyConnection, entry: Staged, mark: str) -> Staged:
    n_accepted, n_refused = (
        rewrite_without(
            connection,
            path,
            f"SELECT source_id, person_id FROM (SELECT DISTINCT source_id, person_id FROM {parquet([path])}) "
            f"WHERE {mark} IN (SELECT person_mark FROM {WAREHOUSE}.ops.erased)",
        )
        for path in (entry.path, entry.refused)
    )
    return replace(entry, n_accepted=entry.n_accepted - n_accepted, n_quarantined=entry.n_quarantined - n_refused)
