"""Runs the examples of chemotherapy cycles: drugs and counts of one person by day, and the cycles in them.

Only what an example names is compared, but the number of cycles always is.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import polars as pl

from transforms.codelists import read_drugs
from transforms.cycles import find_cycles
from transforms.example_results import ExampleResult, frame_of, named_facts, read_examples, tell
from transforms.examples_of_counts import DRAWN_AT
from transforms.examples_of_episodes import COUNTS, count_row, day_at
from transforms.load import Definitions
from transforms.model.day_examples import CycleExample, CycleExpected
from transforms.person_time import find_test_days
from transforms.plan import severe_cut, tested_of

DOSES = {"person_index": pl.UInt32, "drug": pl.String, "given_on": pl.Date}
COLUMNS = {
    "number": "cycle_number",
    "nadir": "nadir_cells_per_ul",
    "largest_gap": "largest_gap_days",
    "started": "started_on",
    "ended": "ended_on",
}


def check_cycles(definitions: Definitions) -> list[ExampleResult]:
    """Every example of the cycles, in a fixed order."""
    rules = definitions.cycles
    patients = read_examples(CycleExample, "cycles", rules)
    found = find_charted_cycles(patients, definitions)
    results = []
    for place, patient in enumerate(patients):
        rows = found.filter(pl.col("person_index") == place).to_dicts()
        expected = _joined(tell(named_facts(cycle)) for cycle in patient.cycles)
        results.append(ExampleResult("cycles", rules.id, patient.case, expected, _joined(_got(rows, patient.cycles))))
    return results


def find_charted_cycles(patients: Sequence[CycleExample], definitions: Definitions) -> pl.DataFrame:
    """Cycles of every patient as `find_cycles` gives them; `person_index` is the place in `patients`."""
    places = list(enumerate(patients))
    doses = [
        (place, drug, day_at(day)) for place, each in places for day, drugs in each.doses.items() for drug in drugs
    ]
    counts = [
        count_row(day, count) | {"person_index": place, "specimen_id": f"s{day}"}
        for place, each in places
        for day, count in each.counts.items()
    ]
    anc = pl.LazyFrame(counts, schema=COUNTS).with_columns(route=pl.lit("direct_auto"))
    told = frame_of(DOSES, doses).join(read_drugs(definitions).lazy().select("drug", "is_cytotoxic"), on="drug")
    rules, cuts = definitions.cycles, [severe_cut(definitions.cycles)]
    return find_cycles(told, find_test_days(anc, tested_of(definitions), cuts), rules, definitions.regimens)


def _got(rows: Sequence[Mapping[str, Any]], expected: Sequence[CycleExpected]) -> Iterable[str]:
    for place, row in enumerate(rows):
        names = list(named_facts(expected[place])) if place < len(expected) else ["number", "started", "ended"]
        yield tell({name: _fact(row, name) for name in names})


def _fact(row: Mapping[str, Any], name: str) -> Any:
    value = row[COLUMNS.get(name, name)]
    return (value - DRAWN_AT.date()).days if name in {"started", "ended"} else value


def _joined(cycles: Iterable[str]) -> str:
    return "; ".join(f"{number}: {told}" for number, told in enumerate(cycles, start=1)) or "no cycle"
