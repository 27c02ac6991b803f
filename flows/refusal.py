"""The error of an extract that holds identifiers: which columns, which class, how many cells, and what can be done.

Columns and counts only, by names that may be shown; never a value.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from flows.errors import IdentifiersFound, SourceError
from transforms.identifiers import ColumnFinding, Disposition

SHOWN = 30
EVIDENCE = {
    "name": "by its name",
    "shape": "by the shape of its cells",
    "statistics": "by its statistics",
    "free_text": "in free text",
    "known_place": "where the format keeps it",
}

DISPOSITIONS: Mapping[Disposition, str] = {
    "found": "found",
    "not_read": "not read",
    "generalised": "generalised",
    "dropped": "dropped",
    "allowed": "allowed in a limited data set",
    "unjudged": "could not be judged",
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


def list_identifiers(findings: Sequence[ColumnFinding]) -> list[str]:
    """What was looked for, found and decided, as lines for a terminal; many files of a kind are added up."""
    if not findings:
        return []
    lines = ["Identifiers (looked for by name, shape, statistics and in free text; what is not listed was not found)"]
    return lines + [f"  {DISPOSITIONS[entry.disposition]}: {describe(entry)}" for entry in condense(findings)]


def condense(findings: Sequence[ColumnFinding]) -> list[ColumnFinding]:
    """The findings by what was done, gravest first; those of many files are added up by column and class."""
    condensed = []
    for disposition in DISPOSITIONS:
        own = [entry for entry in findings if entry.disposition == disposition]
        condensed += _add_up(own) if len(own) > SHOWN else own
    return condensed


def _add_up(findings: Sequence[ColumnFinding]) -> list[ColumnFinding]:
    """The findings of all files by column and class."""
    groups: dict[tuple[str, str, str], list[ColumnFinding]] = {}
    for entry in findings:
        groups.setdefault((entry.column, entry.identifier_class, entry.evidence), []).append(entry)
    return [
        replace(
            own[0],
            file=f"{len({entry.file for entry in own})} files" if len(own) > 1 else own[0].file,
            n_rows=sum(entry.n_rows for entry in own),
            n_given=sum(entry.n_given for entry in own),
        )
        for _, own in sorted(groups.items())
    ]


def describe(entry: ColumnFinding) -> str:
    """One finding in words."""
    what, how = entry.identifier_class.replace("_", " "), EVIDENCE[entry.evidence]
    return f"{entry.file}: {entry.column}: {what}, {entry.n_rows:,} of {entry.n_given:,} cells, {how}"


def _number(n: int, noun: str) -> str:
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"
