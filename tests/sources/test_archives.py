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
