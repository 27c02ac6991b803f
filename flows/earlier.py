"""What earlier nights left in the warehouse: which files are in it, and the rows that share a key with tonight's.

The warehouse is only read, and only for as long as a question takes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import duckdb

from flows.code_version import code_version
from flows.handover import LedgerLine, RunContext
from flows.sources.protocol import literal
from flows.tonight import row_key
from flows.warehouse import open_warehouse
from transforms.schemas import schema_of


@dataclass(frozen=True)
class History:
    """Files of published nights. `loaded` holds those that tonight's definitions and code have read already."""

    published: frozenset[str] = frozenset()
    loaded: Mapping[str, tuple[LedgerLine, ...]] = field(default_factory=dict)


def read_history(context: RunContext) -> History:
    """The history of the workspace; empty when there is no warehouse yet."""
    path = context.workspace.warehouse
    if not path.exists():
        return History()
    with open_warehouse(path, memory_limit=context.settings.memory_limit, read_only=True) as connection:
        if not _has_tables(connection):
            return History()
        latest = connection.execute(
            """SELECT i.input_id, max_by((r.definitions_hash, r.code_version, r.run_id), (r.started_at, r.run_id))
            FROM ops.input i JOIN ops.run r USING (run_id) WHERE r.state = 'published' GROUP BY i.input_id"""
        ).fetchall()
        same = {
            input_id: run_id
            for input_id, (definitions_hash, code, run_id) in latest
            if (definitions_hash, code) == (context.definitions.hash, code_version())
        }
        lines = connection.execute(
            "SELECT run_id, input_id, table_name, n_received FROM ops.row_ledger ORDER BY ALL"
        ).fetchall()
    loaded: dict[str, tuple[LedgerLine, ...]] = dict.fromkeys(same, ())
    for run_id, input_id, table, n_received in lines:
        if same.get(input_id) == run_id:
            loaded[input_id] += (LedgerLine(input_id, table, n_received, 0, n_duplicate=n_received),)
    return History(frozenset(input_id for input_id, _ in latest), loaded)


@dataclass(frozen=True)
class Question:
    """Which rows of the warehouse tonight meets: those with a key of `tonight`, less those of files read again."""

    table: str
    tonight: Sequence[Path]
    read_again: Sequence[str]


def fetch_earlier(context: RunContext, question: Question, target: Path) -> Path | None:
    """Parquet of earlier rows of the table that share a record_key with tonight's; None without a warehouse.

    `is_held` marks rows that are not in the table, because two versions differed and nothing told which was later:
    they are remembered, so that sending one of the two again does not bring it in.
    """
    columns = ", ".join(schema_of(question.table).column_names)
    files = ", ".join(literal(str(path)) for path in question.tonight)
    inferred = " AND NOT is_inferred" if question.table == "canonical.observation" else ""
    kept = _is_read_again(question.read_again, "NOT")
    parts = [f"SELECT {columns}, false AS is_held FROM {question.table} WHERE {kept}{inferred}"]
    for input_id in _inputs_with_conflicts(context, question):
        key = ", ".join(row_key(question.table)[1:])
        held = f"SELECT {key} FROM quarantine.row WHERE {_CONFLICT} AND input_id = {literal(input_id)}"
        staged = staged_files(context.workspace.staged(input_id), question.table)
        if staged:
            rows = f"read_parquet([{', '.join(literal(str(path)) for path in staged)}])"
            parts.append(f"SELECT {columns}, true FROM {rows} SEMI JOIN ({held}) USING ({key})")
    sql = f"""SELECT * FROM ({" UNION ALL ".join(parts)})
        SEMI JOIN (SELECT record_key FROM read_parquet([{files}])) t USING (record_key)"""
    return _copy(context, sql.replace("$table", literal(question.table)), target)


def staged_files(folder: Path, table: str) -> list[Path]:
    """The staged files of one input for one table; a file that feeds it in parts has several."""
    short = table.split(".")[1]
    return sorted([*folder.glob(f"{short}.parquet"), *folder.glob(f"{short}.*.parquet")])


_CONFLICT = "rule = 'conflicting_versions' AND table_name = $table"


def _inputs_with_conflicts(context: RunContext, question: Question) -> list[str]:
    path = context.workspace.warehouse
    if not path.exists():
        return []
    with open_warehouse(path, memory_limit=context.settings.memory_limit, read_only=True) as connection:
        if not _has_tables(connection):
            return []
        found = connection.execute(
            f"SELECT DISTINCT input_id FROM quarantine.row WHERE {_CONFLICT} ORDER BY 1", {"table": question.table}
        ).fetchall()
    return [input_id for (input_id,) in found if input_id not in question.read_again]


def fetch_read_again(
    context: RunContext, tables: Sequence[str], read_again: Sequence[str], target: Path
) -> Path | None:
    """Parquet of the keys of all warehouse rows that came from files read again tonight."""
    if not read_again:
        return None
    parts = [
        f"SELECT {literal(table)} AS table_name, source_id, person_id, record_key FROM {table} "
        f"WHERE {_is_read_again(read_again, '')}"
        for table in tables
    ]
    return _copy(context, " UNION ALL ".join(parts), target)


def fetch_people(context: RunContext, read_again: Sequence[str], target: Path) -> Path | None:
    """Parquet of source_id and person_id of the people in the warehouse who keep their row."""
    sql = f"SELECT source_id, person_id FROM canonical.person WHERE {_is_read_again(read_again, 'NOT')}"
    return _copy(context, sql, target)


def _is_read_again(read_again: Sequence[str], negation: str) -> str:
    listed = ", ".join(literal(input_id) for input_id in read_again)
    if not listed:
        return "true" if negation else "false"
    return f"input_id IS NOT NULL AND input_id {negation} IN ({listed})"


def _copy(context: RunContext, sql: str, target: Path) -> Path | None:
    path = context.workspace.warehouse
    if not path.exists():
        return None
    with open_warehouse(path, memory_limit=context.settings.memory_limit, read_only=True) as connection:
        if not _has_tables(connection):
            return None
        connection.execute(f"COPY ({sql}) TO {literal(str(target))} (FORMAT parquet)").fetchall()
    return target


def _has_tables(connection: duckdb.DuckDBPyConnection) -> bool:
    found = connection.execute(
        "SELECT count(*) FROM duckdb_tables() WHERE schema_name = 'ops' AND table_name = 'row_ledger'"
    ).fetchall()
    return bool(found[0][0])
