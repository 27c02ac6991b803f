"""What a user meets at the command line: speed, help, exit codes, and errors that can be repaired."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from flows.definitions import CHECKS_OF_ALL
from flows.examples_of_identifiers import check_identifiers
from transforms.examples_of_estimates import check_estimates

Call = Callable[..., "subprocess.CompletedProcess[str]"]
COMMANDS = ["demo", "run", "check", "simulate", "schedule", "runs", "sources", "definitions", "quarantine"]


def test_help_names_every_command(nadir_process: Call) -> None:
    shown = nadir_process("--help").stdout
    for command in COMMANDS:
        assert command in shown


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help(nadir: Call, command: str) -> None:
    done = nadir(command, "--help")
    assert done.returncode == 0
    assert len(done.stdout.split()) > 10


def test_help_imports_neither_prefect_nor_great_expectations_nor_an_engine() -> None:
    program = (
        "import sys\nsys.argv=['nadir','--help']\nfrom flows import cli\n"
        "try: cli.main()\nexcept SystemExit: pass\n"
        "heavy = ('prefect','great_expectations','polars','duckdb','plotly','pandas','scipy')\n"
        "print([m for m in heavy if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip().endswith("[]")


def test_history_and_a_direct_night_start_without_prefect_pandas_and_solvers() -> None:
    program = (
        "import sys, flows.run_detail, flows.night\n"
        "heavy = ('prefect','pandas','great_expectations','scipy.stats','scipy.optimize')\n"
        "print([m for m in heavy if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_an_unknown_option_is_wrong_use(nadir_process: Call) -> None:
    assert nadir_process("run", "--no-such-option").returncode == 2


def test_a_missing_path_is_a_source_error_that_names_it(nadir: Call, tmp_path: Path) -> None:
    done = nadir("run", "--direct", "--workspace", tmp_path / "w", tmp_path / "nothing_here")
    assert done.returncode == 11
    assert "nothing_here" in done.stderr
    assert "Traceback" not in done.stderr


def test_an_unknown_setting_is_wrong_use(nadir: Call, tmp_path: Path) -> None:
    (tmp_path / "nadir.toml").write_text("colour = 'blue'\n")
    done = nadir("runs", cwd=tmp_path)
    assert done.returncode == 2
    assert "colour" in done.stderr
    assert "workspace" in done.stderr


def test_a_definitions_folder_with_a_wrong_key_is_a_definition_error(nadir: Call, tmp_path: Path) -> None:
    overlay = tmp_path / "own"
    (overlay / "cohorts").mkdir(parents=True)
    (overlay / "cohorts" / "mine.yaml").write_text("id: mine\nversion: '1'\ncolour: blue\n")
    done = nadir("definitions", "check", "--definitions", overlay)
    assert done.returncode == 10
    assert "mine.yaml" in done.stderr
    assert "colour" in done.stderr


def test_the_shipped_definitions_pass_their_own_examples(nadir: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of two checks, which take most of the time, one by one in `tests/spec/test_examples.py` alone."""
    shorter = {
        check: kinds for check, kinds in CHECKS_OF_ALL.items() if check not in {check_identifiers, check_estimates}
    }
    monkeypatch.setattr("flows.definitions.CHECKS_OF_ALL", shorter)
    done = nadir("definitions", "check", "--json")
    assert done.returncode == 0, done.stdout
    report = json.loads(done.stdout)
    assert report["examples"] > 20
    assert report["failures"] == []


def test_a_definition_is_shown_with_its_source_and_reason(nadir: Call) -> None:
    done = nadir("definitions", "show", "clinical")
    assert done.returncode == 0
    for heading in ("Rule", "Source", "Why", "Caveats", "Examples", "Stands in"):
        assert f"\n{heading}\n" in done.stdout


def test_an_unknown_definition_names_the_known_ones(nadir: Call) -> None:
    done = nadir("definitions", "show", "nothing_like_it")
    assert done.returncode == 10
    assert "clinical" in done.stderr


def test_simulating_into_a_full_folder_is_wrong_use(nadir: Call, tmp_path: Path) -> None:
    (tmp_path / "keep.txt").write_text("mine")
    done = nadir("simulate", "--people", 5, "--days", 60, "--out", tmp_path)
    assert done.returncode == 2
    assert (tmp_path / "keep.txt").read_text() == "mine"


def test_runs_of_an_empty_workspace_say_so(nadir: Call, tmp_path: Path) -> None:
    assert "No run yet" in nadir("runs", "--workspace", tmp_path / "w").stdout


def test_checking_an_extract_prints_a_ledger_that_adds_up_and_stores_nothing(
    nadir: Call, small_extract: Path, tmp_path: Path
) -> None:
    done = nadir("check", "--json", small_extract, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    checked = json.loads(done.stdout)
    assert checked["verdict"] in {"go", "warn"}
    assert all(check["title"] and check["status"] for check in checked["checks"])
    assert {"why", "reasons", "quarantined", "trend"} <= checked.keys()
    for line in checked["ledger"]:
        ends = ("n_accepted", "n_duplicate", "n_superseded", "n_quarantined", "n_irrelevant")
        assert line["n_received"] == sum(line[name] for name in ends)
    assert list(tmp_path.iterdir()) == []


def test_checking_says_what_was_recognised_what_is_answerable_and_what_to_repair_first(
    nadir: Call, tmp_path: Path
) -> None:
    head = "person_id,specimen_id,collected_at,test_code,value,unit\n"
    rows = [f"P{n},S{n},2024-03-0{n} 08:00,751-8,{'abc' if n == 9 else '2.5'},10*9/L\n" for n in range(1, 10)]
    (tmp_path / "labs.csv").write_text(head + "".join(rows))
    (tmp_path / "readme.txt").write_text("what this is")
    shown = nadir("check", tmp_path).stdout
    assert "labs.csv: long -> lab, 9 rows" in shown
    assert "not read: readme.txt" in shown
    assert "canonical.lab, labs.csv: 9 = 8 + 0 + 0 + 1 + 0" in shown
    assert "cause_by_drug: not answerable" in shown
    assert "1 row of canonical.lab (value_not_a_number)" in shown.split("First to repair")[1]


def test_without_a_neutrophil_nothing_about_causes_is_answerable(nadir: Call, tmp_path: Path) -> None:
    head = "person_id,specimen_id,collected_at,test_code,value,unit\n"
    (tmp_path / "labs.csv").write_text(head + "P1,S1,2024-03-01 08:00,6690-2,2.5,10*9/L\n")
    (tmp_path / "drugs.csv").write_text("person_id,drug,started_at,evidence\nP1,clozapine,2024-02-01,ordered\n")
    answers = {
        entry["question"]: entry for entry in json.loads(nadir("check", "--json", tmp_path).stdout)["answerable"]
    }
    assert "no neutrophil result" in answers["anc"]["reason"]
    for question in ("anc", "prevalence", "duration", "cause_by_drug", "after_cell_therapy"):
        assert answers[question]["status"] == "not_answerable"


def test_checking_many_files_adds_them_up_by_table(
    nadir: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flows.checking.SHOWN_LINES", 4)
    head = "person_id,specimen_id,collected_at,test_code,value,unit\n"
    for n in range(5):
        (tmp_path / f"labs_{n}.csv").write_text(f"{head}P{n},S{n},2024-03-01 08:00,751-8,2.5,10*9/L\n")
    shown = nadir("check", tmp_path).stdout
    assert "5 files: long" in shown
    assert "canonical.lab, 5 files: 5 = 5 + 0 + 0 + 0 + 0" in shown


@pytest.mark.parametrize(
    "asked",
    [
        ("quarantine", "list"),
        ("quarantine", "release", "--direct"),
        ("unmatched",),
        ("explain", "abc"),
        ("erase", "P1"),
    ],
    ids=" ".join,
)
def test_a_workspace_without_a_warehouse_is_told_and_not_taken_for_a_quiet_one(
    nadir: Call, tmp_path: Path, asked: tuple[str, ...]
) -> None:
    ended = nadir(*asked, "--workspace", tmp_path / "mistyped")
    assert ended.returncode == 2
    assert "There is no warehouse in this workspace." in ended.stderr
    assert not (tmp_path / "mistyped").exists()


@pytest.mark.parametrize(
    ("call", "code", "said"),
    [
        (("run", "{here}", "--direct", "--workspace", "{file}"), 2, "a workspace is a folder, and there is a file"),
        (("run", "{here}", "--direct", "--extract-date", "2999-01-01"), 2, "2999-01-01 is still to come"),
        (("restore", "{here}/gone.tar"), 11, "there is no such backup"),
        (("merge", "{here}/gone.zip"), 11, "There is no file gone.zip"),
        (("schedule", "{here}", "--timezone", "Mars/Phobos"), 2, "time zone 'Mars/Phobos' is not valid"),
        (("schedule", "{here}", "--timezone", "../zones"), 2, "time zone '../zones' is not valid"),
    ],
    ids=["a_file_for_a_workspace", "a_day_to_come", "no_backup", "no_counts", "no_time_zone", "a_path_for_a_time_zone"],
)
def test_what_was_mistyped_is_told_and_no_mistake_of_ours(
    nadir: Call, tmp_path: Path, call: tuple[str, ...], code: int, said: str
) -> None:
    file = tmp_path / "labs.csv"
    file.write_text("patient_id,collection_time,loinc,result,units\n")
    done = nadir(*(part.format(here=tmp_path, file=file) for part in call))
    assert (done.returncode, said in " ".join(done.stderr.split())) == (code, True), done.stderr
