"""Which rows are set aside as of the last published night, and of which reading of which file.

A row is set aside while the last reading of its file, or a night since, has set it aside and no night has taken it in.
The warehouse is only read; the answers are counts and names of files, rules and tables.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace

import duckdb

from flows.handover import LedgerLine, ReceivedInput
from flows.tonight import row_key
from flows.warehouse import open_warehouse
from flows.workspace import Workspace
from transforms.model.sources import Receiving
from transforms.schemas import load_tables

PUBLISHED = "r.state IN ('released', 'published')"
SETTLED = ("conflicting_versions", "result_withdrawn")


@dataclass(frozen=True)
class KnownInput:
    """A published file as it was listed last, and the ledger of the night that read it as it is known now."""

    received: ReceivedInput
    ledger: tuple[LedgerLine, ...]


@contextmanager
def open_set_aside(workspace: Workspace, memory_limit: str) -> Iterator[duckdb.DuckDBPyConnection]:
    """The warehouse, read-only, with the tables `reading` (a line a published file) and `aside` (a line a row).

    `reading`: input_id, run_id, read_at. `aside`: table_name, input_id, row_number, column_number, rule, reason, since.
    """
    with open_warehouse(workspace.warehouse, memory_limit=memory_limit, read_only=True) as connection:
        connection.execute(
            f"""CREATE TEMP TABLE reading AS
            WITH listed AS (
                SELECT i.input_id, r.run_id, r.started_at,
                    (r.definitions_hash, r.code_version, coalesce(i.map_hash, '')) AS read_by
                FROM ops.input i JOIN ops.run r USING (run_id) WHERE {PUBLISHED}
            ), changed AS (
                SELECT *, read_by IS DISTINCT FROM lag(read_by) OVER (PARTITION BY input_id ORDER BY started_at, run_id)
                    AS is_read FROM listed
            )
            SELECT input_id, max_by(run_id, (started_at, run_id)) AS run_id, max(started_at) AS read_at
            FROM changed WHERE is_read GROUP BY input_id"""
        ).fetchall()
        connection.execute(
            f"""CREATE TEMP TABLE aside AS
            SELECT table_name, input_id, row_number, column_number, max_by(rule, r.started_at) AS rule,
                max_by(reason, r.started_at) AS reason, min(r.started_at) AS since
            FROM quarantine.row q JOIN ops.run r USING (run_id) JOIN reading d USING (input_id)
            WHERE {PUBLISHED} GROUP BY table_name, input_id, row_number, column_number
            HAVING max(r.started_at) >= any_value(d.read_at)"""
        ).fetchall()
        for (table,) in connection.execute("SELECT DISTINCT table_name FROM aside ORDER BY 1").fetchall():
            if table in load_tables():
                place = ", ".join(row_key(table))
                connection.execute(
                    f"DELETE FROM aside WHERE table_name = ? AND ({place}) IN "
                    f"(SELECT ({place}) FROM {table} WHERE input_id IN (SELECT input_id FROM aside))",
                    [table],
                ).fetchall()
        yield connection


def read_inputs(connection: duckdb.DuckDBPyConnection) -> Mapping[str, KnownInput]:
    """The files that have rows set aside, in the order in which they came."""
    listed = connection.execute(
        f"""SELECT i.input_id, i.source_id, i.name, i.bytes, i.sha256, i.rows, i.source_format,
            coalesce(i.map_hash, ''), i.dates
        FROM ops.input i JOIN ops.run r USING (run_id)
        WHERE {PUBLISHED} AND input_id IN (SELECT input_id FROM aside)
        QUALIFY row_number() OVER (PARTITION BY i.input_id ORDER BY r.started_at DESC, r.run_id DESC) = 1
        ORDER BY min(r.started_at) OVER (PARTITION BY i.input_id), i.input_id"""
    ).fetchall()
    lines = connection.execute(
        """SELECT l.input_id, l.table_name, l.n_received, l.n_accepted, l.n_duplicate, l.n_superseded, l.n_quarantined,
            l.n_irrelevant
        FROM ops.row_ledger l JOIN reading USING (run_id, input_id) ORDER BY ALL"""
    ).fetchall()
    ledger: dict[str, tuple[LedgerLine, ...]] = {}
    for line in lines:
        ledger[line[0]] = (*ledger.get(line[0], ()), LedgerLine(*line))
    # Without a declaration: a release is no sighting, and must not date a file anew.
    return {
        entry[0]: KnownInput(
            replace(ReceivedInput(*entry[:7]), map_hash=entry[7], dates=entry[8]), ledger.get(entry[0], ())
        )
        for entry in listed
    }


def list_refusals(receiving: Receiving) -> list[str]:
    """Rules that refuse a row before it is staged; rows that were weighed, or failed a check, are staged."""
    return sorted(
        rule for rule, entry in receiving.rules.items() if entry.outcome == "quarantined" and rule not in SETTLED
    )
