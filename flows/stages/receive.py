"""receive: files as sent become staged canonical rows, and every row that was read ends in one ledger column.

A file is known by its content: given again under the same definitions and code it is not read again. Nothing here
writes to the warehouse; what tonight replaces there is only listed.
"""

import hashlib
from collections.abc import Sequence
from pathlib import Path

from flows.code_version import code_version
from flows.earlier import Question, fetch_earlier, fetch_people, fetch_read_again, read_history
from flows.handover import DatePolicy, Received, Request, RunContext
from flows.ledger import count_outcomes, merge_lines
from flows.people import Census, infer_people
from flows.reading import Night, read_extract
from flows.sources.protocol import Recognised, literal
from flows.sources.recognise import recognise
from flows.staging import write_dropped
from flows.versions import Contest, orders, settle_versions
from flows.warehouse import open_memory

TABLES = ("person", "observation", "encounter", "lab", "exposure", "diagnosis", "vital")
LEAST_FIRST: Sequence[DatePolicy] = ("none", "relative", "shifted", "real")


def receive(request: Request, context: RunContext) -> Received:
    """Read the extracts of the request into staged Parquet; SourceError when they are not what they should be."""
    extracts = recognise(request.extracts, request.source, context.definitions, context.work / "unpacked")
    context.work.mkdir(parents=True, exist_ok=True)
    limit = context.settings.memory_limit
    with open_memory(context.work / "spill", memory_limit=limit) as connection:
        night = Night(context, connection, read_history(context))
        for extract in extracts:
            read_extract(night, extract)
        lost, replaced = _settle(night)
        _write_replaced(night, replaced)
        write_dropped(connection, night.staged, lost, context.definitions.receiving, context.work / "dropped.parquet")
        _infer_people(night)
        night.ledger += count_outcomes(connection, night.staged, context.work / "dropped.parquet")
    context.progress.rows(sum(line.n_received for line in night.ledger))
    return _hand_over(night, extracts)


def _settle(night: Night) -> tuple[list[Path], list[Path]]:
    lost: list[Path] = []
    replaced: list[Path] = []
    by_table = orders(night.context.definitions.receiving)
    for short in TABLES:
        table, work = f"canonical.{short}", night.context.work
        files = night.tonight(table)
        if not files:
            continue
        earlier = fetch_earlier(
            night.context, Question(table, files, night.read_again), work / f"earlier_{short}.parquet"
        )
        settled = settle_versions(night.connection, Contest(table, files, earlier), by_table[table], work)
        if settled:
            lost.append(settled[0])
            replaced.append(settled[1])
    again = fetch_read_again(
        night.context,
        [f"canonical.{short}" for short in TABLES],
        night.read_again,
        night.context.work / "again.parquet",
    )
    return lost, replaced + ([again] if again else [])


def _write_replaced(night: Night, replaced: Sequence[Path]) -> None:
    empty = "SELECT ''::VARCHAR AS table_name, '' AS source_id, '' AS person_id, 0::UBIGINT AS record_key WHERE false"
    parts = [f"SELECT * FROM read_parquet({literal(str(path))})" for path in replaced]
    night.connection.execute(
        f"""COPY (SELECT DISTINCT * FROM ({" UNION ALL ".join([empty, *parts])}) ORDER BY ALL)
        TO {literal(str(night.context.work / "replaced.parquet"))} (FORMAT parquet)"""
    ).fetchall()


def _infer_people(night: Night) -> None:
    work = night.context.work
    contested = work / "earlier_person.parquet"
    census = Census(
        night.staged,
        work / "dropped.parquet",
        work / "replaced.parquet",
        fetch_people(night.context, night.read_again, work / "earlier_people.parquet"),
        contested if contested.exists() else None,
    )
    inferred = infer_people(night.connection, census, work / "inferred_person.parquet") if night.staged else None
    night.people += [inferred] if inferred else []


def _hand_over(night: Night, extracts: Sequence[Recognised]) -> Received:
    staged: dict[str, tuple[Path, ...]] = {}
    for entry in night.staged:
        staged[entry.table] = (*staged.get(entry.table, ()), entry.path)
    if night.people:
        staged["canonical.person"] = (*staged.get("canonical.person", ()), *night.people)
    policies = {extract.source_map.dates for extract in extracts}
    return Received(
        inputs=tuple(night.inputs[input_id] for input_id in sorted(night.inputs)),
        staged=staged,
        dropped=night.context.work / "dropped.parquet",
        replaced=night.context.work / "replaced.parquet",
        ledger=merge_lines(night.ledger),
        dates=next(policy for policy in LEAST_FIRST if policy in policies),
        result_id=_result_id(night),
        is_unchanged=not night.staged,
        wide=frozenset(entry.input_id for entry in night.staged if entry.feed.is_wide),
    )


def _result_id(night: Night) -> str:
    inputs = sorted({*night.history.published, *night.inputs})
    parts = [*inputs, night.context.definitions.hash, code_version()]
    return hashlib.sha256("|".join(parts).encode()).hexdigest()[:16]
