"""What stands in the warehouse before tonight: all that is known of the people tonight touches, and the counts of all.

Counts add up over people. So the counts after tonight are those that stand, less those of the touched people as they
were, plus those of the same people as they are now; everybody else is neither read nor counted.
"""

from pathlib import Path

import duckdb

from flows.handover import Standing
from flows.part import OF_EPISODES, STANDING
from flows.population import Population, quoted, read_sql
from transforms.schemas import load_tables, schema_of


def hand_over_standing(connection: duckdb.DuckDBPyConnection, population: Population, folder: Path) -> Standing:
    """Write the touched people's rows as they were, by person_index, and every counts table."""
    people = f"read_parquet('{quoted(population.people)}') p"
    for name, (columns, rows) in _frames().items():
        known = f"SELECT p.person_index, {columns} FROM {rows} JOIN {people} USING (source_id, person_id)"
        _copy(connection, known, folder / f"{STANDING}{name}.parquet")
    counts = {
        name: _copy(connection, f"SELECT * FROM {name}", folder / f"{STANDING}{name}.parquet")
        for name in load_tables()
        if name.startswith("counts.")
    }
    return Standing(counts)


def _frames() -> dict[str, tuple[str, str]]:
    """For each frame that is counted: its columns, and where they are with the person."""
    found = {name: (read_sql(name), f"canonical.{name} r") for name in ("person", "observation")}
    for name in ("anc", "episode", "drug_block", "cohort_member", "cohort_entry", "cycle", "chronic"):
        found[name] = (_derived_columns(name), f"derived.{name} r")
    for name in OF_EPISODES:
        found[name] = (_derived_columns(name), f"derived.{name} r JOIN derived.episode e USING (episode_id)")
    return found


def _derived_columns(name: str) -> str:
    columns = schema_of(f"derived.{name}").column_names
    return ", ".join(f'r."{column}"' for column in columns if column not in {"person_id", "source_id"})


def _copy(connection: duckdb.DuckDBPyConnection, sql: str, target: Path) -> Path:
    connection.execute(f"COPY ({sql}) TO '{quoted(target)}' (FORMAT parquet, COMPRESSION snappy)").fetchall()
    return target
