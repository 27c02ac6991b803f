"""OMOP CDM 5.3 and 5.4: CSV, Parquet, a zip of either, or one DuckDB file; header-only tables are empty tables.

The tables are known by columns that only they have and that both versions share. Names of drugs and codes of
conditions come through CONCEPT where it is given; without it only what the rows themselves say is used. Month and day
of birth and person_source_value are never read. Which concept means what stands in `definitions/source_maps/omop.yaml`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from flows.parsing import one_of, person_key
from flows.sources.omop_columns import concept_of, concepts, ids_in, moment_of_columns, word_for
from flows.sources.omop_measurements import feed_labs, feed_temperatures
from flows.sources.protocol import (
    Adapter,
    Feed,
    Kind,
    Layout,
    Moment,
    Recognised,
    SourceFile,
    assemble,
    files_of,
    literal,
    moment_of,
    raw_select,
    text_of,
)
from transforms.model.sources import SourceMap

ADAPTER = Adapter(
    name="omop",
    title="OMOP CDM 5.3 and 5.4 (CSV, Parquet, zip or DuckDB file)",
    carries=(
        *("laboratory results", "people", "observed spans", "stays", "drugs with their evidence", "diagnoses"),
        "temperatures",
    ),
    cannot_carry=(
        "the specimen of a result: results of one moment are one specimen",
        "the status and the version of a result",
        "the minute of a midnight, unless the source map says that times are times",
        "doses (they would need DRUG_STRENGTH)",
    ),
)


def _columns(texts: str, times: str = "") -> Mapping[str, Kind]:
    kinds: dict[str, Kind] = dict.fromkeys(texts.split(), "text")
    return kinds | dict.fromkeys(times.split(), "time")


NEEDED: Mapping[str, Mapping[str, Kind]] = {
    "person": _columns(
        "person_id gender_concept_id gender_source_value year_of_birth race_concept_id race_source_value "
        "ethnicity_concept_id ethnicity_source_value"
    ),
    "death": _columns("person_id", "death_datetime death_date"),
    "observation_period": _columns("person_id", "observation_period_start_date observation_period_end_date"),
    "visit_occurrence": _columns(
        "person_id visit_concept_id", "visit_start_datetime visit_start_date visit_end_datetime visit_end_date"
    ),
    "measurement": _columns(
        "person_id measurement_concept_id measurement_source_value measurement_source_concept_id operator_concept_id "
        "value_as_number value_source_value range_low measurement_time unit_concept_id unit_source_value",
        "measurement_datetime measurement_date",
    ),
    "drug_exposure": _columns(
        "person_id drug_concept_id drug_source_concept_id drug_source_value drug_type_concept_id route_concept_id "
        "route_source_value",
        "drug_exposure_start_datetime drug_exposure_start_date drug_exposure_end_datetime drug_exposure_end_date",
    ),
    "condition_occurrence": _columns(
        "person_id condition_concept_id condition_source_concept_id condition_source_value",
        "condition_start_datetime condition_start_date",
    ),
    "concept": _columns("concept_id concept_name vocabulary_id concept_code"),
}
MARKS: Mapping[str, frozenset[str]] = {
    "person": frozenset({"person_id", "gender_concept_id", "year_of_birth"}),
    "death": frozenset({"person_id", "death_date", "death_type_concept_id"}),
    "observation_period": frozenset({"observation_period_id", *NEEDED["observation_period"]}),
    "visit_occurrence": frozenset({"visit_occurrence_id", "person_id", "visit_concept_id", "visit_start_date"}),
    "measurement": frozenset({"measurement_id", "person_id", "measurement_concept_id", "measurement_date"}),
    "drug_exposure": frozenset({"drug_exposure_id", "person_id", "drug_concept_id", "drug_exposure_start_date"}),
    "condition_occurrence": frozenset(
        {"condition_occurrence_id", "person_id", "condition_concept_id", "condition_start_date"}
    ),
    "concept": frozenset(NEEDED["concept"]),
}
SYSTEMS = {"icd10cm": "vocabulary_icd10cm", "icd10gm": "vocabulary_icd10gm", "icd10who": "vocabulary_icd10who"} | {
    "icd9cm": "vocabulary_icd9cm"
}
EVIDENCE = {evidence: evidence for evidence in ("administered", "dispensed", "ordered", "reported")}
SETTINGS = {setting: setting for setting in ("inpatient", "emergency", "outpatient")}
ICD_SHAPE = r"[A-Z][0-9][0-9A-Z](\.?[0-9A-Z]{1,4})?|[0-9]{3}(\.?[0-9]{1,2})?|[VE][0-9]{2,3}\.[0-9]{1,2}"


def recognise_omop(files: Sequence[SourceFile], source_map: SourceMap) -> Recognised | None:
    """The tables by their columns; None unless one of them holds facts about people."""
    roles = files_of(files, MARKS)
    if not set(roles) - {"concept"}:
        return None
    has_concepts = "concept" in roles
    feeds: list[Feed] = []
    if "measurement" in roles:
        feeds += [feed_labs(source_map, has_concepts=has_concepts), feed_temperatures(source_map)]
    feeds += [feed(source_map, frozenset(roles)) for role, feed in FEEDS.items() if role in roles]
    return replace(assemble(ADAPTER, source_map, files, roles, NEEDED, feeds), hints=_hints(roles))


def _hints(roles: Mapping[str, object]) -> tuple[str, ...]:
    hints = {
        "concept": "There is no CONCEPT table: a drug is known only by what drug_source_value says, and the code of a "
        "condition only by condition_source_value. Add the CONCEPT table of your vocabulary.",
        "measurement": "There is no MEASUREMENT table, so there is no blood count.",
        "observation_period": "There is no OBSERVATION_PERIOD table: who was under observation is inferred.",
    }
    return tuple(hint for role, hint in hints.items() if role not in roles)


def _people(source_map: SourceMap, roles: frozenset[str]) -> Feed:
    names = concepts(ids_in("person", "race_concept_id", "ethnicity_concept_id"), is_known="concept" in roles)
    given: dict[str, str | Moment] = {
        "person_id": text_of("f", "person_id"),
        "sex": f"coalesce({concept_of('f', 'gender_concept_id')}, {text_of('f', 'gender_source_value')})",
        "birth_year": concept_of("f", "year_of_birth"),
        "race_ethnicity": f"nullif(concat_ws(', ', coalesce(r.name, {text_of('f', 'race_source_value')}), "
        f"coalesce(e.name, {text_of('f', 'ethnicity_source_value')})), '')",
    }
    source = (
        f"{{person}} f LEFT JOIN {names} r ON {concept_of('f', 'race_concept_id')} = r.id "
        f"LEFT JOIN {names} e ON {concept_of('f', 'ethnicity_concept_id')} = e.id"
    )
    if "death" in roles:
        died = moment_of_columns("death_datetime", "death_date", source_map, alias="x")
        who = person_key(text_of("x", "person_id"))
        deaths = (
            f"(SELECT {who} AS person_id, min({died.value}) AS died_on, bool_or({died.is_bad}) AS is_bad "
            "FROM {death} x GROUP BY 1)"
        )
        source += f" LEFT JOIN {deaths} d ON {person_key(text_of('f', 'person_id'))} = d.person_id"
        given["died_on"] = Moment("d.died_on", "coalesce(d.died_on IS NULL AND d.is_bad, false)")
    lookups = tuple(role for role in ("death", "concept") if role in roles)
    return Feed("canonical.person", "person", raw_select("person", given, source), lookups)


def _spans(_source_map: SourceMap, _roles: frozenset[str]) -> Feed:
    given: dict[str, str | Moment] = {
        "person_id": text_of("f", "person_id"),
        "started_on": moment_of("f", "observation_period_start_date"),
        "ended_on": moment_of("f", "observation_period_end_date"),
    }
    select = raw_select("observation", given, "{observation_period} f")
    return Feed("canonical.observation", "observation_period", select)


def _visits(source_map: SourceMap, _roles: frozenset[str]) -> Feed:
    given: dict[str, str | Moment] = {
        "person_id": text_of("f", "person_id"),
        "setting": word_for(concept_of("f", "visit_concept_id"), SETTINGS, source_map, literal("other")),
        "started_at": moment_of_columns("visit_start_datetime", "visit_start_date", source_map),
        "ended_at": moment_of_columns("visit_end_datetime", "visit_end_date", source_map),
    }
    return Feed("canonical.encounter", "visit_occurrence", raw_select("encounter", given, "{visit_occurrence} f"))


def _drugs(source_map: SourceMap, roles: frozenset[str]) -> Feed:
    sent, values = text_of("f", "drug_source_value"), source_map.values
    is_rxnorm = [one_of(f"{alias}.vocabulary", values["rxnorm"]) for alias in ("c", "s")]
    is_atc = one_of("s.vocabulary", values["atc"])
    declared = sent if "rxnorm" in values.get("drug_source_vocabulary", ()) else "NULL"
    given: dict[str, str | Moment] = {
        "person_id": text_of("f", "person_id"),
        "agent": f"coalesce(c.name, s.name, {sent})",
        "atc": f"CASE WHEN {is_atc} THEN s.code END",
        "rxnorm": f"CASE WHEN {is_rxnorm[0]} THEN c.code WHEN {is_rxnorm[1]} THEN s.code ELSE {declared} END",
        "route": f"coalesce({text_of('f', 'route_source_value')}, t.name)",
        "evidence": word_for(concept_of("f", "drug_type_concept_id"), EVIDENCE, source_map),
        "started_at": moment_of_columns("drug_exposure_start_datetime", "drug_exposure_start_date", source_map),
        "ended_at": moment_of_columns("drug_exposure_end_datetime", "drug_exposure_end_date", source_map),
    }
    ids = {"c": "drug_concept_id", "s": "drug_source_concept_id", "t": "route_concept_id"}
    select = raw_select("exposure", given, _joined("drug_exposure", ids, roles))
    return Feed("canonical.exposure", "drug_exposure", select, ("concept",) if "concept" in roles else ())


def _conditions(source_map: SourceMap, roles: frozenset[str]) -> Feed:
    sent = text_of("f", "condition_source_value")
    declared = [word for word in source_map.values.get("condition_source_vocabulary", ()) if word in SYSTEMS][:1]
    by_shape = literal(declared[0]) if declared else "NULL"
    system = (
        f"CASE WHEN s.vocabulary IS NOT NULL THEN {word_for('s.vocabulary', SYSTEMS, source_map, literal('other'))} "
        f"WHEN regexp_full_match(upper({sent}), {literal(ICD_SHAPE)}) THEN {by_shape} ELSE 'other' END"
    )
    given: dict[str, str | Moment] = {
        "person_id": text_of("f", "person_id"),
        "code": f"coalesce(s.code, {sent}, c.code, {concept_of('f', 'condition_concept_id')})",
        "code_system": system,
        "recorded_at": moment_of_columns("condition_start_datetime", "condition_start_date", source_map),
    }
    ids = {"c": "condition_concept_id", "s": "condition_source_concept_id"}
    select = raw_select("diagnosis", given, _joined("condition_occurrence", ids, roles))
    return Feed("canonical.diagnosis", "condition_occurrence", select, ("concept",) if "concept" in roles else ())


def _joined(role: str, ids: Mapping[str, str], roles: frozenset[str]) -> str:
    """The file at hand as f, with CONCEPT joined once for each alias by the ids in its column."""
    joins = [
        f"LEFT JOIN {concepts(ids_in(role, header), is_known='concept' in roles)} {alias} "
        f"ON {concept_of('f', header)} = {alias}.id"
        for alias, header in ids.items()
    ]
    return " ".join([f"{{{role}}} f", *joins])


FEEDS: Mapping[str, Callable[[SourceMap, frozenset[str]], Feed]] = {
    "person": _people,
    "observation_period": _spans,
    "visit_occurrence": _visits,
    "drug_exposure": _drugs,
    "condition_occurrence": _conditions,
}


LAYOUT = Layout(ADAPTER, recognise_omop)
