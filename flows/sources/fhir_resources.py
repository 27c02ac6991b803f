"""What is read of a FHIR resource, R4 and STU3 alike: one row of plain columns, whatever its type.

Only the elements named in STRUCTURE are ever taken out of the JSON, so that names, addresses, contacts, identifiers
and narratives are not. Codes are matched by system and code, never by display. An element of another shape than
the specification says is read as missing.
"""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from flows.parsing import one_of
from flows.sources.fhir_times import local_times, moments_as_written
from flows.sources.protocol import Kind, literal, quote
from transforms.model.sources import KnownPlace, SourceMap

CODINGS = [{"system": "VARCHAR", "code": "VARCHAR", "display": "VARCHAR"}]
CONCEPT = {"coding": CODINGS, "text": "VARCHAR"}
QUANTITY = {"value": "VARCHAR", "comparator": "VARCHAR", "unit": "VARCHAR", "system": "VARCHAR", "code": "VARCHAR"}
PERIOD = {"start": "VARCHAR", "end": "VARCHAR"}
REFERENCE = {"reference": "VARCHAR", "display": "VARCHAR"}
VALUE: Mapping[str, Any] = {
    "valueQuantity": QUANTITY,
    "valueString": "VARCHAR",
    "valueInteger": "VARCHAR",
    "valueCodeableConcept": CONCEPT,
    "referenceRange": [{"low": QUANTITY}],
}
DOSAGE: Mapping[str, Any] = {
    "route": CONCEPT,
    "dose": QUANTITY,
    "doseQuantity": QUANTITY,
    "doseAndRate": [{"doseQuantity": QUANTITY}],
    "timing": {"event": ["VARCHAR"], "repeat": {"boundsPeriod": PERIOD}},
}
DRUG: Mapping[str, Any] = {"code": CONCEPT, "ingredient": [{"itemCodeableConcept": CONCEPT}]}
STRUCTURE: Mapping[str, Any] = {
    **dict.fromkeys(("resourceType", "id", "status", "gender", "birthDate", "deceasedDateTime", "intent"), "VARCHAR"),
    **dict.fromkeys(("doNotPerform", "notGiven", "notDone", "taken"), "VARCHAR"),
    **dict.fromkeys(("effectiveDateTime", "effectiveInstant", "issued", "authoredOn", "dateAsserted"), "VARCHAR"),
    **dict.fromkeys(("whenHandedOver", "whenPrepared", "onsetDateTime", "recordedDate", "assertedDate"), "VARCHAR"),
    **dict.fromkeys(("effectivePeriod", "onsetPeriod", "period"), PERIOD),
    **dict.fromkeys(("subject", "specimen", "medicationReference"), REFERENCE),
    **dict.fromkeys(("medicationCodeableConcept", "bodySite", "type"), CONCEPT),
    **dict.fromkeys(("class", "verificationStatus", "dosage"), "JSON"),
    **DRUG,
    **VALUE,
    "component": [{"code": CONCEPT, **VALUE}],
    "contained": [{"id": "VARCHAR", "resourceType": "VARCHAR", "status": "VARCHAR", **DRUG, **VALUE, "type": CONCEPT}],
    "modifierExtension": [{"url": "VARCHAR"}],
    "dosageInstruction": [DOSAGE],
    "meta": {"lastUpdated": "VARCHAR"},
}
COLUMNS: Mapping[str, Kind] = {
    **dict.fromkeys(("resource_type", "full_url", "resource_key", "subject", "subject_type", "person_id"), "text"),
    **dict.fromkeys(("status", "code", "value", "unit", "reference_low", "panel", "site"), "text"),
    **dict.fromkeys(("specimen_key", "specimen", "sex", "birth_year", "setting"), "text"),
    **dict.fromkeys(("diagnosis_system", "diagnosis_code", "verification", "intent"), "text"),
    **dict.fromkeys(("medication", "agent", "rxnorm", "atc", "route", "dose", "dose_unit"), "text"),
    **dict.fromkeys(("started_at", "ended_at", "resulted_at", "died_on"), "time"),
}
MODIFIED = "with a modifierExtension"  # which may say that the result is none; who does not know it must not read on
IS_DRUG = "starts_with(resource.resourceType, 'Medication')"
KEY = "([A-Za-z]+/[^/?#|]+)(/_history/[^/]+)?$"
Words = Mapping[str, Sequence[str]]


def fhir_places(source_map: SourceMap) -> tuple[KnownPlace, ...]:
    """The places of the map that are elements of resources."""
    return tuple(place for place in source_map.known_identifiers if place.element)


def structure_with(places: Sequence[KnownPlace]) -> Mapping[str, Any]:
    """STRUCTURE and the elements of these places, of which only whether they are there is taken."""
    there = {_name(place): ["BOOLEAN"] if place.element.endswith("[]") else {"there": "BOOLEAN"} for place in places}
    return {**there, **STRUCTURE}


def read_places(places: Sequence[KnownPlace]) -> str:
    """SQL of the places that a resource fills, as bits of a number in their order."""
    bits = []
    for bit, place in enumerate(places):
        kind, name = place.element.partition(".")[0], f"resource.{quote(_name(place))}"
        is_filled = f"{name} IS NOT NULL"
        if place.element.endswith("[]") and _name(place) not in STRUCTURE:
            is_filled = f"len({name}) > 0"
        elif place.unless:
            is_filled = f"NOT regexp_full_match({name}, {literal(place.unless)})"
        of_kind = "" if kind == "*" else f"resource.resourceType = {literal(kind)} AND "
        bits.append(f"CASE WHEN {of_kind}{is_filled} THEN {1 << bit} ELSE 0 END")
    return " + ".join(bits) or "0"


def _name(place: KnownPlace) -> str:
    return place.element.partition(".")[2].removesuffix("[]")


def read_resources(resources: str, source_map: SourceMap, needed: Mapping[str, Kind]) -> str:
    """SELECT of `read_from`, `is_malformed`, `filled_places` and the needed columns.

    `resources` gives `read_from`, `full_url` and `resource` (as structure_with). What several columns are made of is
    computed once, below, because a repeated expression is computed again.
    """
    words = source_map.values
    below = {
        "subject_key": _key("resource.subject.reference"),
        "substance": _substance(),
        "dosage": f"coalesce(resource.dosageInstruction[1], {_dosage()})",
        **moments_as_written(),
    }
    columns = {
        **_identity(),
        **_result(words, source_map.codes),
        **_person_and_stay(),
        **_diagnosis(words),
        **_drug(words),
        **local_times(next(iter(words["time_zone"]), "")),
    }
    parts = ", ".join(f"{sql} AS {name}" for name, sql in below.items())
    listed = ", ".join(f"{columns[name]} AS {quote(name)}" for name in needed)
    places = read_places(fhir_places(source_map))
    told = f"read_from, resource IS NULL AS is_malformed, {places} AS filled_places"
    return f"SELECT {told}, {listed} FROM (SELECT *, {parts} FROM ({resources}))"


def _identity() -> dict[str, str]:
    subject, own = "resource.subject.reference", "resource.id"
    bare = "regexp_replace({}, '^urn:[a-z]+:', '')"
    return {
        "resource_type": "resource.resourceType",
        "full_url": "full_url",
        "resource_key": f"resource.resourceType || '/' || {own}",
        "subject": subject,
        "subject_type": "CASE WHEN NOT starts_with(subject_key, 'urn:') THEN split_part(subject_key, '/', 1) END",
        "person_id": f"""CASE WHEN resource.resourceType = 'Patient' THEN coalesce({own}, {bare.format("full_url")})
            WHEN starts_with(subject_key, 'urn:') THEN {bare.format("subject_key")}
            WHEN starts_with(subject_key, 'Patient/') THEN split_part(subject_key, '/', 2) END""",
    }


def _key(reference: str) -> str:
    """`Patient/123` of a relative, absolute or versioned reference; a URN as it is; null for a search or a fragment."""
    plain = f"nullif(regexp_extract({reference}, '{KEY}', 1), '')"
    return f"CASE WHEN {reference} LIKE 'urn:%' THEN {reference} WHEN NOT contains({reference}, '?') THEN {plain} END"


def _result(words: Words, codes: Mapping[str, str]) -> dict[str, str]:
    specimen, display = _specimen("resource.type", words), _specimen_word("resource.specimen.display", words)
    contained = "list_filter(resource.contained, lambda c: '#' || c.id = resource.specimen.reference)[1].type"
    told = f"CASE WHEN {one_of(display, words['specimens'])} THEN {display} END"
    part = {
        "status": "{status}",
        "code": _test_code("p.code", words, codes),
        "value": _value("p"),
        "unit": _unit("p.valueQuantity", words),
        "reference_low": _reference_low("p"),
    }
    parts = ", ".join(f"{name}: {sql}" for name, sql in part.items())
    of_panel, of_report = (parts.replace("{status}", status) for status in ("NULL::VARCHAR", "p.status"))
    results = "list_filter(resource.contained, lambda c: c.resourceType = 'Observation')"
    is_report = f"resource.resourceType = 'DiagnosticReport' AND len({results}) > 0"
    return {
        "code": _test_code("resource.code", words, codes),
        "value": _value("resource"),
        "unit": _unit("resource.valueQuantity", words),
        "reference_low": _reference_low("resource"),
        "panel": f"CASE WHEN len(resource.component) > 0 "
        f"THEN list_transform(resource.component, lambda p: {{{of_panel}}}) "
        f"WHEN {is_report} THEN list_transform({results}, lambda p: {{{of_report}}}) END",
        "site": "coalesce(resource.bodySite.text, resource.bodySite.coding[1].display)",
        "specimen_key": _key("resource.specimen.reference"),
        "specimen": f"""CASE WHEN resource.resourceType = 'Specimen' THEN {specimen}
            WHEN resource.specimen.reference[1] = '#' THEN {_specimen(contained, words)} ELSE {told} END""",
    }


def _test_code(concept: str, words: Words, codes: Mapping[str, str]) -> str:
    """The first LOINC code, else the first code that the source map translates."""
    loinc = _coded(concept, words["loinc"], "code")
    if not codes:
        return loinc
    listed = ", ".join(literal(code) for code in codes)
    return f"coalesce({loinc}, list_filter({concept}.coding, lambda c: c.code IN ({listed}))[1].code)"


def _coded(concept: str, systems: Sequence[str], element: str) -> str:
    """An element of the first coding in one of the systems; the first coding is tried first, because it is fast."""
    listed = ", ".join(literal(system) for system in systems)
    first = f"{concept}.coding[1]"
    return (
        f"CASE WHEN {first}.system IN ({listed}) THEN {first}.{element} "
        f"ELSE list_filter({concept}.coding, lambda c: c.system IN ({listed}))[1].{element} END"
    )


def _value(part: str) -> str:
    concept = f"{part}.valueCodeableConcept"
    return f"""CASE WHEN {part}.valueQuantity.value IS NOT NULL
        THEN concat({part}.valueQuantity.comparator, {part}.valueQuantity.value)
        ELSE nullif(trim(coalesce({part}.valueString, {part}.valueInteger, {_named(concept)})), '') END"""


def _named(concept: str) -> str:
    return f"coalesce({concept}.text, {concept}.coding[1].display, {concept}.coding[1].code)"


def _unit(quantity: str, words: Words) -> str:
    """The code of a UCUM unit, else the unit as shown."""
    is_ucum = f"coalesce({quantity}.system, {literal(words['ucum'][0])}) IN ({_listed(words['ucum'])})"
    shown = f"coalesce({quantity}.unit, {quantity}.code)"
    return f"nullif(trim(CASE WHEN {is_ucum} THEN coalesce({quantity}.code, {quantity}.unit) ELSE {shown} END), '')"


def _listed(words: Sequence[str]) -> str:
    return ", ".join(literal(word) for word in words)


def _reference_low(part: str) -> str:
    """The lower limit of normal, if it is in the unit of the result."""
    low, quantity = f"{part}.referenceRange[1].low", f"{part}.valueQuantity"
    is_same = f"coalesce({low}.code, {low}.unit, '') IN ('', {quantity}.code, {quantity}.unit)"
    return f"CASE WHEN {is_same} THEN {low}.value END"


def _specimen(concept: str, words: Words) -> str:
    """What a specimen is: blood if any of its codes says so, else its name."""
    is_blood = f"len(list_filter({concept}.coding, lambda c: c.code IN ({_listed(words['blood'])}))) > 0"
    return f"CASE WHEN {is_blood} THEN 'blood' ELSE {_specimen_word(_named(concept), words)} END"


def _specimen_word(text: str, words: Words) -> str:
    ending = "|".join(words["specimen_endings"])
    return f"nullif(trim(regexp_replace(lower({text}), ' ({ending})$', '')), '')"


def _person_and_stay() -> dict[str, str]:
    code = "coalesce(resource.class ->> '$.code', resource.class ->> '$[0].coding[0].code', resource.class ->> '$')"
    return {
        "sex": "resource.gender",
        "birth_year": "nullif(regexp_extract(resource.birthDate, '^[0-9]{4}'), '')",
        "setting": f"CASE WHEN resource.resourceType = 'Encounter' THEN {code} END",
    }


def _diagnosis(words: Words) -> dict[str, str]:
    """The code of the first coding in an ICD system, else of the first coding at all, whose system is then `other`."""
    systems = {name: words[name] for name in ("icd10cm", "icd10gm", "icd10who", "icd9cm")}
    known = ", ".join(_listed(uris) for uris in systems.values())
    found = f"list_filter(resource.code.coding, lambda c: c.system IN ({known}))[1]"
    whens = " ".join(
        f"WHEN ({found}).system IN ({_listed(uris)}) THEN {literal(name)}" for name, uris in systems.items()
    )
    first = "resource.code.coding[1]"
    verification = "coalesce(resource.verificationStatus ->> '$.coding[0].code', resource.verificationStatus ->> '$')"
    is_condition = "resource.resourceType = 'Condition'"
    return {
        "diagnosis_code": f"CASE WHEN {is_condition} THEN coalesce(({found}).code, {first}.code) END",
        "diagnosis_system": f"CASE WHEN {is_condition} THEN CASE {whens} "
        f"WHEN {first}.system IS NOT NULL THEN 'other' END END",
        "verification": f"CASE WHEN {is_condition} THEN {verification} END",
    }


def _drug(words: Words) -> dict[str, str]:
    dose = "coalesce(dosage.doseAndRate[1].doseQuantity, dosage.doseQuantity, dosage.dose)"
    texts = {
        "agent": f"coalesce({_named('substance')}, resource.medicationReference.display)",
        "rxnorm": _coded("substance", words["rxnorm"], "code"),
        "atc": _coded("substance", words["atc"], "code"),
        "route": _named("dosage.route"),
        "dose": f"({dose}).value",
        "dose_unit": f"coalesce(({dose}).code, ({dose}).unit)",
    }
    undone = [f"coalesce(resource.{flag} = 'true', false)" for flag in ("doNotPerform", "notGiven", "notDone")]
    undone += [one_of("resource.taken", words["not_taken"]), one_of("resource.status", words["not_done"])]
    is_modified = "resource.resourceType = 'Observation' AND len(resource.modifierExtension) > 0"
    not_done = f"{IS_DRUG} AND ({' OR '.join(undone)})"
    return {
        "status": f"CASE WHEN {not_done} THEN {literal(words['not_done'][0])} "
        f"WHEN {is_modified} THEN {literal(MODIFIED)} ELSE resource.status END",
        "intent": "resource.intent",
        "medication": _key("resource.medicationReference.reference"),
        **{name: f"CASE WHEN {IS_DRUG} THEN nullif(trim({sql}), '') END" for name, sql in texts.items()},
    }


def _substance() -> str:
    """What a drug is: its concept, or the code of the Medication in it, else that one's first ingredient."""
    contained = "list_filter(resource.contained, lambda c: '#' || c.id = resource.medicationReference.reference)[1]"
    of_drug = "coalesce({0}.code, {0}.ingredient[1].itemCodeableConcept)"
    return f"""CASE WHEN resource.resourceType = 'Medication' THEN {of_drug.format("resource")}
        WHEN resource.medicationReference.reference[1] = '#' THEN {of_drug.format(contained)}
        ELSE resource.medicationCodeableConcept END"""


def _dosage() -> str:
    """The dosage of an administration, or the first one of a statement, which has a list of them."""
    one = "CASE WHEN json_type(resource.dosage) = 'ARRAY' THEN resource.dosage -> '$[0]' ELSE resource.dosage END"
    return f"json_transform({one}, {literal(json.dumps(DOSAGE))})"
