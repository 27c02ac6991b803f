"""Whole nights of a small hospital: what is stopped leaves all as it was, and what is accepted is quiet after."""

import csv
from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from pathlib import Path

import duckdb
import pytest

import flows.checking
from flows.checking import check_extract
from flows.errors import ValidationStop, WrongUse
from flows.handover import Published, Request
from flows.night import run_night
from flows.progress import Progress
from flows.settings import Settings
from tests.counted_night import Counted, count_night
from tests.plain_checker import PlainChecker
from transforms.model.changes import CHANGE

MONDAY = date(2024, 3, 4)
HEAD = ("patient_id", "collection_time", "loinc", "result", "units")
Line = tuple[str, str, str, float, str]
Row = tuple[object, ...]


def a_day(day: date, draws: int) -> Iterator[Line]:
    """Neutrophils and white cells of so many specimens of that day."""
    for n in range(draws):
        who, when = f"p{(7 * n + day.toordinal()) % 90}", f"{day} {8 + n % 10:02d}:{n // 10:02d}"
        height = 0.6 + (37 * n % 100) / 125
        yield who, when, "751-8", round(4.0 * height, 2), "10*3/uL"
        yield who, when, "6690-2", round(7.0 * height, 2), "10*3/uL"


def in_cells(lines: Iterator[Line]) -> Iterator[Line]:
    """The same results in another unit, number and unit changed together."""
    for who, when, code, value, _ in lines:
        yield who, when, code, round(1000 * value), "/uL"


BEFORE = [MONDAY - timedelta(days=back) for back in range(40, 0, -1)]
BACK_LOAD = [line for day in BEFORE for line in a_day(day, 60 if day.isoweekday() <= 5 else 36)]


class Hospital:
    """A workspace, and files that arrive for it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.workspace = root / "workspace"
        self.cut_short = ""  # what the night after the back-load was stopped with
        self.around_cut: tuple[object, ...] = ()  # the state before and after it
        self.second: Counted | None = None

    def send(self, name: str, lines: Sequence[Line] | Iterator[Line]) -> Path:
        path = self.root / f"{name}.csv"
        with path.open("w", newline="") as file:
            csv.writer(file).writerows([HEAD, *lines])
        return path

    def night(self, name: str, lines: Sequence[Line] | Iterator[Line], *accepted: str) -> Counted:
        return count_night(self._ask(name, lines, *accepted), Settings(workspace=self.workspace))

    def whole_night(self, name: str, lines: Sequence[Line] | Iterator[Line], *accepted: str) -> Published:
        request, settings = self._ask(name, lines, *accepted), Settings(workspace=self.workspace)
        return run_night(request, settings, Progress(is_quiet=True), PlainChecker())

    def _ask(self, name: str, lines: Sequence[Line] | Iterator[Line], *accepted: str) -> Request:
        return Request((self.send(name, lines),), accepted=frozenset(accepted))

    def ask(self, sql: str) -> list[Row]:
        with duckdb.connect(str(self.workspace / "warehouse.duckdb"), read_only=True) as connection:
            return connection.execute(sql).fetchall()

    def state(self) -> tuple[object, ...]:
        """What must not change when a night is stopped."""
        site = {path: path.read_bytes() for path in sorted((self.workspace / "site").rglob("*")) if path.is_file()}
        tables = ("canonical.lab", "derived.anc", "counts.person_interval", "estimate.prevalence")
        return site, *(self.ask(f"SELECT count(*), sum(hash(t)) FROM {table} t") for table in tables)

    def repeat_last_night(self, times: int) -> None:
        """As if more nights like the last one had been published."""
        with duckdb.connect(str(self.workspace / "warehouse.duckdb")) as connection:
            connection.execute("SET VARIABLE last = (SELECT max_by(run_id, started_at) FROM ops.run)").fetchall()
            for table in ("ops.run", "ops.profile"):
                connection.execute(
                    f"""INSERT INTO {table} SELECT * REPLACE (run_id || '-' || n AS run_id)
                    FROM {table}, range({times}) again(n) WHERE run_id = getvariable('last')""".replace(
                        "SELECT *", "SELECT * EXCLUDE (n)"
                    )
                ).fetchall()


@pytest.fixture(scope="module")
def hospital(tmp_path_factory: pytest.TempPathFactory) -> Hospital:
    """A back-load, then one increment; three more like it are on record."""
    hospital = Hospital(tmp_path_factory.mktemp("hospital"))
    assert hospital.whole_night("back_load", BACK_LOAD).verdict == "go"
    back_loaded = hospital.state()
    with pytest.raises(ValidationStop) as stopped:
        hospital.whole_night("everything_cut_short", [line for line in BACK_LOAD if int(line[0][1:]) % 10 < 6])
    hospital.cut_short = str(stopped.value)
    hospital.around_cut = (back_loaded, hospital.state())
    hospital.second = hospital.night("monday", a_day(MONDAY, 60))
    hospital.repeat_last_night(3)
    return hospital


def test_a_file_with_everything_that_lost_40_percent_stops_on_the_second_night(hospital: Hospital) -> None:
    assert "change_known_rows" in hospital.cut_short
    assert "40 % fewer" in hospital.cut_short
    assert "--accept change_known_rows" in hospital.cut_short
    before, after = hospital.around_cut
    assert before == after


def test_an_increment_after_a_back_load_goes(hospital: Hospital) -> None:
    assert hospital.second is not None
    assert hospital.second.verdict == "go"


def test_a_night_that_is_40_percent_short_stops_before_anything_changes(hospital: Hospital) -> None:
    before = hospital.state()
    with pytest.raises(ValidationStop) as stopped:
        hospital.whole_night("short", a_day(MONDAY + timedelta(days=1), 36))
    assert stopped.value.exit_code == 13
    assert "72 results; the last 4 comparable nights had 120: 40 % fewer" in str(stopped.value)
    assert hospital.state() == before
    (attempt,) = hospital.ask("SELECT state, verdict, run_id FROM ops.run ORDER BY started_at DESC LIMIT 1")
    assert attempt[:2] == ("stopped", "stop")
    kept = hospital.ask(
        f"SELECT value FROM ops.profile WHERE run_id = '{attempt[2]}' AND measure = 'rows' AND part = ''"
    )
    assert kept == [(72.0,)]


def test_as_few_results_as_that_pass_on_a_saturday(hospital: Hospital) -> None:
    assert hospital.night("saturday", a_day(MONDAY + timedelta(days=5), 36)).verdict == "go"


def test_a_unit_that_is_switched_stops_until_it_is_accepted_and_is_quiet_after(hospital: Hospital) -> None:
    tuesday, wednesday = (MONDAY + timedelta(days=n) for n in (1, 2))
    before = hospital.state()
    with pytest.raises(ValidationStop, match=r"anc_direct in /uL \(before: 10\*3/uL\)"):
        hospital.whole_night("tuesday", in_cells(a_day(tuesday, 60)))
    assert hospital.state() == before
    accepted = hospital.night("tuesday", in_cells(a_day(tuesday, 60)), "change_unit")
    assert accepted.verdict == "warn"
    own = f"run_id = '{accepted.run_id}' AND check_id = 'change_unit'"
    told = hospital.ask(f"SELECT severity, status, detail FROM ops.check WHERE {own}")
    assert [line[:2] for line in told] == [("warn", "failed")]
    assert str(told[0][2]).startswith("accepted: anc_direct in /uL")
    assert hospital.night("wednesday", in_cells(a_day(wednesday, 60))).verdict == "go"


def test_a_check_with_a_workspace_compares_and_stores_nothing(
    hospital: Hospital, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(flows.checking, "warm_up", PlainChecker)
    before = (hospital.workspace / "warehouse.duckdb").read_bytes()
    short = hospital.send("to_check", a_day(MONDAY + timedelta(days=3), 36))
    compared = check_extract((short,), "auto", Settings(), hospital.workspace)
    assert compared.verdict == "stop"
    assert "40 % fewer" in compared.as_text()
    everything = hospital.send("all_to_check", [line for line in BACK_LOAD if int(line[0][1:]) % 10 < 5])
    assert "change_known_rows" in check_extract((everything,), "auto", Settings(), hospital.workspace).as_text()
    assert (hospital.workspace / "warehouse.duckdb").read_bytes() == before


def test_a_check_alone_compares_with_nothing(hospital: Hospital, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(flows.checking, "warm_up", PlainChecker)
    alone = check_extract((hospital.send("alone", a_day(MONDAY, 36)),), "auto", Settings())
    assert {c.status for c in alone.validated.checks if c.check_id.startswith(CHANGE)} == {"not_applicable"}
    assert alone.verdict == "go"


def test_a_check_that_does_not_exist_cannot_be_accepted(hospital: Hospital) -> None:
    with pytest.raises(WrongUse, match="change_volumes") as refused:
        hospital.whole_night("short", a_day(MONDAY + timedelta(days=1), 36), "change_volumes")
    assert refused.value.exit_code == 2
    assert "change_known_rows" in str(refused.value)
