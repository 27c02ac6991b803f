"""Who is in the warehouse after tonight, who is touched, and their canonical rows by person_index.

`person_index` is dense over all people sorted by (source_id, person_id); it lives for one run only. A person is
touched when a row of theirs was accepted or replaced tonight, or when definitions or code have changed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb

from flows.handover import Validated
from flows.tonight import tonight_rows
from transforms.schemas import schema_of

# What no transform reads stays out of the largest hand-over: a third of its time.
UNREAD = {
    "lab": frozenset({"specimen_type", "reference_low", "version_at", "source_code", "source_value", "source_unit"})
}
TABLES = ("person", "observation", "encounter", "lab", "exposure", "diagnosis", "vital")


@dataclass(frozen=True)
class Population:
    """Where the people of a run are written, and how many they are."""

    people: Path
    touched: Path
    n_people: int
    n_touched: int

    @property
    def is_everybody(self) -> bool:
        """Nobody is left as they were."""
        return self.n_people == self.n_touched


def hand_over_people(
    connection: duckdb.DuckDBPyConnection, night: Validated, folder: Path, *, has_history: bool, is_rebuild: bool
) -> Population:
    """Write people.parquet (person_index, source_id, person_id) and touched.parquet (person_index)."""
    people, touched = folder / "people.parquet", folder / "touched.parquet"
    replaced = f"read_parquet('{quoted(night.received.replaced)}') x USING (source_id, person_id)"
    known = f"UNION SELECT source_id, person_id FROM canonical.person ANTI JOIN {replaced}" if has_history else ""
    connection.execute(
        f"""COPY (
            SELECT (row_number() OVER (ORDER BY source_id, person_id) - 1)::UINTEGER AS person_index,
                source_id, person_id
            FROM (SELECT source_id, person_id FROM ({tonight_rows(night, "canonical.person")}) {known})
            ORDER BY person_index
        ) TO '{quoted(people)}' (FORMAT parquet, COMPRESSION zstd)"""
    ).fetchall()
    changed = "SELECT source_id, person_id FROM read_parquet($people)" if is_rebuild else _changed(night)
    connection.execute(
        f"""COPY (
            SELECT person_index FROM read_parquet($people) SEMI JOIN ({changed}) USING (source_id, person_id)
            ORDER BY person_index
        ) TO '{quoted(touched)}' (FORMAT parquet, COMPRESSION zstd)""",
        {"people": str(people)},
    ).fetchall()
    counts = [
        connection.execute("SELECT count(*) FROM read_parquet(?)", [str(path)]).fetchall()[0][0]
        for path in (people, touched)
    ]
    return Population(people, touched, counts[0], counts[1])


def hand_over_rows(
    connection: duckdb.DuckDBPyConnection,
    night: Validated,
    population: Population,
    folder: Path,
    *,
    has_history: bool,
    lab_analytes: Sequence[str],
) -> None:
    """Write NAME.parquet for each canonical table: touched people's rows after tonight, by person_index.

    `person` and `observation` hold all people, because denominators do. Lab rows keep the analytes that can lead to a
    count. Rows are in no order.
    """
    for name in TABLES:
        rows = _rows_after_tonight(night, f"canonical.{name}", has_history=has_history)
        keys = {"person_id", "source_id", "input_id", "row_number", "record_key"}
        unread = keys | UNREAD.get(name, frozenset())
        columns = ", ".join(f'r."{c}"' for c in schema_of(f"canonical.{name}").column_names if c not in unread)
        is_for_all = name in {"person", "observation"} or population.is_everybody
        semi = "" if is_for_all else f"SEMI JOIN read_parquet('{quoted(population.touched)}') t USING (person_index)"
        chosen = f"WHERE r.analyte IN ({_texts(lab_analytes)})" if name == "lab" else ""
        connection.execute(
            f"""COPY (
                SELECT p.person_index, {columns} FROM ({rows}) r
                JOIN (SELECT * FROM read_parquet('{quoted(population.people)}') {semi}) p USING (source_id, person_id)
                {chosen}
            ) TO '{quoted(folder / f"{name}.parquet")}' (FORMAT parquet, COMPRESSION snappy)"""
        ).fetchall()


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
            WITH known AS (SELECT person_index, started_on, ended_on, is_inferred FROM read_parquet('{quoted(given)}')),
            stated AS (SELECT * FROM known WHERE NOT is_inferred),
            inferred AS (
                SELECT person_index, min(first) AS started_on, max(last) AS ended_on, true AS is_inferred
                FROM ({spans}) ANTI JOIN (SELECT person_index FROM stated) s USING (person_index)
                GROUP BY person_index HAVING min(first) IS NOT NULL
            ),
            earlier AS (
                SELECT * FROM known
                ANTI JOIN (SELECT person_index FROM stated UNION SELECT person_index FROM inferred) d
                USING (person_index)
            )
            SELECT * FROM stated UNION ALL SELECT * FROM inferred UNION ALL SELECT * FROM earlier
            ORDER BY person_index, started_on
        ) TO '{quoted(target)}' (FORMAT parquet, COMPRESSION zstd)"""
    ).fetchall()
    target.replace(given)


def _changed(night: Validated) -> str:
    """Whoever has rows tonight, and each of them has a person row, or has lost them all."""
    replaced = f"SELECT source_id, person_id FROM read_parquet('{quoted(night.received.replaced)}')"
    return f"SELECT source_id, person_id FROM ({tonight_rows(night, 'canonical.person')}) UNION {replaced}"


def _rows_after_tonight(night: Validated, table: str, *, has_history: bool) -> str:
    tonight = tonight_rows(night, table)
    if not has_history:
        return tonight
    columns = ", ".join(f'"{name}"' for name in schema_of(table).column_names)
    kept = f"SELECT {columns} FROM {table} c {_unless_replaced(night)}"
    return f"{kept} UNION ALL {tonight}"


def _unless_replaced(night: Validated) -> str:
    """`ANTI JOIN` that leaves out the canonical rows of people whose rows are all among tonight's."""
    replaced = f"SELECT source_id, person_id FROM read_parquet('{quoted(night.received.replaced)}')"
    return f"ANTI JOIN ({replaced}) x USING (source_id, person_id)"


def quoted(path: Path) -> str:
    """The path as the inside of a SQL text."""
    return str(path).replace("'", "''")


def _texts(values: Sequence[str]) -> str:
    return ", ".join("'" + value.replace("'", "''") + "'" for value in values)
