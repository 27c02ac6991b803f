"""What was given around an episode and changes what its counts mean: growth factors, steroids, lithium.

A growth factor counts on the day it was given; a drug that raises the count counts from its first day to its last. Both
count from so many days before the first low to the end (the recovery, or the last low); how many, the rule says.
"""

from datetime import timedelta

import polars as pl

from transforms.frames import settle
from transforms.model.episodes import EpisodeRule
from transforms.treatments import RAISING, Treatments


def flag_treatments(episodes: pl.DataFrame, rule: EpisodeRule, treatments: Treatments) -> pl.DataFrame:
    """Add has_gcsf, has_steroid and has_lithium to episodes with first_low_at, last_low_at and recovery_by."""
    found = episodes.with_columns(day=pl.coalesce("recovery_by", "last_low_at").dt.date())
    days = {"gcsf": rule.gcsf_days, **dict.fromkeys(RAISING, rule.raising_days)}
    for kind, lasting in treatments.lasting.items():
        found = _flag(found, lasting, f"has_{kind}", days[kind])
    return found.drop("day")


def _flag(ends: pl.DataFrame, lasting: pl.DataFrame, name: str, days: int) -> pl.DataFrame:
    """Whether any span that begins before the end of the episode lasts until so many days before its first low."""
    if lasting.is_empty():
        return ends.with_columns(pl.lit(value=False).alias(name))
    last = ends.lazy().join_asof(
        lasting.lazy(), on="day", by="person_index", strategy="backward", check_sortedness=False
    )
    earliest = pl.col("first_low_at").dt.date() - timedelta(days=days)
    return settle(last.with_columns((pl.col("last_day") >= earliest).fill_null(False).alias(name)).drop("last_day"))
