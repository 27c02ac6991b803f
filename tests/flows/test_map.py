"""`nadir map` proposes a source map that brings in what was put into an export, and says what it is unsure of."""

import csv
import io
import json
import random
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb
import polars as pl
import pyreadstat
import pytest
import xlsxwriter
import yaml

from flows.errors import SourceError, WrongUse
from flows.handover import Received, Request, RunContext
from flows.mapping import Proposal, propose_map, write_proposal
from flows.progress import Progress
from flows.settings import Settings
from flows.stages.receive import receive
from flows.workspace import Workspace
from tests.numbers.telling import MOVED, Said
from transforms.load import load_definitions

N_PEOPLE, N_VISITS = 40, 3
DEFINITIONS = load_definitions()


@dataclass(frozen=True)
class Visit:
    """One blood count of one person as it is: counts in cells per microlitre, shares in percent."""

    person: str
    at: datetime
    wbc: int
    percent: int

    @property
    def anc(self) -> int:
        return self.wbc * self.percent // 100

    @property
    def sex(self) -> str:
        return "FM"[int(self.person[1:]) % 2]

    @property
    def site(self) -> str:
        return "AB"[int(self.person[1:]) % 2]


def visits(n_people: int = N_PEOPLE) -> list[Visit]:
    chance = random.Random(7)  # noqa: S311
    start = datetime(2023, 1, 2, 8, 0, tzinfo=UTC).replace(tzinfo=None)
    return [
        Visit(
            f"P{person}",
            start + timedelta(days=17 * visit + person, minutes=11 * person),
            chance.randrange(2100, 11900, 100),
            chance.randrange(30, 84),
        )
        for person in range(n_people)
        for visit in range(N_VISITS)
    ]


def text(rows: Sequence[Sequence[object]], mark: str = ",") -> str:
    out = io.StringIO()
    csv.writer(out, delimiter=mark, lineterminator="\n").writerows(rows)
    return out.getvalue()


def comma(number: float) -> str:
    return f"{number:.3f}".replace(".", ",")


SAID = Said("proposals")


@pytest.fixture(scope="module", autouse=True)
def proposals_are_those_that_were_told() -> Iterator[None]:
    yield
    assert SAID.wrong() == [], MOVED


def propose(*paths: Path) -> Proposal:
    proposal = propose_map(paths, DEFINITIONS, memory_limit="500MB")
    SAID.add(proposal.as_text(None).replace(str(paths[0].parent), ""))
    return proposal


@dataclass
class Trip:
    """A proposal and what came of the export that was received with it."""

    proposal: Proposal
    received: Received

    def counts(self, analyte: str) -> list[tuple[str, int]]:
        """Person and canonical value of every accepted result of an analyte."""
        files = [str(path) for path in self.received.staged["canonical.lab"]]
        rows = duckdb.sql(
            f"SELECT person_id, round(value)::INTEGER FROM read_parquet({files}) "
            f"WHERE analyte = '{analyte}' ORDER BY ALL"
        ).fetchall()
        return [(person, value) for person, value in rows]


@pytest.fixture
def round_trip(tmp_path: Path) -> Callable[..., Trip]:
    def run(*contents: tuple[str, str | bytes]) -> Trip:
        folder = tmp_path / "export"
        folder.mkdir()
        paths = []
        for name, content in contents:
            path = folder / name
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
            paths.append(path)
        proposal = propose(*paths)
        target = tmp_path / "proposed.yaml"
        write_proposal(proposal, target)
        workspace = Workspace(tmp_path / "workspace").create()
        context = RunContext(
            "run", datetime(2026, 1, 1, tzinfo=UTC), workspace, Settings(), DEFINITIONS, Progress(is_quiet=True)
        )
        return Trip(proposal, receive(Request(tuple(paths), str(target)), context))

    return run


def truth(field: Callable[[Visit], float]) -> list[tuple[str, int]]:
    return sorted((visit.person, round(field(visit))) for visit in visits())


def test_a_german_export_with_decimal_comma_and_latin_1_comes_back_whole(round_trip: Callable[..., Trip]) -> None:
    rows: list[list[object]] = [
        ["Patientennummer", "Abnahmezeitpunkt", "Kürzel", "Bezeichnung", "Ergebnis", "Einheit", "Material"]
    ]
    for visit in visits():
        at = visit.at.strftime("%d.%m.%Y %H:%M")
        rows += [
            [visit.person, at, "LEUK", "Leukozyten", comma(visit.wbc / 1000), "Tsd/µl", "EDTA-Blut"],
            [visit.person, at, "NEUA", "Neutrophile abs.", comma(visit.anc / 1000), "Tsd/µl", "EDTA-Blut"],
            [visit.person, at, "ANCA", "c-ANCA", comma(1), "U/ml", "Serum"],
            [visit.person, at, "ULEU", "Leukozyten (Urin)", comma(9), "/µl", "Urin"],
            [visit.person, at, "CRP", "C-reaktives Protein", comma(5), "mg/l", "Serum"],
        ]
    trip = round_trip(("labor.csv", text(rows, ";").encode("latin-1")))
    content = trip.proposal.content
    assert trip.counts("wbc") == truth(lambda visit: visit.wbc)
    assert trip.counts("anc_direct") == truth(lambda visit: visit.anc)
    assert (content["encoding"], content["delimiter"], content["decimal"]) == ("cp1252", ";", ",")
    assert content["datetime_formats"] == ["%d.%m.%Y %H:%M"]
    assert content["codes"] == {"LEUK": "26464-8", "NEUA": "26499-4"}


def test_a_wide_sheet_with_units_in_its_headers_gives_every_cell(round_trip: Callable[..., Trip]) -> None:
    rows: list[list[object]] = [["study_id", "visit_date", "sex", "WBC (10^9/L)", "ANC (cells/uL)", "Hb", "comment"]]
    rows += [[v.person, v.at.date(), v.sex, v.wbc / 1000, v.anc, 13.1, "ok"] for v in visits()]
    trip = round_trip(("visits.csv", text(rows)))
    assert trip.counts("wbc") == truth(lambda visit: visit.wbc)
    assert trip.counts("anc_direct") == truth(lambda visit: visit.anc)
    assert trip.proposal.files == {"visits.csv": ("lab", "person")}


def test_a_wide_sheet_without_units_takes_them_from_all_its_results(round_trip: Callable[..., Trip]) -> None:
    rows: list[list[object]] = [["patient_id", "date", "wbc", "neut_abs", "neut_pct"]]
    rows += [[v.person, v.at.date(), v.wbc / 1000, v.anc, v.percent] for v in visits()]
    trip = round_trip(("sheet.csv", text(rows, "\t")))
    wide = trip.proposal.content["tables"][0]["wide"]
    assert [wide[name]["unit"] for name in ("wbc", "neut_abs", "neut_pct")] == ["10*9/L", "/uL", "%"]
    assert trip.counts("wbc") == truth(lambda visit: visit.wbc)
    assert trip.counts("anc_direct") == truth(lambda visit: visit.anc)


def test_minutes_since_an_anchor_are_relative_time(round_trip: Callable[..., Trip]) -> None:
    rows: list[list[object]] = [["pid", "offset_minutes", "lab_name", "lab_result", "unit"]]
    for place, visit in enumerate(visits()):
        rows += [[visit.person, 60 * place - 500, "WBC x 1000", visit.wbc / 1000, "K/mcL"]]
        rows += [[visit.person, 60 * place - 500, "polys abs", visit.anc / 1000, "K/mcL"]]
        rows += [[visit.person, 60 * place - 500, "WBC", visit.wbc / 1000, "K/mcL"]]
    trip = round_trip(("lab.csv", text(rows)))
    assert (trip.proposal.content["dates"], trip.proposal.content["relative_unit"]) == ("relative", "minutes")
    assert trip.counts("wbc") == truth(lambda visit: visit.wbc)
    assert trip.counts("gran_abs") == truth(lambda visit: visit.anc)


def test_numbers_without_a_word_for_their_unit_leave_it_open(tmp_path: Path) -> None:
    rows: list[list[object]] = [["pid", "time", "test", "value", "unit"]]
    rows += [[visit.person, place, "WBC", visit.wbc, "/uL"] for place, visit in enumerate(visits())]
    (tmp_path / "lab.csv").write_text(text(rows))
    proposal = propose(tmp_path / "lab.csv")
    assert not {"dates", "relative_unit"} & set(proposal.content)
    assert any("relative_unit" in said for said in proposal.unsure)


def test_each_site_keeps_the_unit_of_its_own_results(round_trip: Callable[..., Trip]) -> None:
    rows: list[list[object]] = [["patient", "collected", "hospital", "test", "result", "unit"]]
    for visit in visits():
        factor = 1000 if visit.site == "A" else 1
        rows += [[visit.person, visit.at, visit.site, "WBC", visit.wbc / factor, ""]]
        rows += [[visit.person, visit.at, visit.site, "ANC", visit.anc / factor, "K" if visit.site == "A" else "cells"]]
    trip = round_trip(("both.csv", text(rows)))
    assert trip.counts("wbc") == truth(lambda visit: visit.wbc)
    assert trip.counts("anc_direct") == truth(lambda visit: visit.anc)


def test_a_share_written_as_a_fraction_is_read_as_one_even_under_a_percent_sign(
    round_trip: Callable[..., Trip],
) -> None:
    rows: list[list[object]] = [["subject", "drawn_at", "component", "value", "units"]]
    for visit in visits():
        rows += [[visit.person, visit.at, "White blood cells", visit.wbc / 1000, "10*9/L"]]
        rows += [[visit.person, visit.at, "Neutrophils %", visit.percent / 100, "%"]]
        rows += [[visit.person, visit.at, "Hematocrit", 41, "%"]]
    trip = round_trip(("labs.csv", text(rows)))
    assert trip.counts("neut_pct") == truth(lambda visit: visit.percent)


def test_one_word_for_count_or_share_is_settled_by_its_results_or_left_out(tmp_path: Path) -> None:
    def proposed(scale: Callable[[Visit], float]) -> Proposal:
        rows: list[list[object]] = [["pid", "date", "test", "value"]]
        rows += [[v.person, v.at.date(), "NEUT", scale(v)] for v in visits()]
        rows += [[v.person, v.at.date(), "WBC", v.wbc] for v in visits()]
        (tmp_path / "lab.csv").write_text(text(rows))
        return propose(tmp_path / "lab.csv")

    assert proposed(lambda visit: visit.percent).content["codes"]["NEUT"] == "26511-6"
    assert proposed(lambda visit: visit.anc / 1000).content["codes"]["NEUT"] == "26499-4"
    doubtful = proposed(lambda visit: visit.percent / 100)
    assert "NEUT" not in doubtful.content["codes"]
    assert "# TODO NEUT" in doubtful.text
    assert any("NEUT" in said for said in doubtful.unsure)


def test_loinc_codes_need_no_translation(round_trip: Callable[..., Trip]) -> None:
    rows: list[list[object]] = [
        ["patient_id", "loinc", "test_name", "taken", "collection_date", "num", "value", "unit"]
    ]
    for visit in visits():
        at = visit.at.strftime("%m/%d/%Y %H:%M")
        rows += [[visit.person, "6690-2", "WBC", "x", at, 1, visit.wbc / 1000, "K/uL"]]
        rows += [[visit.person, "751-8", "Neutrophils", "x", at, 1, visit.anc / 1000, "K/uL"]]
        rows += [[visit.person, "17351-8", "Neutrophil cytoplasmic Ab", "x", at, 1, 1, ""]]
    trip = round_trip(("labs.txt", text(rows, "|")))
    assert "codes" not in trip.proposal.content
    assert trip.proposal.content["datetime_formats"] == ["%m/%d/%Y %H:%M"]
    assert trip.counts("anc_direct") == truth(lambda visit: visit.anc)
    assert trip.counts("wbc") == truth(lambda visit: visit.wbc)


def test_local_numbers_are_explained_by_the_names_beside_them(round_trip: Callable[..., Trip]) -> None:
    rows: list[list[object]] = [
        ["PAT_ID", "SPECIMEN_TAKEN_TIME", "TEST_ID", "TEST_NAME", "ORD_VALUE", "REFERENCE_UNIT"]
    ]
    for visit in visits():
        at = visit.at.strftime("%d-%b-%Y %H:%M")
        rows += [[visit.person, at, "4711", "WBC", f"{visit.wbc}", "/mm3"]]
        rows += [[visit.person, at, "4712", "ABSOLUTE NEUTROPHIL COUNT", f"{visit.anc}", "/mm3"]]
        rows += [[visit.person, at, "4713", "ANCA screen, neutrophil", "1", ""]]
    trip = round_trip(("export.csv", text(rows)))
    assert trip.proposal.content["codes"] == {"4711": "26464-8", "4712": "26499-4"}
    assert trip.counts("anc_direct") == truth(lambda visit: visit.anc)


def test_dates_in_a_far_future_are_shifted(round_trip: Callable[..., Trip]) -> None:
    rows: list[list[object]] = [["subject_id", "charttime", "label", "valuenum", "valueuom"]]
    rows += [[v.person, v.at + timedelta(days=50_000), "ANC", v.anc / 1000, "K/uL"] for v in visits()]
    trip = round_trip(("labs.csv", text(rows)))
    assert trip.received.dates == "shifted"
    assert trip.counts("anc_direct") == truth(lambda visit: visit.anc)


def test_a_sheet_without_dates_has_none(round_trip: Callable[..., Trip]) -> None:
    rows: list[list[object]] = [["SEQN", "sex", "age", "WBC (1000/uL)", "ANC (1000/uL)"]]
    first = [visit for place, visit in enumerate(visits()) if place % N_VISITS == 0]
    rows += [[v.person[1:], v.sex, 40, v.wbc / 1000, v.anc / 1000] for v in first]
    trip = round_trip(("survey.csv", text(rows)))
    assert trip.received.dates == "none"
    assert len(trip.counts("anc_direct")) == len(first)


def test_parquet_is_proposed_like_text(round_trip: Callable[..., Trip], tmp_path: Path) -> None:
    lines = ", ".join(f"('{v.person}', TIMESTAMP '{v.at}', 'ANC', {v.anc / 1000}::DOUBLE, 'G/L')" for v in visits())
    made = tmp_path / "made.parquet"
    duckdb.sql(f"COPY (FROM (VALUES {lines}) t(patient, zeit, analyt, wert, einheit)) TO '{made}' (FORMAT parquet)")
    trip = round_trip(("labor.parquet", made.read_bytes()))
    assert trip.counts("anc_direct") == truth(lambda visit: visit.anc)


def test_every_file_of_an_export_finds_its_table(round_trip: Callable[..., Trip]) -> None:
    labs: list[list[object]] = [["pid", "date", "test", "value", "unit"]]
    labs += [[v.person, v.at.date(), "ANC", v.anc, "/uL"] for v in visits()]
    people = {v.person: v.sex for v in visits()}
    persons: list[list[object]] = [["pid", "Geschlecht", "Geburtsjahr"], *([p, s, 1950] for p, s in people.items())]
    drugs: list[list[object]] = [
        ["pid", "Wirkstoff", "verabreicht_am", "Dosis"],
        *([p, "docetaxel", "2023-01-05", 100] for p in people),
    ]
    codes: list[list[object]] = [["pid", "ICD", "Diagnosedatum"], *([p, "C50.911", "2022-12-01"] for p in people)]
    trip = round_trip(
        ("labs.csv", text(labs)), ("people.csv", text(persons)), ("drugs.csv", text(drugs)), ("codes.csv", text(codes))
    )
    assert dict(trip.proposal.files) == {
        "codes.csv": ("diagnosis",),
        "drugs.csv": ("exposure",),
        "labs.csv": ("lab",),
        "people.csv": ("person",),
    }
    taken = {line.table_name: line.n_accepted for line in trip.received.ledger}
    assert taken["canonical.exposure"] == taken["canonical.diagnosis"] == taken["canonical.person"] == N_PEOPLE


def test_a_drug_table_without_a_word_for_its_evidence_says_so(tmp_path: Path) -> None:
    rows: list[list[object]] = [["pid", "drug", "start_date"], ["P1", "clozapine", "2023-01-01"]]
    labs: list[list[object]] = [["pid", "date", "test", "value", "unit"]]
    labs += [[v.person, v.at.date(), "ANC", v.anc, "/uL"] for v in visits()]
    (tmp_path / "drugs.csv").write_text(text(rows))
    (tmp_path / "labs.csv").write_text(text(labs))
    proposal = propose(tmp_path / "drugs.csv", tmp_path / "labs.csv")
    assert any("administered, dispensed, ordered or reported" in said for said in proposal.unsure)


def test_a_day_that_may_be_a_month_is_not_decided(tmp_path: Path) -> None:
    rows: list[list[object]] = [["pid", "date", "test", "value", "unit"]]
    rows += [
        [v.person, f"0{1 + place % 9}/0{1 + place % 7}/2023", "ANC", v.anc, "/uL"] for place, v in enumerate(visits())
    ]
    (tmp_path / "labs.csv").write_text(text(rows))
    proposal = propose(tmp_path / "labs.csv")
    assert "datetime_formats" not in proposal.content
    assert any("day and month" in said for said in proposal.unsure)


def test_the_same_export_gives_the_same_text(tmp_path: Path) -> None:
    rows: list[list[object]] = [["pid", "date", "test", "value"]]
    rows += [[v.person, v.at, test, v.wbc] for v in visits() for test in ("WBC", "Leukos", "Neutro")]
    (tmp_path / "labs.csv").write_text(text(rows))
    assert propose(tmp_path / "labs.csv").text == propose(tmp_path / "labs.csv").text


def test_a_map_is_never_written_over_a_file(tmp_path: Path) -> None:
    (tmp_path / "source.yaml").write_text("id: mine\n")
    with pytest.raises(WrongUse, match="there is a file already"):
        write_proposal(Proposal("id: other\n", {}, {}, (), ()), tmp_path / "source.yaml")
    assert (tmp_path / "source.yaml").read_text() == "id: mine\n"


def test_a_file_without_results_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.csv").write_text("a,b\n1,2\n")
    with pytest.raises(SourceError, match="No file is a table that nadir knows"):
        propose(tmp_path / "notes.csv")


def differential(visit: Visit, *, has_bands_inside: bool) -> dict[str, float]:
    """A manual differential whose parts add up to 100 with the bands, or without them."""
    bands = 12.0
    rest = 100 - visit.percent - (0 if has_bands_inside else bands)
    return {"Neutrophils %": visit.percent, "Bands %": bands, "Lymphocytes %": rest - 3, "Monocytes %": 3.0}


@pytest.mark.parametrize("has_bands_inside", [True, False])
def test_bands_are_added_only_where_the_differentials_need_them(
    round_trip: Callable[..., Trip], has_bands_inside: bool
) -> None:
    rows: list[list[object]] = [["pid", "sample_id", "date", "test", "value", "unit"]]
    for place, visit in enumerate(visits()):
        shares = differential(visit, has_bands_inside=has_bands_inside)
        rows += [[visit.person, place, visit.at.date(), test, value, "%"] for test, value in shares.items()]
    trip = round_trip(("labs.csv", text(rows)))
    codes = trip.proposal.content["codes"]
    assert codes["Neutrophils %"] == ("26511-6" if has_bands_inside else "26505-8")
    assert ("Bands %" in codes) is not has_bands_inside
    assert len(trip.counts("bands_pct")) == (0 if has_bands_inside else N_PEOPLE * N_VISITS)


def test_bands_beside_neutrophils_without_other_parts_are_said_to_be_unsure(tmp_path: Path) -> None:
    rows: list[list[object]] = [["pid", "date", "neut_pct", "bands_pct", "wbc"]]
    rows += [[v.person, v.at.date(), v.percent, 12, v.wbc / 1000] for v in visits()]
    (tmp_path / "wide.csv").write_text(text(rows))
    proposal = propose(tmp_path / "wide.csv")
    assert any("contains the bands" in said for said in proposal.unsure)


def test_a_unit_that_is_no_count_is_never_overruled_by_its_results(tmp_path: Path) -> None:
    rows: list[list[object]] = [["pid", "date", "test", "value", "unit"]]
    rows += [[v.person, v.at.date(), "WBC", v.wbc / 1000, "/HPF"] for v in visits()]
    rows += [[v.person, v.at.date(), "ANC", v.anc / 1000, "K/uL"] for v in visits()]
    (tmp_path / "labs.csv").write_text(text(rows))
    proposal = propose(tmp_path / "labs.csv")
    assert proposal.content["codes"] == {"ANC": "26499-4"}
    assert "# TODO WBC: left out" in proposal.text


def test_a_unit_that_nobody_knows_is_left_open_with_what_would_fit(tmp_path: Path) -> None:
    rows: list[list[object]] = [["pid", "date", "test", "value", "unit"]]
    rows += [[v.person, v.at.date(), "WBC", v.wbc / 1000, "Kilozellen"] for v in visits()]
    (tmp_path / "labs.csv").write_text(text(rows))
    proposal = propose(tmp_path / "labs.csv")
    assert "unit_spellings" not in proposal.content
    assert any("'Kilozellen'" in said and "10*9/L" in said for said in proposal.unsure)


def test_a_unit_of_each_row_in_a_column_beside_the_test(round_trip: Callable[..., Trip]) -> None:
    rows: list[list[object]] = [["Patient", "Datum", "Leukozyten", "Leukozyten Einheit", "ANC", "ANC Einheit"]]
    for place, visit in enumerate(visits()):
        unit, factor = (("G/l", 1000), ("/\u00b5l", 1))[place % 2]
        rows += [[visit.person, visit.at.date(), visit.wbc / factor, unit, visit.anc / factor, unit]]
    trip = round_trip(("befunde.csv", text(rows, ";")))
    assert trip.counts("wbc") == truth(lambda visit: visit.wbc)
    assert trip.counts("anc_direct") == truth(lambda visit: visit.anc)


def test_what_fewer_than_eleven_people_have_is_not_shown(tmp_path: Path) -> None:
    rows: list[list[object]] = [["pid", "date", "test", "value", "unit", "status"]]
    rows += [[v.person, v.at.date(), "ANC", v.anc / 1000, "K/uL", "final"] for v in visits()]
    rows += [["P1", "2023-01-01", "Neutrophils of Smith", "3", "K/uL", "as told to Jones"]]
    (tmp_path / "labs.csv").write_text(text(rows))
    proposal = propose(tmp_path / "labs.csv")
    shown = json.dumps(proposal.as_dict())
    assert "Smith" not in shown
    assert "Jones" not in shown
    assert any("fewer than 11 people" in said for said in proposal.unsure)


def test_a_table_of_events_asks_for_what_it_does_not_say(tmp_path: Path) -> None:
    (tmp_path / "pkpd.csv").write_text("ID,TIME,DV,AMT,EVID\n1,0,0,100,1\n1,24,2.1,0,0\n")
    with pytest.raises(SourceError, match="nothing says what DV measures"):
        propose(tmp_path / "pkpd.csv")


def test_a_known_format_needs_no_map(tmp_path: Path) -> None:
    (tmp_path / "labs.csv").write_text(
        "hospitalization_id,lab_collect_dttm,lab_category,lab_value\nH1,2024-01-01,wbc,1\n"
    )
    (tmp_path / "stays.csv").write_text(
        "patient_id,hospitalization_id,admission_dttm,discharge_dttm\nP1,H1,2024-01-01,2024-01-02\n"
    )
    proposal = propose(tmp_path / "labs.csv", tmp_path / "stays.csv")
    assert proposal.layout == "clif"
    assert "without a map" in proposal.as_text(None)


def test_the_command_writes_a_map_and_prints_what_is_unsure(
    nadir: Callable[..., "subprocess.CompletedProcess[str]"], tmp_path: Path
) -> None:
    rows: list[list[object]] = [["pid", "date", "test", "value"]]
    rows += [[v.person, v.at.date(), "WBC", v.wbc] for v in visits()]
    (tmp_path / "labs.csv").write_text(text(rows))
    command = [str(Path(sys.executable).with_name("nadir")), "map", str(tmp_path / "labs.csv")]
    target = tmp_path / "source.yaml"
    written = subprocess.run([*command, "--json", "--out", str(target)], capture_output=True, text=True, check=True)
    told = json.loads(written.stdout)
    assert told["map"]["codes"] == {"WBC": "26464-8"}
    assert told["decisions"][0]["certainty"] == "probable"
    assert told["unsure"]
    assert yaml.safe_load(target.read_text())["units"] == {"WBC": "/uL"}
    assert nadir(*command[1:], "--out", target).returncode == 2


@pytest.mark.parametrize(("factor", "form"), [(1, "unix_seconds"), (1000, "unix_milliseconds")])
def test_seconds_since_1970_are_times(round_trip: Callable[..., Trip], factor: int, form: str) -> None:
    rows: list[list[object]] = [["pid", "timestamp", "test", "value", "unit"]]
    for visit in visits():
        seconds = int(visit.at.replace(tzinfo=UTC).timestamp())
        rows += [[visit.person, seconds * factor, "ANC", visit.anc, "/uL"]]
    trip = round_trip(("labs.csv", text(rows)))
    assert trip.proposal.content["datetime_formats"] == [form]
    files = [str(path) for path in trip.received.staged["canonical.lab"]]
    found = duckdb.sql(f"SELECT collected_at, time_precision FROM read_parquet({files}) ORDER BY ALL").fetchall()
    assert found == sorted((visit.at, "minute") for visit in visits())


def test_parts_of_a_table_are_judged_as_one(round_trip: Callable[..., Trip]) -> None:
    head: list[object] = ["pid", "date", "test", "value"]
    parts: list[list[list[object]]] = [[head], [head]]
    for place, visit in enumerate(visits()):
        parts[0 if place < 5 else 1].append([visit.person, visit.at.date(), "ANC", visit.anc / 1000])
    trip = round_trip(("january.csv", text(parts[0])), ("february.csv", text(parts[1])))
    assert trip.proposal.content["units"] == {"ANC": "10*9/L"}
    assert trip.counts("anc_direct") == truth(lambda visit: visit.anc)


def test_a_time_of_day_in_a_column_of_its_own_is_proposed_and_said(tmp_path: Path) -> None:
    rows: list[list[object]] = [["Patient", "Abnahmedatum", "Abnahmezeit", "Test", "Wert", "Einheit"]]
    rows += [[v.person, v.at.strftime("%d.%m.%Y"), v.at.strftime("%H:%M"), "ANC", v.anc, "/uL"] for v in visits()]
    (tmp_path / "labor.csv").write_text(text(rows, ";"))
    proposal = propose(tmp_path / "labor.csv")
    assert proposal.content["tables"][0]["columns"]["collected_at"] == "Abnahmedatum"
    assert proposal.content["tables"][0]["clocks"] == {"collected_at": "Abnahmezeit"}
    assert any("Abnahmezeit" in said for said in proposal.unsure)


def test_a_workbook_is_proposed_sheet_by_sheet(round_trip: Callable[..., Trip], tmp_path: Path) -> None:
    made = tmp_path / "made.xlsx"
    workbook = xlsxwriter.Workbook(str(made), {"default_date_format": "dd/mm/yyyy hh:mm"})
    sheet = workbook.add_worksheet("Blutbild")
    for column, header in enumerate(["Patient", "Datum", "Leukozyten [G/l]", "Neutrophile abs. [/nl]"]):
        sheet.write(0, column, header)
    for row, visit in enumerate(visits(), start=1):
        sheet.write(row, 0, visit.person)
        sheet.write_datetime(row, 1, visit.at)
        sheet.write(row, 2, visit.wbc / 1000)
        sheet.write(row, 3, visit.anc / 1000)
    workbook.add_worksheet("Legende").write(0, 0, "nothing to read")
    workbook.close()
    trip = round_trip(("befunde.xlsx", made.read_bytes()))
    assert trip.proposal.files["befunde.xlsx#Blutbild"] == ("lab",)
    assert trip.counts("wbc") == truth(lambda visit: visit.wbc)
    assert trip.counts("anc_direct") == truth(lambda visit: visit.anc)


def test_a_transport_file_is_read_by_its_labels(round_trip: Callable[..., Trip], tmp_path: Path) -> None:
    rows = [(visit.person, visit.at.date(), visit.wbc / 1000, visit.anc / 1000) for visit in visits()]
    frame = pl.DataFrame(rows, schema=["SID", "VD", "X1", "X2"], orient="row").to_pandas()
    labels = {
        "SID": "Subject ID",
        "VD": "Visit date",
        "X1": "White blood cells (10^9/L)",
        "X2": "Absolute neutrophil count (10^9/L)",
    }
    pyreadstat.write_xport(frame, str(tmp_path / "made.xpt"), table_name="CBC", column_labels=labels)
    trip = round_trip(("cbc.xpt", (tmp_path / "made.xpt").read_bytes()))
    assert trip.proposal.content["tables"][0]["columns"] == {"person_id": "SID", "collected_at": "VD"}
    assert trip.counts("anc_direct") == truth(lambda visit: visit.anc)


def test_the_only_column_of_dates_is_taken_and_said_to_be_unsure(tmp_path: Path) -> None:
    rows: list[list[object]] = [["pid", "gemacht", "ANC (/uL)"]]
    rows += [[v.person, v.at.strftime("%d.%m.%Y"), v.anc] for v in visits()]
    (tmp_path / "sheet.csv").write_text(text(rows, ";"))
    proposal = propose(tmp_path / "sheet.csv")
    assert proposal.content["tables"][0]["columns"]["collected_at"] == "gemacht"
    assert any("gemacht is taken as the time of collection" in said for said in proposal.unsure)


@pytest.mark.parametrize("header", ["Patientennr", "PATIENT-NR.", "Pat Nr", "patientNumber", "Codice paziente"])
def test_a_header_is_known_however_its_words_are_joined(round_trip: Callable[..., Trip], header: str) -> None:
    rows: list[list[object]] = [[header, "Entnahme-Datum", "Leukozyten [G/l]", "MCV"]]
    rows += [[v.person, v.at.strftime("%d.%m.%Y"), v.wbc / 1000, 88] for v in visits()]
    trip = round_trip(("sheet.csv", text(rows, ";")))
    assert trip.proposal.content["tables"][0]["columns"] == {"person_id": header, "collected_at": "Entnahme-Datum"}
    assert trip.counts("wbc") == truth(lambda visit: visit.wbc)


@pytest.mark.parametrize(
    "headers",
    [
        "Numéro patient;Date et heure de prélèvement;Leucocytes (G/L);PNN (G/L)",
        "ID del paciente;Fecha de extracción;Leucocitos (10^3/µL);Neutrófilos abs. (10^3/µL)",
        "Codice paziente;Data del prelievo;Globuli bianchi (10^3/uL);Neutrofili assoluti (10^3/uL)",
        "ID do paciente;Data da coleta;Leucócitos (10^3/uL);Neutrófilos absolutos (10^3/uL)",
        "Patiëntnummer;Datum van afname;Leukocyten (10^9/l);Neutrofiele granulocyten (10^9/l)",
        "Patient-id;Provtagningstid;B-LPK (10^9/L);B-Neutrofila (10^9/L)",
        "Pasient ID;Prøvetakingstidspunkt;Leukocytter (10^9/L);Nøytrofile (10^9/L)",
        "ID pacjenta;Data i godzina pobrania;Leukocyty (10^9/l);Granulocyty obojętnochłonne (10^9/l)",
    ],
)
def test_a_sheet_of_another_language_is_read_without_a_doubt(round_trip: Callable[..., Trip], headers: str) -> None:
    rows = [[v.person, v.at.strftime("%Y-%m-%d %H:%M"), comma(v.wbc / 1000), comma(v.anc / 1000)] for v in visits()]
    trip = round_trip(("sheet.csv", "\n".join([headers, text(rows, ";")])))
    assert trip.proposal.unsure == ("dates look real; if the sender shifted them, set dates: shifted.",)
    assert trip.counts("wbc") == truth(lambda visit: visit.wbc)
    assert trip.counts("anc_direct") == truth(lambda visit: visit.anc)


def test_the_only_column_of_keys_beside_tests_is_taken_and_said_to_be_unsure(tmp_path: Path) -> None:
    rows: list[list[object]] = [["wer", "Datum", "Geburtsjahr", "Leukozyten (/uL)", "Thrombozyten (/uL)", "Bemerkung"]]
    rows += [[f"K{v.person}", v.at.strftime("%d.%m.%Y"), 1950, v.wbc, 90000, "ok"] for v in visits(100)]
    (tmp_path / "sheet.csv").write_text(text(rows, ";"))
    proposal = propose(tmp_path / "sheet.csv")
    assert proposal.content["tables"][0]["columns"]["person_id"] == "wer"
    assert any("wer is taken as person_id by its content" in said for said in proposal.unsure)


def test_tests_without_a_key_of_the_person_are_said(tmp_path: Path) -> None:
    rows: list[list[object]] = [["wer", "wo", "Datum", "Leukozyten (/uL)"]]
    rows += [[f"K{v.person}", f"H{v.person}", v.at.strftime("%d.%m.%Y"), v.wbc] for v in visits(100)]
    (tmp_path / "sheet.csv").write_text(text(rows, ";"))
    with pytest.raises(SourceError, match="may be tests, but no column is known to be the key of the person"):
        propose(tmp_path / "sheet.csv")


def test_a_file_without_a_header_line_shows_none_of_its_first_row(tmp_path: Path) -> None:
    rows: list[list[object]] = [[v.person, v.at.date(), "ANC", v.anc, "/uL"] for v in visits()]
    (tmp_path / "headless.csv").write_text(text(rows))
    with pytest.raises(SourceError) as caught:
        propose(tmp_path / "headless.csv")
    assert "header line" in str(caught.value)
    assert "2023" not in str(caught.value)


def test_a_key_that_numbers_rows_is_doubted(tmp_path: Path) -> None:
    rows: list[list[object]] = [["id", "date", "test", "value", "unit"]]
    rows += [[place, v.at.date(), "ANC", v.anc, "/uL"] for place, v in enumerate(visits())]
    (tmp_path / "labs.csv").write_text(text(rows))
    assert any("may number the rows" in said for said in propose(tmp_path / "labs.csv").unsure)


def test_numbers_with_a_thousands_mark_or_a_decimal_comma_are_not_decided(tmp_path: Path) -> None:
    rows: list[list[object]] = [["pid", "date", "test", "value"]]
    rows += [[v.person, v.at.date(), "WBC", f"{v.wbc // 1000},{v.wbc % 1000:03d}"] for v in visits()]
    (tmp_path / "labs.csv").write_text(text(rows, ";"))
    proposal = propose(tmp_path / "labs.csv")
    assert not {"decimal", "units"} & set(proposal.content)
    assert any("thousands or decimals" in said for said in proposal.unsure)


def test_results_of_which_no_code_is_sure_are_mapped_and_the_run_says_what_is_missing(tmp_path: Path) -> None:
    rows: list[list[object]] = [["pid", "date", "test", "value"]]
    rows += [[v.person, v.at.date(), "NEUT", v.percent / 100] for v in visits()]
    labs = tmp_path / "labs.csv"
    labs.write_text(text(rows))
    proposal = propose(labs)
    write_proposal(proposal, tmp_path / "proposed.yaml")
    workspace = Workspace(tmp_path / "workspace").create()
    context = RunContext(
        "run", datetime(2026, 1, 1, tzinfo=UTC), workspace, Settings(), DEFINITIONS, Progress(is_quiet=True)
    )
    with pytest.raises(SourceError, match="no test code is a LOINC code"):
        receive(Request((labs,), str(tmp_path / "proposed.yaml")), context)


def test_numbers_of_tests_without_names_are_not_guessed_from_their_values(tmp_path: Path) -> None:
    rows: list[list[object]] = [["subject_id", "itemid", "charttime", "valuenum", "valueuom"]]
    rows += [[v.person, 51301, v.at, v.wbc / 1000, "K/uL"] for v in visits()]
    (tmp_path / "labevents.csv").write_text(text(rows))
    with pytest.raises(SourceError, match="none of which is a blood count"):
        propose(tmp_path / "labevents.csv")


def test_an_umlaut_far_down_a_file_decides_its_encoding(tmp_path: Path) -> None:
    rows: list[list[object]] = [["pid", "date", "test", "value", "unit", "ward"]]
    rows += [[v.person, v.at.date(), "ANC", v.anc, "/uL", "x" * 3000] for v in visits()]
    rows += [["P1", "2023-01-01", "ANC", "2000", "/uL", "Süd"]]
    (tmp_path / "labs.csv").write_bytes(text(rows).encode("cp1252"))
    assert propose(tmp_path / "labs.csv").content["encoding"] == "cp1252"


def test_a_time_of_day_in_a_column_of_its_own_is_taken_with_its_date(round_trip: Callable[..., Trip]) -> None:
    header = "Patientennummer;Entnahmedatum;Uhrzeit;Analyt;Ergebnis;Einheit"
    rows = [
        f"{p};{day}.3.2024;0{day}h{p + 10};{test};{value};Gpt/L"
        for p in range(30)
        for day in range(1, 7)
        for test, value in (("Leukozyten", f"{4 + p % 3},{day}"), ("Neutrophile absolut", f"{2 + p % 2},{day}"))
    ]
    trip = round_trip(("werte.csv", "\n".join([header, *rows, ""])))
    assert any("Uhrzeit: is taken as the time of day of Entnahmedatum" in said for said in trip.proposal.unsure)
    files = [str(path) for path in trip.received.staged["canonical.lab"]]
    found = duckdb.sql(f"SELECT time_precision, min(collected_at)::VARCHAR FROM read_parquet({files}) GROUP BY 1")
    assert found.fetchall() == [("minute", "2024-03-01 01:10:00")]


def test_results_of_pcornet_are_proposed_with_their_comparators_and_times(round_trip: Callable[..., Trip]) -> None:
    header = (
        "PATID|LAB_LOINC|SPECIMEN_DATE|SPECIMEN_TIME|RESULT_DATE|RESULT_TIME|RESULT_NUM|RESULT_MODIFIER|RESULT_UNIT"
    )
    rows = [
        f"p{p}|751-8|2024-03-0{day}|08:{p + 10}|2024-03-0{day}|09:{p + 10}|{value}|10*3/uL"
        for p in range(30)
        for day, value in ((1, "3.1|EQ"), (2, "0.1|LT"), (3, "2.4|NI"))
    ]
    trip = round_trip(("LAB_RESULT_CM.csv", "\n".join([header, *rows, ""])))
    assert trip.proposal.content["tables"][0]["clocks"] == {"collected_at": "SPECIMEN_TIME"}
    files = [str(path) for path in trip.received.staged["canonical.lab"]]
    columns = "comparator, max(upper_bound)::INTEGER, min(collected_at)::VARCHAR, count(*)"
    found = duckdb.sql(f"SELECT {columns} FROM read_parquet({files}) GROUP BY 1 ORDER BY 1 NULLS LAST").fetchall()
    assert found == [("<", 100, "2024-03-02 08:10:00", 30), (None, 3100, "2024-03-01 08:10:00", 60)]
