"""MEASUREMENT of OMOP: results of tests, and temperatures, each row by its concept.

A test is named by a concept and by the source's own code; which is which, and what the two together mean, is decided
in `flows/said_twice.py`, so that the same row has the same key with and without a vocabulary. A number may have its
comparator in another column, or in the text that it was made from.
"""

import re

from flows.parsing import one_of
from flows.said_twice import BAR
from flows.sources.omop_columns import concept_of, concepts, ids_in, moment_of_columns, word_for
from flows.sources.protocol import Feed, Moment, literal, raw_select, text_of
from transforms.model.sources import SourceMap

ROLE = "measurement"
LOINC_SHAPE = "[0-9]{1,7}-[0-9]"
SIGNS = {"<": "operator_lt", "<=": "operator_le", ">": "operator_gt", ">=": "operator_ge"}


def feed_labs(source_map: SourceMap, *, has_concepts: bool) -> Feed:
    """Every measurement that is no temperature, as a raw result."""
    given: dict[str, str | Moment] = {
        "person_id": text_of("f", "person_id"),
        "code": _code(source_map),
        "value": _value(source_map),
        "unit": _unit(),
        "reference_low": text_of("f", "range_low"),
        "collected_at": _taken_at(source_map),
    }
    standard = concepts(ids_in(ROLE, "measurement_concept_id"), is_known=has_concepts)
    sent = concepts(ids_in(ROLE, "measurement_source_concept_id"), is_known=has_concepts)
    source = (
        f"{{{ROLE}}} f LEFT JOIN {standard} c ON {concept_of('f', 'measurement_concept_id')} = c.id "
        f"LEFT JOIN {sent} s ON {concept_of('f', 'measurement_source_concept_id')} = s.id"
    )
    belongs = f"NOT {_is_temperature('', source_map)}"
    where = f"NOT {_is_temperature('f', source_map)}"
    return Feed(
        "canonical.lab",
        ROLE,
        raw_select("lab", given, source, where=where),
        ("concept",) if has_concepts else (),
        belongs=belongs,
    )


def feed_temperatures(source_map: SourceMap) -> Feed:
    """Measurements whose concept is a temperature of the body, in degrees Celsius."""
    number, unit = text_of("f", "value_as_number"), concept_of("f", "unit_concept_id")
    scale = word_for(f"coalesce({unit}, {text_of('f', 'unit_source_value')})", SCALES, source_map)
    numbers = source_map.numbers
    converted = (
        f"round((try_cast({number} AS DECIMAL(8,3)) - {numbers['fahrenheit_at_freezing']}) "
        f"* {numbers['celsius_steps']} / {numbers['fahrenheit_steps']}, 2)::VARCHAR"
    )
    unknown = f"concat({number}, ' in an unknown unit')"
    given: dict[str, str | Moment] = {
        "person_id": text_of("f", "person_id"),
        "measured_at": _taken_at(source_map),
        "celsius": f"CASE {scale} WHEN 'C' THEN {number} WHEN 'F' THEN {converted} ELSE {unknown} END",
        "site": word_for(concept_of("f", "measurement_concept_id"), SITES, source_map),
    }
    where = _is_temperature("f", source_map)
    return Feed(
        "canonical.vital",
        ROLE,
        raw_select("vital", given, f"{{{ROLE}}} f", where=where),
        belongs=_is_temperature("", source_map),
    )


SCALES = {"C": "celsius", "F": "fahrenheit"}
SITES = {"oral": "temperature_oral", "tympanic": "temperature_tympanic"} | {
    "axillary": "temperature_axillary",
    "rectal": "temperature_rectal",
    "unknown": "temperature",
}


def _is_temperature(alias: str, source_map: SourceMap) -> str:
    known = [concept for name in SITES.values() for concept in source_map.values.get(name, ())]
    return one_of(concept_of(alias, "measurement_concept_id"), known or ("",))


def _taken_at(source_map: SourceMap) -> Moment:
    return moment_of_columns("measurement_datetime", "measurement_date", source_map, clock="measurement_time")


def _code(source_map: SourceMap) -> str:
    """CONCEPT|LOINC|SOURCE, parts empty where nothing is known."""
    concept, text = concept_of("f", "measurement_concept_id"), text_of("f", "measurement_source_value")
    is_loinc = [one_of(f"{alias}.vocabulary", source_map.values["loinc"]) for alias in ("c", "s")]
    loinc = f"CASE WHEN {is_loinc[0]} THEN c.code END"
    local = f"CASE WHEN {concept} IS NULL THEN coalesce({concept_of('f', 'measurement_source_concept_id')}, {text}) END"
    sent = (
        f"CASE WHEN regexp_full_match({text}, {literal(LOINC_SHAPE)}) THEN {text} "
        f"WHEN {is_loinc[1]} THEN s.code ELSE {local} END"
    )
    bar = literal(BAR)
    return f"coalesce({concept}, '') || {bar} || coalesce({loinc}, '') || {bar} || coalesce({sent}, '')"


def _unit() -> str:
    text, concept = text_of("f", "unit_source_value"), concept_of("f", "unit_concept_id")
    return f"nullif(concat(coalesce({text}, ''), {literal(BAR)} || {concept}), '')"


def _value(source_map: SourceMap) -> str:
    """The number with its comparator; a text without any digit says more than a number that was made of it."""
    number, text = text_of("f", "value_as_number"), text_of("f", "value_source_value")
    operator = word_for(concept_of("f", "operator_concept_id"), SIGNS, source_map)
    words = sorted(source_map.values["comparators_in_text"], key=lambda word: (-len(word), word))
    pattern = literal(rf"^({'|'.join(re.escape(word) for word in words)})\s*[0-9.]")
    spoken = f"nullif(regexp_extract(lower({text}), {pattern}, 1), '')"
    sent = f"coalesce({number}, {text})"
    plain = f"{text} IS NULL OR try_cast({text} AS DOUBLE) IS NOT NULL"
    # Most texts are plain numbers; only the others are matched against words, which takes longer.
    return (
        f"CASE WHEN {plain} THEN coalesce({operator} || ' ' || {sent}, {sent}) "
        f"WHEN NOT regexp_matches({text}, '[0-9]') THEN {text} "
        f"WHEN {number} IS NOT NULL THEN concat(coalesce({operator}, {spoken}) || ' ', {number}) "
        f"WHEN {spoken} IS NULL THEN concat({operator} || ' ', {text}) ELSE {text} END"
    )
