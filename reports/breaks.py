"""Marks on trends over calendar time, where a source begins or ends or the definitions are others, and their words."""

from collections.abc import Mapping, Sequence
from itertools import groupby
from string import ascii_uppercase
from typing import Any

from reports.facts import Break
from reports.wording import Wording, plain

NEWEST = len(ascii_uppercase)  # a letter each
NAMED = 3  # definitions in a line


def name_breaks(breaks: Sequence[Break], wording: Wording) -> list[Mapping[str, str]]:
    """A letter, a day and words for each day on which something breaks, oldest first."""
    days = [(on, list(those)) for on, those in groupby(breaks, key=lambda one: one.on)][-NEWEST:]
    return [
        {"letter": letter, "on": on.isoformat(), "words": "; ".join(_say(one, wording) for one in those)}
        for letter, (on, those) in zip(ascii_uppercase, days, strict=False)
    ]


def _say(one: Break, wording: Wording) -> str:
    words: Mapping[str, Any] = wording.glossary.get("breaks", {})
    names = plain(one.name).split(", ")
    more = f" and {len(names) - NAMED} more" if one.kind == "definitions" and len(names) > NAMED else ""
    shown = ", ".join(names[:NAMED]) if one.kind == "definitions" else plain(one.name)
    text = str(words.get(one.kind if shown else f"{one.kind}_unnamed", ""))
    return text.format(name=f"{shown}{more}")
