"""Rows of one file on their way to one table: what is taken in goes to staged Parquet, the rest is counted by rule.

Staged files are written aside and renamed, so a file that is there is whole.
"""

import re
import shutil
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import duckdb

from flows.errors import SourceError
from flows.lab_rows import Laboratory, judge_labs, store_meanings
from flows.record_rows import judge_records
from flows.refused import REFUSED, with_sent
from flows.sources.files import refuse_unreadable
from flows.sources.opening import Opened
from flows.sources.protocol import Feed, literal
from flows.sources.together import place_of
from flows.tonight import row_key
from flows.unknown_words import UnknownWord, list_words
from flows.workspace import Workspace
from transforms.model.sources import Receiving
from transforms.schemas import schema_of

DICTIONARY = 10_000  # different values in a row group; looking for more takes longer than writing them plain
NOTHING = (
    "SELECT 0 AS row_number, 0 AS column_number, NULL::VARCHAR AS rule, NULL::VARCHAR AS source_id, "
    "NULL::VARCHAR AS person_id, NULL::VARCHAR AS input_id, NULL AS sent FROM range(0)"
)
ROLE = re.compile(r"\{(\w+)\}")
DROPPED = ("table_name", "input_id", "row_number", "column_number", "outcome", "rule", "reason")


@dataclass(frozen=True)
class Shared:
    """Parquet of the accepted and of the set-aside rows of several files, each with its input."""

    rows: Path
    refused: Path


@dataclass(frozen=True)
class Staged:
    """What became of the rows of one feed. `refused` is Parquet of set-aside rows, see flows/refused.py.

    Of a wide feed, `n_accepted` and `n_quarantined` count results, `n_received` rows. What `stood_before` is an
    earlier night's, and tonight only weighs it again. With `shared`, tonight reads the rows there, which is one file
    instead of hundreds; later nights read them at `path`.
    """

    feed: Feed
    input_id: str
    path: Path
    refused: Path
    n_received: int
    n_accepted: int
    n_quarantined: int
    stood_before: bool = False
    words: tuple[UnknownWord, ...] = ()
    shared: Shared | None = None

    @property
    def table(self) -> str:
        """The canonical table that it feeds."""
        return self.feed.table

    @property
    def n_irrelevant(self) -> int:
        """Rows that are no concern of nadir."""
        return self.n_received - self.n_accepted - self.n_quarantined


def rows_of(staged: Iterable[Staged]) -> tuple[Path, ...]:
    """The files in which tonight finds these rows, each once."""
    return tuple(dict.fromkeys(entry.shared.rows if entry.shared else entry.path for entry in staged))


@dataclass(frozen=True)
class Arrival:
    """One feed of one input, opened, with the relations that its SELECT names, and the lines that are no rows.

    With `lists_words`, the words that nadir does not know are looked up, which reads the rows once more.
    """

    feed: Feed
    input_id: str
    source_id: str
    name: str
    own: Opened
    relations: Mapping[str, str]
    malformed: tuple[int, ...] = ()
    lists_words: bool = False


def stage_rows(
    connection: duckdb.DuckDBPyConnection, arrival: Arrival, laboratory: Laboratory, target: Path, work: Path
) -> Staged:
    """Write accepted rows to `target` and refused ones beside it; SourceError when a rule stops the night."""
    staged = judge_rows(connection, arrival, laboratory, target, work)
    n_usable, receiving = staged.n_accepted + staged.n_quarantined, laboratory.receiving
    common = _find_common(connection, staged.refused, n_usable, receiving)
    if common:
        words = staged.words or words_of(connection, arrival, laboratory, staged.refused)
        raise _too_common(common, n_usable, arrival, receiving, words)
    return staged


def judge_rows(
    connection: duckdb.DuckDBPyConnection, arrival: Arrival, laboratory: Laboratory, target: Path, work: Path
) -> Staged:
    """The same, however many rows are refused."""
    feed = arrival.feed
    refused = work / f"refused_{arrival.input_id}_{target.name}"
    raw = raw_rows(arrival)
    with refuse_unreadable(arrival.name):
        n_received = _count_received(connection, arrival)
        if feed.table == "canonical.lab":
            store_meanings(connection, raw, laboratory, arrival.name)
        n_accepted = _write_accepted(connection, _judge(raw, arrival, laboratory), feed.table, target)
        judged = NOTHING
        if n_accepted < n_received or feed.is_wide:
            judged = _judge(with_sent(_others(raw, feed, target), feed), arrival, laboratory)
        if judged is NOTHING and not arrival.malformed:
            n_quarantined = _write_none(connection, laboratory.receiving, refused)
        else:
            n_quarantined = _write_refused(connection, judged, arrival.malformed, laboratory.receiving, refused)
    words = words_of(connection, arrival, laboratory, refused) if arrival.lists_words else ()
    if n_quarantined:
        refused = refused.replace(target.with_name(f"{REFUSED}{target.name}"))
    return Staged(feed, arrival.input_id, target, refused, n_received, n_accepted, n_quarantined, words=words)


def raw_rows(arrival: Arrival) -> str:
    """SELECT of the raw rows of an arrival."""
    return ROLE.sub(lambda found: arrival.relations.get(found[1], found[0]), arrival.feed.select)


def words_of(
    connection: duckdb.DuckDBPyConnection, arrival: Arrival, laboratory: Laboratory, refused: Path
) -> tuple[UnknownWord, ...]:
    """The unknown words of an arrival, of which the refused rows are known."""
    rules, showing = laboratory.receiving, laboratory.showing
    return list_words(connection, raw_rows(arrival), arrival.feed.table, refused, rules, showing)


@contextmanager
def leave_no_halves(workspace: Workspace) -> Iterator[None]:
    """Remove what was staged of a night that cannot be received: rows of some of its files are no night."""
    before = workspace.staged_inputs()
    try:
        yield
    except BaseException:
        for input_id in workspace.staged_inputs() - before:
            shutil.rmtree(workspace.staged(input_id), ignore_errors=True)
        raise


def count_unclaimed(connection: duckdb.DuckDBPyConnection, relation: str, claims: Sequence[str]) -> Mapping[int, int]:
    """Rows that none of `claims` (SQL conditions of the feeds) holds for, by the place of their file in `relation`."""
    if "true" in claims:
        return {}
    claimed = " OR ".join(f"coalesce({claim}, false)" for claim in claims) or "false"
    counted = connection.execute(
        f"SELECT {place_of('row_number')}, count(*) FROM {relation} WHERE NOT ({claimed}) GROUP BY 1"
    ).fetchall()
    return {int(place): int(n_rows) for place, n_rows in counted}


def has_rows(connection: duckdb.DuckDBPyConnection, opened: Opened, belongs: str) -> bool:
    """Whether a file has rows for a feed at all: one of many small files with rows of many kinds often has none."""
    if belongs == "true":
        return True
    found = connection.execute(f"SELECT 1 FROM {opened.relation} WHERE {belongs} LIMIT 1").fetchall()
    return bool(found)


def _count_received(connection: duckdb.DuckDBPyConnection, arrival: Arrival) -> int:
    if arrival.feed.belongs == "true":
        return arrival.own.n_rows
    own = connection.execute(f"SELECT count(*) FROM {arrival.own.relation} WHERE {arrival.feed.belongs}").fetchall()
    return int(own[0][0]) + len(arrival.malformed)


def write_dropped(
    connection: duckdb.DuckDBPyConnection, staged: list[Staged], others: list[Path], receiving: Receiving, target: Path
) -> None:
    """One Parquet of all set-aside rows: those refused here, and `others` (the columns of DROPPED less the reason)."""
    reasons = ", ".join(
        f"({literal(rule)}, {literal(entry.outcome)}, {literal(entry.reason)})"
        for rule, entry in receiving.rules.items()
    )
    refused = {
        (entry.shared.refused if entry.shared else entry.refused): (
            f"SELECT {literal(entry.table)} AS table_name, "
            f"{'input_id' if entry.shared else literal(entry.input_id)} AS input_id, row_number, column_number, rule "
        )
        for entry in staged
        if entry.n_quarantined
    }
    parts = [f"{select} FROM read_parquet({literal(str(path))})" for path, select in refused.items()]
    parts += [
        f"SELECT table_name, input_id, row_number, column_number, rule FROM read_parquet({literal(str(path))})"
        for path in others
    ]
    empty = (
        "SELECT ''::VARCHAR AS table_name, ''::VARCHAR AS input_id, 0::BIGINT AS row_number, 0 AS column_number, "
        "'' AS rule WHERE false"
    )
    connection.execute(
        f"""COPY (
            SELECT table_name, input_id, row_number::BIGINT AS row_number, column_number, outcome, rule, reason
            FROM ({" UNION ALL ".join([empty, *parts])}) JOIN (VALUES {reasons}) r(rule, outcome, reason) USING (rule)
            ORDER BY table_name, input_id, row_number, column_number
        ) TO {literal(str(target))} (FORMAT parquet, COMPRESSION zstd)"""
    ).fetchall()


def _others(raw: str, feed: Feed, accepted: Path) -> str:
    """The raw rows that were not accepted; looking them up costs less than judging all rows again."""
    key = ", ".join(row_key(feed.table)[1:]) if feed.is_wide else "row_number"
    return f"SELECT r.* FROM ({raw}) r ANTI JOIN read_parquet({literal(str(accepted))}) a USING ({key})"


def _judge(raw: str, arrival: Arrival, laboratory: Laboratory) -> str:
    who = (arrival.source_id, arrival.input_id, arrival.feed.decimal)
    if arrival.feed.table != "canonical.lab":
        return judge_records(arrival.feed.table, raw, laboratory, *who)
    return judge_labs(raw, laboratory, *who)


def _write_accepted(connection: duckdb.DuckDBPyConnection, judged: str, table: str, target: Path) -> int:
    target.parent.mkdir(parents=True, exist_ok=True)
    aside = target.with_suffix(".part")
    columns = ", ".join(schema_of(table).column_names)
    copied = connection.execute(
        f"COPY (SELECT {columns} FROM ({judged}) WHERE rule IS NULL) TO {literal(str(aside))} "
        f"(FORMAT parquet, COMPRESSION snappy, ROW_GROUP_SIZE 500000, DICTIONARY_SIZE_LIMIT {DICTIONARY})"
    ).fetchall()
    aside.replace(target)
    return int(copied[0][0])


def _write_refused(
    connection: duckdb.DuckDBPyConnection, judged: str, lines: Sequence[int], receiving: Receiving, target: Path
) -> int:
    kept = ", ".join(literal(rule) for rule, entry in receiving.rules.items() if entry.outcome == "quarantined")
    numbers = ", ".join(str(line) for line in lines)
    lines_as_rows = f"SELECT unnest([{numbers}]) AS row_number, 0 AS column_number, 'row_malformed' AS rule"
    malformed = f"UNION ALL BY NAME {lines_as_rows}" if numbers else ""
    who = "source_id::VARCHAR AS source_id, person_id, input_id::VARCHAR AS input_id"
    columns = f"row_number, column_number, rule, {who}, sent"
    copied = connection.execute(
        f"COPY (SELECT {columns} FROM ({judged}) WHERE rule IN ({kept}) {malformed}) "
        f"TO {literal(str(target))} (FORMAT parquet, COMPRESSION snappy)"
    ).fetchall()
    return int(copied[0][0])


def _write_none(connection: duckdb.DuckDBPyConnection, receiving: Receiving, target: Path) -> int:
    """A copy of one file without rows: of many small files most refuse nothing, and planning takes longer than that."""
    empty = target.with_name("refused_none.parquet")
    if not empty.exists():
        _write_refused(connection, NOTHING, (), receiving, empty)
    shutil.copyfile(empty, target)
    return 0


def _find_common(
    connection: duckdb.DuckDBPyConnection, refused: Path, n_usable: int, receiving: Receiving
) -> tuple[str, int] | None:
    """A rule that refused too many rows to go on, and how many."""
    counted = connection.execute("SELECT rule, count(*) FROM read_parquet(?) GROUP BY rule", [str(refused)]).fetchall()
    return find_common(dict(counted), n_usable, receiving)


def find_common(counts: Mapping[str, int], n_usable: int, receiving: Receiving) -> tuple[str, int] | None:
    """The rule that refused most of the rows, of those that refused too many to go on; `counts` are rows by rule."""
    for rule, count in sorted(counts.items(), key=lambda entry: (-entry[1], entry[0])):
        limit = receiving.rules[rule].stops_above
        if limit is not None and count >= receiving.stop_needs_rows and count > limit * n_usable:
            return rule, count
    return None


def _too_common(
    common: tuple[str, int], n_usable: int, arrival: Arrival, receiving: Receiving, words: Sequence[UnknownWord]
) -> SourceError:
    rule, count = common
    return SourceError(
        f"{arrival.name}: {count:,} of {n_usable:,} rows of {arrival.feed.table} were refused by one rule.",
        details=[
            f"{rule}: {receiving.rules[rule].reason}",
            *(word.as_line() for word in words if word.rule == rule),
        ],
        repair=receiving.rules[rule].repair,
    )
