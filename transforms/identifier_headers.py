"""Which class of identifier a header names, in any of the languages and spellings of `definitions/identifiers`."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from transforms.column_roles import fold_header
from transforms.model.identifiers import IdentifierClass, Identifiers


@dataclass(frozen=True)
class Named:
    """What a header says: a class, and whether it says so only together with what the cells look like."""

    identifier_class: str
    is_weak: bool
    length: int


def split_header(header: str) -> str:
    """A header as words between single marks: `patientLastName` is `patient_last_name`."""
    return fold_header(re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", header))


@dataclass(frozen=True)
class HeaderReader:
    """Reads headers by the words of the classes."""

    identifiers: Identifiers

    def read(self, header: str) -> Named | None:
        """The class whose longest word or stem the header has; none where a word takes it back."""
        spellings = dict.fromkeys([split_header(header), fold_header(header)])
        found = [named for spelling in spellings for entry in self._entries for named in self._match(entry, spelling)]
        return max(found, key=lambda named: (named.length, not named.is_weak), default=None)

    def has_word(self, header: str, words: Sequence[str]) -> bool:
        """Whether one of the words is among those of the header."""
        return bool(set(split_header(header).split("_")) & set(words))

    def is_taken_back(self, header: str, identifier_class: str) -> bool:
        """Whether a word of the header says that it is not of the class."""
        entry = next(entry for entry in self._entries if entry.id == identifier_class)
        return self.has_word(header, entry.unless)

    @cached_property
    def _entries(self) -> tuple[IdentifierClass, ...]:
        return self.identifiers.classes

    def _match(self, entry: IdentifierClass, header: str) -> list[Named]:
        padded, squeezed = f"_{header}_", header.replace("_", "")
        words = [
            word
            for word in entry.words
            if f"_{word}_" in padded and not self._takes_back(entry, padded.replace(f"_{word}_", "_", 1))
        ]
        stems = [
            stem
            for stem in entry.stems
            if stem in squeezed
            and not self._takes_back(entry, padded)
            and not self._holds(entry, squeezed.replace(stem, "", 1))
        ]
        found = [Named(entry.id, is_weak=False, length=len(word)) for word in [*words, *stems]]
        found += [Named(entry.id, is_weak=True, length=len(word)) for word in entry.weak_words if word == header]
        return found

    def _takes_back(self, entry: IdentifierClass, rest: str) -> bool:
        own = () if entry.is_allowed else self.identifiers.scanning.never_words
        return bool(set(rest.strip("_").split("_")) & {*entry.unless, *own})

    @staticmethod
    def _holds(entry: IdentifierClass, rest: str) -> bool:
        """A word that is written in one with the stem takes it back too; short ones would do so by accident."""
        return any(len(word) > 3 and word.replace("_", "") in rest for word in entry.unless)  # noqa: PLR2004
