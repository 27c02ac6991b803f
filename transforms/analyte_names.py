"""What kind of cell a test's code or name means, if every word of it is known.

"Neutrophils" is found in the name of an antibody, a urine test and a ratio as well, so a name with one word that is
not known is unsure, and a name with a word of another test or specimen is left out. Obeys `definitions/mapping`.
"""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from transforms.model.mapping import Proposing, Quantity
from transforms.units import UnitBook

_BRACKETS = re.compile(r"[(\[{]([^()\[\]{}]*)[)\]}]")
_TOKEN = re.compile(r"[^\W_]+|[#%]")
_GLUED_POWER = re.compile(r"^x?10[ _^*e]?(\d)[ _/]?(u?l|nl|mm3)$", re.IGNORECASE)


@dataclass(frozen=True)
class Reading:
    """What a name says; `family` None: nothing of interest. `unit` is one that stands in the name."""

    family: str | None = None
    quantity: Quantity | None = None
    method: str = "unspecified"
    unit: str = ""
    is_excluded: bool = False
    is_unsure: bool = False


NOTHING = Reading()


class NameReader:
    """Reads names of tests with the words of `definitions/mapping`."""

    def __init__(self, proposing: Proposing, units: UnitBook) -> None:
        self.proposing = proposing
        self.units = units

    def read(self, text: str) -> Reading:
        """The reading of one code, name or header."""
        rest, unit = self._take_unit(text)
        tokens = _TOKEN.findall(self._rewritten(rest))
        found = self._find_family(tokens)
        others = set(tokens) & self._excluded
        if others and (found is not None or others & set(self.proposing.lookalike_words)):
            return Reading(is_excluded=True)
        if found is None:
            return NOTHING
        family, phrase, left = found
        return self._qualify(family, phrase, left, unit)

    def _qualify(self, family: str, phrase: str, left: Sequence[str], unit: str) -> Reading:
        entry, known = self.proposing.families[family], self._qualifiers
        if any(token not in known for token in left):
            return Reading(family, unit=unit, is_unsure=True)
        kinds: set[Quantity] = {kind for token in left if (kind := self._kind_of.get(token)) is not None}
        if entry.is_whole or phrase in entry.count_words:
            kinds.add("count")
        if unit:
            kinds.add(self._kind_of_unit(unit))
        methods = {
            method for method, words in self.proposing.method_qualifiers.items() for token in left if token in words
        }
        if len(kinds) > 1 or len(methods) > 1:
            return Reading(family, unit=unit, is_unsure=True)
        return Reading(family, next(iter(kinds), None), next(iter(methods), "unspecified"), unit)

    def _find_family(self, tokens: Sequence[str]) -> tuple[str, str, list[str]] | None:
        """The family with the longest phrase in `tokens`, the phrase, and what is left; None when there is none."""
        spread = [part for token in tokens for part in self._unglue(token)]
        for phrase, family in self._phrases:
            width = len(phrase)
            for start in range(len(spread) - width + 1):
                if tuple(spread[start : start + width]) == phrase:
                    return family, " ".join(phrase), spread[:start] + spread[start + width :]
        return None

    def _unglue(self, token: str) -> list[str]:
        """`neutabs` as `neut` and `abs`."""
        if token in self._single or token in self._qualifiers:
            return [token]
        for place in range(2, len(token) - 1):
            first, second = token[:place], token[place:]
            if (first in self._single and second in self._qualifiers) or (
                second in self._single and first in self._qualifiers
            ):
                return [first, second]
        return [token]

    def _take_unit(self, text: str) -> tuple[str, str]:
        """The text without the unit that it ends with or holds in brackets, and that unit."""
        for match in _BRACKETS.finditer(text):
            if unit := self._as_unit(match.group(1).strip()):
                return text[: match.start()] + " " + text[match.end() :], unit
        starts = [match.end() for match in re.finditer(r"[\s_,;:]+", text)]
        for start in starts:
            ending = text[start:].strip()
            if unit := self._as_unit(ending) or self._as_unit(ending.replace("_", "/")):
                return text[:start], unit
        return text, ""

    def _as_unit(self, text: str) -> str:
        glued = _GLUED_POWER.match(text)
        unit = f"10^{glued.group(1)}/{glued.group(2)}" if glued else text
        is_written_as_unit = "/" in unit or "%" in unit
        known = any(self.units.decide(quantity, unit).factor is not None for quantity in ("count", "share"))
        return unit if is_written_as_unit and known else ""

    def _kind_of_unit(self, unit: str) -> Quantity:
        return "count" if self.units.decide("count", unit).factor is not None else "share"

    def _rewritten(self, text: str) -> str:
        plain = fold_accents(text)
        for phrase, meant in self.proposing.rewrites.items():
            plain = plain.replace(phrase, meant)
        return plain

    @cached_property
    def _phrases(self) -> list[tuple[tuple[str, ...], str]]:
        phrases = [
            (tuple(_TOKEN.findall(fold_accents(words))), name)
            for name, family in self.proposing.families.items()
            for words in (*family.words, *family.count_words)
        ]
        return sorted(phrases, key=lambda entry: (-len(entry[0]), -len(" ".join(entry[0])), entry))

    @cached_property
    def _single(self) -> frozenset[str]:
        return frozenset(phrase[0] for phrase, _ in self._phrases if len(phrase) == 1)

    @cached_property
    def _excluded(self) -> frozenset[str]:
        return frozenset(self.proposing.excluded_words)

    @cached_property
    def _kind_of(self) -> dict[str, Quantity]:
        counts: dict[str, Quantity] = dict.fromkeys(self.proposing.count_qualifiers, "count")
        return counts | dict.fromkeys(self.proposing.share_qualifiers, "share")

    @cached_property
    def _qualifiers(self) -> frozenset[str]:
        methods = (word for words in self.proposing.method_qualifiers.values() for word in words)
        return frozenset({*self._kind_of, *self.proposing.idle_qualifiers, *methods})


def fold_accents(text: str) -> str:
    """Lower case without accents and compatibility forms."""
    parts = unicodedata.normalize("NFKD", text.casefold())
    return "".join(sign for sign in parts if not unicodedata.combining(sign))
