"""Who reads one report beside another of the same people, made elsewhere or by another channel, subtracts in vain.

A hospital reports, then few people more come, so that its next report holds back; other reports of that night must too.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import polars as pl
import pytest

from flows.counts_file import Site, write_counts
from flows.merging import merge_counts
from flows.settings import Settings
from tests.disclosure.drawn_hospital import Hospital, count_hospital, draw_hospital, estimate_hospital
from tests.disclosure.reading_site import read_downloads
from tests.disclosure.test_nights import fresh
from transforms.cohort_order import CohortOrder, order_cohorts
from transforms.counting import add_counts
from transforms.holding import hold_back
from transforms.load import Definitions, load_definitions
from transforms.model.disclosure import DisclosureRule
from transforms.model.estimation import Plan
from transforms.parties import find_withheld
from transforms.plan import plan_of
from transforms.release import Released, release, show_counts
from transforms.renewal import INTERVAL, Earlier
from transforms.schemas import schema_of
from transforms.totals import WHAT
from transforms.zeros import without_zeros

FEW = 3
MEMBERS = {"everyone": pl.lit(value=True), "women": pl.col("sex") == "women"}
Tables = Mapping[str, pl.DataFrame]


@dataclass(frozen=True)
class Reported:
    """Numbers of a hospital and what was shown of them."""

    estimates: Tables
    released: Released


@pytest.fixture(scope="module")
def shelf(own: Path) -> Definitions:
    return load_definitions(own)


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of definitions with two cohorts, which is quick."""
    folder = tmp_path_factory.mktemp("own")
    (folder / "shelf.yaml").write_text(f"cohorts: [{', '.join(MEMBERS)}]\nwhy: those drawn\n")
    return folder


@pytest.fixture(scope="module")
def order(shelf: Definitions) -> CohortOrder:
    return order_cohorts(shelf.cohorts)


@pytest.fixture(scope="module")
def counts(shelf: Definitions) -> Sequence[Mapping[str, pl.DataFrame]]:
    """Of a hospital, of the same with a few people more, and of another hospital."""
    plan = _plan(shelf)
    grown, other = (draw_hospital(seed, n_people=90, n_days=8, low_share=0.5) for seed in (1, 2))
    hospitals = (_without(grown, FEW), grown, other)
    return [count_hospital(hospital, plan, members=MEMBERS) for hospital in hospitals]


def _without(hospital: Hospital, n_people: int) -> Hospital:
    is_here = pl.col("person_index") >= n_people
    return replace(hospital, people=hospital.people.filter(is_here), tests=hospital.tests.filter(is_here))


def _plan(shelf: Definitions) -> Plan:
    return replace(plan_of(shelf, has_calendar=True, has_dates=True), survey=None)


def _rule(shelf: Definitions, channel: str) -> DisclosureRule:
    return next(rule for rule in shelf.disclosure if rule.channel == channel)


def _send(path: Path, counts: Mapping[str, pl.DataFrame], shelf: Definitions, told: pl.DataFrame | None = None) -> Path:
    site = Site(path.parent.name, "result", "code", "real", "go", None, None, ())
    path.parent.mkdir(exist_ok=True)
    write_counts(path, without_zeros(counts), [site], shelf, told)
    return path


def _sum(name: str, parts: Sequence[Mapping[str, pl.DataFrame]]) -> pl.DataFrame:
    return add_counts(name, [part[name] for part in parts])


def _find_differences(whole: Tables, parts: Sequence[Tables], few: range = range(1, 11)) -> list[str]:
    """Counts of `whole` that are `few` away from the sum of what `parts` show."""
    found = []
    for name, rows in fresh(whole).items():
        table = schema_of(name)
        key = [column for column in table.key if column not in {"run_id", "channel"}]
        of_day = name == "released.duration_curve"
        values = (
            ["n_at_risk"]
            if of_day
            else [c.name for c in table.columns if c.name in table.values and c.type == "BIGINT"]
        )
        for value in set(values) - {"degrees_of_freedom"}:
            both = rows.select(*key, value)
            for place, part in enumerate(parts):
                both = both.join(
                    part[name].select(*key, pl.col(value).alias(f"part_{place}")), on=key, nulls_equal=True
                )
            gap = pl.col(value) - pl.sum_horizontal(pl.col("^part_.*$"), ignore_nulls=False)
            n_found = both.filter(gap.abs().is_in(list(few))).height
            found += [f"{name}.{value}: {n_found}"] if n_found else []
    return found


@pytest.mark.slow
def test_a_network_tells_no_change_of_a_hospital_that_holds_it_back(
    counts: Sequence[Mapping[str, pl.DataFrame]], shelf: Definitions, order: CohortOrder
) -> None:
    """30 were shown, 33 are there: of 83 in all, less the 50 that the other shows, the 3 who came would be left."""
    plan, rule = _plan(shelf), _rule(shelf, "internal")
    named = {"definitions_hash": "0" * 16, "run_id": "night"}
    before, now, other = (estimate_hospital(each, plan) for each in counts)
    first = release(before, rule, order, **named)
    told = Earlier(first.tables, first.renewed)
    withheld = find_withheld([show_counts(now, rule, order, told), show_counts(other, rule, order)], rule.min_cell)
    whole = estimate_hospital({name: _sum(name, counts[1:]) for name in counts[0]}, plan)
    network = release(whole, rule, order, earlier=Earlier(withheld=withheld), **named).tables
    others = release(other, rule, order, **named).tables
    assert _find_differences(network, [others, first.tables]) == []
    unaware = find_withheld([show_counts(each, rule, order) for each in (now, other)], rule.min_cell)
    network = release(whole, rule, order, earlier=Earlier(withheld=unaware), **named).tables
    assert _find_differences(network, [others, first.tables]) != []


@pytest.fixture(scope="module")
def told(counts: Sequence[Mapping[str, pl.DataFrame]], shelf: Definitions, order: CohortOrder) -> Released:
    """What the hospital has shown before the few came."""
    first = estimate_hospital(counts[0], _plan(shelf))
    return release(first, _rule(shelf, "internal"), order, run_id="night", definitions_hash="0" * 16)


def test_a_report_for_the_public_tells_no_change_that_the_hospital_holds_back(
    counts: Sequence[Mapping[str, pl.DataFrame]], shelf: Definitions, told: Released, own: Path, tmp_path: Path
) -> None:
    for place, known in enumerate((told.renewed, None)):
        sent = _send(tmp_path / f"hospital_{place}" / "counts.zip", counts[1], shelf, known)
        report = merge_counts([sent], Settings(channel="public", definitions=own), tmp_path / f"public_{place}").report
        shown = read_downloads(report.parent / "downloads")
        assert bool(_find_differences(shown, [told.tables])) is (known is None)


def test_a_report_of_another_channel_tells_no_change_since_the_one_before_it(
    counts: Sequence[Mapping[str, pl.DataFrame]], shelf: Definitions, order: CohortOrder, told: Released
) -> None:
    now = estimate_hospital(counts[1], _plan(shelf))
    for earlier in (Earlier(counts=told.renewed), Earlier()):
        other = release(now, _rule(shelf, "ohdsi"), order, run_id="night", definitions_hash="0" * 16, earlier=earlier)
        apart = range(1, 5 if earlier.counts.height else 11)
        assert bool(_find_differences(other.tables, [told.tables], apart)) is earlier.counts.is_empty()


def test_two_pages_of_ranges_tell_no_change_of_the_counts_in_them(
    counts: Sequence[Mapping[str, pl.DataFrame]], shelf: Definitions, own: Path, tmp_path: Path
) -> None:
    """The same report of another hospital is added each time, so the pages differ by the few who came."""
    whole = merge_counts(
        [_send(tmp_path / "other" / "counts.zip", counts[2], shelf)], Settings(definitions=own), tmp_path / "alone"
    )
    report = next(whole.report.parent.glob("downloads/nadir-released.zip")).rename(tmp_path / "other.zip")
    pages = []
    for sent in counts[:2]:
        path = _send(tmp_path / "hospital" / "counts.zip", sent, shelf)
        merge_counts([path, report], Settings(definitions=own), tmp_path / "network")
        pages.append(pl.read_parquet(tmp_path / "network" / "ranges.parquet"))
    first, second = (page.filter(pl.col("n_least") == pl.col("n_most")) for page in pages)
    both = first.join(second, on=WHAT, nulls_equal=True, suffix="_now")
    moved = (pl.col("n_least_now") - pl.col("n_least")).abs()
    assert both.height > 10
    assert both.filter(moved.is_between(1, 10)).is_empty()
    assert (tmp_path / "network" / "shown").stat().st_mode & 0o077 == 0


def test_a_limit_that_takes_the_place_of_another_does_not_tell_who_is_between_them(
    counts: Sequence[Mapping[str, pl.DataFrame]], shelf: Definitions, order: CohortOrder, told: Released
) -> None:
    """40 below 5,001 in one report and 37 below 5,000 in the next, of the same people, were 3 people between them."""
    now, count = estimate_hospital(counts[0], _plan(shelf)), ["place", "node"]
    is_bin = pl.col("node").str.starts_with("bin|")
    below, rest = told.renewed.filter(is_bin, pl.col("n") > 0), told.renewed.filter(~is_bin)
    assert below.height > 3
    columns = [pl.col(name).cast(pl.String).fill_null("") for name in INTERVAL]
    place = pl.concat_str([pl.lit("people"), *columns], separator="|")
    for n_between, is_told in ((FEW, True), (1000, False)):
        other = below.with_columns(pl.col("node") + "1", n=pl.col("n") + n_between)
        held = hold_back(now, order, _rule(shelf, "internal"), Earlier(counts=pl.concat([rest, other]))).people
        found = below.join(held.filter("is_held").select("node", place=place), on=count, how="semi")
        assert found.height == (below.height if is_told else 0)
