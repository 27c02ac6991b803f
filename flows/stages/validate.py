"""Validate: tonight's rows against the suites; bad rows are set aside, and the night gets one verdict.

Great Expectations counts in a child process; then one scan of each table collects the rows of the rules that it found
broken. Both read the same words, and a rule whose two counts differ is an error. What lost to a row that is set aside
is weighed again after that. The stage itself never raises for bad data: it returns `stop`, and the caller decides with
`stop_message`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import duckdb

from expectations.door import judge_door
from expectations.job import Count, Job, Question
from expectations.rows import questions
from expectations.suite import Check, Suite, load_suites
from expectations.verdict import name_some, reasons_to_stop, status_of, stops, verdict_of
from flows.changes import Against, compare_night, name_acceptable
from flows.checker import ENDED, Worker
from flows.errors import ValidationStop
from flows.handover import CheckResult, Received, RunContext, Validated
from flows.ledger import close_ledger
from flows.profiling import profile_rows
from flows.promotion import PLACE, Failing, promote_versions
from flows.sidecar import Sidecar, build_sidecar, open_sidecar, quoted, write_failing_rows
from flows.warehouse import open_memory

CHILD_MEMORY = "1GB"
ALONE = Against()


def warm_up() -> Worker:
    """Start the checking process now; hand it to `validate` later, and close it if that never comes."""
    return Worker()


def validate(
    received: Received, context: RunContext, worker: Worker | None = None, against: Against = ALONE
) -> Validated:
    """Check every canonical table of tonight, set bad rows aside, compare with earlier nights, and judge.

    Closes `worker`, or the one it starts.
    """
    suites = load_suites(context.definitions.own_suites)
    rules = _row_rules(suites)
    present = [suite for suite in suites if received.staged.get(suite.table)]
    with worker or warm_up() as checking, build_sidecar(received, present, context) as sidecar:
        checking.ask(_job(sidecar, sidecar.whole(present), received.dates))
        profiled = profile_rows(received, context)
        context.progress.waited(checking.await_ready(), "the checking process to start")
        counts = {count.check_id: count for count in checking.answer()}
        failing = _find_failing(sidecar, present, rules, counts, context)
        set_aside, n_set_aside = _set_aside(received, failing, rules, context)
        n_failing = n_set_aside
        promoted = promote_versions(received, failing, present, context)
        if promoted:
            received, failing = promoted
            set_aside, n_failing = _set_aside(received, failing, rules, context)
    checks = tuple(
        _judge(
            check,
            _recounted(check, _reconciled(check, _counted(check, suite, counts, sidecar), n_set_aside), n_failing),
            received.dates,
        )
        for suite in suites
        for check in suite.checks
    )
    ledger = close_ledger(received, set_aside, context.settings.memory_limit)
    changes, profile = compare_night(received, ledger, profiled, context, against)
    checks = (*checks, *changes, *_judge_identifiers(received))
    context.progress.rows(sum(line.n_accepted for line in received.ledger if line.table_name == "canonical.lab"))
    return Validated(received, verdict_of(checks), checks, set_aside, ledger, profile)


def _judge_identifiers(received: Received) -> tuple[CheckResult, ...]:
    """What the guard at the door has found, as checks."""
    return tuple(
        CheckResult(
            result.check.id,
            "ops.identifier",
            result.check.severity,
            result.status,
            result.check.reason,
            result.n_rows,
            result.n_failed,
            result.detail,
            result.check.repair,
            result.check.title,
        )
        for result in judge_door(received.identifiers)
    )


def stop_message(validated: Validated) -> ValidationStop:
    """Why a night with the verdict `stop` is not published, for the caller to raise."""
    never_asked = [check for check in validated.checks if check.status == "error" and ENDED in check.reason]
    if never_asked:
        return _ended_message(never_asked)
    names = [check.check_id for check in validated.checks if stops(check)]
    checks = "1 check" if len(names) == 1 else f"{len(names)} checks"
    accept = name_acceptable(validated.checks)
    return ValidationStop(
        f"The night is stopped by {checks} ({name_some(names)}); nothing was published.",
        details=reasons_to_stop(validated.checks),
        repair="Ask the sender for a repaired extract, or repair the source map; the last report stays as it was."
        + (f" If the change is right: nadir run ... {accept}" if accept else ""),
    )


def _ended_message(never_asked: Sequence[CheckResult]) -> ValidationStop:
    """One reason for all checks that nobody counted: the extract is not to blame, and another one would not help."""
    names = [check.check_id for check in never_asked]
    code = never_asked[0].reason.partition(ENDED)[2].strip(" ).")
    return ValidationStop(
        f"The night is stopped because {ENDED} {code}; nothing was published.",
        details=(f"not computed: {len(names)} checks ({name_some(names)}).",),
        repair="Run again; the last report stays as it was. If it ends again, the machine has too little memory, or "
        "nadir is not wholly installed: python -c 'import great_expectations, expectations' says what is missing.",
    )


def _job(sidecar: Sidecar, suites: Sequence[Suite], dates: str) -> Job:
    views: dict[str, list[Question]] = {}
    for suite in suites:
        for sheet, asked in questions(suite, [c for c in suite.checks if _applies(c, dates)]).items():
            views.setdefault(sheet, []).extend(asked)
    return Job(str(sidecar.path), CHILD_MEMORY, str(sidecar.folder / "spill_child"), views)


def _applies(check: Check, dates: str) -> bool:
    return check.dates is None or dates in check.dates


def _counted(check: Check, suite: Suite, counts: Mapping[str, Count], sidecar: Sidecar) -> Count:
    if suite.name in sidecar.broken:
        return Count(check.id, error=sidecar.broken[suite.name])
    return counts.get(check.id, Count(check.id, 0, 0))


def _reconciled(check: Check, count: Count, n_set_aside: Mapping[str, int]) -> Count:
    if check.severity != "quarantine" or count.error is not None or n_set_aside.get(check.id, 0) == count.n_failed:
        return count
    return Count(check.id, error="the rows counted and the rows set aside are not the same number")


def _recounted(check: Check, count: Count, n_failing: Mapping[str, int]) -> Count:
    """The count after versions that lost to a bad row were weighed again."""
    if check.severity != "quarantine" or count.error is not None:
        return count
    return replace(count, n_failed=n_failing.get(check.id, 0))


def _judge(check: Check, count: Count, dates: str) -> CheckResult:
    status = status_of(check, count, dates)
    reason = f"{check.reason} ({count.error})" if status == "error" else check.reason
    is_counted = status in {"failed", "passed"}
    n_rows, n_failed = (count.n_rows, count.n_failed) if is_counted else (None, None)
    known = {"repair": check.repair, "title": check.title}
    return CheckResult(check.id, check.table, check.severity, status, reason, n_rows, n_failed, **known)


def _find_failing(
    sidecar: Sidecar,
    suites: Sequence[Suite],
    rules: Sequence[Check],
    counts: Mapping[str, Count],
    context: RunContext,
) -> Failing:
    """Rows that break a row rule which Great Expectations found broken, in one scan of each view."""
    broken = {rule.id: n for n, rule in enumerate(rules) if rule.id in counts and counts[rule.id].n_failed}
    files: list[Path] = []
    with open_sidecar(sidecar, context.settings.memory_limit) as connection:
        for suite in suites:
            try:
                files += write_failing_rows(connection, suite, broken, sidecar.folder)
            except duckdb.Error as error:
                sidecar.broken[suite.name] = type(error).__name__
    return Failing(files, [rule.id for rule in rules])


def _row_rules(suites: Sequence[Suite]) -> list[Check]:
    return [check for suite in suites for check in suite.checks if check.severity == "quarantine"]


def _set_aside(
    received: Received, failing: Failing, rules: Sequence[Check], context: RunContext
) -> tuple[Path, dict[str, int]]:
    """Write set_aside.parquet, one line a row with the first rule it broke; how many rows each rule caught."""
    target = context.work / "set_aside.parquet"
    with open_memory(context.work / "spill", memory_limit=context.settings.memory_limit) as connection:
        _write_set_aside(connection, received, rules, failing.files, target)
        return target, _count_by_rule(connection, failing)


def _write_set_aside(
    connection: duckdb.DuckDBPyConnection,
    received: Received,
    rules: Sequence[Check],
    files: Sequence[Path],
    target: Path,
) -> None:
    """Rows that an earlier night has set aside already are `unchanged`: they are out, and no news."""
    named = ", ".join(["(NULL, '', '')", *(f"({n}, {_text(r.id)}, {_text(r.reason)})" for n, r in enumerate(rules))])
    first = "SELECT table_name, input_id, row_number, column_number, min(rules[1]) AS place FROM failing GROUP BY ALL"
    places = f"read_parquet([{', '.join(quoted(path) for path in received.again)}])" if received.again else "failing"
    was_out = f"SELECT {PLACE} FROM {places} WHERE {'NOT was_accepted' if received.again else 'false'}"
    connection.execute(
        f"""COPY (
            WITH failing AS ({_failing(files)}), first AS ({first}), rule (place, id, reason) AS (VALUES {named})
            SELECT table_name, input_id, row_number, column_number,
                CASE WHEN ({PLACE}) IN (SELECT ({PLACE}) FROM ({was_out})) THEN 'unchanged' ELSE 'quarantined' END
                    AS outcome,
                rule.id AS rule, reason
            FROM first JOIN rule USING (place) ORDER BY table_name, input_id, row_number, column_number
        ) TO {quoted(target)} (FORMAT parquet, COMPRESSION zstd)"""
    ).fetchall()


def _count_by_rule(connection: duckdb.DuckDBPyConnection, failing: Failing) -> dict[str, int]:
    counted = connection.execute(
        f"SELECT place, count(*) FROM (SELECT unnest(rules) AS place FROM ({_failing(failing.files)})) GROUP BY place"
    ).fetchall()
    return {failing.order[place]: n for place, n in counted}


def _failing(files: Sequence[Path]) -> str:
    if not files:
        return (
            "SELECT NULL::VARCHAR AS table_name, NULL::VARCHAR AS input_id, NULL::BIGINT AS row_number, "
            "0 AS column_number, NULL::INTEGER[] AS rules WHERE false"
        )
    return f"SELECT * FROM read_parquet([{', '.join(quoted(path) for path in files)}])"


def _text(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"
