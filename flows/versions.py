"""Of the rows with one key that were ever received, at most one is kept, whatever order they came in.

The better status wins, then the later version, then the later extract; equal rows are duplicates of one; versions that
differ with nothing to order them stay out, all of them. A withdrawal is of whatever status the others are, and is never
kept itself; where nothing orders it, it is about its own number, or about any if it has none. A key that the latest
snapshot of its source does not have, nor any later extract, is gone. Only keys that occur twice or are withdrawn are
looked at, so a night without corrections costs one pass over one column.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import duckdb

from flows.lab_rows import WITHDRAWN
from flows.snapshots import Standing
from flows.sources.protocol import literal
from flows.tonight import row_key
from flows.touched import content_hash, parquet
from transforms.model.sources import Receiving


@dataclass(frozen=True)
class Order:
    """SQL of what decides between versions: the higher rank, then the later version; `content` tells equal rows.

    `withdrawn` holds for a row that takes others back, `unnumbered` for one that does not say which.
    """

    rank: str
    version: str
    content: tuple[str, ...]
    withdrawn: str = "false"
    unnumbered: str = "false"


FACTS = ("sex", "birth_year", "age_years", "died_on", "duffy_null", "weight", "stratum", "psu")
NO_ORDER = Order("0", "NULL::VARCHAR", ())
LOST = ("table_name", "input_id", "row_number", "column_number", "rule")


def orders(receiving: Receiving) -> Mapping[str, Order]:
    """How versions of each table are ordered."""
    ranks = " ".join(f"WHEN {literal(status)} THEN {rank}" for status, rank in receiving.status_ranks.items())
    known = " + ".join(f"({fact} IS NOT NULL)::INTEGER" for fact in FACTS)
    return {
        "canonical.lab": Order(
            f"CASE status {ranks} ELSE 0 END",
            "version_at::VARCHAR",
            ("analyte", "value", "comparator", "lower_bound", "upper_bound", "unit"),
            withdrawn=f"status = {literal(WITHDRAWN)}",
            unnumbered="upper_bound IS NULL AND coalesce(lower_bound, 0) = 0",
        ),
        "canonical.person": Order(
            f"({known} > 0)::INTEGER",
            "concat_ws(' ', (died_on IS NOT NULL)::INTEGER, coalesce(age_at::VARCHAR, ''), "
            f"lpad(({known})::VARCHAR, 2, '0'))",
            FACTS,
        ),
        "canonical.encounter": Order("0", "coalesce(ended_at, started_at)::VARCHAR", ("ended_at",)),
        "canonical.observation": Order("0", "ended_on::VARCHAR", ("ended_on",)),
        "canonical.exposure": NO_ORDER,
        "canonical.diagnosis": NO_ORDER,
        "canonical.vital": NO_ORDER,
    }


@dataclass(frozen=True)
class Contest:
    """Rows of one table that may share keys: tonight's, and earlier ones judged again with their places.

    `touched` is Parquet of the people tonight's rows are of, None for all. `snapshots` gives the time of the latest
    snapshot of each source that has one.
    """

    table: str
    tonight: Sequence[Path]
    again: Path | None = None
    places: Path | None = None
    touched: Path | None = None
    standings: Mapping[str, Standing] = field(default_factory=dict)
    snapshots: Mapping[str, datetime] = field(default_factory=dict)


def find_contested(connection: duckdb.DuckDBPyConnection, contest: Contest, order: Order, target: Path) -> Path | None:
    """Parquet of all rows whose key occurs twice, is withdrawn or is gone, with what decides; None when no key is."""
    candidates = _candidates(contest, order)
    keys, gone = (candidates, " OR NOT bool_or(is_fresh)") if contest.snapshots else (_keys(contest), "")
    withdrawn = f" UNION {_keys(contest, f'WHERE {order.withdrawn}')}" if order.withdrawn != "false" else ""
    connection.execute(
        f"""CREATE OR REPLACE TEMP TABLE contested AS
        SELECT record_key FROM ({keys}) GROUP BY record_key HAVING count(*) > 1{gone}{withdrawn}"""
    ).fetchall()
    if not connection.execute("SELECT count(*) > 0 FROM contested").fetchall()[0][0]:
        return None
    connection.execute(
        f"""COPY (
            SELECT *, bool_or(is_fresh) OVER (PARTITION BY person_id, record_key) AS is_there
            FROM ({candidates}) SEMI JOIN contested USING (record_key)
        ) TO {literal(str(target))} (FORMAT parquet, COMPRESSION snappy)"""
    ).fetchall()
    return target


def settle_versions(
    connection: duckdb.DuckDBPyConnection, contested: Path, target: Path, set_aside: Path | None = None
) -> Path:
    """Parquet with the columns LOST of the rows that lose; rows in `set_aside` are out of the contest, and not in it.

    Earlier rows that were out before and stay out lose by the rule `as_before`.
    """
    connection.execute(
        f"""COPY (
            SELECT table_name, input_id, row_number, column_number,
                CASE WHEN is_again AND NOT was_accepted THEN 'as_before' ELSE rule END AS rule
            FROM ({_settled(contested, set_aside)}) WHERE rule IS NOT NULL
        ) TO {literal(str(target))} (FORMAT parquet)"""
    ).fetchall()
    return target


def _keys(contest: Contest, which: str = "") -> str:
    """Their keys alone: one column of tonight's rows."""
    parts = [f"SELECT record_key FROM {parquet([contest.again])} {which}"] if contest.again else []
    parts += [f"SELECT record_key FROM {parquet(contest.tonight)} {_mine(contest)} {which}"] if contest.tonight else []
    return " UNION ALL ".join(parts)


def _mine(contest: Contest) -> str:
    return f"SEMI JOIN {parquet([contest.touched])} p USING (source_id, person_id)" if contest.touched else ""


def _candidates(contest: Contest, order: Order) -> str:
    """Every row with what decides. Rows of earlier nights say whether they are in the warehouse."""
    table = contest.table
    place = [*row_key(table), *([] if "column_number" in row_key(table) else ["0 AS column_number"])]
    content = f"hash({', '.join(order.content)})" if order.content else "0::UBIGINT"
    columns = (
        f"{literal(table)} AS table_name, source_id, person_id, record_key, {', '.join(place)}, {order.rank} AS rank, "
        f"{order.version} AS version, {content} AS content, {content_hash(table)} AS said, "
        f"{order.withdrawn} AS is_withdrawn, {order.withdrawn} AND {order.unnumbered} AS takes_any"
    )
    parts = []
    if contest.tonight:
        new = "false AS is_again, false AS was_accepted"
        parts.append(f"SELECT {columns}, {new} FROM {parquet(contest.tonight)} {_mine(contest)}")
    if contest.again and contest.places:
        key = ", ".join(row_key(table))
        parts.append(
            f"SELECT {columns}, true AS is_again, was_accepted FROM {parquet([contest.again])} "
            f"JOIN (SELECT {key}, was_accepted FROM {parquet([contest.places])}) w USING ({key})"
        )
    return (
        f"SELECT r.*, i.dated_at, i.is_fresh FROM ({' UNION ALL '.join(parts)}) r JOIN ({_standings(contest)}) i "
        "USING (input_id)"
    )


def _standings(contest: Contest) -> str:
    rows = []
    for input_id, standing in sorted(contest.standings.items()):
        snapshot = contest.snapshots.get(standing.source_id)
        is_fresh = snapshot is None or standing.counts_at >= snapshot
        dated = f"TIMESTAMP {literal(str(standing.dated_at))}" if standing.dated_at else "NULL::TIMESTAMP"
        rows.append(f"({literal(input_id)}, {dated}, {str(is_fresh).lower()})")
    return f"SELECT * FROM (VALUES {', '.join(rows)}) v(input_id, dated_at, is_fresh)"


def _settled(contested: Path, set_aside: Path | None) -> str:
    """Each contested row with the rule by which it loses, null for the one that is kept."""
    key = "PARTITION BY person_id, record_key"
    place = ", ".join(LOST[:-1])
    out = f"ANTI JOIN (SELECT {place} FROM {parquet([set_aside])}) o USING ({place})" if set_aside else ""
    first = "version NULLS LAST, said, was_accepted DESC, input_id, row_number, column_number"
    # A withdrawal has whatever rank is the highest; it never is what was said last, but others may not be it either.
    return f"""
        WITH versions AS (SELECT * FROM {parquet([contested])} {out}),
        ranked AS (
            SELECT *, max(rank) FILTER (NOT is_withdrawn) OVER ({key}) AS highest,
                is_withdrawn OR rank = highest AS is_top FROM versions
        ),
        latest AS (SELECT *, max(version) FILTER (is_top) OVER ({key}) AS top_version FROM ranked),
        best AS (SELECT *, is_top AND (version IS NULL OR version = top_version) AS is_best FROM latest),
        since AS (SELECT *, bool_or(is_fresh) FILTER (is_best) OVER ({key}) AS has_fresh FROM best),
        newer AS (SELECT *, is_best AND (is_fresh OR NOT has_fresh) AS is_newer FROM since),
        dated AS (SELECT *, max(dated_at) FILTER (is_newer) OVER ({key}) AS top_date FROM newer),
        latest_of_all AS (SELECT *, is_newer AND (dated_at IS NULL OR dated_at = top_date) AS is_last FROM dated),
        said_last AS (
            SELECT *, is_last AND NOT is_withdrawn AS stands, min(content) FILTER (stands) OVER ({key}) AS least,
                max(content) FILTER (stands) OVER ({key}) AS most,
                coalesce(bool_or(takes_any) FILTER (is_last) OVER ({key}), false)
                    OR coalesce(bool_or(is_withdrawn) FILTER (is_last) OVER ({key}, content), false) AS is_taken
            FROM latest_of_all
        ),
        marked AS (
            SELECT *, stands OR coalesce(NOT is_withdrawn AND is_best AND content = least AND least = most, false)
                AS is_contender, is_contender AND (least <> most OR is_taken) AS is_conflict FROM said_last
        ),
        placed AS (SELECT *, row_number() OVER ({key}, is_contender ORDER BY {first}) AS place FROM marked)
        SELECT *, CASE WHEN NOT is_there THEN 'gone_from_snapshot' WHEN is_last AND is_withdrawn THEN 'result_withdrawn'
            WHEN NOT is_contender THEN 'replaced_by_later'
            WHEN is_conflict THEN 'conflicting_versions' WHEN place > 1 THEN 'same_as_another' END AS rule
        FROM placed"""
