"""Of the rows with one key, tonight's and those in the warehouse, at most one is kept, whatever order they came in.

The better status wins, then the later version; equal rows are duplicates of one; versions that differ with nothing
to order them stay out, all of them. Only keys that occur twice are looked at, so a night without corrections costs
one pass over one column.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb

from flows.sources.protocol import literal
from flows.tonight import row_key
from transforms.model.sources import Receiving


@dataclass(frozen=True)
class Order:
    """SQL of what decides between versions: the higher rank, then the later version; `content` tells equal rows."""

    rank: str
    version: str
    content: tuple[str, ...]


FACTS = ("sex", "birth_year", "age_years", "died_on", "duffy_null", "weight", "stratum", "psu")
NO_ORDER = Order("0", "NULL::VARCHAR", ())


def orders(receiving: Receiving) -> Mapping[str, Order]:
    """How versions of each table are ordered."""
    ranks = " ".join(f"WHEN {literal(status)} THEN {rank}" for status, rank in receiving.status_ranks.items())
    known = " + ".join(f"({fact} IS NOT NULL)::INTEGER" for fact in FACTS)
    return {
        "canonical.lab": Order(
            f"CASE status {ranks} ELSE 0 END",
            "version_at::VARCHAR",
            ("analyte", "value", "comparator", "lower_bound", "upper_bound", "unit"),
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
    """Rows of one table that may share keys. `earlier` is Parquet of warehouse rows with tonight's keys, if any."""

    table: str
    tonight: Sequence[Path]
    earlier: Path | None


def settle_versions(
    connection: duckdb.DuckDBPyConnection, contest: Contest, order: Order, work: Path
) -> tuple[Path, Path] | None:
    """Parquet of tonight's rows that lose and of warehouse rows that do.

    The first has table_name, input_id, row_number, column_number, rule.

    None when no key occurs twice. Warehouse rows that lose come as table_name, source_id, person_id, record_key.
    """
    short = contest.table.split(".")[1]
    if not _find_contested(connection, contest):
        return None
    connection.execute(f"CREATE OR REPLACE TEMP TABLE settled AS {_settled(contest, order)}").fetchall()
    lost, replaced = work / f"lost_{short}.parquet", work / f"replaced_{short}.parquet"
    connection.execute(
        f"""COPY (
            SELECT {literal(contest.table)} AS table_name, input_id, row_number, column_number, rule FROM settled
            WHERE NOT is_earlier AND rule IS NOT NULL
        ) TO {literal(str(lost))} (FORMAT parquet)"""
    ).fetchall()
    connection.execute(
        f"""COPY (
            SELECT {literal(contest.table)} AS table_name, source_id, person_id, record_key FROM settled
            WHERE is_earlier AND NOT is_held AND rule IS NOT NULL
        ) TO {literal(str(replaced))} (FORMAT parquet)"""
    ).fetchall()
    return lost, replaced


def _find_contested(connection: duckdb.DuckDBPyConnection, contest: Contest) -> bool:
    tonight = _rows(contest.tonight)
    earlier = f"UNION ALL SELECT record_key FROM {_rows([contest.earlier])}" if contest.earlier else ""
    connection.execute(
        f"""CREATE OR REPLACE TEMP TABLE contested AS
        SELECT record_key FROM (SELECT record_key FROM {tonight} {earlier})
        GROUP BY record_key HAVING count(*) > 1"""
    ).fetchall()
    return bool(connection.execute("SELECT count(*) > 0 FROM contested").fetchall()[0][0])


def _settled(contest: Contest, order: Order) -> str:
    """Each contested row with the rule by which it loses, null for the one that is kept."""
    key_of_row = [
        *row_key(contest.table),
        *([] if "column_number" in row_key(contest.table) else ["0 AS column_number"]),
    ]
    content = f"hash({', '.join(order.content)})" if order.content else "0::UBIGINT"
    columns = (
        f"source_id, person_id, record_key, {', '.join(key_of_row)}, {order.rank} AS rank, {order.version} AS version, "
        f"{content} AS content"
    )
    tonight = f"{_rows(contest.tonight)} SEMI JOIN contested USING (record_key)"
    sources = [f"SELECT {columns}, false AS is_earlier, false AS is_held FROM {tonight}"]
    if contest.earlier:
        earlier = f"{_rows([contest.earlier])} SEMI JOIN contested USING (record_key)"
        sources.append(f"SELECT {columns}, true AS is_earlier, is_held FROM {earlier}")
    key = "PARTITION BY person_id, record_key"
    first = "version NULLS LAST, is_earlier DESC, is_held, input_id, row_number, column_number"
    return f"""
        WITH versions AS ({" UNION ALL ".join(sources)}),
        ranked AS (SELECT *, max(rank) OVER ({key}) AS top_rank FROM versions),
        latest AS (SELECT *, max(version) FILTER (rank = top_rank) OVER ({key}) AS top_version FROM ranked),
        marked AS (
            SELECT *, rank = top_rank AND (version IS NULL OR version = top_version) AS is_contender FROM latest
        ),
        placed AS (
            SELECT *, min(content) FILTER (is_contender) OVER ({key})
                    <> max(content) FILTER (is_contender) OVER ({key}) AS is_conflict,
                row_number() OVER ({key}, is_contender ORDER BY {first}) AS place
            FROM marked
        )
        SELECT source_id, person_id, record_key, input_id, row_number, column_number, is_earlier, is_held,
            CASE WHEN NOT is_contender THEN 'replaced_by_later' WHEN is_conflict THEN 'conflicting_versions'
                 WHEN place > 1 THEN 'same_as_another' END AS rule
        FROM placed"""


def _rows(paths: Sequence[Path | None]) -> str:
    return "read_parquet([" + ", ".join(literal(str(path)) for path in paths) + "])"
