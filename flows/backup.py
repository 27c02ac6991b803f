"""A workspace as one file, and back: what is restored is checked byte by byte before it takes the workspace's place.

A backup holds rows of people, so only its owner may read it. It is written aside, flushed and renamed, so that a file
with its name is a whole one. What a restore replaces is kept beside the workspace and never deleted.
"""

import hashlib
import io
import json
import os
import shutil
import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

import duckdb

from flows.code_version import code_version
from flows.errors import SourceError, UserError, WrongUse
from flows.history import list_runs
from flows.lock import hold_workspace
from flows.recovery import recover
from flows.settings import Settings
from flows.shown_before import remember_shown
from flows.warehouse import open_warehouse
from flows.workspace import Workspace, make_private, private_files

MANIFEST = "manifest.json"
LEFT_OUT = frozenset({"work", ".prefect", "run.lock", "run.owner", "warehouse.tmp"})
PIECE = 1 << 20


@dataclass(frozen=True)
class Kept:
    """A backup made or restored. `n_erased_since`: people whom the workspace had erased and this backup still holds.

    `is_told` is false where what reports had shown until a restore is not known any more.
    """

    path: Path
    n_files: int
    n_bytes: int
    before: Path | None = None
    n_erased_since: int = 0
    is_told: bool = True

    def as_dict(self) -> Mapping[str, Any]:
        """For `--json`."""
        return vars(self)

    def as_text(self) -> str:
        """For a terminal."""
        lines = [f"{self.path}: {self.n_files:,} files, {self.n_bytes / 1e6:,.1f} MB, checked"]
        if self.before:
            lines.append(f"What was there before is kept as {self.before}")
        if self.n_erased_since:
            lines.append(f"{self.n_erased_since} erased since then are back: erase them again with `nadir erase`.")
        if not self.is_told:
            lines.append(
                "What reports showed since is not known any more: beside them the next may tell of few people."
            )
        return "\n".join(lines)


def back_up(folder: Path, settings: Settings, *, keep: int) -> Kept:
    """Write the workspace into `folder` as `nadir-TIME.tar`, and of such files keep the newest `keep` (0: all)."""
    workspace = Workspace(settings.workspace.resolve())
    workspace.need_warehouse()
    with hold_workspace(workspace):
        recover(workspace, settings.memory_limit)
        return write_backup(workspace, folder, settings.memory_limit, keep=keep)


def write_backup(workspace: Workspace, folder: Path, memory_limit: str, *, keep: int) -> Kept:
    """The same for who holds the workspace, with no night under way in it."""
    if folder.resolve().is_relative_to(workspace.root):
        raise WrongUse("A backup inside the workspace is lost with it.", repair="Name a folder on another disk.")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise WrongUse(f"{folder}: backups go into a folder, and there is a file.", repair="Name a folder.") from error
    with private_files():
        with open_warehouse(workspace.warehouse, memory_limit=memory_limit) as connection:
            connection.execute("CHECKPOINT").fetchall()
        target = folder / f"nadir-{datetime.now(UTC):%Y%m%dT%H%M%S%fZ}.tar"
        aside = target.with_suffix(".part")
        try:
            n_files, n_bytes = _write(workspace, aside)
            aside.replace(target)
        finally:
            aside.unlink(missing_ok=True)
    for old in sorted(folder.glob("nadir-*.tar"))[:-keep] if keep else []:
        old.unlink()
    return Kept(target, n_files, n_bytes)


def restore(archive: Path, settings: Settings) -> Kept:
    """Put a backup in the place of the workspace; SourceError, with nothing changed, when it is not whole."""
    if not archive.is_file():
        raise SourceError(f"{archive}: there is no such backup.", repair="Check the path; backups are nadir-TIME.tar.")
    workspace = Workspace(settings.workspace.resolve())
    aside = workspace.root.with_name(f".{workspace.root.name}.restoring")
    shutil.rmtree(aside, ignore_errors=True)
    workspace.root.parent.mkdir(parents=True, exist_ok=True)
    with private_files():
        try:
            sums, n_bytes = _read(archive, aside)
            list_runs(Workspace(aside), settings.memory_limit)
        except BaseException:
            shutil.rmtree(aside, ignore_errors=True)
            raise
    if not workspace.root.exists():
        aside.rename(workspace.root)
        return Kept(archive, len(sums), n_bytes)
    before = workspace.root.with_name(f"{workspace.root.name}.before-{datetime.now(UTC):%Y%m%dT%H%M%S%fZ}")
    with hold_workspace(workspace):
        n_erased = max(0, _count_erased(workspace, settings) - _count_erased(Workspace(aside), settings))
        is_told = remember_shown(workspace, Workspace(aside), settings.memory_limit)
        workspace.root.rename(before)
        aside.rename(workspace.root)
    return Kept(archive, len(sums), n_bytes, before, n_erased, is_told)


def _write(workspace: Workspace, path: Path) -> tuple[int, int]:
    sums: dict[str, str] = {}
    with path.open("wb") as handle, tarfile.open(fileobj=handle, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for file in _list(workspace.root):
            name = file.relative_to(workspace.root).as_posix()
            with file.open("rb") as content:
                archive.addfile(archive.gettarinfo(arcname=name, fileobj=content), content)
            with file.open("rb") as content:
                sums[name] = _hash(content)
        told = json.dumps({"code_version": code_version(), "sha256": sums}, indent=1).encode()
        entry = tarfile.TarInfo(MANIFEST)
        entry.size = len(told)
        archive.addfile(entry, io.BytesIO(told))
    with path.open("rb") as written:
        os.fsync(written.fileno())
    return len(sums), path.stat().st_size


def _read(path: Path, aside: Path) -> tuple[Mapping[str, str], int]:
    """Unpack below `aside` and compare every file with what was written down when the backup was made."""
    try:
        with tarfile.open(path, mode="r:") as archive:
            archive.extractall(aside, filter="data")
        told = json.loads((aside / MANIFEST).read_text(encoding="utf-8"))["sha256"]
        (aside / MANIFEST).unlink()
        found = {}
        for file in _list(aside):
            with file.open("rb") as content:
                found[file.relative_to(aside).as_posix()] = _hash(content)
    except (tarfile.TarError, OSError, ValueError, KeyError, EOFError) as error:
        raise _not_whole(path, []) from error
    if found != told:
        raise _not_whole(path, sorted(name for name in {*found, *told} if found.get(name) != told.get(name)))
    make_private(aside)
    return told, path.stat().st_size


def _not_whole(path: Path, differing: list[str]) -> SourceError:
    return SourceError(
        f"{path.name} is not a whole backup of a workspace; nothing was changed.",
        details=[f"{len(differing)} of its files are not as they were written"] if differing else [],
        repair="Restore another one.",
    )


def _list(root: Path) -> Iterator[Path]:
    for path in sorted(root.rglob("*")):
        if path.is_file() and path.relative_to(root).parts[0] not in LEFT_OUT:
            yield path


def _hash(content: IO[bytes]) -> str:
    digest = hashlib.sha256()
    while piece := content.read(PIECE):
        digest.update(piece)
    return digest.hexdigest()


def _count_erased(workspace: Workspace, settings: Settings) -> int:
    """How many people are erased here; a warehouse that does not open, which is why it is restored, cannot say."""
    try:
        with open_warehouse(workspace.warehouse, memory_limit=settings.memory_limit, read_only=True) as connection:
            return int(connection.execute("SELECT count(*) FROM ops.erased").fetchall()[0][0])
    except (UserError, duckdb.Error):
        return 0
