"""The child process that runs Great Expectations: started early, asked once, gone with its parent.

Importing Great Expectations takes about as long as receiving an extract, so the two run side by side. A child that
died is an error of every check it was asked, in words that hold no value.
"""

import contextlib
import os
import subprocess
import sys
import time
from types import TracebackType
from typing import Self

from expectations.job import Count, Job, counts_from_json

ENDED = "the checking process ended"


class Worker:
    """A checking process. Use it as a context manager; `close` may be called twice."""

    def __init__(self) -> None:
        """Start the process; it imports while the caller goes on."""
        self._asked: tuple[str, ...] = ()
        self._is_ready = False
        self._process = subprocess.Popen(  # our own interpreter and module; nothing of a user's is in the command
            [sys.executable, "-P", "-m", "expectations.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env={**os.environ, "GX_ANALYTICS_ENABLED": "false"},
        )

    @property
    def process_id(self) -> int:
        """Its id in the operating system."""
        return self._process.pid

    def ask(self, job: Job) -> None:
        """Send `job`; the answer is read later, so that the caller can work meanwhile."""
        self._asked = tuple(question.check_id for questions in job.views.values() for question in questions)
        assert self._process.stdin is not None  # noqa: S101  # given above as a pipe
        with contextlib.suppress(BrokenPipeError, ValueError):  # it has died; the answer says so
            self._process.stdin.write(job.to_json().encode() + b"\n")
            self._process.stdin.flush()

    def await_ready(self) -> float:
        """Wait until the process has imported what it needs, or has died; seconds that took."""
        assert self._process.stdout is not None  # noqa: S101  # given above as a pipe
        started = time.perf_counter()
        if not self._is_ready and not self._process.stdout.closed:
            self._process.stdout.readline()
        self._is_ready = True
        return time.perf_counter() - started

    def answer(self) -> tuple[Count, ...]:
        """Counts of the last job, waiting for them; errors for all its checks if the process has died."""
        assert self._process.stdout is not None  # noqa: S101  # given above as a pipe
        line = b"" if self._process.stdout.closed else self._process.stdout.readline()
        if line.endswith(b"\n"):
            return counts_from_json(line.decode())
        code = self._process.wait()
        self.close()
        return tuple(Count(check_id, error=f"{ENDED} with code {code}") for check_id in self._asked)

    def close(self) -> None:
        """End the process and wait until it is gone."""
        if self._process.poll() is None:
            self._process.kill()
        self._process.wait()
        for stream in (self._process.stdin, self._process.stdout):
            with contextlib.suppress(BrokenPipeError):
                if stream is not None:
                    stream.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class SteadyWorker(Worker):
    """A checking process for many nights: a night does not end it."""

    def close(self) -> None:
        """Not yet."""

    def end(self) -> None:
        """Now."""
        super().close()
