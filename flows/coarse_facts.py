"""What a page tells of files and checks without telling of a few people: numbers of rows rounded up, or left out.

A row of a table of people is a person, and rows of a small night are those of a few, so that these would say what the
release holds back: how many have come since last night, and how many died. Obeys `definitions/showing`; terminals and
`ops` have the exact numbers.
"""

from dataclasses import astuple, replace

from expectations.verdict import why
from reports.facts import (
    CheckFact,
    CheckMark,
    IdentifierFact,
    InputFact,
    LedgerFact,
    NightFacts,
    RefusedFact,
    RefusedKey,
    RefusedMark,
    Trend,
)
from transforms.model.showing import Showing


def coarsen(facts: NightFacts, showing: Showing) -> NightFacts:
    """The same facts for a page: rows rounded up to whole steps, none of tables of people, no sum of a small file."""
    tables = {check.check_id: check.table_name for check in facts.checks}
    of_people = {one.input_name for one in facts.ledger if _is_of_people(one.table_name, showing)}
    return replace(
        facts,
        inputs=tuple(_input(one, showing, is_counted=one.name not in of_people) for one in facts.inputs),
        ledger=tuple(_line(line, showing) for line in facts.ledger if not _is_of_people(line.table_name, showing)),
        refused=tuple(_refused(fact, showing) for fact in facts.refused),
        checks=tuple(_check(check, showing) for check in facts.checks),
        verdict_why=why(facts.checks),
        identifiers=tuple(_identifier(fact, showing) for fact in facts.identifiers),
        trend=Trend(
            facts.trend.nights,
            {
                name: tuple(mark and _mark(mark, tables.get(name), showing) for mark in marks)
                for name, marks in facts.trend.checks.items()
            },
            {
                key: tuple(mark and _refused_mark(mark, key, showing) for mark in marks)
                for key, marks in facts.trend.refused.items()
            },
        ),
    )


def _is_of_people(table: str | None, showing: Showing) -> bool:
    return table is None or table in showing.tables_of_people


def _up(n: int, showing: Showing) -> int:
    """Rounded up, so that only nothing is 0."""
    return -(-n // showing.rows_rounded_to) * showing.rows_rounded_to


def _told(n: int | None, table: str | None, showing: Showing) -> int | None:
    return None if n is None or _is_of_people(table, showing) else _up(n, showing)


def _input(one: InputFact, showing: Showing, *, is_counted: bool) -> InputFact:
    """Of a few rows the sum could be found by trying what they may hold."""
    rows = one.rows or 0
    size = -(-one.bytes // showing.bytes_rounded_to) * showing.bytes_rounded_to
    is_known = rows > showing.rows_rounded_to
    return replace(one, bytes=size, rows=_up(rows, showing) if is_counted else None, sha256=one.sha256 * is_known)


def _line(line: LedgerFact, showing: Showing) -> LedgerFact:
    return LedgerFact(
        line.input_name,
        line.table_name,
        *(_up(n, showing) for n in astuple(line)[2:]),
    )


def _refused(fact: RefusedFact, showing: Showing) -> RefusedFact:
    n_received = _told(fact.n_received, fact.table_name, showing)
    return replace(fact, n_rows=_up(fact.n_rows, showing), n_received=n_received)


def _check(check: CheckFact, showing: Showing) -> CheckFact:
    n_rows, n_failed = (_told(n, check.table_name, showing) for n in (check.n_rows, check.n_failed))
    return replace(check, n_rows=n_rows, n_failed=n_failed)


def _identifier(fact: IdentifierFact, showing: Showing) -> IdentifierFact:
    return replace(fact, n_rows=_up(fact.n_rows, showing), n_given=_up(fact.n_given, showing))


def _mark(mark: CheckMark, table: str | None, showing: Showing) -> CheckMark:
    return CheckMark(mark.status, _told(mark.n_rows, table, showing), _told(mark.n_failed, table, showing))


def _refused_mark(mark: RefusedMark, key: RefusedKey, showing: Showing) -> RefusedMark:
    return RefusedMark(_up(mark.n_rows, showing), _told(mark.n_received, key.table_name, showing))
