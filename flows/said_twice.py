"""What a row says twice, as a standard term and in the words of its source, must mean the same both times.

OMOP rows name a test by a concept, by the LOINC code of that concept when the vocabulary came along, and by a source
code; and a unit by a text and by a concept, as eICU names it by the laboratory's text and by the system's. The parts
come joined by a bar. Two tests, or two units with different factors, are never decided by a guess: the row is set
aside and listed.
"""

from collections.abc import Mapping

from transforms.units import UnitDecision

BAR = "|"
CODE_SYSTEMS = frozenset({"omop", "eicu"})
UNDECIDED = frozenset({"unit_unknown", "unit_ambiguous"})
Test = Mapping[str, str | None]


def find_test(tests: Mapping[str, Test], code: str) -> tuple[Test | None, str | None]:
    """The entry of `CONCEPT|LOINC|SOURCE` (parts may be empty), or the rule that sets the row aside.

    A source code of which nothing is known says nothing when its concept is no test of interest either.
    """
    concept, loinc, source = [*code.split(BAR), "", ""][:3]
    standard, sent = tests.get(concept) or tests.get(loinc), tests.get(source)
    if not source:
        return standard, None
    if not concept and not loinc:
        return sent, None
    if _analyte(standard) != _analyte(sent):
        return standard or sent, "code_contradicts"
    return standard, None


def agree_on_unit(by_text: UnitDecision, by_standard: UnitDecision) -> UnitDecision:
    """What a unit is by its text and by its standard term; a text that decides nothing contradicts no known term."""
    if by_standard.rule == "unit_missing" or by_text == by_standard:
        return by_text
    if by_text.rule == "unit_missing" or (by_text.rule in UNDECIDED and by_standard.factor is not None):
        return by_standard
    return UnitDecision(rule="unit_ambiguous")


def first_part(joined: str | None) -> str | None:
    """The first part that is not empty: what `source_code` and `source_unit` show."""
    return next((part for part in (joined or "").split(BAR) if part), None)


def _analyte(test: Test | None) -> str | None:
    return (test["analyte"] or None) if test else None
