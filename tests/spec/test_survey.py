"""Weighted shares of a survey: against a survey library, against a textbook written out, and in what they promise."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from transforms.counting import add_counts
from transforms.load import load_definitions
from transforms.person_time import find_test_days, read_members, stays_of
from transforms.plan import plan_of
from transforms.survey import estimate_weighted, with_weighted
from transforms.survey_counts import count_psus, count_weighted, read_sample

PLAN = plan_of(load_definitions(), has_calendar=False, has_dates=False)
ANC: dict[str, Any] = {
    "person_index": pl.UInt32,
    "collected_at": pl.Datetime("us"),
    "anc_cells_per_ul": pl.Int64,
    "lower_cells_per_ul": pl.Int64,
    "upper_cells_per_ul": pl.Int64,
    "route": pl.String,
}
PERSON: dict[str, Any] = {"person_index": pl.UInt32, "stratum": pl.String, "psu": pl.String, "weight": pl.Float64}
LOW, NOT_LOW, UNTESTED = 900, 4000, None
Person = tuple[str | None, str | None, float | None, int | None]  # stratum, PSU, weight, count
Counts = dict[str, pl.DataFrame]


def count(people: Sequence[Person], *, first: int = 0, members: Sequence[bool] | None = None) -> Counts:
    """The two tables of counts of these people; `members` says who of them is in the cohort."""
    numbered = list(enumerate(people, start=first))
    person = pl.LazyFrame([(i, *one[:3]) for i, one in numbered], schema=PERSON, orient="row")
    tests = [(i, None, anc, anc, anc, "direct_auto") for i, (*_, anc) in numbered if anc is not None]
    stays = [
        (i, "everyone", None, None)
        for (i, _), is_in in zip(numbered, members or [True] * len(people), strict=True)
        if is_in
    ]
    span: dict[str, Any] = {"person_index": pl.UInt32, "cohort": pl.String, "started_on": pl.Date, "ended_on": pl.Date}
    days = find_test_days(pl.LazyFrame(tests, schema=ANC, orient="row"), PLAN.tested, PLAN.any_low)
    cohort = stays_of("everyone", read_members(pl.LazyFrame(stays, schema=span, orient="row")), days)
    return {
        "counts.survey_cell": count_weighted(cohort, read_sample(person, PLAN), PLAN),
        "counts.survey_psu": count_psus(person, PLAN),
    }


def estimate(counts: Mapping[str, pl.DataFrame], threshold: int = 1500, of: str = "tested") -> dict[str, Any]:
    rows = estimate_weighted(counts["counts.survey_cell"], counts["counts.survey_psu"], PLAN)
    return rows.row(
        by_predicate=(pl.col("threshold_cells_per_ul") == threshold) & (pl.col("denominator_name") == of), named=True
    )


def draw(seed: int, strata: int = 6, *, lone: bool = False) -> list[Person]:
    rng = np.random.default_rng(seed)
    people: list[Person] = []
    for stratum in range(strata):
        for psu in range(1 if lone and stratum == 0 else 3 - stratum % 2):
            chance = rng.uniform(0, 0.5)
            for _ in range(int(rng.integers(12, 40))):
                anc = None if rng.random() < 0.1 else LOW if rng.random() < chance else NOT_LOW
                people.append((f"s{stratum}", str(psu), float(np.round(rng.lognormal(8, 1), 4)), anc))
    return people


def ask_library(people: Sequence[Person], in_domain: Sequence[bool], *, lone: bool) -> tuple[float, float, float, int]:
    """Share, limits and degrees of freedom as the survey library gives them for the tested people of the domain."""
    frame = pl.DataFrame(
        [
            {"s": s, "p": f"{s}-{p}", "w": w, "y": int(anc == LOW), "d": is_in and anc is not None}
            for (s, p, w, anc), is_in in zip(people, in_domain, strict=True)
        ]
    )
    import svy

    design = svy.Design(stratum="s", psu="p", wgt="w", singleton="center" if lone else None)
    found = svy.Sample(frame, design).estimation.prop("y", ci_method="korn-graubard", where=svy.col("d"))
    assert not isinstance(found, list)
    low = next(each for each in found.estimates if each.y_level == 1)
    return float(low.est), float(low.lci), float(low.uci), int(low.df or 0)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("lone", [False, True], ids=["every stratum has two PSUs", "one stratum has a single PSU"])
def test_share_interval_and_degrees_of_freedom_are_those_of_the_survey_library(seed: int, lone: bool) -> None:
    people = draw(seed, lone=lone)
    row = estimate(count(people))
    ours = [row[name] for name in ("prevalence", "prevalence_lo", "prevalence_hi", "degrees_of_freedom")]
    assert ours == pytest.approx(ask_library(people, [True] * len(people), lone=lone), rel=1e-9)
    assert row["lone_strata"] == int(lone)
    assert row["method"] == "korn_graubard"


@pytest.mark.parametrize("seed", range(4))
def test_a_cohort_is_a_domain_of_the_whole_design_and_not_a_survey_of_its_own(seed: int) -> None:
    people = draw(seed)
    in_domain = [not (s == "s2" and p == "0") and i % 3 != 0 for i, (s, p, *_) in enumerate(people)]
    row = estimate(count(people, members=in_domain))
    ours = [row[name] for name in ("prevalence", "prevalence_lo", "prevalence_hi", "degrees_of_freedom")]
    assert ours == pytest.approx(ask_library(people, in_domain, lone=False), rel=1e-9)
    cut_down = [one for one, is_in in zip(people, in_domain, strict=True) if is_in]
    alone = estimate(count(cut_down))
    assert alone["prevalence"] == pytest.approx(row["prevalence"])
    assert alone["prevalence_hi"] != pytest.approx(row["prevalence_hi"], rel=1e-4)


def by_the_book(people: Sequence[Person], level: float) -> tuple[float, float]:
    """Share and standard error as a textbook has them, person by person."""
    tested = [(s, p, w, float(anc == LOW)) for s, p, w, anc in people if anc is not None and w is not None]
    total = sum(w for *_, w, _ in tested)
    share = sum(w * y for *_, w, y in tested) / total
    variance = 0.0
    for stratum in sorted({str(s) for s, *_ in people}):
        psus = sorted({str(p) for s, p, *_ in people if s == stratum})
        scores = [sum(w * (y - share) / total for s, p, w, y in tested if (s, p) == (stratum, psu)) for psu in psus]
        mean = sum(scores) / len(scores) if len(scores) > 1 else 0.0
        variance += len(scores) / max(len(scores) - 1, 1) * sum((score - mean) ** 2 for score in scores)
    return share, variance


PEOPLE = st.lists(
    st.tuples(
        st.sampled_from(["a", "b", "c"]),
        st.sampled_from(["1", "2", "3"]),
        st.floats(0.5, 5000).map(lambda weight: round(weight, 6)),
        st.sampled_from([LOW, NOT_LOW, NOT_LOW, UNTESTED]),
    ),
    min_size=4,
    max_size=60,
)


@settings(max_examples=60, deadline=None)
@given(PEOPLE)
def test_every_interval_follows_from_the_textbook_variance(people: list[Person]) -> None:
    tested = [anc for *_, anc in people if anc is not None]
    if not tested:
        return
    row, n = estimate(count(people)), len(tested)
    share, variance = by_the_book(people, 0.95)
    assert row["prevalence"] == pytest.approx(share, abs=1e-12)
    df = row["degrees_of_freedom"]
    if df <= 0:
        assert (row["prevalence_lo"], row["prevalence_hi"], row["method"]) == (None, None, "none")
        return
    if not 0 < share < 1 or variance < 1e-20:
        return
    from scipy import stats

    size = share * (1 - share) / variance * (stats.t.ppf(0.975, n - 1) / stats.t.ppf(0.975, df)) ** 2
    x, size = share * min(n, size), min(n, size)
    assert row["prevalence_lo"] == pytest.approx(stats.beta.ppf(0.025, x, size - x + 1), rel=1e-6, abs=1e-12)
    assert row["prevalence_hi"] == pytest.approx(stats.beta.ppf(0.975, x + 1, size - x), rel=1e-6)


@settings(max_examples=30, deadline=None)
@given(PEOPLE, st.integers(0, 60), st.randoms(use_true_random=False))
def test_counts_of_two_parts_of_the_people_in_any_order_add_up_to_the_counts_of_all(
    people: list[Person], cut: int, random: Any
) -> None:
    whole = count(people)
    shuffled = list(people)
    random.shuffle(shuffled)
    parts = [count(shuffled[:cut]), count(shuffled[cut:], first=cut)]
    for name, rows in whole.items():
        assert add_counts(name, [part[name] for part in parts]).equals(add_counts(name, [rows]))


def test_weights_are_added_without_any_error() -> None:
    cells = count([("a", "1", 0.1, LOW)] * 10)["counts.survey_cell"]
    found = cells.filter(pl.col("denominator_name") == "tested", pl.col("threshold_cells_per_ul") == 1500)
    assert found.select("weight_population", "weight_low").row(0) == (Decimal("1.000000000"), Decimal("1.000000000"))


def test_people_without_a_weight_are_in_no_share_but_their_unit_stays_in_the_design() -> None:
    people: list[Person] = [
        ("a", "1", 10.0, LOW),
        ("a", "1", 30.0, NOT_LOW),
        ("b", "1", 20.0, LOW),
        ("b", "2", 40.0, NOT_LOW),
    ]
    unweighted: list[Person] = [("a", "2", 0.0, LOW), ("a", "2", None, LOW)]
    row = estimate(count([*people, *unweighted]))
    assert (row["n_low"], row["n_population"], row["prevalence"]) == (2, 4, pytest.approx(0.3))
    assert row["lone_strata"] == 0
    assert estimate(count(people))["lone_strata"] == 1


def test_people_whose_stratum_or_unit_is_unknown_are_in_no_weighted_share() -> None:
    known: list[Person] = [("a", "1", 10.0, LOW), ("a", "2", 30.0, NOT_LOW)]
    row = estimate(count([*known, (None, "1", 500.0, LOW), ("a", None, 500.0, LOW)]))
    assert (row["n_population"], row["prevalence"]) == (2, pytest.approx(0.25))


def test_an_untested_person_is_not_among_the_tested_and_counts_as_not_low_among_the_observed() -> None:
    counts = count([("a", "1", 10.0, LOW), ("a", "2", 10.0, NOT_LOW), ("a", "2", 20.0, UNTESTED)])
    assert estimate(counts)["prevalence"] == pytest.approx(0.5)
    assert estimate(counts, of="observed")["prevalence"] == pytest.approx(0.25)


def test_where_nobody_was_tested_the_weighted_share_of_the_observed_is_not_known_instead_of_zero() -> None:
    counts = count([("a", "1", 10.0, UNTESTED), ("a", "2", 10.0, UNTESTED)])
    people = estimate_weighted(counts["counts.survey_cell"], counts["counts.survey_psu"], PLAN).with_columns(
        prevalence=None, is_weighted=pl.lit(value=False)
    )
    rows = with_weighted(people, counts, PLAN).filter("is_weighted")
    assert rows.height > 0
    assert rows["prevalence"].null_count() == rows["prevalence_hi"].null_count() == rows.height
    assert set(rows["method"]) == {"none"}


def test_a_count_of_exactly_the_threshold_is_not_below_it() -> None:
    row = estimate(count([("a", "1", 10.0, 1500), ("a", "2", 10.0, 1499)]))
    assert (row["n_low"], row["prevalence"]) == (1, pytest.approx(0.5))


def test_nobody_low_gives_a_share_of_zero_with_an_upper_limit() -> None:
    row = estimate(count([(s, p, 10.0, NOT_LOW) for s in "abcdefghij" for p in "12" for _ in range(20)]))
    assert (row["prevalence"], row["prevalence_lo"]) == (0.0, 0.0)
    assert 0.003 < row["prevalence_hi"] < 0.02
    assert row["reliability"] == "review"


def test_everybody_low_gives_a_share_of_one_with_a_lower_limit() -> None:
    row = estimate(count([(s, p, 10.0, LOW) for s in "abcdefghij" for p in "12" for _ in range(20)]))
    assert (row["prevalence"], row["prevalence_hi"]) == (1.0, 1.0)
    assert 0.98 < row["prevalence_lo"] < 0.997


def test_weights_on_another_scale_give_the_same_share_and_interval() -> None:
    people = draw(9)
    larger = [(s, p, w * 1000 if w else w, anc) for s, p, w, anc in people]
    one, other = estimate(count(people)), estimate(count(larger))
    for name in ("prevalence", "prevalence_lo", "prevalence_hi"):
        assert one[name] == pytest.approx(other[name], rel=1e-9)


def test_an_extract_without_weights_has_no_weighted_row() -> None:
    counts = count([("a", "1", None, LOW), ("a", "2", None, NOT_LOW), (None, None, None, LOW)])
    assert estimate_weighted(counts["counts.survey_cell"], counts["counts.survey_psu"], PLAN).is_empty()


@pytest.mark.parametrize(
    ("strata", "people_a_unit", "n_low_of_ten", "expected"),
    [(10, 30, 3, "reliable"), (10, 1, 0, "unreliable"), (4, 60, 3, "review")],
    ids=["enough of all", "fewer than thirty people", "fewer than eight degrees of freedom"],
)
def test_a_share_is_called_reliable_by_the_presentation_standard(
    strata: int, people_a_unit: int, n_low_of_ten: int, expected: str
) -> None:
    people: list[Person] = [
        (f"s{s}", p, 100.0 + s, LOW if i % 10 < n_low_of_ten else NOT_LOW)
        for s in range(strata)
        for p in "12"
        for i in range(people_a_unit)
    ]
    assert estimate(count(people))["reliability"] == expected
