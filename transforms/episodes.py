"""Episodes of low counts for every rule and threshold, with bounds for when each began and ended.

Five endings: recovered; recovered_unconfirmed (the last value known is recovered, or a new cycle follows before it
could be confirmed); censored_end; censored_gap; died. The rules are `definitions/episodes`; a value that proves
nothing at a threshold takes no part there. The same values in any order give the same episodes.
"""

from collections.abc import Mapping, Sequence

import polars as pl

from transforms.depth import add_up_depths, measure_depth
from transforms.episode_anchors import find_anchors, grade_episodes, take_treatments, take_values
from transforms.episode_facts import gather_facts
from transforms.episode_runs import number_episodes
from transforms.episode_states import collapse, order_values, prove
from transforms.model.episodes import EpisodeRule, Threshold
from transforms.treatments import Treatments

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
    "has_steroid": pl.Boolean(),
    "has_lithium": pl.Boolean(),
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
    "duration_log_interpolated_days": pl.Float64(),
    "duration_ruled_days": pl.Float64(),
    "anchored_on": pl.Date(),
    "grade": pl.Int32(),
    "grade_possible": pl.Int32(),
    "depth_duration": pl.Float64(),
}
EPISODE_KEY = ("person_index", "rule", "threshold_cells_per_ul", "first_low_at")


def find_episodes(anc: pl.LazyFrame, rules: Sequence[EpisodeRule], treatments: Treatments) -> pl.LazyFrame:
    """Every episode of every rule and threshold: the columns of derived.episode by person_index, without an id.

    EPISODE_KEY is unique and is the order of the rows. cycle_number is null: `cycles.number_by_cycle` fills it.
    """
    values = order_values(anc, rules)
    people = values.select("person_index").unique()
    known = treatments.of_people(people)
    depths = add_up_depths(values, [each.low_cells_per_ul for rule in rules for each in rule.thresholds])
    parts = [part for rule in rules if values.height for part in _find_rule(values, depths, rule, known)]
    found = pl.concat(parts) if parts else pl.DataFrame(schema=EPISODE_COLUMNS)
    return found.sort(EPISODE_KEY).lazy()


def _find_rule(
    values: pl.DataFrame, depths: Mapping[int, pl.DataFrame], rule: EpisodeRule, treatments: Treatments
) -> list[pl.DataFrame]:
    if rule.anchor is None:
        found = [_find(values, rule, threshold, treatments) for threshold in rule.thresholds]
    else:
        anchors = find_anchors(treatments.anchors, rule.anchor)
        values, given = take_values(values, anchors), take_treatments(treatments, anchors)
        found = [_find(values, rule, threshold, given, anchors) for threshold in rule.thresholds if values.height]
        depths = add_up_depths(values, [each.low_cells_per_ul for each in rule.thresholds])
    limits = [threshold.low_cells_per_ul for threshold in rule.thresholds]
    measured = [measure_depth(each, depths[limit]) for each, limit in zip(found, limits, strict=False)]
    return [each.select(pl.col(name).cast(type_) for name, type_ in EPISODE_COLUMNS.items()) for each in measured]


def _find(
    values: pl.DataFrame,
    rule: EpisodeRule,
    threshold: Threshold,
    treatments: Treatments,
    anchors: pl.DataFrame | None = None,
) -> pl.DataFrame:
    proven = prove(values, rule, threshold)
    numbered = number_episodes(collapse(proven, rule), rule, treatments.doses)
    facts = gather_facts(numbered, proven, rule, threshold, treatments)
    if anchors is None:
        facts = facts.with_columns(anchored_on=None, grade=None, grade_possible=None)
    else:
        facts = grade_episodes(facts, proven, anchors, rule, threshold.low_cells_per_ul)
    return facts.with_columns(
        rule=pl.lit(rule.id),
        rule_version=pl.lit(rule.version),
        threshold_cells_per_ul=pl.lit(threshold.low_cells_per_ul),
        cycle_number=pl.lit(None, dtype=pl.Int32),
    )
