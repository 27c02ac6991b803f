"""How many confirmed episodes went with each complication, by depth and by length, of those in which it could be seen.

Only episodes of the default rule are counted. An episode in which nothing was looked at (no temperature, an extract
without diagnoses) is in no denominator. Its depth is the grade of its lowest value, its length the days from the first
low to the first recovered value. Obeys `definitions/complications` and `duration_bands` in `definitions/estimation`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from transforms.clustered import clustered_shares
from transforms.frames import empty, shape
from transforms.grades import order_of_worst
from transforms.intervals import NONE
from transforms.model.complications import Complication, Look
from transforms.model.estimation import Plan
from transforms.person_time import Stays
from transforms.shares import ALL

_OF_CELL = ["cohort", "threshold_cells_per_ul", "place"]
_SUMS = (
    "n_assessed",
    "n_episodes",
    "n_people_assessed",
    "n_assessed_squared",
    "n_episodes_squared",
    "n_assessed_episodes",
)
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
    named = had.filter(pl.col("complication").is_in(_names(plan).categories.implode()))
    return Seen(banded.collect(), named.select("number", pl.col("complication").cast(_names(plan))).collect())


def count_complications(stays: Stays, seen: Seen, plan: Plan) -> pl.DataFrame:
    """`counts.complication` of cohorts."""
    begun = (
        stays.inside(seen.episodes)
        .filter(pl.col("started").is_between("stay_started", "stay_ended"))
        .drop("stay_started", "stay_ended")
    )
    bands = _bands(plan)
    episodes = _with_cells(_in_bands(begun, bands), bands)
    had = episodes.select("number", "cell").join(seen.complications, on="number")
    of_looks: dict[tuple[Look, ...], list[Complication]] = {}
    for one in plan.complications:
        of_looks.setdefault(one.looks, []).append(one)
    parts = [
        _sum_people(episodes.filter(pl.any_horizontal(looks)), had, own, _names(plan))
        for looks, own in sorted(of_looks.items())
    ]
    if not parts:
        return empty("counts.complication")
    rule = pl.lit(plan.estimation.default_rule)
    return shape(pl.concat(parts).join(bands, on="place").with_columns(rule=rule), "counts.complication")


def estimate_complications(complication: pl.DataFrame, plan: Plan) -> pl.DataFrame:
    """`estimate.complication` without its run: shares of the episodes in which the complication could be seen.

    Intervals take people as clusters; there is none where no or every episode came with it, because it would tell the
    number of people in which it could be seen.
    """
    lo, hi, method = clustered_shares(complication, _SUMS, plan.estimation)
    is_part = pl.col("n_episodes").is_between(1, pl.col("n_assessed") - 1)
    limits = {name: pl.when(is_part).then(pl.Series(values)) for name, values in (("share_lo", lo), ("share_hi", hi))}
    return complication.with_columns(
        share=pl.col("n_episodes") / pl.col("n_assessed"),
        method=pl.when(is_part).then(pl.Series(method, dtype=pl.String)).otherwise(pl.lit(NONE)),
        **limits,
    )


def _names(plan: Plan) -> pl.Enum:
    """Complications by name, which are compared often."""
    return pl.Enum([one.id for one in plan.complications])


def _with_cells(episodes: pl.DataFrame, bands: pl.DataFrame) -> pl.DataFrame:
    """With `cell`: person, threshold and band in one number. Who is in two cohorts has a person_index in each."""
    thresholds = pl.col("threshold_cells_per_ul").max() + 1
    of_person = pl.col("person_index").cast(pl.Int64) * thresholds + pl.col("threshold_cells_per_ul")
    return episodes.with_columns(cell=of_person * bands.height + pl.col("place"))


def _sum_people(
    looked_at: pl.DataFrame, had: pl.DataFrame, complications: Sequence[Complication], kind: pl.Enum
) -> pl.DataFrame:
    """Sums over people of the episodes in which each could be seen (m), of those with it (x), and of their products.

    Few people have a complication, so what is summed of everybody is summed once for all of these.
    """
    m, x, by = pl.col("m"), pl.col("x"), _OF_CELL
    names = pl.DataFrame(
        [(one.id, one.kind) for one in complications],
        schema={"complication": kind, "kind": pl.String},
        orient="row",
    )
    assessed = looked_at.group_by("cell").agg(pl.col(by).first(), m=pl.len().cast(pl.Int64))
    of_all = assessed.group_by(by).agg(n_assessed=m.sum(), n_people_assessed=pl.len(), n_assessed_squared=(m * m).sum())
    some = had.join(names, on="complication", how="semi")
    own = some.group_by("cell", "complication").agg(x=pl.len().cast(pl.Int64))
    both = own.join(assessed, on="cell")
    numbers = {
        "n_episodes": x.sum(), "n_people": pl.len(), "n_episodes_squared": (x * x).sum(),
        "n_assessed_episodes": (m * x).sum(),
    }  # fmt: skip
    of_some = both.group_by(*by, "complication").agg(**numbers)
    rows = of_all.join(names, how="cross").join(of_some, on=[*by, "complication"], how="left")
    return rows.with_columns(pl.col(list(numbers)).fill_null(0))


def _bands(plan: Plan) -> pl.DataFrame:
    """place, band_kind, band, band_order: all episodes, those of each depth, and those of each length."""
    severities = [level.name for level in plan.default_scale.levels]
    durations = [band.id for band in plan.estimation.duration_bands.all]
    kinds = ((ALL, [ALL]), ("severity", severities), ("duration", durations))
    rows = [(kind, name, order) for kind, names in kinds for order, name in enumerate(names)]
    schema = {"band_kind": pl.String, "band": pl.String, "band_order": pl.Int32}
    return pl.DataFrame(rows, schema=schema, orient="row").with_row_index("place")


def _in_bands(episodes: pl.DataFrame, bands: pl.DataFrame) -> pl.DataFrame:
    """Each episode three times, with the `place` of its band: among all, by depth, by length."""
    parts = [episodes.with_columns(place=pl.lit(0, pl.UInt32))]
    for kind in ("severity", "duration"):
        own = bands.filter(pl.col("band_kind") == kind).select("place", pl.col("band_order").alias(kind))
        parts.append(episodes.with_columns(pl.col(kind).cast(pl.Int32)).join(own, on=kind))
    return pl.concat(part.drop("severity", "duration") for part in parts)


def _duration_order(plan: Plan) -> pl.Expr:
    """The place of the band of an episode's length; the last one is of those whose end was not seen."""
    bands = plan.estimation.duration_bands
    days = (pl.col("recovery_by").dt.date() - pl.col("first_low_at").dt.date()).dt.total_days()
    order = pl.lit(len(bands.days) - 1, pl.Int32)
    for place, band in reversed(list(enumerate(bands.days))):
        if band.most_days is not None:
            order = pl.when(days <= band.most_days).then(pl.lit(place, pl.Int32)).otherwise(order)
    return pl.when(days.is_null()).then(pl.lit(len(bands.days), pl.Int32)).otherwise(order)
