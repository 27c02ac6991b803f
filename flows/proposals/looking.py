"""What a sample of each column of a file looks like; no cell leaves this module but words that few cells share.

The sample is the first rows and rows spread by a hash of their number, so that it is the same every time.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb

from flows.sources.files import list_files, look_at, refuse_unreadable
from flows.sources.opening import FILE_ROW_NUMBER, ROW_NUMBER, Opened, open_file
from flows.sources.protocol import Kind, SourceFile, literal, quote
from transforms.column_roles import ColumnLook
from transforms.model.mapping import Proposing
from transforms.model.showing import Showing
from transforms.model.sources import SourceMap

NUMERIC = ("TINYINT", "SMALLINT", "INTEGER", "BIGINT", "HUGEINT", "FLOAT", "DOUBLE", "DECIMAL", "UINTEGER", "UBIGINT")
NUMBER_PATTERNS = {
    "n_whole": r"[+-]?[0-9]+",
    "n_points": r"[+-]?[0-9]*\.[0-9]+([eE][+-]?[0-9]+)?",
    "n_commas": r"[+-]?[0-9.]*,[0-9]+",
    "n_groups": r"[1-9][0-9]{0,2},[0-9]{3}",
    "n_clock": r"[0-2]?[0-9][:h][0-5][0-9](:[0-5][0-9])?( ?[AaPp][Mm]| Uhr)?",
    "n_compared": r"(<|>|<=|>=|≤|≥)\s*[0-9][0-9.,]*",
}
# Digits alone, or digits with two marks between, or with the name of a month: nothing else is tried as a time.
LIKE_TIMES = r"[0-9]{6,14}|[0-9]{1,4}[-./ ][0-9A-Za-z]{1,9}[-./ T:].*|[0-9]{1,2}[A-Za-z]{3}.*"


@dataclass(frozen=True)
class Looked:
    """Files with the same columns that were opened as one, with the looks of their columns in order."""

    files: tuple[SourceFile, ...]
    opened: Opened
    looks: tuple[ColumnLook, ...]

    @property
    def file(self) -> SourceFile:
        """The first of the files."""
        return self.files[0]

    @property
    def name(self) -> str:
        """What the files are called."""
        return ", ".join(file.name for file in self.files)

    def look(self, header: str) -> ColumnLook:
        """The look of one column."""
        return next(look for look in self.looks if look.header == header)


def find_files(
    paths: Sequence[Path], source_map: SourceMap, unpacked: Path, showing: Showing
) -> tuple[tuple[SourceFile, ...], tuple[str, ...]]:
    """The tables in the files, in the encoding of the map, and files that are no tables."""
    found = [entry for entry in list_files(paths, unpacked, showing) if entry.path.suffix not in {".yaml", ".yml"}]
    tables = [(entry, look_at(entry, source_map, showing)) for entry in found]
    files = tuple(file for _, tables_of in tables for file in tables_of)
    return files, tuple(entry.shown for entry, tables_of in tables if not tables_of)


def group_alike(files: Sequence[SourceFile]) -> list[tuple[SourceFile, ...]]:
    """Files with the same columns together, in order: parts of one table."""
    groups: dict[tuple[object, ...], list[SourceFile]] = {}
    for file in files:
        groups.setdefault((file.kind, *file.types.items()), []).append(file)
    return [tuple(group) for group in groups.values()]


def look_into(
    connection: duckdb.DuckDBPyConnection,
    files: tuple[SourceFile, ...],
    source_map: SourceMap,
    proposing: Proposing,
    work: Path,
) -> Looked:
    """Open files with the same columns and look at a sample of their columns."""
    headers = [header for header in files[0].headers if header.casefold() not in {ROW_NUMBER, FILE_ROW_NUMBER}]
    needed: dict[str, Kind] = dict.fromkeys(headers, "text")
    parts = [
        open_file(connection, file, needed, source_map, work.with_name(f"{work.name}_{place}.parquet"))
        for place, file in enumerate(files)
    ]
    opened = _join(parts)
    step = max(1, opened.n_rows // proposing.sample_rows)
    rows = f"row_number <= {proposing.format_rows} OR hash(row_number) % {step} = 0"
    with refuse_unreadable(files[0].name):
        connection.execute(f"CREATE OR REPLACE TEMP TABLE sample AS FROM {opened.relation} WHERE {rows}").fetchall()
    looks = tuple(_look_at_column(connection, files[0], header, proposing) for header in headers)
    connection.execute("DROP TABLE sample").fetchall()
    return Looked(files, opened, looks)


def _join(parts: Sequence[Opened]) -> Opened:
    if len(parts) == 1:
        return parts[0]
    n_before, selects = 0, []
    for part in parts:
        selects.append(f"SELECT * REPLACE (row_number::BIGINT + {n_before} AS row_number) FROM {part.relation}")
        n_before += part.n_rows
    return Opened(f"({' UNION ALL BY NAME '.join(selects)})", n_before)


def _look_at_column(
    connection: duckdb.DuckDBPyConnection, file: SourceFile, header: str, proposing: Proposing
) -> ColumnLook:
    text = f"nullif(trim({quote(header)}::VARCHAR), '')"
    patterns = {
        **NUMBER_PATTERNS,
        "n_icd": proposing.icd10_pattern,
        "n_long_icd": proposing.icd10cm_pattern,
        "n_icd9": proposing.icd9_pattern,
    }
    counts = ", ".join(
        f"count(*) FILTER (regexp_full_match(t, {literal(pattern)})) AS {name}" for name, pattern in patterns.items()
    )
    number = "try_cast(replace(t, ',', '.') AS DOUBLE)"
    row = connection.execute(
        f"""SELECT count(t), count(DISTINCT t), quantile_cont({number}, [0.0, 0.5, 1.0]) FILTER ({number} IS NOT NULL),
        {counts} FROM (SELECT {text} AS t FROM sample)"""
    ).fetchall()[0]
    n_given, n_distinct, quantiles, *found = row
    low, median, high = quantiles or (None, None, None)
    kind = file.types[header]
    is_time = kind == "DATE" or kind.startswith("TIMESTAMP")
    patterns_of_time, n_tried = ({}, 0) if is_time or not n_given else _format_patterns(connection, text, proposing)
    first, last = _years(connection, header, text, patterns_of_time, proposing, is_time=is_time)
    return ColumnLook(
        header,
        n_given,
        n_distinct,
        **dict(zip(patterns, found, strict=True)),
        n_formats=patterns_of_time,
        n_tried=n_tried,
        low=low,
        median=median,
        high=high,
        first_year=first,
        last_year=last,
        words=_words(connection, text, n_distinct, proposing),
        is_time=is_time,
        is_number=kind.startswith(NUMERIC),
        label=file.labels.get(header, ""),
    )


def _words(connection: duckdb.DuckDBPyConnection, text: str, n_distinct: int, proposing: Proposing) -> tuple[str, ...]:
    if n_distinct > proposing.few_values:
        return ()
    found = connection.execute(f"SELECT DISTINCT {text} FROM sample WHERE {text} IS NOT NULL ORDER BY 1").fetchall()
    return tuple(word for (word,) in found)


def _format_patterns(
    connection: duckdb.DuckDBPyConnection, text: str, proposing: Proposing
) -> tuple[dict[tuple[int, ...], int], int]:
    """How many cells each set of formats parses, of how many; -1 stands for what needs no format."""
    first, last = proposing.sane_years
    tries = ["CASE WHEN t[1] BETWEEN '0' AND '9' THEN try_cast(t AS TIMESTAMP) END"]
    tries += [f"try_strptime(t, {literal(form)})" for form in proposing.datetime_formats]
    sane = [f"coalesce(year({parsed}) BETWEEN {first} AND {last}, false)" for parsed in tries]
    rows = connection.execute(
        f"""SELECT CASE WHEN regexp_full_match(t, {literal(LIKE_TIMES)}) THEN [{", ".join(sane)}] ELSE [] END AS parses,
            sum(n)::BIGINT FROM (
                SELECT t, count(*) AS n FROM (
                    SELECT {text} AS t FROM sample WHERE {text} IS NOT NULL ORDER BY hash(row_number), row_number
                    LIMIT {proposing.format_rows}) GROUP BY t)
        GROUP BY parses ORDER BY parses"""
    ).fetchall()
    patterns: dict[tuple[int, ...], int] = {}
    for parsed, count in rows:
        key = tuple(place - 1 for place, parses in enumerate(parsed) if parses)
        patterns[key] = patterns.get(key, 0) + count
    return patterns, sum(patterns.values())


def _years(
    connection: duckdb.DuckDBPyConnection,
    header: str,
    text: str,
    patterns: dict[tuple[int, ...], int],
    proposing: Proposing,
    *,
    is_time: bool,
) -> tuple[int | None, int | None]:
    if not is_time and not any(patterns):
        return None, None
    places = sorted({place for pattern in patterns for place in pattern if place >= 0})
    tries = ["CASE WHEN t[1] BETWEEN '0' AND '9' THEN try_cast(t AS TIMESTAMP) END"]
    tries += [f"try_strptime(t, {literal(proposing.datetime_formats[place])})" for place in places]
    at = quote(header) if is_time else f"coalesce({', '.join(tries)})"
    first, last = proposing.sane_years
    found = connection.execute(
        f"""SELECT quantile_disc(y, 0.01), quantile_disc(y, 0.99) FROM
        (SELECT year({at}) AS y FROM (SELECT *, {text} AS t FROM sample)) WHERE y BETWEEN {first} AND {last}"""
    ).fetchall()[0]
    return found[0], found[1]
