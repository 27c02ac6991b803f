"""A zip archive is its members: read as files of their own, named after the archive, leftovers skipped."""

import io
import zipfile
from collections.abc import Callable
from typing import Any

import pytest

from flows.errors import SourceError

LABS = "person_id,specimen_id,collected_at,test_code,value,unit\nP1,S1,2024-03-01 08:05,751-8,{},10*9/L\n"


def zipped(**members: str | bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name.replace("__SLASH__", "/"), content)
    return buffer.getvalue()


def test_the_members_are_read_and_leftovers_of_a_mac_are_not(hospital: Any, accepted: Callable[..., Any]) -> None:
    content = zipped(
        **{"data/LABS.CSV": LABS.format("0.4"), "__MACOSX/data/._LABS.CSV": b"\x00\x05", ".DS_Store": b"\x00"}
    )
    night = hospital.receive(hospital.write("export.zip", content))
    assert accepted(night, "value") == [(400,)]
    assert [entry.name for entry in night.inputs] == ["export.zip/data/LABS.CSV"]


def test_the_same_table_packed_again_is_known_by_its_content(hospital: Any) -> None:
    hospital.commit(hospital.receive(hospital.write("labs.csv", LABS.format("0.4"), "one")))
    again = hospital.receive(hospital.write("labs.zip", zipped(**{"x.csv": LABS.format("0.4")}), "two"))
    assert again.is_unchanged


def test_a_cut_archive_is_refused(hospital: Any) -> None:
    with pytest.raises(SourceError, match="cannot be unpacked"):
        hospital.receive(hospital.write("export.zip", zipped(**{"labs.csv": LABS.format("1") * 50})[:-30]))


def test_an_archive_without_a_table_is_refused(hospital: Any) -> None:
    with pytest.raises(SourceError):
        hospital.receive(hospital.write("export.zip", zipped(**{"notes.txt": "hello"})))


def test_a_folder_is_read_without_what_programs_left_in_it(hospital: Any, accepted: Callable[..., Any]) -> None:
    hospital.write("2024/march/labs.csv", LABS.format("0.4"))
    hospital.write("2024/~$labs.xlsx", b"\x05owner\x00" + b"\x00" * 100)
    hospital.write("2024/Thumbs.db", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\x00" * 100)
    hospital.write("__MACOSX/labs.csv", b"\x00\x05\x16\x07")
    night = hospital.receive(hospital.write(".DS_Store", b"\x00\x00\x00\x01Bud1").parent)
    assert accepted(night, "value") == [(400,)]


def test_a_file_that_is_called_by_its_place_can_be_found(hospital: Any) -> None:
    hospital.write("a.csv", LABS.format("0.4"))
    with pytest.raises(SourceError, match=r"^file 2: ") as caught:
        hospital.receive(hospital.write("über Müller.csv", b"\x00\x01\x02").parent)
    assert "file 2 is counted in the order of all paths of the extract, capital letters first" in str(caught.value)
    assert "Müller" not in str(caught.value)
