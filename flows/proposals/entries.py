"""Entries of a source map: one table with its columns, and the words of its cells that have to be translated."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import duckdb

from flows.proposals.looking import Looked
from flows.proposals.results import count_people_with
from transforms.analyte_proposals import Decision
from transforms.column_roles import PERSON, header_key
from transforms.load import Definitions
from transforms.showable import is_shared_word

TIMES = frozenset(
    {"collected_at", "resulted_at", "started_at", "ended_at", "recorded_at", "measured_at", "age_at"}
    | {"died_on", "started_on", "ended_on"}
)
TRANSLATED = {"specimen": "specimens", "status": "statuses", "sex": "sexes", "setting": "settings"}


@dataclass
class FileProposal:
    """What one file is: tables of the map as they are written, decisions on tests, and sentences on what is unsure.

    `identifiers` are decisions on columns that identify people, `identifying` says what was found in them.
    """

    name: str
    tables: list[dict[str, Any]] = field(default_factory=list)
    decisions: list[Decision] = field(default_factory=list)
    times: list[str] = field(default_factory=list)
    unsure: list[str] = field(default_factory=list)
    site: str = ""
    is_wide: bool = False
    n_other_codes: int = 0
    identifiers: dict[str, str] = field(default_factory=dict)
    identifying: list[str] = field(default_factory=list)


class TableWriter:
    """Adds tables to the proposal of a file."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, definitions: Definitions) -> None:
        self.connection = connection
        self.proposing = definitions.proposing
        self.showing = definitions.showing
        self.receiving = definitions.receiving

    def add(
        self,
        looked: Looked,
        table: str,
        columns: Mapping[str, str],
        proposal: FileProposal,
        *,
        needs: Sequence[str],
        **more: Any,
    ) -> None:
        """Add one table; `more` are further keys of the map's table, left out where they are empty."""
        entry: dict[str, Any] = {"table": table, "needs": list(needs), "columns": dict(columns)}
        entry |= {name: value for name, value in more.items() if value}
        spellings = self._spellings(looked, columns, proposal)
        if spellings:
            entry["value_spellings"] = spellings
        proposal.tables.append(entry)
        proposal.times += [header for name, header in columns.items() if name in TIMES]
        if header_key(columns[PERSON], self.proposing) in {
            header_key(word, self.proposing) for word in self.proposing.stay_words
        }:
            said = f"{columns[PERSON]} may name a stay and not a person: people would be counted twice."
            proposal.unsure += [] if said in proposal.unsure else [said]

    def _spellings(
        self, looked: Looked, columns: Mapping[str, str], proposal: FileProposal
    ) -> dict[str, dict[str, str]]:
        """Words of a column that nadir does not know and the definition translates; the others are said."""
        found: dict[str, dict[str, str]] = {}
        for name, listed in TRANSLATED.items():
            if name not in columns:
                continue
            own = self.proposing.spellings.get(name, {})
            meant = {word.casefold(): kind for kind, words in own.items() for word in words}
            known = {word for words in getattr(self.receiving, listed).values() for word in words}
            unknown = [word for word in looked.look(columns[name]).words if word.casefold() not in known]
            translated = {word: meant[word.casefold()] for word in unknown if word.casefold() in meant}
            if translated:
                found[name] = translated
            if name != "setting":
                self._say_unknown(looked, columns, name, [word for word in unknown if word not in translated], proposal)
        return found

    def _say_unknown(
        self, looked: Looked, columns: Mapping[str, str], name: str, words: Sequence[str], proposal: FileProposal
    ) -> None:
        if not words:
            return
        header, fewest = columns[name], self.showing.least_people
        counts = {word: count_people_with(self.connection, looked, columns[PERSON], header, word) for word in words}
        shown = ", ".join(repr(word) for word in words if is_shared_word(word, counts[word], self.showing))
        said = shown or f"{len(words)} words, each of fewer than {fewest} people or of no plain shape"
        proposal.unsure.append(
            f"{header} has words that nadir does not know ({said}): translate them under value_spellings."
        )
