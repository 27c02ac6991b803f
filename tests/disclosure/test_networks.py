"""Who reads the reports of hospitals beside that of their network subtracts, and still finds nobody.

`make attack` solves linear programs over all of them together.
"""

import os
from collections.abc import Mapping, Sequence

import polars as pl
import pytest

from tests.disclosure.attacking import WIDTH, read_counts
from tests.disclosure.drawn_hospital import count_hospital, draw_hospital, estimate_hospital, plan_hospital
from tests.disclosure.puzzle import Key, Puzzle, Rule
from tests.disclosure.solving import attack
from tests.numbers.telling import MOVED, find_moved
from transforms.cohort_order import order_cohorts
from transforms.counting import add_counts
from transforms.load import Definitions
from transforms.parties import find_withheld
from transforms.release import release, show_counts
from transforms.renewal import NO_REPORTS, Earlier
from transforms.totals import add_reports

IS_WHOLE = os.environ.get("NADIR_ATTACK") == "all"
SIZES = (120, 180, 260)
Tables = Mapping[str, pl.DataFrame]


def _party(shown: Mapping[str, tuple[int, bool]]) -> pl.DataFrame:
    rows = [("people", node, n, is_shown) for node, (n, is_shown) in shown.items()]
    found = pl.DataFrame(rows, schema=["place", "node", "n", "is_shown"], orient="row")
    return found.with_columns(least=pl.lit(None, pl.Int64), most=pl.lit(None, pl.Int64))


@pytest.mark.parametrize(
    ("counts", "is_withheld"),
    [
        pytest.param([(40, True), (25, True)], False, id="all show theirs"),
        pytest.param([(40, True), (5, False)], True, id="one hides a few"),
        pytest.param([(40, True), (30, False)], True, id="one hides many to protect another count"),
        pytest.param([(40, True), (5, False), (4, False)], True, id="two hide too few for both"),
        pytest.param([(40, True), (9, False), (8, False)], False, id="two hide enough for both"),
        pytest.param([(40, True), (0, True), (0, True)], False, id="nobody elsewhere"),
        pytest.param([(6, False), (7, False)], True, id="a hospital that knows its own finds those of the other"),
        pytest.param([(40, True), (0, False), (30, False)], True, id="nobody is no company"),
    ],
)
def test_the_network_withholds_what_the_reports_of_hospitals_beside_it_would_tell(
    counts: Sequence[tuple[int, bool]], is_withheld: bool
) -> None:
    found = find_withheld([_party({"tested": each}) for each in counts], 11)
    assert found["is_withheld"].any() is is_withheld


def test_a_count_that_a_hospital_lacks_is_nobody_there() -> None:
    assert find_withheld([_party({"tested": (5, False)}), _party({})], 11)["is_withheld"].to_list() == [True]
    assert find_withheld([_party({"tested": (50, True)}), _party({})], 11).is_empty()


def test_the_network_withholds_what_is_narrowed_by_all_that_a_hospital_tells_of_a_count_that_it_hides() -> None:
    """59 to 70 of 64, and 88 to 99 of 90, would be 59 to 66 and 88 to 95 beside their sum."""
    hidden = [_party({"tested": (n, False)}).with_columns(least=least, most=most)
              for n, least, most in ((64, 59, 70), (90, 88, 99))]  # fmt: skip
    assert find_withheld(hidden, 11)["is_withheld"].to_list() == [True]


def test_what_a_network_withholds_is_known_to_be_what_hospitals_show_and_one_for_each_that_hides() -> None:
    found = find_withheld([_party({"low": each}) for each in ((6, False), (4, False), (20, True))], 11)
    assert found.select("is_withheld", "least").rows() == [(True, 22)]


@pytest.mark.slow
def test_what_reports_of_two_hospitals_come_to_is_what_was_told(definitions: Definitions) -> None:
    """In the first, somebody's only low value is undecided at 500 and low at 1,000: there it confirms no episode."""
    rules = {rule.id: rule for rule in definitions.disclosure}
    order, plan = order_cohorts(definitions.cohorts), plan_hospital(definitions)
    counts = [count_hospital(draw_hospital(n, n_people=n, n_days=20), plan) for n in (60, 90)]
    hospitals = [estimate_hospital(each, plan) for each in counts]
    used = (rules["internal"], rules["opensafely"])  # the other one rounds
    reports = [
        (release(each, rule, order, run_id="night", definitions_hash="0" * 16).tables, rule.round_to)
        for each, rule in zip(hospitals, used, strict=True)
    ]
    told = {
        "totals": add_reports(reports, order),
        "withheld": find_withheld([show_counts(each, used[0], order) for each in hospitals], used[0].min_cell),
    }
    assert find_moved("network", told) == [], MOVED


def test_an_episode_of_a_lower_threshold_may_be_open_in_a_month_after_that_of_a_higher_one_is_lost_sight_of(
    definitions: Definitions,
) -> None:
    """A value between the two ends the one, and is not seen to end the other, which counts as open to its last low."""
    rule = next(rule for rule in definitions.disclosure if rule.id == "internal")
    order, plan = order_cohorts(definitions.cohorts), plan_hospital(definitions)
    estimates = estimate_hospital(count_hospital(draw_hospital(60, n_people=60, n_days=20), plan), plan)
    tables = dict(release(estimates, rule, order, run_id="night", definitions_hash="0" * 16).tables)
    prevalence = tables["released.prevalence"]
    is_there = (pl.col("interval_unit") == "month") & (pl.col("measure") == "confirmed")
    month = pl.col("interval_start") == prevalence.filter(is_there)["interval_start"].max()
    cut = pl.col("threshold_cells_per_ul")
    lost = is_there & month & (cut == 1500)
    is_open = is_there & month & (cut == 1000) & (pl.col("cohort") == "everyone")
    prevalence = prevalence.with_columns(
        n_low=pl.when(lost).then(0).when(is_open).then(None).otherwise("n_low"),
        n_low_mark=pl.when(lost).then(pl.lit("zero")).when(is_open).then(pl.lit("hidden")).otherwise("n_low_mark"),
        n_low_possible=pl.when(is_open).then(None).otherwise("n_low_possible"),
        n_low_possible_mark=pl.when(is_open).then(pl.lit("hidden")).otherwise("n_low_possible_mark"),
    )
    tables["released.prevalence"] = prevalence
    added = add_reports([(tables, rule.round_to)], order).filter(
        pl.col("counted") == "prevalence.n_low",
        pl.col("cohort") == "everyone",
        month,
        cut.is_in([1500, 1000]),
        pl.col("category") == "confirmed",
    )
    ends = {limit: rows["n_least"].max() for (limit,), rows in added.group_by("threshold_cells_per_ul")}
    assert ends == {1500: 0, 1000: 1}


@pytest.mark.skipif(not IS_WHOLE, reason="the long version is `make attack`")
@pytest.mark.parametrize("is_pooled", [False, True], ids=["beside reports", "as one extract"])
def test_programs_over_the_reports_of_hospitals_and_network_together_narrow_nothing(
    is_pooled: bool, definitions: Definitions
) -> None:
    """As one extract the same attack succeeds, so it can fail."""
    rule = next(rule for rule in definitions.disclosure if rule.channel == "internal")
    order, plan = order_cohorts(definitions.cohorts), plan_hospital(definitions)
    counts = [count_hospital(draw_hospital(n, n_people=n, n_days=85), plan) for n in SIZES]
    whole = {name: add_counts(name, [each[name] for each in counts]) for name in counts[0]}
    every = [estimate_hospital(each, plan) for each in counts]
    withheld = find_withheld([show_counts(each, rule, order) for each in every], rule.min_cell)
    earlier = NO_REPORTS if is_pooled else Earlier(withheld=withheld)

    def show(estimates: Tables, known: Earlier = NO_REPORTS) -> Tables:
        return release(estimates, rule, order, run_id="night", definitions_hash="0" * 16, earlier=known).tables

    parties = {str(place): show(each) for place, each in enumerate(every)}
    puzzle = _join({"network": show(estimate_hospital(whole, plan), earlier), **parties})
    targets = sorted((key for key in puzzle.hidden if key[0] != "network"), key=str)
    found = attack(puzzle, targets, WIDTH)
    assert len(found.ranges) > 500
    assert bool(found.narrower_than(WIDTH)) is is_pooled


def _join(reports: Mapping[str, Tables]) -> Puzzle:
    """All that is told of each, and that the network is the sum of its hospitals."""
    puzzle, keys = Puzzle(), dict[str, set[Key]]()
    for name, tables in reports.items():
        own = read_counts(tables)
        if name == "network":  # what it withholds may be nobody
            own.least |= dict.fromkeys(own.hidden, 0.0)
        keys[name] = set(own.least)
        puzzle.shown |= {(name, *key): value for key, value in own.shown.items()}
        puzzle.hidden |= {(name, *key) for key in own.hidden}
        puzzle.least |= {(name, *key): value for key, value in own.least.items()}
        puzzle.most |= {(name, *key): value for key, value in own.most.items()}
        puzzle.rules += [
            Rule({(name, *key): factor for key, factor in rule.factors.items()}, rule.least, rule.most)
            for rule in own.rules
        ]
    for key in sorted(keys["network"], key=str):
        parts = [(name, *key) for name in reports if name != "network" and key in keys[name]]
        if parts and len(parts) < len(reports) - 1 and _may_be_left_out(key):
            puzzle.bound({("network", *key): 1, **dict.fromkeys(parts, -1.0)}, least=0)
        elif parts:
            puzzle.adds_up(parts, ("network", *key))
    return puzzle


def _may_be_left_out(key: Key) -> bool:
    """Whether a report that lacks this count may hide it, name and all; otherwise it is nobody there."""
    is_cause = any(str(part).startswith("cause") for part in key)
    return is_cause or key[2] in {"cycle", "drug", "ruled"}
