"""Bad input as an operator meets it: a clear error and its exit code, or rows set aside; nothing else moves."""

import gzip
import subprocess
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import duckdb
import polars as pl
import pytest

from flows.errors import UserError
from flows.handover import Published

Run = Callable[..., Published]
HEADER = "person_id,specimen_id,collected_at,test_code,value,unit"
GOOD = [f"p{n % 40},s{n},2024-{1 + n % 12:02d}-11 08:00,751-8,{1 + n % 5}.{n % 10},10*3/uL" for n in range(240)]
# Each faulty row, and the rule that sets it aside.
FAULTY = {
    "px,sa,2024-05-01 08:00,751-8,2.1,bananas": "unit_unknown",
    "px,sb,2024-05-01 08:00,751-8,2.1x,10*3/uL": "value_not_a_number",
    "px,sc,2024-13-45 08:00,751-8,2.1,10*3/uL": "date_invalid",
    ",sd,2024-05-01 08:00,751-8,2.1,10*3/uL": "person_missing",
    "px,se,2024-05-01 08:00,751-8,1234567890123456789012345678901234567890,10*3/uL": "value_out_of_range",
    'px,sf,2024-05-01 08:00,751-8,"2,1",10*3/uL': "value_decimal_mark",
    "px,sg,2024-05-01 08:00,751-8,-2,10*3/uL": "value_negative",
    "px,sh,2024-05-01 08:00,751-8,2.1,mmol/L": "unit_not_a_count",
    "px,si,2024-05-01 08:00,751-8,2.1,K": "unit_ambiguous",
    "px,sj,2024-05-01 08:00,751-8,2.1,": "unit_missing",
    "px,sk,2024-05-01 08:00": "row_malformed",
    "px,sl,2024-05-01 08:00,751-8,900,10*3/uL": "lab_neutrophils_impossible",
}


def _good() -> bytes:
    return "\n".join([HEADER, *GOOD, ""]).encode()


def _parquet() -> bytes:
    buffer = BytesIO()
    pl.DataFrame({name: ["x"] * 500 for name in HEADER.split(",")}).write_parquet(buffer)
    return buffer.getvalue()


STOPPED = {
    "an empty file": ("labs.csv", lambda: b""),
    "a header alone in a packed file that was cut off": ("labs.csv.gz", lambda: gzip.compress(_good())[:200]),
    "a Parquet file that was cut off": ("labs.parquet", lambda: _parquet()[:-40]),
    "a binary file called csv": ("labs.csv", lambda: bytes(range(256)) * 40),
    "no header": ("labs.csv", lambda: "\n".join([*GOOD, ""]).encode()),
    "another encoding": ("labs.csv", lambda: _good().replace(b"10*3/uL", "10³/µL".encode("latin-1"))),
    "a decimal comma everywhere": ("labs.csv", lambda: _good().replace(b",", b";").replace(b".", b",")),
    "dates of another kind everywhere": ("labs.csv", lambda: _good().replace(b"2024-", b"11/31/24 ")),
    "units that nobody knows": ("labs.csv", lambda: _good().replace(b"10*3/uL", b"bananas")),
}


def _contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def _tables(workspace: Path) -> list[tuple[object, ...]]:
    counted = ("canonical.lab", "derived.anc", "derived.episode", "counts.person_interval", "released.prevalence")
    with duckdb.connect(str(workspace / "warehouse.duckdb"), read_only=True) as connection:
        return [
            connection.execute(f"SELECT count(*), bit_xor(hash(t)) FROM {name} t").fetchall()[0] for name in counted
        ]


@pytest.mark.parametrize("kind", STOPPED)
def test_an_unreadable_extract_ends_with_eleven_and_changes_nothing(
    kind: str, workspace_copy: Path, tmp_path: Path, run_directly: Run
) -> None:
    name, content = STOPPED[kind]
    extract = tmp_path / "extract" / name
    extract.parent.mkdir()
    extract.write_bytes(content())
    site, tables = _contents(workspace_copy / "site"), _tables(workspace_copy)
    with pytest.raises(UserError) as caught:
        run_directly(workspace_copy, extract.parent)
    assert caught.value.exit_code == 11
    assert caught.value.repair
    assert name in str(caught.value)
    for value in ("p17", "s17", "2.7"):
        assert f" {value}" not in str(caught.value)
    assert _contents(workspace_copy / "site") == site
    assert _tables(workspace_copy) == tables


def test_faulty_rows_are_set_aside_each_by_its_rule_and_the_rest_is_published(
    tmp_path: Path, run_directly: Run
) -> None:
    extract = tmp_path / "labs.csv"
    extract.write_text("\n".join([HEADER, *GOOD, *FAULTY, ""]))
    published = run_directly(tmp_path / "workspace", extract)
    assert published.verdict == "warn"
    with duckdb.connect(str(tmp_path / "workspace" / "warehouse.duckdb"), read_only=True) as connection:
        rows = connection.execute("SELECT row_number, rule, reason FROM quarantine.row ORDER BY row_number").fetchall()
        ledger = connection.execute("SELECT n_received, n_accepted, n_quarantined FROM ops.row_ledger").fetchall()
    assert [rule for _, rule, _ in rows] == list(FAULTY.values())
    assert [number for number, _, _ in rows] == list(range(len(GOOD) + 1, len(GOOD) + len(FAULTY) + 1))
    assert all(reason for _, _, reason in rows)
    assert ledger == [(len(GOOD) + len(FAULTY), len(GOOD), len(FAULTY))]


def test_the_command_prints_the_error_and_no_traceback(
    nadir_process: Callable[..., "subprocess.CompletedProcess[str]"], tmp_path: Path
) -> None:
    (tmp_path / "labs.csv").write_bytes(b"")
    done = nadir_process("run", tmp_path / "labs.csv", "--direct", "--workspace", tmp_path / "workspace")
    assert done.returncode == 11
    assert "labs.csv" in done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    assert not (tmp_path / "workspace" / "site").exists()
