"""A private folder for a command that stores nothing: gone at its end, or at the next command if it was killed."""

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

HELD = "held.lock"


@contextmanager
def scratch_folder(command: str) -> Iterator[Path]:
    """A folder below the system's own for temporary files; nobody else can look into it."""
    prefix = f"nadir-{command}-"
    _clear_abandoned(prefix)
    with tempfile.TemporaryDirectory(prefix=prefix, ignore_cleanup_errors=True) as made:
        folder = Path(made)
        with FileLock(folder / HELD):
            yield folder


def _clear_abandoned(prefix: str) -> None:
    """Remove folders whose command has died; a lock dies with its holder, so one that is free tells."""
    for folder in sorted(Path(tempfile.gettempdir()).glob(f"{prefix}*")):
        if not (folder / HELD).exists():
            continue  # just made: its owner is about to hold it
        try:
            with FileLock(folder / HELD, timeout=0):
                shutil.rmtree(folder, ignore_errors=True)
        except (Timeout, OSError):
            continue  # in use, or of another user
