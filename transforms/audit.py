"""Looks at released tables as a reader would, and finds counts that may not be read from them.

It knows nothing of how counts were hidden: it subtracts what is shown. It covers single counts, shares that give a
count away, counts inside counts, parts of totals and steps of curves; not yet overlapping cohorts or two nights.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

import polars as pl

from transforms.frames import settle
from transforms.model.estimation import DEFAULT_WINDOW
from transforms.suppression import is_small

SHARES = (("n_affected", "n_tested"), ("n_episodes",), ("n_people",))  # what a column `share` is made of
_RULE = ["cohort", "rule", "threshold_cells_per_ul"]
_PEOPLE = ["cohort", "interval_unit", "interval_start"]
_EPISODES = ("released.cause", "released.duration", "released.duration_curve", "released.episode")
_CURVES = ("released.duration", "released.duration_curve")
_CAUSE = [*_RULE, "cause_group"]
_CURVE = [*_CAUSE, "estimator"]
_ESTIMATE = ["estimator", "estimand", "tau_days"]


@dataclass(frozen=True)
class Finding:
    """What a reader could find out, and the rows of `tables` (those of `groups`) that would have to be hidden.

    `is_shown` says that a small count is simply there, which no rule of hiding can leave behind.
    """

    what: str
    tables: tuple[str, ...]
    groups: pl.DataFrame = field(repr=False)
    is_shown: bool = False

    def __str__(self) -> str:
        """The table, what is wrong and how many groups of rows; never a value."""
        return f"{self.what} ({self.groups.height} rows)"


def find_small_cells(tables: Mapping[str, pl.DataFrame], min_cell: int) -> tuple[Finding, ...]:
    """Everything that gives away a count below `min_cell`."""
    looks: dict[str, Callable[[Mapping[str, pl.DataFrame], int], Iterator[Finding]]] = {
        "released.prevalence": _look_at_prevalence,
        "released.testing": _look_at_testing,
        "released.episode": _look_at_endings,
        "released.cause": _look_at_causes,
        "released.complication": _look_at_complications,
        "released.incidence": _look_at_incidence,
        "released.drug": _look_at_drugs,
        "released.duration": _look_at_durations,
        "released.duration_curve": _look_at_curves,
    }
    found = [*_look_at_counts(tables, min_cell), *_look_at_shares(tables)]
    for name, look in looks.items():
        found += look(tables, min_cell) if name in tables else ()
    return tuple(finding for finding in found if finding.groups.height)


def _look_at_counts(tables: Mapping[str, pl.DataFrame], min_cell: int) -> Iterator[Finding]:
    for name, rows in sorted(tables.items()):
        counts = [column for column in rows.columns if column.startswith("n_") and f"{column}_mark" in rows.columns]
        for column in counts:
            small = rows.filter(is_small(pl.col(column), min_cell))
            yield Finding(f"{name}: {column} is shown though small", (name,), small, is_shown=True)


def _look_at_shares(tables: Mapping[str, pl.DataFrame]) -> Iterator[Finding]:
    counts: dict[str, tuple[str, ...]] = {
        "prevalence": ("n_low", "n_population"),
        "prevalence_lo": ("n_low", "n_population"),
        "prevalence_hi": ("n_low", "n_population"),
        "method": ("n_low", "n_population"),
        "rate_per_1000_py": ("n_episodes", "person_days"),
        "rate_lo": ("n_episodes", "person_days"),
        "rate_hi": ("n_episodes", "person_days"),
        "tested_share": ("n_observed", "n_tested"),
        "tests_per_tested_person": ("n_tests", "n_tested"),
    }
    for name, every in sorted(tables.items()):
        rows = every.filter(~pl.col("is_weighted")) if "is_weighted" in every.columns else every
        known = set(rows.columns)
        shares = {share: made_of for share, made_of in counts.items() if {share, *made_of} <= known}
        if "share" in known:
            shares["share"] = next(made_of for made_of in SHARES if known.issuperset(made_of))
        for share, made_of in shares.items():
            is_lone = pl.col(share).is_not_null() & pl.any_horizontal(pl.col(made_of).is_null())
            yield Finding(f"{name}: {share} without its counts", (name,), rows.filter(is_lone), is_shown=True)


def _look_at_prevalence(tables: Mapping[str, pl.DataFrame], min_cell: int) -> Iterator[Finding]:
    name = "released.prevalence"
    rows, group = tables[name], [*_PEOPLE, "measure", "rule", "denominator_name"]
    key = [*group, "is_weighted", "standard"]
    n_low = pl.col("n_low")
    shown = rows.filter(n_low.is_not_null()).sort([*key, "threshold_cells_per_ul"])
    step = n_low - n_low.shift(1).over(key)
    for what, of, difference in (
        ("those not low", rows, pl.col("n_population") - n_low),
        ("those possibly low", rows, pl.col("n_low_possible") - n_low),
        ("those between two thresholds", shown, step.abs()),
    ):
        yield Finding(f"{name}: {what}", (name,), of.filter(is_small(difference, min_cell)).select(group).unique())
    yield from _look_at_weighted(rows, min_cell)


def _look_at_weighted(rows: pl.DataFrame, min_cell: int) -> Iterator[Finding]:
    """Weighted shares of cells whose share of people is hidden, and people of a cell who have no weight."""
    name, cell = "released.prevalence", [*_PEOPLE, "measure", "rule", "threshold_cells_per_ul", "denominator_name"]
    is_crude = pl.col("standard") == "crude"
    people = rows.filter(~pl.col("is_weighted"), is_crude)
    aged = rows.filter(~is_crude).join(people, on=cell, how="left", nulls_equal=True, suffix="_of_people")
    for count in ("n_low", "n_population"):
        is_few = is_small(pl.col(f"{count}_of_people") - pl.col(count), min_cell)
        yield Finding(f"{name}: those of unknown age or sex of {count}", (name,), aged.filter(is_few).select(cell))
    both = rows.filter("is_weighted").join(people, on=cell, how="left", nulls_equal=True, suffix="_of_people")
    is_lone = pl.col("prevalence").is_not_null() & pl.col("prevalence_of_people").is_null()
    yield Finding(
        f"{name}: a weighted share of a hidden cell", (name,), both.filter(is_lone).select(cell), is_shown=True
    )
    for count in ("n_low", "n_low_possible", "n_population"):
        is_few = is_small(pl.col(f"{count}_of_people") - pl.col(count), min_cell)
        yield Finding(f"{name}: those without a weight of {count}", (name,), both.filter(is_few).select(cell))


def _look_at_testing(tables: Mapping[str, pl.DataFrame], min_cell: int) -> Iterator[Finding]:
    name = "released.testing"
    rows = tables[name]
    is_few = is_small(pl.col("n_observed") - pl.col("n_tested"), min_cell)
    yield Finding(f"{name}: those not tested", (name,), rows.filter(is_few).select(_PEOPLE))
    is_whole = pl.col("interval_unit") == "all"
    for value in ("n_tests", "n_gaps"):
        groups = _solvable(rows.filter(~is_whole), rows.filter(is_whole), ["cohort"], value, min_cell)
        yield Finding(f"{name}: a month from the rest of {value}", (name,), groups)


def _look_at_endings(tables: Mapping[str, pl.DataFrame], min_cell: int) -> Iterator[Finding]:
    rows, is_all = tables["released.episode"], pl.col("ended_as") == "all"
    key = [*_RULE, "is_confirmed"]
    groups = _solvable(rows.filter(~is_all), rows.filter(is_all), key, "n_episodes", min_cell)
    yield Finding("released.episode: an ending from the rest", ("released.episode",), groups)


def _look_at_causes(tables: Mapping[str, pl.DataFrame], min_cell: int) -> Iterator[Finding]:
    every, is_all = tables["released.cause"], pl.col("agent") == "all"
    is_default = pl.col("window") == DEFAULT_WINDOW
    rows = every.filter(is_default)
    yield from _look_at_windows(tables, every.filter(~is_default), min_cell)
    causes, agents = rows.filter(is_all), rows.filter(~is_all)
    if "released.episode" in tables:
        confirmed = tables["released.episode"].filter(pl.col("is_confirmed"), pl.col("ended_as") == "all")
        groups = _solvable(causes, confirmed, _RULE, "n_episodes", min_cell)
        yield Finding("released.cause: a cause from the rest of all episodes", _EPISODES, groups)
    key = [*_RULE, "cause_group"]
    hidden = pl.col("n_episodes").is_null().sum().cast(pl.Int64)
    named = agents.group_by(key).agg(named=pl.col("n_episodes").sum(), n_hidden=hidden)
    left = pl.col("n_episodes") - pl.col("named")
    is_near = (pl.col("n_hidden") > 0) & (left - (pl.col("n_hidden") - 1) < min_cell - 1)
    is_rest = (pl.col("n_hidden") == 0) & is_small(left, min_cell)
    groups = causes.join(named, on=key, how="inner").filter(is_near | is_rest).select(key)
    yield Finding("released.cause: a drug from the rest", ("released.cause",), groups)


def _look_at_complications(tables: Mapping[str, pl.DataFrame], min_cell: int) -> Iterator[Finding]:
    """Bands are parts of all, episodes with it are parts of those assessed, and one of a kind may lie in another."""
    name = "released.complication"
    rows, is_all = tables[name], pl.col("band_kind") == "all"
    key = [*_RULE, "complication"]
    for value in ("n_episodes", "n_assessed"):
        for kind in ("severity", "duration"):
            groups = _solvable(rows.filter(pl.col("band_kind") == kind), rows.filter(is_all), key, value, min_cell)
            yield Finding(f"{name}: a band of {kind} from the rest of {value}", (name,), groups)
    without = rows.filter(is_small(pl.col("n_assessed") - pl.col("n_episodes"), min_cell)).select(key).unique()
    yield Finding(f"{name}: those without it from those with it", (name,), without)
    cell = [*_RULE, "band_kind", "band"]
    of_kind = [*cell, "kind"]
    for value, by in (("n_episodes", of_kind), ("n_people", of_kind), ("n_assessed", cell)):
        ordered = rows.filter(pl.col(value).is_not_null()).sort(*by, value)
        near = ordered.filter(is_small(pl.col(value) - pl.col(value).shift(1).over(by), min_cell))
        yield Finding(f"{name}: one from another by {value}", (name,), near.select(key).unique())
    if "released.episode" in tables:
        confirmed = tables["released.episode"].filter(pl.col("is_confirmed"), pl.col("ended_as") == "all")
        beside = rows.filter(is_all).join(confirmed.select(*_RULE, whole="n_episodes"), on=_RULE, how="inner")
        few = beside.filter(is_small(pl.col("whole") - pl.col("n_assessed"), min_cell))
        yield Finding(f"{name}: those not assessed from all episodes", (name,), few.select(key).unique())


def _look_at_incidence(tables: Mapping[str, pl.DataFrame], min_cell: int) -> Iterator[Finding]:
    name, is_crude = "released.incidence", pl.col("standard") == "crude"
    rows, is_whole = tables[name], pl.col("interval_unit") == "all"
    first = rows.filter(is_whole, is_crude, pl.col("onset") == "first")
    other = rows.filter(is_whole, ~(is_crude & (pl.col("onset") == "first")))
    both = other.join(first.select(*_RULE, n_first="n_episodes"), on=_RULE, how="left")
    is_few = is_small((pl.col("n_episodes") - pl.col("n_first")).abs(), min_cell)
    yield Finding(f"{name}: episodes that came back, or of unknown age", (name,), both.filter(is_few).select(_RULE))
    years = rows.filter(~is_whole, is_crude)
    with_years = first.join(years, on=_RULE, how="semi")
    groups = _solvable(years, with_years, _RULE, "n_episodes", min_cell)
    yield Finding(f"{name}: a year from the rest", (name,), groups)


def _look_at_windows(tables: Mapping[str, pl.DataFrame], others: pl.DataFrame, min_cell: int) -> Iterator[Finding]:
    """Causes by windows of another length: a cause from the rest, and those whom another length moves."""
    name, key = "released.cause", [*_RULE, "window"]
    if "released.episode" in tables:
        confirmed = tables["released.episode"].filter(pl.col("is_confirmed"), pl.col("ended_as") == "all")
        totals = confirmed.join(others.select(key).unique(), on=_RULE)
        groups = _solvable(others, totals, key, "n_episodes", min_cell)
        yield Finding(f"{name}: a cause from the rest, by another window", (name,), groups)
    default = tables[name].filter(pl.col("agent") == "all", pl.col("window") == DEFAULT_WINDOW)
    both = others.join(default, on=_CAUSE, suffix="_default")
    for value in ("n_episodes", "n_people"):
        moved = (pl.col(value) - pl.col(f"{value}_default")).abs()
        groups = both.filter(is_small(moved, min_cell)).select(*_CAUSE, "window")
        yield Finding(f"{name}: {value} moved by another window", (name,), groups)
        groups = both.filter(pl.col(value).is_not_null(), pl.col(f"{value}_default").is_null()).select(
            *_CAUSE, "window"
        )
        yield Finding(f"{name}: hidden {value} by another window", (name,), groups)


def _look_at_drugs(tables: Mapping[str, pl.DataFrame], min_cell: int) -> Iterator[Finding]:
    name = "released.drug"
    for part, whole in (("n_affected", "n_tested"), ("n_tested", "n_courses"), ("n_people", "n_courses")):
        left = pl.col(whole) - pl.col(part)
        yield Finding(
            f"{name}: {whole} less {part}", (name,), tables[name].filter(is_small(left, min_cell)).select("drug")
        )
    if "released.drug_day" in tables:
        given = tables[name].select("drug", given="n_people").unique()
        days = tables["released.drug_day"].join(given, on="drug")
        groups = days.filter(is_small(pl.col("given") - pl.col("n_people"), min_cell)).select("drug")
        yield Finding("released.drug_day: who was not tested on a day", ("released.drug_day",), groups)


def _look_at_durations(tables: Mapping[str, pl.DataFrame], min_cell: int) -> Iterator[Finding]:
    name = "released.duration"
    rows, is_all = tables[name], pl.col("cause_group") == "all"
    for what, whole, part in (
        ("recoveries from the censored", "n_episodes", "n_censored"),
        ("censored alive from the deaths", "n_censored", "n_died"),
    ):
        is_few = is_small(pl.col(whole) - pl.col(part), min_cell)
        yield Finding(f"{name}: {what}", _CURVES, rows.filter(is_few).select(_CAUSE).unique())
    for value in ("n_episodes", "n_censored", "n_died"):
        groups = _solvable(rows.filter(~is_all), rows.filter(is_all), [*_RULE, *_ESTIMATE], value, min_cell)
        yield Finding(f"{name}: a cause from the rest of {value}", _CURVES, groups.select(_RULE).unique())


def _look_at_curves(tables: Mapping[str, pl.DataFrame], min_cell: int) -> Iterator[Finding]:
    name = "released.duration_curve"
    shown = tables[name].filter(pl.col("n_at_risk").is_not_null()).sort([*_CURVE, "day"])
    drop = pl.col("n_at_risk").shift(1).over(_CURVE) - pl.col("n_at_risk")
    groups = shown.filter(is_small(drop, min_cell)).select(_CURVE).unique()
    yield Finding(f"{name}: those who left between two steps", (name,), groups)
    groups = _solvable(*_at_risk_by_cause(tables[name]), [*_RULE, "day"], "n_at_risk", min_cell)
    yield Finding(f"{name}: a cause from the rest of those at risk", (name,), groups.select(_RULE).unique())


def _at_risk_by_cause(rows: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Numbers at risk of every cause, and of all, on the days on which all is shown; a curve ends with nobody."""
    is_all = pl.col("cause_group") == "all"
    totals = rows.filter(is_all, pl.col("n_at_risk").is_not_null()).select(*_RULE, "day", "n_at_risk")
    ends = pl.col("day").filter(pl.col("n_at_risk") == 0).min()
    causes = rows.filter(~is_all).group_by([*_RULE, "cause_group"]).agg(ends=ends)
    known = rows.filter(~is_all).select(*_RULE, "cause_group", "day", "n_at_risk")
    parts = totals.drop("n_at_risk").join(causes, on=_RULE).join(known, on=[*_RULE, "cause_group", "day"], how="left")
    is_over = (pl.col("day") > pl.col("ends")).fill_null(value=False)
    return parts.with_columns(n_at_risk=pl.when(is_over).then(0).otherwise("n_at_risk")), totals


def _solvable(parts: pl.DataFrame, totals: pl.DataFrame, key: list[str], value: str, min_cell: int) -> pl.DataFrame:
    """Keys of totals that follow from their parts, or whose hidden parts can be narrowed to too few values."""
    is_hidden = pl.col(value).is_null()
    n_hidden = is_hidden.sum().cast(pl.Int64)
    held = parts.lazy().group_by(key).agg(shown=pl.col(value).sum(), n_hidden=n_hidden)
    joined = totals.lazy().join(held, on=key, how="inner")
    left = pl.col(value) - pl.col("shown")
    is_narrow = (pl.col("n_hidden") == 1) | (left - (pl.col("n_hidden") - 1) < min_cell - 1)
    from_total = ~is_hidden & (left > 0) & (pl.col("n_hidden") > 0) & is_narrow
    from_parts = is_hidden & (pl.col("n_hidden") == 0) & (pl.col("shown") > 0)
    return settle(joined.filter(from_total | from_parts).select(key))
