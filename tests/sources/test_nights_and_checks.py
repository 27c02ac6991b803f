"""A row that a check sets aside beats nobody, on whichever night it came, and people are judged again as a whole."""

from itertools import permutations
from pathlib import Path
from typing import Any

import pytest

from transforms.load import load_definitions

HEADER = "person_id,specimen_id,collected_at,resulted_at,test_code,value,unit,status\n"
GOOD = "P1,S1,2024-03-01 08:00,2024-03-01 09:00,751-8,0.8,10*9/L,preliminary\n"
IMPOSSIBLE = "P1,S1,2024-03-01 08:00,2024-03-01 10:00,751-8,800,10*9/L,final\n"
WORSE = "P1,S1,2024-03-01 08:00,2024-03-01 11:00,751-8,900,10*9/L,final\n"
OTHER = "P2,S2,2024-03-01 08:00,,751-8,3.5,10*9/L,final\n"
LATE = "P1,S9,2024-09-01 08:00,,751-8,2.5,10*9/L,final\n"
DEAD = "person_id,sex,died_on\nP1,F,2024-05-01\n"
ALIVE = "person_id,sex,died_on,birth_year,age_years\nP1,F,,1960,64\n"
CONTENT = "person_id, specimen_id, value, status"


def outcomes(night: Any, **which: Any) -> list[tuple[int, ...]]:
    return [
        (e.n_received, e.n_accepted, e.n_duplicate, e.n_superseded, e.n_quarantined)
        for e in night.ledger
        if all(getattr(e, name) == value for name, value in which.items())
    ]


@pytest.mark.parametrize("order", list(permutations([GOOD, IMPOSSIBLE, WORSE]))[::2])
def test_a_version_that_a_check_sets_aside_supersedes_nobody(hospital: Any, order: tuple[str, ...]) -> None:
    for row in order:
        hospital.spend_text(HEADER + OTHER + row)
    assert hospital.canonical("lab", CONTENT) == [("P1", "S1", 800, "preliminary"), ("P2", "S2", 3500, "final")]


def test_versions_that_came_together_are_weighed_without_the_one_set_aside(hospital: Any) -> None:
    night = hospital.spend_text(HEADER + GOOD + IMPOSSIBLE + WORSE + OTHER)
    assert hospital.canonical("lab", CONTENT) == [("P1", "S1", 800, "preliminary"), ("P2", "S2", 3500, "final")]
    assert outcomes(night) == [(4, 2, 0, 0, 2)]
    (check,) = [check for check in night.checks if check.check_id == "lab_neutrophils_impossible"]
    assert (check.status, check.n_failed) == ("failed", 2)


def test_a_row_of_an_earlier_night_that_is_superseded_is_in_the_ledger(hospital: Any) -> None:
    hospital.spend_text(HEADER + GOOD + OTHER)
    night = hospital.spend_text(HEADER + GOOD.replace("preliminary", "final").replace("0.8", "0.7"))
    assert sorted(outcomes(night)) == [(1, 0, 0, 1, 0), (1, 1, 0, 0, 0)]


def test_a_file_given_again_beside_its_correction_has_one_line(hospital: Any) -> None:
    first = hospital.write("labs.csv", HEADER + GOOD + OTHER)
    hospital.spend(first)
    night = hospital.spend(first, hospital.write("new.csv", HEADER + GOOD.replace("preliminary", "corrected")))
    assert sorted(outcomes(night)) == [(1, 1, 0, 0, 0), (2, 0, 1, 1, 0)]


@pytest.mark.parametrize("order", list(permutations(["labs", "dead"])))
def test_a_death_that_becomes_known_sets_later_results_aside_in_any_order(
    hospital: Any, order: tuple[str, ...]
) -> None:
    texts = {"labs": HEADER + GOOD + LATE + OTHER, "dead": DEAD}
    nights = [hospital.spend_text(texts[name], name=f"{name}.csv") for name in order]
    assert hospital.canonical("lab", "person_id, specimen_id") == [("P1", "S1"), ("P2", "S2")]
    moved = outcomes(nights[-1], table_name="canonical.lab")
    assert moved == ([(1, 0, 0, 0, 1)] if order[0] == "labs" else [(3, 2, 0, 0, 1)])


def test_what_was_set_aside_before_is_no_news_when_its_person_is_judged_again(hospital: Any) -> None:
    hospital.spend_text(HEADER + IMPOSSIBLE + OTHER)
    night = hospital.spend_text(HEADER + LATE)
    assert outcomes(night) == [(1, 1, 0, 0, 0)]
    counts = hospital.query("SELECT run_id, count(*) FROM quarantine.row GROUP BY ALL")
    assert counts == [("run_1", 1)]


def test_other_definitions_weigh_rows_again_whose_files_are_not_given_again(hospital: Any, tmp_path: Path) -> None:
    hospital.spend_text(HEADER + GOOD)
    hospital.spend_text(HEADER + IMPOSSIBLE.replace("800", "0.7"))
    assert hospital.canonical("lab", "value, status") == [(700, "final")]
    shipped = Path(hospital.definitions.files["receiving/receiving.yaml"]).read_text(encoding="utf-8")
    overlay = tmp_path / "overlay" / "receiving" / "receiving.yaml"
    overlay.parent.mkdir(parents=True)
    overlay.write_text(shipped.replace("preliminary: 1", "preliminary: 9"), encoding="utf-8")
    hospital.definitions = load_definitions(tmp_path / "overlay")
    hospital.spend_text(HEADER + OTHER)
    assert hospital.canonical("lab", CONTENT) == [("P1", "S1", 800, "preliminary"), ("P2", "S2", 3500, "final")]
