"""Rows of few people picked out of large staged files are the rows that are there, in the types that they have."""

from pathlib import Path

import duckdb
import pytest

from flows import picking
from flows.picking import pick_rows
from transforms.schemas import load_tables

VALUES = {"VARCHAR": "'P' || (i % 7)", "TIMESTAMP": "TIMESTAMP '2024-03-01 08:00:00.000001' + to_days(i)"}


def _stage(folder: Path, table: str) -> tuple[Path, Path]:
    """Twenty rows of seven people in every type of `table`, nulls among them, and two people of whom one is unknown."""
    columns = load_tables()[table].columns
    made = {c.name: VALUES.get(c.type, "DATE '2024-03-01'" if c.type == "DATE" else "i % 2") for c in columns}
    always = ("person_id", "source_id")
    rows = ", ".join(
        f"{sql if name in always else f'CASE WHEN i % 3 > 0 THEN {sql} END'}::{c.type} AS {name}"
        for c, (name, sql) in zip(columns, made.items(), strict=True)
    )
    staged, touched = folder / "staged.parquet", folder / "touched.parquet"
    with duckdb.connect() as connection:
        connection.execute(f"COPY (SELECT {rows} FROM range(20) t(i)) TO '{staged}' (FORMAT parquet)").fetchall()
        connection.execute(
            f"COPY (SELECT unnest(['P3', 'P8']) AS person_id, 'P3' AS source_id) TO '{touched}' (FORMAT parquet)"
        ).fetchall()
    return staged, touched


@pytest.mark.parametrize("table", sorted(name for name in load_tables() if name.startswith("canonical.")))
def test_picked_rows_are_those_of_the_people_with_their_types(
    table: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(picking, "LARGE_BYTES", 0)
    staged, touched = _stage(tmp_path, table)
    (picked,) = pick_rows([staged], touched, tmp_path)
    with duckdb.connect() as connection:
        whole, few = (f"read_parquet('{path}')" for path in (staged, picked))
        wanted = connection.execute(f"FROM {whole} WHERE person_id = 'P3' ORDER BY ALL").fetchall()
        assert len(wanted) == 3
        assert connection.execute(f"FROM {few} ORDER BY ALL").fetchall() == wanted
        types = [connection.execute(f"DESCRIBE FROM {rows}").fetchall() for rows in (whole, few)]
        assert types[0] == types[1]


def test_small_files_and_files_of_many_people_are_read_as_they_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    staged, touched = _stage(tmp_path, "canonical.lab")
    assert pick_rows([staged], touched, tmp_path) == (staged,)
    monkeypatch.setattr(picking, "LARGE_BYTES", 0)
    monkeypatch.setattr(picking, "FEW_PEOPLE", 1)
    assert pick_rows([staged], touched, tmp_path) == (staged,)
