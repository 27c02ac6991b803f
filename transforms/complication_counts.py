"""How many confirmed episodes went with each complication, by depth and by length, of those in which it could be seen.

Only episodes of the default rule are counted. An episode in which nothing was looked at (no temperature, an extract
without diagnoses) is in no denominator. Its depth is the grade of its lowest value, its length the days from the first
low to the first recovered value. Obeys `definitions/complications` and `duration_bands` in `definitions/estimation`.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from transforms.frames import shape
from transforms.grades import order_of_worst
from transforms.model.estimation import Plan
from transforms.shares import ALL

_KEY = ["rule", "threshold_cells_per_ul", "band_kind", "band", "band_order"]
_LOOKS = ("temperatures", "codes")


@dataclass(frozen=True)
class Seen:
    """Confirmed episodes of the default rule with their bands and looks, and what each had; told by `number`."""

    episodes: pl.DataFrame
    complications: pl.DataFrame


def read_seen(frames: Mapping[str, pl.LazyFrame], plan: Plan) -> Seen:
    """From the frames episode, complication and complication_look, told by episode_id."""
    of_rule = pl.col("rule") == plan.estimation.default_rule
    episodes = (
        frames["episode"].filter("is_confirmed", of_rule).sort("episode_id").with_row_index("number").collect().lazy()
    )
    looks = frames["complication_look"].group_by("episode_id").agg(pl.col("look").unique())
    has = {name: pl.col("look").list.contains(name).fill_null(value=False) for name in _LOOKS}
    banded = episodes.join(looks, on="episode_id", how="left").select(
        "number",
        "person_index",
        "rule",
        "threshold_cells_per_ul",
        started=pl.col("first_low_at").dt.date().cast(pl.Int32),
        severity=order_of_worst(plan.default_scale, pl.col("nadir_cells_per_ul")),
        duration=_duration_order(plan),
        **has,
    )
    had = frames["complication"].join(episodes.select("episode_id", "number"), on="episode_id")
    return Seen(banded.collect(), had.select("number", "complication").collect())


def count_complications(cohort: str, spans: pl.DataFrame, seen: Seen, plan: Plan) -> pl.DataFrame:
    """`counts.complication` of one cohort; `spans` are its stays (person_index, started, ended in days since 1970)."""
    begun = (
        seen.episodes.join(spans, on="person_index", how="inner", suffix="_stay")
        .filter(pl.col("started").is_between("started_stay", "ended"))
        .drop("started_stay", "ended")
    )
    episodes = _in_bands(begun, plan)
    had = episodes.join(seen.complications, on="number").group_by([*_KEY, "complication"])
    present = had.agg(n_episodes=pl.len(), n_people=pl.col("person_index").n_unique())
    assessed = [
        episodes.filter(pl.any_horizontal(one.looks))
        .group_by(_KEY)
        .agg(n_assessed=pl.len())
        .with_columns(complication=pl.lit(one.id), kind=pl.lit(one.kind))
        for one in plan.complications
    ]
    if not assessed:
        return shape(pl.DataFrame(schema=_schema()), "counts.complication")
    rows = pl.concat(assessed).join(present, on=[*_KEY, "complication"], how="left")
    counted = rows.with_columns(pl.col("n_episodes", "n_people").fill_null(0), cohort=pl.lit(cohort))
    return shape(counted, "counts.complication")


def estimate_complications(complication: pl.DataFrame) -> pl.DataFrame:
    """`estimate.complication` without its run: shares of the episodes in which the complication could be seen."""
    return complication.with_columns(share=pl.col("n_episodes") / pl.col("n_assessed"))


def _in_bands(episodes: pl.DataFrame, plan: Plan) -> pl.DataFrame:
    """Each episode three times: among all, by depth, by length."""
    severities = {order: level.name for order, level in enumerate(plan.default_scale.levels)}
    durations = dict(enumerate(band.id for band in plan.estimation.duration_bands.all))
    parts = [
        episodes.with_columns(band_kind=pl.lit(ALL), band=pl.lit(ALL), band_order=pl.lit(0, pl.Int32)),
        _in_band(episodes, "severity", severities),
        _in_band(episodes, "duration", durations),
    ]
    return pl.concat([part.drop("severity", "duration") for part in parts])


def _in_band(episodes: pl.DataFrame, kind: str, names: Mapping[int, str]) -> pl.DataFrame:
    return episodes.with_columns(
        band_kind=pl.lit(kind),
        band=pl.col(kind).replace_strict(names, return_dtype=pl.String),
        band_order=pl.col(kind).cast(pl.Int32),
    )


def _duration_order(plan: Plan) -> pl.Expr:
    """The place of the band of an episode's length; the last one is of those whose end was not seen."""
    bands = plan.estimation.duration_bands
    days = (pl.col("recovery_by").dt.date() - pl.col("first_low_at").dt.date()).dt.total_days()
    order = pl.lit(len(bands.days) - 1, pl.Int32)
    for place, band in reversed(list(enumerate(bands.days))):
        if band.most_days is not None:
            order = pl.when(days <= band.most_days).then(pl.lit(place, pl.Int32)).otherwise(order)
    return pl.when(days.is_null()).then(pl.lit(len(bands.days), pl.Int32)).otherwise(order)


def _schema() -> dict[str, pl.DataType]:
    texts = dict.fromkeys(("cohort", "rule", "complication", "kind", "band_kind", "band"), pl.String())
    numbers = ("threshold_cells_per_ul", "band_order", "n_episodes", "n_assessed", "n_people")
    return {**texts, **dict.fromkeys(numbers, pl.Int64())}
