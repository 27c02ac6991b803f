"""A file that is still being copied is waited for, never read: its size and time stand still, or its marker is there.

Only files that changed in the last seconds are looked at twice, so an ordinary night waits for nothing. A name that
says "half a file" is left out, and said so. What does not come to rest in time ends with exit code 20: try again later.
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from flows.errors import SourceError, TryAgainLater
from flows.handover import Request, RunContext
from flows.sources.recognise import MAP_FILE, is_half_copied, read_map

LOOK_EVERY_SECONDS = 0.25
AGAIN = "Run again when the copy is done."


def await_arrival(request: Request, context: RunContext) -> None:
    """Return when every file of the request is whole; TryAgainLater names those that are not."""
    settings = context.settings
    for path in request.extracts:
        _need_marker(path, request, settings.done_marker)
        _refuse_halves(path, context)
    watch = _Watch(settings.steady_seconds)
    deadline = time.time() + settings.wait_seconds
    started = time.perf_counter()
    while growing := watch.find_growing(request.extracts):
        if time.time() >= deadline:
            raise TryAgainLater(
                f"{growing[0].name}: the file is still growing.",
                details=[path.name for path in growing[1:10]],
                repair=f"{AGAIN} Settings: steady_seconds, wait_seconds.",
            )
        time.sleep(min(LOOK_EVERY_SECONDS, settings.steady_seconds))
    if watch.has_waited:
        context.progress.waited(time.perf_counter() - started, "files that have just been written to come to rest")


@dataclass
class _Watch:
    """When each file was last seen to change, in seconds of the clock."""

    steady_seconds: float
    has_waited: bool = False
    seen: dict[Path, tuple[tuple[int, float], float]] = field(default_factory=dict)

    def find_growing(self, paths: Sequence[Path]) -> list[Path]:
        """Files that changed less than `steady_seconds` ago. A time in the future says nothing: then only we know."""
        now = time.time()
        growing = []
        for path in _list_files(paths):
            try:
                status = path.stat()
            except FileNotFoundError:
                continue
            state = (status.st_size, status.st_mtime)
            before = self.seen.get(path)
            if before is None:
                since = status.st_mtime if status.st_mtime <= now else now
            else:
                since = before[1] if before[0] == state else now
            self.seen[path] = (state, since)
            if now - since < self.steady_seconds:
                growing.append(path)
        self.has_waited = self.has_waited or bool(growing)
        return growing


def _list_files(paths: Sequence[Path]) -> Iterator[Path]:
    for path in paths:
        inside = sorted(path.rglob("*")) if path.is_dir() else [path]
        for file in inside:
            is_hidden = path.is_dir() and any(part.startswith(".") for part in file.relative_to(path).parts)
            if not is_hidden and not is_half_copied(file) and file.is_file():
                yield file


def _need_marker(path: Path, request: Request, marker: str) -> None:
    if not path.is_dir():
        return
    named = Path(request.source) if Path(request.source).suffix in {".yaml", ".yml"} else path / MAP_FILE
    with suppress(SourceError):  # a map that is wrong is told once the files have been looked into
        marker = (read_map(named).done_marker if named.is_file() else "") or marker
    if marker and not (path / marker).exists():
        raise TryAgainLater(f"{path.name}: {marker} is not there yet, so the extract is not whole.", repair=AGAIN)


def _refuse_halves(path: Path, context: RunContext) -> None:
    """Say which names are left out; TryAgainLater when nothing else is there."""
    if not path.exists():
        return  # told once what is there has been looked into
    inside = [file for file in path.rglob("*") if file.is_file()] if path.is_dir() else [path]
    halves = sorted(file.name for file in inside if is_half_copied(file))
    if halves and not any(True for _ in _list_files([path])):
        raise TryAgainLater(f"{halves[0]}: the name says that it is still being copied.", repair=AGAIN)
    for name in halves:
        context.progress.note(f"{name} is not read: its name says that it is still being copied")
