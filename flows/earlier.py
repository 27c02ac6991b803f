"""What earlier nights left: which files they published, how those were declared, and where their staged rows lie.

The warehouse is only read, and only for as long as a question takes.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import duckdb

from flows.code_version import code_version
from flows.errors import Busy
from flows.handover import DatePolicy, LedgerLine, RunContext
from flows.snapshots import Declaration, Sighting, Standing, stand
from flows.sources.protocol import literal
from flows.warehouse import open_warehouse
from flows.workspace import Workspace
from transforms.identifiers import ColumnFinding

WAREHOUSE = "earlier"  # what the warehouse is called in a connection that it is attached to


@dataclass(frozen=True)
class History:
    """Files of published nights. `loaded` holds those that tonight's definitions and code have read already.

    `maps` and `dates` give the source map (its hash) that each published file was read with last, and what its dates
    mean by it; `identifiers`, what was found then in it that identifies people. `is_same_reading` is false when the
    definitions or the code are not those of the last published night.
    """

    published: frozenset[str] = frozenset()
    loaded: Mapping[str, tuple[LedgerLine, ...]] = field(default_factory=dict)
    sightings: tuple[Sighting, ...] = ()
    is_same_reading: bool = True
    maps: Mapping[str, str] = field(default_factory=dict)
    dates: Mapping[str, DatePolicy] = field(default_factory=dict)
    identifiers: Mapping[str, tuple[ColumnFinding, ...]] = field(default_factory=dict)

    @property
    def standings(self) -> Mapping[str, Standing]:
        """How each published file stands to the others."""
        return stand(self.sightings)


def read_history(context: RunContext) -> History:
    """The history of the workspace; empty when there is no warehouse yet."""
    path = context.workspace.warehouse
    if not path.exists():
        return History()
    with open_warehouse(path, memory_limit=context.settings.memory_limit, read_only=True) as connection:
        if not _has_table(connection, "row_ledger"):
            return History()
        seen = connection.execute(
            """SELECT i.input_id, i.source_id, r.started_at, i.extract_date, i.is_snapshot,
                coalesce(i.map_hash, ''), coalesce(i.dates, r.dates, 'real'),
                r.run_id, r.definitions_hash, r.code_version
            FROM ops.input i JOIN ops.run r USING (run_id) WHERE r.state IN ('released', 'published')
            ORDER BY r.started_at, r.run_id, i.input_id"""
        ).fetchall()
        found = _find_identifiers(connection)
        lines = connection.execute(
            "SELECT run_id, input_id, table_name, n_received FROM ops.row_ledger ORDER BY ALL"
        ).fetchall()
    reading = (context.definitions.hash, code_version())
    latest = {input_id: (run_id, (definitions, code)) for input_id, *_, run_id, definitions, code in seen}
    same = {input_id: run_id for input_id, (run_id, read_by) in latest.items() if read_by == reading}
    loaded: dict[str, tuple[LedgerLine, ...]] = dict.fromkeys(same, ())
    for run_id, input_id, table, n_received in lines:
        if same.get(input_id) == run_id:
            loaded[input_id] += (LedgerLine(input_id, table, n_received, 0, n_duplicate=n_received),)
    sightings = tuple(Sighting(entry[0], entry[1], entry[2], Declaration(entry[3], bool(entry[4]))) for entry in seen)
    is_same = not seen or seen[-1][-2:] == reading
    maps, dates = ({entry[0]: entry[place] for entry in seen} for place in (5, 6))
    identifiers = {input_id: found.get((run_id, input_id), ()) for input_id, (run_id, _) in latest.items()}
    return History(frozenset(latest), loaded, sightings, is_same, maps, dates, identifiers)


@contextmanager
def attach_warehouse(connection: duckdb.DuckDBPyConnection, workspace: Workspace) -> Iterator[None]:
    """The warehouse as `earlier` in this connection, read-only, let go at the end."""
    try:
        connection.execute(f"ATTACH {literal(str(workspace.warehouse))} AS {WAREHOUSE} (READ_ONLY)").fetchall()
    except duckdb.IOException as error:
        raise Busy(
            f"{workspace.warehouse.name} is open in another process.",
            repair="Wait until that run has ended, then try again.",
        ) from error
    try:
        yield
    finally:
        connection.execute(f"DETACH {WAREHOUSE}").fetchall()


def staged_files(folder: Path, table: str) -> list[Path]:
    """The staged files of one input for one table; a file that feeds it in parts has several."""
    short = table.split(".")[1]
    return sorted([*folder.glob(f"{short}.parquet"), *folder.glob(f"{short}.*.parquet")])


def staged_inputs(workspace: Workspace, inputs: Sequence[str], table: str) -> Mapping[str, list[Path]]:
    """The staged files of each of these inputs that feeds the table."""
    found = {input_id: staged_files(workspace.staged(input_id), table) for input_id in inputs}
    return {input_id: files for input_id, files in found.items() if files}


def _find_identifiers(
    connection: duckdb.DuckDBPyConnection,
) -> Mapping[tuple[str, str], tuple[ColumnFinding, ...]]:
    """What each run has found in each of its inputs; nothing in a warehouse that is older than the guard."""
    if not _has_table(connection, "identifier"):
        return {}
    rows = connection.execute(
        """SELECT run_id, input_id, file, column_name, identifier_class, disposition, evidence, n_rows, n_given,
            input_id FROM ops.identifier WHERE input_id IS NOT NULL ORDER BY ALL"""
    ).fetchall()
    found: dict[tuple[str, str], tuple[ColumnFinding, ...]] = {}
    for run_id, input_id, *finding in rows:
        found[run_id, input_id] = (*found.get((run_id, input_id), ()), ColumnFinding(*finding))
    return found


def _has_table(connection: duckdb.DuckDBPyConnection, name: str) -> bool:
    found = connection.execute(
        "SELECT count(*) FROM duckdb_tables() WHERE schema_name = 'ops' AND table_name = ?", [name]
    ).fetchall()
    return bool(found[0][0])
