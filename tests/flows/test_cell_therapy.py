"""Haematotoxicity after CAR T cells is graded by the days since each infusion, and said not to apply without any."""

from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path

import duckdb
import pytest

from flows.handover import Published

INFUSED_ON = date(2024, 3, 1)
# Day since the infusion: count. Low before it, for eight days after it, and again late.
COUNTS = {-6: 0.3, -5: 2.0, 0: 1.8, 4: 0.9, 5: 0.4, 8: 0.3, 12: 0.4, 13: 0.9, 29: 2.1, 45: 0.9, 46: 1.8}


def write_infused(folder: Path, people: range) -> Path:
    """People with one infusion each and the same counts."""
    folder.mkdir()
    labs = ["person_id,specimen_id,collected_at,test_code,value,unit"]
    drugs = ["person_id,drug,started_at,evidence"]
    for person in people:
        drugs.append(f"P{person},axicabtagene ciloleucel,{INFUSED_ON},administered")
        for day, count in COUNTS.items():
            at = INFUSED_ON + timedelta(days=day)
            labs.append(f"P{person},S{person}.{day},{at} 08:00,751-8,{count},10*9/L")
    (folder / "labs.csv").write_text("\n".join(labs) + "\n")
    (folder / "drugs.csv").write_text("\n".join(drugs) + "\n")
    return folder


def _query(workspace: Path, sql: str) -> list[tuple[object, ...]]:
    with duckdb.connect(str(workspace / "warehouse.duckdb"), read_only=True) as connection:
        return connection.execute(sql).fetchall()


def _answers(workspace: Path) -> list[tuple[object, ...]]:
    return _query(
        workspace,
        "SELECT status FROM ops.answerable JOIN ops.run USING (run_id) WHERE question = 'after_cell_therapy' "
        "ORDER BY started_at",
    )


@pytest.fixture(scope="module")
def two_nights(tmp_path_factory: pytest.TempPathFactory, count_directly: Callable[..., None]) -> Path:
    """Ten infused people in the first night, one more in the second."""
    folder = tmp_path_factory.mktemp("infused")
    for name, people in (("first", range(10)), ("second", range(10, 11))):
        count_directly(folder / "workspace", write_infused(folder / name, people))
    return folder / "workspace"


def test_grades_count_from_the_infusion_and_not_from_the_low_count_before_it(two_nights: Path) -> None:
    found = _query(
        two_nights,
        "SELECT rule, threshold_cells_per_ul, anchored_on, first_low_at::DATE - anchored_on, grade, count(*) "
        "FROM derived.episode WHERE rule LIKE 'icaht%' GROUP BY ALL ORDER BY ALL",
    )
    assert found == [
        ("icaht_early", 500, INFUSED_ON, 5, 2, 11),
        ("icaht_late", 1000, INFUSED_ON, 45, 2, 11),
        ("icaht_late", 1500, INFUSED_ON, 45, 1, 11),
    ]


def test_infusions_of_too_few_people_are_not_told_of_and_those_of_eleven_are(two_nights: Path) -> None:
    assert _answers(two_nights) == [("not_answerable",), ("answerable",)]


def test_a_hospital_without_infusions_is_told_that_the_grades_do_not_apply(
    published_night: tuple[Path, Published],
) -> None:
    workspace, _ = published_night
    assert _query(workspace, "SELECT count(*) FROM derived.episode WHERE rule LIKE 'icaht%'") == [(0,)]
    answers = _query(
        workspace, "SELECT DISTINCT status, reason FROM ops.answerable WHERE question = 'after_cell_therapy'"
    )
    assert [status for status, _ in answers] == ["not_answerable"]
    assert "does not apply" in str(answers[0][1])
