"""`nadir explain` tells one episode from its first value to its suspects, and nothing of anybody else."""

import json
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import duckdb
import pytest

from flows.explaining import explain_episode
from flows.settings import Settings
from flows.timeline import write_timeline

LABS = """person_id,collected_at,loinc,value,unit
A,2024-03-01 08:00,751-8,3.2,10*9/L
A,2024-03-09 08:00,751-8,0.3,10*9/L
A,2024-03-10 08:00,6690-2,0.1,10*9/L
A,2024-03-12 08:00,6690-2,2.9,10*9/L
A,2024-03-14 08:00,6690-2,4.0,10*9/L
A,2024-03-14 08:00,770-8,45,%
A,2024-03-18 08:00,751-8,2.4,10*9/L
B,2024-03-09 08:00,751-8,7.7,10*9/L
"""
DRUGS = """person_id,drug,started_at,ended_at,route,evidence
A,carboplatin,2024-02-27 10:00,2024-02-27 11:00,intravenous,administered
A,paracetamol,2024-03-05 10:00,2024-03-06 10:00,oral,ordered
B,clozapine,2024-03-01 10:00,2024-03-20 10:00,oral,dispensed
"""
Call = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory, count_directly: Callable[..., None]) -> Path:
    folder = tmp_path_factory.mktemp("explain")
    extract = folder / "extract"
    extract.mkdir()
    (extract / "labs.csv").write_text(LABS, encoding="utf-8")
    (extract / "drugs.csv").write_text(DRUGS, encoding="utf-8")
    count_directly(folder / "workspace", extract)
    return folder / "workspace"


@pytest.fixture(scope="module")
def episode(workspace: Path) -> str:
    sql = "SELECT episode_id FROM derived.episode WHERE rule = 'clinical' AND threshold_cells_per_ul = 500"
    with duckdb.connect(str(workspace / "warehouse.duckdb"), read_only=True) as connection:
        [(found,)] = connection.execute(sql).fetchall()
    return str(found)


@pytest.fixture(scope="module")
def lines(workspace: Path, episode: str) -> list[str]:
    explained = explain_episode(episode, Settings(workspace=workspace))
    return write_timeline(explained, width=200).splitlines()


def line_of(lines: list[str], *words: str) -> str:
    [found] = [line for line in lines if all(word in line for word in words)]
    return found


def test_the_heading_says_when_it_began_and_ended_within_which_bounds(lines: list[str]) -> None:
    text = " ".join(lines)
    assert "Onset after 2024-03-01 08:00 and by 2024-03-09 08:00." in text
    assert "Recovery after 2024-03-10 08:00 and by 2024-03-14 08:00." in text
    assert "Duration 1.0 to 13.0 days" in text
    assert "lowest value 100 cells/µL at 2024-03-10 08:00" in text
    assert "ends at the first of two consecutive recovered values" in " ".join(text.split())


def test_each_value_stands_at_its_day_with_what_it_proves(lines: list[str]) -> None:
    assert "3,200" in (before := line_of(lines, "2024-03-01 08:00", "count"))
    assert "last value before" in before
    assert "-8.0" in before
    assert "recovered" in before
    assert "low" in line_of(lines, "2024-03-09 08:00", "+0.0", "300")
    assert "0 to 100" in (bounded := line_of(lines, "2024-03-10 08:00", "+1.0", "count"))
    assert "low" in bounded
    assert "undecided" in line_of(lines, "2024-03-12 08:00", "0 to 2,900", "count")
    assert "recovered by" in line_of(lines, "2024-03-14 08:00", "1,800", "count")


def test_every_result_and_every_way_to_the_count_is_shown_with_its_row(lines: list[str]) -> None:
    assert "row 5 of labs.csv" in line_of(lines, "wbc (", "4.0 10*9/L", "4,000 cells/µL")
    assert "row 6 of labs.csv" in line_of(lines, "45 %")
    assert "1,800 cells/µL" in line_of(lines, "2024-03-14", "by neut pct (taken)")
    assert "0 to 4,000" in line_of(lines, "2024-03-14", "by wbc only")


def test_doses_and_suspects_are_listed_and_drugs_that_are_not_suspected_too(lines: list[str]) -> None:
    assert "administered" in line_of(lines, "2024-02-27 10:00", "carboplatin")
    assert "ordered" in line_of(lines, "2024-03-05 10:00", "paracetamol")
    suspect = line_of(lines, "1 (primary)")
    assert "hemotherapy" in suspect
    assert "carboplatin" in suspect
    assert "expected" in suspect
    assert "11.0" in suspect


def test_the_name_of_a_drug_is_not_broken_in_a_narrow_terminal(workspace: Path, episode: str) -> None:
    explained = explain_episode(episode, Settings(workspace=workspace))
    suspects = [{**row, "agent": "cyclophosphamide and sulfamethoxazole"} for row in explained.causes]
    told = write_timeline(replace(explained, causes=suspects), width=90)
    assert "cyclophosphamide" in told
    assert "sulfamethoxazole" in told


def test_nothing_of_another_person_is_shown(lines: list[str]) -> None:
    text = "\n".join(lines)
    assert "person A of" in text
    assert "7,700" not in text
    assert "clozapine" not in text


def test_the_json_holds_the_same_values(nadir: Call, workspace: Path, episode: str) -> None:
    ended = nadir("explain", episode, "--workspace", workspace, "--json")
    assert ended.returncode == 0, ended.stderr
    told = json.loads(ended.stdout)
    assert [value["state"] for value in told["values"]] == [
        "recovered",
        "low",
        "low",
        "undecided",
        "recovered",
        "recovered",
    ]
    assert told["episode"]["nadir_cells_per_ul"] == 100
    assert told["rule"]["id"] == "clinical"


def test_an_unknown_episode_is_wrong_use_and_says_where_ids_stand(nadir: Call, workspace: Path) -> None:
    ended = nadir("explain", "0000", "--workspace", workspace)
    assert ended.returncode == 2
    assert "no episode '0000'" in ended.stderr
    assert "derived.episode" in ended.stderr
