"""Do the tests notice? Changes `transforms/` one place at a time, in a copy, and runs the fast tests that reach it.

`make mutate` works for some minutes (`--minutes`) and ends; called again it goes on where it was, until the sample is
done. Results lie in `.mutation/`, a line a mutant; a mutant is caught when a test fails or does not end. Which test
reaches which line is measured once for each state of the code. Examples of definitions all run at once, so they are
tried last, as a whole.
"""

import argparse
import contextlib
import difflib
import importlib
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import parse

import coverage
import pytest

from tests.mutation.sampling import Mutant, draw_mutants, mutate

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / ".mutation"
TREE, REACH, RESULTS = FOLDER / "tree", FOLDER / "reach", FOLDER / "results.jsonl"
UNCHANGED = FOLDER / "unchanged.json"
SECOND_NIGHT = "tests/disclosure/test_nights.py::test_what_is_shown_and_held_of_a_second_night_is_what_was_told"
EXAMPLES = "tests/spec/test_examples.py::test_the_examples_of_a_definition_give_what_they_promise"
FAST = (
    "tests/spec",
    "tests/unit",
    "tests/oracle",
    "tests/identifiers/test_boundaries.py",
    "tests/identifiers/test_corpus.py",
    "tests/flows/test_map.py",
    "tests/numbers",
    "tests/disclosure/test_odd_hospitals.py",
    SECOND_NIGHT,
    "tests/disclosure/test_release.py::test_what_is_shown_of_a_hospital_is_what_was_told",
    "tests/disclosure/test_attacker.py::test_what_is_shown_of_eight_cohorts_is_what_was_told",
    "tests/disclosure/test_cohort_order.py::test_what_follows_from_the_definitions_of_a_shelf_is_what_was_told",
    "tests/disclosure/test_networks.py::test_what_reports_of_two_hospitals_come_to_is_what_was_told",
    "tests/expectations/test_change_between_profiles.py",
)
MODELS = "transforms/model/"
SCHEMAS = "tests/numbers/test_published_schemas.py::test_a_published_schema_is_the_one_that_was_told"
LAST = (  # slow, and know most
    "tests/numbers/",
    "tests/disclosure/",
    EXAMPLES,
)
OURS = ("flows", "transforms", "expectations", "reports", "tests")
SECONDS_OF_TESTS, MOST_TESTS = 6.0, 150
PATIENCE_CPU_SECONDS, PATIENCE = 150, 20  # so a busy machine catches nothing; the clock waits many times as long
OPTIONS = ("-q", "-x", "-p", "no:cacheprovider")
OWN = {"NADIR_ORACLE_PATIENTS": "500"}


@dataclass(frozen=True)
class Reach:
    """The tests that reach a line of a module, and the seconds of each test."""

    lines: Mapping[str, Mapping[str, set[str]]]
    seconds: Mapping[str, float]


def main() -> None:
    """Draw, measure, try, and tell what survived."""
    parser = argparse.ArgumentParser(description="Mutation score of transforms/.")
    parser.add_argument("--mutants", type=int, default=400)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=8)
    parser.add_argument("--tests", nargs="*", default=FAST, help="fewer files or folders of tests")
    parser.add_argument("--again", action="store_true", help="try survivors once more, with the tests as they are now")
    parser.add_argument("--share", nargs=2, type=int, default=(0, 1), help="K N: every N-th mutant from the K-th on")
    given = parser.parse_args()
    until = time.monotonic() + given.minutes * 60
    _restore()
    _copy_tests()
    drawn = _draw(given.mutants, given.seed)
    done = {result["key"]: result for result in _read_results()}
    _load_libraries()
    reach = _measure_reach(given.tests, until)
    if reach is None:
        print("Which test reaches which line is not yet known of all files; call again.")
        return
    waiting = [m for m in drawn if m.key not in done or (given.again and done[m.key]["outcome"] == "survived")]
    first, step = given.share
    for mutant in waiting[first::step]:
        if time.monotonic() > until:
            break
        done[mutant.key] = _try(mutant, reach)
        with RESULTS.open("a", encoding="utf-8") as file:
            file.write(json.dumps(done[mutant.key]) + "\n")
    print(_tell([done[m.key] for m in drawn if m.key in done], len(drawn)))


def _copy_tests() -> None:
    """The code as it was when the sample was begun, with the tests as they are now."""
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    is_new = not TREE.exists()
    for name in listed.stdout.splitlines():
        if (is_new or name.startswith("tests/")) and (ROOT / name).is_file():
            (TREE / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, TREE / name)


def _load_libraries() -> None:
    """Once, for every process that tries a mutant: whatever is not ours and comes with the tests."""
    told = "import sys, tests.conftest, tests.numbers.test_numbers_of_a_night; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", told], cwd=TREE, capture_output=True, text=True, check=True)
    for name in loaded.stdout.split():
        if name.partition(".")[0] not in OURS and not name.startswith("_"):
            with contextlib.suppress(Exception):
                importlib.import_module(name)


def _draw(n_mutants: int, seed: int) -> list[Mutant]:
    """The sample, drawn once; looking for places takes a while."""
    kept = FOLDER / f"drawn_{n_mutants}_{seed}.json"
    if not kept.exists():
        kept.write_text(json.dumps([asdict(mutant) for mutant in draw_mutants(TREE, n_mutants, seed)]))
    return [Mutant(**one) for one in json.loads(kept.read_text())]


def _measure_reach(names: Sequence[str], until: float) -> Reach | None:
    """Which tests reach which line, measured a file of tests at a time; None while some are missing."""
    files = sorted({file for name in names for file in _test_files(name)})
    lines: dict[str, dict[str, set[str]]] = {}
    seconds: dict[str, float] = {}
    for name in files:
        path, _, test = name.partition("::")
        kept = REACH / f"{Path(path).parent.name}_{test or Path(path).stem}.json"
        if not kept.exists():
            if time.monotonic() > until:
                return None
            kept.parent.mkdir(exist_ok=True)
            is_examples = EXAMPLES.startswith(path)
            kept.write_text(json.dumps(_reach_of_examples() if is_examples else _reach_of(name)))
        found = json.loads(kept.read_text())
        seconds |= found["seconds"]
        for module, by_line in found["lines"].items():
            for line, tests in by_line.items():
                lines.setdefault(module, {}).setdefault(line, set()).update(tests)
    return Reach(lines, seconds)


def _test_files(name: str) -> Iterator[str]:
    path = TREE / name
    yield from (each.relative_to(TREE).as_posix() for each in path.glob("test_*.py")) if path.is_dir() else [name]


def _reach_of_examples() -> dict[str, Any]:
    """All as one test, since they run all at once."""
    found = _reach_of(EXAMPLES)
    lines = {
        module: {line: [EXAMPLES] for line, tests in by_line.items() if tests}
        for module, by_line in found["lines"].items()
    }
    return {"lines": lines, "seconds": {EXAMPLES: sum(found["seconds"].values())}}


def _reach_of(name: str) -> dict[str, Any]:
    data, report = FOLDER / "reach.coverage", FOLDER / "reach.xml"
    arguments = [*OPTIONS, name, "--cov=transforms", "--cov-context=test", "--cov-report="]
    arguments += [f"--junitxml={report}", "-o", "junit_family=xunit1"]
    if _pytest(arguments, 60 * 60, COVERAGE_FILE=str(data)) != 0:
        raise SystemExit(f"{name} fails before anything is changed:\n{(FOLDER / 'pytest.log').read_text()[-2000:]}")
    cases = parse(report).iter("testcase")  # noqa: S314 - pytest wrote it a moment ago
    seconds = {f"{one.get('file')}::{one.get('name')}": float(one.get("time", 0)) for one in cases}
    found = coverage.CoverageData(str(data))
    found.read()
    lines: dict[str, dict[int, list[str]]] = {}
    for measured in found.measured_files():
        module = Path(measured).resolve().relative_to(TREE.resolve()).as_posix()
        by_line = found.contexts_by_lineno(measured)
        lines[module] = {line: sorted(_tests_of(reached, seconds)) for line, reached in by_line.items()}
    return {"lines": lines, "seconds": seconds}


def _tests_of(contexts: Sequence[str], every: Iterable[str]) -> set[str]:
    """The tests that reach a line; what is made ready for the first of a file may be what all of them look at."""
    if any(context.endswith("|setup") for context in contexts):
        return set(every)
    return {context.rpartition("|")[0] for context in contexts if context}


def _try(mutant: Mutant, reach: Reach) -> dict[str, Any]:
    original = (TREE / mutant.module).read_text(encoding="utf-8")
    changed = mutate(TREE, mutant)
    before = time.monotonic()
    tests = _tests_for(mutant, reach)
    UNCHANGED.write_text(json.dumps({mutant.module: original}), encoding="utf-8")
    _write(TREE / mutant.module, changed)
    try:
        outcome = _run(tests) if tests else "survived"
    finally:
        _restore()
    diff = difflib.unified_diff(original.splitlines(), changed.splitlines(), lineterm="", n=1)
    return {
        "key": mutant.key,
        **asdict(mutant),
        "outcome": outcome,
        "n_tests": len(tests),
        "seconds": round(time.monotonic() - before, 1),
        "diff": [line for line in diff if not line.startswith(("---", "+++"))],
    }


def _restore() -> None:
    """Take the change back, also that of a run which was killed."""
    if UNCHANGED.exists():
        for module, text in json.loads(UNCHANGED.read_text(encoding="utf-8")).items():
            _write(TREE / module, text)
        UNCHANGED.unlink()


def _write(path: Path, text: str) -> None:
    """With a time of its own: what is compiled is known by size and second, and a change may keep both."""
    later = int(path.stat().st_mtime) + 2
    path.write_text(text, encoding="utf-8")
    os.utime(path, (later, later))


def _tests_for(mutant: Mutant, reach: Reach) -> Sequence[str]:
    """The quickest tests that reach the line, within a few seconds in sum, and then those that know most.

    What is read once, when the module is loaded, is reached by all tests of the module.
    """
    lines = reach.lines.get(mutant.module, {})
    reached = lines.get(str(mutant.line)) or {test for tests in lines.values() for test in tests}
    listed = sorted((reach.seconds.get(test, 1.0), test) for test in reached)
    chosen: list[str] = []
    spent = 0.0
    for cost, test in listed[:MOST_TESTS]:
        if chosen and spent + cost > SECONDS_OF_TESTS:
            break
        chosen.append(test)
        spent += cost
    last = [test for _, test in listed if test.startswith(LAST) and test not in chosen]
    if mutant.module.startswith(MODELS) and SCHEMAS in reach.seconds:
        last.insert(0, SCHEMAS)  # which asks what a model is and calls nothing of it
    return [*chosen, *last]


def _run(tests: Sequence[str]) -> str:
    return "survived" if _pytest([*OPTIONS, *tests], PATIENCE_CPU_SECONDS) == 0 else "caught"


def _pytest(arguments: Sequence[str], cpu_seconds: int, **environment: str) -> int | None:
    """The exit code of pytest in a process that has the libraries loaded already; None when it does not end."""
    child = os.fork()
    if child == 0:
        resource.setrlimit(resource.RLIMIT_CPU, (cpu_seconds, cpu_seconds))
        os.chdir(TREE)
        os.environ.update(OWN | environment)
        sys.path.insert(0, str(TREE))
        sys.dont_write_bytecode = False  # what did not change need not be compiled for each mutant
        with open(FOLDER / "pytest.log", "w") as log:  # noqa: PTH123 - its number is what is needed
            os.dup2(log.fileno(), 1)
            os.dup2(log.fileno(), 2)
        os._exit(int(pytest.main(list(arguments))))
    until = time.monotonic() + PATIENCE * cpu_seconds
    while time.monotonic() < until:
        ended, status = os.waitpid(child, os.WNOHANG)
        if ended:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.05)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return None


def _read_results() -> Iterator[dict[str, Any]]:
    if RESULTS.exists():
        yield from map(json.loads, RESULTS.read_text(encoding="utf-8").splitlines())


def _tell(results: Sequence[Mapping[str, Any]], n_drawn: int) -> str:
    outcomes = Counter(result["outcome"] for result in results)
    lines = []
    for result in sorted(results, key=lambda one: (one["module"], one["line"])):
        if result["outcome"] == "survived":
            lines += [f"{result['key']} ({result['n_tests']} tests)", *(f"    {line}" for line in result["diff"])]
    share = f"{outcomes['caught'] / len(results):.1%}" if results else "none"
    return "\n".join([*lines, f"{len(results)} of {n_drawn} mutants tried, {outcomes['caught']} caught: {share}"])


if __name__ == "__main__":
    main()
