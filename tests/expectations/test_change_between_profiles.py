"""Which nights are stopped, warned of or left alone when only what was counted of them is known."""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta

import pytest

from expectations.profile import Fact, Profile, mark_part, profiles_of
from flows.changes import Before, judge_changes, meaning_of_units, name_acceptable
from flows.handover import CheckResult
from transforms.load import Definitions, load_definitions

MONDAY = date(2024, 3, 4)
WARD = "ward_a"
KILO = {"anc_direct|10*3/uL": 1.0, "wbc|10*3/uL": 1.0, "neut_pct|%": 1.0}
CELLS = {"anc_direct|/uL": 1.0, "wbc|/uL": 1.0, "neut_pct|%": 1.0}
PANEL = {"anc_direct": 0.3, "wbc": 0.4, "neut_pct": 0.3}
MEDIANS = {"anc_direct": 4100.0, "wbc": 7000.0, "neut_pct": 60.0}


@pytest.fixture(scope="module")
def definitions() -> Definitions:
    return load_definitions()


def sent(
    rows: int = 1000,
    night: date = MONDAY,
    *,
    days: int = 1,
    panel: Mapping[str, float] = PANEL,
    units: Mapping[str, float] = KILO,
    **facts: float | Mapping[str, float],
) -> Profile:
    """The profile of a night that sent so many rows, spread evenly over the days before it."""
    per_day = rows / days
    by_analyte = {analyte: rows * share for analyte, share in panel.items()}
    by_unit = {unit: by_analyte.get(unit.split("|")[0], 0.0) * share for unit, share in units.items()}
    dates = [night - timedelta(days=back) for back in range(1, days + 1)]
    given: dict[str, float | Mapping[str, float]] = {
        "dates": {"real": 1.0},
        "weekday": dates[0].isoweekday() if days == 1 else 1,
        "rows": {"": rows, **by_analyte},
        "specimens": rows / 3,
        "people": rows / 6,
        "unit_rows": by_unit,
        "unit_people": dict.fromkeys(by_unit, 40.0),
        "code_rows": {"751-8": rows * 0.3, "6690-2": rows * 0.4, "770-8": rows * 0.3},
        "code_people": {"751-8": 40.0, "6690-2": 40.0, "770-8": 40.0},
        "median": MEDIANS,
        "values": by_analyte,
        "tail": {"anc_direct|0.05": 1500.0, "anc_direct|0.95": 9000.0},
        "low_values": {"500": rows * 0.003, "1500": rows * 0.03},
        "counted_values": rows * 0.3,
        "rows_per_day": per_day,
        "days_behind": 1,
        "days_covered": days,
        "late_rows": 0,
        "received": rows * 1.5,
        "irrelevant": rows * 0.5,
        "refused": rows * 0.01,
        "known": 0,
        "day_rows": {day.isoformat(): per_day for day in dates},
        "empty": {"person.sex": 2.0},
        "could_be_filled": {"person.sex": 200.0},
    }
    given |= facts
    listed = [
        Fact(WARD, measure, part, float(value))
        for measure, parts in given.items()
        for part, value in (parts.items() if isinstance(parts, Mapping) else [("", parts)])
    ]
    (profile,) = profiles_of(listed, night)
    return profile


def workdays(n: int, rows: Sequence[int] = (1000, 1040, 970, 1010, 990)) -> list[Profile]:
    """Nights after working days before MONDAY's week, newest first: none is of a weekend's results."""
    nights = [MONDAY - timedelta(days=back) for back in range(2, 60)]
    nights = [night for night in nights if (night - timedelta(days=1)).isoweekday() <= 5]
    return [sent(rows[k % len(rows)], night) for k, night in enumerate(nights[:n])]


def judge(
    tonight: Profile, earlier: Sequence[Profile], definitions: Definitions, *accepted: str
) -> dict[str, CheckResult]:
    """The results that are not as they should be, by check."""
    before = Before({WARD: earlier})
    checks, _ = judge_changes([tonight], before, definitions, frozenset(accepted))
    return {check.check_id: check for check in checks if check.status in {"failed", "error"}}


TUESDAY = MONDAY + timedelta(days=1)  # its results are Monday's


def test_the_first_night_is_compared_with_nothing(definitions: Definitions) -> None:
    checks, _ = judge_changes([sent(50_000, days=365)], Before(), definitions)
    assert {check.status for check in checks} == {"not_applicable"}
    assert all(check.repair and check.reason for check in checks)


def test_a_night_like_the_others_passes(definitions: Definitions) -> None:
    assert judge(sent(1005, TUESDAY), workdays(10), definitions) == {}


def test_a_night_that_is_40_percent_short_stops_and_says_by_how_much(definitions: Definitions) -> None:
    failed = judge(sent(600, TUESDAY), workdays(3), definitions)
    volume = failed["change_volume"]
    assert (volume.status, volume.severity) == ("failed", "stop")
    assert volume.detail.startswith(
        "all results of source ward_a: 600 results; "
        "the last 3 comparable nights had 970-1,040 (median 1,000): 40 % fewer"
    )


def test_the_loss_of_one_test_stops_the_night_though_all_others_came(definitions: Definitions) -> None:
    tonight = sent(950, TUESDAY, panel={"wbc": 0.55, "neut_pct": 0.45})
    failed = judge(tonight, workdays(5), definitions)
    assert failed["change_panel"].severity == "stop"
    assert "anc_direct of source ward_a: 0 results" in failed["change_volume_of_analyte"].detail
    assert "100 % fewer" in failed["change_volume_of_analyte"].detail


def test_an_increment_after_a_back_load_of_ten_years_passes(definitions: Definitions) -> None:
    back_load = sent(3_000_000, MONDAY, days=3650, late_rows=2_990_000, days_behind=1)
    assert judge(sent(1000, TUESDAY), [back_load], definitions) == {}


def test_an_increment_after_a_back_load_in_five_yearly_files_passes(definitions: Definitions) -> None:
    back_loads = [sent(300_000, MONDAY - timedelta(days=k), days=365) for k in range(5)]
    assert judge(sent(1000, TUESDAY), back_loads, definitions) == {}


def test_half_an_increment_after_a_back_load_is_warned_of(definitions: Definitions) -> None:
    failed = judge(sent(400, TUESDAY), [sent(365_000, MONDAY, days=365)], definitions)
    assert {check_id: check.severity for check_id, check in failed.items()} == {"change_daily_volume": "warn"}


SUNDAY = MONDAY - timedelta(days=1)  # its results are Saturday's


def test_a_saturday_with_a_third_of_the_rows_passes_once_weekends_are_known(definitions: Definitions) -> None:
    weekend = [sent(330, SUNDAY - timedelta(days=7))]
    assert judge(sent(320, SUNDAY), weekend + workdays(10), definitions) == {}


def test_the_first_weekend_is_compared_with_no_working_day(definitions: Definitions) -> None:
    assert judge(sent(330, SUNDAY), workdays(5), definitions) == {}


def test_a_saturday_that_is_40_percent_short_stops(definitions: Definitions) -> None:
    weekends = [sent(rows, SUNDAY - timedelta(days=7 * k)) for k, rows in enumerate((330, 340, 335), 1)]
    assert "change_volume" in judge(sent(190, SUNDAY), weekends + workdays(10), definitions)


def test_a_monday_that_is_40_percent_short_stops_though_weekends_have_less(definitions: Definitions) -> None:
    weekends = [sent(330, SUNDAY - timedelta(days=7 * k)) for k in range(1, 4)]
    assert "change_volume" in judge(sent(600, TUESDAY), weekends + workdays(10), definitions)


def test_a_small_hospital_is_not_stopped_by_a_quiet_day(definitions: Definitions) -> None:
    assert judge(sent(12, TUESDAY), workdays(10, rows=(60, 30, 80, 45)), definitions) == {}


def test_a_restless_source_is_not_stopped_by_its_usual_spread(definitions: Definitions) -> None:
    nights = workdays(8, rows=(1000, 600, 1500, 700, 1300, 900))
    assert "change_volume" not in judge(sent(580, TUESDAY), nights, definitions)


def test_a_night_without_one_result_stops(definitions: Definitions) -> None:
    nothing = Profile(WARD, TUESDAY, {"dates": {"real": 1.0}, "received": {"": 0.0}})
    assert judge(nothing, workdays(5), definitions)["change_volume"].severity == "stop"


def test_three_times_the_results_are_caught_up_nights_and_four_times_are_warned_of(definitions: Definitions) -> None:
    assert "change_volume_rise" not in judge(sent(2950, TUESDAY), workdays(5), definitions)
    assert judge(sent(4500, TUESDAY), workdays(5), definitions)["change_volume_rise"].severity == "warn"


def everything(days: int, night: date, *, left: float = 1.0, known: float = 0.98) -> Profile:
    """A file with everything so far, of which a part is left."""
    rows = int(100 * days * left)
    return sent(rows, night, days=days, known=rows * known)


def test_a_growing_file_with_everything_passes(definitions: Definitions) -> None:
    earlier = [everything(400 + k, MONDAY + timedelta(days=k)) for k in range(3)][::-1]
    assert judge(everything(403, MONDAY + timedelta(days=3)), earlier, definitions) == {}


def test_a_file_with_everything_that_is_40_percent_short_stops_on_the_second_night(definitions: Definitions) -> None:
    first = everything(400, MONDAY, known=0.0)
    failed = judge(everything(401, TUESDAY, left=0.6), [first], definitions)
    assert failed["change_known_rows"].severity == "stop"
    assert "40 % fewer" in failed["change_known_rows"].detail


def test_a_file_with_everything_that_ends_too_early_stops(definitions: Definitions) -> None:
    first = sent(40_000, MONDAY, days=400)
    newest_missing = [MONDAY - timedelta(days=back) for back in range(161, 401)]
    rows = {day.isoformat(): 100.0 for day in newest_missing}
    tonight = sent(24_000, TUESDAY, days=240, known=24_000, day_rows=rows, days_covered=377, days_behind=162)
    assert "change_known_rows" in judge(tonight, [first], definitions)


def test_a_window_of_thirty_days_after_a_back_load_passes(definitions: Definitions) -> None:
    window = sent(3_000, TUESDAY, days=30, known=2_900)
    assert judge(window, [sent(365_000, MONDAY, days=3650)], definitions) == {}


def test_a_file_of_corrections_is_no_file_cut_short(definitions: Definitions) -> None:
    corrections = sent(60, TUESDAY, days=40, known=0)
    assert judge(corrections, [sent(40_000, MONDAY, days=400)], definitions) == {}


def test_files_that_are_read_again_under_another_map_are_not_compared_by_volume(definitions: Definitions) -> None:
    again = sent(40_000, TUESDAY, days=40, files_again=40)
    assert "change_volume_rise" not in judge(again, workdays(10), definitions)
    assert "change_volume" not in judge(sent(1000, TUESDAY), [again, *workdays(3)], definitions)


def test_known_rows_of_an_extract_without_dates_are_compared_as_a_whole(definitions: Definitions) -> None:
    undated = {"dates": {"none": 1.0}, "day_rows": {}, "rows_per_day": 0.0, "weekday": 0.0, "days_covered": 0}
    first = sent(10_000, MONDAY, **undated)
    assert judge(sent(10_050, TUESDAY, known=9_900, **undated), [first], definitions) == {}
    assert "change_known_rows" in judge(sent(6_000, TUESDAY, known=5_900, **undated), [first], definitions)


@pytest.mark.parametrize("n_earlier", [1, 5])
def test_a_unit_that_is_switched_stops_though_the_counts_are_as_before(
    definitions: Definitions, n_earlier: int
) -> None:
    failed = judge(sent(1000, TUESDAY, units=CELLS), workdays(n_earlier), definitions)
    assert list(failed) == ["change_unit"]
    unit = failed["change_unit"]
    assert unit.severity == "stop"
    assert "anc_direct in /uL (before: 10*3/uL) of source ward_a: 100 % of its results" in unit.detail


def test_a_rare_unit_that_becomes_the_only_one_stops(definitions: Definitions) -> None:
    mixed = {"anc_direct|10*3/uL": 0.95, "anc_direct|/uL": 0.05, "wbc|10*3/uL": 1.0, "neut_pct|%": 1.0}
    earlier = [sent(1000, night.night, units=mixed) for night in workdays(5)]
    assert "change_unit" in judge(sent(1000, TUESDAY, units=CELLS), earlier, definitions)


def test_the_same_unit_in_another_spelling_is_warned_of(definitions: Definitions) -> None:
    respelled = {"anc_direct|K/uL": 1.0, "wbc|K/uL": 1.0, "neut_pct|%": 1.0}
    failed = judge(sent(1000, TUESDAY, units=respelled), workdays(5), definitions)
    assert {check_id: check.severity for check_id, check in failed.items()} == {"change_unit_spelling": "warn"}


def test_a_unit_of_few_people_is_not_shown(definitions: Definitions) -> None:
    secret = {"anc_direct|Frau Meier": 1.0, "wbc|10*3/uL": 1.0, "neut_pct|%": 1.0}
    tonight = sent(1000, TUESDAY, units=secret, unit_people={"anc_direct|Frau Meier": 3.0})
    detail = judge(tonight, workdays(5), definitions)["change_unit"].detail
    assert "Meier" not in detail
    assert "a unit of fewer than 11 people" in detail


def test_a_unit_of_an_odd_form_is_not_shown_however_many_share_it(definitions: Definitions) -> None:
    odd = "anc_direct|call +49 30 1234567; Meier"
    tonight = sent(1000, TUESDAY, units={odd: 1.0, "wbc|10*3/uL": 1.0, "neut_pct|%": 1.0}, unit_people={odd: 99.0})
    assert "Meier" not in judge(tonight, workdays(5), definitions)["change_unit"].detail


def test_a_unit_that_more_people_share_than_before_is_no_new_one(definitions: Definitions) -> None:
    spelled = {"anc_direct|Gpt": 1.0, "wbc|10*3/uL": 1.0, "neut_pct|%": 1.0}
    marked = {mark_part("anc_direct|Gpt"): 1.0, "wbc|10*3/uL": 1.0, "neut_pct|%": 1.0}
    earlier = [sent(1000, night.night, units=marked) for night in workdays(5)]
    assert judge(sent(1000, TUESDAY, units=spelled), earlier, definitions) == {}
    assert judge(sent(1000, TUESDAY, units=marked), earlier, definitions) == {}


@pytest.mark.parametrize("factor", [10.0, 0.1, 1000.0, 0.001])
def test_a_median_that_jumps_by_a_factor_stops_after_one_good_night(definitions: Definitions, factor: float) -> None:
    tonight = sent(1000, TUESDAY, median={**MEDIANS, "anc_direct": 4100.0 * factor})
    failed = judge(tonight, workdays(1), definitions)
    assert list(failed) == ["change_median"]
    assert "anc_direct of source ward_a" in failed["change_median"].detail


def test_somewhat_sicker_people_stop_nothing(definitions: Definitions) -> None:
    assert judge(sent(1000, TUESDAY, median={**MEDIANS, "anc_direct": 2900.0}), workdays(5), definitions) == {}


@pytest.mark.parametrize(
    ("facts", "check_id"),
    [
        ({"low_values": {"500": 90.0, "1500": 110.0}}, "change_low_counts"),
        ({"tail": {"anc_direct|0.05": 1500.0, "anc_direct|0.95": 9_000_000.0}}, "change_tails"),
        ({"people": 60.0}, "change_testing_rate"),
        ({"empty": {"person.sex": 200.0}}, "change_missing"),
        ({"refused": 300.0}, "change_refused"),
        ({"received": 4000.0, "irrelevant": 3000.0}, "change_irrelevant"),
        ({"days_behind": 6.0}, "change_delay"),
        ({"late_rows": 400.0}, "change_late_results"),
        ({"code_rows": {"751-8": 300.0, "6690-2": 400.0, "26511-6": 300.0}}, "change_code"),
    ],
)
def test_what_may_happen_in_a_hospital_is_warned_of(
    definitions: Definitions, facts: Mapping[str, float | Mapping[str, float]], check_id: str
) -> None:
    failed = judge(sent(1000, TUESDAY, **facts), workdays(5), definitions)
    assert {name: check.severity for name, check in failed.items()} == {check_id: "warn"}
    assert WARD in failed[check_id].detail


def test_a_third_of_the_rows_that_is_suddenly_refused_stops_the_night(definitions: Definitions) -> None:
    failed = judge(sent(1000, TUESDAY, refused=400.0), workdays(1), definitions)
    assert {name: check.severity for name, check in failed.items()} == {
        "change_refused": "warn",
        "change_mostly_refused": "stop",
    }


def test_a_code_of_few_people_is_not_shown(definitions: Definitions) -> None:
    tonight = sent(1000, TUESDAY, code_rows={"ANC MEIER": 300.0, "6690-2": 400.0, "770-8": 300.0})
    assert "MEIER" not in judge(tonight, workdays(5), definitions)["change_code"].detail


def test_an_accepted_failure_is_a_warning_that_says_so(definitions: Definitions) -> None:
    volume = judge(sent(600, TUESDAY), workdays(5), definitions, "change_volume")["change_volume"]
    assert (volume.status, volume.severity) == ("failed", "warn")
    assert volume.detail.startswith("accepted: ")


def test_after_an_accepted_change_nights_are_compared_from_there_on(definitions: Definitions) -> None:
    halved = sent(600, TUESDAY, accepted={"change_volume": 1.0})
    wednesday = TUESDAY + timedelta(days=1)
    assert "change_volume" in judge(sent(590, wednesday), workdays(5), definitions)
    assert "change_volume" not in judge(sent(590, wednesday), [halved, *workdays(5)], definitions)
    later = [sent(rows, wednesday + timedelta(days=k)) for k, rows in enumerate((590, 610))][::-1]
    friday = TUESDAY + timedelta(days=3)
    assert "change_volume" not in judge(sent(600, friday), [*later, halved, *workdays(5)], definitions)
    assert "change_volume" in judge(sent(350, friday), [*later, halved, *workdays(5)], definitions)


def test_an_acceptance_is_remembered_only_where_the_check_failed(definitions: Definitions) -> None:
    before = Before({WARD: workdays(5)})
    accepted = frozenset({"change_volume", "change_unit"})
    _, facts = judge_changes([sent(600, TUESDAY)], before, definitions, accepted)
    assert facts == (Fact(WARD, "accepted", "change_volume", 1),)


def test_nights_whose_dates_mean_something_else_are_not_compared(definitions: Definitions) -> None:
    shifted = [sent(1000, night.night, dates={"shifted": 1.0}) for night in workdays(5)]
    assert judge(sent(600, TUESDAY), shifted, definitions) == {}


def test_the_options_that_let_a_night_pass_are_named(definitions: Definitions) -> None:
    failed = judge(sent(600, TUESDAY, units=CELLS), workdays(5), definitions)
    assert name_acceptable(tuple(failed.values())) == ("--accept change_volume --accept change_unit")


def test_units_of_the_same_size_mean_the_same(definitions: Definitions) -> None:
    meaning = meaning_of_units(definitions)
    assert meaning("wbc", "K/uL") == meaning("wbc", "10*9/L") != meaning("wbc", "/uL")


def test_every_analyte_that_is_watched_is_one_of_the_code_list(definitions: Definitions) -> None:
    known = set(definitions.codes("labs")["analyte"])
    changes = definitions.changes
    watched = {analyte for group in changes.groups.values() for analyte in group} | set(changes.counted_low)
    assert watched <= known


def test_every_analyte_that_a_neutrophil_count_is_made_of_is_watched(definitions: Definitions) -> None:
    needed = {entry["analyte"] for entry in definitions.anc.inputs.model_dump().values()}
    known = set(definitions.codes("labs")["analyte"])
    assert needed & known <= set(definitions.changes.groups["anc"])


def test_a_source_too_small_to_tell_passes_nothing_by_volume(definitions: Definitions) -> None:
    checks, _ = judge_changes([sent(60, TUESDAY)], Before({WARD: workdays(10, rows=(60, 65))}), definitions)
    (volume,) = (check for check in checks if check.check_id == "change_volume")
    assert (volume.status, volume.detail) == ("not_applicable", "source ward_a: it has too few results to tell")
