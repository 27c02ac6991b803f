"""A row that a check sets aside beats nobody: the versions that lost to it are weighed again without it.

What then wins is checked in its turn, until no row that is set aside has another version. Only the people concerned
are looked at again, all their rows of tonight together, because some checks hold rows against each other.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import duckdb

from expectations.suite import Suite
from flows.handover import Received, RunContext
from flows.sidecar import build_sidecar, open_sidecar, write_failing_rows
from flows.sources.protocol import literal
from flows.staging import write_dropped
from flows.touched import parquet
from flows.versions import settle_versions
from flows.warehouse import open_memory
from transforms.schemas import schema_of

PLACE = "table_name, input_id, row_number, column_number"


@dataclass(frozen=True)
class Failing:
    """Parquet files of rows that break a rule: PLACE and rules, which are places in `order`, the list of row rules."""

    files: Sequence[Path]
    order: Sequence[str]


def promote_versions(
    received: Received, failing: Failing, suites: Sequence[Suite], context: RunContext
) -> tuple[Received, Failing] | None:
    """The night and its failing rows with what lost to a failing row weighed again; None when nothing did."""
    if not failing.files or not received.contested:
        return None
    folder = context.work / "promoted"
    folder.mkdir(exist_ok=True)
    with open_memory(context.work / "spill", memory_limit=context.settings.memory_limit) as connection:
        appeal = _Appeal(connection, received, suites, context)
        if not appeal.find_rivals(failing.files):
            return None
        appeal.settle()
        while appeal.check(failing.order):
            appeal.settle()
        return appeal.close(failing)


class _Appeal:
    """Contests that are decided again. Tables: `rival` (contested rows), `bad` (rows out of the contest), `people`."""

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        received: Received,
        suites: Sequence[Suite],
        context: RunContext,
    ) -> None:
        self.connection = connection
        self.received = received
        self.suites = suites
        self.context = context
        self.folder = context.work / "promoted"
        self.failing: list[Path] = []
        self.staged: Mapping[str, tuple[Path, ...]] = {}

    def find_rivals(self, files: Sequence[Path]) -> bool:
        """Whether a failing row has other versions; the rows of its people are laid out if so."""
        rows = " UNION ALL ".join(
            f"SELECT {PLACE}, source_id, person_id FROM {parquet([path])}" for path in self.received.contested.values()
        )
        self._run(f"CREATE TEMP TABLE rival AS {rows}")
        self._run(f"CREATE TEMP TABLE bad AS SELECT * FROM {parquet(files)} SEMI JOIN rival USING ({PLACE})")
        if not self._count("bad"):
            return False
        self._run(
            f"CREATE TEMP TABLE people AS SELECT DISTINCT source_id, person_id FROM rival SEMI JOIN bad USING ({PLACE})"
        )
        mine = "SEMI JOIN people USING (source_id, person_id)"
        for table, path in self.received.contested.items():
            self._copy(f"SELECT * FROM {parquet([path])} {mine}", self._path("contested", table))
        self._run("DELETE FROM rival WHERE (source_id, person_id) NOT IN (SELECT (source_id, person_id) FROM people)")
        self.staged = {
            table: (self._copy(f"SELECT * FROM {parquet(rows)} {mine}", self._path("staged", table)),)
            for table, rows in self.received.staged.items()
        }
        self._run(f"CREATE TEMP TABLE mine AS {' UNION ALL '.join(map(self._places, self.staged))}")
        return True

    def settle(self) -> None:
        """Decide without the bad rows: `lost` has who loses now."""
        bad = self._copy(f"SELECT {PLACE} FROM bad", self.folder / "bad.parquet")
        lost = [
            settle_versions(self.connection, self._path("contested", table), self._path("lost", table), bad)
            for table in self.received.contested
        ]
        target = self.folder / "lost.parquet"
        write_dropped(self.connection, [], lost, self.context.definitions.receiving, target)

    def check(self, order: Sequence[str]) -> bool:
        """Check the people's rows as they are now; whether a row that wins is bad as well."""
        own = f"SELECT * FROM {parquet([self.folder / 'lost.parquet'])} UNION ALL BY NAME SELECT {PLACE} FROM bad"
        dropped = self._copy(own, self.folder / "out.parquet")
        small = replace(self.received, staged=self.staged, dropped=dropped)
        places = {rule: place for place, rule in enumerate(order)}
        limit = self.context.settings.memory_limit
        self.failing = []
        with (
            build_sidecar(small, self.suites, self.context, "promoted_checks") as sidecar,
            open_sidecar(sidecar, limit) as checks,
        ):
            for suite in self.suites:
                if suite.name not in sidecar.broken:
                    self.failing += write_failing_rows(checks, suite, places, self.folder)
        self._run(
            f"""CREATE OR REPLACE TEMP TABLE worse AS
            SELECT * FROM {parquet(self.failing)} SEMI JOIN rival USING ({PLACE})"""
        )
        self._run("INSERT INTO bad BY NAME SELECT * FROM worse")
        return self._count("worse") > 0

    def close(self, failing: Failing) -> tuple[Received, Failing]:
        """Everybody else as they were, the people concerned as they are now."""
        before = parquet([self.received.dropped])
        lost = parquet([self.folder / "lost.parquet"])
        dropped = self._copy(
            f"""SELECT * FROM (
                SELECT * FROM {before} ANTI JOIN rival USING ({PLACE}) UNION ALL BY NAME SELECT * FROM {lost}
            ) ORDER BY {PLACE}""",
            self.context.work / "dropped_after_checks.parquet",
        )
        parts = [
            f"SELECT * FROM {parquet(failing.files)} ANTI JOIN mine USING ({PLACE})",
            f"SELECT * FROM {parquet(self.failing)}",
            "SELECT * FROM bad",
        ]
        target = self._copy(" UNION ALL BY NAME ".join(parts), self.folder / "failing.parquet")
        return replace(self.received, dropped=dropped), Failing([target], failing.order)

    def _places(self, table: str) -> str:
        column = "column_number" if "column_number" in schema_of(table).column_names else "0 AS column_number"
        rows = parquet(self.staged[table])
        return f"SELECT {literal(table)} AS table_name, input_id, row_number, {column} FROM {rows}"

    def _path(self, what: str, table: str) -> Path:
        return self.folder / f"{what}_{table.split('.')[1]}.parquet"

    def _copy(self, sql: str, target: Path) -> Path:
        self._run(f"COPY ({sql}) TO {literal(str(target))} (FORMAT parquet)")
        return target

    def _run(self, sql: str) -> None:
        self.connection.execute(sql).fetchall()

    def _count(self, table: str) -> int:
        return int(self.connection.execute(f"SELECT count(*) FROM {table}").fetchall()[0][0])
