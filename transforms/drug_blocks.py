"""Doses become blocks and courses with the days in which an episode may be suspected to come from them.

Doses of one drug a few days apart are one block. The window of a course runs from the first day on which the drug can
be suspected to the last, by the drug's own row of the code list. A drug that treats a cancer in one person and
something else in another is two drugs here. Obeys `definitions/after_drugs`.
"""

import polars as pl

from transforms.drug_choice import is_meant
from transforms.model.drugs import DrugRules

PERSON_DRUG = ("person_index", "drug")
COURSE = (*PERSON_DRUG, "course_number")
COLUMNS = (
    *PERSON_DRUG,
    "drug_class",
    "anchor",
    "course_number",
    "started_on",
    "ended_on",
    "course_started_on",
    "window_from_on",
    "window_until_on",
    "onset_min_days",
    "onset_max_days",
)
_OF_DRUG = ("drug_class", "anchor", "onset_min_days", "onset_max_days", "tail_days")
_DAY_BITS = 23  # more than any day since 1970 has, with its sign


def find_blocks(recognised: pl.LazyFrame, rules: DrugRules) -> pl.LazyFrame:
    """One row per person, drug and block of doses, sorted; dates are days of the extract. Columns: COLUMNS.

    `recognised` is what `recognise_drugs` gives; drugs that are never a cause are left out.
    """
    doses = recognised.filter("may_cause", pl.col("started_at").is_not_null()).select(
        "person_index",
        _name(rules).alias("drug"),
        _class(rules).alias("drug_class"),
        pl.col("onset_anchor").alias("anchor"),
        "course_number",
        pl.col("started_at").dt.date().alias("started_on"),
        pl.col("ended_at").dt.date().alias("ended_on"),
        "onset_min_days",
        "onset_max_days",
        "tail_days",
    )
    held = doses.collect()
    names = pl.Enum(held["drug"].unique().sort())  # sorts as text does, and costs as much as a number
    days = (
        held.lazy()
        .with_columns(pl.col("drug").cast(names))
        .group_by(*COURSE, "started_on")
        .agg(pl.col("ended_on").max(), pl.col(_OF_DRUG).first())
    )
    blocks = _with_windows(_join_blocks(days, rules), rules)
    return blocks.with_columns(pl.col("drug").cast(pl.String)).select(COLUMNS)


def _class(rules: DrugRules) -> pl.Expr:
    named = pl.lit(rules.classes[-1].id)
    for each in reversed(rules.classes):
        named = pl.when(is_meant(each)).then(pl.lit(each.id)).otherwise(named)
    return named


def _name(rules: DrugRules) -> pl.Expr:
    before, after = rules.other_use.split("{drug}")
    other = pl.concat_str(pl.lit(before), pl.col("drug"), pl.lit(after))
    return pl.when(pl.col("is_dual_use") & ~pl.col("has_malignancy")).then(other).otherwise("drug")


def _join_blocks(days: pl.LazyFrame, rules: DrugRules) -> pl.LazyFrame:
    """One row per block in order, with `series`, the number of its course."""
    ordered = days.sort(*COURSE, "started_on")
    is_first = pl.any_horizontal(pl.col(name).ne_missing(pl.col(name).shift(1)) for name in COURSE)
    numbered = ordered.with_columns(is_first=is_first | (pl.int_range(pl.len()) == 0)).with_columns(
        series=pl.col("is_first").cum_sum()
    )
    # One number for course and day, so that one running maximum over all rows does for that of each course.
    base = pl.col("series").cast(pl.Int64) * 2**_DAY_BITS + 2 ** (_DAY_BITS - 1)
    last = (base + pl.col("ended_on").to_physical()).cum_max().shift(1) - base
    is_new = pl.col("is_first") | (pl.col("started_on").to_physical() - last > rules.block_gap_days)
    return (
        numbered.with_columns(block=is_new.cum_sum())
        .group_by("block", maintain_order=True)
        .agg(pl.col("series", *COURSE, *_OF_DRUG).first(), pl.col("started_on").min(), pl.col("ended_on").max())
    )


def _with_windows(blocks: pl.LazyFrame, rules: DrugRules) -> pl.LazyFrame:
    """Add the start of the course and the first and last day on which its drug may be suspected."""
    wanted, minimum, maximum = rules.window, pl.col("onset_min_days"), pl.col("onset_max_days")
    started, ended = pl.col("started_on").min().over("series"), pl.col("ended_on").max().over("series")
    after_dose = pl.min_horizontal(minimum, pl.lit(wanted.earliest_after_dose_days, pl.Int32))
    past_dose = pl.coalesce("tail_days", maximum + wanted.beyond_max_days)
    tail = pl.col("tail_days").fill_null(wanted.default_tail_days)
    is_each, is_late = pl.col("anchor") == "each_dose", pl.col("anchor") == "last_dose"
    first = pl.when(is_each).then(after_dose).otherwise(minimum)
    by_end = pl.when(is_each).then(past_dose).when(is_late).then(maximum).otherwise(tail)
    until = ended + pl.duration(days=by_end)
    in_course = pl.min_horizontal(until, started + pl.duration(days=maximum))
    return blocks.with_columns(
        course_started_on=started,
        window_from_on=started + pl.duration(days=first),
        window_until_on=pl.when(pl.col("anchor") == "course_start").then(in_course).otherwise(until),
    )
