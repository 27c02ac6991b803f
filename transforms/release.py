"""The one door out: only this module can make a `Released`, and reports accept nothing else.

Small counts are hidden with whatever would give them away (`nested.py`, `hiding*.py`, `curves.py`, under
`definitions/disclosure`), then all that is shown is looked at once more as a reader would see it; what could be read
after all is hidden too. A value is shown, or null with a mark that says why.
"""

from collections.abc import Mapping
from dataclasses import InitVar, dataclass, field

import polars as pl

from transforms.audit import Finding, find_small_cells
from transforms.audit_days import find_small_days
from transforms.calendar_ends import leave_out_ends
from transforms.closing_episodes import Hidden, close_episodes
from transforms.cohort_order import CohortOrder
from transforms.curves import coarsen_curves
from transforms.deciding import Decided, decide_people, hold_told, read_counts
from transforms.errors import DisclosureStop
from transforms.frames import fit
from transforms.held_rows import HELD, show_held
from transforms.hiding import (
    hide_anc_distribution,
    hide_prevalence,
    hide_scale_changes,
    hide_severity,
    hide_testing,
)
from transforms.hiding_beside import hide_certainty, hide_rules, largest_cohort
from transforms.hiding_competition import hide_competition
from transforms.hiding_complications import hide_complications
from transforms.hiding_cycles import hide_cycles
from transforms.hiding_days import hide_chronic, hide_person_days
from transforms.hiding_drugs import hide_after_drugs
from transforms.hiding_episodes import hide_causes, hide_durations, hide_episodes, hide_what_few_decide
from transforms.hiding_incidence import hide_incidence
from transforms.hiding_onsets import hide_onsets
from transforms.hiding_populations import hide_populations
from transforms.hiding_steps import hide_attrition
from transforms.hiding_tests import hide_test_shares
from transforms.hiding_windows import hide_windows
from transforms.holding import Holding, bounds_of_people, hold_back, shown_cells
from transforms.marks import HIDDEN, mark_values, round_values
from transforms.model.disclosure import DisclosureRule
from transforms.model.estimation import DEFAULT_WINDOW
from transforms.renewal import NO_REPORTS, Earlier, last_counts, renew_counts
from transforms.rounding import round_counts
from transforms.schemas import schema_of

_DOOR = object()


@dataclass(frozen=True)
class Utility:
    """How much of a table is lost to readers: values, and those of them that are hidden."""

    n_values: int
    n_hidden: int
    n_held: int = 0

    @property
    def share_hidden(self) -> float:
        """Hidden values of all values; 0 without values."""
        return self.n_hidden / self.n_values if self.n_values else 0.0


@dataclass(frozen=True)
class Released:
    """Released tables by name (`released.prevalence`), safe to show. Only `release` can make one.

    `closed` tells what the last look found and hid: nothing, unless the hiding before it has a gap. `renewed` are the
    counts to add to `renewal.Earlier.counts` once this is published.
    """

    tables: Mapping[str, pl.DataFrame]
    channel: str
    utility: Mapping[str, Utility] = field(default_factory=dict)
    closed: tuple[str, ...] = ()
    renewed: pl.DataFrame = field(default_factory=pl.DataFrame)
    door: InitVar[object] = None

    def __post_init__(self, door: object) -> None:
        if door is not _DOOR:
            raise DisclosureStop(
                "Numbers were about to be shown without having been released.",
                repair="Make them with transforms.release.release; nothing else may.",
            )


def release(
    estimates: Mapping[str, pl.DataFrame],
    rule: DisclosureRule,
    order: CohortOrder,
    *,
    run_id: str,
    definitions_hash: str,
    earlier: Earlier = NO_REPORTS,
) -> Released:
    """Released tables of all `estimate.*` tables, for the channel of `rule`.

    Against the reports of `earlier` nights, rows that have moved by a few are held back. What the last look finds to
    follow from other numbers is hidden with its whole group. Raises DisclosureStop when a small count is simply shown:
    then the hiding itself is broken.
    """
    holding = hold_back(estimates, order, rule, earlier)
    facts = {"run_id": run_id, "definitions_hash": definitions_hash, "channel": rule.channel}
    shown = _show(estimates, holding, rule, order, facts)
    tables = round_counts(show_held(shown.tables, estimates, earlier.tables, run_id=run_id), rule.round_to)
    cells = holding.cells.join(shown.cells, on=["place", "node"], how="semi")
    utility = {name: _utility(name, rows) for name, rows in tables.items()}
    return Released(tables, rule.channel, utility, shown.closed, renew_counts(cells, earlier), door=_DOOR)


def show_counts(
    estimates: Mapping[str, pl.DataFrame], rule: DisclosureRule, order: CohortOrder, earlier: Earlier = NO_REPORTS
) -> pl.DataFrame:
    """place, node, n, is_shown, least, most and last (shown of it) of every count of a hospital, as a report by `rule`
    after those of `earlier` tells it.

    A count that is held is known to be near what was shown last.
    """
    holding = hold_back(estimates, order, rule, earlier)
    facts = {"run_id": "", "definitions_hash": "", "channel": rule.channel}
    shown = _show(estimates, holding, rule, order, facts)
    known = holding.cells.join(shown.cells.with_columns(is_shown=pl.lit(value=True)), on=["place", "node"], how="left")
    known = known.join(shown.bounds, on=["place", "node"], how="left")
    known = known.join(last_counts(earlier), on=["place", "node"], how="left")
    near, was_shown = rule.min_cell - 1, pl.when(pl.col("last").is_not_null())
    return known.with_columns(
        pl.col("is_shown").fill_null(value=False),
        least=pl.max_horizontal("least", was_shown.then(pl.min_horizontal(pl.col("last") - near, "n"))),
        most=pl.min_horizontal("most", was_shown.then(pl.max_horizontal(pl.col("last") + near, "n"))),
    )


def reopen(tables: Mapping[str, pl.DataFrame], channel: str) -> Released:
    """Released tables of an earlier night, as they were kept: they went out by this door and are shown to everyone.

    Raises DisclosureStop for any other table, and for one whose values have no marks.
    """
    for name, rows in tables.items():
        lacking = [
            value for value in schema_of(name).values if value in rows.columns and f"{value}_mark" not in rows.columns
        ]
        if not name.startswith("released.") or lacking:
            raise DisclosureStop(
                f"{name} was about to be shown as a released table, and is none.",
                details=lacking,
                repair="Read it from the schema `released` of the warehouse.",
            )
    return Released(tables, channel, door=_DOOR)


@dataclass(frozen=True)
class _Shown:
    """Tables before what is held is put back, place and node of the counts they show, `bounds` of those of people, and
    what had to be closed.
    """

    tables: Mapping[str, pl.DataFrame]
    cells: pl.DataFrame
    bounds: pl.DataFrame
    closed: tuple[str, ...]


def _show(
    estimates: Mapping[str, pl.DataFrame],
    holding: Holding,
    rule: DisclosureRule,
    order: CohortOrder,
    facts: Mapping[str, str],
) -> _Shown:
    """Rows of `released.*` by name, rounded, hidden and marked, and looked at once more."""
    counts = read_counts(estimates, holding, order, rule.min_cell)
    while True:
        decided = decide_people(counts, holding.people, order, rule.min_cell)
        of_episodes = _hide_of_episodes(holding.rows, rule, order, decided.people)
        told = hold_told(holding, decided.people, of_episodes.episode)
        if told is None:
            break
        holding = told
    tables = _hide(holding.rows, rule, order, decided, of_episodes)
    hidden = {name: _hide_held(rows) for name, rows in tables.items()}
    marked = {name: mark_values(name, round_values(name, rows, rule)) for name, rows in sorted(hidden.items())}
    named = {name.replace("estimate.", "released."): rows for name, rows in marked.items()}
    tables, closed = _close(_fit(named, facts), rule)
    tables = leave_out_ends(tables)
    return _Shown(tables, shown_cells(tables, decided.people), bounds_of_people(decided.people), closed)


def _hide_held(rows: pl.DataFrame) -> pl.DataFrame:
    """Whatever else a table hides for it, a row that is held back is hidden."""
    if "is_held" not in rows.columns:
        return rows
    flags = [name for name in rows.columns if name.startswith("hide_")]
    return rows.with_columns(pl.col(flag) | pl.col("is_held") for flag in flags)


def _hide_of_episodes(
    estimates: Mapping[str, pl.DataFrame], rule: DisclosureRule, order: CohortOrder, people: pl.DataFrame
) -> Hidden:
    """Episodes, their causes in the default window and their durations, with hide_VALUE columns."""
    causes = estimates["estimate.cause"].filter(pl.col("window") == DEFAULT_WINDOW)
    episode = hide_episodes(estimates["estimate.episode"], causes, people, rule.min_cell)
    cause = hide_causes(causes, episode, rule.min_cell)
    duration, curve = estimates["estimate.duration"], estimates["estimate.duration_curve"]
    duration = hide_durations(duration, curve, cause, episode, rule)
    return close_episodes(Hidden(episode, cause, duration), order, rule.min_cell)


def _hide(
    estimates: Mapping[str, pl.DataFrame],
    rule: DisclosureRule,
    order: CohortOrder,
    decided: Decided,
    of_episodes: Hidden,
) -> dict[str, pl.DataFrame]:
    """Every table with hide_VALUE columns."""
    people, least, curve = decided.people, rule.min_cell, estimates["estimate.duration_curve"]
    episode, cause = of_episodes.episode, of_episodes.cause
    others = estimates["estimate.cause"].filter(pl.col("window") != DEFAULT_WINDOW)
    windows = hide_windows(others, cause, episode, least)
    duration = hide_what_few_decide(of_episodes.duration, curve, rule)
    testing = hide_testing(estimates["estimate.testing"], people, order, least)
    cycle, severe = hide_cycles(estimates["estimate.cycle"], estimates["estimate.cycle_severe"], people, order, least)
    return {
        "estimate.prevalence": hide_prevalence(estimates["estimate.prevalence"], people, least),
        "estimate.incidence": hide_incidence(estimates["estimate.incidence"], episode, people, least),
        "estimate.population": hide_populations(decided.populations, least),
        "estimate.severity": hide_severity(estimates["estimate.severity"], people),
        "estimate.scale_change": hide_scale_changes(
            estimates["estimate.scale_change"], estimates["estimate.severity"], people
        ),
        "estimate.testing": testing,
        "estimate.test_share": hide_test_shares(estimates["estimate.test_share"], testing, people, least),
        "estimate.cumulative_incidence": hide_onsets(estimates["estimate.cumulative_incidence"], people, order, least),
        "estimate.anc_distribution": hide_anc_distribution(estimates["estimate.anc_distribution"], people),
        "estimate.attrition": hide_attrition(estimates["estimate.attrition"], people, order, least),
        "estimate.episode": episode,
        "estimate.competition": hide_competition(
            estimates["estimate.competition"], of_episodes, largest_cohort(people), rule
        ),
        "estimate.complication": hide_complications(estimates["estimate.complication"], episode, order, least),
        "estimate.cause": pl.concat([_without_agents(cause, rule), windows], how="diagonal"),
        "estimate.duration": duration,
        "estimate.duration_curve": coarsen_curves(curve, duration, rule.curve_days, least),
        "estimate.person_days": hide_person_days(estimates["estimate.person_days"], people, order, least),
        "estimate.chronic": hide_chronic(estimates["estimate.chronic"], people, order, least),
        "estimate.rule": hide_rules(estimates["estimate.rule"], episode, people, least),
        "estimate.certainty": hide_certainty(estimates["estimate.certainty"], people, least),
        "estimate.cycle": cycle if rule.shows_agents else cycle.filter(pl.col("regimen") == "all"),
        "estimate.cycle_severe": severe,
        **hide_after_drugs(estimates, cause, people, order, rule),
    }


def _without_agents(cause: pl.DataFrame, rule: DisclosureRule) -> pl.DataFrame:
    return cause if rule.shows_agents else cause.filter(pl.col("agent") == "all")


def _fit(hidden: Mapping[str, pl.DataFrame], facts: Mapping[str, str]) -> dict[str, pl.DataFrame]:
    named = {column: pl.lit(fact) for column, fact in facts.items()}
    return {name: fit(rows.with_columns(**named), name) for name, rows in hidden.items()}


def _close(tables: Mapping[str, pl.DataFrame], rule: DisclosureRule) -> tuple[dict[str, pl.DataFrame], tuple[str, ...]]:
    """Tables in which nothing small can be found, and what had to be hidden for it. Each round hides more."""
    closed, told = dict(tables), list[str]()
    while found := (*find_small_cells(closed, rule.min_cell), *find_small_days(closed, rule.min_cell)):
        lines = [str(finding) for finding in found]
        if any(finding.is_shown for finding in found) or lines == told[-len(lines) :]:
            raise DisclosureStop(
                f"The release would show counts below {rule.min_cell}; nothing was published.",
                details=lines,
                repair="This is a fault of nadir or of a definition of disclosure: please report it with these lines.",
            )
        told += lines
        for finding in found:
            closed |= {name: _without(closed[name], name, finding) for name in finding.tables if name in closed}
    return closed, tuple(told)


def _without(rows: pl.DataFrame, name: str, finding: Finding) -> pl.DataFrame:
    """`rows` with every value of the groups of a finding hidden."""
    key = [column for column in finding.groups.columns if column in rows.columns]
    groups = finding.groups.select(key).unique().with_columns(is_found=True)
    is_found = pl.col("is_found").fill_null(value=False)
    changed = rows.join(groups, on=key, how="left", nulls_equal=True, maintain_order="left")
    for value in schema_of(name.replace("released.", "estimate.")).values:
        mark = f"{value}_mark"
        changed = changed.with_columns(
            pl.when(~is_found).then(pl.col(value)).alias(value),
            pl.when(is_found).then(pl.lit(HIDDEN)).otherwise(pl.col(mark)).alias(mark),
        )
    return changed.drop("is_found")


def _utility(name: str, rows: pl.DataFrame) -> Utility:
    marks = [f"{value}_mark" for value in schema_of(name).values]
    counted = [pl.sum_horizontal((pl.col(mark) == word).sum() for mark in marks).alias(word) for word in (HIDDEN, HELD)]
    n_hidden, n_held = rows.select(counted).row(0)
    return Utility(rows.height * len(marks), int(n_hidden or 0), int(n_held or 0))
