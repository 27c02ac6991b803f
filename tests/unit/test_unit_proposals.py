"""A unit is proposed for all results of a code together, or not at all."""

from hypothesis import given
from hypothesis import strategies as st

from transforms.load import load_definitions
from transforms.unit_proposals import Distribution, find_unit, fit_unit
from transforms.units import read_units

DEFINITIONS = load_definitions()
PROPOSING = DEFINITIONS.proposing
KNOWN = (read_units(DEFINITIONS.codes("units")), PROPOSING)
LEUKOCYTES, NEUTROPHILS = PROPOSING.families["leukocytes"], PROPOSING.families["neutrophils"]
MANY = 500


def seen(median: float, n_values: int = MANY, n_people: int = MANY) -> Distribution:
    return Distribution(n_values, n_people, median / 3, median, median * 1.5)


@given(st.floats(*LEUKOCYTES.median_cells_per_ul))
def test_the_same_counts_in_another_scale_get_the_other_unit(cells_per_ul: float) -> None:
    assert fit_unit(LEUKOCYTES, "count", seen(cells_per_ul), PROPOSING) == ("/uL", "count")
    assert fit_unit(LEUKOCYTES, "count", seen(cells_per_ul / 1000), PROPOSING) == ("10*9/L", "count")


@given(st.floats(0, 1e9), st.sampled_from(["count", "share", None]))
def test_a_proposed_unit_always_leads_to_a_plausible_median(median: float, quantity: str | None) -> None:
    found = fit_unit(NEUTROPHILS, quantity, seen(median), PROPOSING)  # type: ignore[arg-type]
    if found is None:
        return
    unit, kind = found
    factor = {**PROPOSING.counts, **PROPOSING.rare_counts, **PROPOSING.shares}[unit]
    low, high = NEUTROPHILS.median_cells_per_ul if kind == "count" else NEUTROPHILS.median_percent or (0, 0)
    assert low <= median * factor <= high


@given(st.floats(2, 11))
def test_few_results_or_few_people_decide_nothing(median: float) -> None:
    few = [seen(median, PROPOSING.fewest_values - 1), seen(median, n_people=PROPOSING.fewest_people - 1)]
    assert [find_unit(LEUKOCYTES, "count", None, entry, KNOWN).unit for entry in few] == [None, None]


def test_a_written_unit_stands_unless_its_results_contradict_it() -> None:
    assert find_unit(LEUKOCYTES, "count", "K/uL", seen(6.2), KNOWN).is_written
    assert find_unit(LEUKOCYTES, "count", "K/uL", seen(6200), KNOWN).is_contradicted
    assert find_unit(NEUTROPHILS, "share", "K/uL", seen(6.2), KNOWN).is_contradicted
    assert find_unit(LEUKOCYTES, "count", "mmol/L", seen(6.2), KNOWN).is_contradicted
