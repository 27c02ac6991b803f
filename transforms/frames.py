"""A frame is made to fit its table: the columns of the schema in order, their types, rows sorted on the full key.

Rows come out in one order whatever order or number of threads they came from, so the same counts give the same bytes.
"""

from collections.abc import Iterator, Sequence

import polars as pl

from transforms.errors import DefinitionError
from transforms.schemas import Table, schema_of

MANY_ROWS = 1_000_000  # more of one table are worked on some at a time, to spare memory
FEW_ROWS = 10_000  # of so many, texts are compared sooner than ranked
_TYPES: dict[str, pl.DataType] = {
    "VARCHAR": pl.String(),
    "BIGINT": pl.Int64(),
    "INTEGER": pl.Int32(),
    "DOUBLE": pl.Float64(),
    "DECIMAL(38,9)": pl.Decimal(38, 9),
    "BOOLEAN": pl.Boolean(),
    "DATE": pl.Date(),
    "TIMESTAMP": pl.Datetime("us"),
}


def polars_schema(table: Table) -> dict[str, pl.DataType]:
    """Polars types of a table of counts, estimates or released numbers."""
    unknown = sorted({column.type for column in table.columns} - set(_TYPES))
    if unknown:
        raise DefinitionError(f"{table.name} has types that no frame can hold.", details=unknown)
    return {column.name: _TYPES[column.type] for column in table.columns}


def shape(rows: pl.DataFrame, table_name: str) -> pl.DataFrame:
    """`rows` with the columns, order and types of `table_name`, in any order."""
    return rows.select(pl.col(name).cast(type_) for name, type_ in polars_schema(schema_of(table_name)).items())


def fit(rows: pl.DataFrame, table_name: str) -> pl.DataFrame:
    """`rows` with the columns, order and types of `table_name`, sorted on its key, nulls first."""
    shaped = shape(rows, table_name)
    key = [name for name in schema_of(table_name).key if name in shaped.columns]
    if shaped.height <= FEW_ROWS:
        return shaped.sort(key, nulls_last=False)
    ranks = ranked(shaped, key)
    texts = pl.col([name for name in key if shaped.schema[name] == pl.String])
    return shaped.with_columns(ranks).sort(key, nulls_last=False).with_columns(texts.cast(pl.String))


def ranked(rows: pl.DataFrame, names: Sequence[str]) -> list[pl.Expr]:
    """Those of the columns that are texts, as places in their order, which compare faster; none where rows are few."""
    if rows.height <= FEW_ROWS:
        return []
    texts = [name for name in names if rows.schema[name] == pl.String]
    return [pl.col(name).cast(pl.Enum(rows[name].unique().drop_nulls().sort())) for name in texts]


def fit_in_turn(rows: pl.DataFrame, table_name: str) -> Iterator[pl.DataFrame]:
    """What `fit` gives, of a large table of counts some rows after the other; those in order are not sorted again."""
    if rows.height <= MANY_ROWS:
        yield fit(rows, table_name)
        return
    if is_in_order(rows, schema_of(table_name).key):
        yield from (shape(some, table_name) for some in rows.iter_slices(MANY_ROWS))
        return
    first = pl.col(schema_of(table_name).key[0])
    for text in rows.select(first.unique()).to_series().sort():
        yield fit(rows.filter(first == text), table_name)


def is_in_order(rows: pl.DataFrame, key: Sequence[str]) -> bool:
    """Whether rows are sorted on the key, nulls first; to compare neighbours costs a fraction of sorting."""
    is_same = pl.Series([True]).new_from_index(0, rows.height)
    for name in key:
        pair = pl.DataFrame({"this": rows[name], "last": rows[name].shift(1), "is_same": is_same}).slice(1)
        this, last = pl.col("this"), pl.col("last")
        is_before = pl.when(this.is_null()).then(last.is_not_null()).otherwise((this < last).fill_null(value=False))
        if pair.select((pl.col("is_same") & is_before).any()).item():
            return False
        is_same = pl.concat([is_same.head(1), pair.select(pl.col("is_same") & this.eq_missing(last)).to_series()])
    return True


def empty(table_name: str) -> pl.DataFrame:
    """No rows of `table_name`."""
    return pl.DataFrame(schema=polars_schema(schema_of(table_name)))


def stack(parts: Sequence[pl.DataFrame], table_name: str) -> pl.DataFrame:
    """All parts as one frame that fits `table_name`; no part gives no rows."""
    filled = [shape(part, table_name) for part in parts if part.height]
    return fit(pl.concat(filled), table_name) if filled else empty(table_name)
