"""The headline of durations, from counts: given where tests are dense enough, refused where not, death competing."""

import numpy as np
import polars as pl
import pytest

from tests.bench.calibration import SCHEDULES, Cell, draw_hospitals
from transforms.counting import add_counts
from transforms.duration_families import FAMILIES
from transforms.durations import divide_groups
from transforms.estimates import estimate_all_durations
from transforms.frames import fit, stack
from transforms.interval_estimates import draw_weights
from transforms.interval_summaries import Fitted, summarise
from transforms.load import load_definitions
from transforms.model.estimation import Plan

PLAN = Plan(load_definitions().estimation, (), (), (), has_calendar=True)
GROUPS = PLAN.estimation.duration.intervals.person_groups


def counts_of(
    schedule: str, n: int = 400, *, died: float = 0.0, cause: str = "infection", seed: int = 1
) -> pl.DataFrame:
    """counts.duration of one hospital: log-normal durations, median 8 days; a share of them ends in death instead."""
    random = np.random.default_rng(seed)
    triples = draw_hospitals(Cell(schedule, "log_normal", 8, 0.6, n), 1, random).groups.triples
    is_death = random.uniform(size=n) < died
    hours = pl.DataFrame(
        {
            "gap_before_hours": np.round(triples.before * 24),
            "inside_hours": np.round(triples.inside * 24),
            "gap_after_hours": np.round(triples.after * 24),
            "person_group": np.arange(n) % GROUPS,
            "is_death": is_death,
        }
    )
    dead = pl.col("is_death")
    rows = hours.with_columns(
        gap_after_hours=pl.when(~dead).then("gap_after_hours"),
        ended_as=pl.when(dead).then(pl.lit("died")).otherwise(pl.lit("recovered")),
        test_gap_hours=round(SCHEDULES[schedule].low_gap_days * 24),
        cohort=pl.lit("everyone"),
        cause_group=pl.lit(cause),
        rule=pl.lit("clinical"),
        threshold_cells_per_ul=500,
        is_incident=True,
        episodes_of_person=1,
        episodes_of_person_and_cause=1,
        n_episodes=1,
    )
    return add_counts("counts.duration", [stack([rows], "counts.duration")])


def headline(
    counts: pl.DataFrame,
    cause: str = "all",
    *,
    estimator: str = "interval_censored",
    estimand: str = "typical incident episode",
    to_day: int = 30,
) -> dict[str, object]:
    rows = estimate_all_durations(counts, PLAN)["estimate.duration"]
    which = {"cause_group": cause, "estimator": estimator, "estimand": estimand, "tau_days": float(to_day)}
    return rows.row(by_predicate=pl.all_horizontal(pl.col(name) == value for name, value in which.items()), named=True)


@pytest.mark.parametrize("schedule", ["daily", "twice weekly"])
def test_with_dense_tests_the_median_is_near_the_true_8_days_and_inside_its_interval(schedule: str) -> None:
    found = headline(counts_of(schedule))
    assert found["status"] == "estimated"
    assert found["estimator"] == "interval_censored"
    assert found["median_days"] == pytest.approx(8, abs=0.7)
    assert found["median_lo"] < 8 < found["median_hi"]
    assert found["median_hi"] - found["median_lo"] == pytest.approx(2 * 1.96 * 8 * 0.6 * 1.25 / 20, rel=0.3)
    assert found["rmst_days"] == pytest.approx(8 * np.exp(0.6**2 / 2), abs=1.0)


@pytest.mark.parametrize("schedule", ["weekly", "fortnightly"])
def test_with_tests_too_far_apart_nothing_is_given_but_the_bounds(schedule: str) -> None:
    found = headline(counts_of(schedule))
    assert found["status"] == "not_estimable"
    assert found["median_days"] is None
    assert found["rmst_days"] is None
    assert found["median_lower_days"] < 8 < found["median_upper_days"]


def test_a_handful_of_recoveries_gives_nothing() -> None:
    few = PLAN.estimation.duration.intervals.recoveries_at_least - 1
    assert headline(counts_of("daily", few))["status"] == "not_estimable"
    assert headline(counts_of("daily", few + 1))["status"] == "estimated"


def test_episodes_of_one_group_of_people_tell_nothing_of_others_and_give_no_interval() -> None:
    alone = counts_of("daily").with_columns(person_group=pl.lit(7, pl.Int64))
    assert headline(alone.cast(counts_of("daily").schema))["status"] == "not_estimable"


def test_of_few_people_the_interval_is_that_of_students_t() -> None:
    parameters = {name: np.full(2, value) for name, value in (("place", 2.0), ("spread", -0.5), ("deaths", 0.0))}
    steps = np.random.default_rng(1).normal(0, 0.1, (1, 3, 50)).repeat(2, axis=0)
    fitted = Fitted(
        FAMILIES["log_normal"], **parameters, steps=steps, n_clusters=np.array([5, 255]), detection=np.ones(2)
    )
    _, low, high = summarise(fitted, PLAN).median
    few, many = np.log(high / low)
    assert few / many == pytest.approx(2.7764 / 1.9693, abs=1e-3)  # of a table of Student's t, 4 and 254 degrees


def patients(n: int, repeated: float) -> pl.DataFrame:
    """Counts of people with one short episode each, and of a third as many with five long ones each."""
    alone = counts_of("daily", n)
    many = counts_of("daily", round(n * repeated) * 5, seed=9).with_columns(
        pl.col("inside_hours") * 3,
        pl.lit(5, pl.Int64).alias("episodes_of_person"),
        pl.lit(5, pl.Int64).alias("episodes_of_person_and_cause"),
    )
    return add_counts("counts.duration", [alone, many.select(alone.columns)])


def test_a_typical_patient_counts_once_however_many_episodes_they_have() -> None:
    counts = patients(300, 0.3)
    episode, patient = headline(counts), headline(counts, estimand="typical patient with an incident episode")
    one_each = headline(counts_of("daily", 300))
    assert one_each["median_days"] < patient["median_days"] < episode["median_days"]
    assert patient["median_hi"] - patient["median_lo"] > 0
    assert patient["n_episodes"] == episode["n_episodes"] == 750


def test_where_everybody_has_one_episode_episode_and_patient_have_the_same_duration() -> None:
    counts = counts_of("daily")
    episode, patient = headline(counts), headline(counts, estimand="typical patient with an incident episode")
    assert {**episode, "estimand": ""} == {**patient, "estimand": ""}


def test_the_restricted_mean_grows_with_its_horizon_and_lies_in_its_interval() -> None:
    counts = counts_of("twice weekly")
    short, long = headline(counts), headline(counts, to_day=90)
    assert short["median_days"] == long["median_days"]
    for found in (short, long):
        assert found["rmst_lo"] < found["rmst_days"] < found["rmst_hi"]
    assert 0 < long["rmst_days"] - short["rmst_days"] < 0.5


def test_turnbulls_median_is_an_interval_and_is_given_even_where_the_headline_refuses() -> None:
    found = headline(counts_of("weekly"), estimator="turnbull_naive")
    assert (found["status"], found["rmst_days"]) == ("estimated", None)
    assert found["median_lo"] == pytest.approx(7, abs=0.1)
    assert found["median_hi"] == pytest.approx(14, abs=0.1)


def test_with_death_competing_half_have_recovered_later_than_if_the_dead_were_only_lost_from_view() -> None:
    counts = counts_of("daily", died=0.3)
    lost, dead = (headline(counts, estimator=name) for name in ("kaplan_meier_naive", "aalen_johansen_naive"))
    assert not lost["is_death_competing"]
    assert dead["is_death_competing"]
    assert dead["median_days"] > lost["median_days"]
    assert dead["rmst_days"] < lost["rmst_days"]


def test_the_curve_of_the_headline_crosses_one_half_at_its_median_and_is_left_out_where_that_is() -> None:
    counts = counts_of("daily", died=0.1)
    curve = estimate_all_durations(counts, PLAN)["estimate.duration_curve"].filter(
        pl.col("estimator") == "interval_censored", pl.col("cause_group") == "all"
    )
    median = headline(counts)["median_days"]
    by_day = dict(curve.select("day", "still_low").rows())
    assert by_day[0] == 1
    assert by_day[int(median)] > 0.5 > by_day[int(median) + 1]
    assert (curve["still_low_lo"] <= curve["still_low"]).all()
    assert (curve["still_low"] <= curve["still_low_hi"]).all()
    assert curve["n_at_risk"].null_count() == curve.height
    sparse = estimate_all_durations(counts_of("weekly"), PLAN)["estimate.duration_curve"]
    assert set(sparse["estimator"]) == {"kaplan_meier_naive"}


def test_death_competes_so_that_half_recover_later_and_fewer_days_are_lived_low() -> None:
    alive, some = headline(counts_of("daily")), headline(counts_of("daily", died=0.2))
    assert some["n_died"] > 50
    assert some["median_days"] > alive["median_days"]
    assert some["rmst_days"] < alive["rmst_days"] * 1.2


def test_where_most_die_half_never_recover_and_no_median_is_made_up() -> None:
    found = headline(counts_of("daily", died=0.8))
    assert found["status"] == "not_reached"
    assert found["median_days"] is None
    assert found["rmst_days"] > 0


def test_causes_and_all_of_them_each_have_their_own_estimate_and_the_counts_of_the_naive_row() -> None:
    counts = pl.concat([counts_of("daily"), counts_of("daily", 100, cause="medication", seed=2)])
    found = {cause: headline(counts, cause) for cause in ("all", "infection", "medication")}
    assert [found[cause]["n_episodes"] for cause in found] == [500, 400, 100]
    assert len({found[cause]["median_days"] for cause in found}) == 3


def test_hospitals_that_add_their_counts_get_the_estimate_of_all_their_patients_to_the_last_digit() -> None:
    whole = counts_of("daily")
    parts = [whole.filter(pl.col("person_group") % 3 == part) for part in (2, 0, 1)]
    assert headline(add_counts("counts.duration", parts)) == headline(whole)


def test_estimates_do_not_change_when_groups_are_worked_on_some_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    cohorts = [
        counts_of("daily", died=0.1, seed=seed).with_columns(cohort=pl.lit(name), threshold_cells_per_ul=pl.lit(at))
        for seed, (name, at) in enumerate([("everyone", 500), ("everyone", 1000), ("women", 500), ("men", 500)])
    ]
    counts = pl.concat([*cohorts, *(each.with_columns(cause_group=pl.lit("medication")) for each in cohorts)])
    at_once = estimate_all_durations(counts, PLAN)
    monkeypatch.setattr("transforms.durations.MANY_ROWS", 1000)
    assert len(list(divide_groups(counts))) > 1
    in_turn = estimate_all_durations(counts, PLAN)
    for name, rows in at_once.items():
        once, again = (fit(each.with_columns(run_id=pl.lit("r")), name) for each in (rows, in_turn[name]))
        assert once.equals(again)


def test_clusters_are_drawn_once_on_average_and_the_same_ones_every_night() -> None:
    weights = draw_weights(256, 200)
    assert weights.mean() == pytest.approx(1, abs=0.02)
    assert weights.var() == pytest.approx(1, abs=0.03)
    assert (weights == 0).mean() == pytest.approx(np.exp(-1), abs=0.01)
    assert abs(np.corrcoef(weights[:, 0], weights[:, 1])[0, 1]) < 0.2
    assert (draw_weights(256, 200) == weights).all()
