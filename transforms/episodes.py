"""Episodes of low counts for every rule and threshold, with bounds for when each began and ended.

Five endings: recovered; recovered_unconfirmed (the last value known is recovered, or a new cycle follows before it
could be confirmed); censored_end; censored_gap; died. The rules are `definitions/episodes`; a value that proves
nothing at a threshold takes no part there. The same values in any order give the same episodes.
"""

from collections.abc import Sequence

import polars as pl

from transforms.episode_facts import Treatment, gather_facts
from transforms.episode_runs import number_episodes
from transforms.episode_states import collapse, order_values, prove
from transforms.model.episodes import EpisodeRule, Threshold

EPISODE_COLUMNS: dict[str, pl.DataType] = {
    "person_index": pl.UInt32(),
    "rule": pl.String(),
    "rule_version": pl.String(),
    "threshold_cells_per_ul": pl.Int64(),
    "is_incident": pl.Boolean(),
    "is_confirmed": pl.Boolean(),
    "certainty": pl.String(),
    "cycle_number": pl.Int32(),
    "has_gcsf": pl.Boolean(),
    "onset_after": pl.Datetime("us"),
    "first_low_at": pl.Datetime("us"),
    "last_low_at": pl.Datetime("us"),
    "recovery_by": pl.Datetime("us"),
    "ended_as": pl.String(),
    "nadir_cells_per_ul": pl.Int64(),
    "nadir_at": pl.Datetime("us"),
    "n_values": pl.Int64(),
    "duration_lower_days": pl.Float64(),
    "duration_upper_days": pl.Float64(),
    "duration_interpolated_days": pl.Float64(),
}
EPISODE_KEY = ("person_index", "rule", "threshold_cells_per_ul", "first_low_at")


def find_episodes(
    anc: pl.LazyFrame,
    rules: Sequence[EpisodeRule],
    deaths: pl.LazyFrame,
    doses: pl.LazyFrame,
    gcsf: pl.LazyFrame,
) -> pl.LazyFrame:
    """Every episode of every rule and threshold: the columns of derived.episode by person_index, without an id.

    `deaths`: person_index, died_on; `doses` and `gcsf`: person_index, given_at (cytotoxic doses; growth factors).
    EPISODE_KEY is unique and is the order of the rows. cycle_number is null: cycles are not counted here.
    """
    values = order_values(anc, rules)
    treatment = _read_treatment(values, deaths, doses, gcsf)
    parts = [
        _find(values, rule, threshold, treatment) for rule in rules for threshold in rule.thresholds if values.height
    ]
    found = pl.concat(parts) if parts else pl.DataFrame(schema=EPISODE_COLUMNS)
    return found.sort(EPISODE_KEY).lazy()


def _read_treatment(values: pl.DataFrame, deaths: pl.LazyFrame, doses: pl.LazyFrame, gcsf: pl.LazyFrame) -> Treatment:
    people = values.lazy().select("person_index").unique()
    died = deaths.group_by("person_index").agg(pl.col("died_on").min()).collect()
    days = [
        given.join(people, on="person_index", how="semi")
        .select("person_index", day=pl.col("given_at").dt.date())
        .unique()
        .sort("person_index", "day")
        .collect(engine="in-memory")
        for given in (doses, gcsf)
    ]
    return Treatment(died, *days)


def _find(values: pl.DataFrame, rule: EpisodeRule, threshold: Threshold, treatment: Treatment) -> pl.DataFrame:
    proven = prove(values, rule, threshold)
    numbered = number_episodes(collapse(proven, rule), rule, treatment.doses)
    facts = gather_facts(numbered, proven, rule, threshold, treatment)
    named = facts.with_columns(
        rule=pl.lit(rule.id),
        rule_version=pl.lit(rule.version),
        threshold_cells_per_ul=pl.lit(threshold.low_cells_per_ul),
        cycle_number=pl.lit(None, dtype=pl.Int32),
    )
    return named.select(pl.col(name).cast(type_) for name, type_ in EPISODE_COLUMNS.items())
