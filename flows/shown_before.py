"""What a channel has shown in earlier nights, as the release compares tonight with it; and keeping tonight's for later.

The counts that reports renewed are kept in `ops.shown_count`, private like all of the warehouse; the last report itself
is the newest committed run of the channel in `released.*`.
"""

import duckdb
import polars as pl

from flows.handover import ReleasedNight, RunContext
from flows.warehouse import open_known
from transforms.renewal import Earlier
from transforms.schemas import load_tables, schema_of

_LAST = """SELECT r.run_id FROM ops.run r SEMI JOIN released.attrition a ON a.run_id = r.run_id AND a.channel = $channel
    WHERE r.state IN ('released', 'published') AND r.run_id <> $run_id
    ORDER BY r.started_at DESC, r.run_id DESC LIMIT 1"""


def read_earlier(context: RunContext) -> Earlier:
    """What the channel of the settings has shown until tonight; nothing in a workspace without a report of it."""
    workspace, channel = context.workspace, context.settings.channel
    if not workspace.warehouse.is_file():
        return Earlier()
    with open_known(workspace.warehouse, memory_limit=context.settings.memory_limit) as connection:
        named = {"channel": channel, "run_id": context.run_id}
        found = connection.execute(_LAST, named).fetchall()
        if not found:
            return Earlier()
        tables = {
            name: _rows(connection, f"SELECT * FROM {name} WHERE run_id = $run_id AND channel = $channel",
                        {"run_id": found[0][0], "channel": channel}).select(schema_of(name).column_names)
            for name in sorted(load_tables())
            if name.startswith("released.")
        }  # fmt: skip
        counts = "SELECT place, node, epoch, n FROM ops.shown_count WHERE channel = $channel"
        return Earlier(tables, _rows(connection, counts, {"channel": channel}))


def keep_shown(connection: duckdb.DuckDBPyConnection, night: ReleasedNight) -> None:
    """Add the counts that tonight's report renews, inside the caller's transaction."""
    rows = night.released.renewed.with_columns(channel=pl.lit(night.released.channel))
    connection.register("rows_to_keep", rows.to_arrow())
    connection.execute("INSERT INTO ops.shown_count BY NAME SELECT * FROM rows_to_keep").fetchall()
    connection.unregister("rows_to_keep")


def _rows(connection: duckdb.DuckDBPyConnection, sql: str, named: dict[str, str]) -> pl.DataFrame:
    rows: pl.DataFrame = connection.sql(sql, params=named).pl()
    return rows
