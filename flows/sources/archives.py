"""Zip archives are unpacked into the run's own folder, so that what reads files never meets one.

Hidden members and what a Mac leaves behind are left out. A member keeps its name for messages and for the ledger.
"""

import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from flows.errors import SourceError, TryAgainLater

WORKBOOK_MARKS = frozenset({"xl/workbook.xml", "xl/workbook.bin", "content.xml"})
LEFT_BEHIND = "__MACOSX"
SHUT = "The archive is cut off or damaged. Copy it again and compare its size with the original."


def is_archive(path: Path) -> bool:
    """Whether the file is a zip archive of files; a workbook is one only on the outside."""
    with path.open("rb") as stream:
        if stream.read(4) != b"PK\x03\x04":
            return False
    try:
        with zipfile.ZipFile(path) as archive:
            return WORKBOOK_MARKS.isdisjoint(archive.namelist())
    except (zipfile.BadZipFile, NotImplementedError, ValueError) as error:
        raise SourceError(f"{path.name}: cannot be unpacked ({type(error).__name__}).", repair=SHUT) from None


def unpack(path: Path, folder: Path) -> list[tuple[Path, str]]:
    """Each member as a file below `folder` with the name to show, sorted; SourceError when that is not possible."""
    target = folder / path.name
    try:
        with zipfile.ZipFile(path) as archive:
            members = sorted(_members(archive), key=lambda member: member.filename)
            _need_space(path, folder, sum(member.file_size for member in members))
            unpacked = [(_extract(archive, member, target), f"{path.name}/{member.filename}") for member in members]
    except (zipfile.BadZipFile, EOFError, IndexError, NotImplementedError, ValueError) as error:
        raise SourceError(f"{path.name}: cannot be unpacked ({type(error).__name__}).", repair=SHUT) from None
    except RuntimeError:
        raise SourceError(
            f"{path.name}: the archive is encrypted.", repair="Unpack it first, then run again."
        ) from None
    if len({file for file, _ in unpacked}) < len(unpacked):
        raise SourceError(
            f"{path.name}: two members have the same name.",
            repair="Unpack it, and give the folder of what is to be read.",
        )
    return unpacked


def _members(archive: zipfile.ZipFile) -> Iterator[zipfile.ZipInfo]:
    for member in archive.infolist():
        parts = PurePosixPath(member.filename).parts
        if not member.is_dir() and not any(part.startswith(".") or part == LEFT_BEHIND for part in parts):
            yield member


def _extract(archive: zipfile.ZipFile, member: zipfile.ZipInfo, target: Path) -> Path:
    return Path(archive.extract(member, target))


def _need_space(path: Path, folder: Path, n_bytes: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    if n_bytes > shutil.disk_usage(folder).free:
        raise TryAgainLater(
            f"{path.name}: there is no room to unpack {n_bytes:,} bytes.", repair="Free some space, then run again."
        )
