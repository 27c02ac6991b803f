"""Damage to binary tables: footers, pages and types of Parquet, counts of transport files, blocks of a database."""

import struct
from collections.abc import Mapping
from random import Random

import duckdb

from tests.fuzz.damage_bytes import ANY, Damage, inside
from tests.fuzz.extracts import EVENTS, TYPED
from tests.fuzz.seeds import database, parquet_by

FOOTER_LENGTH_BYTES = 8
HARD_TYPES = (
    *("VARCHAR[]", "STRUCT(a VARCHAR)", "MAP(VARCHAR, VARCHAR)", "BLOB", "BOOLEAN", "UUID", "HUGEINT", "UTINYINT"),
    *("DATE", "TIME", "TIMESTAMP_NS", "TIMESTAMP_S", "TIMESTAMPTZ", "TIMETZ", "INTERVAL", "DECIMAL(38,20)", "FLOAT"),
    *("DOUBLE", "TINYINT", "BIT", "TIMESTAMP", "BIGINT", "ENUM ('a', 'b')"),
)
HARD_EXPRESSIONS = (
    *(
        "NULL",
        "'NaN'::DOUBLE",
        "'inf'::DOUBLE",
        "'-inf'::FLOAT",
        "1e308",
        "-0.0::DOUBLE",
        "5e-324",
        "170141183460469231731687303715884105727",
    ),
    *(
        "'infinity'::TIMESTAMP",
        "'-infinity'::DATE",
        "'infinity'::TIMESTAMPTZ",
        "'290309-12-22 (BC) 00:00:00'::TIMESTAMP",
    ),
    *(
        "'294247-01-10 04:00:54.775806'::TIMESTAMP",
        "'5877642-06-25 (BC)'::DATE",
        "'2262-04-11 23:47:16.854775807'::TIMESTAMP_NS",
    ),
    *(
        "['x', NULL]",
        "{'a': 1}",
        "map {'a': 'b'}",
        "'\\xFF\\x00'::BLOB",
        "repeat('x', 100000)",
        "''",
        "[]",
        "uuid()",
        "INTERVAL 1 DAY",
    ),
    *(
        "9999999999999999999999999999.1234567890::DECIMAL(38,10)",
        "18446744073709551615",
        "TIME '25:00:00' IS NULL",
        "chr(0)",
    ),
    *("make_date(9999, 12, 31)", "'2024-03-01'::DATE", "true", "[[1]]", "'10*9/L'", "751"),
)
HARD_NAMES = (
    *(
        "row_number",
        "file_row_number",
        "filename",
        "column_number",
        "rowid",
        "value__bad",
        "collected_at__at",
        "a b",
        "PERSON_ID",
    ),
    *('"', "'", "", " ", "x" * 5000, "collected_at__day", "cell", "rule", "is_wanted", "😀", "{labs}", "f", "t"),
)
COLUMNS = {
    "typed": (TYPED, ("person_id", "specimen_id", "collected_at", "test_code", "value", "unit")),
    "events": (EVENTS, ("subject_id", "time", "code", "numeric_value", "text_value")),
}


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _hard_select(rng: Random) -> str:
    sql, columns = rng.choice(list(COLUMNS.values()))
    column, name = rng.choice(columns), rng.choice(HARD_NAMES)
    others = f"SELECT * EXCLUDE ({column}) FROM ({sql})"
    return rng.choice(
        (
            f"SELECT *, try_cast({column} AS {rng.choice(HARD_TYPES)}) AS {column} FROM ({sql.replace('*', '*')})",
            f"SELECT * REPLACE (({rng.choice(HARD_EXPRESSIONS)}) AS {column}) FROM ({sql})",
            f"SELECT * REPLACE (({rng.choice(HARD_EXPRESSIONS)}) AS {column}) FROM ({sql})",
            f"SELECT * REPLACE (try_cast({column} AS {rng.choice(HARD_TYPES)}) AS {column}) FROM ({sql})",
            f"SELECT * REPLACE (try_cast({column}::VARCHAR AS {rng.choice(HARD_TYPES)}) AS {column}) FROM ({sql})",
            f"SELECT *, {column} AS {_quoted(name or 'empty')} FROM ({sql})",
            f"SELECT * RENAME ({column} AS {_quoted(name or 'empty')}) FROM ({sql})",
            f"{others} WHERE false",
            f"SELECT * FROM ({sql}) WHERE false",
            f"SELECT a.* FROM ({sql}) a, range(500)",
            others,
        )
    )


def strange_parquet(content: bytes, rng: Random) -> bytes:
    """A whole Parquet file with a type, a value, a name or a number of columns that nobody expects."""
    options = rng.choice(
        ("", ", COMPRESSION gzip", ", COMPRESSION zstd", ", ROW_GROUP_SIZE 2048", ", PARQUET_VERSION v2")
    )
    for _ in range(20):
        try:
            return parquet_by(_hard_select(rng), options)
        except duckdb.Error:
            continue
    return content


def strange_database(content: bytes, rng: Random) -> bytes:
    """A whole DuckDB file with such columns, views, or tables in other schemas."""
    for _ in range(20):
        try:
            return database({rng.choice(("labs", '"a b"', '"x.y"', '"la""bs"', "measurement")): _hard_select(rng)})
        except duckdb.Error:
            continue
    return content


def damage_footer(content: bytes, rng: Random) -> bytes:
    """Bytes of the footer changed, where types, counts, places and statistics stand."""
    if len(content) < 2 * FOOTER_LENGTH_BYTES:
        return content
    (length,) = struct.unpack("<I", content[-FOOTER_LENGTH_BYTES:-4])
    start = max(4, len(content) - FOOTER_LENGTH_BYTES - length) if length < len(content) else 4
    footer = content[start:-FOOTER_LENGTH_BYTES]
    damaged = rng.choice(list(ANY.values()))(footer, rng) if footer else footer
    kept = rng.random() < 0.8
    size = struct.pack("<I", len(damaged)) if kept else struct.pack("<I", rng.choice((0, 1, 2**31, 2**32 - 1)))
    return content[:start] + damaged + size + content[-4:]


def damage_pages(content: bytes, rng: Random) -> bytes:
    """Bytes between the mark and the footer changed, in place."""
    damaged = bytearray(content)
    for _ in range(rng.choice((1, 2, 10))):
        damaged[rng.randrange(4, max(5, len(damaged) * 2 // 3))] = rng.choice(
            (0, 1, 0x7F, 0x80, 0xFF, rng.randrange(256))
        )
    return bytes(damaged)


def damage_counts(content: bytes, rng: Random) -> bytes:
    """Digits in the header of a transport file: how many columns, how long each, which version."""
    header_bytes = max(1, content.find(b"OBS")) + 80
    places = [place for place in range(min(len(content), header_bytes)) if content[place : place + 1].isdigit()]
    damaged = bytearray(content)
    for _ in range(rng.choice((1, 2))):
        if places:
            damaged[rng.choice(places)] = rng.choice(b"0123456789 -X")
    return bytes(damaged)


def damage_columns(content: bytes, rng: Random) -> bytes:
    """Fields of the columns of a transport file: type, length, position, name."""
    start = content.find(b"NAMESTR HEADER") + 60
    damaged = bytearray(content)
    column = start + 140 * rng.randrange(3)
    at = column + rng.choice((0, 2, 4, 6, 8, 16, 56, 64, 72, 74, 76, 84, 86))
    damaged[at : at + 2] = rng.choice(
        (b"\x00\x00", b"\x00\x01", b"\x00\x02", b"\xff\xff", b"\x7f\xff", b"\x00\x09", b"  ")
    )
    return bytes(damaged)


def damage_numbers(content: bytes, rng: Random) -> bytes:
    """Cells of a transport file: other exponents, special missings, noise."""
    start = content.find(b"HEADER RECORD*******OBS") + 80
    damaged = bytearray(content)
    for _ in range(rng.choice((1, 4))):
        at = start + 8 * rng.randrange(max(1, (len(content) - start) // 8))
        hard = (
            b"\x7f" + b"\xff" * 7,
            b"\xff" * 8,
            b".\0\0\0\0\0\0\0",
            b"Z\0\0\0\0\0\0\0",
            rng.randbytes(8),
            b" " * 8,
            bytes(8),
        )
        damaged[at : at + 8] = rng.choice(hard)
    return bytes(damaged[: len(content)])


PARQUET: Mapping[str, Damage] = {
    damage.__name__: damage for damage in (strange_parquet, damage_footer, damage_footer, damage_pages)
}
TRANSPORT: Mapping[str, Damage] = {
    damage.__name__: inside(damage) for damage in (damage_counts, damage_columns, damage_numbers)
}
DATABASE: Mapping[str, Damage] = {damage.__name__: damage for damage in (strange_database, damage_pages)}
