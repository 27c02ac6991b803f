"""How a text becomes a time, a number with its comparator, or a key, written as SQL once for every format.

A cast is tried first, because it is fast; a pattern is matched only where the cast fails. A year has four digits,
so that 10-01-2020 is never read as the year 10.
"""

from collections.abc import Iterable, Mapping, Sequence

from flows.sources.protocol import literal, quote
from transforms.model.sources import Receiving, SourceMap

NUMBER = r"[+-]?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?"
SHORT = "DECIMAL(12,6)"
LONG = "DECIMAL(30,12)"
STORED = "DECIMAL(18,6)"
RELATIVE_ANCHOR = "TIMESTAMP '2000-01-01'"


def read_time(header: str, kind: str, source_map: SourceMap) -> str:
    """Three columns of a time: `header`, `header__bad`, `header__day`."""
    column = quote(header)
    if source_map.dates == "relative":
        value, given, day = _relative(column, source_map), f"{column} IS NOT NULL", "false"
    elif kind == "DATE":
        value, given, day = f"{column}::TIMESTAMP", "false", "true"
    elif kind.startswith("TIMESTAMP"):
        value, given, day = f"{column}::TIMESTAMP", "false", "false"
    else:
        text = f"nullif(trim({column}::VARCHAR), '')"
        value, given, day = _timed(text, source_map), f"{text} IS NOT NULL", f"length({text}) <= 10"
    if source_map.time_precision != "auto":
        day = "true" if source_map.time_precision == "day" else "false"
    value = f"CASE WHEN isfinite({value}) AND year({value}) BETWEEN 1000 AND 9999 THEN {value} END"
    names = [quote(header + suffix) for suffix in ("", "__bad", "__day")]
    return f"{value} AS {names[0]}, {given} AND ({value}) IS NULL AS {names[1]}, coalesce({day}, false) AS {names[2]}"


def _timed(text: str, source_map: SourceMap) -> str:
    formats = "[" + ", ".join(literal(form) for form in source_map.datetime_formats) + "]"
    iso = f"CASE WHEN {text}[1] BETWEEN '0' AND '9' THEN try_cast({text} AS TIMESTAMP) END"
    return f"coalesce({iso}, try_strptime({text}, {formats}))"


def _relative(column: str, source_map: SourceMap) -> str:
    micros = f"try(({SHORT_TEXT.format(column)} * 1000000)::BIGINT)"
    steps = {"minutes": "60", "hours": "3600", "days": "86400", "weeks": "604800"}[source_map.relative_unit]
    return f"{RELATIVE_ANCHOR} + to_microseconds({micros} * {steps})"


SHORT_TEXT = "try_cast({} AS DECIMAL(18,6))"


def person_key(column: str) -> str:
    """The person's key as text; 93703.0, as floats write it, is 93703."""
    return f"CASE WHEN regexp_full_match({column}, '[0-9]+\\.0+') THEN split_part({column}, '.', 1) ELSE {column} END"


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
    pairs = ", ".join(f"{literal(word)}: {literal(sign)}" for word, sign in spelled)
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
    return f"coalesce(lower({column}) IN ({', '.join(literal(word) for word in words)}), false)"
