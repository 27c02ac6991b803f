"""Rows set aside, counted by source, file, table and rule, with what can be done about them; never a value."""

from collections.abc import Iterable, Mapping, Sequence

import duckdb

from flows.handover import CheckResult, LedgerLine, ReceivedInput, Validated
from flows.shown_names import show_names, show_sources
from flows.warehouse import open_memory
from reports.facts import CheckFact, RefusedFact
from transforms.model.sources import Receiving

EARLIER = "rows of earlier nights"  # that have another place in the ledger after tonight


def count_refused(validated: Validated, receiving: Receiving, memory_limit: str) -> tuple[RefusedFact, ...]:
    """What was set aside tonight, most rows first."""
    files = [str(validated.received.dropped), str(validated.set_aside)]
    with open_memory(validated.set_aside.parent / "spill", memory_limit=memory_limit) as connection:
        counted = count_by_rule(connection, "read_parquet(?) WHERE outcome = 'quarantined'", files)
    repairs = list_repairs(receiving, validated.checks)
    return describe_refused(counted, validated.received.inputs, validated.ledger, repairs)


def count_by_rule(
    connection: duckdb.DuckDBPyConnection, rows: str, parameter: str | list[str]
) -> list[tuple[str, str, str, int, str]]:
    """Input, table, rule, number and reason of `rows`, which is what stands behind FROM, with one parameter."""
    sql = count_rows("input_id, table_name, rule", rows, "min(reason)")
    return connection.execute(sql, [parameter, parameter]).fetchall()


def count_rows(keys: str, rows: str, more: str = "NULL") -> str:
    """SQL that counts `rows` by `keys`; its parameters come twice, and a key may come twice too.

    A row of a wide file holds several results (`column_number`): it counts once for each rule that it broke. Telling
    rows apart is dear, so it is done for those alone.
    """
    return f"""SELECT {keys}, count(*), {more} FROM {rows} AND column_number = 0 GROUP BY {keys}
        UNION ALL SELECT {keys}, count(DISTINCT row_number), {more} FROM {rows} AND column_number > 0 GROUP BY {keys}"""


def list_repairs(receiving: Receiving, checks: Iterable[CheckResult | CheckFact]) -> Mapping[str, str]:
    """What to do about the rows of each rule: those of receiving, and checks that set rows aside."""
    known = {rule: entry.repair for rule, entry in receiving.rules.items()}
    return known | {check.check_id: check.repair for check in checks}


def describe_refused(
    counted: Iterable[tuple[str, str, str, int, str]],
    inputs: Sequence[ReceivedInput],
    ledger: Iterable[LedgerLine],
    repairs: Mapping[str, str],
) -> tuple[RefusedFact, ...]:
    """One fact for each (input, table, rule, reason, rows); rows that came with files of earlier nights are added."""
    names, sources = show_names(inputs), show_sources(entry.source_id for entry in inputs)
    shown = {entry.input_id: (sources[entry.source_id], names[entry.input_id]) for entry in inputs}
    received = {(line.input_id, line.table_name): line.n_received for line in ledger if line.input_id in names}
    facts: dict[tuple[str, str, str, str], RefusedFact] = {}
    for input_id, table, rule, n, reason in counted:
        source, name = shown.get(input_id, ("", EARLIER))
        before = facts.get((source, name, table, rule))
        facts[source, name, table, rule] = RefusedFact(
            rule=rule,
            reason=reason,
            table_name=table,
            n_rows=n + (before.n_rows if before else 0),
            source_id=source,
            input_name=name,
            n_received=received.get((input_id, table)),
            repair=repairs.get(rule, ""),
        )
    return tuple(sorted(facts.values(), key=lambda f: (-f.n_rows, f.table_name, f.rule, f.source_id, f.input_name)))
