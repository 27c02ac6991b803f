"""Whether a text that came with an extract may be shown: its shape, and for a word of a cell how many people share it.

The one place that decides it, obeying `definitions/showing`. What may not be shown is counted, or named by its place.
"""

import re

from transforms.model.showing import Showing

MARKS = re.compile(r"[^A-Za-z0-9]+")


def is_plain_word(text: str, showing: Showing) -> bool:
    """Whether a text is written as a unit, a status or a code is, and looks like nothing that names one person."""
    if not re.fullmatch(showing.word, text) or len(text.split()) > showing.most_words:
        return False
    return not is_like_person(text, showing)


def is_like_person(text: str, showing: Showing) -> bool:
    """Whether some of a text is written as what names one person: the number of a record, a telephone, a date."""
    return any(re.search(pattern, text) for pattern in showing.like_persons)


def word_or(text: str, otherwise: str, showing: Showing) -> str:
    """The word, if its shape lets it be shown where people can't be counted: in what an engineer wrote."""
    return text if is_plain_word(text, showing) else otherwise


def is_shared_word(text: str, n_people: int, showing: Showing) -> bool:
    """Whether a word of a cell may be shown: plain, and shared by enough people."""
    return n_people >= showing.least_people and is_plain_word(text, showing)


def is_plain_name(name: str, showing: Showing) -> bool:
    """Whether the name of a file, a sheet or a table is made of plain words, short numbers and dates."""
    if not re.fullmatch(showing.name, name):
        return False
    parts = [part for part in MARKS.split(name) if part]
    return bool(parts) and all(any(re.fullmatch(shape, part) for shape in showing.name_parts) for part in parts)


def is_plain_header(header: str, showing: Showing) -> bool:
    """Whether the name of a column looks like one, and not like a value."""
    return re.fullmatch(showing.header, header) is not None


def name_or(name: str, otherwise: str, showing: Showing) -> str:
    """The name, if it may be shown."""
    return name if is_plain_name(name, showing) else otherwise
