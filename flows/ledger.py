"""The ledger: each row that was read ends in exactly one column, and each line adds up by construction.

A row of a wide file holds several results. It is accepted when one of them is; else it stands where its worst result
went: quarantined, then superseded, then duplicate. A row without any result of interest is irrelevant.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import duckdb

from flows.handover import LedgerLine
from flows.sources.protocol import literal
from flows.staging import Staged
from flows.tonight import row_key

OUTCOMES = ("quarantined", "superseded", "duplicate")


def count_outcomes(connection: duckdb.DuckDBPyConnection, staged: Sequence[Staged], dropped: Path) -> list[LedgerLine]:
    """One line for each input and table that was read tonight; `dropped` is the Parquet of set-aside rows."""
    groups: dict[tuple[str, str], list[Staged]] = {}
    for entry in staged:
        groups.setdefault((entry.input_id, entry.table), []).append(entry)
    counted = connection.execute(
        f"SELECT table_name, input_id, outcome, count(*) FROM read_parquet({literal(str(dropped))}) GROUP BY ALL"
    ).fetchall()
    out = Counter({(input_id, table, outcome): n for table, input_id, outcome, n in counted})
    return [
        _line_of_rows(connection, key, parts, dropped)
        if any(part.feed.is_wide for part in parts)
        else _line(key, parts, {outcome: out[(*key, outcome)] for outcome in OUTCOMES})
        for key, parts in groups.items()
    ]


def merge_lines(lines: Iterable[LedgerLine]) -> tuple[LedgerLine, ...]:
    """One line for each input and table, sorted."""
    merged: dict[tuple[str, str], LedgerLine] = {}
    for line in lines:
        key = (line.input_id, line.table_name)
        merged[key] = merged[key].plus(line) if key in merged else line
    return tuple(merged[key] for key in sorted(merged))


def _line(key: tuple[str, str], parts: Sequence[Staged], out: Mapping[str, int]) -> LedgerLine:
    input_id, table = key
    n_conflicting = out["quarantined"] - sum(part.n_quarantined for part in parts)
    n_accepted = sum(part.n_accepted for part in parts) - out["duplicate"] - out["superseded"] - n_conflicting
    return LedgerLine(
        input_id,
        table,
        sum(part.n_received for part in parts),
        n_accepted,
        n_duplicate=out["duplicate"],
        n_superseded=out["superseded"],
        n_quarantined=out["quarantined"],
        n_irrelevant=sum(part.n_irrelevant for part in parts),
    )


def _line_of_rows(
    connection: duckdb.DuckDBPyConnection, key: tuple[str, str], parts: Sequence[Staged], dropped: Path
) -> LedgerLine:
    input_id, table = key
    place = ", ".join(row_key(table)[1:])
    files = ", ".join(literal(str(part.path)) for part in parts)
    order = "[" + ", ".join(literal(outcome) for outcome in OUTCOMES) + "]"
    counted = connection.execute(
        f"""WITH gone AS (
            SELECT {place}, outcome FROM read_parquet({literal(str(dropped))})
            WHERE table_name = {literal(table)} AND input_id = {literal(input_id)}
        ), results AS (
            SELECT row_number, 0 AS place FROM read_parquet([{files}]) ANTI JOIN gone USING ({place})
            UNION ALL SELECT row_number, list_position({order}, outcome) FROM gone
        )
        SELECT place, count(*) FROM (SELECT row_number, min(place) AS place FROM results GROUP BY row_number)
        GROUP BY place"""
    ).fetchall()
    rows = Counter(dict(counted))
    n_received = sum(part.n_received for part in parts)
    out = {outcome: rows[place] for place, outcome in enumerate(OUTCOMES, start=1)}
    return LedgerLine(
        input_id,
        table,
        n_received,
        rows[0],
        n_duplicate=out["duplicate"],
        n_superseded=out["superseded"],
        n_quarantined=out["quarantined"],
        n_irrelevant=n_received - sum(rows.values()),
    )
