"""The self-controlled ratio of drugs that do nothing: how often its interval holds 1, and what its check tells.

Drugs are given to people of a simulated hospital at random, or to some of them within days of the fall of their count,
as an antibiotic for the infection that a low count brings; then counted and estimated as any drug is.
"""

from dataclasses import dataclass
from pathlib import Path

import duckdb
import numpy as np
import polars as pl

from transforms.drug_counts import Drugs
from transforms.drug_estimates import RAISED, estimate_ratios
from transforms.drug_weeks import count_weeks
from transforms.model.drugs import DrugRules

RULE, THRESHOLD = "clinical", 1500
COURSE_DAYS, RISK_DAYS, PEOPLE = 14, 28, 400
BATCH = 100


@dataclass(frozen=True)
class Hospital:
    """What the counts of drugs are made of, with the span in which each person was tested and true onsets by person."""

    tests: pl.DataFrame
    episodes: pl.DataFrame
    spans: pl.DataFrame
    onsets: pl.DataFrame


@dataclass(frozen=True)
class Nulls:
    """Of so many null drugs with an interval: how many hold 1, lie above it, and are flagged by the check."""

    n: int
    covered: float
    above: float
    flagged: float
    above_unflagged: float


def read_hospital(workspace: Path, truth: Path) -> Hospital:
    """People, tests and first episodes of a simulated night."""
    with duckdb.connect() as connection:
        connection.execute(f"ATTACH '{workspace / 'warehouse.duckdb'}' AS w (READ_ONLY)").fetchall()
        connection.execute(
            "CREATE TABLE p AS SELECT person_id, "
            "(row_number() OVER (ORDER BY person_id) - 1)::UINTEGER AS person_index "
            "FROM w.canonical.person"
        ).fetchall()
        tests = connection.sql(
            "SELECT person_index, (collected_at::DATE - DATE '1970-01-01')::INTEGER AS day, "
            "min(anc_cells_per_ul) AS lowest_cells_per_ul FROM w.derived.anc JOIN p USING (person_id) "
            "WHERE anc_cells_per_ul IS NOT NULL GROUP BY ALL ORDER BY ALL"
        ).pl()
        episodes = connection.sql(
            "SELECT person_index, threshold_cells_per_ul, "
            "(first_low_at::DATE - DATE '1970-01-01')::INTEGER AS started, NULL::INTEGER AS ended, "
            "is_incident FROM w.derived.episode JOIN p USING (person_id) "
            f"WHERE rule = '{RULE}' AND is_confirmed ORDER BY ALL"
        ).pl()
        onsets = connection.sql(
            f"SELECT person_index, min(onset_at::DATE - DATE '1970-01-01')::INTEGER AS onset FROM read_csv('{truth}', "
            "types={'person_id': 'VARCHAR'}) JOIN p USING (person_id) WHERE threshold_cells_per_ul = "
            f"{THRESHOLD} "
            "AND onset_at IS NOT NULL GROUP BY 1 ORDER BY 1"
        ).pl()
    spans = tests.group_by("person_index").agg(first=pl.col("day").min(), last=pl.col("day").max())
    return Hospital(tests, episodes, spans.filter(pl.col("last") > pl.col("first")).sort("person_index"), onsets)


def try_nulls(hospital: Hospital, rules: DrugRules, n: int, *, ill_share: float, seed: int = 1) -> Nulls:
    """`n` drugs without any effect, given at random, and to so many of those who fall ill when they do."""
    rng = np.random.default_rng(seed)
    rows = []
    for first in range(0, n, BATCH):
        parts = [_give(hospital, rng, f"null {number}", ill_share) for number in range(first, min(first + BATCH, n))]
        given = Drugs(pl.concat(parts), hospital.tests, hospital.episodes)
        drug = given.blocks.group_by("drug", "drug_class").agg(n_people=pl.col("person_index").n_unique())
        rows.append(estimate_ratios(count_weeks(given, rules), drug, rules))
    found = pl.concat(rows).filter(pl.col("ratio_lo").is_not_null())
    lo, hi = pl.col("ratio_lo"), pl.col("ratio_hi").fill_null(np.inf)
    is_raised = (pl.col("pre_check") == RAISED).fill_null(value=False)
    row = found.select(
        covered=((lo <= 1) & (hi >= 1)).mean(),
        above=(lo > 1).mean(),
        flagged=is_raised.mean(),
        above_unflagged=((lo > 1) & ~is_raised).mean(),
    ).row(0, named=True)
    return Nulls(found.height, **row)


def _give(hospital: Hospital, rng: np.random.Generator, drug: str, ill_share: float) -> pl.DataFrame:
    people = hospital.spans.sample(min(PEOPLE, hospital.spans.height), seed=int(rng.integers(2**31)))
    first, last = people["first"].to_numpy(), people["last"].to_numpy()
    start = first + np.floor(rng.random(len(first)) * (last - first + 1)).astype(np.int32)
    if ill_share:
        onset = people.join(hospital.onsets, on="person_index", how="left", maintain_order="left")["onset"]
        is_ill = onset.is_not_null().to_numpy() & (rng.random(len(first)) < ill_share)
        start = np.where(is_ill, onset.fill_null(0).to_numpy() + rng.integers(-1, 4, len(first)), start)
    return pl.DataFrame({"person_index": people["person_index"], "started": start.astype(np.int32)}).with_columns(
        drug=pl.lit(drug),
        drug_class=pl.lit("other"),
        anchor=pl.lit("course_start"),
        course_number=pl.lit(1, pl.Int32),
        onset_min_days=pl.lit(1, pl.Int32),
        onset_max_days=pl.lit(RISK_DAYS, pl.Int32),
        ended=pl.col("started") + COURSE_DAYS,
        course_started="started",
        window_from=pl.col("started") + 1,
        window_until=pl.col("started") + RISK_DAYS,
    )
