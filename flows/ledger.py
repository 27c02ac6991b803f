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
from flows.staging import Staged
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
    return [
        _line_of_rows(connection, key, parts, dropped)
        if any(part.feed.is_wide for part in parts)
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
    place = ", ".join(row_key(table)[1:])
    order = "[" + ", ".join(literal(outcome) for outcome in OUTCOMES) + "]"
    listed = ", ".join(literal(str(path)) for path in files)
    moves: dict[tuple[str, str, str], int] = {}
    for input_id in sorted(received.wide):
        own = f"table_name = {literal(table)} AND input_id = {literal(input_id)}"
        counted = connection.execute(
            f"""WITH out AS (SELECT {place}, outcome FROM gone WHERE {own}),
            results AS (
                SELECT row_number, 0 AS place FROM read_parquet([{listed}]) ANTI JOIN out USING ({place})
                WHERE input_id = {literal(input_id)}
                UNION ALL SELECT row_number, list_position({order}, outcome) FROM out
            )
            SELECT place, count(*) FROM (SELECT row_number, min(place) AS place FROM results GROUP BY row_number)
            GROUP BY place"""
        ).fetchall()
        rows = dict(counted)
        moves |= {(input_id, table, name): rows.get(place, 0) for place, name in enumerate(OUTCOMES, start=1)}
    return moves


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
