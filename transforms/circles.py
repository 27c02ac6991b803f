"""Who is in the same cohorts on the same days is counted once for all of them: a circle, whose counts then add up.

Most people are in several cohorts for just the same time. A person is copied once for each set of stays they have, and
the copies whose set is that of the same cohorts are a circle. Each person of a cohort is in one circle of it, so counts
of circles, added, are those of the cohort.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from transforms.frames import ranked, settle

_PERSON = ["person_index", "cohort"]
_BITS = 62  # cohorts that one whole number tells apart


@dataclass(frozen=True)
class Circles:
    """`spans`: the stays of copies of people, as `Stays` has them, where the cohort is the number of a circle.

    `cohorts`: circle, number; a row for each cohort that a circle is part of, by its place among the `names`.
    """

    spans: pl.DataFrame
    cohorts: pl.DataFrame
    names: pl.Series


def find_circles(members: pl.DataFrame) -> Circles:
    """From stays in all cohorts (person_index, cohort, started, ended), sorted by cohort, person and start."""
    names = members["cohort"].unique().sort()
    if names.is_empty():
        spans = members.with_columns(of_person="person_index", cohort=pl.lit(None, pl.UInt32))
        return Circles(spans, pl.DataFrame(schema={"circle": pl.UInt32, "number": pl.Int64}), names)
    numbered = members.with_columns(cohort=pl.col("cohort").cast(pl.Enum(names)).to_physical().cast(pl.Int64))
    sets = _sets_of_stays(numbered)
    words = range(-(-len(names) // _BITS))
    bits = {f"word_{word}": _bits_of(word).sum() for word in words}
    by = ["person_index", "started", "ended", "others"]
    # A set of stays of a person, told by one of the cohorts for which they have it.
    copies = sets.group_by(by).agg(pl.col("cohort").min(), **bits)
    told = copies.select(f"word_{word}" for word in words).unique().sort(pl.all()).with_row_index("circle")
    placed = copies.join(told, on=[f"word_{word}" for word in words]).sort("circle", "person_index")
    people = placed.select(
        "cohort", of_person="person_index", circle="circle", person_index=pl.int_range(pl.len(), dtype=pl.UInt32)
    )
    spans = numbered.rename({"person_index": "of_person"}).join(people, on=["of_person", "cohort"])
    return Circles(
        spans.sort("person_index", "started").select(
            "person_index", "of_person", "started", "ended", cohort=pl.col("circle").cast(pl.UInt32)
        ),
        _cohorts_of(told, len(names)),
        names,
    )


def add_circles(rows: pl.DataFrame, circles: Circles, key: Sequence[str]) -> pl.DataFrame:
    """Counts of circles (whose cohort is the number of a circle) as those of cohorts, sorted by cohort and `key`.

    Facts other than the cohort are compared once, and then told by their place in order.
    """
    numbers = [name for name in rows.columns if name.startswith(("n_", "weight_"))]
    others = [name for name in rows.columns if name not in {*numbers, *key, "cohort"}]
    facts = [*(name for name in key if name in rows.columns and name != "cohort"), *others]
    texts = [name for name in facts if rows.schema[name] == pl.String]
    told = rows.lazy().with_columns(*ranked(rows, texts), pl.col("cohort").cast(pl.UInt32).alias("circle"))
    by_facts = settle(told.group_by(facts).agg("circle", *numbers).sort(facts, nulls_last=False))
    each = by_facts.lazy().select("circle", *numbers).with_row_index("place").explode("circle", *numbers)
    placed = each.join(circles.cohorts.lazy(), on="circle")
    size = by_facts.height  # with it, cohort and place are one number, which is compared faster than two
    at = pl.col("number") * size + pl.col("place")
    summed = settle(placed.group_by(at=at).agg(pl.col(numbers).sum()).sort("at"))
    named = by_facts[facts][summed["at"] % size].cast(dict.fromkeys(texts, pl.String))
    cohort = circles.names[summed["at"] // size].rename("cohort")
    return pl.concat([cohort.to_frame(), named, summed[numbers]], how="horizontal")


def _sets_of_stays(members: pl.DataFrame) -> pl.DataFrame:
    """person_index, cohort, started, ended, others: the first stay, and the others as one text, where there are any."""
    is_new = pl.any_horizontal(pl.col(name) != pl.col(name).shift(1) for name in _PERSON).fill_null(value=True)
    told = members.with_columns(is_new=is_new)
    first = told.filter("is_new").drop("is_new")
    further = told.filter(~pl.col("is_new"))
    others = further.group_by(_PERSON, maintain_order=True).agg(
        others=pl.format("{}|{}", "started", "ended").str.join(",")
    )
    return first.join(others, on=_PERSON, how="left").with_columns(pl.col("others").fill_null(""))


def _bits_of(word: int) -> pl.Expr:
    """One bit for each cohort whose number is of this word; cohorts of a set are there once."""
    place = pl.col("cohort") - word * _BITS
    bit = pl.lit(2, pl.Int64).pow(place.clip(0, _BITS - 1)).cast(pl.Int64)
    return pl.when(place.is_between(0, _BITS - 1)).then(bit).otherwise(0)


def _cohorts_of(told: pl.DataFrame, n_cohorts: int) -> pl.DataFrame:
    parts = []
    for number in range(n_cohorts):
        word, place = divmod(number, _BITS)
        is_in = (pl.col(f"word_{word}") // 2**place) % 2 == 1
        parts.append(told.filter(is_in).select("circle", number=pl.lit(number, pl.Int64)))
    return pl.concat(parts)
