"""Which values of the tables of episodes must be hidden: columns `hide_VALUE` beside each table.

Episodes add up: endings to all, causes to all, agents to their cause. Where one part is hidden others protect it. The
people of a part go with its episodes, and episodes of few people, however many, are hidden with all that is made of
them. A median, mean or curve goes with the episodes it is made of, and with the deaths where it would tell them.
"""

from collections.abc import Sequence

import polars as pl

from transforms.hiding import ALL, with_hidden
from transforms.model.disclosure import DisclosureRule
from transforms.nested import episode_node
from transforms.suppression import hide_parts, hide_sums, is_held, is_small, is_small_total

_RULE = ["cohort", "rule", "threshold_cells_per_ul"]
_CAUSE = [*_RULE, "cause_group"]
_MEANS = ("rmst_days", "rmst_lo", "rmst_hi")
_BOUNDS = ("median_lower_days", "median_upper_days", "median_gap_days")
_SUMMARIES = (
    "median_days",
    "median_lo",
    "median_hi",
    "rmst_days",
    "rmst_lo",
    "rmst_hi",
    "median_lower_days",
    "median_upper_days",
    "median_gap_days",
    "status",
)


def hide_episodes(episode: pl.DataFrame, cause: pl.DataFrame, people: pl.DataFrame, min_cell: int) -> pl.DataFrame:
    """Endings are parts of all episodes; people go with their episodes and must not nearly be all of them."""
    key = [*_RULE, "is_confirmed"]
    rows = episode.with_columns(interval_unit=pl.lit(ALL), interval_start=pl.lit(None, pl.Date))
    rows = with_hidden(rows, people, {"people": episode_node()})
    is_all = pl.col("ended_as") == ALL
    n_endings = rows.filter(~is_all).group_by(key).agg(n_endings=(pl.col("n_episodes") > 0).sum().cast(pl.Int64))
    n_causes = cause.filter(pl.col("agent") == ALL).group_by(_RULE).agg(n_causes=pl.len().cast(pl.Int64))
    whole = rows.filter(is_all).join(n_endings, on=key, how="left").join(n_causes, on=_RULE, how="left")
    whole = whole.with_columns(
        hide_n_episodes=is_small_total(pl.col("n_episodes"), pl.max_horizontal("n_endings", "n_causes"), min_cell)
        | is_small(pl.col("n_people"), min_cell)
        | is_held(rows.columns)
    )
    whole = whole.drop("n_endings", "n_causes").with_columns(
        hide_n_people=pl.col("hide_people") | _hide_people(min_cell)
    )
    parts = rows.filter(~is_all).join(_totals(whole, key), on=key, how="left")
    few = _is_of_few(min_cell) | is_held(parts.columns)
    parts = parts.with_columns(hide_n_episodes=few | pl.col("hide_total"))
    parts = parts.with_columns(hide_n_episodes=_parts(parts, key, "n_episodes", min_cell))
    parts = parts.with_columns(hide_n_people=_hide_people(min_cell) | _hide_near_whole(min_cell))
    return pl.concat([whole, parts.select(whole.columns)])


def hide_causes(cause: pl.DataFrame, episode: pl.DataFrame, min_cell: int) -> pl.DataFrame:
    """Causes are parts of all confirmed episodes, agents of their cause. `episode` is from `hide_episodes`.

    Agents that the number of their cause can't protect are left out, so that they never cost the cause its number; and
    so is every agent whose number is hidden, because its name alone would tell that 1 to 10 people have it.
    """
    confirmed = episode.filter(pl.col("is_confirmed"), pl.col("ended_as") == ALL)
    causes = cause.filter(pl.col("agent") == ALL).join(_totals(confirmed, _RULE), on=_RULE, how="left")
    few = _is_of_few(min_cell) | is_held(causes.columns)
    causes = _hide_shares(causes, _RULE, few, min_cell)
    agents = _with_unnamed(cause.filter(pl.col("agent") != ALL).join(_totals(causes, _CAUSE), on=_CAUSE, how="left"))
    is_rare = pl.col("agent").is_not_null() & is_small(pl.col("n_people"), min_cell)
    is_few = is_small(pl.col("n_episodes"), min_cell) | is_rare | is_held(agents.columns)
    has_small = is_few.any().over(_CAUSE)
    is_protected = ~is_small_total(pl.col("total"), pl.len().over(_CAUSE).cast(pl.Int64), min_cell)
    agents = agents.filter(pl.col("hide_total") | ~has_small | is_protected)
    is_unnamed = pl.col("agent").is_null() & has_small  # nobody reads it, so it costs nothing to hide
    agents = _hide_shares(agents, _CAUSE, is_few | is_unnamed, min_cell)
    is_named = pl.col("agent").is_not_null() & ~pl.col("hide_n_episodes")
    return pl.concat([causes, agents.filter(is_named).select(causes.columns)])


def _with_unnamed(agents: pl.DataFrame) -> pl.DataFrame:
    """Agents, and for each cause the episodes of none of them as agent null."""
    rest = pl.col("total") - pl.col("n_episodes").sum().over(_CAUSE)
    known = [name for name in agents.columns if name.startswith("last_")]
    unnamed = agents.with_columns(
        n_episodes=rest, agent=pl.lit(None, pl.String), **dict.fromkeys(known, pl.lit(None, pl.Int64))
    )
    if "is_held" in agents.columns:
        unnamed = unnamed.with_columns(is_held=pl.lit(value=False))
    return pl.concat([agents, unnamed.filter(pl.col("n_episodes") > 0).unique(_CAUSE, keep="first")])


def hide_durations(
    duration: pl.DataFrame, curve: pl.DataFrame, cause: pl.DataFrame, episode: pl.DataFrame, rule: DisclosureRule
) -> pl.DataFrame:
    """Counts are parts of all causes and lie in the confirmed episodes; medians need `min_cell` episodes and people.

    `curve` is `estimate.duration_curve`; `cause` and `episode` are what `hide_causes` and `hide_episodes` gave. Every
    estimator of a group has its counts, so what is hidden is decided once for all of them; then what a longer horizon
    or deaths would tell of a few.
    """
    min_cell = rule.min_cell
    once = duration.sort(*_CAUSE, "estimator").unique(_CAUSE, keep="first", maintain_order=True)
    rows = once.join(_wider(cause, episode), on=_CAUSE, how="left")
    number = pl.col("n_episodes")
    few = _is_few("n_episodes", min_cell) | is_small(pl.col("n_people"), min_cell) | is_held(rows.columns)
    few = few | pl.col("hide_total").fill_null(value=True)
    rows = rows.with_columns(few=few, primary=few | is_small(pl.col("total") - number, min_cell))
    rows = _hide_by_cause(rows, "n_episodes", pl.col("primary"), min_cell)
    rows = rows.with_columns(hide_values=pl.col("few") | (pl.col("hide_n_episodes") & ~pl.col("primary")))
    for name, whole in (("n_censored", "n_episodes"), ("n_died", "n_censored")):
        left = pl.col(whole) - pl.col(name)
        hide = pl.col(f"hide_{whole}") | _is_few(name, min_cell) | is_small(left, min_cell)
        rows = _hide_by_cause(rows, name, hide, min_cell)
    hidden = rows.with_columns(pl.col("hide_values").alias(f"hide_{name}") for name in _SUMMARIES)
    flags = [name for name in hidden.columns if name.startswith("hide_")]
    every = duration.join(hidden.select(*_CAUSE, *flags), on=_CAUSE, how="left", maintain_order="left")
    return hide_what_few_decide(every, curve, rule)


def hide_what_few_decide(rows: pl.DataFrame, curve: pl.DataFrame, rule: DisclosureRule) -> pl.DataFrame:
    """More hidden: longer means that only a few episodes tell from shorter ones, and what gives away hidden deaths.

    An estimator of `hidden_with_deaths` differs by the deaths from one that is shown. Of another in which death
    competes, a second mean would be one number more than it takes to work out the deaths.
    """
    few_left = _few_left(rows, curve, rule.min_cell)
    joined = rows.join(few_left, on=[*_CAUSE, "tau_days"], how="left", maintain_order="left")
    tells_deaths = pl.col("is_death_competing") & pl.col("hide_n_died")
    is_longer = pl.col("tau_days") > pl.col("tau_days").min().over(_CAUSE)
    mean = pl.col("is_few_left").fill_null(value=False) | (tells_deaths & is_longer)
    whole = tells_deaths & pl.col("estimator").is_in(rule.hidden_with_deaths)
    mean = mean | pl.col("hide_n_episodes")  # episodes times their mean is nearly a whole number of days
    hidden = {name: whole | (mean if name in _MEANS else False) for name in _SUMMARIES if name not in _BOUNDS}
    more = {f"hide_{name}": pl.col(f"hide_{name}") | hide for name, hide in hidden.items()}
    return joined.with_columns(**more).drop("is_few_left")


def _few_left(rows: pl.DataFrame, curve: pl.DataFrame, min_cell: int) -> pl.DataFrame:
    """is_few_left of each group and horizon: whether a few, but not none, were still open at the horizon before it."""
    at = rows.select(*_CAUSE, "tau_days", "n_episodes").unique().sort(*_CAUSE, "tau_days")
    at = at.with_columns(day=pl.col("tau_days").shift(1).over(_CAUSE).cast(pl.Int64)).drop_nulls("day").sort("day")
    counted = curve.filter(pl.col("n_at_risk").is_not_null()).select(*_CAUSE, "day", "n_at_risk").sort("day")
    left = at.join_asof(counted, on="day", by=_CAUSE, check_sortedness=False)
    n_left = pl.col("n_at_risk").fill_null(pl.col("n_episodes"))
    return left.select(*_CAUSE, "tau_days", is_few_left=is_small(n_left, min_cell))


def _is_few(value: str, min_cell: int) -> pl.Expr:
    """Whether a number of a duration is small; of all causes, also whether it is too small to protect theirs."""
    is_part = (pl.col("cause_group") != ALL) & (pl.col(value) > 0)
    n_parts = pl.when(pl.col("cause_group") == ALL).then(is_part.sum().over(_RULE)).otherwise(1).cast(pl.Int64)
    return is_small_total(pl.col(value), n_parts, min_cell)


def _wider(cause: pl.DataFrame, episode: pl.DataFrame) -> pl.DataFrame:
    """All confirmed episodes of each cause, and of all causes: total and hide_total."""
    confirmed = episode.filter(pl.col("is_confirmed"), pl.col("ended_as") == ALL)
    whole = _totals(confirmed, _RULE).with_columns(cause_group=pl.lit(ALL))
    causes = _totals(cause.filter(pl.col("agent") == ALL), _CAUSE)
    return pl.concat([part.select(*_CAUSE, "total", "hide_total") for part in (whole, causes)])


def _hide_by_cause(rows: pl.DataFrame, value: str, hide: pl.Expr, min_cell: int) -> pl.DataFrame:
    """Adds hide_VALUE: `hide`, and whatever else protects it, among causes and of all causes."""
    is_all, key = pl.col("cause_group") == ALL, ["cause_group"]
    rows = rows.with_columns(hide.alias(f"hide_{value}"))
    return hide_sums(rows, is_total=is_all, by=_RULE, key=key, value=value, min_cell=min_cell)


def _parts(rows: pl.DataFrame, by: Sequence[str], value: str, min_cell: int) -> pl.Series:
    key = [name for name in ("ended_as", "cause_group", "agent") if name in rows.columns]
    return hide_parts(rows, by=by, key=key, value=value, primary=f"hide_{value}", min_cell=min_cell)


def _totals(rows: pl.DataFrame, key: Sequence[str]) -> pl.DataFrame:
    return rows.select(
        *key,
        total="n_episodes",
        hide_total="hide_n_episodes",
        total_people="n_people",
        hide_total_people="hide_n_people",
    )


def _hide_shares(rows: pl.DataFrame, by: Sequence[str], hide: pl.Expr, min_cell: int) -> pl.DataFrame:
    rows = rows.with_columns(hide_n_episodes=hide | pl.col("hide_total").fill_null(value=True))
    rows = rows.with_columns(hide_n_episodes=_parts(rows, by, "n_episodes", min_cell))
    rows = rows.with_columns(
        hide_n_people=_hide_people(min_cell) | _hide_near_whole(min_cell), hide_share=pl.col("hide_n_episodes")
    )
    return rows.drop("total", "hide_total", "total_people", "hide_total_people")


def _is_of_few(min_cell: int) -> pl.Expr:
    """Whether episodes are few, or those of few people: one person may have a dozen."""
    return is_small(pl.col("n_episodes"), min_cell) | is_small(pl.col("n_people"), min_cell)


def _hide_people(min_cell: int) -> pl.Expr:
    again = pl.col("n_episodes") - pl.col("n_people")
    return pl.col("hide_n_episodes") | is_small(pl.col("n_people"), min_cell) | is_small(again, min_cell)


def _hide_near_whole(min_cell: int) -> pl.Expr:
    return pl.col("hide_total_people") | is_small(pl.col("total_people") - pl.col("n_people"), min_cell)
