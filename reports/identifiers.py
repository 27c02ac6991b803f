"""What was looked for, found and not judged of what identifies people: columns and counts of cells, never a value.

It never says that there is nothing: a column in which nothing was found may still hold what nobody looked for.
"""

from collections.abc import Mapping
from typing import Any

from reports.facts import IdentifierFact, NightFacts
from reports.wording import Wording

ORDER = ("found", "not_read", "generalised", "dropped", "allowed", "unjudged")
SHOWN_FILES = 12


def identifier_tables(facts: NightFacts, words: Wording) -> Mapping[str, Any]:
    """Rows by what was done about a column, gravest first; of many files, those of one kind are added up."""
    found = facts.identifiers
    if len({fact.file for fact in found}) > SHOWN_FILES:
        found = _added_up(found)
    ordered = sorted(found, key=lambda fact: (ORDER.index(fact.disposition), fact.file, fact.column))
    rows = [(fact.disposition, _row(fact, words)) for fact in ordered]
    return {
        "identifiers": [row for disposition, row in rows if disposition != "unjudged"],
        "unjudged": [row for disposition, row in rows if disposition == "unjudged"],
        "identifier_classes": [words.name("identifier_class", name) for name in facts.identifier_classes],
    }


def _row(fact: IdentifierFact, words: Wording) -> tuple[Any, ...]:
    return (
        words.name("disposition", fact.disposition),
        fact.file,
        fact.column,
        words.name("identifier_class", fact.identifier_class),
        words.name("identifier_evidence", fact.evidence),
        fact.n_rows,
        fact.n_given,
    )


def _added_up(found: tuple[IdentifierFact, ...]) -> tuple[IdentifierFact, ...]:
    groups: dict[tuple[str, str, str, str], list[IdentifierFact]] = {}
    for fact in found:
        groups.setdefault((fact.column, fact.identifier_class, fact.disposition, fact.evidence), []).append(fact)
    return tuple(
        IdentifierFact(
            f"{len({one.file for one in own})} files", *key, sum(f.n_rows for f in own), sum(f.n_given for f in own)
        )
        for key, own in sorted(groups.items())
    )
