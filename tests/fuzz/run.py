"""`make fuzz-readers`: many damaged extracts through receive, in processes that are watched; prints what came of each.

A failing case is kept in `.fuzz/` with its extract, and is read again with `--only NUMBER`.
"""

import argparse
import io
import json
import resource
import select
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tests.fuzz.cases import Case, make_case

ROOT = Path(__file__).parents[2]
KEPT = ROOT / ".fuzz"
WALL_SECONDS, CPU_SECONDS, MEMORY_BYTES = 120.0, 10.0, 6 << 30
CPU_SECONDS_A_MEMBER = 0.05  # each file is looked into for identifiers, also those of an archive
SHOWN_FAILURES = 30


@dataclass
class Outcomes:
    """What came of all cases so far."""

    ends: Counter[tuple[str, str]] = field(default_factory=Counter)
    ways: Counter[tuple[str, str]] = field(default_factory=Counter)
    failures: list[dict[str, Any]] = field(default_factory=list)
    slowest: tuple[float, str] = (0.0, "")
    largest: tuple[float, str] = (0.0, "")

    def add(self, line: dict[str, Any]) -> None:
        """One more."""
        self.ends[line["seed"], line["outcome"]] += 1
        self.ways[line["damage"], line["outcome"]] += 1
        told = f"case {line['number']}: {line['seed']}, {line['damage']}, {line['outcome']}"
        self.slowest = max(self.slowest, (line["cpu_seconds"], told))
        self.largest = max(self.largest, (line["grown_mb"], told))
        if line["failure"]:
            self.failures.append(line)

    def as_text(self) -> str:
        """Counts by kind of extract, by kind of damage, and every failure."""
        parts = [_table("extract", self.ends), _table("damage", self.ways)]
        parts.append(f"slowest: {self.slowest[0]:.2f} s CPU, {self.slowest[1]}")
        parts.append(f"largest: {self.largest[0]:.0f} MB more, {self.largest[1]}")
        parts.append(f"{sum(self.ends.values()):,} extracts, {len(self.failures)} failures")
        parts += [f"  {tell(line)}" for line in self.failures[:SHOWN_FAILURES]]
        return "\n".join(parts)


def _table(name: str, counts: Counter[tuple[str, str]]) -> str:
    outcomes = sorted({outcome for _, outcome in counts})
    rows = [
        f"| {key} | {' | '.join(str(counts[key, outcome] or '') for outcome in outcomes)} |"
        for key in sorted({key for key, _ in counts})
    ]
    return "\n".join([f"| {name} | {' | '.join(outcomes)} |", f"|---|{'---:|' * len(outcomes)}", *rows, ""])


def tell(line: Mapping[str, Any]) -> str:
    """What failed, and how to have it again."""
    return f"--only {line['number']}: {line['seed']}, {line['damage']}, {line['way']}: {line['failure']}"


class Child:
    """A process that reads one case after another; it is started again when it dies or does not answer."""

    def __init__(self, run_seed: int) -> None:
        self.run_seed = run_seed
        self.errors = tempfile.TemporaryFile("w+b")  # noqa: SIM115 - as long as the process
        self.process = self._start()

    def _start(self) -> "subprocess.Popen[bytes]":
        command = [sys.executable, "-m", "tests.fuzz.run", "--child", "--seed", str(self.run_seed)]
        return subprocess.Popen(
            command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors, bufsize=0
        )

    def ask(self, number: int) -> None:
        """Begin a case."""
        self.number, self.started = number, time.monotonic()
        self.errors.seek(0)
        self.errors.truncate()
        assert self.process.stdin
        self.process.stdin.write(f"{number}\n".encode())

    def answer(self) -> dict[str, Any] | None:
        """What came of the case; None as long as it is being read."""
        assert self.process.stdout
        ready, _, _ = select.select([self.process.stdout], [], [], 0)
        if ready:
            line = self.process.stdout.readline()
            return self._with_errors(json.loads(line)) if line else self._dead(f"died ({self.process.wait()})")
        return self._dead("does not end") if time.monotonic() - self.started > WALL_SECONDS else None

    def _with_errors(self, line: dict[str, Any]) -> dict[str, Any]:
        self.errors.seek(0)
        if (written := self.errors.read(300)) and not line["failure"]:
            line["failure"] = f"something wrote to the terminal: {written!r}"
        return line

    def _dead(self, failure: str) -> dict[str, Any]:
        self.process.kill()
        self.process.wait()
        self.errors.seek(0)
        said = self.errors.read()[-300:].decode(errors="replace")
        self.process = self._start()
        case = make_case(self.run_seed, self.number)
        told = {"number": self.number, "seed": case.seed, "damage": case.key, "way": case.way}
        return {**told, "outcome": "death", "failure": f"{failure} {said}", "cpu_seconds": 0.0, "grown_mb": 0.0}

    def close(self) -> None:
        """End it."""
        assert self.process.stdin
        self.process.stdin.close()
        self.process.wait()


def read_cases(run_seed: int, numbers: Sequence[int], processes: int) -> Iterator[dict[str, Any]]:
    """What came of each case, in the order in which they end."""
    waiting = list(reversed(numbers))
    idle, busy = [Child(run_seed) for _ in range(processes)], list[Child]()
    while waiting or busy:
        while waiting and idle:
            busy.append(idle.pop())
            busy[-1].ask(waiting.pop())
        select.select([child.process.stdout for child in busy], [], [], 1.0)
        for child in list(busy):
            if line := child.answer():
                busy.remove(child)
                idle.append(child)
                yield line
    for child in idle:
        child.close()


def be_child(run_seed: int) -> None:
    """Answer each number that comes in with one line of JSON."""
    from tests.fuzz.judging import definitions, judge  # noqa: PLC0415 - slow to import

    definitions()
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    for asked in sys.stdin:
        case = make_case(run_seed, int(asked))
        before = resource.getrusage(resource.RUSAGE_SELF)
        with tempfile.TemporaryDirectory(prefix="fuzz-", ignore_cleanup_errors=True) as folder:
            verdict = judge(case, Path(folder))
        after = resource.getrusage(resource.RUSAGE_SELF)
        cpu_seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        line = {"number": case.number, "seed": case.seed, "damage": case.key, "way": case.way, **asdict(verdict)}
        line |= {"cpu_seconds": cpu_seconds, "grown_mb": (after.ru_maxrss - before.ru_maxrss) / 1024}
        if cpu_seconds > CPU_SECONDS + CPU_SECONDS_A_MEMBER * count_members(case) and not line["failure"]:
            line["failure"] = f"took {cpu_seconds:.1f} s"
        print(json.dumps(line), flush=True)


def count_members(case: Case) -> int:
    """How many files the archives of a case hold."""
    n_members = 0
    for content in case.files.values():
        with suppress(zipfile.BadZipFile):
            n_members += len(zipfile.ZipFile(io.BytesIO(content)).infolist())
    return n_members


def keep_extract(run_seed: int, number: int) -> Path:
    """Write the extract of a case to where somebody can look at it."""
    from tests.fuzz.judging import write_extract  # noqa: PLC0415

    target = KEPT / f"{run_seed}-{number}"
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    write_extract(make_case(run_seed, number), target / "extract")
    return target


def main() -> int:
    """Read the cases that the arguments ask for; the number of failures decides how it ends."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--only", type=int, nargs="+")
    parser.add_argument("--child", action="store_true")
    asked = parser.parse_args()
    if asked.child:
        be_child(asked.seed)
        return 0
    numbers = asked.only or range(asked.first, asked.first + asked.files)
    outcomes, started = Outcomes(), time.monotonic()
    for count, line in enumerate(read_cases(asked.seed, numbers, min(asked.processes, len(numbers))), start=1):
        outcomes.add(line)
        if line["failure"]:
            keep_extract(asked.seed, line["number"])
            print(tell(line), flush=True)
        elif asked.only:
            print(f"case {line['number']}: {line['seed']}, {line['damage']}, {line['outcome']}\n{line['said']}")
        if count % 500 == 0:
            print(f"{count:,} read in {time.monotonic() - started:.0f} s", flush=True)
    print(outcomes.as_text())
    return 1 if outcomes.failures else 0


if __name__ == "__main__":
    sys.exit(main())
