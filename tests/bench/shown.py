"""What an extract shows of each confirmed episode, as columns of numbers: what a classifier could tell its cause by.

Nothing of the truth, and nothing that nadir suspects: counts, other blood cells, vitamin B12, diagnoses and drugs, each
with its days from the first low value. Drugs are known by ATC code and diagnoses by code, as the extract has them.
"""

from pathlib import Path

import duckdb
import polars as pl

EPISODES = """
CREATE TABLE e AS SELECT *, first_low_at::DATE AS day, nadir_at::DATE AS nadir_day,
    lead(first_low_at) OVER person AS next_at, lag(first_low_at) OVER person AS before_at,
    lag(coalesce(recovery_by, last_low_at)) OVER person AS before_ended_at,
    count(*) OVER (PARTITION BY person_id) AS n_all
FROM w.derived.episode WHERE rule = '{rule}' AND is_confirmed AND threshold_cells_per_ul = {threshold}
WINDOW person AS (PARTITION BY person_id ORDER BY first_low_at)
"""
PLAIN = """
WITH observed AS (SELECT person_id, min(started_on) AS began FROM w.canonical.observation GROUP BY person_id)
SELECT e.episode_id, year(e.day) - p.birth_year AS age, (p.sex = 'female')::INT AS is_female,
    p.duffy_null::INT AS duffy, e.nadir_cells_per_ul AS nadir, e.duration_lower_days AS lower_days,
    e.duration_upper_days AS upper_days, e.n_values, e.n_values / (e.duration_lower_days + 1) AS tests_a_day,
    date_diff('day', e.onset_after, e.first_low_at) AS gap, e.is_incident::INT AS is_incident,
    e.has_gcsf::INT AS has_gcsf, e.n_all, date_diff('day', e.day, e.nadir_day) AS to_nadir,
    date_diff('day', e.before_at, e.first_low_at) AS since_before,
    date_diff('day', e.before_ended_at, e.first_low_at) AS since_end_before,
    date_diff('day', e.first_low_at, e.next_at) AS to_next, date_diff('day', o.began, e.day) AS observed
FROM e JOIN w.canonical.person p USING (person_id) LEFT JOIN observed o USING (person_id)
"""
COUNTS = """
SELECT e.episode_id, median(a.anc_cells_per_ul) AS usual, min(a.anc_cells_per_ul) AS lowest,
    quantile_cont(a.anc_cells_per_ul, 0.9) AS high,
    median(a.anc_cells_per_ul) FILTER (a.collected_at < e.first_low_at) AS usual_before,
    median(a.anc_cells_per_ul) FILTER (a.collected_at > coalesce(e.recovery_by, e.last_low_at)) AS usual_after,
    arg_max(a.anc_cells_per_ul, a.collected_at) FILTER (a.collected_at < e.first_low_at) AS last_before,
    min_by(a.anc_cells_per_ul, a.collected_at) FILTER (a.collected_at >= e.recovery_by) AS first_after,
    min_by(a.anc_cells_per_ul, a.collected_at) FILTER (a.collected_at >= e.first_low_at) AS first_low,
    count(*) FILTER (a.collected_at BETWEEN e.first_low_at - INTERVAL 30 DAY AND e.first_low_at) AS tests_before
FROM e JOIN w.derived.anc a USING (person_id) WHERE a.anc_cells_per_ul IS NOT NULL GROUP BY ALL
"""
OTHER_CELLS = """
SELECT e.episode_id, l.analyte || '_near' AS name,
    median(l.value::DOUBLE) FILTER (date_diff('day', e.first_low_at, l.collected_at) BETWEEN -14 AND 30) AS number
FROM e JOIN w.canonical.lab l USING (person_id) WHERE l.analyte IN ('platelets', 'hgb', 'lymph_pct') GROUP BY ALL
UNION ALL
SELECT e.episode_id, l.analyte || '_usual', median(l.value::DOUBLE)
FROM e JOIN w.canonical.lab l USING (person_id) WHERE l.analyte IN ('platelets', 'hgb', 'lymph_pct') GROUP BY ALL
UNION ALL
SELECT e.episode_id, 'b12_lowest', min(l.value::DOUBLE)
FROM e JOIN w.canonical.lab l USING (person_id) WHERE l.analyte = 'b12'
    AND abs(date_diff('day', e.first_low_at, l.collected_at)) <= 180 GROUP BY ALL
"""
CODES = """
WITH coded AS (
    SELECT e.episode_id, d.code, date_diff('day', d.recorded_at, e.first_low_at) AS days
    FROM e JOIN w.canonical.diagnosis d USING (person_id)
)
SELECT episode_id, 'code_' || code AS name, arg_min(days, abs(days)) AS number FROM coded GROUP BY ALL
"""
DRUGS = """
WITH given AS (
    SELECT e.episode_id, e.day, e.nadir_day, x.atc, x.started_at::DATE AS began, x.ended_at::DATE AS ended
    FROM e JOIN w.canonical.exposure x USING (person_id) WHERE x.atc IS NOT NULL
), told AS (
    SELECT episode_id, atc, min(day - began) FILTER (began <= day) AS since, max(day - began) AS first,
        min(day - ended) FILTER (began <= day) AS ended, min(nadir_day - began) FILTER (began <= nadir_day) AS to_nadir
    FROM given GROUP BY ALL
)
SELECT episode_id, 'drug_' || atc || '_' || name AS name, number
FROM told UNPIVOT (number FOR name IN (since, first, ended, to_nadir))
"""


def read_shown(workspace: Path, rule: str, threshold: int) -> pl.DataFrame:
    """A row a confirmed episode: episode_id and a column for everything that the extract shows, null where nothing."""
    with duckdb.connect() as connection:
        connection.execute(f"ATTACH '{workspace / 'warehouse.duckdb'}' AS w (READ_ONLY)").fetchall()
        connection.execute(EPISODES.format(rule=rule, threshold=threshold)).fetchall()
        shown = connection.sql(PLAIN).pl().join(connection.sql(COUNTS).pl(), on="episode_id", how="left")
        for query in (OTHER_CELLS, CODES, DRUGS):
            long = connection.sql(query).pl().with_columns(pl.col("number").cast(pl.Float64))
            wide = long.pivot("name", index="episode_id", values="number", sort_columns=True)
            shown = shown.join(wide, on="episode_id", how="left")
    return shown.with_columns(pl.exclude("episode_id").cast(pl.Float64)).sort("episode_id")
