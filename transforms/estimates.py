"""Every estimate of a night is a function of its counts alone, so added counts of hospitals give a network's report."""

from collections.abc import Mapping, Sequence

import polars as pl

from transforms.certainty import estimate_certainty
from transforms.chronic import estimate_chronic
from transforms.competition import estimate_competition
from transforms.complication_counts import estimate_complications
from transforms.cycle_counts import estimate_cycles, estimate_severe_days
from transforms.drug_estimates import estimate_after_drugs
from transforms.durations import (
    divide_groups,
    estimate_duration_curves,
    estimate_durations,
    incident_of,
    recovery_curve,
    summarise_groups,
)
from transforms.frames import fit, polars_schema
from transforms.incidence_estimates import estimate_incidence
from transforms.interval_estimates import estimate_by_intervals
from transforms.model.estimation import Plan
from transforms.one_visit import leave_out_unseen
from transforms.onsets import estimate_onsets
from transforms.person_days import estimate_person_days
from transforms.population_estimates import estimate_populations
from transforms.prevalence import estimate_prevalence
from transforms.prevalence_strata import with_standardised
from transforms.reference_durations import estimate_by_bounds, estimate_with_deaths
from transforms.rules_compared import estimate_rules
from transforms.schemas import schema_of
from transforms.severities import estimate_scale_changes, estimate_severity
from transforms.shares import estimate_causes
from transforms.survey import with_weighted
from transforms.test_shares import estimate_test_shares
from transforms.testing import estimate_testing


def estimate_counts(counts: Mapping[str, pl.DataFrame], plan: Plan, *, run_id: str) -> dict[str, pl.DataFrame]:
    """Every `estimate.*` table by name, from every `counts.*` table."""
    # A column of one value throughout is kept as that value, and dividing by it rounds otherwise than by a column.
    counts = {name: pl.DataFrame(rows.get_columns()) for name, rows in counts.items()}
    people = estimate_prevalence(counts["counts.person_interval"], counts["counts.observed_time"], plan)
    made = {
        "estimate.prevalence": with_standardised(with_weighted(people, counts, plan), counts, plan),
        "estimate.population": estimate_populations(counts["counts.population"], counts["counts.observed_time"], plan),
        "estimate.incidence": estimate_incidence(
            counts["counts.incidence"], counts["counts.incidence_group"], counts["counts.observed_time"], plan
        ),
        "estimate.cumulative_incidence": estimate_onsets(counts["counts.first_onset"], plan),
        "estimate.test_share": estimate_test_shares(counts["counts.test_share"], plan),
        "estimate.severity": estimate_severity(counts["counts.severity"]),
        "estimate.scale_change": estimate_scale_changes(counts["counts.scale_change"]),
        "estimate.testing": estimate_testing(counts["counts.testing"], counts["counts.testing_gap"]),
        "estimate.episode": counts["counts.episode"],
        **estimate_all_durations(counts["counts.duration"], plan),
        "estimate.complication": estimate_complications(counts["counts.complication"], plan),
        "estimate.cause": estimate_causes(counts["counts.cause"]),
        "estimate.competition": estimate_competition(counts["counts.competition"]),
        "estimate.anc_distribution": counts["counts.anc_distribution"],
        "estimate.attrition": counts["counts.attrition"],
        "estimate.person_days": estimate_person_days(counts["counts.person_days"], plan),
        "estimate.chronic": estimate_chronic(counts["counts.chronic"], plan),
        "estimate.rule": estimate_rules(counts["counts.rule"]),
        "estimate.certainty": estimate_certainty(counts["counts.certainty"]),
        "estimate.cycle": estimate_cycles(counts, plan),
        "estimate.cycle_severe": estimate_severe_days(counts),
        **estimate_after_drugs(counts, plan),
    }
    seen = leave_out_unseen(made, counts, plan)
    return {name: fit(rows.with_columns(run_id=pl.lit(run_id)), name) for name, rows in seen.items()}


def estimate_all_durations(duration: pl.DataFrame, plan: Plan) -> dict[str, pl.DataFrame]:
    """`estimate.duration` and its curves without their run, from `counts.duration`: the headline and its references."""
    made = [_estimate_durations(groups, plan) for groups in divide_groups(duration)]
    return {name: pl.concat(each[name] for each in made) for name in made[0]}


def _estimate_durations(duration: pl.DataFrame, plan: Plan) -> dict[str, pl.DataFrame]:
    incident = incident_of(duration)
    groups, curve = summarise_groups(incident), recovery_curve(incident, plan)
    naive = estimate_durations(groups, curve, plan)
    shortest = naive.filter(pl.col("tau_days") == float(plan.estimation.duration.horizons_days[0]))
    headline = estimate_by_intervals(incident, shortest, plan)
    references = [estimate_with_deaths(incident, groups, plan), estimate_by_bounds(incident, groups, plan)]
    curves = [estimate_duration_curves(incident, curve, plan), headline.curve]
    return {
        "estimate.duration": _together([naive, *references, headline.rows], "estimate.duration"),
        "estimate.duration_curve": _together(curves, "estimate.duration_curve"),
    }


def _together(parts: Sequence[pl.DataFrame], table: str) -> pl.DataFrame:
    """Parts of a table without its run; a column that a part lacks is null there."""
    types = {name: kind for name, kind in polars_schema(schema_of(table)).items() if name != "run_id"}
    return pl.concat(
        part.select(
            (pl.col(name) if name in part.columns else pl.lit(None)).cast(kind).alias(name)
            for name, kind in types.items()
        )
        for part in parts
    )
