"""How the times of an export are written and what they mean: real, shifted, relative, or none.

Formats are taken until they parse every time of the sample; where day and month could change places in all of them,
nothing is decided. Times in a far future are shifted per person, small numbers count from an anchor. Obeys
`definitions/mapping`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from transforms.column_roles import ColumnLook, fold_header
from transforms.model.mapping import Proposing
from transforms.model.sources import DatePolicy

WITHOUT_FORMAT = -1
SINCE_1970 = {"unix_seconds": 1, "unix_milliseconds": 1000}
REAL = "dates look real; if the sender shifted them, set dates: shifted."


@dataclass(frozen=True)
class DatesFound:
    """What to write into the map; None where it stays open. `unsure` are sentences.

    `is_exact` is of times that are numbers to the second, whose length does not tell a day from a minute.
    """

    dates: DatePolicy | None
    formats: tuple[str, ...] = ()
    relative_unit: str | None = None
    unsure: tuple[str, ...] = ()
    is_exact: bool = False


def find_dates(looks: Sequence[ColumnLook], proposing: Proposing) -> DatesFound:
    """The policy and formats of all time columns that are to be read, across the files of one export."""
    if not looks:
        return DatesFound("none", unsure=("no column holds a time: durations and calendar trends cannot be answered.",))
    numeric = [look for look in looks if not _is_written(look)]
    written = [look for look in looks if _is_written(look)]
    if numeric and written:
        names = ", ".join(look.header for look in numeric)
        return DatesFound(
            None, unsure=(f"some times are dates and others numbers ({names}): say which in a map each.",)
        )
    return _relative(numeric, proposing) if numeric else _written(written, proposing)


def cover_formats(patterns: Mapping[tuple[int, ...], int]) -> tuple[tuple[int, ...], bool]:
    """Places of the fewest formats that parse all that can be parsed, and whether another set parses as much.

    The second is about formats of the same shape in which day and month change places.
    """
    left = {pattern: count for pattern, count in patterns.items() if pattern and WITHOUT_FORMAT not in pattern}
    chosen: list[int] = []
    is_ambiguous = False
    while left:
        counts: dict[int, int] = {}
        for pattern, count in left.items():
            for place in pattern:
                counts[place] = counts.get(place, 0) + count
        best = max(counts, key=lambda place: (counts[place], -place))
        is_ambiguous |= any(counts[place] == counts[best] for place in counts if place != best)
        chosen.append(best)
        left = {pattern: count for pattern, count in left.items() if best not in pattern}
    return tuple(chosen), is_ambiguous


def _is_written(look: ColumnLook) -> bool:
    return look.is_time or look.time_share >= look.number_share


def _relative(looks: Sequence[ColumnLook], proposing: Proposing) -> DatesFound:
    for form, per_second in SINCE_1970.items():
        if all(_lies_within(look, proposing.unix_seconds, per_second) for look in looks):
            said = "times are numbers, taken as time since 1970: confirm with the sender."
            return DatesFound("real", (form,), unsure=(said, REAL), is_exact=True)
    if all(_lies_within(look, proposing.excel_days, 1) for look in looks):
        said = "times are numbers, taken as days of Excel (45352 is 2024-03-01): confirm with the sender."
        return DatesFound("real", ("excel_days",), unsure=(said, REAL))
    units = {unit for look in looks for unit in _units_of(look.header, proposing)}
    if len(units) != 1:
        said = (
            "times are numbers, and no header says whether minutes, hours, days or weeks: "
            "write dates: relative and relative_unit."
        )
        return DatesFound(None, unsure=(said,))
    said = "times are numbers, taken as time since an anchor of each person: confirm with the sender."
    return DatesFound("relative", relative_unit=units.pop(), unsure=(said,))


def _lies_within(look: ColumnLook, bounds: tuple[int, int], per_unit: int) -> bool:
    first, last = (bound * per_unit for bound in bounds)
    return look.low is not None and look.high is not None and first <= look.low <= look.high <= last


def _units_of(header: str, proposing: Proposing) -> set[str]:
    tokens = set(fold_header(header).split("_"))
    return {unit for unit, words in proposing.relative_words.items() if tokens & set(words)}


def _written(looks: Sequence[ColumnLook], proposing: Proposing) -> DatesFound:
    chosen: list[int] = []
    unsure: list[str] = []
    for look in looks:
        places, is_ambiguous = cover_formats(look.n_formats)
        if is_ambiguous:
            unsure.append(f"{look.header}: day and month cannot be told apart; write datetime_formats yourself.")
        else:
            chosen += [place for place in places if place not in chosen]
    policy, said = _policy(looks, proposing)
    formats = tuple(proposing.datetime_formats[place] for place in chosen)
    return DatesFound(policy, formats if not unsure else (), unsure=(*unsure, *said))


def _policy(looks: Sequence[ColumnLook], proposing: Proposing) -> tuple[DatePolicy | None, tuple[str, ...]]:
    first, last = proposing.years
    years = [year for look in looks for year in (look.first_year, look.last_year) if year is not None]
    if not years or all(first <= year <= last for year in years):
        return "real", (REAL,)
    if max(years) > last or all(year < first for year in years):
        return "shifted", ("dates lie far from the present, so they are taken as shifted per person.",)
    return "shifted", ("some dates cannot be real, so all are taken as shifted per person: confirm with the sender.",)
