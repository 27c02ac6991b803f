"""How a number, a mark and a name are written, everywhere in the same way.

A number is never written without rounding half up from its exact binary value, which is also what the page's script
does, so that a table drawn by either reads the same. Control and direction characters of foreign text become a
visible replacement sign; escaping is the template's work.
"""

import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from functools import cached_property
from typing import Any

from reports.rows import IS_HELD, Cell, Row, is_number
from transforms.load import Definitions

NBSP, DASH, TIMES, MINUS = "\u00a0", "\u2013", "\u00d7", "\u2212"
CELLS_PER_GIGA = 1000  # 1 x10^9/L is 1,000 cells/uL
PER_UL, GIGA = "per_ul", "giga"
LABELLED = (
    "marks",
    "unit",
    "outcome",
    "method",
    "reliability",
    "verdict",
    "denominator",
    "measure",
    "rule",
    "scale",
    "severity",
    "grade",
    "change",
    "applied_to",
    "ended_as",
    "cause_group",
    "several",
    "word_kind",
    "agent",
    "kind",
    "band",
    "regimen",
    "bounds",
    "certainty",
    "severe_status",
    "drug",
    "drug_class",
    "anchor",
    "window",
    "pre_check",
    "table_name",
    "estimator",
    "estimand",
    "status",
    "onset",
    "standard",
    "answer",
    "check_status",
    "check_severity",
    "question",
    "dates",
    "disposition",
    "identifier_evidence",
    "population",
    "low_as",
    "counted_as",
    "interval_unit",
)

HOLDABLE = frozenset({"count", "percent", "days", "range", "days_range", "ratio", "ratio_range"})


@dataclass(frozen=True)
class Wording:
    """Names from the definitions, else from the glossary, else the id as it is written.

    Released counts of cells are per microlitre; `unit` says in which unit they are written.
    """

    definitions: Definitions
    unit: str = PER_UL

    @cached_property
    def glossary(self) -> Mapping[str, Any]:
        """The glossary as read."""
        return self.definitions.glossary

    @cached_property
    def titles(self) -> Mapping[str, Mapping[str, str]]:
        """Titles by kind of name and id; a definition's own title comes first."""
        words = {kind: {str(k): _first(v) for k, v in self.glossary.get(kind, {}).items()} for kind in LABELLED}
        words["cohort"] = {item.id: item.title for item in self.definitions.cohorts}
        words["identifier_class"] = {item.id: item.title for item in self.definitions.identifiers.classes}
        words["complication"] = {item.id: item.title for item in self.definitions.complications}
        words["band"] = words["severity"] | words["band"]
        words["band"] |= {item.id: item.title for item in self.definitions.estimation.duration_bands.all}
        words["standard"] |= {item.id: item.title for item in self.definitions.standards}
        words["cause_group"] |= {item.id: item.title for item in self.definitions.causes}
        words["differs"] = {item.id: item.differs for item in self.definitions.rules}
        words["regimen"] |= {item.id: item.title for item in self.definitions.regimens.regimens}
        return words

    def name(self, kind: str, word: Cell) -> str:
        """The name of an id, safe to show; nothing for none."""
        if word is None:
            return ""
        text = str(word)
        if text in self.titles["marks"] and text not in self.titles.get(kind, {}):
            return self.mark(text)
        return plain(self.titles.get(kind, {}).get(text, text.replace("_", " ")))

    def mark(self, word: str) -> str:
        """What a mark says in a cell or a figure; the page explains it once."""
        return str(self.glossary.get("marks", {}).get(word, word.replace("_", " ")))

    def mark_rule(self, word: str) -> str:
        """What a mark says where it stands alone, with its rule."""
        return str(self.glossary.get("marks_long", {}).get(word, self.mark(word)))

    def threshold(self, cells_per_ul: Cell) -> str:
        """A threshold in both units, the selected one first."""
        number = float(cells_per_ul or 0)
        both = [f"{count(number)}{NBSP}cells/µL", f"{giga(number)}{NBSP}{TIMES}10⁹/L"]
        first, second = reversed(both) if self.unit == GIGA else both
        return f"{first} ({second})"

    def cells(self, cells_per_ul: float) -> str:
        """A number of cells in a volume of blood, in the selected unit and without its name."""
        return giga(cells_per_ul) if self.unit == GIGA else count(cells_per_ul)

    def with_unit(self, text: str) -> str:
        """A heading or a caption with the name of the selected unit for `{cells}`."""
        return text.replace("{cells}", self.name("unit", self.unit))

    def threshold_word(self, cells_per_ul: Cell) -> str:
        """What a value below the threshold is called; empty when it has no name."""
        words = {str(key): str(word) for key, word in self.glossary.get("thresholds", {}).items()}
        return words.get(str(cells_per_ul), "")

    def cell(self, row: Row, kind: str, keys: Sequence[str]) -> str:
        """The text of one table cell. `kind` says how; `keys` are the columns it reads."""
        cell = row.get(keys[0])
        second = row.get(keys[1]) if len(keys) > 1 else None
        if kind.startswith("name:"):
            return self.name(kind.removeprefix("name:"), cell)
        writers: dict[str, Callable[[], str]] = {
            "text": lambda: "" if cell is None else plain(str(cell)),
            "month": lambda: str(cell or "")[:7],
            "yes": lambda: "yes" if cell else "no",
            "bin": lambda: self.bin(cell, second),
            "range": lambda: self.range(cell, second),
            "days_range": lambda: self.range(cell, second, kind),
            "ratio_range": lambda: self.range(cell, second, kind),
            "step": lambda: step_text(cell, second),
        }
        text = writers[kind]() if kind in writers else self.number(cell, kind)
        return f"{text}{self.held_sign(row)}" if kind in HOLDABLE and is_number(cell) else text

    def held_sign(self, row: Row | None) -> str:
        """What stands behind a number of a row that is shown as an earlier report showed it; else nothing."""
        return f"{NBSP}{self.glossary['held']['sign']}" if row is not None and row.get(IS_HELD) is True else ""

    def number(self, cell: Cell, kind: str) -> str:
        """A value, or the words of its mark."""
        if not is_number(cell):
            return "" if cell is None else self.mark(str(cell))
        value = float(cell or 0)
        if kind == "percent":
            return percent(value)
        if kind == "ratio":
            return ratio(value)
        if kind == "cells":
            return self.cells(value)
        return count(value) if kind == "count" else decimal(value)

    def bin(self, lower: Cell, upper: Cell) -> str:
        """A bin of whole counts: `500-999`; the last one is open."""
        low = float(lower or 0)
        if upper is None:
            return f"{self.cells(low)} or more"
        if self.unit == GIGA:
            return f"{giga(low)} to <{giga(float(upper))}"
        return f"{count(low)}{DASH}{count(float(upper) - 1)}"

    def range(self, lo: Cell, hi: Cell, kind: str = "range") -> str:
        """An interval: of fractions in percent, of days as they are."""
        for cell in (lo, hi):
            if not is_number(cell):
                return "" if cell is None else self.mark(str(cell))
        if kind == "ratio_range":
            return f"{ratio(float(lo or 0))}{DASH}{ratio(float(hi or 0))}"
        if kind == "days_range":
            return f"{decimal(float(lo or 0))}{DASH}{decimal(float(hi or 0))}"
        return f"{decimal(float(lo or 0) * 100, True)}{DASH}{decimal(float(hi or 0) * 100, True)}{NBSP}%"


def count(value: float) -> str:
    """A whole number with commas: 4,120."""
    return f"{round(value):,}"


def percent(fraction: float) -> str:
    """A fraction as a percentage with one decimal: 7.6 %; a true zero is 0 %, anything smaller than shown is <0.1 %."""
    if fraction > 0 and decimal(fraction * 100, True) == "0.0":
        return f"<0.1{NBSP}%"
    return f"{decimal(fraction * 100, fraction != 0)}{NBSP}%"


def decimal(value: float, keep_zero: bool = False) -> str:
    """One decimal, rounded half up; `12` rather than `12.0` unless `keep_zero`."""
    text = f"{Decimal(value).quantize(Decimal('0.1'), ROUND_HALF_UP):,}"
    return text if keep_zero else text.removesuffix(".0")


def ratio(value: float) -> str:
    """Two decimals, rounded half up, with a true minus sign."""
    text = f"{Decimal(abs(value)).quantize(Decimal('0.01'), ROUND_HALF_UP):,}"
    return f"{MINUS}{text}" if value < 0 else text


def giga(cells_per_ul: float) -> str:
    """Cells per microlitre as 10^9 cells per litre: 1500 is 1.5; exact for whole counts."""
    text = f"{Decimal(cells_per_ul) / CELLS_PER_GIGA:,.3f}"
    return text.removesuffix("0").removesuffix("0")


def step_text(first: Cell, last: Cell) -> str:
    """The days of one step: `7`, or `7 to 13`; days before the dose have a minus sign."""
    days = [f"{MINUS}{abs(day)}" if day < 0 else str(day) for day in (int(first or 0), int(last or 0))]
    return days[0] if first == last else f"{days[0]} to {days[1]}"


def plain(text: str) -> str:
    """Foreign text without characters that change direction or control a terminal; most has nothing but letters."""
    if text.isprintable() or text.replace(NBSP, "").replace("\n", "").isprintable():
        return text
    return "".join(
        "\ufffd" if unicodedata.category(sign) in {"Cc", "Cf", "Cs"} and sign != "\n" else sign for sign in text
    )


def _first(entry: Any) -> str:
    return str(entry[0] if isinstance(entry, list) else entry)
