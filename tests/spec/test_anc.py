"""How a count is read from a specimen: traps that lose or invent neutropenia, one table each."""

from decimal import Decimal
from typing import Any

import polars as pl
import pytest

from transforms.anc import choose_anc, measure_specimens
from transforms.examples_of_counts import LAB

TWO_DRAWS = """
specimen | day | analyte    | method | result
s1       | 0   | wbc        | auto   | 4000
s1       | 0   | neut_pct   | auto   | 50
s2       | 1   | wbc        | auto   | 1000
s3       | 1   | neut_pct   | auto   | 10
"""


def rows_of(text: str, table: Any, specimen: Any, day_at: Any, **given: Any) -> list[dict[str, Any]]:
    rows = []
    for line in table(text):
        where = {"specimen_id": line["specimen"], "collected_at": day_at(float(line["day"]))}
        rows += specimen({f"{line['analyte']} {line['method']}": line["result"]}, **where, **given)
    return rows


def test_parts_of_two_specimens_are_never_multiplied(table: Any, specimen: Any, day_at: Any, anc_of: Any) -> None:
    found = anc_of(rows_of(TWO_DRAWS, table, specimen, day_at))
    assert [(row["specimen_id"], row["anc_cells_per_ul"], row["upper_cells_per_ul"]) for row in found] == [
        ("s1", 2000, 2000),
        ("s2", None, 1000),
    ]


@pytest.mark.parametrize(
    ("result", "severity"),
    [
        pytest.param("0", "profound", id="a count of zero"),
        pytest.param("<100", "profound", id="below what the machine can count"),
        pytest.param("<=100", "severe", id="at most 100"),
        pytest.param("<500", "severe", id="below 500 is severe"),
        pytest.param("<=500", "undecided", id="at most 500 may be 500"),
        pytest.param("<2000", "undecided", id="below 2000 may be anything"),
        pytest.param(">1500", "none", id="above 1500"),
        pytest.param("1499.4", "mild", id="1499.4 rounds to 1499"),
        pytest.param("1499.5", "none", id="1499.5 rounds half up to 1500"),
    ],
)
def test_a_reported_count_has_the_severity_it_proves(result: str, severity: str, specimen: Any, anc_of: Any) -> None:
    (row,) = anc_of(specimen({"anc_direct auto": result}))
    assert row["severity"] == severity


def test_a_strict_limit_means_the_same_whether_receive_tightened_it_or_not(specimen: Any, anc_of: Any) -> None:
    (as_sent,) = specimen({"anc_direct auto": "<500"})
    tightened = as_sent | {"upper_bound": Decimal("499.999999")}
    assert anc_of([as_sent]) == anc_of([tightened])


def test_white_cells_below_500_without_a_differential_are_severe(specimen: Any, anc_of: Any) -> None:
    (row,) = anc_of(specimen({"wbc auto": 400}))
    assert (row["anc_cells_per_ul"], row["route"], row["severity"]) == (None, "wbc_only", "severe")


def test_a_limit_on_the_white_cells_passes_through_the_product(specimen: Any, anc_of: Any) -> None:
    (row,) = anc_of(specimen({"wbc auto": "<100", "neut_pct auto": 50}))
    assert (row["lower_cells_per_ul"], row["upper_cells_per_ul"], row["route"]) == (0, 49, "neut_pct")


def test_a_limit_on_the_share_passes_through_the_product(specimen: Any, anc_of: Any) -> None:
    (below,) = anc_of(specimen({"wbc auto": 2000, "neut_pct auto": "<1"}))
    (above,) = anc_of(specimen({"wbc auto": 2000, "neut_pct auto": ">90"}))
    assert (below["lower_cells_per_ul"], below["upper_cells_per_ul"]) == (0, 19)
    assert (above["lower_cells_per_ul"], above["upper_cells_per_ul"]) == (1801, 2000)


def test_a_fraction_of_one_is_a_share_of_a_hundred(specimen: Any, anc_of: Any) -> None:
    as_fraction = specimen({"wbc auto": 2000, "neut_fraction auto": "0.415"})
    converted = [row | {"unit": "%", "value": row["value"] * 100} if "fraction" in row["analyte"] else row
                 for row in as_fraction]  # fmt: skip
    assert [row["anc_cells_per_ul"] for row in anc_of(as_fraction) + anc_of(converted)] == [830, 830]


def test_every_route_of_a_specimen_is_kept(specimen: Any, candidates_of: Any, anc_of: Any) -> None:
    rows = specimen({"anc_direct auto": 900, "anc_direct manual": 800, "wbc auto": 2000, "neut_pct auto": 45})
    assert dict(candidates_of(rows).select("route", "anc_cells_per_ul").iter_rows()) == {
        "direct_auto": 900,
        "direct_manual": 800,
        "neut_pct": 900,
        "wbc_only": None,
    }
    assert [row["route"] for row in anc_of(rows)] == ["direct_manual"]


def test_a_count_above_the_white_cells_within_tolerance_stands(specimen: Any, anc_of: Any) -> None:
    (near,) = anc_of(specimen({"anc_direct auto": 2100, "wbc auto": 2000}))
    (far,) = anc_of(specimen({"anc_direct auto": 2101, "wbc auto": 2000}))
    assert (near["anc_cells_per_ul"], far["anc_cells_per_ul"], far["route"]) == (2100, None, "wbc_only")


@pytest.mark.parametrize(
    ("reported", "calculated_pct", "discordant"),
    [
        pytest.param(1000, 55, False, id="a hundred cells apart"),
        pytest.param(1000, 56, True, id="more than a hundred cells apart"),
        pytest.param(5000, 50, False, id="the same"),
    ],
)
def test_routes_agree_within_a_hundred_cells_or_a_tenth(
    reported: int, calculated_pct: int, discordant: bool, specimen: Any, anc_of: Any
) -> None:
    white = 2000 if reported == 1000 else 10000
    (row,) = anc_of(specimen({"anc_direct auto": reported, "wbc auto": white, "neut_pct auto": calculated_pct}))
    assert row["is_discordant"] is discordant


def test_the_same_result_twice_is_one_and_two_results_take_the_lower_with_a_flag(specimen: Any, anc_of: Any) -> None:
    low, high = specimen({"wbc auto": 2000}), specimen({"wbc auto": 3000})
    share = specimen({"neut_pct auto": 50})
    (same,) = anc_of(low + low + share)
    (different,) = anc_of(high + low + share)
    assert (same["anc_cells_per_ul"], same["is_discordant"]) == (1000, False)
    assert (different["anc_cells_per_ul"], different["is_discordant"]) == (1000, True)


def test_of_two_results_the_better_method_and_then_the_better_status_is_taken(specimen: Any, anc_of: Any) -> None:
    by_machine, by_hand = specimen({"wbc auto": 3000}), specimen({"wbc manual": 2000})
    corrected = specimen({"wbc auto": 2600}, status="corrected")
    share = specimen({"neut_pct auto": 50})
    assert anc_of(by_hand + by_machine + share)[0]["anc_cells_per_ul"] == 1500
    assert anc_of(by_hand + by_machine + corrected + share)[0]["anc_cells_per_ul"] == 1300


def test_where_only_days_are_known_two_white_counts_of_a_day_are_averaged(specimen: Any, anc_of: Any) -> None:
    rows = specimen({"wbc auto": 2000}, time_precision="day") + specimen({"wbc auto": 3000}, time_precision="day")
    (row,) = anc_of(rows + specimen({"neut_pct auto": 50}, time_precision="day"))
    assert (row["anc_cells_per_ul"], row["is_discordant"], row["time_precision"]) == (1250, True, "day")


def test_counts_without_dates_are_still_counts(specimen: Any, anc_of: Any) -> None:
    (row,) = anc_of(specimen({"anc_direct auto": 900}, collected_at=None, time_precision="none"))
    assert (row["anc_cells_per_ul"], row["collected_at"]) == (900, None)


def test_no_results_give_no_counts(anc_of: Any, candidates_of: Any) -> None:
    assert anc_of([]) == []
    assert candidates_of([]).height == 0


def test_the_order_of_rows_changes_nothing(
    table: Any, specimen: Any, day_at: Any, routes: Any, clinical_scale: Any
) -> None:
    text = TWO_DRAWS + "s1 | 0 | wbc | manual | 4100\ns1 | 0 | wbc | auto | 3900\ns1 | 0 | bands_pct | manual | 3\n"
    rows = pl.DataFrame(rows_of(text, table, specimen, day_at), infer_schema_length=None).lazy()
    once, reversed_ = (
        choose_anc(measure_specimens(frame, routes), routes, clinical_scale).collect()
        for frame in (rows, rows.reverse())
    )
    assert once.equals(reversed_)
    assert once.height == 2


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        pytest.param([], None, id="none came with the result"),
        pytest.param(["1800"], 1800, id="as the laboratory gives it"),
        pytest.param(["1799.5"], 1800, id="between two counts: 1799 is below it"),
        pytest.param(["1500", "1800"], 1800, id="of two the higher"),
    ],
)
def test_a_lower_limit_of_normal_stands_beside_the_count_it_came_with(
    limits: list[str], expected: int | None, specimen: Any, routes: Any, clinical_scale: Any
) -> None:
    (result,) = specimen({"anc_direct auto": 900})
    rows = [{**result, "reference_low": Decimal(limit)} for limit in limits] or [{**result, "reference_low": None}]
    lab = pl.LazyFrame(rows, schema={**LAB, "reference_low": pl.Decimal(18, 6)})
    found = choose_anc(measure_specimens(lab, routes), routes, clinical_scale).collect()
    assert found["reference_low_cells_per_ul"].to_list() == [expected]


@pytest.mark.parametrize(
    ("counted", "least", "most"), [(0, 0, 362), (5, 165, 1128), (10, 491, 1762), (20, 1267, 2918), (50, 3984, 6016)]
)
def test_a_share_of_a_hundred_cells_has_its_exact_limits(
    counted: int, least: int, most: int, specimen: Any, anc_of: Any
) -> None:
    """5 % is 1.6 to 11.3 %, 10 % 4.9 to 17.6, 20 % 12.7 to 29.2, 50 % 39.8 to 60.2 (exact 95 % limits)."""
    (row,) = anc_of(specimen({"wbc auto": 10000, "segs_pct manual": counted, "bands_pct manual": 0}))
    assert row["anc_cells_per_ul"] == counted * 100
    assert (row["possible_lower_cells_per_ul"], row["possible_upper_cells_per_ul"]) == (least, most)


def test_white_cells_of_3000_with_ten_percent_counted_by_hand_may_be_150_or_530(specimen: Any, anc_of: Any) -> None:
    for results in (
        {"wbc auto": 3000, "neut_pct manual": 10},
        {"wbc auto": 3000, "segs_pct manual": 8, "bands_pct manual": 2},
        {"wbc auto": 3000, "neut_pct auto": 8, "bands_pct manual": 2},
        {"wbc auto": 3000, "anc_direct manual": 300},
        {"wbc auto": 3000, "segs_abs manual": 240, "bands_abs manual": 60},
    ):
        (row,) = anc_of(specimen(results))
        assert (row["anc_cells_per_ul"], row["severity"]) == (300, "severe")
        assert (row["possible_lower_cells_per_ul"], row["possible_upper_cells_per_ul"]) == (148, 528)


def test_what_a_machine_counted_is_left_open_by_nothing(specimen: Any, anc_of: Any) -> None:
    for results in ({"anc_direct auto": 300, "wbc auto": 3000}, {"wbc auto": 3000, "neut_pct auto": 10}):
        (row,) = anc_of(specimen(results))
        assert (row["possible_lower_cells_per_ul"], row["possible_upper_cells_per_ul"]) == (300, 300)
        assert row["has_uncorrected_nrbc"] is False


def test_red_cells_among_uncorrected_white_ones_are_flagged_and_bounded_but_not_taken_off(
    specimen: Any, anc_of: Any
) -> None:
    """White cells x 100 / (100 + nucleated red cells), from 5 of them per 100 white cells on."""
    counts = {"wbc auto": 3000, "neut_pct auto": 60}
    (row,) = anc_of(specimen({**counts, "nrbc_per_100wbc auto": 50}))
    assert (row["anc_cells_per_ul"], row["possible_lower_cells_per_ul"]) == (1800, 1200)
    assert row["has_uncorrected_nrbc"] is True
    (few,) = anc_of(specimen({**counts, "nrbc_per_100wbc auto": 4.9}))
    assert (few["possible_lower_cells_per_ul"], few["has_uncorrected_nrbc"]) == (1800, False)
    (corrected,) = anc_of(specimen({**counts, "wbc_corrected auto": 2000, "nrbc_per_100wbc auto": 50}))
    assert (corrected["anc_cells_per_ul"], corrected["possible_lower_cells_per_ul"]) == (1200, 1200)
    (reported,) = anc_of(specimen({**counts, "anc_direct auto": 1800, "nrbc_per_100wbc auto": 50}))
    assert (reported["possible_lower_cells_per_ul"], reported["has_uncorrected_nrbc"]) == (1800, False)


def test_the_shares_beside_bands_are_those_of_the_differential_by_hand_where_both_were_done(
    specimen: Any, anc_of: Any
) -> None:
    """By hand 50 + 40 + 10 is whole with 10 bands inside; with the machine's 62 + 8 as well it would seem to be 170."""
    by_machine = specimen({"neut_pct auto": 30, "lymph_pct auto": 62, "mono_pct auto": 8})
    by_hand = specimen({"neut_pct manual": 50, "bands_pct manual": 10, "lymph_pct manual": 40, "mono_pct manual": 10})
    (row,) = anc_of(specimen({"wbc auto": 2000}) + by_machine + by_hand)
    assert (row["anc_cells_per_ul"], row["route"]) == (1000, "neut_pct")


def test_where_only_days_are_known_the_shares_of_two_differentials_are_not_added_up(specimen: Any, anc_of: Any) -> None:
    shares = {"wbc auto": 2000, "neut_pct auto": 60, "bands_pct manual": 10, "lymph_pct auto": 40}
    twice = specimen(shares, time_precision="day") + specimen(shares, time_precision="day")
    (row,) = anc_of(twice)
    assert (row["anc_cells_per_ul"], row["route"]) == (1200, "neut_pct")


def test_what_two_results_of_a_share_mean_does_not_depend_on_how_others_are_counted(specimen: Any, anc_of: Any) -> None:
    """Somebody else's differential was done by machine and by hand; which decided whether these are added up."""
    own = specimen({"wbc auto": 2000, "neut_pct auto": 60, "bands_pct manual": 10, "lymph_pct auto": 40})
    own += specimen({"lymph_pct auto": 40})
    others = specimen({"wbc auto": 9000, "lymph_pct auto": 30, "lymph_pct manual": 31}, person_index=2)
    (alone,) = anc_of(own)
    beside = [row for row in anc_of(own + others) if row["person_index"] == alone["person_index"]]
    assert beside == [alone]
    assert (alone["anc_cells_per_ul"], alone["route"]) == (1200, "neut_pct")
