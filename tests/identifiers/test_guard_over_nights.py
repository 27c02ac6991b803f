"""What the guard has found is on record, is told again on later nights, and is looked for once."""

from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest

import flows.guard
from flows.errors import IdentifiersFound
from flows.handover import Published
from flows.history import list_runs
from flows.workspace import Workspace
from tests.identifiers.test_guard_of_local_exports import DECIDED, N_PEOPLE, SURNAMES, YEARS, stored, write_extract
from tests.sources.conftest import Hospital

Run = Callable[..., Published]


@pytest.fixture
def hospital(tmp_path: Path) -> Hospital:
    return Hospital(tmp_path)


def test_a_night_with_nothing_new_looks_into_no_file_and_tells_what_was_found(
    hospital: Hospital, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write_extract(hospital, DECIDED, YEARS)
    first = hospital.spend(folder).received

    def refuse(*_: object) -> None:
        raise AssertionError("a file that is known was looked into again")

    monkeypatch.setattr(flows.guard, "scan_table", refuse)
    monkeypatch.setattr(flows.guard, "as_sent", refuse)
    again = hospital.receive(folder)
    assert again.is_unchanged
    assert set(again.identifiers) == set(first.identifiers)


def test_a_file_that_is_read_again_is_looked_into_again(hospital: Hospital) -> None:
    folder = write_extract(hospital, DECIDED, YEARS)
    hospital.spend(folder)
    (folder / "source.yaml").write_text((folder / "source.yaml").read_text().replace("nachname: drop, ", ""))
    with pytest.raises(IdentifiersFound, match="nachname"):
        hospital.receive(folder)


def test_findings_are_on_record_with_their_input(hospital: Hospital) -> None:
    hospital.spend(write_extract(hospital, DECIDED, YEARS))
    lines = hospital.query(
        "SELECT column_name, disposition, n_rows, n_given, input_id IN (SELECT input_id FROM ops.input) "
        "FROM ops.identifier WHERE file = 'people.csv' AND disposition IN ('dropped', 'generalised')"
    )
    assert ("nachname", "dropped", N_PEOPLE, N_PEOPLE, True) in lines
    assert ("geburtsdatum", "generalised", N_PEOPLE, N_PEOPLE, True) in lines


def test_a_refused_night_is_on_record_by_columns_and_counts_alone(
    hospital: Hospital, tmp_path: Path, run_directly: Run
) -> None:
    workspace = tmp_path / "other"
    with pytest.raises(IdentifiersFound):
        run_directly(workspace, write_extract(hospital))
    with duckdb.connect(str(workspace / "warehouse.duckdb"), read_only=True) as warehouse:
        found = warehouse.execute("SELECT column_name FROM ops.identifier WHERE disposition = 'found'").fetchall()
        n_rows = warehouse.execute("SELECT count(*) FROM canonical.person").fetchall()[0][0]
    assert {"nachname", "geburtsdatum", "alter"} <= {name for (name,) in found}
    assert n_rows == 0
    (line,) = list_runs(Workspace(workspace), "1GB")
    assert line.state == "failed"
    assert "identifies people" in str(line.message)
    assert "\n" not in str(line.message)
    written = stored(workspace)
    assert not any(name.encode() in written for name in SURNAMES)


@pytest.mark.slow
def test_a_whole_night_after_the_map_decides_has_years_and_lists_what_was_done(
    hospital: Hospital, tmp_path: Path, run_directly: Run
) -> None:
    workspace = tmp_path / "other"
    published = run_directly(workspace, write_extract(hospital, DECIDED, YEARS))
    with duckdb.connect(str(workspace / "warehouse.duckdb"), read_only=True) as warehouse:
        years = warehouse.execute("SELECT count(birth_year), max(age_years) FROM canonical.person").fetchall()
    assert years == [(N_PEOPLE, 90)]
    page = published.report.read_text()
    assert "Identifiers" in page
    assert "dropped by the source map" in page
    assert "does not prove" in page
    assert not any(name in page for name in SURNAMES)
