"""Derive: accepted rows become counts, episodes, causes and cohort memberships; only touched people are done again.

The canonical content of the touched people after tonight (what was there, less what tonight supersedes, plus tonight)
is handed to the transforms as Parquet, keyed by a dense `person_index`. What was derived for all other people stays in
the warehouse as it is. A change of definitions, of code or of what the dates mean touches everybody; so does the first
drug or diagnosis of all, because from then on a cause may be said to be absent.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import polars as pl

from flows.answers import AfterTonight, answer_questions, find_span
from flows.breaks import find_source_spans
from flows.code_version import code_version
from flows.handover import Derived, RunContext, Validated
from flows.history import RunLine, last_published
from flows.own_crew import crew_of
from flows.part import COUNTED, DERIVED, HANDED_OVER, STANDING, Deriving
from flows.population import (
    hand_over_findings,
    hand_over_people,
    hand_over_rows,
    holds_rows,
    infer_observation,
)
from flows.recognised_words import KEYS, count_recognised
from flows.splitting import join_parts, split_people
from flows.standing import hand_over_standing
from flows.warehouse import open_memory, open_warehouse
from transforms.findings import list_findings

CAUSES_FROM = ("canonical.exposure", "canonical.diagnosis")
FRAMES = ("person", "observation", "encounter", *DERIVED)


def derive(validated: Validated, context: RunContext) -> Derived:
    """Everything that is known of each person, from their counts to the suspected cause of each episode."""
    folder = context.work / "derived"
    folder.mkdir(parents=True, exist_ok=True)
    last = last_published(context.workspace, context.settings.memory_limit)
    has_history = last is not None
    with _connect(context, has_history=has_history) as connection:
        has_drugs, has_diagnoses = (
            holds_rows(connection, validated, table, has_history=has_history) for table in CAUSES_FROM
        )
        is_rebuild = last is None or _is_other(last, validated, context)
        is_rebuild = is_rebuild or _held_rows(connection) != (has_drugs, has_diagnoses)
        population = hand_over_people(connection, validated, folder, has_history=has_history, is_rebuild=is_rebuild)
        hand_over_rows(
            connection, validated, population, folder, has_history=has_history, routes=context.definitions.anc
        )
        findings = list_findings(context.definitions.causes)
        hand_over_findings(connection, validated, population, folder, has_history=has_history, wanted=findings)
        infer_observation(connection, folder)
        standing = None if population.is_everybody else hand_over_standing(connection, population, folder)
        n_rows = pl.scan_parquet(folder / "lab.parquet").select(pl.len()).collect().item()
        crew = crew_of(context)
        parts = divide(connection, crew.choose_parts(n_rows), folder, has_standing=standing is not None)
    context.progress.rows(n_rows)
    has_dates, limit = validated.received.dates != "none", context.settings.memory_limit
    crew.derive(parts, Deriving(context.definitions, has_drugs, has_diagnoses, has_dates, limit))
    if parts != (folder,):
        join_parts(folder, parts, DERIVED)
    with _connect(context, has_history=has_history) as connection:
        frames = {name: folder / f"{name}.parquet" for name in FRAMES}
        every = frames | {name: folder / f"{name}.parquet" for name in KEYS}
        after = AfterTonight(connection, validated, population, every, has_history=has_history)
        answers = answer_questions(after, context.definitions)
        least_people = context.definitions.showing.least_people
        spans = find_span(after, least_people), find_source_spans(after, least_people)
        words = count_recognised(after, folder, context.definitions)
    return Derived(validated, population.people, frames, standing, answers, *spans, words, parts)


def divide(
    connection: duckdb.DuckDBPyConnection, n_parts: int, folder: Path, *, has_standing: bool
) -> tuple[Path, ...]:
    """The folders of the parts that the touched people are worked on in; of one part, `folder` itself."""
    if n_parts == 1:
        return (folder,)
    standing = [f"{STANDING}{name}" for name in COUNTED] if has_standing else []
    return split_people(connection, folder, [*HANDED_OVER, *standing], n_parts)


def _is_other(last: RunLine, validated: Validated, context: RunContext) -> bool:
    tonight = (context.definitions.hash, code_version(), validated.received.dates)
    return (last.definitions_hash, last.code_version, last.dates) != tonight


def _held_rows(connection: duckdb.DuckDBPyConnection) -> tuple[bool, ...]:
    return tuple(bool(connection.execute(f"SELECT 1 FROM {table} LIMIT 1").fetchall()) for table in CAUSES_FROM)


@contextmanager
def _connect(context: RunContext, *, has_history: bool) -> Iterator[duckdb.DuckDBPyConnection]:
    limit = context.settings.memory_limit
    if has_history:
        with open_warehouse(context.workspace.warehouse, memory_limit=limit, read_only=True) as connection:
            yield connection
    else:
        with open_memory(context.work / "spill", memory_limit=limit) as connection:
            yield connection
