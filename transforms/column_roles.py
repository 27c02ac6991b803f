"""Which table a file is and which column is which, by the words of its headers and by what its cells look like.

A header alone decides nothing: a column called "value" without numbers is no value. Where a table lacks one needed
column and exactly one unclaimed column looks like it, that one is taken and said to be unsure. Obeys
`definitions/mapping`.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from transforms.analyte_names import fold_accents
from transforms.model.mapping import Content, Proposing
from transforms.model.sources import TableName

PERSON = "person_id"
_MOST, _MANY = 0.9, 0.5


@dataclass(frozen=True)
class ColumnLook:
    """What a sample of a column looks like: counts of cells, numbers as numbers, words if there are few.

    `n_formats` counts the cells, of `n_tried`, that each pattern of date formats parses: the key has the formats by
    place, and -1 for what is read without a format. `is_time` and `is_number` are true of columns typed so by their
    file.
    """

    header: str
    n_given: int
    n_distinct: int
    n_points: int = 0
    n_commas: int = 0
    n_groups: int = 0
    n_whole: int = 0
    n_compared: int = 0
    n_clock: int = 0
    n_icd: int = 0
    n_long_icd: int = 0
    n_icd9: int = 0
    n_formats: Mapping[tuple[int, ...], int] = field(default_factory=dict)
    n_tried: int = 0
    low: float | None = None
    median: float | None = None
    high: float | None = None
    first_year: int | None = None
    last_year: int | None = None
    words: tuple[str, ...] = ()
    is_time: bool = False
    is_number: bool = False
    label: str = ""

    @property
    def number_share(self) -> float:
        """Cells that are numbers, with or without a comparator."""
        numbers = self.n_points + self.n_commas + self.n_whole + self.n_compared
        return 1.0 if self.is_number else numbers / self.n_given if self.n_given else 0.0

    @property
    def time_share(self) -> float:
        """Cells that are times in some format."""
        parsed = sum(count for formats, count in self.n_formats.items() if formats)
        return 1.0 if self.is_time else parsed / self.n_tried if self.n_tried else 0.0


@dataclass(frozen=True)
class TableGuess:
    """A table that a file can be: the header of each column, and the columns taken by content alone."""

    table: TableName
    columns: Mapping[str, str]
    by_content: tuple[str, ...] = ()


def fold_header(header: str) -> str:
    """A header without case, accents, blanks and marks between words."""
    return re.sub(r"[^a-z0-9]+", "_", fold_accents(header.replace("ß", "ss"))).strip("_")


def header_key(header: str, proposing: Proposing) -> str:
    """What spellings of a header share: `patient_nr`, `Patient Nr.` and `PatientNr`, with small words or without."""
    words = fold_header(header).split("_")
    return "".join(word for word in words if word not in proposing.header_fillers) or "".join(words)


def guess_tables(looks: Sequence[ColumnLook], proposing: Proposing, sexes: frozenset[str]) -> tuple[TableGuess, ...]:
    """Every table whose needed columns the file has, the one that claims most headers first."""
    guesses = [guess for table in proposing.tables if (guess := _guess(table, looks, proposing, sexes)) is not None]
    return tuple(sorted(guesses, key=lambda guess: (len(guess.by_content), -len(guess.columns), guess.table)))


def find_person(looks: Sequence[ColumnLook], proposing: Proposing) -> str | None:
    """The header of the person's key."""
    return _by_words(proposing.person_words, "id", looks, _Rules(proposing, frozenset()), ())


def find_person_by_content(looks: Sequence[ColumnLook], tests: Iterable[str], proposing: Proposing) -> str | None:
    """The header of the one column that looks like a person's key, if no header says which is it.

    It is neither one of `tests` nor what else of a person has a name that is known.
    """
    known = {
        header_key(word, proposing) for entry in proposing.tables["person"].columns.values() for word in entry.words
    }
    known |= {header_key(test, proposing) for test in tests}
    found = [
        look.header
        for look in looks
        if look.n_given and header_key(look.header, proposing) not in known and _is_key(look)
    ]
    return found[0] if len(found) == 1 else None


def find_time(looks: Sequence[ColumnLook], proposing: Proposing) -> str | None:
    """The header of the time of a visit or a specimen."""
    words = proposing.tables["lab"].columns["collected_at"]
    return _by_words(words.words, "time", looks, _Rules(proposing, frozenset()), ())


def find_times_by_content(looks: Sequence[ColumnLook], claimed: Iterable[str], proposing: Proposing) -> tuple[str, ...]:
    """Headers of unclaimed columns of dates, but those of a birth or death."""
    taken, others = set(claimed), set(proposing.birth_words)
    return tuple(
        look.header
        for look in looks
        if look.header not in taken
        and (look.is_time or (look.time_share >= _MOST and look.number_share < _MOST))
        and not others & set(f"{fold_header(look.header)}_{fold_header(look.label)}".split("_"))
    )


def find_site(looks: Sequence[ColumnLook], claimed: Iterable[str], proposing: Proposing) -> str | None:
    """The header of the laboratory or hospital that a row is from."""
    taken = set(claimed)
    words = {header_key(word, proposing) for word in proposing.site_words}
    for look in looks:
        if look.header not in taken and header_key(look.header, proposing) in words and len(look.words) > 1:
            return look.header
    return None


def find_clocks(looks: Sequence[ColumnLook], claimed: Iterable[str]) -> tuple[str, ...]:
    """Headers of columns with a time of day and no date, which are not read."""
    taken = set(claimed)
    return tuple(look.header for look in looks if look.header not in taken and 0 < _MOST * look.n_given <= look.n_clock)


def find_shared_person(
    looks: Sequence[ColumnLook], claimed: Iterable[str], proposing: Proposing, sexes: frozenset[str]
) -> Mapping[str, str]:
    """Columns of the person that stand in every row of another table."""
    rules, taken = _Rules(proposing, sexes), list(claimed)
    found: dict[str, str] = {}
    for name, entry in proposing.tables["person"].columns.items():
        header = _by_words(entry.words, entry.content, looks, rules, [*taken, *found.values()])
        if header is not None:
            found[name] = header
    return found


@dataclass(frozen=True)
class _Rules:
    proposing: Proposing
    sexes: frozenset[str]

    def fits(self, look: ColumnLook, content: Content) -> bool:
        """Whether the cells look like the content."""
        checks = {
            "time": look.time_share >= _MOST or (look.number_share >= _MOST and not look.n_commas),
            "number": look.number_share >= _MANY and look.time_share < _MOST,
            "id": look.time_share < _MOST or look.is_number,
            "code": not look.is_time,
            "text": True,
            "sex": len(look.words) > 0 and {word.casefold() for word in look.words} <= self.sexes,
            "year": self._lies_in(look, *self.proposing.birth_years) and look.number_share >= _MOST,
            "age": self._lies_in(look, *self.proposing.ages) and look.number_share >= _MOST,
            "celsius": look.median is not None
            and self.proposing.celsius_median[0] <= look.median <= self.proposing.celsius_median[1],
            "icd": look.n_icd + look.n_icd9 >= _MOST * look.n_given,
        }
        return look.n_given > 0 and checks[content]

    @staticmethod
    def _lies_in(look: ColumnLook, first: float, last: float) -> bool:
        return look.low is not None and look.high is not None and first <= look.low and look.high <= last


def _guess(
    table: TableName, looks: Sequence[ColumnLook], proposing: Proposing, sexes: frozenset[str]
) -> TableGuess | None:
    entry, rules = proposing.tables[table], _Rules(proposing, sexes)
    columns: dict[str, str] = {}
    person = _by_words(proposing.person_words, "id", looks, rules, ())
    if person is not None:
        columns[PERSON] = person
    for name in sorted(entry.columns, key=lambda column: column not in entry.needs):
        words = entry.columns[name]
        header = _by_words(words.words, words.content, looks, rules, tuple(columns.values()))
        if header is not None:
            columns[name] = header
    missing = [name for name in entry.needs if name not in columns]
    by_content: list[str] = []
    if table == "lab" and len(missing) == 1 and missing != ["code"]:
        header = _by_content(missing[0], looks, rules, tuple(columns.values()))
        if header is not None:
            columns[missing[0]] = header
            by_content.append(missing[0])
            missing = []
    return None if missing else TableGuess(table, columns, tuple(by_content))


def _by_words(
    words: Sequence[str], content: Content, looks: Sequence[ColumnLook], rules: _Rules, taken: Sequence[str]
) -> str | None:
    open_looks = [look for look in reversed(looks) if look.header not in taken]
    free = {header_key(look.label, rules.proposing): look for look in open_looks if look.label}
    free |= {header_key(look.header, rules.proposing): look for look in open_looks}
    for word in words:
        look = free.get(header_key(word, rules.proposing))
        if look is not None and rules.fits(look, content):
            return look.header
    return None


def _by_content(name: str, looks: Sequence[ColumnLook], rules: _Rules, taken: Sequence[str]) -> str | None:
    """The one free column that looks like it: a key that repeats, or a number that is not whole everywhere."""
    free = [look for look in looks if look.header not in taken and look.n_given]
    if name == PERSON:
        found = [look for look in free if _is_key(look)]
    else:
        found = [look for look in free if rules.fits(look, "number") and look.n_points + look.n_commas > 0]
    return found[0].header if len(found) == 1 else None


def _is_key(look: ColumnLook) -> bool:
    repeats = look.n_distinct < look.n_given
    is_plain = look.n_points + look.n_commas + look.n_compared == 0 and look.time_share < _MOST
    return repeats and is_plain and not look.words
