"""Rows of a file of which a release judges only the refused ones: those of people who are not touched stay as they are.

They are counted where they stand, so that the ledger's line of the file is whole, and are not looked at again.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import duckdb

from flows.earlier import WAREHOUSE
from flows.handover import LedgerLine
from flows.reading import Night
from flows.sources.protocol import literal
from flows.staging import Staged
from flows.tonight import row_key
from flows.touched import content_hash, parquet

PLACES = ("accepted", "superseded", "duplicate")


def keep_standing(night: Night, touched: Path) -> tuple[LedgerLine, ...]:
    """Leave rows of people who are not touched out of the night; a line for each file and table counts them.

    The warehouse must be attached.
    """
    groups: dict[tuple[str, str], list[Staged]] = {}
    for entry in night.staged:
        if entry.stood_before:
            groups.setdefault((entry.input_id, entry.table), []).append(entry)
    lines = []
    for key, entries in groups.items():
        line = _count_standing(night.connection, key, [entry.path for entry in entries], touched)
        lines.append(line)
        n_left = [entries[0].n_received - line.n_received, *(entry.n_received for entry in entries[1:])]
        for entry, n_received in zip(entries, n_left, strict=True):
            picked = _pick_touched(night, entry, touched, n_received)
            night.staged[night.staged.index(entry)] = picked
    return tuple(lines)


def _count_standing(
    connection: duckdb.DuckDBPyConnection, key: tuple[str, str], files: Sequence[Path], touched: Path
) -> LedgerLine:
    """Where rows stand: in the warehouse, or beaten by a version there, or equal to it. A row stands with its best."""
    input_id, table = key
    place, said = ", ".join(row_key(table)), content_hash(table)
    connection.execute(
        f"""CREATE OR REPLACE TEMP TABLE beaten AS SELECT row_number, record_key, {said} AS said FROM {parquet(files)}
        ANTI JOIN {parquet([touched])} p USING (source_id, person_id)
        ANTI JOIN (SELECT {place} FROM {WAREHOUSE}.{table} WHERE input_id = {literal(input_id)}) k USING ({place})"""
    ).fetchall()
    counted = connection.execute(
        f"""WITH result AS (
            SELECT row_number, 0 AS place FROM {parquet(files)}
            ANTI JOIN {parquet([touched])} p USING (source_id, person_id)
            SEMI JOIN (SELECT {place} FROM {WAREHOUSE}.{table} WHERE input_id = {literal(input_id)}) k USING ({place})
            UNION ALL
            SELECT row_number, CASE WHEN k.said IS NULL THEN 1 ELSE 2 END FROM beaten LEFT JOIN (
                SELECT DISTINCT record_key, {said} AS said FROM {WAREHOUSE}.{table}
                SEMI JOIN beaten USING (record_key)
            ) k USING (record_key, said)
        )
        SELECT place, count(*) FROM (SELECT row_number, min(place) AS place FROM result GROUP BY row_number)
        GROUP BY place"""
    ).fetchall()
    n_accepted, n_superseded, n_duplicate = (dict(counted).get(place, 0) for place in range(len(PLACES)))
    n_received = n_accepted + n_superseded + n_duplicate
    return LedgerLine(input_id, table, n_received, n_accepted, n_duplicate, n_superseded)


def _pick_touched(night: Night, entry: Staged, touched: Path, n_received: int) -> Staged:
    target = night.context.work / f"picked_{entry.input_id}_{entry.path.name}"
    copied = night.connection.execute(
        f"COPY (SELECT * FROM {parquet([entry.path])} SEMI JOIN {parquet([touched])} p USING (source_id, person_id)) "
        f"TO {literal(str(target))} (FORMAT parquet, COMPRESSION snappy)"
    ).fetchall()
    return replace(entry, path=target, n_received=n_received, n_accepted=int(copied[0][0]))
