"""Every command of the README is run, with the very files that the README shows."""

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

Ended = subprocess.CompletedProcess[str]
ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
BLOCKS = re.findall(r"```(\w+)(?: (\S+))?\n(.*?)```", README, re.DOTALL)
COMMANDS = [line for kind, _, body in BLOCKS if kind == "sh" for line in body.splitlines() if line]
# Run in tests of their own, because they install, serve until stopped, or need a server.
ELSEWHERE = {
    "make test": "this very run",
    "make demo": "test_make_demo_ends_with_the_path_of_a_report",
    ". .venv/bin/activate": "the path that the fixture below sets",
    'nadir schedule export --cron "0 2 * * *" --timezone Europe/Berlin --workspace second': "test_prefect.py",
    "PREFECT_API_URL=http://127.0.0.1:4200/api prefect deployment run nightly/nadir": "tests/flows/test_prefect.py",
    "export PREFECT_API_URL=http://127.0.0.1:4200/api": "tests/flows/test_prefect.py",
}
# They need a server, which that file starts; it runs them with other ports and parameters.
OF_A_SERVER = ("prefect ", "python -m flows.examples.notifying ")
# They act on a machine, or need a cluster: tests/flows/test_operations.py and tests/flows/test_dask.py.
OF_A_MACHINE = (
    "sudo ",
    "podman ",
    "flows/operations/",
    "dask ",
    "pip install 'nadir[dask]'",
    "nadir run hospital --runner",
)
NOT_HERE = (*OF_A_SERVER, *OF_A_MACHINE)
HERE = [command for command in COMMANDS if command not in ELSEWHERE and not command.startswith(NOT_HERE)]
# This one by a shell, as a newcomer does; the others in this process, which spares a third of the time.
IN_A_SHELL = ("nadir run labs.csv --direct --workspace first",)


@pytest.fixture(scope="module")
def newcomer(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty folder with the files that the README asks to save."""
    folder = tmp_path_factory.mktemp("a newcomer")
    for kind, name, body in BLOCKS:
        if name and kind != "sh":
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(body)
    return folder


@pytest.mark.slow
def test_every_command_of_the_readme_works_in_its_order(newcomer: Path, nadir: Callable[..., Ended]) -> None:
    assert len(HERE) >= 8
    assert set(IN_A_SHELL) <= set(HERE)
    for command in HERE:
        is_ours = command.startswith("nadir ") and command not in IN_A_SHELL
        done = nadir(*_split(command, newcomer)[1:], cwd=newcomer) if is_ours else _call_shell(command, newcomer)
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    for workspace in ("first", "second", "practice"):
        assert (newcomer / workspace / "site" / "latest.html").is_file()


def _call_shell(command: str, folder: Path) -> Ended:
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    return subprocess.run(
        ["bash", "-c", command], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


def _split(command: str, folder: Path) -> list[str]:
    """The words of a command as a shell hands them over, with the files that a pattern stands for."""
    words: list[str] = []
    for word in shlex.split(command):
        found = sorted(str(path.relative_to(folder)) for path in folder.glob(word)) if "*" in word else [word]
        assert found, command
        words += found
    return words


@pytest.mark.slow
@pytest.mark.usefixtures("every_cohort")
def test_make_demo_ends_with_the_path_of_a_report(tmp_path: Path) -> None:
    # These tests are run by make themselves; the demo must not take itself for a part of that.
    own = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    done = subprocess.run(
        ["make", "demo", "DEMO=--people 300 --days 90"],  # a small hospital; all else is as for a newcomer
        cwd=ROOT,
        env={**own, "NADIR_WORKSPACE": str(tmp_path / "demo workspace")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    last = done.stdout.strip().splitlines()[-1]
    assert Path(last.removeprefix("report: ")).is_file()


def test_a_command_that_is_run_elsewhere_is_still_in_the_readme() -> None:
    assert set(ELSEWHERE) <= set(COMMANDS)


def test_pictures_of_the_readme_are_there_and_small() -> None:
    for name in re.findall(r"!\[[^\]]+\]\(([^)]+)\)", README):
        assert 0 < (ROOT / name).stat().st_size < 400_000


def test_links_of_the_readme_lead_somewhere() -> None:
    for name in re.findall(r"(?<!!)\[[^\]]+\]\(([^)#:]+)\)", README):
        assert (ROOT / name).exists(), name
