"""The distinct cells of a table's columns, in DuckDB; a sample of them, and those that may have a form, as frames."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import duckdb
import polars as pl

from flows.sources.protocol import literal, quote
from transforms.identifier_looks import ColumnKind
from transforms.identifier_shapes import screening_pattern
from transforms.model.identifiers import Identifiers, Scanning

CELLS = "identifier_cells"
MANY = 50  # columns; from so many on one query for all costs less than one for each
_NUMBERS = (
    *("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT"),
    *("UTINYINT", "USMALLINT", "UINTEGER", "UBIGINT", "UHUGEINT"),
    *("FLOAT", "DOUBLE", "DECIMAL"),
)
_SCHEMA = {"place": pl.Int64, "cell": pl.String, "n": pl.Int64}


@dataclass(frozen=True)
class ScannedColumn:
    """A column by its place: how many cells are given, how many differ (about), whether its cells were gathered."""

    place: int
    header: str
    kind: ColumnKind
    n_given: int
    n_distinct: int
    is_gathered: bool = False


def kind_of(duckdb_type: str) -> ColumnKind:
    """What a column of the type holds."""
    upper = duckdb_type.upper()
    if upper.endswith("]"):
        return "text"
    if upper.startswith(_NUMBERS):
        return "number"
    if upper == "DATE" or upper.startswith("TIMESTAMP"):
        return "time"
    if upper.startswith("BLOB"):
        return "binary"
    return "other" if upper in {"BOOLEAN", "TIME", "INTERVAL"} or upper.startswith("TIME ") else "text"


def measure(
    connection: duckdb.DuckDBPyConnection, relation: str, types: Mapping[str, str]
) -> tuple[ScannedColumn, ...]:
    """Size every column in one read."""
    if not types:
        return ()
    sizes = ", ".join(f"count({quote(h)}), approx_count_distinct({quote(h)})" for h in types)
    row = connection.execute(f"SELECT {sizes} FROM {relation}").fetchall()[0]
    return tuple(
        ScannedColumn(place, header, kind_of(kind), row[2 * place], row[2 * place + 1])
        for place, (header, kind) in enumerate(types.items())
    )


def gather_cells(
    connection: duckdb.DuckDBPyConnection,
    relation: str,
    columns: tuple[ScannedColumn, ...],
    whole: Collection[int],
    scanning: Scanning,
) -> tuple[ScannedColumn, ...]:
    """Put the distinct cells of columns of text, and of the places in `whole`, into a temporary table; count them."""
    gathered = [
        column
        for column in columns
        if column.n_given
        and (column.place in whole or (column.kind == "text" and column.n_distinct <= scanning.most_distinct))
    ]
    cells = _at_once(relation, gathered) if len(gathered) > MANY else _one_by_one(relation, gathered)
    connection.execute(f"CREATE OR REPLACE TEMP TABLE {CELLS} AS {cells}").fetchall()
    counted = {
        place: (n_given, n_distinct)
        for place, n_given, n_distinct in connection.execute(
            f"SELECT place, sum(n)::BIGINT, count(*) FROM {CELLS} GROUP BY place"
        ).fetchall()
    }
    places = {column.place for column in gathered}
    return tuple(
        replace(column, is_gathered=True, n_given=counted.get(column.place, (0, 0))[0],
                n_distinct=counted.get(column.place, (0, 0))[1])
        if column.place in places
        else column
        for column in columns
    )  # fmt: skip


def _one_by_one(relation: str, gathered: Sequence[ScannedColumn]) -> str:
    parts = [
        f"""SELECT {column.place} AS place, trim(cell) AS cell, n FROM (
            SELECT {quote(column.header)}::VARCHAR AS cell, count(*) AS n FROM {relation}
            WHERE {quote(column.header)} IS NOT NULL GROUP BY ALL) WHERE trim(cell) <> ''"""
        for column in gathered
    ]
    nothing = "SELECT NULL::INTEGER AS place, NULL::VARCHAR AS cell, NULL::BIGINT AS n WHERE false"
    return " UNION ALL ".join([nothing, *parts])


def _at_once(relation: str, gathered: Sequence[ScannedColumn]) -> str:
    """The same of a wide table: a query a column would be planned over all columns each time."""
    cells = ", ".join(f"{{place: {column.place}, cell: {quote(column.header)}::VARCHAR}}" for column in gathered)
    return f"""SELECT place, trim(cell) AS cell, n FROM (
        SELECT u.place AS place, u.cell AS cell, count(*) AS n FROM (SELECT unnest([{cells}]) AS u FROM {relation})
        WHERE u.cell IS NOT NULL GROUP BY ALL) WHERE trim(cell) <> ''"""


def take_sample(
    connection: duckdb.DuckDBPyConnection, relation: str, columns: tuple[ScannedColumn, ...], scanning: Scanning
) -> pl.DataFrame:
    """Distinct cells of text and number columns, all or the same share each time by their hash."""
    steps = {column.place: max(1, column.n_distinct // scanning.sample_distinct) for column in columns}
    own = [f"({column.place}, {steps[column.place]}::UBIGINT)" for column in columns if column.is_gathered]
    of_gathered = f"SELECT place, cell, n FROM {CELLS} JOIN (VALUES {', '.join(own)}) s(place, step) USING (place)"
    parts = [f"{of_gathered} WHERE hash(cell) % step = 0"] if own else []
    for column in columns:
        header, step = quote(column.header), steps[column.place]
        if not column.is_gathered and column.kind in {"text", "number"} and column.n_given:
            # 17.0 of a column of floats is the number 17.
            whole = f"CASE WHEN {header} = floor({header}) THEN {header}::HUGEINT::VARCHAR ELSE {header}::VARCHAR END"
            cell = f"TRY({whole})" if column.kind == "number" else f"trim({header}::VARCHAR)"
            parts.append(
                f"SELECT {column.place} AS place, {cell} AS cell, count(*) AS n FROM {relation} "
                f"WHERE hash({header}) % {step} = 0 AND {header} IS NOT NULL GROUP BY ALL"
            )
    if not parts:
        return pl.DataFrame(schema=_SCHEMA)
    sampled: pl.DataFrame = connection.sql(
        f"SELECT place::BIGINT AS place, cell, n::BIGINT AS n FROM ({' UNION ALL '.join(parts)}) WHERE cell <> '' "
        "ORDER BY place, hash(cell), cell"
    ).pl()
    return sampled


def screen(
    connection: duckdb.DuckDBPyConnection,
    relation: str,
    columns: tuple[ScannedColumn, ...],
    identifiers: Identifiers,
) -> pl.DataFrame:
    """Cells that may have a form of which one is enough: of all distinct cells, at most so many a column."""
    scanning = identifiers.scanning
    is_told = (
        f"NOT regexp_full_match(cell, {literal(scanning.plain_pattern)}) "
        f"AND regexp_matches(cell, {literal(screening_pattern(identifiers))})"
    )
    parts = [f"SELECT place, cell, n FROM {CELLS} WHERE {is_told}"]
    for column in columns:
        if column.kind == "text" and column.n_given and not column.is_gathered:
            header = quote(column.header)
            repeats = 2 * column.n_distinct < column.n_given
            n, grouped = ("count(*)", "GROUP BY ALL") if repeats else ("1", "")
            cells = f"(SELECT {header}::VARCHAR AS cell, {n} AS n FROM {relation} WHERE {header} IS NOT NULL {grouped})"
            parts.append(f"SELECT {column.place}, trim(cell), sum(n) FROM {cells} WHERE {is_told} GROUP BY ALL")
    # Rows and not a frame: the reader of frames takes a long statement apart once more, and few cells are told.
    rows = connection.execute(
        f"""SELECT place::BIGINT, cell, n::BIGINT, sum(n) OVER (PARTITION BY place)::BIGINT
        FROM ({" UNION ALL ".join(parts)})
        QUALIFY row_number() OVER (PARTITION BY place ORDER BY hash(cell), cell) <= {scanning.most_candidates}
        ORDER BY place, cell"""
    ).fetchall()
    return pl.DataFrame(rows, schema={**_SCHEMA, "n_all": pl.Int64}, orient="row")
