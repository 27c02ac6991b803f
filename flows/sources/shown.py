"""What may be shown of the names in an extract: a file's name and a header can themselves hold a person's.

A part of a file's name is shown if it is plain and holds no long number but a date; a header if it looks like a word
and the file has a header that is known, because the first row of a file without headers is a patient's.
"""

import re
from collections.abc import Collection

from flows.sources.protocol import SourceFile

# One of this shape is most likely a table's.
PLAIN_NAME = re.compile(r"[A-Za-z0-9_.-]{1,40}")
LONG_NUMBER = re.compile(r"(?<![0-9])(?!(?:19|20)[0-9]{6}(?:[0-9]{4}|[0-9]{6})?(?![0-9]))[0-9]{7,}")
SEPARATED = re.compile(r"([/#])")
HEADER_SHAPE = re.compile(r"[^\W\d_](?:[^\W\d]| ){0,39}")
SHOWN_HEADERS = 30


def show_file(name: str, place: int) -> str:
    """The name if each of its parts may be shown; what may not is called by the file's place in the extract."""
    parts = SEPARATED.split(name)
    return "".join(part if part in {"/", "#"} or is_plain(part) else f"file {place}" for part in parts)


def is_plain(name: str) -> bool:
    """Whether a name is most likely a table's."""
    return PLAIN_NAME.fullmatch(name) is not None and LONG_NUMBER.search(name) is None


def show_header(file: SourceFile, header: str, *, has_header_row: bool) -> str:
    """The header if it may be shown, else its place."""
    if has_header_row and HEADER_SHAPE.fullmatch(header):
        return header
    return f"column {file.headers.index(header) + 1}" if header in file.headers else "a column"


def show_headers(file: SourceFile, shown: Collection[str] | None = None) -> list[str]:
    """The headers that look like words, the first ones, of a file that is known to have headers."""
    headers = [header for header in file.headers if HEADER_SHAPE.fullmatch(header)]
    return [header for header in headers if shown is None or header in shown][:SHOWN_HEADERS]
