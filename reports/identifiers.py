"""What was looked for, found and not judged of what identifies people: columns and counts of cells, never a value.

It never says that there is nothing: a column in which nothing was found may still hold what nobody looked for.
"""

from collections.abc import Mapping
from typing import Any

from reports.facts import IdentifierFact, NightFacts
from reports.wording import Wording

EXPECTED = "allowed"  # in a limited data set


def identifier_tables(facts: NightFacts, words: Wording) -> Mapping[str, Any]:
    """Rows of what was found in their order, and apart from them what could not be judged."""
    rows = [(fact.disposition, _row(fact, words)) for fact in facts.identifiers]
    return {
        "identifiers": [row for disposition, row in rows if disposition not in {"unjudged", EXPECTED}],
        "expected_identifiers": [row for disposition, row in rows if disposition == EXPECTED],
        "unjudged": [row for disposition, row in rows if disposition == "unjudged"],
        "identifier_classes": [_inside(words.name("identifier_class", name)) for name in facts.identifier_classes],
    }


def _inside(title: str) -> str:
    """A title as it stands inside a sentence; what is written in capitals stays."""
    return title if title[:2].isupper() else title[:1].lower() + title[1:]


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
