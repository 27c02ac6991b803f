"""The six ways in, as CONTRIBUTING tells them: commands are run with their files, and one night has all of it."""

import csv
import json
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import duckdb
import pytest
from typer.testing import CliRunner

from flows.checker import Worker
from flows.cli import app
from flows.code_version import code_version
from flows.sources.registry import load_layouts
from reports.chart_list import load_charts, refuse_wrong_chart
from transforms.errors import DefinitionError
from transforms.load import load_definitions
from transforms.plugins import added_points

ROOT = Path(__file__).parents[2]
SECTION = (ROOT / "CONTRIBUTING.md").read_text().split("## Six ways in")[1].split("\n## ")[0]
BLOCKS = re.findall(r"```(\w+)(?: (\S+))?\n(.*?)```", SECTION, re.DOTALL)
COMMANDS = [line for kind, _, body in BLOCKS if kind == "sh" for line in body.splitlines()]
INSTALLS = [command for command in COMMANDS if command.startswith("pip install")]
LATE = ("nadir definitions check", "nadir run", "nadir sources", "nadir check")  # once, when all are there


@pytest.fixture(scope="module")
def followed(tmp_path_factory: pytest.TempPathFactory, warm_worker: Worker) -> Iterator[tuple[Path, dict[str, str]]]:
    """A folder in which every command was run, and what each said. Packages are installed beside it, all at once."""
    folder = tmp_path_factory.mktemp("an engineer")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("COLUMNS", "200")
        for module in ("flows.checker", "flows.stages.validate"):
            patch.setattr(f"{module}.Worker", lambda: warm_worker)
        said = {command: _run(command) for command in COMMANDS if not command.startswith((*LATE, "pip"))}
        for name, body in [(name, body) for kind, name, body in BLOCKS if name]:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(body)
        patch.syspath_prepend(str(_install(folder)))
        _forget()
        said |= {command: _run(command) for command in dict.fromkeys(COMMANDS) if command.startswith(LATE)}
        yield folder, said
    _forget()


def _run(command: str) -> str:
    program, *arguments = shlex.split(command)
    assert program == "nadir"
    done = CliRunner().invoke(app, arguments)
    assert done.exit_code == 0, f"{command}: {done.output} {done.exception}"
    return done.output


def _install(folder: Path) -> Path:
    """As the pages say, but into a folder of the test's own."""
    packages = [shlex.split(command)[-1] for command in INSTALLS]
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-build-isolation", "--no-deps", "--no-index"]
    subprocess.run([*command, "--target", folder / "site", *packages], cwd=folder, check=True)
    return folder / "site"


def _forget() -> None:
    for known in (added_points, load_layouts, load_charts, code_version):
        known.cache_clear()


def _column(folder: Path, table: str, name: str) -> set[str]:
    (path,) = folder.glob(f"trial/site/runs/*/downloads/{table}.csv")
    with path.open(encoding="utf-8") as file:
        return {row[name] for row in csv.DictReader(file)}


def _report(folder: Path) -> str:
    (path,) = folder.glob("trial/site/runs/*/index.html")
    return path.read_text(encoding="utf-8")


@pytest.mark.slow
def test_a_cohort_is_counted_and_the_others_are_not(followed: tuple[Path, dict[str, str]]) -> None:
    folder, said = followed
    assert _column(folder, "prevalence", "cohort") == {"everyone", "young_women"}
    assert "ok: a woman of 30" in said["nadir definitions show young_women --definitions mine"]


@pytest.mark.slow
def test_a_cause_is_among_the_suspects_that_the_report_explains(followed: tuple[Path, dict[str, str]]) -> None:
    folder, _ = followed
    assert "suspected Sarcoidosis" in _report(folder)


@pytest.mark.slow
def test_an_episode_rule_stands_beside_the_others(followed: tuple[Path, dict[str, str]]) -> None:
    folder, _ = followed
    assert {"clinical", "two_recovered"} <= _column(folder, "rule", "compared_rule")


@pytest.mark.slow
def test_a_check_was_made_that_night(followed: tuple[Path, dict[str, str]]) -> None:
    folder, _ = followed
    with duckdb.connect(str(folder / "trial" / "warehouse.duckdb"), read_only=True) as warehouse:
        found = warehouse.execute("SELECT status FROM ops.check WHERE check_id = 'ward_white_cells'").fetchall()
    assert found == [("passed",)]


@pytest.mark.slow
def test_an_adapter_of_a_package_recognises_its_file_with_its_own_map(followed: tuple[Path, dict[str, str]]) -> None:
    _, said = followed
    assert "our_lab: Our lab" in said["nadir sources"]
    assert "our_lab" in said["nadir check extract"]
    assert "3" in said["nadir check extract"]


@pytest.mark.slow
def test_a_chart_of_a_package_is_a_figure_of_the_report(followed: tuple[Path, dict[str, str]]) -> None:
    folder, _ = followed
    assert "tests_a_person" in _report(folder)
    assert "Tests a person" in _report(folder)


@pytest.mark.slow
def test_the_report_says_what_the_site_laid_over_and_installed(followed: tuple[Path, dict[str, str]]) -> None:
    folder, _ = followed
    page = _report(folder)
    for name in ("cohorts/young_women.yaml", "episodes/two_recovered.yaml", "nadir-our_lab", "nadir-tests_a_person"):
        assert name in page, name


@pytest.mark.slow
def test_what_is_written_names_its_schema_and_does_not_overwrite(followed: tuple[Path, dict[str, str]]) -> None:
    folder, _ = followed
    written = folder / "mine" / "cohorts" / "young_women.yaml"
    named = written.read_text().splitlines()[0].partition("$schema=")[2]
    assert json.loads((written.parent / named).read_text())["properties"]["criterion"]
    done = CliRunner().invoke(app, ["new", "cohort", "young_women", "--definitions", str(folder / "mine")])
    assert "there already" in str(done.exception)


@pytest.mark.parametrize(
    ("kind", "name"), [("cohort", "everyone"), ("cause", "infection"), ("rule", "clinical"), ("check", "lab")]
)
def test_nothing_is_started_under_the_name_of_what_nadir_has_and_would_be_replaced(
    kind: str, name: str, tmp_path: Path
) -> None:
    done = CliRunner().invoke(app, ["new", kind, name, "--definitions", str(tmp_path)])
    assert f"nadir has a {kind} called {name!r}" in str(done.exception)
    assert list(tmp_path.iterdir()) == []


def test_a_chart_that_names_what_is_not_there_is_told_before_the_night_begins() -> None:
    shipped = next(chart for chart in load_charts() if chart.id == "testing-by-cohort")
    refuse_wrong_chart(shipped, shipped.id)
    wrong = replace(shipped, section="price")
    with pytest.raises(DefinitionError, match="sections: prevalence, severity"):
        refuse_wrong_chart(wrong, "ours")
    wrong = replace(shipped, where={"colour": "blue"})
    with pytest.raises(DefinitionError, match="columns: colour are not in"):
        refuse_wrong_chart(wrong, "ours")


def test_a_definition_in_a_folder_that_nothing_reads_is_told(tmp_path: Path) -> None:
    (tmp_path / "cohort").mkdir()
    (tmp_path / "cohort" / "ours.yaml").write_text("id: ours\n")
    with pytest.raises(DefinitionError, match="Did you mean cohorts"):
        load_definitions(tmp_path)


def test_every_page_is_there() -> None:
    for page in ("A cohort", "A cause", "An episode rule", "A check", "A source adapter with its map", "A chart"):
        assert f"### {page}\n" in SECTION
