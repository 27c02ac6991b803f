"""Which values make one episode: recovery, join, cycle split and gap, over all people at once.

A recovery is a run of recovered values that is long enough, or the last one known, or one that a new cycle follows;
a run that another low follows too soon is none. An episode starts at a low that no open episode precedes, or that
comes after too long a gap in an open one, or after the clock has ended that one. Everything looks at neighbours only,
so no step depends on the answer of a step before it and one pass settles all.
"""

from datetime import timedelta

import polars as pl

from transforms.episode_states import LOW, RECOVERED
from transforms.model.episodes import CycleSplit, EpisodeRule

_OPEN, _CLOSED, _NEVER = 1, 0, 2
_NO_DOSE = -(2**31)


def number_episodes(states: pl.DataFrame, rule: EpisodeRule, doses: pl.DataFrame) -> pl.DataFrame:
    """The states that belong to episodes, with episode (a number), and what the facts need.

    `doses`: person_index, day of every dose, sorted. Adds previous_row (null at a person's first value),
    starts_after_gap, ends (the state is the recovery), is_sure (it is confirmed) and in_span (from first to last low).
    """
    starts = find_recoveries(states, rule, doses).lazy().with_columns(_starts(rule))
    numbered = starts.with_columns(episode=pl.col("is_start").cum_sum()).with_columns(
        belongs=pl.when("is_start").then("person_index").forward_fill() == pl.col("person_index"),
        in_span=pl.when(pl.col("kind") == LOW).then("episode").backward_fill() == pl.col("episode"),
        previous_row=pl.when(~pl.col("is_first")).then(pl.col("row").shift(1)),
    )
    return numbered.filter(pl.col("belongs").fill_null(False)).collect(engine="in-memory")


def find_recoveries(states: pl.DataFrame, rule: EpisodeRule, doses: pl.DataFrame) -> pl.DataFrame:
    """Add is_first (of the person), ends (a recovery that counts) and is_sure (confirmed by enough values)."""
    is_low = pl.col("kind") == LOW
    is_first = (pl.col("person_index") != pl.col("person_index").shift(1)).fill_null(True)
    is_run_start = is_first | (pl.col("kind") != pl.col("kind").shift(1))
    is_new_day = is_run_start | (pl.col("day") != pl.col("day").shift(1))
    with_doses = states if rule.cycle_split is None else _add_last_cycle(states, doses, rule.cycle_split)
    last_cycle = pl.lit(_NO_DOSE) if rule.cycle_split is None else pl.col("last_cycle")
    neighbours = {
        "next_low_person": pl.when(is_low).then("person_index").backward_fill(),
        "next_low_at": pl.when(is_low).then("first_low_at").backward_fill(),
        "next_low_cycle": pl.when(is_low).then(last_cycle).backward_fill(),
        "past_low_person": pl.when(is_low).then("person_index").forward_fill(),
        "past_low_at": pl.when(is_low).then("at").forward_fill(),
    }
    return (
        with_doses.lazy()
        .with_columns(is_first=is_first, is_run_start=is_run_start, is_new_day=is_new_day, **neighbours)
        .with_columns(run=pl.col("is_run_start").cum_sum())
        .with_columns(n_days=_days_of_run(), last_run=_last_run())
        .with_columns(is_sure=pl.col("n_days") >= rule.recovered_values)
        .with_columns(ends=_ends(rule))
        .collect(engine="in-memory")
    )


def _days_of_run() -> pl.Expr:
    """Of states in order, from running sums: cheaper than a sum over each run."""
    so_far = pl.col("is_new_day").cum_sum()
    is_end = pl.col("is_run_start").shift(-1).fill_null(True)
    before = pl.when("is_run_start").then(so_far - pl.col("is_new_day")).forward_fill()
    return pl.when(is_end).then(so_far).backward_fill() - before


def _last_run() -> pl.Expr:
    is_end = pl.col("is_first").shift(-1).fill_null(True)
    return pl.when(is_end).then("run").backward_fill()


def _ends(rule: EpisodeRule) -> pl.Expr:
    """A run of recovered values, at its first one, that ends an open episode."""
    has_low_after = (pl.col("next_low_person") == pl.col("person_index")).fill_null(False)
    has_low_before = (pl.col("past_low_person") == pl.col("person_index")).fill_null(False)
    has_cycle_after = has_low_after & (pl.col("next_low_cycle") >= _day_number("day"))
    is_last = pl.col("run") == pl.col("last_run")
    is_joined = pl.lit(False)
    if rule.join_days is not None:
        ended = pl.col("at")
        if rule.exit_days is not None:
            ended = pl.min_horizontal(ended, pl.col("past_low_at") + timedelta(days=rule.exit_days))
        is_joined = has_low_after & (pl.col("next_low_at") - ended < timedelta(days=rule.join_days))
    # Nothing recovers and falls again within one minute: contrary specimens of a minute stay one episode.
    is_contrary = has_low_after & has_low_before & (pl.col("next_low_at") == pl.col("past_low_at"))
    counts = (pl.col("is_sure") & ~is_joined) | is_last | has_cycle_after
    return (pl.col("kind") == RECOVERED) & pl.col("is_run_start") & counts & ~is_contrary.fill_null(False)


def _starts(rule: EpisodeRule) -> tuple[pl.Expr, pl.Expr]:
    """is_start: the low opens an episode; starts_after_gap: it does so only because too long nothing was known."""
    is_low, is_first = pl.col("kind") == LOW, pl.col("is_first")
    event = pl.when(is_low).then(_OPEN).when("ends").then(_CLOSED).when(is_first).then(_NEVER)
    was_open = (event.forward_fill().shift(1) == _OPEN) & ~is_first
    is_gap = pl.lit(False)
    if rule.gap_days is not None:
        is_gap = ~is_first & (pl.col("first_low_at") - pl.col("at").shift(1) > timedelta(days=rule.gap_days))
    if rule.exit_days is not None:
        since = timedelta(days=rule.exit_days + (rule.join_days or 0))
        is_gap = ~is_first & (pl.col("first_low_at") - pl.col("past_low_at").shift(1) >= since)
    starts = is_low & (~was_open | is_gap).fill_null(True)
    return starts.alias("is_start"), (starts & was_open).fill_null(False).alias("starts_after_gap")


def _add_last_cycle(states: pl.DataFrame, doses: pl.DataFrame, split: CycleSplit) -> pl.DataFrame:
    """Add last_cycle: the number of the last day before this one on which a cycle started."""
    since = (pl.col("day") - pl.col("day").shift(1)).over("person_index")
    is_cycle_start = since.is_null() | (since > timedelta(days=split.new_cycle_after_days))
    cycles = doses.filter(is_cycle_start).with_columns(last_cycle=_day_number("day"))
    found = states.join_asof(
        cycles, on="day", by="person_index", strategy="backward", allow_exact_matches=False, check_sortedness=False
    )
    return found.with_columns(pl.col("last_cycle").fill_null(_NO_DOSE))


def _day_number(column: str) -> pl.Expr:
    return pl.col(column).cast(pl.Int32)
