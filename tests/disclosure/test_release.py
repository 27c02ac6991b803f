"""What a reader of a release can and cannot find out, for hospitals of every size."""

import os
from collections.abc import Callable, Mapping
from itertools import combinations, pairwise, product
from typing import Any

import polars as pl
import pytest

import transforms.hiding
import transforms.hiding_episodes
import transforms.nested
import transforms.release
from tests.numbers.telling import MOVED, find_moved
from transforms.audit import find_small_cells
from transforms.cohort_order import CohortOrder
from transforms.errors import DisclosureStop
from transforms.hiding_windows import hide_windows
from transforms.load import Definitions
from transforms.release import Released, release
from transforms.schemas import load_tables, schema_of

SEEDS = range(10 if os.environ.get("NADIR_ATTACK") == "all" else 4)
WITH_INFUSIONS = 7  # the drawn hospital in which eleven people or more have had an infusion
ORDER = CohortOrder(inside=(("chemotherapy", "everyone"), ("clozapine", "everyone")))
Estimates = Mapping[str, pl.DataFrame]
Draw = Callable[[int], Estimates]


@pytest.fixture(scope="session")
def draw_released(draw_estimates: Draw, definitions: Definitions) -> Callable[[int], Released]:
    """The internal release of the hospital of a seed."""
    drawn: dict[int, Released] = {}

    def draw(seed: int) -> Released:
        if seed not in drawn:
            drawn[seed] = _release(draw_estimates(seed), definitions)
        return drawn[seed]

    return draw


def _release(estimates: Estimates, definitions: Definitions, channel: str = "internal") -> Released:
    rule = next(rule for rule in definitions.disclosure if rule.channel == channel)
    return release(estimates, rule, ORDER, run_id="night", definitions_hash="0123456789abcdef")


def _release_all(nights: list[Estimates], definitions: Definitions) -> None:
    """The smallest first, which tells a broken release soonest."""
    for estimates in sorted(nights, key=lambda night: sum(rows.height for rows in night.values())):
        _release(estimates, definitions)


def _counts(table: str) -> list[str]:
    return [value for value in schema_of(table).values if value.startswith("n_")]


@pytest.mark.parametrize("seed", [0, *(pytest.param(n, marks=pytest.mark.slow) for n in range(1, 4)), WITH_INFUSIONS])
def test_what_is_shown_of_a_hospital_is_what_was_told(seed: int, draw_released: Callable[[int], Released]) -> None:
    assert find_moved(f"hospital_{seed}", draw_released(seed).tables) == [], MOVED


def test_only_the_release_can_make_released_numbers(draw_released: Callable[[int], Released]) -> None:
    with pytest.raises(DisclosureStop):
        Released(draw_released(0).tables, "internal")


def test_every_released_table_has_the_columns_it_promises(draw_released: Callable[[int], Released]) -> None:
    tables = draw_released(3).tables
    assert sorted(tables) == sorted(name for name in load_tables() if name.startswith("released."))
    for name, rows in tables.items():
        assert tuple(rows.columns) == schema_of(name).column_names


@pytest.mark.parametrize("seed", SEEDS)
def test_no_count_of_1_to_10_is_shown_anywhere(seed: int, draw_released: Callable[[int], Released]) -> None:
    for name, rows in draw_released(seed).tables.items():
        for value in _counts(name):
            shown = rows[value].drop_nulls()
            assert not shown.is_between(1, 10).any(), f"{name}.{value}"


@pytest.mark.parametrize("seed", SEEDS)
def test_a_true_zero_stays_a_zero_unless_nearly_nobody_is_there(
    seed: int, draw_released: Callable[[int], Released]
) -> None:
    for name, rows in draw_released(seed).tables.items():
        for value in _counts(name):
            zeros = rows.filter(pl.col(value) == 0)
            assert set(zeros[f"{value}_mark"]) <= {"zero"}, f"{name}.{value}"
            assert rows.filter(pl.col(f"{value}_mark") == "zero", pl.col(value).is_null()).is_empty()


@pytest.mark.parametrize("seed", SEEDS)
def test_a_value_is_shown_or_marked_and_never_both_or_neither(
    seed: int, draw_released: Callable[[int], Released]
) -> None:
    for name, rows in draw_released(seed).tables.items():
        for value in schema_of(name).values:
            is_unmarked = pl.col(f"{value}_mark").is_null() | (pl.col(f"{value}_mark") == "zero")
            wrong = rows.filter(pl.col(value).is_null() == is_unmarked)
            assert wrong.is_empty(), f"{name}.{value}"


@pytest.mark.parametrize("seed", SEEDS)
def test_shares_intervals_and_methods_go_with_their_counts(seed: int, draw_released: Callable[[int], Released]) -> None:
    tables = draw_released(seed).tables
    lone = tables["released.prevalence"].filter(pl.any_horizontal(pl.col("n_low", "n_population").is_null()))
    assert (
        lone.select("prevalence", "prevalence_lo", "prevalence_hi", "method").null_count().row(0) == (lone.height,) * 4
    )
    for name in ("released.severity", "released.cause"):
        rows = tables[name]
        hidden = rows.filter(pl.col(_counts(name)[0]).is_null())
        assert hidden["share"].null_count() == hidden.height


@pytest.mark.parametrize("seed", SEEDS)
def test_shown_numbers_are_the_estimated_ones(
    seed: int, draw_released: Callable[[int], Released], draw_estimates: Draw
) -> None:
    for name, rows in draw_released(seed).tables.items():
        if name == "released.duration_curve":
            continue  # its counts are of longer steps
        estimate = draw_estimates(seed)[name.replace("released.", "estimate.")]
        key = [column for column in schema_of(name).key if column not in ("channel", "run_id")]
        joined = rows.join(estimate, on=key, how="left", nulls_equal=True, suffix="_true")
        for value in _counts(name):
            shown = joined.filter(pl.col(value).is_not_null())
            assert shown[value].equals(shown[f"{value}_true"], check_names=False), f"{name}.{value}"


@pytest.mark.parametrize("seed", SEEDS)
def test_a_hidden_count_of_people_keeps_at_least_ten_possible_values(
    seed: int, draw_released: Callable[[int], Released]
) -> None:
    """Bounds from everything nested: thresholds, denominators, possible, the whole extract."""
    crude = pl.col("standard") == "crude"
    rows = draw_released(seed).tables["released.prevalence"].filter(crude).rows(named=True)
    at: dict[tuple[Any, ...], dict[str, Any]] = {_address(row): row for row in rows}
    for address, row in at.items():
        if row["n_low"] is not None:
            continue
        inside = [at[each]["n_low"] for each in at if _is_inside(each, address)]
        around = [at[each]["n_low"] for each in at if _is_inside(address, each)]
        around += [at[each]["n_low_possible"] for each in at if each == address or _is_inside(address, each)]
        around += [row["n_population"]]
        least = max([0, *(count for count in inside if count is not None)])
        most = min([10**9, *(count for count in around if count is not None)])
        assert most - least >= 10, address


def _address(row: dict[str, Any]) -> tuple[Any, ...]:
    names = ("cohort", "interval_start", "measure", "rule", "threshold_cells_per_ul", "denominator_name")
    return tuple(row[name] for name in names)


def _is_inside(part: tuple[Any, ...], whole: tuple[Any, ...]) -> bool:
    if part == whole or (part[0], part[2], part[3]) != (whole[0], whole[2], whole[3]):
        return False
    is_in_time = part[1] == whole[1] or whole[1] is None
    is_in_denominator = part[5] == whole[5] or part[5] == "tested" or part[2] == "any_low"
    return is_in_time and is_in_denominator and part[4] <= whole[4]


@pytest.mark.parametrize("seed", SEEDS)
def test_hidden_parts_of_a_shown_total_cannot_be_narrowed_to_fewer_than_ten_values(
    seed: int, draw_released: Callable[[int], Released]
) -> None:
    tables = draw_released(seed).tables
    rule = ["cohort", "rule", "threshold_cells_per_ul"]
    episode, cause, duration = (tables[f"released.{name}"] for name in ("episode", "cause", "duration"))
    testing = tables["released.testing"].with_columns(n_episodes=0)
    is_all = pl.col("cause_group") == "all"
    is_default = pl.col("window") == "default"
    agents, causes = cause.filter(pl.col("agent") != "all"), cause.filter(pl.col("agent") == "all", is_default)
    moved = cause.filter(~is_default)
    confirmed = episode.filter("is_confirmed", pl.col("ended_as") == "all")
    of_windows = confirmed.join(moved.select(*rule, "window").unique(), on=rule)
    families = [
        (
            episode.filter(pl.col("ended_as") != "all"),
            episode.filter(pl.col("ended_as") == "all"),
            [*rule, "is_confirmed"],
            "n_episodes",
        ),
        (causes, confirmed, rule, "n_episodes"),
        (moved, of_windows, [*rule, "window"], "n_episodes"),
        (agents, causes, [*rule, "cause_group"], "n_episodes"),
        (
            testing.filter(pl.col("interval_unit") == "month"),
            testing.filter(pl.col("interval_unit") == "all"),
            ["cohort"],
            "n_tests",
        ),
        *(
            (duration.filter(~is_all), duration.filter(is_all), [*rule, "estimator", "estimand", "tau_days"], name)
            for name in ("n_episodes", "n_censored", "n_died")
        ),
    ]
    for parts, wholes, key, value in families:
        is_hidden = pl.col(value).is_null()
        may_be_none = pl.col("n_episodes").is_null() & (pl.lit(value in ("n_censored", "n_died")))
        held = parts.group_by(key).agg(
            shown=pl.col(value).sum(), n_hidden=is_hidden.sum(), n_at_least_one=(is_hidden & ~may_be_none).sum()
        )
        joined = wholes.filter(~is_hidden).join(held, on=key).filter(pl.col("n_hidden") > 0)
        left = pl.col(value) - pl.col("shown")
        width = left - pl.col("n_at_least_one").cast(pl.Int64)
        assert joined.filter(left > 0, width < 9).is_empty(), (key, value)


CURVE = ["cohort", "cause_group", "rule", "threshold_cells_per_ul"]
NAIVE = pl.col("estimator") == "kaplan_meier_naive"


@pytest.mark.parametrize("seed", SEEDS)
def test_no_step_of_a_curve_tells_of_1_to_10_episodes(seed: int, draw_released: Callable[[int], Released]) -> None:
    tables = draw_released(seed).tables
    naive = tables["released.duration"].filter(NAIVE)
    durations = {tuple(row[name] for name in CURVE): row for row in naive.rows(named=True)}
    for group, curve in tables["released.duration_curve"].filter(NAIVE).sort("day").group_by(CURVE):
        duration = durations[group]
        at_risk = [duration["n_episodes"], *curve["n_at_risk"].drop_nulls()]
        assert all(one - other == 0 or one - other > 10 for one, other in pairwise(at_risk))
        steps = curve.filter(pl.col("n_recovered").is_not_null()).rows(named=True)
        for one, other in pairwise(steps):
            assert one["n_at_risk"] == other["n_at_risk"] + other["n_recovered"] + other["n_censored"]
        if duration["median_days_mark"] == "hidden":
            assert curve["still_low"].null_count() == curve.height
        if steps:
            rest = duration["n_censored"] - sum(step["n_censored"] for step in steps)
            assert rest == 0 or rest > 10


@pytest.mark.parametrize("seed", SEEDS)
def test_every_curve_is_shown_on_the_same_days_until_nobody_is_left(
    seed: int, draw_released: Callable[[int], Released], definitions: Definitions
) -> None:
    days = next(rule.curve_days for rule in definitions.disclosure if rule.channel == "internal")
    tables = draw_released(seed).tables
    naive = tables["released.duration_curve"].filter(NAIVE)
    shown = naive.filter((pl.col("still_low_mark") != "hidden").any().over(CURVE))
    for _, curve in shown.sort("day").group_by(CURVE):
        assert tuple(curve["day"]) == days[: curve.height]
        assert curve.height == len(days) or curve["n_at_risk"].to_list()[-1] == 0


def test_numbers_at_risk_are_shown_for_most_days_on_which_many_are_left(
    draw_released: Callable[[int], Released], draw_estimates: Draw
) -> None:
    for seed in SEEDS:
        whole = draw_released(seed).tables["released.duration_curve"].filter(NAIVE, pl.col("cause_group") == "all")
        truth = draw_estimates(seed)["estimate.duration_curve"].filter(NAIVE).select(*CURVE, "day", true="n_at_risk")
        curve = whole.join(truth, on=[*CURVE, "day"])
        many = curve.filter(pl.col("true").max().over(CURVE) > 150, pl.col("true") > 50, pl.col("day") > 0)
        many = many.filter((pl.col("n_at_risk_mark") != "hidden").any().over(CURVE))
        assert many["n_at_risk"].null_count() <= many.height / 2


@pytest.mark.parametrize("seed", SEEDS)
def test_those_at_risk_of_one_cause_do_not_follow_from_all_and_the_others(
    seed: int, draw_released: Callable[[int], Released], draw_estimates: Draw
) -> None:
    place = ["cohort", "rule", "threshold_cells_per_ul", "day"]
    released = draw_released(seed).tables["released.duration_curve"].filter(NAIVE)
    shown = released.select(*place, "cause_group", "n_at_risk")
    estimated = draw_estimates(seed)["estimate.duration_curve"].filter(NAIVE)
    truth = estimated.select(*place, "cause_group", true="n_at_risk")
    joined = truth.join(shown, on=[*place, "cause_group"], how="left").filter(pl.col("true") > 0)
    for _, curves in joined.group_by(place):
        whole = curves.filter(pl.col("cause_group") == "all")
        hidden = curves.filter(pl.col("cause_group") != "all", pl.col("n_at_risk").is_null())
        if whole["n_at_risk"].null_count() == 0 and hidden.height:
            assert hidden.height > 1
            assert hidden["true"].sum() > 10


@pytest.mark.parametrize("seed", SEEDS)
def test_nothing_that_tells_a_hidden_number_of_deaths_is_shown(
    seed: int, draw_released: Callable[[int], Released]
) -> None:
    tables = draw_released(seed).tables
    secret = tables["released.duration"].filter(pl.col("n_died_mark") == "hidden", "is_death_competing")
    beside = secret.filter(pl.col("estimator") == "aalen_johansen_naive")
    assert beside.select("median_days", "median_lo", "rmst_days").null_count().row(0) == (beside.height,) * 3
    longer = secret.filter(pl.col("tau_days") > 30)
    assert longer.height > 0
    assert longer.select("rmst_days", "rmst_lo", "rmst_hi").null_count().row(0) == (longer.height,) * 3
    fitted = tables["released.duration_curve"].filter(~NAIVE).join(secret, on=[*CURVE, "estimator"], how="semi")
    assert fitted["still_low"].null_count() == fitted.height


def test_a_longer_mean_is_hidden_where_a_few_were_still_open_at_the_shorter_horizon(
    draw_estimates: Draw, definitions: Definitions
) -> None:
    estimates = dict(draw_estimates(3))
    open_then = _release(estimates, definitions).tables["released.duration"].sort("tau_days")
    few_left = pl.when(NAIVE).then(5).otherwise("n_at_risk").alias("n_at_risk")
    estimates["estimate.duration_curve"] = estimates["estimate.duration_curve"].with_columns(few_left)
    found = _release(estimates, definitions).tables["released.duration"].sort("tau_days")
    is_longer = pl.col("tau_days") > 30
    assert open_then.filter(is_longer)["rmst_days"].drop_nulls().len() > 0
    assert found.filter(is_longer)["rmst_days"].drop_nulls().len() == 0
    assert found.filter(~is_longer)["rmst_days"].equals(open_then.filter(~is_longer)["rmst_days"])


@pytest.mark.parametrize("seed", SEEDS)
def test_a_fitted_curve_has_no_counts_and_says_that_it_has_none(
    seed: int, draw_released: Callable[[int], Released]
) -> None:
    fitted = draw_released(seed).tables["released.duration_curve"].filter(~NAIVE)
    assert set(fitted["n_at_risk_mark"]) <= {"not_applicable"}


@pytest.mark.parametrize("seed", SEEDS)
def test_two_attrition_steps_never_differ_by_1_to_10_people(
    seed: int, draw_released: Callable[[int], Released]
) -> None:
    shown = draw_released(seed).tables["released.attrition"].drop_nulls("n_people")
    assert shown["cohort"].n_unique() > 1
    for _, rows in shown.group_by("cohort"):
        assert all(abs(one - other) not in range(1, 11) for one, other in combinations(rows["n_people"], 2))


@pytest.mark.parametrize("seed", SEEDS)
def test_rules_and_certainty_never_differ_by_1_to_10_from_a_number_of_people_that_may_hold_them(
    seed: int, draw_released: Callable[[int], Released]
) -> None:
    tables = draw_released(seed).tables
    people = tables["released.rule"]["n_people"].drop_nulls().to_list()
    wide = tables["released.certainty"].pivot(
        "certainty", index=["bounds", "threshold_cells_per_ul"], values="n_people"
    )
    cuts = wide["low"].drop_nulls().to_list() + (wide["low"] + wide["undecided"]).drop_nulls().to_list()
    is_people = (pl.col("cohort") == "everyone") & (pl.col("interval_unit") == "all") & (pl.col("standard") == "crude")
    rows = tables["released.prevalence"].filter(is_people, ~pl.col("is_weighted"))
    for own, others in ((people, rows), (cuts, rows.filter(pl.col("measure") == "any_low"))):
        beside = [0, *own, *others["n_low"].drop_nulls(), *others["n_low_possible"].drop_nulls()]
        assert all(abs(one - other) not in range(1, 11) for one in own for other in beside)


@pytest.mark.parametrize("seed", SEEDS)
def test_episodes_with_several_suspects_are_never_nearly_all_that_have_one(
    seed: int, draw_released: Callable[[int], Released]
) -> None:
    tables = draw_released(seed).tables
    rows = tables["released.competition"].filter(pl.col("n_episodes") > 0)
    assert (rows["n_episodes"] > 10).all()
    assert (rows["n_people"].drop_nulls() > 10).all()
    for whole in ("n_suspected", "n_confirmed"):
        assert not (rows[whole] - rows["n_episodes"]).is_between(0, 10).any()
    both = rows.group_by("rule", "threshold_cells_per_ul").agg(
        apart=pl.col("n_episodes").max() - pl.col("n_episodes").min()
    )
    assert not both["apart"].is_between(1, 10).any()


@pytest.mark.parametrize("seed", SEEDS)
def test_episodes_without_a_suspect_are_told_only_where_every_cause_is(
    seed: int, draw_released: Callable[[int], Released]
) -> None:
    tables = draw_released(seed).tables
    key = ["rule", "threshold_cells_per_ul"]
    own = (pl.col("cohort") == "everyone") & (pl.col("agent") == "all") & (pl.col("window") == "default")
    hidden = tables["released.cause"].filter(own, pl.col("n_episodes").is_null()).select(key)
    assert tables["released.competition"].join(hidden, on=key, how="semi")["n_suspected"].drop_nulls().is_empty()


@pytest.mark.parametrize("seed", SEEDS)
def test_a_rule_is_hidden_where_its_own_table_hides_it(seed: int, draw_released: Callable[[int], Released]) -> None:
    tables = draw_released(seed).tables
    whole = pl.col("is_confirmed"), pl.col("ended_as") == "all", pl.col("cohort") == "everyone"
    own = (
        tables["released.episode"]
        .filter(*whole)
        .select(
            compared_rule="rule",
            limit_cells_per_ul="threshold_cells_per_ul",
            mark="n_episodes_mark",
            people="n_people_mark",
        )
    )
    both = tables["released.rule"].join(own, on=["compared_rule", "limit_cells_per_ul"])
    assert both.filter(pl.col("mark") == "hidden")["n_episodes"].drop_nulls().is_empty()
    assert both.filter(pl.col("people") == "hidden")["n_people"].drop_nulls().is_empty()


def test_a_rule_after_infusions_is_not_named_where_few_people_have_one(
    draw_released: Callable[[int], Released],
) -> None:
    rows = draw_released(WITH_INFUSIONS).tables["released.rule"].filter("is_anchored")
    assert rows.height
    assert rows["n_episodes"].null_count() == 0


def test_the_same_estimates_give_the_same_release(draw_estimates: Draw, definitions: Definitions) -> None:
    once, again = (_release(draw_estimates(2), definitions) for _ in range(2))
    shuffled = {name: rows.sample(fraction=1, shuffle=True, seed=4) for name, rows in draw_estimates(2).items()}
    other = _release(shuffled, definitions)
    for name, rows in once.tables.items():
        assert rows.equals(again.tables[name])
        assert rows.equals(other.tables[name])


def test_the_public_channel_names_no_drug_and_rounds_its_shares(draw_estimates: Draw, definitions: Definitions) -> None:
    tables = _release(draw_estimates(3), definitions, "public").tables
    assert set(tables["released.cause"]["agent"]) == {"all"}
    shares = tables["released.prevalence"]["prevalence"].drop_nulls()
    assert shares.round(3).equals(shares)
    assert set(tables["released.prevalence"]["channel"]) == {"public"}


def test_a_drug_is_named_only_where_enough_people_have_it(
    draw_estimates: Draw, draw_released: Callable[[int], Released], definitions: Definitions
) -> None:
    least = next(rule.min_cell for rule in definitions.disclosure if rule.channel == "internal")
    key = ["cohort", "rule", "threshold_cells_per_ul", "cause_group", "agent"]
    n_named = 0
    for seed in SEEDS:
        named = draw_released(seed).tables["released.cause"].filter(pl.col("agent") != "all").select(key)
        true = named.join(draw_estimates(seed)["estimate.cause"], on=key, how="left")
        n_named += named.height
        assert (true["n_people"] >= least).all()
        assert (true["n_episodes"] >= least).all()
    assert n_named > 0


def test_a_drug_with_many_episodes_of_few_people_is_not_named(draw_estimates: Draw, definitions: Definitions) -> None:
    estimates = dict(draw_estimates(3))
    named = _release(estimates, definitions).tables["released.cause"].filter(pl.col("agent") != "all")["agent"][0]
    few = pl.when(pl.col("agent") == named).then(5).otherwise("n_people").alias("n_people")
    estimates["estimate.cause"] = estimates["estimate.cause"].with_columns(few)
    assert named not in _release(estimates, definitions).tables["released.cause"]["agent"].to_list()


def test_an_empty_night_is_released_as_empty_tables(draw_estimates: Draw, definitions: Definitions) -> None:
    released = _release({name: rows.clear() for name, rows in draw_estimates(0).items()}, definitions)
    assert all(rows.is_empty() for rows in released.tables.values())
    assert all(utility.share_hidden == 0 for utility in released.utility.values())


def test_the_share_of_hidden_values_is_told_for_every_table(draw_released: Callable[[int], Released]) -> None:
    released = draw_released(1)
    prevalence = released.tables["released.prevalence"]
    n_hidden = sum((prevalence[f"{value}_mark"] == "hidden").sum() for value in schema_of("released.prevalence").values)
    assert released.utility["released.prevalence"].n_hidden == n_hidden


def _show_all(rows: pl.DataFrame, *_: Any) -> pl.DataFrame:
    tables = [table for name, table in load_tables().items() if name.startswith("estimate.")]
    names = sorted({value for table in tables for value in table.values})
    return rows.with_columns(pl.lit(value=False).alias(f"hide_{name}") for name in names).with_columns(
        pl.lit(value=False).alias("hide_values")
    )


@pytest.mark.parametrize(
    "broken",
    [
        "hide_prevalence",
        "hide_severity",
        "hide_testing",
        "hide_anc_distribution",
        "hide_attrition",
        "hide_episodes",
        "hide_causes",
        "hide_durations",
        "coarsen_curves",
    ],
)
def test_a_release_that_forgets_to_hide_a_table_is_stopped(
    broken: str, monkeypatch: pytest.MonkeyPatch, draw_estimates: Draw, definitions: Definitions
) -> None:
    monkeypatch.setattr(transforms.release, broken, _show_all)
    nights = [draw_estimates(seed) for seed in SEEDS]
    with pytest.raises(DisclosureStop, match="counts below 11"):
        _release_all(nights, definitions)


def test_a_release_that_hides_only_the_small_part_of_a_total_hides_its_group_at_last(
    monkeypatch: pytest.MonkeyPatch, draw_estimates: Draw, definitions: Definitions
) -> None:
    def only_small(rows: pl.DataFrame, *, primary: str, **_: Any) -> pl.Series:
        return rows[primary]

    monkeypatch.setattr(transforms.hiding_episodes, "hide_parts", only_small)
    monkeypatch.setattr(transforms.release, "close_episodes", lambda hidden, *_: hidden)
    nights = [_release(draw_estimates(seed), definitions) for seed in SEEDS]
    assert any("an ending from the rest" in line for night in nights for line in night.closed)
    for night in nights:
        assert find_small_cells(night.tables, 11) == ()


def test_a_release_that_forgets_the_complement_is_stopped(
    monkeypatch: pytest.MonkeyPatch, draw_estimates: Draw, definitions: Definitions
) -> None:
    monkeypatch.setattr(transforms.nested, "close_relations", lambda _: {})
    monkeypatch.setattr(transforms.nested, "close_people", lambda people, *_: people)
    nights = [draw_estimates(seed) for seed in SEEDS]
    with pytest.raises(DisclosureStop, match="counts below 11"):
        _release_all(nights, definitions)


def test_the_message_of_a_stop_names_tables_and_rows_but_no_count(draw_estimates: Draw) -> None:
    estimates = draw_estimates(1)
    rows = estimates["estimate.attrition"].with_columns(
        n_people=pl.lit(7, pl.Int64), n_people_mark=pl.lit(None, pl.String)
    )
    found = find_small_cells({"released.attrition": rows}, 11)
    assert [str(each) for each in found] == [f"released.attrition: n_people is shown though small ({rows.height} rows)"]
    assert "7" not in repr(found)


@pytest.mark.parametrize("seed", SEEDS)
def test_no_complication_tells_of_1_to_10_episodes(seed: int, draw_released: Callable[[int], Released]) -> None:
    """With it, without it, in a band of it, not looked at, or under one definition of fever and not the other."""
    rows = draw_released(seed).tables["released.complication"]
    key = ["cohort", "threshold_cells_per_ul", "band_kind", "band"]
    small = pl.col("small").is_between(1, 10)
    for value in ("n_episodes", "n_assessed", "n_people"):
        assert rows.with_columns(small=value).filter(small).is_empty(), value
    assert rows.with_columns(small=pl.col("n_assessed") - pl.col("n_episodes")).filter(small).is_empty()
    for value, by in (("n_episodes", [*key, "kind"]), ("n_people", [*key, "kind"]), ("n_assessed", key)):
        pairs = rows.select(*by, value).join(rows.select(*by, other=value), on=by)
        assert pairs.with_columns(small=pl.col("other") - pl.col(value)).filter(small).is_empty(), value


@pytest.mark.parametrize("seed", SEEDS)
def test_hidden_bands_of_a_complication_keep_ten_possible_values(
    seed: int, draw_released: Callable[[int], Released]
) -> None:
    rows = draw_released(seed).tables["released.complication"]
    key = ["cohort", "threshold_cells_per_ul", "complication"]
    for value, kind in product(("n_episodes", "n_assessed"), ("severity", "duration")):
        bands = rows.filter(pl.col("band_kind") == kind).group_by(key)
        held = bands.agg(shown=pl.col(value).sum(), n_hidden=pl.col(value).is_null().sum().cast(pl.Int64))
        both = rows.filter(pl.col("band_kind") == "all").select(*key, whole=value).join(held, on=key)
        left = pl.col("whole") - pl.col("shown")
        narrow = both.filter(pl.col("whole") > 0, pl.col("n_hidden") > 0, left - (pl.col("n_hidden") - 1) < 10)
        assert narrow.is_empty(), (value, kind)
        assert both.filter(pl.col("whole").is_null(), pl.col("n_hidden") == 0, pl.col("shown") > 0).is_empty()


def test_a_cause_that_is_hidden_for_another_is_hidden_by_other_windows_as_well() -> None:
    of_all = {"cohort": "everyone", "rule": "clinical", "threshold_cells_per_ul": 1500}
    total = {**of_all, "is_confirmed": True, "ended_as": "all", "n_episodes": 117, "n_people": 117}
    episode = pl.DataFrame([{**total, "hide_n_episodes": False, "hide_n_people": False}])
    parts = [("chemotherapy", 100, False), ("infection", 5, True), ("nutritional", 12, True)]
    default = [
        {**of_all, "cause_group": cause, "agent": "all", "window": "default", "n_episodes": n, "n_people": n}
        | {"hide_n_episodes": is_hidden, "hide_n_people": is_hidden}
        for cause, n, is_hidden in parts
    ]
    others = [
        {**of_all, "cause_group": cause, "agent": "all", "window": "half", "n_episodes": n, "n_people": n}
        for cause, n in (("nutritional", 12), ("unexplained", 105))
    ]
    found = hide_windows(pl.DataFrame(others), pl.DataFrame(default), episode, 11)
    shown = found.filter(~pl.col("hide_n_episodes") | ~pl.col("hide_n_people") | ~pl.col("hide_share"))
    assert "nutritional" not in shown["cause_group"].to_list()


def test_a_hidden_share_of_a_cause_is_shown_by_no_other_window(draw_released: Callable[[int], Released]) -> None:
    rows = [draw_released(seed).tables["released.cause"].with_columns(seed=seed) for seed in SEEDS]
    cause = pl.concat(rows).filter(pl.col("agent") == "all")
    key = ["seed", "cohort", "rule", "threshold_cells_per_ul", "cause_group"]
    usual, others = cause.filter(pl.col("window") == "default"), cause.filter(pl.col("window") != "default")
    both = others.join(usual, on=key, suffix="_default")
    assert both.height > 0
    for value in ("n_episodes", "n_people", "share"):
        assert both.filter(pl.col(f"{value}_default").is_null(), pl.col(value).is_not_null()).is_empty(), value


def test_causes_of_a_hidden_total_are_left_out_of_other_windows_because_their_names_would_tell_of_it(
    draw_released: Callable[[int], Released],
) -> None:
    key = ["cohort", "rule", "threshold_cells_per_ul"]
    for seed in SEEDS:
        tables = draw_released(seed).tables
        whole = tables["released.episode"].filter("is_confirmed", pl.col("ended_as") == "all")
        others = tables["released.cause"].filter(pl.col("window") != "default")
        assert others.join(whole, on=key, suffix="_whole")["n_episodes_whole"].null_count() == 0


@pytest.mark.parametrize("seed", SEEDS)
def test_a_share_by_another_window_never_tells_few_episodes_that_it_moved(
    seed: int, draw_released: Callable[[int], Released]
) -> None:
    cause = draw_released(seed).tables["released.cause"].filter(pl.col("agent") == "all")
    key = ["cohort", "rule", "threshold_cells_per_ul", "cause_group"]
    both = cause.join(cause, on=key, suffix="_other").filter(pl.col("window") != pl.col("window_other"))
    for name in ("n_episodes", "n_people"):
        assert both.filter((pl.col(name) - pl.col(f"{name}_other")).abs().is_between(1, 10)).is_empty(), name


@pytest.mark.parametrize("seed", SEEDS)
def test_a_drug_that_few_people_were_given_is_not_named_and_its_numbers_tell_no_few(
    seed: int, draw_released: Callable[[int], Released], draw_estimates: Callable[[int], Estimates]
) -> None:
    tables, estimates = draw_released(seed).tables, draw_estimates(seed)
    few = set(estimates["estimate.drug"].filter(pl.col("n_people") < 11)["drug"])
    drug, days = tables["released.drug"], tables["released.drug_day"]
    assert few.isdisjoint({*drug["drug"], *days["drug"], *tables["released.drug_ratio"]["drug"]})
    counts = ["n_people", "n_courses", "n_tested", "n_affected"]
    for one in counts:
        for other in counts:
            assert drug.filter((pl.col(one) - pl.col(other)).abs().is_between(1, 10)).is_empty(), (one, other)
    given = drug.select("drug", given="n_people").unique()
    rest = days.join(given, on="drug").filter((pl.col("given") - pl.col("n_people")).is_between(1, 10))
    assert rest.is_empty()


@pytest.mark.parametrize("seed", SEEDS)
def test_a_day_of_a_curve_has_enough_people_and_a_quantile_some_on_either_side(
    seed: int, draw_released: Callable[[int], Released], draw_estimates: Callable[[int], Estimates]
) -> None:
    days = draw_released(seed).tables["released.drug_day"]
    true = draw_estimates(seed)["estimate.drug_day"].select("drug", "day", true="n_people")
    known = days.join(true, on=["drug", "day"])
    shown = {share: known.filter(pl.col(f"p{share}_cells_per_ul").is_not_null()) for share in (10, 25, 50, 75, 90)}
    for share, rows in shown.items():
        beyond = min(share, 100 - share) / 100
        assert rows.filter((pl.col("true") < 11) | (pl.col("true") * beyond < 3)).is_empty(), share


def test_the_public_channel_shows_nothing_after_single_drugs(
    draw_estimates: Callable[[int], Estimates], definitions: Definitions
) -> None:
    tables = _release(draw_estimates(SEEDS[0]), definitions, "public").tables
    assert not any(tables[f"released.{name}"].height for name in ("drug", "drug_day", "drug_ratio"))
