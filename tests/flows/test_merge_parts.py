"""Whatever hospitals people are divided among, in whatever order and grouping counts are added, the sum is one."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from zipfile import ZipFile

import polars as pl
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from flows.counts_file import SentCounts, Site, read_counts, write_counts
from flows.merging import add_up
from tests.disclosure.drawn_hospital import Hospital, count_hospital, draw_hospital, plan_hospital
from transforms.counting import add_counts
from transforms.load import load_definitions
from transforms.schemas import load_tables
from transforms.zeros import without_zeros

DEFINITIONS = load_definitions()
PEOPLE = 6
Counts = Mapping[str, pl.DataFrame]
PARTS = st.lists(st.integers(0, 3), min_size=PEOPLE, max_size=PEOPLE)  # the hospital of each person


@pytest.fixture(scope="module")
def hospital() -> Hospital:
    drawn = draw_hospital(3, n_people=PEOPLE, n_days=70, low_share=0.7)
    treated = drawn.people.with_columns(is_chemotherapy=pl.col("person_index") % 2 == 0)
    return Hospital(treated, drawn.tests, drawn.n_days)


@pytest.fixture(scope="module")
def pooled(hospital: Hospital) -> Counts:
    return _count(hospital, range(PEOPLE))


@pytest.fixture(scope="module")
def alone(hospital: Hospital) -> Sequence[Counts]:
    """The counts of each person alone."""
    return [_count(hospital, [person]) for person in range(PEOPLE)]


def _count(hospital: Hospital, people: Sequence[int] | range) -> Counts:
    is_here = pl.col("person_index").is_in(list(people))
    part = Hospital(hospital.people.filter(is_here), hospital.tests.filter(is_here), hospital.n_days)
    return without_zeros(count_hospital(part, plan_hospital(DEFINITIONS)))


def _site(name: str) -> Site:
    return Site(name, "result", "code", "real", "go", None, None, ())


def _bytes(counts: Counts) -> Mapping[str, bytes]:
    with TemporaryDirectory() as folder:
        write_counts(Path(folder) / "counts.zip", counts, [_site("one")], DEFINITIONS)
        with ZipFile(Path(folder) / "counts.zip") as archive:
            return {name: archive.read(name) for name in archive.namelist() if name.endswith(".csv")}


def _add(parts: Sequence[Counts]) -> Counts:
    return without_zeros({name: add_counts(name, [part[name] for part in parts]) for name in parts[0]})


@pytest.mark.slow
@given(of_person=PARTS)
@settings(max_examples=2, deadline=None, suppress_health_check=list(HealthCheck), phases=[Phase.generate])
def test_hospitals_that_count_their_own_people_add_up_to_the_pooled_extract(
    of_person: list[int], hospital: Hospital, pooled: Counts
) -> None:
    """Every table that a drawn hospital has, byte for byte."""
    groups = [[person for person, part in enumerate(of_person) if part == number] for number in sorted({*of_person})]
    assert _bytes(_add([_count(hospital, group) for group in groups])) == _bytes(pooled)


@given(of_person=PARTS, order=st.permutations(range(PEOPLE)))
@settings(max_examples=6, deadline=None, suppress_health_check=list(HealthCheck), phases=[Phase.generate])
def test_any_grouping_and_order_of_people_gives_the_same_counts(
    of_person: list[int], order: list[int], alone: Sequence[Counts], pooled: Counts
) -> None:
    """Sums of sums, of people in any order."""
    groups: dict[int, list[Counts]] = {}
    for person in order:
        groups.setdefault(of_person[person], []).append(alone[person])
    assert _bytes(_add([_add(group) for group in groups.values()])) == _bytes(pooled)


@given(order=st.permutations(range(PEOPLE)), first=st.integers(1, PEOPLE - 1))
@settings(max_examples=2, deadline=None, suppress_health_check=list(HealthCheck), phases=[Phase.generate])
def test_files_of_any_number_of_hospitals_give_one_file_in_any_order_and_grouping(
    order: list[int], first: int, alone: Sequence[Counts]
) -> None:
    """All at once, or some first and their sum with the rest: the same bytes, with the names of all hospitals."""
    with TemporaryDirectory() as folder:
        root = Path(folder)
        sent = [_send(root / f"{person}.zip", alone[person], f"hospital {person}") for person in range(PEOPLE)]
        add_up(sent, DEFINITIONS, root / "at_once.zip")
        add_up([sent[person] for person in order[:first]], DEFINITIONS, root / "some.zip")
        some = read_counts(root / "some.zip", DEFINITIONS)
        add_up([*(sent[person] for person in order[first:]), some], DEFINITIONS, root / "later.zip")
        assert (root / "later.zip").read_bytes() == (root / "at_once.zip").read_bytes()


def _send(path: Path, counts: Counts, name: str) -> SentCounts:
    write_counts(path, counts, [_site(name)], DEFINITIONS)
    return read_counts(path, DEFINITIONS)


def test_the_people_of_these_tests_have_something_in_most_tables(pooled: Counts) -> None:
    filled = {name for name, rows in pooled.items() if rows.height}
    assert {
        "counts.testing",
        "counts.episode",
        "counts.competition",
        "counts.duration",
        "counts.attrition",
        "counts.first_onset",
        "counts.cycle",
        "counts.cycle_severe",
        "counts.chronic",
        "counts.person_days",
        "counts.drug",
    } <= filled
    assert len(filled) > 25
    assert filled <= load_tables().keys()
