"""Derived tables as files with their dictionary. They hold rows of people: for inside the secure environment only."""

import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import duckdb

from flows.errors import WrongUse
from flows.history import last_published
from flows.settings import Settings
from flows.sources.protocol import literal
from flows.warehouse import open_warehouse
from flows.workspace import Workspace, make_private
from transforms.schemas import Table, load_tables

EXPORTED = "derived."
DICTIONARY = "data_dictionary"
NOTICE = """\
These files hold rows of people. They are for use inside the secure environment only: copy none of them out, and show
nothing that was counted in them before it has been released. What is released is in the report.

Run {run_id} of {started_at:%Y-%m-%d}, definitions {definitions_hash}, code {code_version}.
"""


@dataclass(frozen=True)
class TablesWritten:
    """The folder, and the rows of each table in it."""

    folder: Path
    rows: Mapping[str, int]

    def as_dict(self) -> Mapping[str, Any]:
        """For `--json`."""
        return {"folder": str(self.folder), "rows": dict(self.rows)}

    def as_text(self) -> str:
        """For a terminal."""
        lines = [f"{name}: {n_rows:,} rows" for name, n_rows in self.rows.items()]
        return "\n".join([*lines, f"{self.folder}: rows of people, for use inside the secure environment only"])


def export_tables(out: Path, settings: Settings) -> TablesWritten:
    """Write every derived table as Parquet, in the order of its key, with the dictionary; WrongUse where it may not be.

    The folder and its files are for their owner only, and lie outside of the site.
    """
    workspace, folder = Workspace(settings.workspace.resolve()), out.resolve()
    last = last_published(workspace, settings.memory_limit)
    if last is None:
        raise WrongUse("There is no published run in this workspace.", repair="Run a night first, or name --workspace.")
    _refuse_place(folder, workspace)
    make_private(folder)
    tables = [table for name, table in sorted(load_tables().items()) if name.startswith(EXPORTED)]
    with open_warehouse(workspace.warehouse, memory_limit=settings.memory_limit, read_only=True) as connection:
        rows = {table.name: _write_table(connection, table, folder) for table in tables}
    _write_dictionary(folder, tables)
    (folder / "README.txt").write_text(NOTICE.format(**asdict(last)), encoding="utf-8")
    for path in folder.iterdir():
        make_private(path)
    return TablesWritten(folder, rows)


def _refuse_place(folder: Path, workspace: Workspace) -> None:
    if folder.is_relative_to(workspace.site):
        raise WrongUse(f"{folder} lies in the site, which others read.", repair="Name another folder after --out.")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise WrongUse(f"{folder} is there already and not empty.", repair="Name a new folder after --out.")


def _write_table(connection: duckdb.DuckDBPyConnection, table: Table, folder: Path) -> int:
    path = folder / f"{table.name.removeprefix(EXPORTED)}.parquet"
    columns, key = (", ".join(f'"{name}"' for name in names) for names in (table.column_names, table.key))
    query = f"SELECT {columns} FROM {table.name} ORDER BY {key}"
    connection.execute(f"COPY ({query}) TO {literal(str(path))} (FORMAT parquet, COMPRESSION zstd)")
    return int(connection.execute(f"SELECT count(*) FROM {table.name}").fetchall()[0][0])


def _write_dictionary(folder: Path, tables: Sequence[Table]) -> None:
    listed = [
        {
            "table": table.name,
            "one_row_per": table.one_row_per,
            "column": column.name,
            "type": column.type,
            "may_be_null": column.is_nullable,
            "meaning": column.meaning,
        }
        for table in tables
        for column in table.columns
    ]
    text = json.dumps(listed, ensure_ascii=False, indent=1)
    (folder / f"{DICTIONARY}.json").write_text(text + "\n", encoding="utf-8")
    with (folder / f"{DICTIONARY}.csv").open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(listed[0]))
        writer.writeheader()
        writer.writerows(listed)
