"""receive: files as sent become staged canonical rows, and every row that was read ends in one ledger column.

What identifies people is looked for before anything else. A file is known by its content: given again under the same
definitions and code it is not read again. Nothing here writes to the warehouse; whose rows tonight replaces there is
only listed.
"""

import hashlib
from collections.abc import Sequence
from pathlib import Path

from flows.arriving import Stillness, await_arrival, refuse_changes
from flows.code_version import code_version
from flows.earlier import attach_warehouse, read_history
from flows.erasure import leave_out_erased
from flows.guard import guard_door
from flows.handover import DatePolicy, Received, Request, RunContext
from flows.ledger import count_outcomes, merge_lines
from flows.people import Census, infer_people
from flows.reading import Night, read_extract
from flows.releasing import judge_again
from flows.sources.protocol import Recognised, literal
from flows.sources.recognise import look_over
from flows.staging import leave_no_halves, write_dropped
from flows.warehouse import open_memory
from flows.weighing import Weighed, weigh_rows
from flows.workspace import make_private

LEAST_FIRST: Sequence[DatePolicy] = ("none", "relative", "shifted", "real")


def receive(request: Request, context: RunContext) -> Received:
    """Read the extracts of the request into staged Parquet; SourceError when they are not what they should be."""
    await_arrival(request, context)
    with leave_no_halves(context.workspace), refuse_changes(request) as stillness:
        return _receive(request, context, stillness)


def _receive(request: Request, context: RunContext, stillness: Stillness) -> Received:
    """What `receive` does once all files are there, and are to stay as they are."""
    found = look_over(request.extracts, request.source, context.definitions, context.work / "unpacked")
    make_private(context.work)
    limit = context.settings.memory_limit
    with open_memory(context.work / "spill", memory_limit=limit) as connection:
        night = Night(context, connection, read_history(context), request)
        readers = guard_door(night, found)
        extracts = [reader.extract for reader in readers]
        read = (file.path for extract in extracts for files in extract.files.values() for file in files)
        stillness.narrow(frozenset(read))
        for reader in readers:
            read_extract(reader)
        if request.release is not None:
            judge_again(night)
        weighed = _weigh(night)
        _infer_people(night, weighed)
        night.ledger += count_outcomes(connection, night.staged, context.work / "dropped.parquet")
    context.progress.rows(sum(line.n_received for line in night.ledger))
    return _hand_over(night, weighed, extracts)


def _weigh(night: Night) -> Weighed:
    work = night.context.work
    # Also before the first published night: somebody may have been erased from a night that was stopped.
    if night.staged and night.context.workspace.warehouse.exists():
        with attach_warehouse(night.connection, night.context.workspace):
            night.staged = leave_out_erased(night.connection, night.staged, night.context.workspace)
            weighed = weigh_rows(night)
    else:
        weighed = weigh_rows(night)
    _list_people(night, weighed.touched)
    receiving = night.context.definitions.receiving
    write_dropped(night.connection, night.staged, list(weighed.lost), receiving, work / "dropped.parquet")
    return weighed


def _list_people(night: Night, touched: Path | None) -> None:
    """The people whose rows in the warehouse are replaced; without a history, nobody's are."""
    if touched is None:
        nobody = "SELECT ''::VARCHAR AS source_id, ''::VARCHAR AS person_id WHERE false"
        target = literal(str(night.context.work / "replaced.parquet"))
        night.connection.execute(f"COPY ({nobody}) TO {target} (FORMAT parquet)").fetchall()


def _infer_people(night: Night, weighed: Weighed) -> None:
    work = night.context.work
    files = {table: tuple(night.tonight(table)) for table in {entry.table for entry in night.staged}}
    for table, rows in weighed.again.items():
        files[table] = (*files.get(table, ()), rows)
    census = Census(dict(sorted(files.items())), work / "dropped.parquet", weighed.touched)
    inferred = infer_people(night.connection, census, work / "inferred_person.parquet") if files else None
    night.people += [inferred] if inferred else []


def _hand_over(night: Night, weighed: Weighed, extracts: Sequence[Recognised]) -> Received:
    tables = dict.fromkeys(entry.table for entry in night.staged)
    staged = {table: tuple(night.tonight(table)) for table in tables}
    for table, rows in weighed.again.items():
        staged[table] = (*staged.get(table, ()), rows)
    if night.people:
        staged["canonical.person"] = (*staged.get("canonical.person", ()), *night.people)
    earlier = {policy for key, policy in night.history.dates.items() if key not in night.inputs}
    released = {entry.dates for entry in night.inputs.values() if entry.dates}
    policies = {extract.source_map.dates for extract in extracts} | earlier | released
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
        fresh=frozenset(entry.input_id for entry in night.staged),
        again=weighed.places,
        contested=weighed.contested,
        standing=weighed.standing,
        is_release=night.request.release is not None,
        words=tuple(word for entry in night.staged for word in entry.words),
        identifiers=tuple(night.identifiers),
    )


def _result_id(night: Night) -> str:
    declared = {
        f"{entry.input_id} {entry.extract_date or ''} {entry.is_snapshot}"
        for entry in night.inputs.values()
        if entry.extract_date or entry.is_snapshot
    }
    maps = {**night.history.maps, **{entry.input_id: entry.map_hash for entry in night.inputs.values()}}
    inputs = sorted({*night.history.published, *night.inputs})
    parts = [*inputs, *(maps[key] for key in inputs), *sorted(declared), night.context.definitions.hash, code_version()]
    return hashlib.sha256("|".join(parts).encode()).hexdigest()[:16]
