"""Suspected causes against the simulated truth, beside the best that a classifier could do, and drugs that do nothing.

Run with `make causes`. The truth of a confirmed episode is what lowered the count when the first true episode in it
began. The best is a posterior learned from another, larger hospital of the same simulator, given everything that the
extract shows of an episode; no classifier can do better than the posterior, and this comes near it from below.
"""

import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

import duckdb
import numpy as np
import polars as pl
from numpy.typing import NDArray

from tests.bench.boosting import learn
from tests.bench.nulls import RULE, THRESHOLD, read_hospital, try_nulls
from tests.bench.shown import read_shown
from tests.bench.truth import simulate_and_run
from transforms.load import load_definitions

JUDGED = """
SELECT e.episode_id, e.person_id, t.began_by AS truth, c.cause_group AS suspect, c.category
FROM read_csv('{truth}', types={{'person_id': 'VARCHAR'}}) t
JOIN w.derived.episode e ON e.person_id = t.person_id AND e.threshold_cells_per_ul = t.threshold_cells_per_ul
 AND e.first_low_at <= coalesce(t.end_at, '2999-01-01') AND e.last_low_at >= coalesce(t.onset_at, '1900-01-01')
JOIN w.derived.episode_cause c ON c.episode_id = e.episode_id AND c.is_primary
WHERE e.rule = '{rule}' AND e.is_confirmed AND t.threshold_cells_per_ul = {threshold}
QUALIFY row_number() OVER (PARTITION BY e.episode_id ORDER BY t.onset_at NULLS FIRST) = 1
ORDER BY e.episode_id
"""
NONE, TOO_LITTLE = "unexplained", "insufficient_data"
TOLD = pl.col("suspect").replace(TOO_LITTLE, NONE)
SEED, TEACHING_SEED = 5, 77
ILL_SHARES = (0.0, 0.1, 0.25, 0.5)


@dataclass(frozen=True)
class Best:
    """The posterior of each episode (rows) and class (columns, named by `classes`)."""

    classes: tuple[str, ...]
    posterior: NDArray[np.float64]

    @property
    def told(self) -> list[str]:
        """The most probable class of each episode."""
        return [self.classes[number] for number in self.posterior.argmax(axis=1)]

    def of(self, name: str) -> NDArray[np.float64]:
        """The posterior of one class."""
        share: NDArray[np.float64] = self.posterior[:, self.classes.index(name)]
        return share


def judge(workspace: Path, truth: Path) -> pl.DataFrame:
    """episode_id, person_id, truth, suspect and its category of each confirmed episode that holds a true one."""
    with duckdb.connect() as connection:
        connection.execute(f"ATTACH '{workspace / 'warehouse.duckdb'}' AS w (READ_ONLY)").fetchall()
        return connection.sql(JUDGED.format(truth=truth, rule=RULE, threshold=THRESHOLD)).pl()


def find_best(judged: pl.DataFrame, shown: pl.DataFrame, taught: pl.DataFrame, taught_shown: pl.DataFrame) -> Best:
    """The posterior of the episodes of `judged`, learned from `taught`; both in the order of their rows."""
    columns = [name for name in taught_shown.columns if name != "episode_id"]
    classes = tuple(sorted(taught["truth"].unique()))

    def numbers(episodes: pl.DataFrame, known: pl.DataFrame) -> NDArray[np.float64]:
        lacking = [pl.lit(None, pl.Float64).alias(name) for name in columns if name not in known.columns]
        rows = episodes.select("episode_id").join(known.with_columns(lacking), on="episode_id", maintain_order="left")
        return rows.select(columns).to_numpy().astype(np.float64)

    truth = np.array([classes.index(name) for name in taught["truth"]])
    model = learn(numbers(taught, taught_shown), truth, len(classes))
    return Best(classes, model.posterior(numbers(judged, shown)))


def main(people: int, teaching_people: int, n_nulls: int) -> None:
    """Print all as Markdown."""
    with tempfile.TemporaryDirectory() as folder:
        workspace, truth = simulate_and_run(Path(folder) / "judged", people, is_noise_free=False, seed=SEED)
        taught = simulate_and_run(Path(folder) / "taught", teaching_people, is_noise_free=False, seed=TEACHING_SEED)
        judged = judge(workspace, truth)
        best = find_best(
            judged,
            read_shown(workspace, RULE, THRESHOLD),
            judge(*taught),
            read_shown(taught[0], RULE, THRESHOLD),
        )
        print_confusion(judged, "suspect")
        print_confusion(judged.with_columns(best=pl.Series(best.told)), "best")
        print_accuracy(judged, best)
        print_calibration(judged, best)
        print_nulls(workspace, truth, n_nulls)


def print_confusion(judged: pl.DataFrame, column: str) -> None:
    """True causes down, `column` across."""
    pairs = judged.group_by("truth", column).agg(n=pl.len())
    table = pairs.pivot(column, index="truth", values="n", sort_columns=True).fill_null(0).sort("truth")
    names = table.columns[1:]
    print(f"\n| true cause | {' | '.join(name.replace('_', ' ') for name in names)} |")
    print(f"|---|{'---:|' * len(names)}")
    for row in table.iter_rows():
        print(f"| {row[0].replace('_', ' ')} | {' | '.join(f'{n:,}' for n in row[1:])} |")


def print_accuracy(judged: pl.DataFrame, best: Best) -> None:
    """Shares that are right, and their difference with its standard error, people as clusters."""
    ours = judged.select(pl.col("truth") == TOLD).to_series().cast(pl.Int8)
    theirs = (pl.Series(best.told) == judged["truth"]).cast(pl.Int8)
    gap = float((theirs - ours).sum()) / judged.height
    by_person = judged.with_columns(off=(theirs - ours) - gap).group_by("person_id").agg(pl.col("off").sum())
    error = float((by_person["off"] ** 2).sum()) ** 0.5 / judged.height
    print(
        f"\n{judged.height:,} episodes; nadir is right in {ours.mean():.1%}, the best in {theirs.mean():.1%} "
        f"(it expects {best.posterior.max(axis=1).mean():.1%}): {100 * gap:.1f} points apart, standard error "
        f"{100 * error:.1f}. Too little data to say counts as unexplained."
    )


def print_calibration(judged: pl.DataFrame, best: Best) -> None:
    """By stated certainty, how many are right, and what the posterior gives to the stated cause."""
    own = np.array(
        [best.classes.index(name) if name in best.classes else 0 for name in judged.select(TOLD).to_series()]
    )
    stated = best.posterior[np.arange(len(own)), own]
    band = pl.when(pl.col("suspect").is_in([NONE, TOO_LITTLE])).then("suspect").otherwise("category")
    rows = judged.with_columns(band=band, is_right=pl.col("truth") == TOLD, stated=stated)
    table = rows.group_by("band").agg(n=pl.len(), right=pl.col("is_right").mean(), stated=pl.col("stated").mean())
    print("\n| stated | episodes | truly so | expected by the best |\n|---|---:|---:|---:|")
    for name, n, right, expected in table.sort("band").iter_rows():
        print(f"| {name.replace('_', ' ')} | {n:,} | {right:.0%} | {expected:.0%} |")


def print_nulls(workspace: Path, truth: Path, n_nulls: int) -> None:
    """Coverage of the ratio and what its check tells, by how many of the ill were given the drug."""
    hospital, rules = read_hospital(workspace, truth), load_definitions().drugs
    print("\n| null drugs | with an interval | holds 1 | above 1 | flagged by the check | above 1, not flagged |")
    print("|---|---:|---:|---:|---:|---:|")
    for share in ILL_SHARES:
        found = try_nulls(hospital, rules, n_nulls, ill_share=share)
        shares = (found.covered, found.above, found.flagged, found.above_unflagged)
        name = f"to {share:.0%} of the ill within days of the fall" if share else "given at random"
        print(f"| {name} | {found.n:,} | {' | '.join(f'{each:.1%}' for each in shares)} |", flush=True)


if __name__ == "__main__":
    wanted = [int(text) for text in sys.argv[1:]]
    main(*wanted, *(6000, 30000, 2000)[len(wanted) :])
