"""Zip archives are unpacked into the run's own folder, so that what reads files never meets one.

What programs leave behind is left out, in archives as in folders: hidden files, what a Mac adds to an archive, and the
locks of open workbooks. A member keeps its name for messages and for the ledger.
"""

import shutil
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

from flows.errors import SourceError, TryAgainLater

WORKBOOK_MARKS = frozenset({"xl/workbook.xml", "xl/workbook.bin", "content.xml"})
ADDED_BY_MACS, HIDDEN, LOCK = "__MACOSX", ".", "~$"
SHUT = "The archive is cut off or damaged. Copy it again and compare its size with the original."


def is_archive(path: Path, shown: str) -> bool:
    """Whether the file is a zip archive of files; a workbook is one only on the outside."""
    with path.open("rb") as stream:
        if stream.read(4) != b"PK\x03\x04":
            return False
    try:
        with zipfile.ZipFile(path) as archive:
            return WORKBOOK_MARKS.isdisjoint(archive.namelist())
    except (zipfile.BadZipFile, NotImplementedError, ValueError) as error:
        raise SourceError(f"{shown}: cannot be unpacked ({type(error).__name__}).", repair=SHUT) from None


def is_left_behind(parts: Sequence[str]) -> bool:
    """Whether a file, by the parts of its path inside the extract, is one that nobody meant to send."""
    return any(part.startswith((HIDDEN, LOCK)) or part == ADDED_BY_MACS for part in parts)


def unpack(path: Path, folder: Path, shown: str) -> list[Path]:
    """Each member as a file below `folder`, sorted; SourceError, which calls it `shown`, when that is not possible."""
    try:
        with zipfile.ZipFile(path) as archive:
            members = sorted(_members(archive), key=lambda member: member.filename)
            _need_space(shown, folder, sum(member.file_size for member in members))
            unpacked = [Path(archive.extract(member, folder)) for member in members]
    except RuntimeError:
        raise SourceError(f"{shown}: the archive is encrypted.", repair="Unpack it first, then run again.") from None
    except (zipfile.BadZipFile, EOFError, IndexError, NotImplementedError, ValueError) as error:
        raise SourceError(f"{shown}: cannot be unpacked ({type(error).__name__}).", repair=SHUT) from None
    if len(set(unpacked)) < len(unpacked):
        raise SourceError(
            f"{shown}: two members have the same name.",
            repair="Unpack it, and give the folder of what is to be read.",
        )
    return unpacked


def _members(archive: zipfile.ZipFile) -> Iterator[zipfile.ZipInfo]:
    for member in archive.infolist():
        parts = PurePosixPath(member.filename).parts
        if not member.is_dir() and not is_left_behind(parts):
            yield member


def _need_space(shown: str, folder: Path, n_bytes: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    if n_bytes > shutil.disk_usage(folder).free:
        raise TryAgainLater(
            f"{shown}: there is no room to unpack {n_bytes:,} bytes.", repair="Free some space, then run again."
        )
