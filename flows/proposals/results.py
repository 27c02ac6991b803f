"""Counts all results of an export by code, site and written unit, and says where they lie; over the whole file.

Results of specimens that are no blood are left out, because a urine count would shift a median.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import duckdb

from flows.proposals.looking import Looked
from flows.sources.protocol import literal, quote
from transforms.analyte_proposals import Candidate, Group
from transforms.unit_proposals import Distribution

QUANTILES = "[0.05, 0.5, 0.95]"
MOST_NAMES = 5


@dataclass(frozen=True)
class Columns:
    """SQL of what is counted; empty text means that there is no such column."""

    person: str
    value: str
    unit: str = ""
    site: str = ""
    specimen: str = ""
    decimal: str = "."
    specimen_id: str = ""
    time: str = ""


def count_codes(
    connection: duckdb.DuckDBPyConnection,
    looked: Looked,
    columns: Columns,
    code: str,
    name: str,
    not_blood: Sequence[str],
) -> list[Candidate]:
    """Every local code with its names and results, by code."""
    groups = _groups(connection, looked, columns, _text(code), not_blood)
    names: Mapping[str, tuple[str, ...]] = _names(connection, looked, code, name) if name else {}
    return [Candidate(found, names.get(found, ()), tuple(groups[found])) for found in sorted(groups)]


def count_column(
    connection: duckdb.DuckDBPyConnection, looked: Looked, columns: Columns, header: str, names: tuple[str, ...]
) -> Candidate:
    """A column of a wide file as a code."""
    groups = _groups(connection, looked, columns, literal(header), ())
    return Candidate(header, names, tuple(groups.get(header, ())))


def count_people_with(
    connection: duckdb.DuckDBPyConnection, looked: Looked, person: str, header: str, word: str
) -> int:
    """People with this word in this column."""
    counted = connection.execute(
        f"SELECT count(DISTINCT {_text(person)}) FROM {looked.opened.relation} WHERE {_text(header)} = ?", [word]
    ).fetchall()
    return int(counted[0][0])


def count_loinc(connection: duckdb.DuckDBPyConnection, looked: Looked, header: str, loinc: Sequence[str]) -> int:
    """Rows with a LOINC code of the laboratory list in this column."""
    listed = ", ".join(literal(code) for code in loinc)
    counted = connection.execute(
        f"SELECT count(*) FROM {looked.opened.relation} WHERE {_text(header)} IN ({listed})"
    ).fetchall()
    return int(counted[0][0])


def find_constant_columns(
    connection: duckdb.DuckDBPyConnection, looked: Looked, person: str, headers: Sequence[str]
) -> list[str]:
    """Those headers that have at most one value for each person."""
    if not headers:
        return []
    counts = ", ".join(f"count(DISTINCT {_text(header)})" for header in headers)
    most = ", ".join(f"max(n[{place}])" for place in range(1, len(headers) + 1))
    found = connection.execute(
        f"SELECT {most} FROM (SELECT [{counts}] AS n FROM {looked.opened.relation} GROUP BY {_text(person)})"
    ).fetchall()[0]
    return [header for header, count in zip(headers, found, strict=True) if (count or 0) <= 1]


def _groups(
    connection: duckdb.DuckDBPyConnection, looked: Looked, columns: Columns, code: str, not_blood: Sequence[str]
) -> dict[str, list[Group]]:
    unit, site = (_text(header) if header else "NULL" for header in (columns.unit, columns.site))
    value = _text(columns.value)
    plain = f"replace({value}, ',', '.')" if columns.decimal == "," else value
    where = "true"
    if columns.specimen and not_blood:
        listed = ", ".join(literal(word) for word in not_blood)
        where = f"coalesce(lower({_text(columns.specimen)}) NOT IN ({listed}), true)"
    rows = connection.execute(
        f"""SELECT code, site, unit, count(number), count(DISTINCT person),
            quantile_cont(number, {QUANTILES}) FILTER (number IS NOT NULL AND isfinite(number))
        FROM (SELECT {code} AS code, {site}::VARCHAR AS site, {unit}::VARCHAR AS unit,
            {_text(columns.person)} AS person,
            try_cast({plain} AS DOUBLE) AS number FROM {looked.opened.relation} WHERE {where} AND {value} IS NOT NULL)
        WHERE code IS NOT NULL GROUP BY code, site, unit ORDER BY code, site NULLS FIRST, unit NULLS FIRST"""
    ).fetchall()
    found: dict[str, list[Group]] = {}
    for name, of_site, of_unit, n_values, n_people, quantiles in rows:
        low, median, high = quantiles or (None, None, None)
        group = Group(of_unit, of_site or "", Distribution(n_values, n_people, low, median, high))
        found.setdefault(name, []).append(group)
    return found


def _names(connection: duckdb.DuckDBPyConnection, looked: Looked, code: str, name: str) -> dict[str, tuple[str, ...]]:
    rows = connection.execute(
        f"""SELECT code, list_sort(list(name)) FROM (
            SELECT DISTINCT {_text(code)} AS code, {_text(name)} AS name FROM {looked.opened.relation})
        WHERE code IS NOT NULL AND name IS NOT NULL GROUP BY code ORDER BY code"""
    ).fetchall()
    return {found: tuple(names[:MOST_NAMES]) for found, names in rows}


def _text(header: str) -> str:
    return f"nullif(trim({quote(header)}::VARCHAR), '')"
