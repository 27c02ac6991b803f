"""Counts in this process what the checking process counts with Great Expectations, for nights that ask other things.

That both count the same is asserted where checks are tested: `tests/expectations`. `published_night`, the
night on NHANES, that of CONTRIBUTING and those of commands in a process of their own have Great Expectations.
"""

from collections.abc import Sequence
from pathlib import Path

import duckdb

from expectations.job import Count, Job, Question
from flows.checker import Worker
from flows.engines import attach, lend_engine


class PlainChecker(Worker):
    """Starts no process, and so waits for none."""

    def __init__(self) -> None:
        self.counts: tuple[Count, ...] = ()

    def ask(self, job: Job) -> None:
        with (
            lend_engine("1GB", Path(job.spill)) as connection,
            attach(connection, Path(job.database), read_only=True),
        ):
            self.counts = tuple(
                count for view, asked in job.views.items() for count in self._count(connection, view, asked)
            )

    def await_ready(self) -> float:
        return 0.0

    def answer(self) -> tuple[Count, ...]:
        return self.counts

    def close(self) -> None:
        pass

    def end(self) -> None:
        pass

    def _count(self, connection: duckdb.DuckDBPyConnection, view: str, asked: Sequence[Question]) -> list[Count]:
        sums = [f'coalesce(sum("{q.concerned}"), 0)::BIGINT' for q in asked]
        bad = [
            f"(SELECT count(*) FROM ({q.sql}))" if q.sql else f'coalesce(sum("{q.column}"), 0)::BIGINT' for q in asked
        ]
        found = connection.execute(f"SELECT {', '.join([*sums, *bad])} FROM {view}").fetchall()[0]
        return [Count(q.check_id, found[n], found[len(asked) + n]) for n, q in enumerate(asked)]
