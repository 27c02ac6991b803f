"""Judges every column of a table, as sent, for what identifies people; no cell leaves this module.

The relation is read once for sizes and once a column, so it should be Parquet or a table rather than a text file.
Every distinct cell is held against the forms of which one is enough; shares are taken over a sample of distinct cells.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import duckdb
import polars as pl

from flows.identifier_cells import CELLS, ScannedColumn, gather_cells, measure, screen, take_sample
from flows.identifier_dates import Dates, look_at_ages, look_at_dates
from flows.sources.protocol import quote
from transforms.identifier_headers import HeaderReader
from transforms.identifier_judgement import AGE, Judge
from transforms.identifier_looks import CellLook, ColumnLook, SharedNames, look_at_cells
from transforms.identifier_shapes import find_shapes, weigh_shapes
from transforms.identifiers import ColumnFinding
from transforms.model.identifiers import Identifiers


@dataclass(frozen=True)
class ScannedTable:
    """A table as sent: its file, SQL of a relation, its columns by type, what they are mapped to, the person."""

    file: str
    relation: str
    types: Mapping[str, str]
    mapped: Mapping[str, str]
    person: str | None = None


def scan_table(
    connection: duckdb.DuckDBPyConnection, table: ScannedTable, classes: Identifiers
) -> tuple[ColumnFinding, ...]:
    """Findings of each column in the order of the columns: found, allowed or unjudged; an empty column has none."""
    columns = measure(connection, table.relation, table.types)
    if not columns:
        return ()
    try:
        looks = _look(connection, table, columns, classes)
        judge = Judge(classes)
        n_people = next((look.n_distinct for look in looks if look.is_person), 0)
        most_people = classes.scanning.births.most_people
        counted = [
            _count_people(connection, table, look, n_people, most_people) if judge.needs_people(look) else look
            for look in looks
        ]
        return tuple(finding for look in counted for finding in judge.judge(look))
    finally:
        connection.execute(f"DROP TABLE IF EXISTS {CELLS}").fetchall()


def _look(
    connection: duckdb.DuckDBPyConnection,
    table: ScannedTable,
    columns: tuple[ScannedColumn, ...],
    classes: Identifiers,
) -> list[ColumnLook]:
    reader = HeaderReader(classes)
    read = {column.place: reader.read(column.header) for column in columns}
    named = {place: name.identifier_class for place, name in read.items() if name is not None}
    ages = tuple(c for c in columns if named.get(c.place) == AGE or table.mapped.get(c.header) == "age_years")
    columns = gather_cells(connection, table.relation, columns, {c.place for c in ages}, classes.scanning)
    sample = take_sample(connection, table.relation, columns, classes.scanning)
    told = look_at_cells(sample, classes, named, _open_places(table, columns))
    screened = screen(connection, table.relation, columns, classes)
    hits = [*find_shapes(screened, classes), *weigh_shapes(sample, classes, _open_places(table, columns))]
    ratios = screened.group_by("place").agg(pl.col("n_all").first() / pl.col("n").sum())
    ratio = dict(ratios.iter_rows())
    dates = look_at_dates(
        connection, Dates(table.relation, columns, table.mapped, table.person, sample, named), classes
    )
    aged = look_at_ages(connection, ages, classes)
    return [
        ColumnLook(
            table.file,
            column.header,
            column.kind,
            table.mapped.get(column.header, ""),
            column.header == table.person,
            column.n_given,
            column.n_distinct,
            told.get(column.place, CellLook()),
            dates.shares.get(column.place, 0.0),
            dates.looks.get(column.place),
            aged.get(column.place),
            tuple(hit for hit in hits if hit.place == column.place),
            ratio.get(column.place, 1.0),
        )
        for column in columns
    ]


def _open_places(table: ScannedTable, columns: tuple[ScannedColumn, ...]) -> tuple[int, ...]:
    """Columns of which no map says what they are, and the key of people, which may be an identifier itself."""
    keys = {table.person, *(header for header, canonical in table.mapped.items() if canonical == "person_id")}
    return tuple(c.place for c in columns if c.header in keys or c.header not in table.mapped)


def _count_people(
    connection: duckdb.DuckDBPyConnection, table: ScannedTable, look: ColumnLook, n_people: int, most_people: int
) -> ColumnLook:
    """Count who has which of the few names, over a share of the people, so that wards are told from people."""
    if table.person is None:
        return look
    person, column = quote(table.person), quote(look.header)
    counts = connection.execute(
        f"""SELECT count(DISTINCT {person}), count(DISTINCT {column}), count(DISTINCT ({person}, {column}))
        FROM {table.relation} WHERE {column} IS NOT NULL AND hash({person}) % {max(1, n_people // most_people)} = 0"""
    ).fetchall()[0]
    return replace(look, shared=SharedNames(*counts))
