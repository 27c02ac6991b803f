"""When a text of an extract may be shown: shapes of words and names, how many must share a word; and rows of files."""

import re

from pydantic import Field, field_validator

from transforms.model.base import Definition, Part


class Showing(Definition):
    """Patterns are those of Python and fit the whole text, but for `like_persons`, which may fit any part of it.

    `word` and `most_words` (apart by blanks) are for words of cells, `name` and `name_parts` (apart by any mark) for
    names of files, sheets and tables, `header` for names of columns. On a page numbers of rows are rounded up to
    `rows_rounded_to`, sizes of files to `bytes_rounded_to`; of `tables_of_people` no rows are counted.
    """

    rule: str
    least_people: int = Field(ge=2)
    most_files_named: int = Field(ge=1)
    most_words_listed: int = Field(ge=1)
    rows_rounded_to: int = Field(ge=1)
    bytes_rounded_to: int = Field(ge=1)
    tables_of_people: tuple[str, ...]
    word: str
    most_words: int = Field(ge=1)
    like_persons: tuple[str, ...]
    name: str
    name_parts: tuple[str, ...]
    header: str

    @field_validator("word", "like_persons", "name", "name_parts", "header")
    @classmethod
    def _are_patterns(cls, given: str | tuple[str, ...]) -> str | tuple[str, ...]:
        for pattern in (given,) if isinstance(given, str) else given:
            try:
                re.compile(pattern)
            except re.error as error:
                raise ValueError(f"{pattern!r} is no pattern: {error.msg}") from None
        return given


class ShowingExample(Part):
    """A word with the people who share it, or a name, or a header; and whether it is shown."""

    word: str | None = None
    n_people: int = 0
    name: str | None = None
    header: str | None = None
    is_shown: bool
