"""Looks at released tables as a reader would, and finds counts that may not be read from them.

It knows nothing of how counts were hidden: it subtracts what is shown. It covers single counts, shares that give a
count away, counts inside counts, parts of totals and steps of curves; not yet overlapping cohorts or two nights.
"""

from collections.abc import Callable, Mapping

import polars as pl

from transforms.suppression import is_small

_RULE = ["cohort", "rule", "threshold_cells_per_ul"]
_PEOPLE = ["cohort", "interval_unit", "interval_start"]


def find_small_cells(tables: Mapping[str, pl.DataFrame], min_cell: int) -> tuple[str, ...]:
    """One line per finding: the table, what is wrong and how many rows; never a value."""
    findings: dict[str, int] = {}
    for name, rows in sorted(tables.items()):
        for column in [
            column for column in rows.columns if column.startswith("n_") and f"{column}_mark" in rows.columns
        ]:
            findings[f"{name}: {column} is shown though small"] = _count(rows, is_small(pl.col(column), min_cell))
    if "released.cause" in tables and "released.episode" in tables:
        causes = tables["released.cause"].filter(pl.col("agent") == "all")
        confirmed = tables["released.episode"].filter(pl.col("is_confirmed"), pl.col("ended_as") == "all")
        lone = _solvable(causes, confirmed, _RULE, "n_episodes")
        findings["released.cause: a cause from the rest of all episodes"] = lone
    checks: dict[str, Callable[[pl.DataFrame, int], dict[str, int]]] = {
        "released.prevalence": _look_at_prevalence,
        "released.testing": _look_at_testing,
        "released.episode": _look_at_endings,
        "released.cause": _look_at_causes,
        "released.duration": _look_at_durations,
        "released.duration_curve": _look_at_curves,
    }
    for name, look in checks.items():
        if name in tables:
            findings |= {f"{name}: {what}": n for what, n in look(tables[name], min_cell).items()}
    return tuple(f"{what} ({n} rows)" for what, n in findings.items() if n)


def _look_at_prevalence(rows: pl.DataFrame, min_cell: int) -> dict[str, int]:
    n_low, n_population = pl.col("n_low"), pl.col("n_population")
    is_shown = pl.any_horizontal(pl.col("prevalence", "prevalence_lo", "prevalence_hi", "method").is_not_null())
    key = [*_PEOPLE, "measure", "rule", "denominator_name"]
    shown = rows.filter(n_low.is_not_null()).sort([*key, "threshold_cells_per_ul"])
    step = n_low - n_low.shift(1).over(key)
    return {
        "a share without its counts": _count(rows, is_shown & (n_low.is_null() | n_population.is_null())),
        "those not low": _count(rows, is_small(n_population - n_low, min_cell)),
        "those possibly low": _count(rows, is_small(pl.col("n_low_possible") - n_low, min_cell)),
        "those between two thresholds": _count(shown, is_small(step.abs(), min_cell)),
    }


def _look_at_testing(rows: pl.DataFrame, min_cell: int) -> dict[str, int]:
    untested = pl.col("n_observed") - pl.col("n_tested")
    is_lone = pl.col("tested_share").is_not_null() & (pl.col("n_observed").is_null() | pl.col("n_tested").is_null())
    found = {
        "those not tested": _count(rows, is_small(untested, min_cell)),
        "a share without its counts": _count(rows, is_lone),
    }
    whole = rows.filter(pl.col("interval_unit") == "all")
    months = rows.filter(pl.col("interval_unit") != "all")
    for value in ("n_tests", "n_gaps"):
        found[f"a month from the rest of {value}"] = _solvable(months, whole, ["cohort"], value)
    return found


def _look_at_endings(rows: pl.DataFrame, min_cell: int) -> dict[str, int]:
    del min_cell
    is_all = pl.col("ended_as") == "all"
    key = [*_RULE, "is_confirmed"]
    return {"an ending from the rest": _solvable(rows.filter(~is_all), rows.filter(is_all), key, "n_episodes")}


def _look_at_causes(rows: pl.DataFrame, min_cell: int) -> dict[str, int]:
    is_all = pl.col("agent") == "all"
    causes, agents = rows.filter(is_all), rows.filter(~is_all)
    key = [*_RULE, "cause_group"]
    named = agents.group_by(key).agg(
        named=pl.col("n_episodes").sum(), is_whole=pl.col("n_episodes").is_not_null().all()
    )
    rest = causes.join(named, on=key, how="inner").filter(pl.col("is_whole"))
    is_lone = pl.col("share").is_not_null() & pl.col("n_episodes").is_null()
    return {
        "a share without its count": _count(rows, is_lone),
        "a drug from the rest": _count(rest, is_small(pl.col("n_episodes") - pl.col("named"), min_cell)),
    }


def _look_at_durations(rows: pl.DataFrame, min_cell: int) -> dict[str, int]:
    is_all = pl.col("cause_group") == "all"
    found = {
        "recoveries from the censored": _count(rows, is_small(pl.col("n_episodes") - pl.col("n_censored"), min_cell)),
        "censored alive from the deaths": _count(rows, is_small(pl.col("n_censored") - pl.col("n_died"), min_cell)),
    }
    for value in ("n_episodes", "n_censored", "n_died"):
        found[f"a cause from the rest of {value}"] = _solvable(rows.filter(~is_all), rows.filter(is_all), _RULE, value)
    return found


def _look_at_curves(rows: pl.DataFrame, min_cell: int) -> dict[str, int]:
    key = [*_RULE, "cause_group", "estimator"]
    shown = rows.filter(pl.col("n_at_risk").is_not_null()).sort([*key, "day"])
    drop = pl.col("n_at_risk").shift(1).over(key) - pl.col("n_at_risk")
    return {"those who left between two steps": _count(shown, is_small(drop, min_cell))}


def _solvable(parts: pl.DataFrame, wholes: pl.DataFrame, key: list[str], value: str) -> int:
    """Totals of which exactly one part is hidden."""
    shown = wholes.filter(pl.col(value).is_not_null()).select(key)
    lone = parts.group_by(key).agg(n_hidden=pl.col(value).is_null().sum()).filter(pl.col("n_hidden") == 1)
    return lone.join(shown, on=key, how="semi").height


def _count(rows: pl.DataFrame, condition: pl.Expr) -> int:
    return rows.filter(condition.fill_null(value=False)).height
