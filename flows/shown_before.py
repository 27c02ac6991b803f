"""What earlier nights have shown, as the release compares tonight with it; and keeping tonight's for later.

The counts that reports renewed are kept in `ops.shown_count`, private like all of the warehouse. Whoever reads the site
reads reports of all channels, so the counts of all are compared; a row that is held is shown as the last report of its
own channel did, the newest committed run of it in `released.*`.
"""

import duckdb
import polars as pl

from flows.errors import UserError
from flows.handover import ReleasedNight, RunContext
from flows.sources.protocol import literal
from flows.warehouse import open_known, open_warehouse
from flows.workspace import Workspace
from transforms.renewal import Earlier, no_counts
from transforms.schemas import load_tables, schema_of

_LAST = """SELECT r.run_id FROM ops.run r SEMI JOIN released.attrition a ON a.run_id = r.run_id AND a.channel = $channel
    WHERE r.state IN ('released', 'published') AND r.run_id <> $run_id
    ORDER BY r.started_at DESC, r.run_id DESC LIMIT 1"""
_REMEMBER = """INSERT INTO ops.shown_count BY NAME
    SELECT channel, place, node, epoch, n FROM known.ops.shown_count
    WHERE EXISTS (FROM known.ops.run SEMI JOIN ops.run USING (run_id))
    EXCEPT SELECT channel, place, node, epoch, n FROM ops.shown_count"""
_TOLD = "SELECT DISTINCT place, node, epoch, n FROM ops.shown_count"


def read_earlier(context: RunContext) -> Earlier:
    """What was shown until tonight; without tables where the channel of the settings has no report yet."""
    workspace, channel = context.workspace, context.settings.channel
    if not workspace.warehouse.is_file():
        return Earlier()
    with open_known(workspace.warehouse, memory_limit=context.settings.memory_limit) as connection:
        named = {"channel": channel, "run_id": context.run_id}
        counts = _rows(connection, _TOLD)
        found = connection.execute(_LAST, named).fetchall()
        if not found:
            return Earlier(counts=counts)
        tables = {
            name: _rows(connection, f"SELECT * FROM {name} WHERE run_id = $run_id AND channel = $channel",
                        {"run_id": found[0][0], "channel": channel}).select(schema_of(name).column_names)
            for name in sorted(load_tables())
            if name.startswith("released.")
        }  # fmt: skip
        return Earlier(tables, counts)


def read_told(context: RunContext) -> pl.DataFrame:
    """`Earlier.counts` of all reports of the workspace."""
    if not context.workspace.warehouse.is_file():
        return no_counts()
    with open_known(context.workspace.warehouse, memory_limit=context.settings.memory_limit) as connection:
        return _rows(connection, _TOLD)


def remember_shown(known: Workspace, other: Workspace, memory_limit: str) -> bool:
    """Let `other`, an earlier state of `known`, remember what reports have shown since; false where that is lost."""
    try:
        with open_warehouse(other.warehouse, memory_limit=memory_limit) as connection:
            connection.execute(f"ATTACH {literal(str(known.warehouse))} AS known (READ_ONLY)").fetchall()
            connection.execute(_REMEMBER).fetchall()
    except (UserError, duckdb.Error):
        return False
    return True


def keep_shown(connection: duckdb.DuckDBPyConnection, night: ReleasedNight) -> None:
    """Add the counts that tonight's report renews, inside the caller's transaction."""
    rows = night.released.renewed.with_columns(channel=pl.lit(night.released.channel))
    connection.register("rows_to_keep", rows.to_arrow())
    connection.execute("INSERT INTO ops.shown_count BY NAME SELECT * FROM rows_to_keep").fetchall()
    connection.unregister("rows_to_keep")


def _rows(connection: duckdb.DuckDBPyConnection, sql: str, named: dict[str, str] | None = None) -> pl.DataFrame:
    rows: pl.DataFrame = connection.sql(sql, params=named or {}).pl()
    return rows
