"""How dates of a column lie over people, and which ages there are; the dates and ages themselves stay in DuckDB."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import duckdb
import polars as pl

from flows.identifier_cells import CELLS, ScannedColumn
from flows.sources.protocol import literal, quote
from transforms.identifier_headers import split_header
from transforms.identifier_judgement import BIRTH, EVENT, YEAR
from transforms.identifier_looks import AgeLook, DateLook
from transforms.model.identifiers import BirthRules, Identifiers


@dataclass(frozen=True)
class Dates:
    """A relation with its columns, what they are mapped to, its person, a sample of cells, classes named by headers."""

    relation: str
    columns: tuple[ScannedColumn, ...]
    mapped: Mapping[str, str]
    person: str | None
    sample: pl.DataFrame
    named: Mapping[int, str]


@dataclass(frozen=True)
class LookedDates:
    """By place of a column: the share of its cells that are dates, and how the dates lie over people."""

    shares: Mapping[int, float]
    looks: Mapping[int, DateLook]


def look_at_dates(connection: duckdb.DuckDBPyConnection, dates: Dates, identifiers: Identifiers) -> LookedDates:
    """Look at every column of dates that neither its map nor its header calls those of events."""
    scanning = identifiers.scanning
    shares, parsed = _parse(connection, dates, identifiers)
    is_date = {place for place, share in shares.items() if share >= scanning.births.date_share}
    events = [
        column.place
        for column in dates.columns
        if column.place in is_date
        and (dates.mapped.get(column.header) in scanning.canonical_dates or dates.named.get(column.place) == EVENT)
    ]
    event = parsed[events[0]] if events else "NULL::TIMESTAMP"
    asked = [
        column.place
        for column in dates.columns
        if column.place in parsed
        and column.place not in events
        and (column.place in is_date or dates.named.get(column.place) == BIRTH)
    ]
    return LookedDates(shares, {place: _lie(connection, dates, parsed[place], event, identifiers) for place in asked})


def look_at_ages(
    connection: duckdb.DuckDBPyConnection, columns: tuple[ScannedColumn, ...], identifiers: Identifiers
) -> Mapping[int, AgeLook]:
    """Rows and different values of ages above the top that are no code, of columns whose cells were gathered."""
    ages, found = identifiers.scanning.ages, {}
    for column in columns:
        words = set(split_header(column.header).split("_"))
        unit = next((unit for unit, spellings in ages.unit_words.items() if words & set(spellings)), "")
        number = f"try_cast(replace(regexp_extract(cell, {literal(ages.number_pattern)}, 1), ',', '.') AS DOUBLE)"
        n_rows, n_different = connection.execute(
            f"""SELECT coalesce(sum(n), 0)::BIGINT, count(DISTINCT age) FROM
            (SELECT n, floor({number} / {ages.units_a_year.get(unit, 1)}) AS age
             FROM {CELLS} WHERE place = {column.place})
            WHERE age > {ages.top} AND age <= {ages.oldest}"""
        ).fetchall()[0]
        found[column.place] = AgeLook(n_rows, n_different)
    return found


def _parse(
    connection: duckdb.DuckDBPyConnection, dates: Dates, identifiers: Identifiers
) -> tuple[dict[int, float], dict[int, str]]:
    """By place: the share of cells that are dates, and SQL of the date."""
    scanning, formats = identifiers.scanning, identifiers.datetime_formats
    births = scanning.births
    shares = {column.place: 1.0 for column in dates.columns if column.kind == "time"}
    parsed = {
        column.place: f"try_cast({quote(column.header)} AS TIMESTAMP)"
        for column in dates.columns
        if column.kind == "time"
    }
    like = pl.col("cell").str.contains(f"^(?:{births.like_times})$")
    # A map that calls a column something else is believed, unless its header calls it a date of birth.
    known = {
        c.place for c in dates.columns if dates.mapped.get(c.header, YEAR) not in (*scanning.canonical_dates, YEAR)
    }
    sample = dates.sample.filter(~pl.col("place").is_in(list(known)))
    n_sampled = dict(sample.group_by("place").agg(pl.len(), like.sum().alias("n_like")).rows_by_key("place"))
    tried = sample.filter(like).group_by("place", maintain_order=True).head(births.tried_cells)
    if tried.is_empty():
        return shares, parsed
    counts = _count_parses(connection, tried, ("",), births)
    # Most exports write dates as ISO 8601 does; only others are held against all formats, which takes longer to plan.
    others = [place for place, (n_tried, n_dates, _) in counts.items() if n_dates < n_tried]
    counts |= _count_parses(connection, tried.filter(pl.col("place").is_in(others)), ("", *formats), births)
    headers = {column.place: column.header for column in dates.columns}
    for place, (n_tried, n_dates, n_by_format) in counts.items():
        (n_all, n_like), *_ = n_sampled[place]
        shares[place] = n_dates / n_tried * n_like / n_all
        order = sorted((one for one, n in enumerate(n_by_format) if n), key=n_by_format.__getitem__, reverse=True)
        text = f"trim({quote(headers[place])}::VARCHAR)"
        if order:
            parsed[place] = f"coalesce({', '.join(_parsing(text, ('', *formats)[one], births) for one in order)})"
    return shares, parsed


def _count_parses(
    connection: duckdb.DuckDBPyConnection, tried: pl.DataFrame, forms: Sequence[str], births: BirthRules
) -> dict[int, tuple[int, int, list[int]]]:
    """By place: cells that were tried, those that are a date by any of the formats, and by each."""
    if tried.is_empty():
        return {}
    tries = [_parsing("cell", form, births) for form in forms]
    sane = [f"coalesce(year({one}) BETWEEN {births.first_year} AND {births.last_shifted_year}, false)" for one in tries]
    by_format = ", ".join(f"count(*) FILTER (parses[{order}])" for order in range(1, len(sane) + 1))
    connection.register("identifier_tried", tried)
    counts = connection.execute(
        f"""SELECT place, count(*), count(*) FILTER (list_contains(parses, true)), [{by_format}]
        FROM (SELECT place, [{", ".join(sane)}] AS parses FROM identifier_tried) GROUP BY place"""
    ).fetchall()
    connection.unregister("identifier_tried")
    return {place: (n_tried, n_dates, n_by_format) for place, n_tried, n_dates, n_by_format in counts}


def _parsing(text: str, form: str, births: BirthRules) -> str:
    """SQL of a text read by a format; a year of two digits lies in the past."""
    if not form:
        return f"CASE WHEN {text}[1] BETWEEN '0' AND '9' THEN try_cast({text} AS TIMESTAMP) END"
    read = f"try_strptime({text}, {literal(form)})"
    return (
        f"({read} - CASE WHEN year({read}) > {births.two_digits_until} THEN INTERVAL 100 YEAR ELSE INTERVAL 0 YEAR END)"
        if "%y" in form
        else read
    )


def _lie(
    connection: duckdb.DuckDBPyConnection, dates: Dates, date: str, event: str, identifiers: Identifiers
) -> DateLook:
    """Quantiles over people, or over rows where no person is known; then one date a person is taken for granted."""
    births = identifiers.scanning.births
    known = dates.person is not None
    people = next((column.n_distinct for column in dates.columns if column.header == dates.person), 0)
    person = quote(dates.person) if dates.person is not None else "NULL"
    step = max(1, people // births.most_people)
    where = (
        f"WHERE hash({person}) % {step} = 0 AND {person} IS NOT NULL" if known else f"USING SAMPLE {births.most_people}"
    )
    keys = "p" if known else "d, e"
    low, high = births.quantiles
    row = connection.execute(
        f"""WITH given AS (SELECT {person} AS p, {date} AS d, {event} AS e FROM {dates.relation} {where}),
        people AS (
            SELECT min(d) AS first, max(d) AS last, max(e) AS event FROM given WHERE d IS NOT NULL GROUP BY {keys})
        SELECT count(*), count(*) FILTER (first::DATE = last::DATE),
            quantile_disc(year(first), {low}), quantile_disc(year(first), {high}),
            quantile_cont(date_diff('day', first, event) / 365.25, {low}),
            quantile_cont(date_diff('day', first, event) / 365.25, {high}),
            coalesce(avg((dayofyear(first) <> 1)::INTEGER), 0)
        FROM people"""
    ).fetchall()[0]
    n_people, n_constant, *rest = row
    if not known and rest[2] is None:
        n_people = n_constant = 1
    return DateLook(n_people, n_constant, *rest)
