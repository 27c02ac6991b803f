"""The error of an extract that holds identifiers: which columns, which class, how many cells, and what can be done.

Columns and counts only, by names that may be shown; never a value.
"""

from collections.abc import Sequence

from flows.errors import IdentifiersFound, SourceError
from transforms.identifiers import ColumnFinding

SHOWN = 30
EVIDENCE = {
    "name": "by its name",
    "shape": "by the shape of its cells",
    "statistics": "by its statistics",
    "free_text": "in free text",
    "known_place": "where the format keeps it",
}


def identifiers_found(
    refusing: Sequence[ColumnFinding], findings: Sequence[ColumnFinding], problems: Sequence[SourceError]
) -> IdentifiersFound:
    """What refuses the extract, and whatever else is wrong with it."""
    columns = {(entry.file, entry.column) for entry in refusing}
    n_files = len({file for file, _ in columns})
    words = f"{_number(len(columns), 'column')} of {_number(n_files, 'file')}"
    details = [describe(entry) for entry in refusing[:SHOWN]]
    details += [f"and {len(refusing) - SHOWN} more"] if len(refusing) > SHOWN else []
    details += [f"Besides: {problem.what}" for problem in problems]
    is_place = all(entry.evidence == "known_place" for entry in refusing)
    return IdentifiersFound(
        f"The extract holds what identifies people, in {words}; nothing was stored.",
        details=details,
        repair=OF_A_STANDARD if is_place else OF_AN_EXPORT,
        findings=findings,
    )


OF_AN_EXPORT = (
    "Decide in the source map, for example identifiers: {COLUMN: drop}, or generalise for dates of birth (years are "
    "kept) and ages (topped); nadir map FILE proposes it. Or ask for an export without them."
)
OF_A_STANDARD = (
    "They are refused because the settings say identifiers: refuse. Ask for an export without them; with warn, they "
    "are counted and never read."
)


def describe(entry: ColumnFinding) -> str:
    """One finding in words."""
    what, how = entry.identifier_class.replace("_", " "), EVIDENCE[entry.evidence]
    return f"{entry.file}: {entry.column}: {what}, {entry.n_rows:,} of {entry.n_given:,} cells, {how}"


def _number(n: int, noun: str) -> str:
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"
