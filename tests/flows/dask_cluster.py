"""A Dask scheduler and workers as processes of their own, killed at the end."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from flows.dask_crew import count_workers
from flows.errors import TryAgainLater

START_SECONDS = 120


@contextmanager
def start_cluster(
    commands: Sequence[Sequence[str]], address: str, n_workers: int, folder: Path, more: Mapping[str, str] | None = None
) -> Iterator[None]:
    """Run `commands`, which start a scheduler at `address` and so many workers; they are there when this begins."""
    running = [
        subprocess.Popen(
            command, cwd=folder, env={**os.environ, **(more or {})}, stderr=subprocess.DEVNULL, start_new_session=True
        )
        for command in commands
    ]
    try:
        deadline = time.monotonic() + START_SECONDS
        while _count(address) < n_workers:
            assert time.monotonic() < deadline, "the workers did not come"
            time.sleep(0.2)
        yield
    finally:
        for process in reversed(running):
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _count(address: str) -> int:
    try:
        return count_workers(address)
    except TryAgainLater:
        return 0
