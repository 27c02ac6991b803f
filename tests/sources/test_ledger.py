"""Whatever a file holds, every row of it ends in exactly one column of the ledger, and order changes nothing."""

from collections.abc import Callable
from typing import Any

import duckdb
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

HEADER = "person_id,specimen_id,collected_at,resulted_at,test_code,value,unit,status\n"
row = st.builds(
    "{},{},{},{},{},{},{},{}".format,
    st.sampled_from(["P1", "P2", "7.0", ""]),
    st.sampled_from(["S1", "S2", ""]),
    st.sampled_from(["2024-03-01 08:00", "2024-03-01", "never", ""]),
    st.sampled_from(["2024-03-01 09:00", "2024-03-01 10:00", ""]),
    st.sampled_from(["751-8", "770-8", "5821-4", ""]),
    st.sampled_from(["3.5", "0", "<0.1", ">20", "ND", "abc", "-1", '"3,5"', ""]),
    st.sampled_from(["10*9/L", "/uL", "%", "furlongs", ""]),
    st.sampled_from(["final", "corrected", "preliminary", "cancelled", "odd", ""]),
)
malformed = st.sampled_from(["P1", "P1,S1,2024-03-01,,751-8,3,K/uL,final,too,many"])
files = st.lists(st.lists(st.one_of(row, row, row, malformed), min_size=1, max_size=6), min_size=1, max_size=3)
CONTENT = "person_id, specimen_id, collected_at, analyte, value, lower_bound, upper_bound, status, record_key"


@given(files=files, data=st.data())
@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
def test_every_row_ends_in_exactly_one_column_and_order_changes_nothing(
    make_hospital: Callable[[], Any], accepted: Callable[..., Any], files: list[list[str]], data: st.DataObject
) -> None:
    seen = []
    every_row = [line for lines in files for line in lines]
    for parts in (files, [data.draw(st.permutations(every_row))]):
        hospital = make_hospital()
        for place, lines in enumerate(parts):
            folder = hospital.write(f"labs_{place}.csv", HEADER + "\n".join(lines) + "\n").parent
        night = hospital.receive(folder)
        sums = [(e.n_accepted, e.n_duplicate, e.n_superseded, e.n_quarantined, e.n_irrelevant) for e in night.ledger]
        assert [sum(line) for line in sums] == [line.n_received for line in night.ledger]
        assert min(min(line) for line in sums) >= 0
        assert sum(line.n_received for line in night.ledger) == sum(
            len(lines) for place, lines in enumerate(parts) if lines not in parts[:place]
        )
        rows = accepted(night, CONTENT)
        assert len(rows) == sum(line[0] for line in sums)
        assert len({(row[0], row[-1]) for row in rows}) == len(rows)
        quarantined = duckdb.sql(f"SELECT count(*) FROM '{night.dropped}' WHERE outcome = 'quarantined'").fetchall()
        assert quarantined == [(sum(line[3] for line in sums),)]
        seen.append(rows)
    assert seen[0] == seen[1]
