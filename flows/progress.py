"""Tells how far a run is: a live bar on a terminal, plain log lines elsewhere; stage, rows and rate, never a value."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from resource import RUSAGE_SELF, getrusage

from rich.console import Console
from rich.progress import BarColumn, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bar

from flows.journal import Journal
from flows.silence import silence_libraries

WRITTEN = Path("/proc/self/io")


@dataclass(frozen=True)
class StageTime:
    """What one stage cost."""

    stage: str
    seconds: float
    rows: int | None
    peak_memory_mb: float
    written_bytes: int | None


@dataclass
class Progress:
    """Reports stages of one run; keeps what each cost, and tells it to the `journal`."""

    is_quiet: bool = False
    console: Console = field(default_factory=lambda: Console(stderr=True))
    stages: list[StageTime] = field(default_factory=list)
    journal: Journal = field(default_factory=Journal)
    _rows: int | None = None

    def rows(self, count: int) -> None:
        """The stage under way works on `count` rows."""
        self._rows = count

    def waited(self, seconds: float, for_what: str) -> None:
        """Say that part of the stage under way was a wait for something that takes as long whatever the rows are."""
        if not self.is_quiet:
            self.console.print(f"waited    {seconds:.1f} s for {for_what}", highlight=False)

    def note(self, text: str) -> None:
        """Say one thing that a user should know; never a value."""
        if not self.is_quiet:
            self.console.print(text, highlight=False)

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Show that stage `name` runs; log what it took. Nothing but lines of our own is shown while it does."""
        self._rows = None
        self.journal.write("stage began", stage=name)
        started, started_cpu, before = time.perf_counter(), time.process_time(), _count_written()
        with self._alone(), self._live(name):
            yield
        seconds, cpu_seconds = time.perf_counter() - started, time.process_time() - started_cpu
        peak = getrusage(RUSAGE_SELF).ru_maxrss / 1024
        written = None if before is None else (_count_written() or 0) - before
        ended = StageTime(name, round(seconds, 3), self._rows, round(peak, 1), written)
        self.stages.append(ended)
        self.journal.write("stage ended", **asdict(ended))
        if not self.is_quiet:
            self._say(name, seconds, cpu_seconds)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        before = self.console
        is_standard = before.file is sys.stderr
        with silence_libraries() as own:
            self.console = Console(file=own) if is_standard else before
            try:
                yield
            finally:
                self.console = before

    def _say(self, name: str, seconds: float, cpu_seconds: float) -> None:
        amount = f"{self._rows:,} rows, {self._rows / max(seconds, 0.001):,.0f} rows/s, " if self._rows else ""
        self.console.print(f"{name:<9} {amount}{seconds:.1f} s, CPU {cpu_seconds:.1f} s", highlight=False)

    @contextmanager
    def _live(self, name: str) -> Iterator[None]:
        if self.is_quiet or not self.console.is_terminal:
            yield
            return
        columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
        # A bar that takes over what is printed would show what libraries say.
        with Bar(*columns, console=self.console, transient=True, redirect_stdout=False, redirect_stderr=False) as bar:
            bar.add_task(name, total=None)
            yield


def _count_written() -> int | None:
    """Bytes that this process has written until now; None where the system does not say."""
    try:
        lines = WRITTEN.read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) for line in lines if line.startswith("wchar:")), None)
