"""Workbooks as people send them: titles above the header, formulas, dates, hidden sheets, passwords and damage."""

import zipfile
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, time
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
import xlsxwriter

from flows.errors import SourceError
from flows.sources.files import Found, look_at
from flows.sources.recognise import recognise
from transforms.column_roles import ColumnLook
from transforms.date_proposals import find_dates
from transforms.load import load_definitions

HEADER = ("person_id", "collected_at", "test_code", "value", "unit")
NIGHT = datetime(2020, 1, 4, 8, 30)  # noqa: DTZ001 - Excel times have no zone
ROWS: Sequence[Sequence[object]] = (
    HEADER,
    (93703, date(2020, 1, 3), "751-8", 4.2, "10*9/L"),
    (93704, NIGHT, "751-8", "<0.1", "10*9/L"),
)
Accepted = Callable[..., list[tuple[object, ...]]]


def _workbook(sheets: Mapping[str, Sequence[Sequence[object]]], hidden: Sequence[str] = ()) -> bytes:
    content = BytesIO()
    book = xlsxwriter.Workbook(content, {"in_memory": True})
    formats = {
        kind: book.add_format({"num_format": form})
        for kind, form in ((date, "yyyy-mm-dd"), (datetime, "yyyy-mm-dd hh:mm"), (time, "hh:mm"))
    }
    for name, rows in sheets.items():
        sheet = book.add_worksheet(name)
        if name in hidden:
            sheet.hide()
        for number, row in enumerate(rows):
            for place, cell in enumerate(row):
                if isinstance(cell, (date, time)):
                    sheet.write_datetime(number, place, cell, formats[type(cell)])
                elif cell is not None:
                    sheet.write(number, place, cell)
    book.close()
    return content.getvalue()


def test_every_cell_is_its_text_and_a_date_keeps_its_precision(hospital: Any, accepted: Accepted) -> None:
    night = hospital.receive(hospital.write("labs.xlsx", _workbook({"Labs": ROWS})))
    columns = "person_id, collected_at, time_precision, source_value, comparator, upper_bound::INTEGER, row_number"
    assert accepted(night, columns) == [
        ("93703", datetime(2020, 1, 3), "day", "4.2", None, 4200, 1),  # noqa: DTZ001
        ("93704", NIGHT, "minute", "<0.1", "<", 100, 2),
    ]
    assert [(entry.name, entry.rows) for entry in night.inputs] == [("labs.xlsx#Labs", 2)]


def test_each_sheet_is_a_table_of_its_own(hospital: Any, accepted: Accepted) -> None:
    people = (("person_id", "sex", "birth_year"), (93703, "f", 1980))
    book = _workbook({"Labs": ROWS, "People": people, "Notes": ()})
    night = hospital.receive(hospital.write("labs.xlsx", book))
    assert {(line.table_name, line.n_received, line.n_accepted) for line in night.ledger} == {
        ("canonical.lab", 2, 2),
        ("canonical.person", 1, 1),
    }
    assert ("93703", "female", 1980) in accepted(night, "person_id, sex, birth_year", "canonical.person")


def test_lines_above_the_header_are_left_out_and_said(hospital: Any, accepted: Accepted) -> None:
    titled = (("Export of the laboratory",), (), ("printed", "today"), *ROWS)
    path = hospital.write("labs.xlsx", _workbook({"Labs": titled}))
    assert len(accepted(hospital.receive(path), "person_id")) == 2
    assert _hints(path) == ("labs.xlsx#Labs: the header is line 4; the lines above it were left out.",)


def test_a_hidden_sheet_is_read_and_said(hospital: Any, accepted: Accepted) -> None:
    path = hospital.write("labs.xlsx", _workbook({"Cover": [("nothing",)], "Labs": ROWS}, hidden=["Labs"]))
    assert len(accepted(hospital.receive(path), "person_id")) == 2
    assert _hints(path) == ("labs.xlsx#Labs is hidden in the workbook; it was read all the same.",)


def test_empty_rows_are_no_rows_and_the_others_keep_their_place(hospital: Any, accepted: Accepted) -> None:
    gaps = (ROWS[0], ROWS[1], (None, "  "), ROWS[2], (), ())
    night = hospital.receive(hospital.write("labs.xlsx", _workbook({"Labs": gaps})))
    assert accepted(night, "row_number") == [(1,), (3,)]
    assert [(line.n_received, line.n_accepted) for line in night.ledger] == [(2, 2)]


def test_a_formula_is_the_value_it_had_when_the_workbook_was_saved(hospital: Any, accepted: Accepted) -> None:
    content = BytesIO()
    book = xlsxwriter.Workbook(content, {"in_memory": True})
    sheet = book.add_worksheet("Labs")
    for place, (name, cell) in enumerate(zip(HEADER, ("p1", "2020-01-03", "751-8", None, "10*9/L"), strict=True)):
        sheet.write(0, place, name)
        sheet.write(1, place, cell)
    sheet.write_formula(1, 3, "=1.5*2", None, 3.0)
    book.close()
    night = hospital.receive(hospital.write("labs.xlsx", content.getvalue()))
    assert accepted(night, "source_value, value::INTEGER") == [("3", 3000)]


def test_numbers_keep_their_point_where_the_source_map_writes_a_comma(hospital: Any, accepted: Accepted) -> None:
    source = hospital.write(
        "source.yaml",
        "id: ward\ndecimal: ','\ncodes: {ANC: 751-8}\ntables: [{table: lab, columns: {person_id: pat, collected_at: am,"
        " code: test, value: wert, unit: einheit}}]\n",
        "maps",
    )
    rows = (("pat", "am", "test", "wert", "einheit"), ("p1", date(2020, 1, 3), "ANC", 4.2, "10*9/L"))
    night = hospital.receive(hospital.write("labs.xlsx", _workbook({"Labor": rows})), source=str(source))
    assert accepted(night, "value::INTEGER") == [(4200,)]


def test_headers_without_a_name_or_with_the_same_name_are_told_apart(tmp_path: Path) -> None:
    path = tmp_path / "labs.xlsx"
    path.write_bytes(_workbook({"Labs": [("value", None, "value"), (1, 2, 3)]}))
    (table,) = look_at(Found(path, path.name), None, load_definitions().showing)
    assert table.headers == ("value", "column_2", "value_3")


def test_a_sheet_sent_again_in_another_workbook_adds_nothing(hospital: Any, accepted: Accepted) -> None:
    first = hospital.receive(hospital.write("one.xlsx", _workbook({"Labs": ROWS})))
    hospital.commit(first)
    again = hospital.receive(hospital.write("two.xlsx", _workbook({"Labs": ROWS, "More": ROWS}), "second"))
    assert sum(line.n_duplicate for line in again.ledger) == 4
    assert accepted(again, "person_id") == []


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: content[: len(content) // 2],
        lambda content: content[:200],
        lambda content: content[:4] + bytes(len(content)),
        lambda _: b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(2000),
        lambda content: _without(content, "xl/worksheets/sheet1.xml"),
    ],
    ids=["half", "a_piece", "zeros", "an_old_format_of_zeros", "without_its_sheet"],
)
def test_a_damaged_workbook_is_refused_and_nothing_is_shown_of_it(
    hospital: Any, damage: Callable[[bytes], bytes]
) -> None:
    path = hospital.write("labs.xlsx", damage(_workbook({"Labs": ROWS})))
    with pytest.raises(SourceError) as refusal:
        hospital.receive(path)
    assert refusal.value.exit_code == 11
    assert "93703" not in str(refusal.value)


def test_a_workbook_with_a_password_is_refused_with_the_reason(hospital: Any) -> None:
    entry = "EncryptedPackage".encode("utf-16-le")
    path = hospital.write("labs.xlsx", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(1528) + entry + bytes(1500))
    with pytest.raises(SourceError, match="protected by a password"):
        hospital.receive(path)


def test_a_sheet_with_a_chart_is_no_table_and_no_warning(
    hospital: Any, accepted: Accepted, caplog: pytest.LogCaptureFixture
) -> None:
    content = BytesIO()
    book = xlsxwriter.Workbook(content, {"in_memory": True})
    sheet = book.add_worksheet("Labs")
    for number, row in enumerate((HEADER, ("p1", "2020-01-03", "751-8", 4.2, "10*9/L"))):
        sheet.write_row(number, 0, row)
    chart = book.add_chart({"type": "line"})
    chart.add_series({"values": "=Labs!$D$2:$D$2"})
    book.add_chartsheet("Chart").set_chart(chart)
    book.close()
    night = hospital.receive(hospital.write("labs.xlsx", content.getvalue()))
    assert [entry.name for entry in night.inputs] == ["labs.xlsx#Labs"]
    assert not caplog.records


def test_a_workbook_without_a_table_is_refused(hospital: Any) -> None:
    with pytest.raises(SourceError, match="no sheet"):
        hospital.receive(hospital.write("labs.xlsx", _workbook({"Labs": ()})))


def test_a_workbook_inside_an_archive_is_read_too(hospital: Any, accepted: Accepted) -> None:
    packed = BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("export/labs.xlsx", _workbook({"Labs": ROWS}))
    assert len(accepted(hospital.receive(hospital.write("export.zip", packed.getvalue())), "person_id")) == 2


def test_an_open_document_is_read_like_any_workbook(hospital: Any, accepted: Accepted) -> None:
    night = hospital.receive(hospital.write("labs.ods", _open_document(ROWS)))
    assert accepted(night, "person_id, source_value") == [("93703", "4.2"), ("93704", "<0.1")]


def _without(content: bytes, member: str) -> bytes:
    target = BytesIO()
    with zipfile.ZipFile(BytesIO(content)) as source, zipfile.ZipFile(target, "w") as copy:
        for name in source.namelist():
            if name != member:
                copy.writestr(name, source.read(name))
    return target.getvalue()


def _open_document(rows: Sequence[Sequence[object]]) -> bytes:
    cells = {
        str: lambda cell: f'<table:table-cell office:value-type="string"><text:p>{cell}</text:p></table:table-cell>',
        date: lambda cell: f'<table:table-cell office:value-type="date" office:date-value="{cell.isoformat()}"/>',
        datetime: lambda cell: f'<table:table-cell office:value-type="date" office:date-value="{cell.isoformat()}"/>',
    }
    number = '<table:table-cell office:value-type="float" office:value="{}"/>'
    lines = "".join(
        f"<table:table-row>{''.join(cells.get(type(c), number.format)(_escaped(c)) for c in row)}</table:table-row>"
        for row in rows
    )
    spaces = " ".join(
        f'xmlns:{name}="urn:oasis:names:tc:opendocument:xmlns:{name}:1.0"' for name in ("office", "table", "text")
    )
    content = (
        f'<?xml version="1.0"?><office:document-content {spaces}><office:body><office:spreadsheet>'
        f'<table:table table:name="Labs">{lines}</table:table></office:spreadsheet></office:body>'
        "</office:document-content>"
    )
    target = BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
        archive.writestr("content.xml", content)
        archive.writestr("META-INF/manifest.xml", "<manifest/>")
    return target.getvalue()


def _escaped(cell: object) -> Any:
    return cell.replace("<", "&lt;") if isinstance(cell, str) else cell


def _hints(path: Path) -> tuple[str, ...]:
    (extract,) = recognise([path], "auto", load_definitions(), path.parent / "unpacked")
    return extract.hints


MAP = """id: sheets
source_id: sheets
datetime_formats: [excel_days]
tables:
  - table: lab
    needs: [person_id, collected_at, code, value]
    columns: {person_id: person_id, collected_at: collected_at, code: test_code, value: value, unit: unit}
"""


def test_days_that_a_workbook_gives_as_numbers_are_times_when_the_map_says_so(
    hospital: Any, accepted: Accepted
) -> None:
    rows = (HEADER, (1, 43831.354166667, "751-8", 0.4, "10*9/L"), (2, 43833, "751-8", 3.5, "10*9/L"))
    hospital.write("source.yaml", MAP)
    night = hospital.receive(hospital.write("labs.xlsx", _workbook({"Labs": rows})).parent)
    assert accepted(night, "person_id, collected_at, time_precision") == [
        ("1", datetime(2020, 1, 1, 8, 30), "minute"),  # noqa: DTZ001
        ("2", datetime(2020, 1, 3), "day"),  # noqa: DTZ001
    ]


def test_a_map_is_proposed_for_days_that_are_numbers() -> None:
    look = ColumnLook("collected", 9, 9, low=43831.3, high=44000.0, is_number=True)
    found = find_dates([look], load_definitions().proposing)
    assert (found.dates, found.formats) == ("real", ("excel_days",))
