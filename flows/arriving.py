"""A file that is still being copied is waited for, never read: its size and time stand still, or its marker is there.

Only files that changed in the last seconds are looked at twice, so an ordinary night waits for nothing. A name that
says "half a file" is left out, and said so. What does not come to rest in time ends with exit code 20: try again later.
"""

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from flows.errors import SourceError, TryAgainLater
from flows.handover import Request, RunContext
from flows.sources.archives import is_left_behind
from flows.sources.recognise import MAP_FILE, is_half_copied, read_map
from transforms.showable import name_or

LOOK_EVERY_SECONDS = 0.25
State = tuple[int, int, int]
AGAIN = "Run again when the copy is done."


def await_arrival(request: Request, context: RunContext) -> None:
    """Return when every file of the request is whole; TryAgainLater names those that are not."""
    settings = context.settings
    for path in request.extracts:
        _need_marker(path, request, context)
        _refuse_halves(path, context)
    watch = _Watch(settings.steady_seconds)
    deadline = time.time() + settings.wait_seconds
    started = time.perf_counter()
    while growing := watch.find_growing(request.extracts):
        if time.time() >= deadline:
            raise TryAgainLater(
                f"{_call(growing[0], context)}: the file is still growing.",
                details=[_call(path, context) for path in growing[1:10]],
                repair=f"{AGAIN} Settings: steady_seconds, wait_seconds.",
            )
        time.sleep(min(LOOK_EVERY_SECONDS, settings.steady_seconds))
    if watch.has_waited:
        context.progress.waited(time.perf_counter() - started, "files that have just been written to come to rest")


@contextmanager
def refuse_changes(request: Request) -> Iterator["Stillness"]:
    """TryAgainLater when a file changes while it is read: rows of two states of a file would be half of each.

    An error in reading such a file is no fault of its sender's, so it is that one too.
    """
    stillness = Stillness({path: _state(path) for path in _list_files(request.extracts)})
    try:
        yield stillness
    except SourceError:
        stillness.check()
        raise
    stillness.check()


@dataclass
class Stillness:
    """The state of each file when reading began; None for one that was not there."""

    before: Mapping[Path, State | None]

    def check(self) -> None:
        """TryAgainLater names a file that has changed."""
        for path, state in self.before.items():
            if _state(path) != state:
                raise TryAgainLater(f"{path.name}: the file changed while it was read.", repair=AGAIN)

    def narrow(self, read: frozenset[Path]) -> None:
        """All files are as they were when they were recognised; from now on only those that are read need be."""
        self.check()
        self.before = {path: state for path, state in self.before.items() if path in read}


def _state(path: Path) -> State | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return (status.st_size, status.st_mtime_ns, status.st_ino)


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
            except OSError:
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
            is_left = path.is_dir() and is_left_behind(file.relative_to(path).parts)
            if not is_left and not is_half_copied(file) and file.is_file():
                yield file


def _need_marker(path: Path, request: Request, context: RunContext) -> None:
    if not path.is_dir():
        return
    marker = context.settings.done_marker
    named = Path(request.source) if Path(request.source).suffix in {".yaml", ".yml"} else path / MAP_FILE
    with suppress(SourceError):  # a map that is wrong is told once the files have been looked into
        marker = (read_map(named, context.definitions.showing).done_marker if named.is_file() else "") or marker
    if marker and not (path / marker).exists():
        called = _call(path, context)
        raise TryAgainLater(f"{called}: {marker} is not there yet, so the extract is not whole.", repair=AGAIN)


def _refuse_halves(path: Path, context: RunContext) -> None:
    """Say which names are left out; TryAgainLater when nothing else is there."""
    if not path.exists():
        return  # told once what is there has been looked into
    inside = [file for file in path.rglob("*") if file.is_file()] if path.is_dir() else [path]
    halves = sorted(_call(file, context) for file in inside if is_half_copied(file))
    if halves and not any(True for _ in _list_files([path])):
        raise TryAgainLater(f"{halves[0]}: the name says that it is still being copied.", repair=AGAIN)
    for name in halves:
        context.progress.note(f"{name} is not read: its name says that it is still being copied")


def _call(path: Path, context: RunContext) -> str:
    """What a file is called: by its name only if that may be shown."""
    return name_or(path.name, "a file of the extract", context.definitions.showing)
