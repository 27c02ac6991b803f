"""A frame is made to fit its table: the columns of the schema in order, their types, rows sorted on the full key.

Rows come out in one order whatever order or number of threads they came from, so the same counts give the same bytes.
"""

from collections.abc import Iterator, Sequence

import polars as pl

from transforms.errors import DefinitionError
from transforms.schemas import Table, schema_of

MANY_ROWS = 1_000_000  # more of one table are worked on some at a time, to spare memory
FEW_ROWS = 10_000  # so few are compared by their texts, sooner than these are ranked and the key is packed
_BITS = 62
_AS_WRITTEN = pl.QueryOptFlags.none()
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
    wanted = polars_schema(schema_of(table_name))
    if list(rows.schema.items()) == list(wanted.items()):
        return rows
    return rows.select(pl.col(name).cast(type_) for name, type_ in wanted.items())


def fit(rows: pl.DataFrame, table_name: str) -> pl.DataFrame:
    """`rows` with the columns, order and types of `table_name`, sorted on its key, nulls first."""
    shaped = shape(rows, table_name)
    key = [name for name in schema_of(table_name).key if name in shaped.columns]
    if shaped.height <= FEW_ROWS:
        return shaped.sort(key, nulls_last=False)
    texts = _texts(shaped, key)
    return sort_on(shaped.with_columns(ranked(shaped, texts)), key).with_columns(pl.col(texts).cast(pl.String))


def _texts(rows: pl.DataFrame, key: Sequence[str]) -> list[str]:
    return [name for name in key if rows.schema[name] == pl.String]


def settle(query: pl.LazyFrame) -> pl.DataFrame:
    """The rows of a query, done as it is written: of few rows a plan costs more than it saves, and so does each step
    taken by itself.
    """
    return query.collect(engine="in-memory", optimizations=_AS_WRITTEN)


def ranked(rows: pl.DataFrame, texts: Sequence[str]) -> list[pl.Expr]:
    """Texts as ranks among their own, which have the same order and compare as numbers; none where rows are few."""
    if rows.height <= FEW_ROWS:
        return []
    return [pl.col(name).cast(pl.Enum(rows[name].unique().drop_nulls().sort())) for name in texts]


def sort_on(rows: pl.DataFrame, key: Sequence[str]) -> pl.DataFrame:
    """Rows sorted on the key, nulls first; many by a few whole numbers that hold it, in a quarter of the time."""
    numbers = _pack(rows, key) if rows.height > FEW_ROWS else None
    if numbers is None:
        return rows.sort(key, nulls_last=False)
    return rows[numbers.select(pl.arg_sort_by(numbers.columns)).to_series()]


def _pack(rows: pl.DataFrame, key: Sequence[str]) -> pl.DataFrame | None:
    """The key in as few whole numbers as hold it, which have its order; None where it cannot be put so."""
    if not all(_is_whole(rows.schema[name]) for name in key):
        return None
    whole = {name: pl.col(name).to_physical().cast(pl.Int64) for name in key}
    least, most = (rows.select(end(each) for each in whole.values()).row(0) for end in (pl.Expr.min, pl.Expr.max))
    packed: list[pl.Expr] = []
    n_free = 0
    for each, low, high in zip(whole.values(), least, most, strict=True):
        n_bits = ((high or 0) - (low or 0) + 1).bit_length()
        if n_bits > _BITS:
            return None
        from_one = (each - (low or 0) + 1).fill_null(0)
        if n_bits > n_free:
            packed, n_free = [*packed, from_one], _BITS
        else:
            packed[-1] = packed[-1] * (1 << n_bits) + from_one
        n_free -= n_bits
    return rows.select(number.alias(str(place)) for place, number in enumerate(packed))


def _is_whole(kind: pl.DataType) -> bool:
    is_long = kind in (pl.UInt64, pl.Int128, pl.UInt128)
    return (kind.is_integer() and not is_long) or kind.is_temporal() or kind in (pl.Boolean, pl.Enum)


def fit_in_turn(rows: pl.DataFrame, table_name: str) -> Iterator[pl.DataFrame]:
    """What `fit` gives, of a large table of counts some rows after the other; those in order are not sorted again."""
    if rows.height <= MANY_ROWS:
        yield fit(rows, table_name)
        return
    if is_in_order(rows, schema_of(table_name).key):
        yield from (shape(some, table_name) for some in rows.iter_slices(MANY_ROWS))
        return
    key, shaped = schema_of(table_name).key, shape(rows, table_name)
    texts = _texts(shaped, key)
    told = shaped.with_columns(ranked(shaped, texts))
    for first in told[key[0]].unique().sort():
        some = sort_on(told.filter(pl.col(key[0]) == first), key)
        yield some.with_columns(pl.col(texts).cast(pl.String))


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
