"""What a proposed map says of columns that identify people: years and topped ages are kept, everything else is dropped.

A column that the map would read and that cannot be generalised is left to whoever knows it.
"""

from typing import Any

import duckdb

from flows.identifying import ScannedTable, scan_table
from flows.proposals.entries import FileProposal
from flows.proposals.looking import Looked
from flows.sources.as_sent import types_of
from transforms.column_roles import PERSON
from transforms.identifiers import ColumnFinding
from transforms.model.identifiers import Identifiers

YEAR, AGE = "birth_year", "age_years"


def propose_decisions(
    connection: duckdb.DuckDBPyConnection, looked: Looked, proposal: FileProposal, classes: Identifiers
) -> None:
    """Add the decisions of one file to its proposal, each with what was found."""
    meanings = {header: name for table in proposal.tables for name, header in table["columns"].items()}
    person = next((header for header, name in meanings.items() if name == PERSON), "")
    headers = looked.file.headers
    types = types_of(connection, looked.opened.relation, headers)
    table = ScannedTable(looked.name, looked.opened.relation, types, meanings, person or None)
    found: dict[str, list[ColumnFinding]] = {}
    for entry in scan_table(connection, table, classes):
        if entry.disposition == "found":
            found.setdefault(entry.column, []).append(entry)
    for header in sorted(found, key=headers.index):
        _decide(header, found[header], proposal, classes)


def _decide(header: str, found: list[ColumnFinding], proposal: FileProposal, classes: Identifiers) -> None:
    what = ", ".join(
        f"{entry.identifier_class.replace('_', ' ')} in {entry.n_rows:,} of {entry.n_given:,} cells" for entry in found
    )
    if all(classes.can_generalise(entry.identifier_class) for entry in found):
        proposal.identifiers[header] = "generalise"
        proposal.identifying.append(f"{header}: {what}; only years, or ages that are topped, are kept")
        _read_year(header, found[0], proposal)
        return
    if any(header in _read(table) for table in proposal.tables):
        proposal.unsure.append(f"{header} is read and holds what identifies people ({what}): take it out, or drop it.")
        return
    proposal.identifiers[header] = "drop"
    proposal.identifying.append(f"{header}: {what}; it is dropped")


def _read(table: dict[str, Any]) -> set[str]:
    """The headers that a table of the map reads."""
    return {*table["columns"].values(), *table.get("wide", {}), *table.get("filters", {})}


def _read_year(header: str, entry: ColumnFinding, proposal: FileProposal) -> None:
    """A date of birth that nothing reads gives the people their year of birth, if they have no other."""
    people = [table for table in proposal.tables if table["table"] == "person"]
    is_read = any(header in _read(table) for table in proposal.tables)
    if entry.identifier_class.endswith("birth") and not is_read:
        for table in people:
            if not {YEAR, AGE} & table["columns"].keys():
                table["columns"][YEAR] = header
