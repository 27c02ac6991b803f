"""What is set aside now is listed by rule and file, in counts; who is erased is erased from refused rows too."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pytest
import yaml
from typer.testing import CliRunner

from flows.cli import app
from flows.erase import erase_person
from flows.errors import WrongUse
from flows.quarantine import list_quarantine
from flows.settings import Settings

COLUMNS = {"person_id": "pid", "collected_at": "at", "code": "test", "value": "value", "unit": "unit"}
TABLE = {"table": "lab", "needs": ["person_id", "code", "value"], "columns": COLUMNS}
MAP: dict[str, Any] = {"id": "clinic", "source_id": "clinic", "codes": {"NEUT": "751-8"}, "tables": [TABLE]}
LABS = """pid,at,test,value,unit
P1,2024-03-01 08:00,NEUT,0.9,10*9/L
CANARY7,2024-03-02 08:00,NEUT,7.7725,Mega
P1,2024-03-02 08:00,NEUT,1.9,Mega
P1,2024-03-03 08:00,NEUT,2.9,K
P1,2024-03-04 08:00,NEUT,950,10*9/L
P1,2024-03-05 08:00,NEUT
"""


def night(hospital: Any, *paths: Path, release: tuple[str, ...] | None = None, **changes: Any) -> Any:
    source = hospital.write("map.yaml", yaml.safe_dump({**MAP, **changes}), "maps")
    return hospital.spend(*paths, source=str(source), release=release)


def listed(hospital: Any, **which: Any) -> dict[str, tuple[int, int]]:
    found = list_quarantine(Settings(workspace=hospital.workspace.root), **which)
    by_rule: dict[str, tuple[int, int]] = {}
    for entry in found.entries:
        n_rows, n_releasable = by_rule.get(entry.rule, (0, 0))
        by_rule[entry.rule] = (n_rows + entry.n_rows, n_releasable + entry.n_releasable)
    return by_rule


def command(hospital: Any, *arguments: str) -> Any:
    return CliRunner().invoke(app, ["quarantine", *arguments, "--workspace", str(hospital.workspace.root)])


ALL = {
    "unit_unknown": (2, 2),
    "lab_neutrophils_impossible": (1, 1),
    "row_malformed": (1, 0),
    "unit_ambiguous": (1, 1),
}


@pytest.fixture(scope="module")
def first_night(make_hospital: Callable[[], Any]) -> Any:
    """A hospital after one night that set rows aside; tests that change it take a copy."""
    hospital = make_hospital()
    night(hospital, hospital.write("labs of Mrs Miller.csv", LABS))
    return hospital


@pytest.fixture
def waiting(first_night: Any, tmp_path: Path) -> Any:
    return first_night.copy(tmp_path)


def test_each_rule_says_how_many_rows_it_holds_and_how_many_can_be_judged_again(waiting: Any) -> None:
    assert listed(waiting) == ALL
    assert listed(waiting, rule="unit_unknown") == {"unit_unknown": (2, 2)}
    assert listed(waiting, run="run_1") == ALL
    with pytest.raises(WrongUse, match="no run"):
        listed(waiting, run="run_7")


def test_the_list_shows_counts_dates_and_repairs_and_nothing_that_a_row_or_a_name_says(waiting: Any) -> None:
    plain, as_json = command(waiting, "list"), command(waiting, "list", "--json")
    for text in (plain.output, as_json.output):
        assert not [word for word in ("CANARY7", "7725", "Mega", "Miller") if word in text]
    entries = json.loads(as_json.output)["quarantine"]
    assert {(e["source_id"], e["file"], e["since"]) for e in entries} == {("clinic", "file 1", "2026-01-02")}
    assert all(entry["repair"] for entry in entries)
    assert "give the file again" in plain.output


def test_the_list_is_of_now_and_not_of_all_nights(waiting: Any) -> None:
    night(waiting, waiting.write("more.csv", LABS.replace("2024", "2025")))
    assert listed(waiting)["unit_unknown"] == (4, 4)
    night(waiting, release=(), unit_spellings={"Mega": "10*9/L"})
    assert "unit_unknown" not in listed(waiting)
    assert listed(waiting, run="run_1")["unit_unknown"] == (2, 0)
    labs = waiting.folder / "extract" / "labs of Mrs Miller.csv"
    night(waiting, labs, unit_spellings={"Mega": "10*9/L", "K": "K/uL"})
    assert listed(waiting)["unit_ambiguous"] == (1, 1)


def test_a_workspace_that_kept_nothing_says_that_the_file_is_needed(waiting: Any) -> None:
    for path in waiting.workspace.root.glob("staged/*/re*"):
        path.unlink()
    assert listed(waiting)["unit_unknown"] == (2, 0)
    assert command(waiting, "list").output.count("give the file again") == 3


def test_nothing_to_release_is_said_and_leaves_no_run(waiting: Any, every_cohort: None) -> None:
    done = command(waiting, "release", "--json")
    assert done.exit_code == 0
    assert json.loads(done.output) == {"is_new": False, "n_set_aside_before": 5, "n_set_aside": 5}
    assert waiting.query("SELECT count(*) FROM ops.run") == [(1,)]
    assert isinstance(command(waiting, "release", "--rule", "unit_unknwon").exception, WrongUse)


def test_what_was_kept_of_refused_rows_is_as_private_as_what_was_staged(waiting: Any) -> None:
    kept = [path for path in waiting.workspace.root.glob("staged/*/*") if path.name.startswith(("re", "lab"))]
    assert {path.name for path in kept} == {"lab.parquet", "refused_lab.parquet", "reading.json"}
    assert len({path.stat().st_mode for path in kept}) == 1
    assert waiting.workspace.root.stat().st_mode & 0o077 == 0
    assert "CANARY7" not in (kept[0].parent / "reading.json").read_text(encoding="utf-8")


def test_an_erased_person_is_gone_from_refused_rows_and_stays_away(waiting: Any) -> None:
    erased = erase_person("CANARY7", "", Settings(workspace=waiting.workspace.root))
    assert (erased.n_staged, erased.n_quarantined) == (1, 1)
    assert listed(waiting)["unit_unknown"] == (1, 1)
    again = night(waiting, waiting.write("again.csv", LABS + "P3,2024-03-03 08:00,NEUT,2.9,10*9/L\n"))
    (line,) = [line for line in again.ledger if line.input_id in again.received.fresh]
    assert (line.n_received, line.n_quarantined, line.n_irrelevant) == (7, 4, 1)
    for path in waiting.workspace.root.glob("staged/*/*.parquet"):
        assert duckdb.sql(f"SELECT count(*) FROM '{path}' WHERE person_id = 'CANARY7'").fetchall() == [(0,)]
    night(waiting, release=(), unit_spellings={"Mega": "10*9/L"})
    assert waiting.canonical("person", "person_id") == [("P1",), ("P3",)]
