"""A value is converted by what is measured and by how its unit is spelled; what is unsure is refused with a rule.

Spellings are compared after normalising: compatibility forms, both micro signs, superscripts and blanks. Upper and
lower case are kept (G/L is giga per litre, g/l is not always) and dropped only where every meaning agrees.
The list is `definitions/codelists/units.csv`.
"""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

import polars as pl

SUPERSCRIPTS = str.maketrans(
    {"⁰": "^0", "¹": "^1", "²": "^2", "³": "^3", "⁴": "^4", "⁶": "^6", "⁹": "^9", "\u00d7": "x"}
)
MICRO = str.maketrans({"\u00b5": "u", "\u03bc": "u"})
POWER = re.compile(r"^(?:[xX] ?)?10(?:\*\*|\*|\^)(\d)")
CELLS = "cells/uL"
SHARES = frozenset({"%", "/100{WBCs}"})
REFUSALS = {"count_ambiguous": "unit_ambiguous", "count_implausible": "unit_implausible", "reject": "unit_not_a_count"}


@dataclass(frozen=True)
class UnitDecision:
    """Either a factor to the canonical unit, or the rule that refuses the row."""

    factor: Decimal | None = None
    rule: str | None = None
    is_fraction: bool = False


@dataclass(frozen=True)
class UnitBook:
    """Decisions by (quantity, normalised spelling); quantity is count, share, or a unit such as g/dL."""

    exact: Mapping[tuple[str, str], UnitDecision]
    folded: Mapping[tuple[str, str], UnitDecision]
    missing: frozenset[str]

    def decide(self, quantity: str, unit: str | None) -> UnitDecision:
        """The factor for `unit` of `quantity`, or a rule: unit_missing, unit_unknown, unit_of_other_kind, ..."""
        spelling = normalise_unit(unit or "")
        if not spelling or spelling in self.missing:
            return UnitDecision(rule="unit_missing")
        known = self.exact.get((quantity, spelling)) or self.folded.get((quantity, spelling.casefold()))
        if known is not None:
            return known
        other = {"count": "share", "share": "count"}.get(quantity)
        if other is not None and self._knows(other, spelling):
            return UnitDecision(rule="unit_of_other_kind")
        return UnitDecision(rule="unit_unknown")

    def _knows(self, quantity: str, spelling: str) -> bool:
        return (quantity, spelling) in self.exact or (quantity, spelling.casefold()) in self.folded


def normalise_unit(text: str) -> str:
    """One spelling for what reads the same: NFKC, micro as u, superscripts as ^n, x10*3 as 10^3, one blank."""
    plain = unicodedata.normalize("NFKC", text.translate(SUPERSCRIPTS)).translate(MICRO)
    return POWER.sub(r"10^\1", " ".join(plain.split()))


def quantity_of(canonical_unit: str) -> str:
    """What kind of quantity an analyte with this canonical unit is."""
    if canonical_unit in SHARES:
        return "share"
    return "count" if canonical_unit == CELLS else canonical_unit


def read_units(units: pl.DataFrame) -> UnitBook:
    """The book of a code list with columns source_unit, quantity, kind, factor; null spellings are skipped."""
    exact: dict[tuple[str, str], UnitDecision] = {}
    folded: dict[tuple[str, str], set[UnitDecision]] = {}
    missing: set[str] = set()
    for row in units.drop_nulls("source_unit").iter_rows(named=True):
        spelling = normalise_unit(row["source_unit"])
        if row["kind"] == "missing":
            missing.add(spelling)
            continue
        decision = _decide_row(row)
        exact[(row["quantity"], spelling)] = decision
        folded.setdefault((row["quantity"], spelling.casefold()), set()).add(decision)
    agreed = {key: next(iter(found)) for key, found in folded.items() if len(found) == 1}
    return UnitBook(exact, agreed, frozenset(missing))


def _decide_row(row: Mapping[str, str | None]) -> UnitDecision:
    kind = row["kind"] or ""
    if kind in REFUSALS:
        return UnitDecision(rule=REFUSALS[kind])
    return UnitDecision(factor=Decimal(row["factor"] or "1"), is_fraction=kind == "fraction")
