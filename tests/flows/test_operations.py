"""What a hospital installs beside nadir: units of systemd, a landing folder, a container; and who may read what."""

import configparser
import os
import re
import shlex
import shutil
import stat
import subprocess
import sys
from collections.abc import Callable, Mapping
from datetime import date
from pathlib import Path

import duckdb
import pytest

from flows.errors import UserError
from flows.handover import Request
from flows.night import run_night
from flows.progress import Progress
from flows.settings import Settings
from tests.plain_checker import PlainChecker

ROOT = Path(__file__).parents[2]
OPERATIONS = ROOT / "flows" / "operations"
SECTION = (ROOT / "README.md").read_text().split("## To run it in a hospital")[1].split("\n## ")[0]
COMMANDS = [line for body in re.findall(r"```sh\n(.*?)```", SECTION, re.DOTALL) for line in body.splitlines() if line]
# What a test must not do to the machine it runs on, or cannot, without an engine for containers.
LEFT_OUT = ("sudo useradd", "sudo systemctl", "podman")
ROWS = [("p1", "2024-03-01 08:10", "751-8", "0.9", "10*3/uL"), ("p2", "2024-03-02 09:00", "751-8", "3.1", "10*3/uL")]
# In the place of psql: the same statement, answered by DuckDB. The path of Python may hold a blank, which #! cannot.
PSQL = """#!/bin/sh
'''exec' "{python}" "$0" "$@"
' '''
import os, re, sys, duckdb
query, target = re.fullmatch(r"\\\\copy \\((.*)\\) TO (\\S+) CSV HEADER", sys.argv[sys.argv.index("-c") + 1]).groups()
with duckdb.connect(os.environ["LAB"], read_only=True) as connection:
    connection.execute(f"COPY ({{query}}) TO '{{target}}' (FORMAT csv, HEADER)")
"""


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """A folder that stands for the root of a machine, after the commands of the README."""
    for folder in ("etc/systemd/system", "etc/ssh/sshd_config.d", "srv"):
        (tmp_path / folder).mkdir(parents=True)
    for command in COMMANDS:
        if command.startswith("sudo install"):
            done = subprocess.run(_here(command, tmp_path), cwd=ROOT, capture_output=True, text=True, check=False)
            assert done.returncode == 0, f"{command}\n{done.stderr}"
    return tmp_path


def _here(command: str, root: Path) -> list[str]:
    """The command on that machine, by the user who runs the tests."""
    words = shlex.split(command.removeprefix("sudo "))
    owners = [place for place, word in enumerate(words) if word in {"-o", "-g"}]
    kept = [word for place, word in enumerate(words) if place not in owners and place - 1 not in owners]
    return [f"{root}{word}" if word.startswith(("/etc/", "/srv/")) else word for word in kept]


def test_every_command_for_a_hospital_is_run_here_or_named_as_left_out() -> None:
    run = ("sudo install", "flows/operations/land.sh")
    assert [command for command in COMMANDS if not command.startswith((*run, *LEFT_OUT))] == []
    assert all(any(command.startswith(name) for command in COMMANDS) for name in (*run, *LEFT_OUT))


def test_folders_are_closed_to_others_and_files_of_the_system_open(machine: Path) -> None:
    modes = {name: stat.S_IMODE((machine / "srv" / "nadir" / name).stat().st_mode) for name in ("workspace", "landing")}
    assert modes == {"workspace": 0o700, "landing": 0o2750}
    units = sorted(path.name for path in (machine / "etc" / "systemd" / "system").iterdir())
    assert units == ["nadir-told.service", "nadir.service", "nadir.timer"]


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not on this machine")
def test_systemd_finds_nothing_wrong_with_the_units(machine: Path) -> None:
    folder = machine / "etc" / "systemd" / "system"
    own = f'"{Path(sys.executable).with_name("python")}"'
    for unit in folder.iterdir():
        unit.write_text(unit.read_text().replace("/opt/nadir/.venv/bin/nadir", own))
        done = subprocess.run(["systemd-analyze", "verify", unit], capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, ""), unit.name


def test_a_night_is_begun_again_after_what_passes_and_after_nothing_else() -> None:
    """The codes that the unit names are those of every error but the passing ones; 1 is our own mistake."""
    from flows.retrying import TRANSIENT

    service = _unit("nadir.service")["Service"]
    assert service["Restart"] == "on-failure"
    final = {kind.exit_code for kind in _all_kinds(UserError) if not issubclass(kind, TRANSIENT)}
    assert {int(code) for code in service["RestartPreventExitStatus"].split()} == final


def test_the_night_of_the_unit_is_a_command_that_there_is(
    nadir: Callable[..., "subprocess.CompletedProcess[str]"], tmp_path: Path
) -> None:
    """With nothing in the landing folder yet it says so, by the code of a source."""
    command, *arguments = shlex.split(_unit("nadir.service")["Service"]["ExecStart"])
    assert command == "/opt/nadir/.venv/bin/nadir"
    container = (OPERATIONS / "Containerfile").read_text().splitlines()[-1]
    assert re.findall(r'"([^"]+)"', container) == arguments
    assert nadir(*arguments, cwd=tmp_path).returncode == 11


def test_the_container_file_copies_what_there_is_and_installs_what_make_installs() -> None:
    lines = (OPERATIONS / "Containerfile").read_text().splitlines()
    for line in [line for line in lines if line.startswith("COPY")]:
        assert all((ROOT / name).exists() for name in line.split()[1:-1]), line
    make = " ".join((ROOT / "Makefile").read_text().split())
    installs = [
        re.sub(r"RUN python -m pip|--no-cache-dir ", "", line) for line in lines if line.startswith("RUN python")
    ]
    assert len(installs) == 2
    for install in installs:
        options = {word for word in install.split() if word.startswith("--")} - {"--quiet"}
        assert any(options <= set(line.split()) for line in make.split("@") if "pip install" in line), install


@pytest.mark.slow
def test_an_export_of_a_database_lands_whole_and_the_night_reads_it(machine: Path, tmp_path: Path) -> None:
    lab, tools = tmp_path / "lab.duckdb", tmp_path / "tools"
    with duckdb.connect(str(lab)) as connection:
        connection.execute(
            "CREATE TABLE results (patient_id VARCHAR, collection_time TIMESTAMP, loinc VARCHAR, result VARCHAR, "
            "units VARCHAR)"
        )
        shift = "CURRENT_DATE - DATE '2024-03-04'"
        for person, at, loinc, result, units in ROWS:
            connection.execute(
                f"INSERT INTO results SELECT ?, ?::TIMESTAMP + to_days(({shift})::INTEGER), ?, ?, ?",
                [person, at, loinc, result, units],
            )
    tools.mkdir()
    (tools / "psql").write_text(PSQL.format(python=sys.executable))
    (tools / "psql").chmod(0o755)
    environment = {**os.environ, "PATH": f"{tools}{os.pathsep}{os.environ['PATH']}", "LAB": str(lab)}
    landing = machine / "srv" / "nadir" / "landing"
    (command,) = [command for command in COMMANDS if command.startswith("flows/operations/land.sh")]
    for _ in range(2):  # the second takes the place of the first
        _land(_here(command, machine), environment)
    assert [path.name for path in landing.iterdir()] == [date.today().isoformat()]  # noqa: DTZ011 - as `date` says
    workspace = machine / "srv" / "nadir" / "workspace"
    night = run_night(Request((landing,)), Settings(workspace=workspace), Progress(is_quiet=True), PlainChecker())
    assert night.key_numbers
    with duckdb.connect(str(workspace / "warehouse.duckdb"), read_only=True) as connection:
        assert connection.execute("SELECT count(*) FROM derived.anc").fetchall() == [(2,)]


def test_an_export_that_breaks_off_leaves_what_was_there(tmp_path: Path) -> None:
    landing = tmp_path / "landing"
    landing.mkdir()
    land = str(OPERATIONS / "land.sh")
    _land([land, str(landing), "sh", "-c", "echo whole > labs.csv"], os.environ)
    done = subprocess.run(
        [land, landing, "sh", "-c", "echo half > labs.csv; exit 3"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 3
    (day,) = landing.iterdir()
    assert (day / "labs.csv").read_text() == "whole\n"


def test_in_a_workspace_that_others_may_enter_they_read_the_site_and_nothing_else(workspace_copy: Path) -> None:
    workspace_copy.chmod(0o755)
    told = [path for path in _open_to_others(workspace_copy) if path.stat().st_size]
    assert told
    assert {path.relative_to(workspace_copy).parts[0] for path in told} == {"site"}


def _open_to_others(folder: Path) -> list[Path]:
    """The files that anybody can reach and read."""
    found = []
    for path in folder.iterdir():
        others = stat.S_IMODE(path.stat().st_mode) & 0o007
        if path.is_dir():
            found += _open_to_others(path) if others & 0o001 else []
        elif others & 0o004:
            found.append(path)
    return found


def _land(command: list[str], environment: Mapping[str, str]) -> None:
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def _unit(name: str) -> configparser.ConfigParser:
    parser = configparser.ConfigParser(interpolation=None, strict=False)
    parser.optionxform = str  # type: ignore[assignment,method-assign]  # systemd minds the case
    parser.read(OPERATIONS / name)
    return parser


def _all_kinds(kind: type[UserError]) -> list[type[UserError]]:
    return [kind, *(found for each in kind.__subclasses__() for found in _all_kinds(each))]
