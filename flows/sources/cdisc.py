"""CDISC SDTM as XPT or CSV: laboratory, vital signs, exposure, medication, events and demographics of a study.

A result counts in its original unit, and in the standard one where the original has none. A date needs its day:
"2013-05" is none. Without any date the study days stand in, and there is no calendar. A dose of zero and a placebo are
no dose. Words, codes and what they mean stand in `definitions/source_maps/cdisc.yaml`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from flows.parsing import RELATIVE_ANCHOR, one_of
from flows.sources.protocol import (
    Adapter,
    Feed,
    Kind,
    Layout,
    Moment,
    Recognised,
    SourceFile,
    assemble,
    computed_moment,
    files_of,
    literal,
    moment_of,
    raw_select,
    text_of,
)
from transforms.model.sources import SourceMap

ADAPTER = Adapter(
    name="cdisc",
    title="CDISC SDTM: LB, DM, EX, CM, AE, VS (XPT or CSV)",
    carries=(
        "laboratory results",
        "people",
        "spans of observation",
        "drugs given and reported",
        "adverse events as MedDRA terms",
        "temperatures",
    ),
    cannot_carry=("stays", "status of a result and its corrections", "time of a result", "survey weights", "ICD codes"),
)
MARKS: Mapping[str, frozenset[str]] = {
    "lb": frozenset({"usubjid", "lbtestcd"}),
    "dm": frozenset({"usubjid", "domain", "rfstdtc", "sex"}),
    "ex": frozenset({"usubjid", "extrt"}),
    "cm": frozenset({"usubjid", "cmtrt"}),
    "ae": frozenset({"usubjid", "aeterm"}),
    "vs": frozenset({"usubjid", "vstestcd"}),
}
TEXTS: Mapping[str, tuple[str, ...]] = {
    "lb": (
        *("USUBJID", "LBREFID", "LBTESTCD", "LBLOINC", "LBCAT", "LBSPEC", "LBSTAT", "LBDY"),
        *("LBORRES", "LBORRESU", "LBORNRLO", "LBSTRESC", "LBSTRESN", "LBSTRESU", "LBSTNRLO"),
    ),
    "dm": (
        *("USUBJID", "SEX", "RACE", "ETHNIC", "AGE", "AGEU", "BRTHDTC", "DTHDTC"),
        *("RFICDTC", "RFSTDTC", "RFENDTC", "RFPENDTC"),
    ),
    "ex": (
        *("USUBJID", "EXTRT", "EXDOSE", "EXDOSTXT", "EXDOSU", "EXROUTE", "EXOCCUR", "EXSTAT"),
        *("EXSTDTC", "EXENDTC", "EXSTDY", "EXENDY"),
    ),
    "cm": (
        *("USUBJID", "CMTRT", "CMDECOD", "CMDOSE", "CMDOSTXT", "CMDOSU", "CMROUTE", "CMOCCUR", "CMSTAT"),
        *("CMSTDTC", "CMENDTC", "CMSTDY", "CMENDY"),
    ),
    "ae": ("USUBJID", "AETERM", "AEDECOD", "AEPTCD", "AESTDTC", "AESTDY"),
    "vs": (
        *("USUBJID", "VSTESTCD", "VSLOC", "VSSTAT", "VSDY"),
        *("VSORRES", "VSORRESU", "VSSTRESC", "VSSTRESN", "VSSTRESU"),
    ),
}
TIMES: Mapping[str, tuple[str, ...]] = {"lb": ("LBDTC",), "vs": ("VSDTC",)}
Given = dict[str, str | Moment]


def recognise_cdisc(files: Sequence[SourceFile], source_map: SourceMap) -> Recognised | None:
    """The domains by their columns; None without laboratory results or demographics."""
    roles = files_of(files, MARKS)
    if not {"lb", "dm"} & set(roles):
        return None
    placed = _placed(roles, source_map)
    feeds = tuple(feed for role in roles for feed in FEEDS[role](placed))
    return replace(
        assemble(ADAPTER, placed, files, roles, {role: _needed(role, placed) for role in roles}, feeds),
        hints=_hints(roles, placed),
    )


def _placed(roles: Mapping[str, tuple[SourceFile, ...]], source_map: SourceMap) -> SourceMap:
    """The source map, with relative dates when the results have study days only."""
    headers = {header.casefold() for file in roles.get("lb", ()) for header in file.headers}
    has_days_only = "lbdy" in headers and "lbdtc" not in headers
    return source_map.model_copy(update={"dates": "relative", "relative_unit": "days"}) if has_days_only else source_map


def _needed(role: str, source_map: SourceMap) -> dict[str, Kind]:
    texts: dict[str, Kind] = dict.fromkeys(TEXTS[role], "text")
    times: dict[str, Kind] = dict.fromkeys(TIMES.get(role, ()), "time")
    return texts if source_map.dates == "relative" else {**texts, **times}


def _hints(roles: Mapping[str, tuple[SourceFile, ...]], source_map: SourceMap) -> tuple[str, ...]:
    hints = []
    if source_map.dates == "relative":
        hints.append("The results have study days and no dates, so nothing can be said of calendar time.")
    if "dm" not in roles:
        hints.append("There is no DM, so nobody has an age, a sex or a span of observation.")
    return tuple(hints)


def _results(source_map: SourceMap) -> tuple[Feed, ...]:
    original, unit = text_of("f", "LBORRES"), text_of("f", "LBORRESU")
    standard = f"coalesce({text_of('f', 'LBSTRESC')}, {text_of('f', 'LBSTRESN')})"
    standard_unit = text_of("f", "LBSTRESU")
    is_original = f"{original} IS NOT NULL AND ({unit} IS NOT NULL OR {standard_unit} IS NULL OR {standard} IS NULL)"
    result = f"CASE WHEN {is_original} THEN {original} ELSE {standard} END"
    low, standard_low = text_of("f", "LBORNRLO"), text_of("f", "LBSTNRLO")
    given: Given = {
        "person_id": text_of("f", "USUBJID"),
        "specimen_id": text_of("f", "LBREFID"),
        "code": f"coalesce({text_of('f', 'LBLOINC')}, upper({text_of('f', 'LBTESTCD')}))",
        "value": f"CASE WHEN NOT {one_of(text_of('f', 'LBSTAT'), source_map.values['not_done'])} THEN {result} END",
        "unit": f"CASE WHEN {is_original} THEN {unit} ELSE {standard_unit} END",
        "reference_low": f"CASE WHEN {is_original} THEN {low} ELSE {standard_low} END",
        "specimen": f"coalesce({text_of('f', 'LBSPEC')}, {_fluid(source_map)})",
        "collected_at": _study_day("LBDY") if source_map.dates == "relative" else moment_of("f", "LBDTC"),
    }
    return (Feed("canonical.lab", "lb", raw_select("lab", given, "{lb} f")),)


def _fluid(source_map: SourceMap) -> str:
    """What a category of tests is about, where no specimen is named."""
    table = next(table for table in source_map.tables if table.table == "lab")
    fluids = table.value_spellings["specimen"]
    whens = " ".join(f"WHEN {literal(category)} THEN {literal(fluid)}" for category, fluid in fluids.items())
    return f"CASE upper({text_of('f', 'LBCAT')}) {whens} END"


def _people(source_map: SourceMap) -> tuple[Feed, ...]:
    unit, age = text_of("f", "AGEU"), f"try_cast({text_of('f', 'AGE')} AS DOUBLE)"
    units = source_map.values["age_units"]
    whens = " ".join(f"WHEN {literal(name)} THEN floor({age} / {source_map.numbers[name]})" for name in units)
    person = text_of("f", "USUBJID")
    given: Given = {
        "person_id": person,
        "sex": text_of("f", "SEX"),
        "birth_year": f"try_cast(left({text_of('f', 'BRTHDTC')}, 4) AS INTEGER)",
        "age_years": f"try_cast(CASE lower({unit}) {whens} END AS INTEGER)",
        "age_at": _start("RFSTDTC", source_map),
        "died_on": _date("DTHDTC", source_map),
        "race_ethnicity": f"nullif(concat_ws(', ', {text_of('f', 'RACE')}, {text_of('f', 'ETHNIC')}), '')",
    }
    people = Feed("canonical.person", "dm", raw_select("person", given, "{dm} f"))
    if source_map.dates == "relative":
        return (people,)
    first, last = (_first_of(names, source_map) for names in (("RFICDTC", "RFSTDTC"), ("RFPENDTC", "RFENDTC")))
    span: Given = {"person_id": person, "started_on": first, "ended_on": last}
    wanted = f"({first.value}) IS NOT NULL AND ({last.value}) IS NOT NULL"
    return (people, Feed("canonical.observation", "dm", raw_select("observation", span, "{dm} f", wanted=wanted)))


def _doses(source_map: SourceMap) -> tuple[Feed, ...]:
    agent, dose = text_of("f", "EXTRT"), text_of("f", "EXDOSE")
    is_nothing = f"coalesce(try_cast({dose} AS DOUBLE) = 0, false)"
    given = _drug("EX", source_map) | {
        "agent": agent,
        "evidence": literal("administered"),
        "status": f"CASE WHEN {is_nothing} OR {_not_taken('EX', source_map)} THEN 'not given' END",
    }
    wanted = f"NOT {one_of(agent, source_map.values['placebos'])}"
    return (Feed("canonical.exposure", "ex", raw_select("exposure", given, "{ex} f", wanted=wanted)),)


def _medication(source_map: SourceMap) -> tuple[Feed, ...]:
    given = _drug("CM", source_map) | {
        "agent": f"coalesce({text_of('f', 'CMDECOD')}, {text_of('f', 'CMTRT')})",
        "evidence": literal("reported"),
        "status": f"CASE WHEN {_not_taken('CM', source_map)} THEN 'not given' END",
    }
    return (Feed("canonical.exposure", "cm", raw_select("exposure", given, "{cm} f")),)


def _drug(domain: str, source_map: SourceMap) -> Given:
    return {
        "person_id": text_of("f", "USUBJID"),
        "route": text_of("f", f"{domain}ROUTE"),
        "dose": f"coalesce({text_of('f', f'{domain}DOSE')}, {text_of('f', f'{domain}DOSTXT')})",
        "dose_unit": text_of("f", f"{domain}DOSU"),
        "started_at": _begin(domain, source_map),
        "ended_at": _study_day(f"{domain}ENDY")
        if source_map.dates == "relative"
        else _date(f"{domain}ENDTC", source_map),
    }


def _not_taken(domain: str, source_map: SourceMap) -> str:
    occurred, status = text_of("f", f"{domain}OCCUR"), text_of("f", f"{domain}STAT")
    return f"({one_of(occurred, source_map.values['no'])} OR {one_of(status, source_map.values['not_done'])})"


def _events(source_map: SourceMap) -> tuple[Feed, ...]:
    given: Given = {
        "person_id": text_of("f", "USUBJID"),
        "code": f"coalesce({text_of('f', 'AEPTCD')}, {text_of('f', 'AEDECOD')}, {text_of('f', 'AETERM')})",
        "code_system": literal("other"),
        "recorded_at": _begin("AE", source_map),
    }
    return (Feed("canonical.diagnosis", "ae", raw_select("diagnosis", given, "{ae} f")),)


def _temperatures(source_map: SourceMap) -> tuple[Feed, ...]:
    standard, sent = f"coalesce({text_of('f', 'VSSTRESN')}, {text_of('f', 'VSSTRESC')})", text_of("f", "VSORRES")
    standard_unit, unit = text_of("f", "VSSTRESU"), text_of("f", "VSORRESU")
    celsius, fahrenheit = source_map.values["celsius"], source_map.values["fahrenheit"]
    freezing, per_celsius = source_map.numbers["freezing_fahrenheit"], source_map.numbers["fahrenheit_per_5_celsius"]
    above = f"(try_cast({sent} AS DECIMAL(9,4)) - {freezing})"
    converted = f"round({above} * 5 / {per_celsius}, 2)::DECIMAL(9,2)::VARCHAR"
    degrees = f"""CASE WHEN {one_of(text_of("f", "VSSTAT"), source_map.values["not_done"])} THEN NULL
        WHEN {one_of(standard_unit, celsius)} AND {standard} IS NOT NULL THEN {standard}
        WHEN {one_of(unit, celsius)} THEN {sent}
        WHEN {one_of(unit, fahrenheit)} THEN coalesce({converted}, {sent})
        ELSE concat_ws(' ', {sent}, coalesce({unit}, 'without a unit')) END"""
    given: Given = {
        "person_id": text_of("f", "USUBJID"),
        "celsius": degrees,
        "site": text_of("f", "VSLOC"),
        "measured_at": _study_day("VSDY") if source_map.dates == "relative" else moment_of("f", "VSDTC"),
    }
    belongs = one_of("VSTESTCD", source_map.values["temperature"])
    return (Feed("canonical.vital", "vs", raw_select("vital", given, "{vs} f", where=belongs), belongs=belongs),)


def _begin(domain: str, source_map: SourceMap) -> Moment:
    return _study_day(f"{domain}STDY") if source_map.dates == "relative" else _date(f"{domain}STDTC", source_map)


def _start(header: str, source_map: SourceMap) -> Moment:
    """The day from which study days count."""
    return Moment(RELATIVE_ANCHOR, is_day="true") if source_map.dates == "relative" else _date(header, source_map)


def _date(header: str, source_map: SourceMap) -> Moment:
    """A date of which the day is known; a text that stops at the month or the year is no fault, but no date either."""
    text = text_of("f", header)
    formats = ", ".join(literal(form) for form in source_map.datetime_formats)
    iso = f"CASE WHEN length({text}) >= 10 AND {text}[1] BETWEEN '0' AND '9' THEN try_cast({text} AS TIMESTAMP) END"
    at = f"coalesce({iso}, try_strptime({text}, [{formats}]))"
    is_partial = f"(length({text}) < 10 OR contains({text}, '--'))"
    is_bad, is_day = f"coalesce({at} IS NULL AND NOT {is_partial}, false)", f"coalesce(length({text}) <= 10, false)"
    return computed_moment(at, f"{at} IS NOT NULL", is_bad, is_day)


def _first_of(headers: Sequence[str], source_map: SourceMap) -> Moment:
    moments = [_date(header, source_map) for header in headers]
    return Moment(f"coalesce({', '.join(moment.value for moment in moments)})", is_day="true")


def _study_day(header: str) -> Moment:
    """A study day as a date: day 1 is the first, day -1 the one before it, and there is no day 0."""
    text = text_of("f", header)
    day = f"try_cast(try_cast({text} AS DOUBLE) AS INTEGER)"
    at = f"({RELATIVE_ANCHOR} + to_days(CASE WHEN {day} > 0 THEN {day} - 1 WHEN {day} < 0 THEN {day} END))"
    return computed_moment(at, f"{text} IS NOT NULL", is_day="true")


FEEDS: Mapping[str, Callable[[SourceMap], tuple[Feed, ...]]] = {
    "lb": _results,
    "dm": _people,
    "ex": _doses,
    "cm": _medication,
    "ae": _events,
    "vs": _temperatures,
}


LAYOUT = Layout(ADAPTER, recognise_cdisc, MARKS)
