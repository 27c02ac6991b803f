"""What was given around an episode and changes what its counts mean: growth factors, steroids, lithium.

A growth factor counts on the day it was given; a drug that raises the count counts from its first day to its last. Both
count from so many days before the first low to the end (the recovery, or the last low); how many, the rule says.
"""

from datetime import timedelta

import polars as pl

from transforms.model.episodes import EpisodeRule
from transforms.treatments import Treatments

_RAISING = ("steroid", "lithium")


def flag_treatments(episodes: pl.DataFrame, rule: EpisodeRule, treatments: Treatments) -> pl.DataFrame:
    """Add has_gcsf, has_steroid and has_lithium to episodes with first_low_at, last_low_at and recovery_by."""
    ends = episodes.with_columns(day=pl.coalesce("recovery_by", "last_low_at").dt.date())
    given = treatments.gcsf.with_columns(last_day="day")
    found = _flag(ends, given, "has_gcsf", rule.gcsf_days)
    for kind in _RAISING:
        spans = treatments.raising.filter(pl.col("kind") == kind).select("person_index", "last_day", day="first_day")
        found = _flag(found, spans, f"has_{kind}", rule.raising_days)
    return found.drop("day")


def _flag(ends: pl.DataFrame, spans: pl.DataFrame, name: str, days: int) -> pl.DataFrame:
    """Whether any span that begins before the end of the episode lasts until so many days before its first low."""
    lasting = spans.with_columns(pl.col("last_day").cum_max().over("person_index"))
    last = ends.join_asof(lasting, on="day", by="person_index", strategy="backward", check_sortedness=False)
    earliest = pl.col("first_low_at").dt.date() - timedelta(days=days)
    return last.with_columns((pl.col("last_day") >= earliest).fill_null(False).alias(name)).drop("last_day")
