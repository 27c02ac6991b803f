"""Every estimate of a night is a function of its counts alone, so added counts of hospitals give a network's report."""

from collections.abc import Mapping

import polars as pl

from transforms.complication_counts import estimate_complications
from transforms.durations import estimate_duration_curves, estimate_durations, incident_of, recovery_curve
from transforms.frames import fit
from transforms.interval_estimates import estimate_by_intervals
from transforms.model.estimation import Plan
from transforms.one_visit import leave_out_unseen
from transforms.prevalence import estimate_prevalence
from transforms.shares import estimate_causes, estimate_severity
from transforms.survey import with_weighted
from transforms.testing import estimate_testing


def estimate_counts(counts: Mapping[str, pl.DataFrame], plan: Plan, *, run_id: str) -> dict[str, pl.DataFrame]:
    """Every `estimate.*` table by name, from every `counts.*` table."""
    incident = incident_of(counts["counts.duration"])
    curve = recovery_curve(incident, plan)
    naive = estimate_durations(incident, curve, plan)
    made = {
        "estimate.prevalence": with_weighted(
            estimate_prevalence(counts["counts.person_interval"], counts["counts.observed_time"], plan), counts, plan
        ),
        "estimate.severity": estimate_severity(counts["counts.severity"]),
        "estimate.testing": estimate_testing(counts["counts.testing"], counts["counts.testing_gap"]),
        "estimate.episode": counts["counts.episode"],
        "estimate.duration": pl.concat(
            [naive, estimate_by_intervals(incident, naive, plan).select(naive.columns)], how="vertical_relaxed"
        ),
        "estimate.duration_curve": estimate_duration_curves(incident, curve, plan),
        "estimate.cause": estimate_causes(counts["counts.cause"], plan),
        "estimate.complication": estimate_complications(counts["counts.complication"]),
        "estimate.anc_distribution": counts["counts.anc_distribution"],
        "estimate.attrition": counts["counts.attrition"],
    }
    seen = leave_out_unseen(made, counts, plan)
    return {name: fit(rows.with_columns(run_id=pl.lit(run_id)), name) for name, rows in seen.items()}
