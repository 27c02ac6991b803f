"""However an extract is split, shuffled, repeated, corrected and sent over nights, the tables end as of one load.

A small fixed sample runs with all tests; `make fuzz` draws new and many more.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zlib import crc32

import duckdb
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from transforms.schemas import load_tables, schema_of

EXAMPLES = int(os.environ.get("NADIR_FUZZ_EXAMPLES", "0"))
LABS = "person_id,specimen_id,collected_at,resulted_at,test_code,value,unit,status\n"
PERSONS = "person_id,sex,birth_year,died_on\n"
PROVENANCE = {"input_id", "row_number", "column_number"}
CANONICAL = [name for name in load_tables() if name.startswith("canonical.")]
RESULTS = [name for name in load_tables() if name.split(".")[0] in {"derived", "counts"}]

lab_row = st.builds(
    "{0[0]},{0[1]},{0[2]},{1},{2},{3},10*9/L,{4}\n".format,
    st.sampled_from(
        [("P1", "S1", "2024-03-01 08:00"), ("P1", "S2", "2024-03-08 08:00"), ("P2", "S3", "2024-03-01 08:00")]
    ),
    st.sampled_from(["", "2024-03-09 09:00", "2024-03-09 10:00"]),
    st.sampled_from(["751-8", "751-8", "6690-2"]),
    st.sampled_from(["0.4", "0.9", "3.5", "4.5", "800", "furlong"]),
    st.sampled_from(["final", "final", "preliminary", "corrected", "cancelled", "deleted"]),
)
person_row = st.builds(
    "{},{},{},{}\n".format,
    st.sampled_from(["P1", "P2", "P3"]),
    st.sampled_from(["F", "M", ""]),
    st.sampled_from(["1960", "1970", ""]),
    st.sampled_from(["", "", "2024-03-04"]),
)


@dataclass(frozen=True)
class Extract:
    """What one sender sends at once, and what is declared of it."""

    labs: tuple[str, ...]
    persons: tuple[str, ...]
    declared: str

    def write(self, folder: Path) -> Path:
        """Files in a folder of their own; a row of no interest makes their bytes their own, the same every time."""
        folder.mkdir(parents=True)
        number = crc32(repr(self).encode())
        mark = f"P9,S{number},2024-03-01 08:00,,2093-3,5,mmol/L,final\n"
        (folder / "labs.csv").write_text(LABS + mark + "".join(self.labs), encoding="utf-8")
        if self.persons:
            (folder / "persons.csv").write_text(PERSONS + f"Q{number},,,\n" + "".join(self.persons), encoding="utf-8")
        (folder / "source.yaml").write_text(SOURCE_MAP + self.declared, encoding="utf-8")
        return folder


SOURCE_MAP = """id: ours
source_id: ours
tables:
  - table: lab
    columns: {person_id: person_id, specimen_id: specimen_id, collected_at: collected_at, resulted_at: resulted_at,
      code: test_code, value: value, unit: unit, status: status}
    needs: [person_id, code, value]
  - table: person
    columns: {person_id: person_id, sex: sex, birth_year: birth_year, died_on: died_on}
    needs: [person_id, sex]
"""
dates = st.sampled_from(["", "", "extract_date: 2024-04-01\n", "extract_date: 2024-04-02\n"])
snapshot = st.sampled_from(
    ["extract_date: 2024-04-01\nis_snapshot: true\n", "extract_date: 2024-04-03\nis_snapshot: true\n"]
)
rows = st.lists(lab_row, min_size=0, max_size=5).map(tuple)
persons = st.lists(person_row, min_size=0, max_size=2).map(tuple)
extract = st.builds(Extract, rows, persons, st.one_of(dates, dates, snapshot))


def sample(n_examples: int) -> settings:
    """A fixed sample, or as many new examples as the environment asks for."""
    return settings(
        max_examples=EXAMPLES or n_examples,
        derandomize=not EXAMPLES,
        deadline=None,
        database=None,
        phases=(Phase.explicit, Phase.generate) if not EXAMPLES else tuple(Phase),
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )


@given(extracts=st.lists(extract, min_size=2, max_size=4), data=st.data())
@sample(3)
def test_nights_in_any_order_end_in_the_tables_of_one_load(
    make_hospital: Callable[[], Any], extracts: list[Extract], data: st.DataObject
) -> None:
    once, apart = make_hospital(), make_hospital()
    spend(once, extracts)
    for night in nights_of(data.draw(st.permutations(extracts)), data):
        spend(apart, night)
    assert_same(once, apart, CANONICAL)


@given(whole=st.lists(lab_row, min_size=1, max_size=8), data=st.data())
@sample(2)
def test_an_extract_that_is_split_shuffled_and_doubled_ends_as_it_was_sent_whole(
    make_hospital: Callable[[], Any], whole: list[str], data: st.DataObject
) -> None:
    once, apart = make_hospital(), make_hospital()
    spend(once, [Extract(tuple(whole), (), "")])
    shuffled = data.draw(st.permutations([*whole, *data.draw(st.lists(st.sampled_from(whole), max_size=3))]))
    cut = data.draw(st.integers(0, len(shuffled)))
    for part in (shuffled[:cut], shuffled[cut:], shuffled[:cut]):
        spend(apart, [Extract(tuple(part), (), "")])
    assert_same(once, apart, CANONICAL)


@pytest.mark.slow
@given(extracts=st.lists(extract, min_size=2, max_size=3), data=st.data())
@sample(1)
def test_what_is_derived_and_counted_ends_the_same_too(
    make_hospital: Callable[[], Any], extracts: list[Extract], data: st.DataObject
) -> None:
    once, apart = make_hospital(), make_hospital()
    spend(once, extracts, is_derived=True)
    for entry in data.draw(st.permutations(extracts)):
        spend(apart, [entry], is_derived=True)
    assert_same(once, apart, [*CANONICAL, *RESULTS])


def assert_same(once: Any, apart: Any, tables: Sequence[str]) -> None:
    for table in tables:
        assert content(apart, table) == content(once, table), table


def nights_of(order: Sequence[Extract], data: st.DataObject) -> Iterator[list[Extract]]:
    """Extracts in this order over some nights; now and then an earlier one is sent again."""
    sent: list[Extract] = []
    while len(sent) < len(order):
        n_tonight = data.draw(st.integers(1, len(order) - len(sent)))
        tonight = list(order[len(sent) : len(sent) + n_tonight])
        again = data.draw(st.lists(st.sampled_from(sent), max_size=1)) if sent else []
        sent += tonight
        yield [*tonight, *again]


def spend(hospital: Any, extracts: Sequence[Extract], *, is_derived: bool = False) -> None:
    """One night, with a ledger that is looked at; the same extract has the same bytes whenever it is sent."""
    folders = [
        entry.write(hospital.folder / f"night_{hospital.n_nights}_{place}") for place, entry in enumerate(extracts)
    ]
    night = (hospital.live if is_derived else hospital.spend)(*folders)
    for line in night.ledger:
        ends = (line.n_accepted, line.n_duplicate, line.n_superseded, line.n_quarantined, line.n_irrelevant)
        assert sum(ends) == line.n_received
        assert min(ends) >= 0
    received = {entry.input_id: entry.rows for entry in night.received.inputs}
    for input_id, n_rows in received.items():
        assert sum(line.n_received for line in night.ledger if line.input_id == input_id) == n_rows
    assert hospital.query(f"SELECT count(*) FROM quarantine.row WHERE run_id = '{hospital.context.run_id}'") == [
        (sum(line.n_quarantined for line in night.ledger),)
    ]
    assert hospital.query("SELECT count(*) FROM canonical.lab") == [(kept_by_ledger(hospital),)]


def kept_by_ledger(hospital: Any) -> int:
    """Results accepted when their file was read, and what later lines say of rows that went or came back."""
    lines = hospital.query(
        """SELECT n_accepted, n_superseded + n_quarantined AS n_out, n_duplicate, i.input_id IS NOT NULL AS is_given,
            row_number() OVER (PARTITION BY l.input_id ORDER BY length(run_id), run_id) = 1 AS is_first
        FROM ops.row_ledger l LEFT JOIN ops.input i USING (run_id, input_id) WHERE table_name = 'canonical.lab'"""
    )
    return sum(
        n_accepted - (0 if is_first else n_out + (0 if is_given else n_duplicate))
        for n_accepted, n_out, n_duplicate, is_given, is_first in lines
    )


def content(hospital: Any, table: str) -> list[tuple[Any, ...]]:
    """All rows, where they came from apart."""
    columns = ", ".join(f'"{name}"' for name in schema_of(table).column_names if name not in PROVENANCE)
    with duckdb.connect(str(hospital.workspace.warehouse), read_only=True) as connection:
        return connection.execute(f"SELECT {columns} FROM {table} ORDER BY ALL").fetchall()
