"""Every count belongs to a person and a day, and counts for a cohort when that day lies in a stay in the cohort.

All values of a day are reduced once to the lowest proven one, because a person is low on a day when any value is. A
count without a number is read at its upper bound; it is undecided at a threshold that its bounds straddle. A value
without a date belongs to every stay of its person. What is a test is said by `definitions/denominators/tested.yaml`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import polars as pl

from transforms.frames import settle
from transforms.model.estimation import Cut, Denominator

REFERENCE_BELOW, REFERENCE_UNKNOWN = "reference_below", "reference_unknown"
_LONG_AGO, _FAR_AHEAD = -(10**8), 10**8  # days; bounds of a stay without dates
DATED_FROM = _LONG_AGO + 1  # the first day that a stay with dates can begin on
_NO_MONTH = 0
_DAYS, _MONTHS = 2**22, 2**18  # room for days and months beside a person in one sorted whole number
_EPOCH = 2**20  # added to days since 1970, so that no day of history is below 1; 0 is a value without a date


@dataclass(frozen=True)
class Stays:
    """Stays in cohorts, which are told by a number, and the test days inside them.

    `spans`: person_index, of_person, cohort, started, ended (days since 1970), sorted by person and start. Who is in
    several cohorts has a person_index of their own in each of them; `of_person` is the one that facts go by. `days`:
    person_index, cohort, day, month, n_tests, lowest_cells_per_ul (null: no test), undecided_THRESHOLD, gap_days, stay
    (its first day); sorted by person and day.
    """

    spans: pl.DataFrame
    days: pl.DataFrame

    @cached_property
    def members(self) -> pl.DataFrame:
        """One row per person and cohort: person_index, of_person, cohort, started (the first day)."""
        is_first = pl.col("person_index") != pl.col("person_index").shift(1)
        return self.spans.filter(is_first.fill_null(value=True)).drop("ended")

    @cached_property
    def cells(self) -> pl.DataFrame:
        """One row per person, cohort and month with at least one value that says something."""
        cell = pl.col("person_index").cast(pl.Int64) * _MONTHS + pl.col("month").fill_null(_NO_MONTH)
        month = (pl.col("cell") % _MONTHS).cast(pl.Int32)
        reduced = _reduce(self.days.with_columns(cell=cell), "cell", pl.col("cohort").first())
        return reduced.drop("cell").with_columns(
            reduced.select(
                person_index=(pl.col("cell") // _MONTHS).cast(pl.UInt32), month=pl.when(month != _NO_MONTH).then(month)
            )
        )

    @cached_property
    def people(self) -> pl.DataFrame:
        """One row per person and cohort with at least one value that says something."""
        reduced = _reduce(self.cells, "person_index", pl.col("cohort").first())
        return reduced.with_columns(month=pl.lit(_NO_MONTH, pl.Int32))

    def inside(self, facts: pl.DataFrame) -> pl.DataFrame:
        """`facts` of people once for each of their stays, with cohort, stay_started and stay_ended."""
        spans = self.spans.lazy().select(
            "cohort", told="person_index", person_index="of_person", stay_started="started", stay_ended="ended"
        )
        found = facts.lazy().join(spans, on="person_index", how="inner")
        return settle(found.with_columns(person_index="told").drop("told"))

    def of_members(self, facts: pl.DataFrame) -> pl.DataFrame:
        """`facts` of people once for each cohort they are in, with cohort."""
        members = self.members.lazy().select("cohort", told="person_index", person_index="of_person")
        found = facts.lazy().join(members, on="person_index", how="inner")
        return settle(found.with_columns(person_index="told").drop("told"))


def find_test_days(anc: pl.LazyFrame, tested: Denominator, cuts: Sequence[Cut]) -> pl.DataFrame:
    """One row per person and day with a value that says something, sorted by both.

    Columns: person_index, day (days since 1970, null without a date), month (months since year 0), n_tests,
    lowest_cells_per_ul, for each cut undecided_THRESHOLD and n_low_THRESHOLD (tests certainly low), gap_days (since
    the person's test day before); where the extract has laboratories' lower limits of normal also reference_below (a
    test is below its own limit) and reference_unknown (a test has none).
    """
    is_test, says_something = test_flags(tested)
    day = pl.col("collected_at").dt.date()
    values = (
        anc.filter(is_test | says_something)
        .select(
            at=pl.col("person_index").cast(pl.Int64) * _DAYS + (day.cast(pl.Int64) + _EPOCH).fill_null(0),
            n_tests=is_test.cast(pl.Int64),
            lowest_cells_per_ul=pl.when(is_test).then(_proven()),
            **{undecided_name(cut): cut.is_low(_possible()) & ~_is_proven_low(cut) for cut in cuts},
            **{low_name(cut): (is_test & _is_proven_low(cut)).cast(pl.UInt32) for cut in cuts},
            **(_reference_flags(is_test) if _has_reference(anc) else {}),
        )
        .collect()
    )
    days = _with_gaps(_reduce(values.sort("at"), "at"))
    since = pl.col("at") % _DAYS
    dated = days.with_columns(
        person_index=(pl.col("at") // _DAYS).cast(pl.UInt32),
        day=pl.when(since > 0).then(since - _EPOCH).cast(pl.Int32),
    )
    return dated.drop("at").with_columns(month=month_of_days(pl.col("day")))


def test_flags(tested: Denominator) -> tuple[pl.Expr, pl.Expr]:
    """Whether a value is a test; whether it says something about neutrophils without being one."""
    bound = pl.col("upper_cells_per_ul")
    proves = bound < tested.upper_bound_below_cells_per_ul if tested.upper_bound_below_cells_per_ul else pl.lit(False)
    is_test = pl.col("anc_cells_per_ul").is_not_null() | proves.fill_null(value=False)
    return is_test, ~pl.col("route").is_in(list(tested.uninformative_routes))


def stays_of(cohort: str, members: pl.DataFrame, test_days: pl.DataFrame) -> Stays:
    """The stays in one cohort, whose number is 0. `members` has person_index, cohort, started, ended."""
    own = members.filter(pl.col("cohort") == cohort).sort("person_index", "started")
    spans = own.select("person_index", "started", "ended", of_person="person_index", cohort=pl.lit(0, pl.UInt32))
    return find_stays(spans, test_days)


def find_stays(spans: pl.DataFrame, test_days: pl.DataFrame) -> Stays:
    """The test days inside `spans`, both as `Stays` has them; each list of rows of a person and stay is looked up.

    Rows of both are sorted, so those of a stay lie together.
    """
    at = test_days.select(_moment(pl.col("person_index"), pl.col("day"))).to_series()
    whose, undated = pl.col("of_person"), pl.lit(None, pl.Int32)
    ends = spans.select(
        none=_moment(whose, undated), first=_moment(whose, pl.col("started")), last=_moment(whose, pl.col("ended"))
    )
    found = {name: at.search_sorted(ends[name], side="left") for name in ("none", "first")}
    found |= {f"{name}_end": at.search_sorted(ends[name], side="right") for name in ("none", "last")}
    wanted = spans.select("person_index", "cohort", stay="started", place=pl.int_range(pl.len()))
    parts = [
        wanted.with_columns(is_dated=pl.lit(is_dated), begin=found[begin].cast(pl.Int64), end=found[end].cast(pl.Int64))
        for is_dated, begin, end in ((False, "none", "none_end"), (True, "first", "last_end"))
    ]
    ranges = pl.concat(parts).filter(pl.col("begin") < pl.col("end")).sort("person_index", "is_dated", "place")
    rows = ranges.select("person_index", "cohort", "stay", row=pl.int_ranges("begin", "end", dtype=pl.UInt32)).explode(
        "row"
    )
    days = test_days.drop("person_index")[rows["row"]]
    begun = pl.col("day") - pl.col("gap_days") >= pl.col("stay")
    together = pl.concat([rows.drop("row"), days], how="horizontal")
    return Stays(spans, together.with_columns(gap_days=pl.when(begun).then("gap_days")))


def _moment(person: pl.Expr, day: pl.Expr) -> pl.Expr:
    """Person and day in one whole number that sorts as both; a day that is not known comes first."""
    since = (day.cast(pl.Int64) + _EPOCH).clip(1, _DAYS - 1).fill_null(0)
    return person.cast(pl.Int64) * _DAYS + since


def read_members(cohort_member: pl.LazyFrame) -> pl.DataFrame:
    """person_index, cohort, started, ended as days since 1970, sorted; a stay without dates holds every day."""
    return (
        cohort_member.select(
            "person_index",
            "cohort",
            started=pl.col("started_on").cast(pl.Int32).fill_null(_LONG_AGO),
            ended=pl.col("ended_on").cast(pl.Int32).fill_null(_FAR_AHEAD),
        )
        .collect()
        .sort("cohort", "person_index", "started")
    )


def month_of(day: pl.Expr) -> pl.Expr:
    """Months since year 0 of a date."""
    return (day.dt.year() * 12 + day.dt.month().cast(pl.Int32) - 1).cast(pl.Int32)


def month_of_days(days: pl.Expr) -> pl.Expr:
    """Months since year 0 of days since 1970."""
    return month_of(days.cast(pl.Date))


def first_day(month: pl.Expr) -> pl.Expr:
    """First day of a month given as months since year 0."""
    return pl.date(month // 12, month % 12 + 1, 1)


def undecided_name(cut: Cut) -> str:
    """Column that says whether a value is undecided at the cut."""
    return f"undecided_{cut.threshold_cells_per_ul}"


def low_name(cut: Cut) -> str:
    """Column of how many tests are certainly low at the cut."""
    return f"n_low_{cut.threshold_cells_per_ul}"


def _proven() -> pl.Expr:
    return pl.coalesce("anc_cells_per_ul", "upper_cells_per_ul")


def _possible() -> pl.Expr:
    return pl.coalesce("anc_cells_per_ul", "lower_cells_per_ul")


def _is_proven_low(cut: Cut) -> pl.Expr:
    return cut.is_low(_proven()).fill_null(value=False)


def _has_reference(anc: pl.LazyFrame) -> bool:
    """Most extracts bring no limits of normal, and two more columns cost a pass each."""
    limit = "reference_low_cells_per_ul"
    return limit in anc.collect_schema() and bool(anc.select(pl.col(limit).is_not_null().any()).collect().item())


def _reference_flags(is_test: pl.Expr) -> dict[str, pl.Expr]:
    limit = pl.col("reference_low_cells_per_ul")
    return {
        REFERENCE_BELOW: is_test & (_proven() < limit).fill_null(value=False),
        REFERENCE_UNKNOWN: is_test & limit.is_null(),
    }


def _with_gaps(days: pl.DataFrame) -> pl.DataFrame:
    """Adds gap_days to the person's test day before; both must have a date."""
    is_test = pl.col("n_tests") > 0
    before = pl.when(is_test).then(pl.col("at")).forward_fill().shift(1)
    is_same_person = before // _DAYS == pl.col("at") // _DAYS
    is_dated = (before % _DAYS > 0) & (pl.col("at") % _DAYS > 0)
    gap = pl.when(is_test & is_same_person & is_dated).then(pl.col("at") - before)
    return days.with_columns(gap_days=gap.cast(pl.Int32))


def _reduce(rows: pl.DataFrame, key: str, *more: pl.Expr) -> pl.DataFrame:
    """One row per key of rows that are sorted by it: tests added up, the lowest value, undecided if any is."""
    reduced = rows.with_columns(pl.col(key).set_sorted()).group_by(key, maintain_order=True)
    return reduced.agg(
        pl.col("^n_(tests|low_.*)$").sum(),
        pl.col("lowest_cells_per_ul").min(),
        pl.col("^(undecided|reference)_.*$").any(),
        *more,
    )
