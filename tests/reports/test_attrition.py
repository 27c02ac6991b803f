"""The flow from everyone to those who can answer: what is drawn of it adds up, and what is hidden is not drawn."""

from collections.abc import Callable

from reports.charts.attrition import chart
from reports.facts import NightFacts
from reports.numbers import read_numbers
from reports.rows import is_number
from tests.reports.placing import is_drawn
from transforms.load import Definitions
from transforms.release import Released


def test_who_goes_on_and_who_is_left_out_add_to_those_who_came(
    released: Released, facts: NightFacts, definitions: Definitions
) -> None:
    first, *rest = read_numbers(released, facts, definitions).tables["attrition"]
    assert (first["n_drawn"], first["n_left_out"]) == (5480, None)
    n_before = first["n_people"]
    for row in rest:
        n_people, n_left_out = int(row["n_people"] or 0), int(row["n_left_out"] or 0)
        assert row["n_entered"] == row["n_drawn"] == n_before == n_people + n_left_out
        assert f"{n_people:,} go on, {n_left_out:,} left out" in str(row["step_line"]).replace("\u00a0", " ")
        n_before = n_people


def test_a_hidden_step_has_a_word_and_no_bar(
    night: Callable[..., Released], facts: NightFacts, definitions: Definitions
) -> None:
    last = read_numbers(night(cohorts={"everyone": 6}), facts, definitions).tables["attrition"][-1]
    assert not is_number(last["n_people"])
    assert not is_number(last["n_drawn"])
    assert str(last["step_line"]).endswith("hidden")
    assert [trace for trace in chart().traces if is_drawn(trace, last)], "a line of the axis without a row is cut off"
