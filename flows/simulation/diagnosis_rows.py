"""Coded diagnoses of a chunk: why people come or are in hospital, what is found after a low count, and viral illness.

A cause is coded only after somebody saw a low count; truth never leaks into a code. Times are days since the start of
the hospital, as decimals.
"""

from collections.abc import Mapping

import numpy as np
import polars as pl

from flows.simulation.arrays import Floats, Ints
from flows.simulation.ward import Ward

ON_ARRIVAL, AT_ILLNESS, AFTER_COUNT = 0.4, 0.45, 0.6  # hours of the day, as shares of it


def diagnosis_rows(ward: Ward) -> pl.DataFrame:
    """All diagnoses (person, code, on), unsorted and not yet cut to the time of observation."""
    rows = [*_reasons(ward), *_found(ward), *_viral(ward), *_stays(ward)]
    schema = {"person": pl.Int64, "code": pl.String, "on": pl.Float64}
    return pl.concat(
        [pl.DataFrame({"person": who, "code": [code] * len(who), "on": on}, schema) for who, code, on in rows]
    )


def _drawn(ward: Ward, person: Ints, shares: Mapping[str, float], on: Floats) -> list[tuple[Ints, str, Floats]]:
    rows = []
    for code, share in shares.items():
        is_coded = ward.rng.random(len(person)) < share
        rows.append((person[is_coded], code, on[is_coded]))
    return rows


def _reasons(ward: Ward) -> list[tuple[Ints, str, Floats]]:
    rows = []
    for index, group in enumerate(ward.setting.parameters.groups.groups):
        person = np.flatnonzero(ward.people.group == index)
        rows += _drawn(ward, person, group.diagnoses, ward.people.story_on[person] + ON_ARRIVAL)
    return rows


def _found(ward: Ward) -> list[tuple[Ints, str, Floats]]:
    """The cause that was found, or the neutropenia itself."""
    events, on, rows = ward.events, ward.detected_on + AFTER_COUNT, []
    is_found = ward.detected_on >= 0
    for index, cause in enumerate(ward.setting.parameters.causes.causes.values()):
        # A cyclic fall has no beginning: `falls_at` only says when one of its lows is.
        has_begun = events.has_event & ((events.falls_at <= on) | (events.period_days > 0))
        person = np.flatnonzero(is_found & has_begun & (events.cause == index))
        rows += _drawn(ward, person, cause.detected_codes, on[person])
        if cause.coded is not None:
            rows += _drawn(ward, person, {cause.coded.code: cause.coded.share}, on[person])
    courses, coded = ward.courses, ward.setting.parameters.regimens.coded
    is_treated = is_found[courses.person] & (courses.first_on <= on[courses.person])
    person = courses.person[is_treated]
    return rows + _drawn(ward, person, {coded.code: coded.share}, on[person])


def _viral(ward: Ward) -> list[tuple[Ints, str, Floats]]:
    ill, codes = ward.illnesses, list(ward.setting.parameters.hospital.viral.codes)
    rows = []
    for index, code in enumerate(codes):
        is_coded = ill.code == index
        rows.append((ill.person[is_coded], code, ill.seen_on[is_coded] + AT_ILLNESS))
    return rows


def _stays(ward: Ward) -> list[tuple[Ints, str, Floats]]:
    stays = ward.calendar.drawn
    return [
        (stays.person[stays.code == code], str(code), stays.from_day[stays.code == code] + ON_ARRIVAL)
        for code in np.unique(stays.code)
    ]
