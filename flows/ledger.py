"""The ledger: each row that was read ends in exactly one column, and each line adds up by construction.

A row of a wide file holds several results. It is accepted when one of them is; else it stands where its worst result
went: quarantined, then superseded, then duplicate. A row without any result of interest is irrelevant.

Rows of earlier nights that change their place tonight have a line of their own, which adds up too: of tonight's run and
the file that they came from, with those rows alone. If that file was given again tonight, they leave its duplicates.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import duckdb

from flows.handover import LedgerLine, Received
from flows.sources.protocol import literal
from flows.staging import Staged, rows_of
from flows.tonight import row_key
from flows.warehouse import open_memory

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
    wide = {key: parts for key, parts in groups.items() if any(part.feed.is_wide for part in parts)}
    rows = _count_rows(connection, wide, dropped)
    return [
        _line_of_rows(key, parts, rows[key])
        if key in wide
        else _line(key, parts, {outcome: out[(*key, outcome)] for outcome in OUTCOMES})
        for key, parts in groups.items()
    ]


def close_ledger(received: Received, set_aside: Path, memory_limit: str) -> tuple[LedgerLine, ...]:
    """The lines of the night once it is known which rows are set aside; each adds up as before."""
    with open_memory(set_aside.parent / "spill", memory_limit=memory_limit) as connection:
        files = ", ".join(literal(str(path)) for path in (received.dropped, set_aside))
        connection.execute(f"CREATE TEMP VIEW gone AS SELECT * FROM read_parquet([{files}])").fetchall()
        counted = connection.execute("SELECT input_id, table_name, outcome, count(*) FROM gone GROUP BY ALL").fetchall()
        out = {(input_id, table, outcome): n for input_id, table, outcome, n in counted}
        out |= _moves_of_wide_rows(connection, received)
        lines = [_closed(line, out) if line.input_id in received.fresh else line for line in received.ledger]
        moved = _moves_of_earlier_rows(connection, received)
    return merge_lines([*_with_moves(lines, moved), *received.standing])


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


def _count_rows(
    connection: duckdb.DuckDBPyConnection, wide: Mapping[tuple[str, str], Sequence[Staged]], dropped: Path
) -> Mapping[tuple[str, str], Counter[int]]:
    """For each wide input and table, its rows by where their best result went: 0 for accepted, else an outcome."""
    rows: dict[tuple[str, str], Counter[int]] = {key: Counter() for key in wide}
    for table in sorted({table for _, table in wide}):
        files = rows_of(part for key, parts in wide.items() if key[1] == table for part in parts)
        gone = f"SELECT * FROM read_parquet({literal(str(dropped))}) WHERE table_name = {literal(table)}"
        for input_id, place, n_rows in connection.execute(_places_of_rows(table, files, gone)).fetchall():
            if (input_id, table) in rows:
                rows[input_id, table][place] = n_rows
    return rows


def _places_of_rows(table: str, files: Sequence[Path], gone: str) -> str:
    """SELECT of input_id, place and rows; `gone` is SQL of the results that were set aside."""
    key = ", ".join(row_key(table))
    listed = ", ".join(literal(str(path)) for path in files)
    order = "[" + ", ".join(literal(outcome) for outcome in OUTCOMES) + "]"
    return f"""WITH out AS (SELECT {key}, outcome FROM ({gone})),
        results AS (
            SELECT input_id, row_number, 0 AS place FROM read_parquet([{listed}]) ANTI JOIN out USING ({key})
            UNION ALL SELECT input_id, row_number, list_position({order}, outcome) FROM out
        )
        SELECT input_id, place, count(*)
        FROM (SELECT input_id, row_number, min(place) AS place FROM results GROUP BY ALL) GROUP BY ALL"""


def _line_of_rows(key: tuple[str, str], parts: Sequence[Staged], rows: Counter[int]) -> LedgerLine:
    input_id, table = key
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


def _closed(line: LedgerLine, out: Mapping[tuple[str, str, str], int]) -> LedgerLine:
    """The line with what left it; what has left no table, or was never of interest, stays as it was counted."""
    if not line.table_name.startswith("canonical."):
        return line
    gone = [out.get((line.input_id, line.table_name, outcome), 0) for outcome in OUTCOMES]
    return replace(
        line,
        n_accepted=line.n_received - line.n_irrelevant - sum(gone),
        n_quarantined=gone[0],
        n_superseded=gone[1],
        n_duplicate=gone[2],
    )


def _moves_of_wide_rows(
    connection: duckdb.DuckDBPyConnection, received: Received
) -> Mapping[tuple[str, str, str], int]:
    """What became of the rows of wide files: all results of a row are weighed before the row has a place."""
    table, files = "canonical.lab", received.staged.get("canonical.lab", ())
    if not received.wide or not files:
        return {}
    gone = f"SELECT * FROM gone WHERE table_name = {literal(table)}"
    places: dict[str, dict[int, int]] = {}
    for input_id, place, n_rows in connection.execute(_places_of_rows(table, files, gone)).fetchall():
        places.setdefault(input_id, {})[place] = n_rows
    return {
        (input_id, table, name): places.get(input_id, {}).get(place, 0)
        for input_id in sorted(received.wide)
        for place, name in enumerate(OUTCOMES, start=1)
    }


def _moves_of_earlier_rows(
    connection: duckdb.DuckDBPyConnection, received: Received
) -> Mapping[tuple[str, str], Mapping[str, int]]:
    """By input and table, how many rows of earlier nights have got which place tonight."""
    if not received.again:
        return {}
    files = ", ".join(literal(str(path)) for path in received.again)
    order = "[" + ", ".join(literal(name) for name in ("accepted", *OUTCOMES)) + "]"
    counted = connection.execute(
        f"""SELECT input_id, table_name, {order}[place], count(*) FROM (
            SELECT input_id, table_name, row_number, min(list_position({order}, coalesce(outcome, 'accepted'))) AS place
            FROM read_parquet([{files}]) LEFT JOIN gone USING (table_name, input_id, row_number, column_number)
            WHERE was_accepted <> (outcome IS NULL)
            GROUP BY ALL
        ) WHERE place IS NOT NULL GROUP BY ALL ORDER BY ALL"""
    ).fetchall()
    moves: dict[tuple[str, str], dict[str, int]] = {}
    for input_id, table, name, n in counted:
        moves.setdefault((input_id, table), {})[f"n_{name}"] = n
    return moves


def _with_moves(
    lines: Iterable[LedgerLine], moves: Mapping[tuple[str, str], Mapping[str, int]]
) -> tuple[LedgerLine, ...]:
    by_key = {(line.input_id, line.table_name): line for line in lines}
    for key, places in moves.items():
        n_moved = sum(places.values())
        own = LedgerLine(*key, n_received=n_moved, n_accepted=0)
        given_again = LedgerLine(*key, n_received=0, n_accepted=0, n_duplicate=-n_moved)
        line = given_again if key in by_key else own
        for name, n in places.items():
            line = replace(line, **{name: getattr(line, name) + n})
        by_key[key] = by_key[key].plus(line) if key in by_key else line
    return tuple(by_key.values())
