"""Columns of OMOP tables as SQL: concepts without their zero, moments made of a datetime, a date and a time of day.

Concept 0 means that nothing is known. An export from a data frame writes 3000905.0 for 3000905. A datetime at
midnight says a day and not a minute, unless the source map says that the times are times (`time_precision`).
"""

from collections.abc import Mapping

from flows.parsing import one_of
from flows.sources.protocol import Moment, literal, quote, text_of
from transforms.model.sources import SourceMap

NO_CONCEPTS = "(SELECT NULL::VARCHAR AS id, NULL::VARCHAR AS code, NULL::VARCHAR AS name, NULL::VARCHAR AS vocabulary)"


def concept_of(alias: str, header: str) -> str:
    """The id of a concept as text, null for 0 and for what is no id."""
    # One nullif only: DuckDB 2.0.0 fails on one within another over a column that is empty in every row.
    column = f"{alias}.{quote(header)}" if alias else quote(header)
    return f"nullif(try_cast({column}::VARCHAR AS BIGINT), 0)::VARCHAR"


def moment_of_columns(datetime: str, date: str, source_map: SourceMap, *, alias: str = "f", clock: str = "") -> Moment:
    """The moment in columns `datetime` and `date`; the time of day in `clock` is used where there is none in them."""
    columns = [f"{alias}.{quote(header)}" for header in (datetime, date)]
    was_text = " OR ".join(f"{alias}.{quote(header + '__bad')}" for header in (datetime, date))
    at = f"coalesce({', '.join(columns)})"
    timed = _with_clock(at, text_of(alias, clock)) if clock else at
    day = {"auto": f"coalesce({timed} = date_trunc('day', {timed}), false)", "day": "true", "minute": "false"}
    return Moment(timed, f"({at} IS NULL AND ({was_text}))", day[source_map.time_precision])


def _with_clock(at: str, clock: str) -> str:
    """A midnight gets the time of day, if that is one; a date in its column is none."""
    hours = f"CASE WHEN contains({clock}, ':') AND NOT contains({clock}, '-') THEN try_cast({clock} AS TIME) END"
    return f"CASE WHEN {at} = date_trunc('day', {at}) THEN coalesce(({at})::DATE + ({hours}), {at}) ELSE {at} END"


def concepts(wanted: str, *, is_known: bool) -> str:
    """The rows of CONCEPT whose id is in `wanted` (SQL of ids), one for each id: id, code, name, vocabulary."""
    if not is_known:
        return NO_CONCEPTS
    columns = ", ".join(
        f"min({name}::VARCHAR) AS {short}"
        for name, short in (("concept_code", "code"), ("concept_name", "name"), ("vocabulary_id", "vocabulary"))
    )
    key = concept_of("c", "concept_id")
    return f"(SELECT {key} AS id, {columns} FROM {{concept}} c WHERE {key} IN ({wanted}) GROUP BY 1)"


def ids_in(role: str, *headers: str) -> str:
    """SQL of all concept ids in columns of the file at hand."""
    return " UNION ".join(f"SELECT {concept_of('o', header)} FROM {{{role}}} o" for header in headers)


def word_for(column: str, words: Mapping[str, str], source_map: SourceMap, otherwise: str = "NULL") -> str:
    """The word of each entry of `words` (word: name of a list in the map's values) that `column` is in."""
    whens = " ".join(
        f"WHEN {one_of(column, source_map.values.get(name, ()) or ('',))} THEN {literal(word)}"
        for word, name in words.items()
    )
    return f"CASE {whens} ELSE {otherwise} END"
