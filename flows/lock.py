"""One run at a time in a workspace: a lock that says who holds it and since when, and dies with its holder."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from filelock import FileLock, Timeout

from flows.errors import Busy
from flows.workspace import Workspace


@contextmanager
def hold_workspace(workspace: Workspace) -> Iterator[None]:
    """Hold the workspace until the end; `Busy` names the holder when another process has it.

    The operating system frees the lock when the holder dies, so a stale lock cannot block a night.
    """
    owner = workspace.lock.with_suffix(".owner")
    lock = FileLock(workspace.lock, timeout=0)
    try:
        lock.acquire()
    except Timeout as error:
        raise Busy(
            f"Another run holds the workspace {workspace.root.name}{_describe(workspace)}.",
            repair="Wait until it has ended; a run that died frees it by itself.",
        ) from error
    try:
        owner.write_text(json.dumps({"pid": os.getpid(), "since": datetime.now(UTC).isoformat(timespec="seconds")}))
        yield
    finally:
        owner.unlink(missing_ok=True)
        lock.release()


def _describe(workspace: Workspace) -> str:
    try:
        held = json.loads(workspace.lock.with_suffix(".owner").read_text())
    except (OSError, ValueError):
        return ""
    return f" (process {held.get('pid')}, since {held.get('since')})"
