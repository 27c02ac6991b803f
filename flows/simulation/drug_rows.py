"""Drug exposures of a chunk: doses given, courses taken, growth factor, and drugs that do nothing to neutrophils.

Times are days since the start of the hospital, as decimals; a dose at noon of day 3 is 3.5.
"""

from collections.abc import Sequence

import numpy as np
import polars as pl

from flows.simulation.arrays import Floats, Ints
from flows.simulation.cycles import DOSES_PER_CYCLE
from flows.simulation.people import choose
from flows.simulation.population import NullDrug
from flows.simulation.treatment import Cause, GivenDrug
from flows.simulation.ward import Ward

SCHEMA = {
    "person": pl.Int64,
    "drug": pl.String,
    "atc": pl.String,
    "on": pl.Float64,
    "off": pl.Float64,
    "route": pl.String,
    "dose": pl.Float64,
    "dose_unit": pl.String,
    "evidence": pl.String,
}
NOON = 0.5
HOUR = 1.0 / 24.0
ADMINISTERED = "administered"


def exposure_rows(ward: Ward) -> pl.DataFrame:
    """All exposures, unsorted and not yet cut to the time of observation."""
    parts = [*_chemotherapy(ward), *_growth_factor(ward), *_cause_drugs(ward), *_null_drugs(ward)]
    return pl.concat(parts) if parts else pl.DataFrame(schema=SCHEMA)


def _frame(
    person: Ints, names: Sequence[str], drug: GivenDrug | NullDrug, when: tuple[Floats, Floats], evidence: Sequence[str]
) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "person": person,
            "drug": names,
            "atc": [drug.atc] * len(person),
            "on": when[0],
            "off": when[1],
            "route": [drug.route] * len(person),
            "dose": np.full(len(person), drug.dose),
            "dose_unit": [drug.dose_unit] * len(person),
            "evidence": evidence,
        },
        schema=SCHEMA,
    )


def _spelled(ward: Ward, names: tuple[str, ...], size: int) -> list[str]:
    return [names[index] for index in ward.rng.integers(0, len(names), size)]


def _chemotherapy(ward: Ward) -> list[pl.DataFrame]:
    parameters, given = ward.setting.parameters.regimens, ward.courses.given
    if not given:
        return []
    person, fraction = np.concatenate([g[0] for g in given]), np.concatenate([g[2] for g in given])
    which = np.concatenate([g[1] for g in given])
    on = np.concatenate([np.full(len(g[0]), g[3] + NOON) for g in given])
    parts = []
    for row, regimen in enumerate(parameters.regimens.values()):
        for number, dose in enumerate(regimen.doses):
            mine = which == row * DOSES_PER_CYCLE + number
            for name, amount in dose.agents.items():
                agent, who = parameters.agents[name], person[mine]
                mg = amount.mg_per_m2 * fraction[mine] * ward.people.body_surface[who]
                drug = GivenDrug(names=agent.names, atc=agent.atc, route=agent.route, dose=0, dose_unit="mg")
                names, evidence = _spelled(ward, agent.names, len(who)), [ADMINISTERED] * len(who)
                frame = _frame(who, names, drug, (on[mine], on[mine] + HOUR), evidence)
                parts.append(frame.with_columns(pl.Series("dose", np.round(mg))))
    return parts


def _growth_factor(ward: Ward) -> list[pl.DataFrame]:
    parameters, parts = ward.setting.parameters.regimens, []
    for person, day, _ in ward.growth:
        drug, on = parameters.filgrastim, np.full(len(person), day + NOON)
        parts.append(
            _frame(person, _spelled(ward, drug.names, len(person)), drug, (on, on), [ADMINISTERED] * len(person))
        )
    for person, day in ward.courses.protected:
        drug, on = parameters.pegfilgrastim, np.full(len(person), day + 1 + NOON)
        parts.append(
            _frame(person, _spelled(ward, drug.names, len(person)), drug, (on, on), [ADMINISTERED] * len(person))
        )
    return parts


def _cause_drugs(ward: Ward) -> list[pl.DataFrame]:
    parts, events = [], ward.events
    for index, cause in enumerate(ward.setting.parameters.causes.causes.values()):
        for number, drug in enumerate(cause.drugs):
            person = np.flatnonzero((events.cause == index) & (events.drug == number))
            names = _spelled(ward, drug.names, len(person))
            parts += _course(person, names, drug, cause, (events.drug_on[person], events.drug_off[person]))
    return parts


def _course(
    person: Ints, names: list[str], drug: GivenDrug, cause: Cause, when: tuple[Floats, Floats]
) -> list[pl.DataFrame]:
    evidence = [cause.evidence] * len(person)
    if not cause.dose_days:
        return [_frame(person, names, drug, when, evidence)]
    return [_frame(person, names, drug, (when[0] + day, when[0] + day + HOUR), evidence) for day in cause.dose_days]


def _null_drugs(ward: Ward) -> list[pl.DataFrame]:
    groups, rng = ward.setting.parameters.groups, ward.rng
    share = np.array([group.null_drug_share for group in groups.groups])[ward.people.group]
    person = np.flatnonzero(rng.random(ward.people.n) < share)
    which = choose(rng, np.array([drug.weight for drug in groups.null_drugs]), len(person))
    evidence = np.array(list(groups.null_drug_evidence))
    evidence = evidence[choose(rng, np.array(list(groups.null_drug_evidence.values())), len(person))]
    first, last = ward.people.entered_on[person], ward.people.leaves_on[person]
    on = np.floor(first + rng.random(len(person)) * (last - first)) + NOON
    parts = []
    for number, drug in enumerate(groups.null_drugs):
        mine = which == number
        days = drug.days[0] + (drug.days[1] - drug.days[0]) * rng.random(int(mine.sum()))
        when = (on[mine], on[mine] + days)
        names = _spelled(ward, drug.names, int(mine.sum()))
        parts.append(_frame(person[mine], names, drug, when, evidence[mine].tolist()))
    return parts
