"""How checks and rows set aside moved over the last nights of the same sources, read from the warehouse.

A night counts when it got as far as a verdict, published or stopped. Few nights are read, and of each only counts.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime

import duckdb

from flows.refusals import count_rows
from flows.shown_names import show_sources
from reports.facts import CheckMark, RefusedKey, RefusedMark, Trend, TrendNight

N_NIGHTS = 30  # of one trend, the night itself among them
OF_NIGHTS = "run_id IN (SELECT unnest(?))"


def read_trend(
    connection: duckdb.DuckDBPyConnection, source_ids: Iterable[str], until: datetime, n_nights: int = N_NIGHTS
) -> Trend:
    """The last nights with a verdict that began no later than `until` and had a file of one of these sources."""
    sources = show_sources(source_ids)
    nights = _read_nights(connection, list(sources), until, n_nights)
    runs = [night.run_id for night in nights]
    if not runs:
        return Trend()
    received = _read_received(connection, runs)
    refused = _read_refused(connection, runs)
    kept = {(source, table, rule) for _, source, table, rule in refused if source in sources or not source}
    return Trend(
        nights,
        _read_checks(connection, runs),
        {
            RefusedKey(sources.get(source, ""), table, rule): tuple(
                _refused_mark(refused.get((run, source, table, rule)), received.get((run, source, table)))
                for run in runs
            )
            for source, table, rule in sorted(kept)
        },
    )


def end_with(
    trend: Trend,
    night: TrendNight,
    checks: Mapping[str, CheckMark],
    refused: Mapping[RefusedKey, int],
    received: Mapping[tuple[str, str], int],
) -> Trend:
    """The trend with one more night at its end. `received` has the rows by source and table."""
    before = (None,) * len(trend.nights)
    keys = sorted({*trend.refused, *refused}, key=lambda key: (key.source_id, key.table_name, key.rule))
    return Trend(
        (*trend.nights, night),
        {name: (*trend.checks.get(name, before), checks.get(name)) for name in sorted({*trend.checks, *checks})},
        {
            key: (
                *trend.refused.get(key, before),
                _refused_mark(refused.get(key), received.get((key.source_id, key.table_name))),
            )
            for key in keys
        },
    )


def _refused_mark(n_rows: int | None, n_received: int | None) -> RefusedMark | None:
    """None where the source sent nothing for the table, and nothing was set aside."""
    return None if n_rows is None and n_received is None else RefusedMark(n_rows or 0, n_received)


def _read_nights(
    connection: duckdb.DuckDBPyConnection, sources: Sequence[str], until: datetime, n_nights: int
) -> tuple[TrendNight, ...]:
    rows = connection.execute(
        """SELECT run_id, started_at, verdict FROM ops.run WHERE verdict IS NOT NULL AND started_at <= ?
        AND run_id IN (SELECT run_id FROM ops.input WHERE source_id IN (SELECT unnest(?)))
        ORDER BY started_at DESC, run_id DESC LIMIT ?""",
        [until.replace(tzinfo=None), sources, n_nights],
    ).fetchall()
    return tuple(TrendNight(run, started.replace(tzinfo=UTC), verdict) for run, started, verdict in reversed(rows))


def _read_checks(
    connection: duckdb.DuckDBPyConnection, runs: Sequence[str]
) -> Mapping[str, tuple[CheckMark | None, ...]]:
    rows = connection.execute(
        f"SELECT run_id, check_id, status, n_rows, n_failed FROM ops.check WHERE {OF_NIGHTS}", [runs]
    ).fetchall()
    marks = {(run, check): CheckMark(status, n_rows, n_failed) for run, check, status, n_rows, n_failed in rows}
    return {name: tuple(marks.get((run, name)) for run in runs) for name in sorted({check for _, check in marks})}


def _read_received(connection: duckdb.DuckDBPyConnection, runs: Sequence[str]) -> Mapping[tuple[str, str, str], int]:
    rows = connection.execute(
        f"""SELECT run_id, source_id, table_name, sum(n_received)::BIGINT
        FROM ops.row_ledger JOIN ops.input USING (run_id, input_id) WHERE {OF_NIGHTS} GROUP BY ALL""",
        [runs],
    ).fetchall()
    return {(run, source, table): n for run, source, table, n in rows}


def _read_refused(
    connection: duckdb.DuckDBPyConnection, runs: Sequence[str]
) -> Mapping[tuple[str, str, str, str], int]:
    """By run, source, table and rule; without a source are rows that came with the file of an earlier night."""
    counted = count_rows("run_id, input_id, table_name, rule", f"quarantine.row WHERE {OF_NIGHTS}")
    rows = connection.execute(
        f"""SELECT run_id, coalesce(source_id, ''), table_name, rule, sum(n)::BIGINT
        FROM ({counted}) AS counted (run_id, input_id, table_name, rule, n, nothing)
        LEFT JOIN ops.input USING (run_id, input_id) GROUP BY ALL""",
        [runs, runs],
    ).fetchall()
    return {(run, source, table, rule): n for run, source, table, rule, n in rows}
