"""Tonight's profile: small facts of the rows of the files that were read tonight, counted where they were staged.

A few passes over single columns; nothing of a person is in it. What earlier nights sent is not looked at. A median or
a quantile is somebody's value: it is kept of enough values only, and with two digits.
"""

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from typing import Any

import duckdb

from expectations.profile import POLICY, SEPARATOR, Fact, mark_part
from flows.handover import LedgerLine, Received, RunContext
from flows.sources.protocol import literal
from flows.touched import parquet
from flows.warehouse import open_memory
from transforms.load import Definitions

LAB = "canonical.lab"
# People are told apart by 64 marks of a hash: at least as many people share a text as marks are set.
MARK = "1::UBIGINT << (hash(person_id) % 64)::UBIGINT"


def profile_rows(received: Received, context: RunContext) -> tuple[Fact, ...] | str:
    """The facts of tonight's rows, by source; none of a source that sent no file with results.

    The kind of error in their place when staged rows cannot be read as what they should be.
    """
    sources = find_sources(received)
    if not sources:
        return ()
    limit = context.settings.memory_limit
    try:
        with open_memory(context.work / "spill_profile", memory_limit=limit) as connection:
            counting = _Counting(connection, received, context)
            facts = [*counting.rows(), *counting.people(), *counting.values(), *counting.days(), *counting.filled()]
    except duckdb.Error as error:
        return type(error).__name__
    return tuple(fact for fact in facts if fact.source_id in sources)


def profile_files(received: Received, ledger: Sequence[LedgerLine], published: frozenset[str]) -> tuple[Fact, ...]:
    """The facts of tonight's files, by source: what their dates mean, what became of their rows, what was known.

    Files that earlier nights have loaded and that were given again are only counted, as beside.

    `ledger` is that of the night once it is checked, `published` names the files of earlier good nights.
    """
    found: dict[tuple[str, str, str], float] = defaultdict(float)
    files = {entry.input_id: entry for entry in received.inputs if entry.input_id in received.fresh}
    for line in ledger:
        if line.table_name != LAB or line.input_id not in files:
            continue
        entry = files[line.input_id]
        found[entry.source_id, POLICY, entry.dates or received.dates] = 1
        found[entry.source_id, "received", ""] += line.n_received
        found[entry.source_id, "irrelevant", ""] += line.n_irrelevant
        found[entry.source_id, "refused", ""] += line.n_quarantined
        found[entry.source_id, "known", ""] += line.n_duplicate
        found[entry.source_id, "files_again", ""] += entry.input_id in published
        if entry.is_snapshot:
            found[entry.source_id, "is_snapshot", ""] = 1
    for entry in received.inputs:
        if entry.input_id not in received.fresh and (entry.source_id, "received", "") in found:
            found[entry.source_id, "files_beside", ""] += 1
    return tuple(Fact(*key, value) for key, value in sorted(found.items()))


def find_sources(received: Received) -> frozenset[str]:
    """The sources of which files with results were read tonight, even if not one result is in them.

    None on a night that judges set-aside rows again: it holds the touched people only, which is no delivery.
    """
    if received.is_release:
        return frozenset()
    source_of = {entry.input_id: entry.source_id for entry in received.inputs}
    lines = [line for line in received.ledger if line.table_name == LAB and line.input_id in received.fresh]
    return frozenset(source_of[line.input_id] for line in lines if line.input_id in source_of)


class _Counting:
    """One pass after the other over tonight's staged rows."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, received: Received, context: RunContext) -> None:
        self.connection = connection
        self.received = received
        self.definitions = context.definitions
        self.changes = context.definitions.changes
        self.thresholds = sorted(
            {low.low_cells_per_ul for rule in context.definitions.rules for low in rule.thresholds}
        )
        self.started_on = context.started_at.date()
        self.lab = self._fresh(LAB)

    def rows(self) -> Iterator[Fact]:
        """Results by analyte, by unit and by code, with the people that share a unit or a code.

        A unit or code is kept as it stands if it is in the code lists, or enough people share it; else its mark is.
        """
        if self.lab is None:
            return
        known = known_words(self.definitions)
        counts: dict[tuple[str, str, str], int] = defaultdict(int)
        marks: dict[tuple[str, str, str], int] = defaultdict(int)
        for source, analyte, unit, code, n, mark in self._ask(
            f"""SELECT source_id, analyte, coalesce(source_unit, ''), source_code, count(*), bit_or({MARK})
            FROM {self.lab} GROUP BY ALL"""
        ):
            counts[source, "rows", ""] += n
            counts[source, "rows", analyte] += n
            for name, part in (("unit", f"{analyte}{SEPARATOR}{unit}"), ("code", code)):
                counts[source, f"{name}_rows", part] += n
                marks[source, f"{name}_people", part] |= mark
        for (source, measure, part), mark in sorted(marks.items()):
            text, people, rows = part.rpartition(SEPARATOR)[2], mark.bit_count(), measure.replace("people", "rows")
            is_shared = people >= self.changes.shown_people and re.fullmatch(self.changes.shown_text, text)
            shown = part if text in known or is_shared else mark_part(part)
            yield Fact(source, measure, shown, people)
            yield Fact(source, rows, shown, counts.pop((source, rows, part)))
        yield from (Fact(*key, n) for key, n in sorted(counts.items()))

    def people(self) -> Iterator[Fact]:
        """People and specimens."""
        if self.lab is not None:
            counted = "count(DISTINCT person_id), count(DISTINCT (person_id, specimen_id))"
            for source, people, specimens in self._ask(f"SELECT source_id, {counted} FROM {self.lab} GROUP BY ALL"):
                yield Fact(source, "people", "", people)
                yield Fact(source, "specimens", "", specimens)

    def values(self) -> Iterator[Fact]:
        """Medians and ends of the values in canonical units, and how many reported counts are low."""
        if self.lab is None:
            return
        analytes = ", ".join(literal(name) for name in sorted({*sum(self.changes.groups.values(), ())}))
        lows = ", ".join(f"count(*) FILTER (value < {threshold})" for threshold in self.thresholds)
        ends = ", ".join(str(share) for share in (0.5, *self.changes.tails))
        low: dict[tuple[str, str, str], int] = defaultdict(int)
        for source, analyte, n, quantiles, *counts in self._ask(
            f"""SELECT source_id, analyte, count(value), quantile_disc(value::DOUBLE, [{ends}]), {lows}
            FROM {self.lab} WHERE analyte IN ({analytes}) AND value IS NOT NULL GROUP BY ALL ORDER BY ALL"""
        ):
            yield Fact(source, "values", analyte, n)
            if n >= self.changes.shown_people:
                yield Fact(source, "median", analyte, _two_digits(quantiles[0]))
                for share, value in zip(self.changes.tails, quantiles[1:], strict=True):
                    yield Fact(source, "tail", f"{analyte}{SEPARATOR}{share}", _two_digits(value))
            if analyte in self.changes.counted_low:
                low[source, "counted_values", ""] += n
                for threshold, count in zip(self.thresholds, counts, strict=True):
                    low[source, "low_values", str(threshold)] += count
        yield from (Fact(*key, n) for key, n in sorted(low.items()))

    def days(self) -> Iterator[Fact]:
        """How many rows a usual day has, which days are covered, and how many rows are late."""
        if self.lab is None:
            return
        quiet, oldest = self.changes.quiet_day_share, self.changes.oldest_share
        started = f"DATE '{self.started_on}'"
        for source, usual, behind, covered, weekday, late in self._ask(
            f"""WITH day AS ({self._days()}), ranked AS (
                SELECT *, sum(n) OVER (PARTITION BY source_id) AS total,
                    sum(n) OVER (PARTITION BY source_id ORDER BY n, day) AS as_quiet,
                    sum(n) OVER (PARTITION BY source_id ORDER BY day) AS as_old
                FROM day
            ), usual AS (
                SELECT source_id, min(n) FILTER (as_quiet >= total / 2) AS usual FROM ranked GROUP BY ALL
            )
            SELECT source_id, any_value(usual),
                {started} - max(day) FILTER (n >= {quiet} * usual AND day <= {started}),
                {started} - min(day) FILTER (as_old >= {oldest} * total),
                isodow(arg_max(day, (n, day))),
                coalesce(sum(n) FILTER (day < {started} - {self.changes.late_days}), 0)
            FROM ranked JOIN usual USING (source_id) GROUP BY source_id ORDER BY source_id"""
        ):
            yield Fact(source, "rows_per_day", "", usual)
            if self._is_real(source):
                yield Fact(source, "days_behind", "", behind if behind is not None else 0)
                yield Fact(source, "days_covered", "", covered)
                yield Fact(source, "weekday", "", weekday)
                yield Fact(source, "late_rows", "", float(late))
                yield from self._rows_of_days(source, self.started_on - timedelta(days=behind or 0))

    def filled(self) -> Iterator[Fact]:
        """Rows in which a column is empty that cohorts, causes or the order of versions need."""
        by_table: dict[str, list[str]] = defaultdict(list)
        for name in self.changes.filled:
            table, column = name.split(".")
            by_table[table].append(column)
        for table, columns in by_table.items():
            relation = self._fresh(f"canonical.{table}")
            if relation is None:
                continue
            counts = ", ".join(f'count("{column}")' for column in columns)
            for source, n, *filled in self._ask(
                f"SELECT source_id, count(*), {counts} FROM {relation} GROUP BY ALL ORDER BY source_id"
            ):
                for column, n_filled in zip(columns, filled, strict=True):
                    yield Fact(source, "empty", f"{table}.{column}", n - n_filled)
                    yield Fact(source, "could_be_filled", f"{table}.{column}", n)

    def _rows_of_days(self, source: str, newest: date) -> Iterator[Fact]:
        """Day by day for the last months before the newest day, month by month before."""
        since = (newest - timedelta(days=self.changes.recent_days)).replace(day=1)
        for day, n in self._ask(
            f"""SELECT left(day::VARCHAR, CASE WHEN day < DATE '{since}' THEN 7 ELSE 10 END), sum(n)
            FROM ({self._days()}) WHERE source_id = {literal(source)} GROUP BY ALL ORDER BY ALL"""
        ):
            yield Fact(source, "day_rows", day, float(n))

    def _days(self) -> str:
        return (
            f"SELECT source_id, collected_at::DATE AS day, count(*) AS n FROM {self.lab} "
            f"WHERE collected_at::DATE BETWEEN DATE '{date.min}' AND DATE '{date.max}' GROUP BY ALL"
        )

    def _is_real(self, source_id: str) -> bool:
        return all(
            (entry.dates or self.received.dates) == "real"
            for entry in self.received.inputs
            if entry.source_id == source_id and entry.input_id in self.received.fresh
        )

    def _fresh(self, table: str) -> str | None:
        files = self.received.staged.get(table, ())
        if not files:
            return None
        named = ", ".join(literal(input_id) for input_id in sorted(self.received.fresh))
        return f"(SELECT * FROM {parquet(files)} WHERE input_id IN ({named}))"

    def _ask(self, sql: str) -> Sequence[tuple[Any, ...]]:
        return self.connection.execute(sql).fetchall()


def known_words(definitions: Definitions) -> frozenset[str]:
    """Units and codes that the code lists hold, which are nobody's."""
    units, codes = definitions.codes("units")["source_unit"], definitions.codes("labs")["loinc"]
    return frozenset({*units.drop_nulls(), *codes.drop_nulls()})


def _two_digits(value: float) -> float:
    return float(f"{value:.2g}")
