"""The counts of a hospital, or of several, as one small file to send: a table a CSV, and what they mean, zipped.

No row of it is of a person, but small counts are not hidden: it goes to whoever merges and to nobody else. Beside the
counts it has what reports have shown of them, because who reads those subtracts. The same counts give the same bytes. A
file is read only where its tables, and the definitions that counts get their meaning from, are those of this nadir.
"""

import csv
import hashlib
import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import date
from pathlib import Path
from typing import Any, Literal

import polars as pl

from flows.errors import DefinitionError, SourceError
from flows.handover import Answer, DatePolicy
from flows.workspace import COUNTS, private_files
from transforms.frames import fit_in_turn, polars_schema
from transforms.kinds import is_counted_by
from transforms.load import SUITES, Definitions
from transforms.renewal import no_counts
from transforms.schemas import load_tables, schema_of

FORMAT = 1
MANIFEST = "manifest.json"
TOLD = "told.parquet"
NULL = "NULL"
MOST_BYTES = 2_000_000_000
ROWS_OF_A_SHORT_FILE = 5_000_000  # a file of more rows may be longer than the usual form of a ZIP can say
ABOUT = "Counts of people, episodes and days for `nadir merge`. Small counts are not hidden: do not publish this file."
PACKING = 2  # of 1 to 9; the usual 6 took four times as long, a sixth of a large estimate, for a sixth less bytes
FIRST_DAY = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True)
class Site:
    """One hospital: `workspace` is the id of its first run, by which it is known; of its newest night all else."""

    workspace: str
    result_id: str
    code_version: str
    dates: DatePolicy
    verdict: Literal["go", "warn", "stop"]
    data_from: date | None
    data_through: date | None
    answers: tuple[Answer, ...]


@dataclass(frozen=True)
class SentCounts:
    """A counts file as it was read; `name` is what its sender called it, `told` what its reports showed (`Earlier`)."""

    name: str
    bytes: int
    sha256: str
    sites: tuple[Site, ...]
    counts: Mapping[str, pl.DataFrame]
    told: pl.DataFrame = field(default_factory=no_counts)

    @property
    def n_rows(self) -> int:
        """Rows of all tables."""
        return sum(rows.height for rows in self.counts.values())


def write_counts(
    path: Path,
    counts: Mapping[str, pl.DataFrame],
    sites: Sequence[Site],
    definitions: Definitions,
    told: pl.DataFrame | None = None,
) -> None:
    """Write `counts.*` tables of everybody, and what was `told` of them until now, for the owner only."""
    known = sorted(sites, key=lambda site: site.workspace)
    manifest = {
        "about": ABOUT,
        "format": FORMAT,
        "definitions_hash": definitions.hash,
        "sites": [asdict(site) for site in known],
        "tables": {name: list(schema_of(name).column_names) for name in sorted(counts)},
        "definitions": _hash_files(definitions),
    }
    with private_files(), zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=PACKING) as archive:
        about = json.dumps(manifest, indent=1, default=str, sort_keys=True)
        archive.writestr(_entry(MANIFEST), about.encode(), compresslevel=PACKING)
        for name, rows in sorted(counts.items()):
            _add_rows(archive, name, rows)
        if told is not None and not told.is_empty():
            content = io.BytesIO()
            told.sort(told.columns).write_parquet(content)
            archive.writestr(_entry(TOLD), content.getvalue(), zipfile.ZIP_STORED)


def read_counts(path: Path, definitions: Definitions) -> SentCounts:
    """The counts of a file. SourceError when it is none, DefinitionError when it was made with other definitions."""
    if not path.is_file():
        raise SourceError(
            f"There is no file {path.name}.",
            details=[f"looked for in a folder called {path.resolve().parent.name}"],
            repair=f"Name the {COUNTS} that the site's last night has written; a nadir that writes none is too old.",
        )
    try:
        content = path.read_bytes()
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            if sum(entry.file_size for entry in archive.infolist()) > MOST_BYTES:
                raise ValueError("too large")
            files = {entry.filename: archive.read(entry) for entry in archive.infolist()}
        manifest = json.loads(files.pop(MANIFEST))
        form = int(manifest["format"])
    except (OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile, RuntimeError) as error:
        raise SourceError(
            f"{path.name} is not a file of counts.",
            details=[f"valid is the {COUNTS} that `nadir run` writes into its workspace, as it is"],
            repair="Ask the site to send it again.",
        ) from error
    _refuse_other_tables(path, form, manifest)
    _refuse_other_definitions(path, manifest, definitions)
    try:
        sites = tuple(map(_site, manifest["sites"]))
        counts = {name: _read_table(name, files[f"{name}.csv"]) for name in _tables()}
        told = pl.read_parquet(files[TOLD]).match_to_schema(no_counts().schema) if TOLD in files else no_counts()
    except (KeyError, TypeError, ValueError, pl.exceptions.PolarsError) as error:
        raise SourceError(
            f"{path.name} is damaged: its tables are not what it says of them.", repair="Ask the site to send it again."
        ) from error
    return SentCounts(_label(path), len(content), hashlib.sha256(content).hexdigest(), sites, counts, told)


def _label(path: Path) -> str:
    """What its sender called the file; a file that still has the name it was written by goes by its folder."""
    return path.resolve().parent.name if path.name == COUNTS else path.stem


def _tables() -> dict[str, list[str]]:
    return {name: list(table.column_names) for name, table in load_tables().items() if name.startswith("counts.")}


def _refuse_other_tables(path: Path, form: int, manifest: Mapping[str, Any]) -> None:
    ours, theirs = _tables(), manifest.get("tables", {})
    if form != FORMAT:
        differs = [f"it is of format {form}, this nadir reads format {FORMAT}"]
    else:
        differs = [f"table {name} is in one of them only" for name in sorted(ours.keys() ^ theirs.keys())]
        differs += [
            f"{name}: columns {', '.join(sorted({*ours[name]} ^ {*theirs[name]})) or 'in another order'}"
            for name in sorted(ours.keys() & theirs.keys())
            if ours[name] != theirs[name]
        ]
    if differs:
        raise SourceError(
            f"{path.name} was written by a nadir whose tables of counts are not those of this one.",
            details=differs,
            repair="Bring both to the same version of nadir, run the site's night again, and send the new file.",
        )


def _refuse_other_definitions(path: Path, manifest: Mapping[str, Any], definitions: Definitions) -> None:
    if manifest.get("definitions_hash") == definitions.hash:
        return
    sides = _hash_files(definitions), dict(manifest.get("definitions", {}))
    ours, theirs = ({name: digest for name, digest in side.items() if is_counted_by(name)} for side in sides)
    differs = [f"{name}: only at the site" for name in sorted(theirs.keys() - ours.keys())]
    differs += [f"{name}: not at the site" for name in sorted(ours.keys() - theirs.keys())]
    differs += [f"{name}: not the same" for name in sorted(ours.keys() & theirs.keys()) if ours[name] != theirs[name]]
    if theirs and not differs:
        return
    raise DefinitionError(
        f"{path.name} was counted by other definitions than the ones here; the numbers would not mean the same.",
        details=[f"hash {manifest.get('definitions_hash')} there, {definitions.hash} here", *differs],
        repair="Give the site's definitions with --definitions, or let the site run its night with those of here.",
    )


def _hash_files(definitions: Definitions) -> dict[str, str]:
    suites = {f"suites/{path.relative_to(SUITES).as_posix()}": path for path in sorted(SUITES.rglob("*.yaml"))}
    files = {**suites, **definitions.files}
    return {name: hashlib.sha256(path.read_bytes()).hexdigest()[:12] for name, path in sorted(files.items())}


def _site(entry: Mapping[str, Any]) -> Site:
    days = {name: date.fromisoformat(entry[name]) if entry[name] else None for name in ("data_from", "data_through")}
    answers = tuple(Answer(**answer) for answer in entry["answers"])
    return Site(**{**entry, **days, "answers": answers})


def _read_table(name: str, content: bytes) -> pl.DataFrame:
    """Every cell as the schema has it; NULL is the only way to write null."""
    lines = csv.reader(io.StringIO(content.decode(), newline=""))
    header = next(lines)
    types = polars_schema(schema_of(name))
    if header != list(types):
        raise ValueError(name)
    texts = pl.DataFrame([*lines], schema=dict.fromkeys(header, pl.String), orient="row")
    return texts.select(_cell(column, kind) for column, kind in types.items())


def _cell(column: str, kind: pl.DataType) -> pl.Expr:
    given = pl.when(pl.col(column) != NULL).then(pl.col(column))
    if kind == pl.Boolean:
        return (given == "true").alias(column)
    return (given.str.to_date("%Y-%m-%d") if kind == pl.Date else given.cast(kind)).alias(column)


def _add_rows(archive: zipfile.ZipFile, name: str, rows: pl.DataFrame) -> None:
    """Some rows after the other: the text of a large table takes as much memory as the table.

    Opened by its name, because only then is it packed as the archive says; its day is `FIRST_DAY` all the same.
    """
    with archive.open(f"{name}.csv", "w", force_zip64=rows.height > ROWS_OF_A_SHORT_FILE) as target:
        for number, some in enumerate(fit_in_turn(rows, name)):
            text = some.write_csv(include_header=number == 0, null_value=NULL, line_terminator="\r\n")
            target.write(text.encode())


def _entry(name: str) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name, FIRST_DAY)
    entry.compress_type = zipfile.ZIP_DEFLATED
    entry.external_attr = 0o600 << 16
    return entry
