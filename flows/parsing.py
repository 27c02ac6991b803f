"""How a text becomes a time, a number with its comparator, or a key, written as SQL once for every format.

A cast is tried first, because it is fast; a pattern is matched only where the cast fails. A year has four digits,
so that 10-01-2020 is never read as the year 10.
"""

from collections.abc import Iterable, Mapping, Sequence

from flows.sources.protocol import Kind, literal, quote
from transforms.model.sources import Receiving, SourceMap

NUMBER = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?"
SHORT = "DECIMAL(12,6)"
LONG = "DECIMAL(30,12)"
STORED = "DECIMAL(18,6)"
SINCE_1970 = {"unix_seconds": 1_000_000, "unix_milliseconds": 1_000}  # formats that are numbers, in microseconds
EXCEL_DAYS = "excel_days"  # how a workbook keeps a time, and gives it where the cell has no format of one
BEFORE_EXCEL = "TIMESTAMP '1899-12-30'"  # day 0 for all days from March 1900 on
EQUAL = "="  # a comparator that leaves the number what it is
GROUP_MARKS = " \u00a0\u2009\u202f'\u2019"  # blanks of four widths, apostrophes of two shapes
# Of a time of day; a workbook gives it as the time of its first day.
CLOCKS = [
    *("%H:%M:%S", "%H:%M", "%H:%M:%S.%f", "%I:%M:%S %p", "%I:%M %p", "%Hh%M", "%H.%M", "%H:%M Uhr", "%H%M%S", "%H%M"),
    "%Y-%m-%d %H:%M:%S",
]
RELATIVE_ANCHOR = "TIMESTAMP '2000-01-01'"


def read_times(source: str, needed: Mapping[str, Kind], types: Mapping[str, str], source_map: SourceMap) -> str:
    """SELECT of the needed columns of `source` and its row number if it has one; each time as four columns.

    `header` is the time, `header__bad` says that a text is there which is no time, `header__day` that it is a date
    only, `header__sent` is the text that is no time. A time is parsed once, below, and judged above, because a
    repeated expression is computed again.
    """
    times = [header for header, kind in needed.items() if kind == "time"]
    parsed = ", ".join(f"{_parse(header, types[header], source_map)} AS {quote(header + '__at')}" for header in times)
    below = f"(SELECT *, {parsed} FROM {source})" if times else source
    columns = [quote(header) for header, kind in needed.items() if kind != "time"]
    columns += [_judge(header, types[header], source_map) for header in times]
    return f"SELECT {', '.join(columns)} FROM {below}"


def _parse(header: str, kind: str, source_map: SourceMap) -> str:
    column = quote(header)
    if source_map.dates == "relative":
        return _relative(column, source_map)
    if kind == "DATE" or kind.startswith("TIMESTAMP"):
        return f"try_cast({column} AS TIMESTAMP)"
    return _timed(f"nullif(trim({column}::VARCHAR), '')", source_map)


def _judge(header: str, kind: str, source_map: SourceMap) -> str:
    column, at = quote(header), quote(header + "__at")
    is_typed = kind == "DATE" or kind.startswith("TIMESTAMP")
    text = f"trim({column}::VARCHAR)"
    short = f"length({text}) <= 10"
    if EXCEL_DAYS in source_map.datetime_formats:
        short = f"CASE WHEN {SHORT_TEXT.format(text)} IS NULL THEN {short} ELSE NOT contains({text}, '.') END"
    day = "true" if kind == "DATE" else "false" if is_typed or source_map.dates == "relative" else short
    if source_map.time_precision != "auto":
        day = "true" if source_map.time_precision == "day" else "false"
    is_time = f"isfinite({at}) AND year({at}) BETWEEN 1000 AND 9999"
    given = f"{column} IS NOT NULL" if is_typed else f"{text} <> ''"
    names = [quote(header + suffix) for suffix in ("", "__bad", "__day", "__sent")]
    sent = "NULL::VARCHAR" if is_typed else f"CASE WHEN ({is_time}) IS NOT TRUE THEN nullif({text}, '') END"
    return (
        f"CASE WHEN {is_time} THEN {at} END AS {names[0]}, "
        f"coalesce({given} AND ({is_time}) IS NOT TRUE, false) AS {names[1]}, coalesce({day}, false) AS {names[2]}, "
        f"{sent} AS {names[3]}"
    )


def patterns_of(source_map: SourceMap) -> list[str]:
    """SQL of the formats of a map that are patterns of text; the others are numbers."""
    return [literal(form) for form in source_map.datetime_formats if form not in {*SINCE_1970, EXCEL_DAYS}]


def _timed(text: str, source_map: SourceMap) -> str:
    patterns = patterns_of(source_map)
    ways = [f"CASE WHEN {text}[1] BETWEEN '0' AND '9' THEN try_cast({text} AS TIMESTAMP) END"]
    ways += [f"try_strptime({text}, [{', '.join(patterns)}])"] if patterns else []
    for form, micros in SINCE_1970.items():
        if form in source_map.datetime_formats:
            ways.append(f"try(make_timestamp((try_cast({text} AS DECIMAL(30,3)) * {micros})::BIGINT))")
    if EXCEL_DAYS in source_map.datetime_formats:
        since = f"({SHORT_TEXT.format(text)} * 86400000000)::BIGINT + 500000"
        ways.append(f"try(date_trunc('second', {BEFORE_EXCEL} + to_microseconds({since})))")
    return f"coalesce({', '.join(ways)})"


def _relative(column: str, source_map: SourceMap) -> str:
    micros = f"({SHORT_TEXT.format(column)} * 1000000)::BIGINT"
    steps = {"minutes": "60", "hours": "3600", "days": "86400", "weeks": "604800"}[source_map.relative_unit]
    return f"try({RELATIVE_ANCHOR} + to_microseconds({micros} * {steps}))"


def time_of_day(text: str) -> str:
    """The time of day that a text is, null for any other text."""
    return f"try_strptime({text}, [{', '.join(map(literal, CLOCKS))}])::TIME"


SHORT_TEXT = "try_cast({} AS DECIMAL(30,6))"


def person_key(column: str) -> str:
    """The person's key as text; 93703.0, as floats write it, is 93703."""
    is_float = f"contains({column}, '.0') AND regexp_full_match({column}, '[0-9]+\\.0+')"  # the first test is cheap
    return f"CASE WHEN {is_float} THEN split_part({column}, '.', 1) ELSE {column} END"


def decimal_point(column: str, decimal: str) -> str:
    """The text of a number with a point as decimal mark; anything that may mean two numbers stays as it is."""
    if decimal == ".":
        return column
    grouped = f"regexp_full_match({column}, '[^0-9]*[0-9]{{1,3}}(\\.[0-9]{{3}})+,[0-9]+')"
    plain = f"contains({column}, ',') AND NOT contains({column}, '.')"
    return (
        f"CASE WHEN {plain} THEN replace({column}, ',', '.') "
        f"WHEN {grouped} THEN replace(replace({column}, '.', ''), ',', '.') "
        f"WHEN contains({column}, '.') THEN replace({column}, '.', ',') ELSE {column} END"
    )


def is_grouped(column: str) -> str:
    """Whether what stands as the decimal mark of a number of cells most likely divides thousands, as in 4.500.

    There are no thousandths of a cell. Two digits before three zeros are left, because databases pad with zeros.
    """
    return (
        f"(length({column}) BETWEEN 5 AND 6 AND regexp_full_match({column}, '[1-9][0-9]?\\.[0-9]{{3}}') "
        f"AND NOT regexp_full_match({column}, '[0-9]{{2}}\\.000'))"
    )


def ungrouped(column: str, decimal: str, is_cells: str) -> str:
    """The text of `decimal_point` without marks between thousands, where they can be nothing else.

    A blank or an apostrophe is never a decimal mark, nor is a comma before a point. Where the map says that the comma
    is the decimal mark, a point divides thousands in a number of cells (`is_cells`), of which there are no thousandths.
    """
    first, point = "^[^0-9]*[0-9]{1,3}", r"\.[0-9]+"
    by_blank = f"{first}([{GROUP_MARKS}][0-9]{{3}})+({point})?$"
    by_comma = f"{first}(,[0-9]{{3}})+{point}$"
    by_point = "^[^0-9]*[1-9][0-9]{0,2}(,[0-9]{3})+$"  # decimal_point has made a comma of it
    divides = f"regexp_matches({column}, {literal(by_comma)})"
    if decimal == ",":
        divides += f" OR ({is_cells} AND regexp_matches({column}, {literal(by_point)}))"
    return (
        f"CASE WHEN {divides} THEN replace({column}, ',', '') WHEN regexp_matches({column}, {literal(by_blank)}) "
        f"THEN regexp_replace({column}, {literal(f'([0-9])[{GROUP_MARKS}]([0-9])')}, '\\1\\2', 'g') ELSE {column} END"
    )


def short_number(column: str) -> str:
    """The number of a short plain text: at most six decimals, so the cast is exact; null for any other text."""
    is_short = f"length({column}) <= 7 AND NOT contains({column}, 'e') AND NOT contains({column}, 'E')"
    return f"CASE WHEN {is_short} AND NOT contains({column}, '_') THEN try_cast({column} AS {SHORT}) END"


def comparator_pattern(receiving: Receiving) -> str:
    """A pattern of two groups: the comparator as written, and the number."""
    words = sorted((word for words in receiving.comparators.values() for word in words), key=lambda w: (-len(w), w))
    return rf"^({'|'.join(words)})\s*({NUMBER})$"


def number_parts(column: str, receiving: Receiving) -> str:
    """A struct of `comparator` and `number` (text); number null when the text is no number with or without one."""
    spelled = [(word, sign) for sign, words in receiving.comparators.items() for word in words]
    pairs = ", ".join(f"{literal(word)}: {'NULL' if sign == EQUAL else literal(sign)}" for word, sign in spelled)
    found = f"regexp_extract(lower({column}), {literal(comparator_pattern(receiving))}, ['word', 'number'])"
    return (
        f"CASE WHEN {column} IS NULL THEN NULL "
        f"WHEN regexp_full_match(lower({column}), {literal(NUMBER)}) "
        f"THEN {{'comparator': NULL::VARCHAR, 'number': {column}}} "
        f"ELSE {{'comparator': map {{{pairs}}}[({found}).word], 'number': nullif(({found}).number, '')}} END"
    )


def spelled(column: str, spellings: Mapping[str, Iterable[str]]) -> str:
    """The canonical word of a text, null when the text is none of the spellings."""
    whens = [
        f"WHEN lower({column}) IN ({', '.join(literal(w) for w in words)}) THEN {literal(name)}"
        for name, words in spellings.items()
    ]
    return f"CASE {' '.join(whens)} END"


def one_of(column: str, words: Sequence[str]) -> str:
    """Whether the text is one of `words`, whatever its case."""
    # Not IN, nor list_contains: they become a join with the words for every row, whatever asks only for a few of them.
    return f"coalesce(list_position([{', '.join(literal(word) for word in words)}], lower({column})), 0) > 0"
