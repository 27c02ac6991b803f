"""Tonight against the last good nights: one result a check, and the profile that later nights are held against.

A failure that was accepted is a warning, and what the check compares begins anew with that night.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date

import duckdb

from expectations.change import Nights, Outcome, judge_source
from expectations.profile import ACCEPTED, Fact, Profile, profiles_of, spell_alike
from expectations.readings import TOTAL, Meaning, estimate_known
from flows.errors import WrongUse
from flows.handover import CheckResult, LedgerLine, Received, RunContext
from flows.profiling import find_sources, profile_files
from flows.settings import Settings
from flows.warehouse import open_warehouse
from flows.workspace import Workspace
from transforms.load import Definitions, load_definitions
from transforms.model.changes import CHANGE, ChangeCheck
from transforms.units import quantity_of

GOOD = "state IN ('released', 'published') AND verdict IN ('go', 'warn')"
SHOWN_MOVES = 4


@dataclass(frozen=True)
class Against:
    """What tonight is compared with: the good nights of `workspace` (the run's own if None); `accepted` names checks
    whose failure is known and right.
    """

    accepted: frozenset[str] = frozenset()
    workspace: Workspace | None = None


@dataclass(frozen=True)
class Before:
    """What the good nights of a workspace left: profiles by source, newest first, and which of tonight's files."""

    profiles: Mapping[str, Sequence[Profile]] = field(default_factory=dict)
    published: frozenset[str] = frozenset()


def read_before(workspace: Workspace, received: Received, context: RunContext) -> Before:
    """The last good nights of tonight's sources, as many as are looked at; read only."""
    sources = sorted(find_sources(received))
    if not sources or not workspace.warehouse.exists():
        return Before()
    limit = context.settings.memory_limit
    with open_warehouse(workspace.warehouse, memory_limit=limit, read_only=True) as connection:
        if not _has_profiles(connection):
            return Before()
        back = context.definitions.changes.nights_back
        found = connection.execute(
            f"""WITH night AS (
                SELECT run_id, source_id, started_at, row_number() OVER (
                    PARTITION BY source_id ORDER BY started_at DESC, run_id DESC) AS place
                FROM (SELECT DISTINCT run_id, source_id FROM ops.profile WHERE measure = 'received')
                JOIN ops.run USING (run_id) WHERE {GOOD} AND source_id IN (SELECT unnest(?::VARCHAR[]))
            )
            SELECT place, started_at::DATE, source_id, measure, part, value FROM ops.profile
            JOIN night USING (run_id, source_id) WHERE place <= ? ORDER BY ALL""",
            [sources, back],
        ).fetchall()
        files = connection.execute(
            f"""SELECT DISTINCT input_id FROM ops.input JOIN ops.run USING (run_id)
            WHERE {GOOD} AND input_id IN (SELECT unnest(?::VARCHAR[]))""",
            [sorted(received.fresh)],
        ).fetchall()
    facts: dict[tuple[int, date], list[Fact]] = {}
    for place, night, *fact in found:
        facts.setdefault((place, night), []).append(Fact(*fact))
    profiles: dict[str, list[Profile]] = {}
    for (_, night), own in facts.items():
        for profile in profiles_of(own, night):
            profiles.setdefault(profile.source_id, []).append(profile)
    return Before(profiles, frozenset(input_id for (input_id,) in files))


def compare_night(
    received: Received, ledger: Sequence[LedgerLine], rows: Sequence[Fact] | str, context: RunContext, against: Against
) -> tuple[tuple[CheckResult, ...], tuple[Fact, ...]]:
    """The results of all checks, and tonight's profile. `rows` are its facts, or the error that came in their place."""
    definitions = context.definitions
    if isinstance(rows, str):
        return tuple(_broken(check, rows) for check in definitions.changes.checks), ()
    before = read_before(against.workspace or context.workspace, received, context)
    facts = (*profile_files(received, ledger, before.published), *rows)
    tonight = profiles_of(facts, context.started_at.date())
    if against.workspace is not None:
        tonight = [_with_known(profile, before) for profile in tonight]
    checks, accepted = judge_changes(tonight, before, definitions, against.accepted)
    return checks, (*facts, *accepted)


def judge_changes(
    tonight: Sequence[Profile], before: Before, definitions: Definitions, accepted: frozenset[str] = frozenset()
) -> tuple[tuple[CheckResult, ...], tuple[Fact, ...]]:
    """A result for each check over all sources of tonight, and a fact for each failure that was accepted."""
    meaning = meaning_of_units(definitions)
    nights = {profile.source_id: _spell_nights(profile, before) for profile in tonight}
    results: list[CheckResult] = []
    facts: list[Fact] = []
    for check in definitions.changes.checks:
        outcomes = {source: judge_source(check, own, definitions.changes, meaning) for source, own in nights.items()}
        n_rows = sum(int(profile.get("rows")) for profile in tonight)
        results.append(_result(check, outcomes, n_rows, is_accepted=check.id in accepted))
        if check.id in accepted:
            facts += [Fact(source, ACCEPTED, check.id, 1) for source, outcome in outcomes.items() if outcome.moved]
    return tuple(results), tuple(facts)


def name_acceptable(checks: Sequence[CheckResult]) -> str:
    """The options that accept each change which stops the night; empty when none does."""
    failed = [c.check_id for c in checks if (c.status, c.severity) == ("failed", "stop")]
    return " ".join(f"--accept {check_id}" for check_id in failed if check_id.startswith(CHANGE))


def refuse_unknown_checks(accepted: frozenset[str], settings: Settings) -> None:
    """WrongUse when a change is accepted that no check is about."""
    if not accepted:
        return
    known = [check.id for check in load_definitions(settings.definitions).changes.checks]
    unknown = sorted(accepted - set(known))
    if unknown:
        raise WrongUse(
            f"No check of what may change is called {', '.join(unknown)}.",
            details=known,
            repair="Accept one of these; only these compare a night with earlier ones.",
        )


def meaning_of_units(definitions: Definitions) -> Meaning:
    """What a unit as sent stands for: its factor to the analyte's own unit, else its spelling."""
    book = definitions.units
    labs = definitions.codes("labs").drop_nulls(["analyte", "canonical_unit"])
    quantities = {row["analyte"]: quantity_of(row["canonical_unit"]) for row in labs.iter_rows(named=True)}

    def meaning(analyte: str, unit: str) -> str:
        decision = book.decide(quantities.get(analyte, ""), unit)
        return unit if decision.factor is None else f"{decision.factor.normalize()}"

    return meaning


def _spell_nights(tonight: Profile, before: Before) -> Nights:
    now, *earlier = spell_alike([tonight, *before.profiles.get(tonight.source_id, ())])
    return Nights(now, earlier)


def _with_known(profile: Profile, before: Before) -> Profile:
    """The profile of rows that were received apart from the workspace they are compared with."""
    earlier = before.profiles.get(profile.source_id, ())
    known = estimate_known(profile, earlier[0]) if earlier else 0.0
    return replace(profile, facts={**profile.facts, "known": {TOTAL: known}})


def _result(check: ChangeCheck, outcomes: Mapping[str, Outcome], n_rows: int, *, is_accepted: bool) -> CheckResult:
    moved = [line for _, outcome in sorted(outcomes.items()) for line in outcome.moved]
    is_compared = any(not outcome.not_applicable for outcome in outcomes.values())
    others = f"; and {len(moved) - SHOWN_MOVES} more" if len(moved) > SHOWN_MOVES else ""
    detail = "; ".join(moved[:SHOWN_MOVES]) + others if moved else _tell_compared(outcomes)
    result = CheckResult(
        check.id,
        check.table,
        check.severity,
        "failed" if moved else "passed" if is_compared else "not_applicable",
        check.reason,
        n_rows if is_compared else None,
        detail=detail,
        repair=check.repair,
        title=check.title,
    )
    return replace(result, severity="warn", detail=f"accepted: {detail}") if moved and is_accepted else result


def _tell_compared(outcomes: Mapping[str, Outcome]) -> str:
    told = [
        f"source {source}: {outcome.not_applicable or f'good nights it was compared with: {outcome.n_nights}'}"
        for source, outcome in sorted(outcomes.items())
    ]
    return "; ".join(told) or "no file with results was read"


def _broken(check: ChangeCheck, error: str) -> CheckResult:
    reason = f"{check.reason} ({error})"
    return CheckResult(check.id, check.table, check.severity, "error", reason, repair=check.repair, title=check.title)


def _has_profiles(connection: duckdb.DuckDBPyConnection) -> bool:
    found = connection.execute(
        "SELECT count(*) FROM duckdb_tables() WHERE schema_name = 'ops' AND table_name = 'profile'"
    ).fetchall()
    return bool(found[0][0])
