"""receive: files as sent become staged canonical rows, and every row that was read ends in one ledger column.

A file is known by its content: given again under the same definitions and code it is not read again. Nothing here
writes to the warehouse; what tonight replaces there is only listed.
"""

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import duckdb

from flows.code_version import code_version
from flows.earlier import History, Question, fetch_earlier, fetch_people, fetch_read_again, read_history
from flows.handover import DatePolicy, LedgerLine, Received, ReceivedInput, Request, RunContext
from flows.lab_rows import Laboratory
from flows.people import Census, infer_people
from flows.sources.delimited import Opened, open_delimited
from flows.sources.parquet import open_parquet
from flows.sources.protocol import Recognised, literal
from flows.sources.recognise import recognise
from flows.staging import Arrival, Staged, stage_rows, write_dropped
from flows.versions import Contest, orders, settle_versions
from flows.warehouse import open_memory

TABLES = ("person", "observation", "encounter", "lab", "exposure", "diagnosis", "vital")
LEAST_FIRST: Sequence[DatePolicy] = ("none", "relative", "shifted", "real")


@dataclass
class Night:
    """What is known of tonight while it is received."""

    context: RunContext
    connection: duckdb.DuckDBPyConnection
    history: History
    inputs: dict[str, ReceivedInput] = field(default_factory=dict)
    ledger: list[LedgerLine] = field(default_factory=list)
    staged: list[Staged] = field(default_factory=list)
    people: list[Path] = field(default_factory=list)

    @property
    def read_again(self) -> tuple[str, ...]:
        """Published files that other definitions or other code have read before."""
        return tuple(sorted({entry.input_id for entry in self.staged} & self.history.published))

    def tonight(self, table: str) -> list[Path]:
        """Staged files of a table."""
        return [entry.path for entry in self.staged if entry.table == table]


def receive(request: Request, context: RunContext) -> Received:
    """Read the extracts of the request into staged Parquet; SourceError when they are not what they should be."""
    extracts = recognise(request.extracts, request.source, context.definitions)
    context.work.mkdir(parents=True, exist_ok=True)
    limit = context.settings.memory_limit
    with open_memory(context.work / "spill", memory_limit=limit) as connection:
        night = Night(context, connection, read_history(context))
        for extract in extracts:
            _receive_extract(night, extract)
        lost, replaced = _settle(night)
        _write_replaced(night, replaced)
        write_dropped(connection, night.staged, lost, context.definitions.receiving, context.work / "dropped.parquet")
        _infer_people(night)
        _close_ledger(night)
    context.progress.rows(sum(line.n_received for line in night.ledger))
    return _hand_over(night, extracts)


def _receive_extract(night: Night, extract: Recognised) -> None:
    laboratory = Laboratory(night.context.definitions, extract.source_map)
    roles = {role: _identify(file.path, extract.source_id) for role, file in extract.files.items()}
    opened: dict[str, Opened] = {}
    done: set[tuple[str, str]] = set()
    for feed in extract.feeds:
        input_id = roles[feed.role][0]
        needed = (feed.role, *feed.lookups)
        if (input_id, feed.table) in done:
            continue
        done.add((input_id, feed.table))
        if all(roles[role][0] in night.history.loaded for role in needed):
            night.ledger += [line for line in night.history.loaded[input_id] if line.table_name == feed.table]
            continue
        for role in needed:
            if role not in opened:
                opened[role] = _open(night, extract, role, roles[role][0])
        arrival = Arrival(
            feed,
            input_id,
            extract.source_id,
            extract.files[feed.role].path.name,
            {role: opened[role] for role in needed},
        )
        target = night.context.workspace.staged(input_id) / f"{feed.table.split('.')[1]}.parquet"
        night.staged.append(stage_rows(night.connection, arrival, laboratory, target, night.context.work))
    _list_inputs(night, extract, roles, opened)


def _open(night: Night, extract: Recognised, role: str, input_id: str) -> Opened:
    file, needed = extract.files[role], extract.needed[role]
    if file.kind == "parquet":
        return open_parquet(night.connection, file, needed, extract.source_map)
    target = night.context.work / f"read_{input_id}.parquet"
    return open_delimited(night.connection, file, needed, extract.source_map, target)


def _identify(path: Path, source_id: str) -> tuple[str, str]:
    with path.open("rb") as stream:
        sha256 = hashlib.file_digest(stream, "sha256").hexdigest()
    return hashlib.sha256(f"{source_id}|{sha256}".encode()).hexdigest()[:16], sha256


def _list_inputs(
    night: Night, extract: Recognised, roles: Mapping[str, tuple[str, str]], opened: Mapping[str, Opened]
) -> None:
    """Every file that was read or known; a file that only explains others counts its rows as irrelevant."""
    feeding = {feed.role: feed.table for feed in extract.feeds}
    explained = {role: feed.table for feed in extract.feeds for role in feed.lookups}
    for role, file in extract.files.items():
        input_id, sha256 = roles[role]
        known = night.history.loaded.get(input_id, ())
        rows = opened[role].n_rows if role in opened else sum(line.n_received for line in known)
        night.inputs.setdefault(
            input_id,
            ReceivedInput(
                input_id, extract.source_id, file.path.name, file.path.stat().st_size, sha256, rows, extract.adapter
            ),
        )
        if role in feeding:
            continue
        is_known = role not in opened
        line = LedgerLine(input_id, explained[role], rows, 0, n_irrelevant=rows)
        night.ledger.append(known[0] if is_known and known else line)


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


def _close_ledger(night: Night) -> None:
    counts = night.connection.execute(
        f"""SELECT table_name, input_id, outcome, count(*)
        FROM read_parquet({literal(str(night.context.work / "dropped.parquet"))}) GROUP BY ALL"""
    ).fetchall()
    dropped: Counter[tuple[str, str, str]] = Counter(
        {(table, entry, outcome): n for table, entry, outcome, n in counts}
    )
    for staged in night.staged:
        out = {
            outcome: dropped[(staged.table, staged.input_id, outcome)]
            for outcome in ("duplicate", "superseded", "quarantined")
        }
        n_conflicting = out["quarantined"] - staged.n_quarantined
        night.ledger.append(
            LedgerLine(
                staged.input_id,
                staged.table,
                staged.n_received,
                staged.n_accepted - out["duplicate"] - out["superseded"] - n_conflicting,
                n_duplicate=out["duplicate"],
                n_superseded=out["superseded"],
                n_quarantined=out["quarantined"],
                n_irrelevant=staged.n_irrelevant,
            )
        )


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
        ledger=tuple(sorted(_merged(night.ledger), key=lambda line: (line.input_id, line.table_name))),
        dates=next(policy for policy in LEAST_FIRST if policy in policies),
        result_id=_result_id(night),
        is_unchanged=not night.staged,
    )


def _merged(lines: Iterable[LedgerLine]) -> list[LedgerLine]:
    """One line for each input and table."""
    merged = {(line.input_id, line.table_name): replace(line) for line in lines}
    return list(merged.values())


def _result_id(night: Night) -> str:
    inputs = sorted({*night.history.published, *night.inputs})
    parts = [*inputs, night.context.definitions.hash, code_version()]
    return hashlib.sha256("|".join(parts).encode()).hexdigest()[:16]
