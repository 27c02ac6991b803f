"""Every episode rule against the truth of a simulated hospital, for the page of `nadir demo --agreement`.

The truth is known because the hospital is made up, and nobody in it exists; for the same reason nothing is hidden here.
A true episode is a stretch of a person's true path below a threshold; it is found by a rule when one of its confirmed
episodes overlaps it. A rule is held against the truth at its own limit.
"""

from dataclasses import dataclass
from pathlib import Path

import duckdb

from flows.population import quoted
from flows.workspace import Workspace

_TABLES = """
CREATE TABLE truth AS
SELECT row_number() OVER () AS truth_id, person_id, threshold_cells_per_ul AS limit_cells_per_ul, onset_at, end_at,
       is_detectable, (epoch(end_at) - epoch(onset_at)) / 86400 AS days
FROM read_parquet('{truth}');
CREATE TABLE found AS
SELECT episode_id, rule, person_id, threshold_cells_per_ul AS limit_cells_per_ul, first_low_at,
       coalesce(recovery_by, last_low_at) AS ended_at, last_low_at,
       duration_ruled_days AS ended_days,
       coalesce(duration_ruled_days, (epoch(last_low_at) - epoch(first_low_at)) / 86400) AS days
FROM w.derived.episode WHERE is_confirmed;
CREATE TABLE pair AS
SELECT f.episode_id, f.rule, f.limit_cells_per_ul, f.ended_days AS found_days, t.truth_id,
       t.days AS true_days
FROM found f JOIN truth t ON t.person_id = f.person_id AND t.limit_cells_per_ul = f.limit_cells_per_ul
 AND f.first_low_at <= coalesce(t.end_at, '2999-01-01') AND f.last_low_at >= coalesce(t.onset_at, '1900-01-01');
"""
_TRUTH = """
SELECT limit_cells_per_ul, count(DISTINCT person_id), count(*), avg(days), sum(is_detectable::INT)
FROM truth GROUP BY ALL ORDER BY ALL DESC
"""
_RULES = """
WITH seen AS (
    SELECT rule, limit_cells_per_ul, count(DISTINCT truth_id) AS n FROM pair
    SEMI JOIN (SELECT truth_id FROM truth WHERE is_detectable) t USING (truth_id) GROUP BY ALL
), held AS (
    SELECT rule, limit_cells_per_ul, episode_id, count(*) AS n, any_value(found_days) AS found_days,
           any_value(true_days) AS true_days
    FROM pair GROUP BY ALL
), joined AS (
    SELECT rule, limit_cells_per_ul, count(*) AS n, sum((n > 1)::INT) AS n_many,
           avg(found_days - true_days) FILTER (n = 1) AS days_off
    FROM held GROUP BY ALL
)
SELECT f.rule, f.limit_cells_per_ul, count(DISTINCT f.person_id), count(*), avg(f.days),
       coalesce(any_value(s.n), 0), coalesce(any_value(j.n), 0), coalesce(any_value(j.n_many), 0), any_value(j.days_off)
FROM found f LEFT JOIN seen s USING (rule, limit_cells_per_ul) LEFT JOIN joined j USING (rule, limit_cells_per_ul)
WHERE f.limit_cells_per_ul IN (SELECT limit_cells_per_ul FROM truth)
GROUP BY ALL ORDER BY f.limit_cells_per_ul DESC, f.rule
"""


@dataclass(frozen=True)
class TrueEpisodes:
    """At one limit: people, episodes, mean length of those that begin and end in view, and how many a test met."""

    limit_cells_per_ul: int
    n_people: int
    n_episodes: int
    mean_days: float | None
    n_met: int


@dataclass(frozen=True)
class RuleAgreement:
    """What a rule found at one limit, and how that agrees with the truth.

    `n_met_found` true episodes that a test met are found; `n_true` of the rule's episodes overlap a true one, `n_many`
    of these more than one; `days_off` is the mean difference of length where one that ended overlaps one alone.
    """

    rule: str
    limit_cells_per_ul: int
    n_people: int
    n_episodes: int
    mean_days: float | None
    n_met_found: int
    n_true: int
    n_many: int
    days_off: float | None


def compare_rules(workspace: Workspace, truth: Path) -> tuple[tuple[TrueEpisodes, ...], tuple[RuleAgreement, ...]]:
    """The true episodes at each limit, and every rule at each of its limits that the truth has."""
    with duckdb.connect() as connection:
        connection.execute(f"ATTACH '{quoted(workspace.warehouse)}' AS w (READ_ONLY)").fetchall()
        for statement in _TABLES.format(truth=quoted(truth)).split(";"):
            if statement.strip():
                connection.execute(statement).fetchall()
        true = tuple(TrueEpisodes(*row) for row in connection.execute(_TRUTH).fetchall())
        rules = tuple(RuleAgreement(*row) for row in connection.execute(_RULES).fetchall())
    return true, rules
