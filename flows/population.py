"""Who is touched tonight, and what the canonical tables hold of them after it.

A person is touched when a row of theirs was accepted or replaced tonight, or when definitions or code have changed:
then everybody is. `person_index` is dense over the touched, sorted by (source_id, person_id); it lives for one run
only. Who is touched and has no row left after tonight keeps a number: what is known of them must go.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb

from flows.handover import Validated
from flows.tonight import tonight_rows
from transforms.model.anc import AncRoutes
from transforms.model.causes import Finding
from transforms.schemas import schema_of

# What no transform reads stays out of the largest hand-over: a third of its time.
UNREAD = {
    "lab": frozenset({"specimen_type", "reference_low", "version_at", "source_code", "source_value", "source_unit"})
}
# Equal on every machine and night, so that who is drawn together into a sample never depends on who else is there.
PERSON_HASH = "md5_number_lower(concat_ws('|', r.source_id, r.person_id)) AS person_hash"
KEYS = frozenset({"person_id", "source_id", "input_id", "row_number", "column_number", "record_key"})
TABLES = ("person", "observation", "encounter", "lab", "exposure", "diagnosis", "vital")


@dataclass(frozen=True)
class Population:
    """Where the touched people of a run are written, and whether nobody is left as they were."""

    people: Path
    is_everybody: bool


def hand_over_people(
    connection: duckdb.DuckDBPyConnection, night: Validated, folder: Path, *, has_history: bool, is_rebuild: bool
) -> Population:
    """Write people.parquet (person_index, source_id, person_id) of the touched."""
    people = folder / "people.parquet"
    touched = [_known(night, has_history=has_history), _replaced(night)] if is_rebuild else [_changed(night)]
    connection.execute(
        f"""COPY (
            SELECT (row_number() OVER (ORDER BY source_id, person_id) - 1)::UINTEGER AS person_index,
                source_id, person_id
            FROM ({" UNION ".join(touched)})
            ORDER BY person_index
        ) TO '{quoted(people)}' (FORMAT parquet, COMPRESSION zstd)"""
    ).fetchall()
    left = f"(FROM canonical.person ANTI JOIN read_parquet('{quoted(people)}') p USING (source_id, person_id))"
    return Population(people, not has_history or not _count(connection, left))


def hand_over_rows(
    connection: duckdb.DuckDBPyConnection,
    night: Validated,
    population: Population,
    folder: Path,
    *,
    has_history: bool,
    routes: AncRoutes,
) -> None:
    """Write NAME.parquet for each canonical table: touched people's rows after tonight, by person_index.

    Lab rows keep the analytes that can lead to a count, and the lower limit of normal that a laboratory gives with its
    own count; spans inferred on earlier nights are left out. Rows are in no order.
    """
    others = f"(FROM read_parquet('{quoted(population.people)}') {_unless_replaced(night)})"
    has_earlier = has_history and bool(_count(connection, others))
    for name in TABLES:
        columns = ", ".join(["p.person_index", read_sql(name)])
        chosen = "true"
        if name == "lab":
            direct = _texts([routes.inputs.direct_auto.analyte])
            columns += f", CASE WHEN r.analyte = {direct} THEN r.reference_low END AS reference_low"
            chosen = f"r.analyte IN ({_texts(routes.analytes)})"
        people = f"JOIN read_parquet('{quoted(population.people)}') p USING (source_id, person_id)"
        table = f"canonical.{name}"
        parts = [f"SELECT {columns} FROM ({tonight_rows(night, table)}) r {people} WHERE {chosen}"]
        if has_earlier:
            stated = "NOT r.is_inferred" if name == "observation" else "true"
            kept = f"SELECT {columns} FROM {table} r {people} {_unless_replaced(night)}"
            parts.append(f"{kept} WHERE {chosen} AND {stated}")
        _copy(connection, " UNION ALL ".join(parts), folder / f"{name}.parquet")


def hand_over_findings(
    connection: duckdb.DuckDBPyConnection,
    night: Validated,
    population: Population,
    folder: Path,
    *,
    has_history: bool,
    wanted: Sequence[Finding],
) -> None:
    """Write result.parquet: the results of touched people that are beyond a limit for which a cause asks."""
    is_wanted = " OR ".join(["false", *(_finding(one) for one in wanted)])
    columns = "p.person_index, r.analyte, r.collected_at, r.lower_bound, r.upper_bound"
    found = _results(night, population, columns, is_wanted, has_history=has_history)
    _copy(connection, found, folder / "result.parquet")


def _results(night: Validated, population: Population, columns: str, chosen: str, *, has_history: bool) -> str:
    """Touched people's laboratory rows after tonight that are `chosen`."""
    people = f"JOIN read_parquet('{quoted(population.people)}') p USING (source_id, person_id)"
    parts = [f"SELECT {columns} FROM ({tonight_rows(night, 'canonical.lab')}) r {people} WHERE {chosen}"]
    if has_history:
        parts.append(f"SELECT {columns} FROM canonical.lab r {people} {_unless_replaced(night)} WHERE {chosen}")
    return " UNION ALL ".join(parts)


def _copy(connection: duckdb.DuckDBPyConnection, rows: str, path: Path) -> None:
    connection.execute(f"COPY ({rows}) TO '{quoted(path)}' (FORMAT parquet, COMPRESSION snappy)").fetchall()


def _finding(one: Finding) -> str:
    limit = f"r.upper_bound < {one.below}" if one.below is not None else f"r.lower_bound > {one.above}"
    return f"(r.analyte = {_texts([one.analyte])} AND {limit})"


def read_sql(name: str) -> str:
    """What transforms read of `canonical.NAME`, called r: the person is known by person_index, and by a hash."""
    unread = UNREAD.get(name, frozenset()) | KEYS
    columns = [f'r."{column}"' for column in schema_of(f"canonical.{name}").column_names if column not in unread]
    return ", ".join([*columns, *([PERSON_HASH] if name == "person" else [])])


def infer_observation(connection: duckdb.DuckDBPyConnection, folder: Path) -> None:
    """Give people without an observed span one from their first to their last dated record; mark it inferred.

    Rewrites observation.parquet with the columns person_index, started_on, ended_on, is_inferred.
    """
    dated = {
        "lab": ("collected_at", "collected_at"),
        "encounter": ("started_at", "coalesce(ended_at, started_at)"),
        "exposure": ("started_at", "coalesce(ended_at, started_at)"),
        "diagnosis": ("recorded_at", "recorded_at"),
        "vital": ("measured_at", "measured_at"),
    }
    spans = " UNION ALL ".join(
        f"SELECT person_index, min({first})::DATE AS first, max({last})::DATE AS last "
        f"FROM read_parquet('{quoted(folder / f'{name}.parquet')}') GROUP BY person_index"
        for name, (first, last) in dated.items()
    )
    given, target = folder / "observation.parquet", folder / "observation_all.parquet"
    connection.execute(
        f"""COPY (
            WITH stated AS (
                SELECT person_index, started_on, ended_on, is_inferred FROM read_parquet('{quoted(given)}')
            ), inferred AS (
                SELECT person_index, min(first) AS started_on, max(last) AS ended_on, true AS is_inferred
                FROM ({spans}) ANTI JOIN stated USING (person_index)
                GROUP BY person_index HAVING min(first) IS NOT NULL
            )
            SELECT * FROM stated UNION ALL SELECT * FROM inferred ORDER BY person_index, started_on
        ) TO '{quoted(target)}' (FORMAT parquet, COMPRESSION zstd)"""
    ).fetchall()
    target.replace(given)


def holds_rows(connection: duckdb.DuckDBPyConnection, night: Validated, table: str, *, has_history: bool) -> bool:
    """Whether a canonical table has any row after tonight."""
    queries = [tonight_rows(night, table)]
    if has_history:
        queries.append(f"SELECT 1 FROM {table} r {_unless_replaced(night)}")
    return any(_count(connection, f"({query} LIMIT 1)") for query in queries)


def _known(night: Validated, *, has_history: bool) -> str:
    tonight = f"SELECT source_id, person_id FROM ({tonight_rows(night, 'canonical.person')})"
    return f"{tonight} UNION SELECT source_id, person_id FROM canonical.person" if has_history else tonight


def _changed(night: Validated) -> str:
    """Whoever has rows tonight, and each of them has a person row, or has lost them all."""
    return f"SELECT source_id, person_id FROM ({tonight_rows(night, 'canonical.person')}) UNION {_replaced(night)}"


def _replaced(night: Validated) -> str:
    return f"SELECT source_id, person_id FROM read_parquet('{quoted(night.received.replaced)}')"


def _unless_replaced(night: Validated) -> str:
    """`ANTI JOIN` that leaves out the canonical rows of people whose rows are all among tonight's."""
    return f"ANTI JOIN ({_replaced(night)}) x USING (source_id, person_id)"


def _count(connection: duckdb.DuckDBPyConnection, relation: str) -> int:
    return int(connection.execute(f"SELECT count(*) FROM {relation}").fetchall()[0][0])


def quoted(path: Path) -> str:
    """The path as the inside of a SQL text."""
    return str(path).replace("'", "''")


def _texts(values: Sequence[str]) -> str:
    return ", ".join("'" + value.replace("'", "''") + "'" for value in values)
