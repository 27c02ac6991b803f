"""When a FHIR resource happened, as text of a local time that every format's reader of times understands.

A time is taken as written and its offset dropped, so that a day is the patient's day; with a time zone, a time that
carries an offset is shown on the clock of that zone instead. The later times of one resource are first brought to the
offset of its first one, so that no stay ends before it starts because clocks were changed. A partial date (2012,
2012-05) is no date: it is passed over, and what has nothing better has no date.
"""

from collections.abc import Mapping, Sequence

from flows.sources.protocol import literal

OFFSET = "(Z|[+-][0-9]{2}:?[0-9]{2})$"
BOUNDS = "resource.dosageInstruction[1].timing.repeat.boundsPeriod"
STARTED = (
    *("resource.effectiveDateTime", "resource.effectiveInstant", "resource.effectivePeriod.start"),
    *("resource.effectivePeriod.end", "resource.period.start", "resource.whenHandedOver", "resource.whenPrepared"),
    *(f"{BOUNDS}.start", "resource.dosageInstruction[1].timing.event[1]"),
    *("resource.authoredOn", "resource.dateAsserted", "resource.recordedDate", "resource.assertedDate"),
    *("resource.onsetDateTime", "resource.onsetPeriod.start"),
)
ENDED = (
    *("resource.effectivePeriod.end", "resource.period.end"),
    f"CASE WHEN resource.resourceType = 'MedicationRequest' THEN {BOUNDS}.end END",
    "CASE WHEN resource.resourceType = 'MedicationAdministration' THEN resource.effectiveDateTime END",
)
RESULTED = ("resource.issued", "resource.meta.lastUpdated")


def moments_as_written() -> Mapping[str, str]:
    """SQL of the times of `resource`, as they are written."""
    resulted = f"CASE WHEN resource.resourceType = 'Observation' THEN {_first(RESULTED)} END"
    died = _first(("resource.deceasedDateTime",))
    return {"started": _first(STARTED), "ended": _first(ENDED), "resulted": resulted, "died": died}


def local_times(zone: str) -> Mapping[str, str]:
    """SQL of the time columns over the texts of `moments_as_written`; `zone` may be empty."""
    return {
        "started_at": _local("started", zone),
        "ended_at": _local("ended", zone, "started"),
        "resulted_at": _local("resulted", zone, "started"),
        "died_on": _local("died", zone),
    }


def _first(texts: Sequence[str]) -> str:
    """The first of the texts that is no partial date."""
    partial = "regexp_full_match({0}, '[0-9]{{4}}(-[0-9]{{2}})?')"
    whole = (f"CASE WHEN length({text}) > 7 OR NOT {partial.format(text)} THEN {text} END" for text in texts)
    return f"coalesce({', '.join(whole)})"


def _local(text: str, zone: str, first: str = "") -> str:
    """The time on the clock of the ward, without offset: of the zone, else in the offset of `first`."""
    as_written = (
        f"CASE WHEN {text}[17] = ':' THEN left({text}, 19) "
        f"WHEN contains({text}, 'T') THEN regexp_replace({text}, '{OFFSET}', '') ELSE {text} END"
    )
    has_offset = f"contains({text}, 'T') AND regexp_matches({text}, '{OFFSET}')"
    if zone:
        moved = f"timezone({literal(zone)}, try_cast({text} AS TIMESTAMPTZ))"
        return f"CASE WHEN {has_offset} THEN coalesce({_iso(moved)}, {text}) ELSE {as_written} END"
    if not first:
        return as_written
    differs = f"length({first}) > 19 AND right({first}, 6) <> right({text}, 6) AND {has_offset}"
    instant = f"date_trunc('second', try_cast({first} AS TIMESTAMPTZ))"
    wall = f"epoch_us(try_cast(left({first}, 19) AS TIMESTAMP)) - epoch_us({instant})"
    moved = f"try(make_timestamp(epoch_us(try_cast({text} AS TIMESTAMPTZ)) + {wall}))"
    return f"CASE WHEN {differs} THEN coalesce({_iso(moved)}, {text}) ELSE {as_written} END"


def _iso(time: str) -> str:
    return f"strftime({time}, '%Y-%m-%dT%H:%M:%S')"
