"""The released numbers of a hospital that sends no counts: the `nadir-released.zip` of its newest report.

Small counts are hidden in it, so it may be sent to anybody. Read only where its tables and definitions are those here.
"""

import hashlib
import io
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from flows.errors import DefinitionError, SourceError
from reports.downloads import ARCHIVE, DICTIONARY
from reports.rows import TABLES
from transforms.load import Definitions
from transforms.schemas import schema_of

MOST_BYTES = 2_000_000_000
PLACE = ("site", "runs", "downloads")  # of an archive below its workspace, each in the next but for the run


@dataclass(frozen=True)
class SentReport:
    """A report as it was read; `name` is what its sender called the file, or the folder that it lies in."""

    name: str
    sha256: str
    run_id: str
    channel: str
    tables: Mapping[str, pl.DataFrame]


def is_report(path: Path) -> bool:
    """Whether a file is an archive of released numbers, by what is in it."""
    try:
        with zipfile.ZipFile(path) as archive:
            return f"{DICTIONARY}.json" in archive.namelist()
    except (OSError, zipfile.BadZipFile):
        return False


def read_report(path: Path, definitions: Definitions) -> SentReport:
    """The released tables of a file. SourceError when they are not those of this nadir, DefinitionError when they
    were made with other definitions.
    """
    try:
        content = path.read_bytes()
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            if sum(entry.file_size for entry in archive.infolist()) > MOST_BYTES:
                raise ValueError("too large")
            tables = {
                f"released.{name}": pl.read_parquet(io.BytesIO(archive.read(f"{name}.parquet"))) for name in TABLES
            }
    except (OSError, ValueError, KeyError, RuntimeError, zipfile.BadZipFile, pl.exceptions.PolarsError) as error:
        raise SourceError(
            f"{path.name} is not the released numbers of this version of nadir.",
            details=[f"valid is the {ARCHIVE} that lies among the downloads of a report, as it is"],
            repair="Bring both to the same version of nadir, run the site's night again, and send the new file.",
        ) from error
    _refuse_other_columns(path, tables)
    facts = pl.concat(rows.select("run_id", "definitions_hash", "channel") for rows in tables.values()).unique()
    if facts.height != 1:
        raise SourceError(f"{path.name} holds the numbers of {facts.height} reports.", repair="Send that of one.")
    run_id, used, channel = facts.row(0)
    if used != definitions.hash:
        raise DefinitionError(
            f"{path.name} was made with other definitions than the ones here; the numbers would not mean the same.",
            details=[f"hash {used} there, {definitions.hash} here"],
            repair="Give the site's definitions with --definitions, or let the site run its night with those of here.",
        )
    return SentReport(_name_of(path), hashlib.sha256(content).hexdigest(), run_id, channel, tables)


def _name_of(path: Path) -> str:
    """What tells this report from others: all archives have one name, and so have the folders they are published in."""
    if path.name != ARCHIVE:
        return path.stem
    *_, workspace, site, runs, _, downloads = ("",) * 5 + path.resolve().parent.parts
    return workspace if (site, runs, downloads) == PLACE else downloads


def _refuse_other_columns(path: Path, tables: Mapping[str, pl.DataFrame]) -> None:
    differs = [
        f"{name}: columns {', '.join(sorted({*rows.columns} ^ {*schema_of(name).column_names})) or 'in another order'}"
        for name, rows in tables.items()
        if tuple(rows.columns) != schema_of(name).column_names
    ]
    if differs:
        raise SourceError(
            f"{path.name} was written by a nadir whose released tables are not those of this one.",
            details=differs,
            repair="Bring both to the same version of nadir, run the site's night again, and send the new file.",
        )
