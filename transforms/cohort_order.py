"""Which cohorts lie in which, and which have nobody in common, as far as their definitions say so.

A reader of the methods knows this, and can subtract. Drugs and diagnoses are compared as they are written.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from transforms.model.cohorts import AgeBand, Cohort, Criterion


@dataclass(frozen=True)
class CohortOrder:
    """`inside`: (part, whole). `apart`: a whole, and parts of it without people in common. `tested`: cohorts that a
    test lets people into, so that everybody observed in them is tested. `entries`: a cohort that asks for several
    things, how many of them, and the cohort of whoever has so many. `everybody`: the cohort of all who are observed.
    `given`: a drug, and a cohort of everybody who was given it (`drug_cohorts.py`).
    """

    inside: tuple[tuple[str, str], ...] = ()
    apart: tuple[tuple[str, tuple[str, ...]], ...] = ()
    tested: tuple[str, ...] = ()
    entries: tuple[tuple[str, int, str], ...] = ()
    everybody: str | None = None
    given: tuple[tuple[str, str], ...] = ()


def order_cohorts(cohorts: Sequence[Cohort]) -> CohortOrder:
    """What follows from the criteria. People who change their age band are counted in both; they are taken as apart.

    A family is told of the closest cohort that holds it; what holds further out follows from the cohorts between.
    """
    known = sorted(cohorts, key=lambda cohort: cohort.id)
    inside = [
        (one.id, other.id)
        for one in known
        for other in known
        if one.id != other.id and _lies_in(one.criterion, other.criterion)
    ]
    apart = [(whole.id, family) for whole in known for family in _families_in(whole, known, frozenset(inside))]
    tested = tuple(cohort.id for cohort in known if cohort.criterion.testing or cohort.criterion.low)
    everybody = next((cohort.id for cohort in known if cohort.criterion.observed), None)
    return CohortOrder(tuple(inside), tuple(apart), tested, tuple(_entries(known)), everybody)


def _entries(cohorts: Sequence[Cohort]) -> Iterator[tuple[str, int, str]]:
    for cohort in cohorts:
        parts = cohort.criterion.all_of or ()
        for n_parts in range(1, len(parts)):
            so_far = parts[0] if n_parts == 1 else Criterion(all_of=parts[:n_parts])
            yield from ((cohort.id, n_parts, other.id) for other in cohorts if other.criterion == so_far)


def _families_in(whole: Cohort, cohorts: Sequence[Cohort], inside: frozenset[tuple[str, str]]) -> list[tuple[str, ...]]:
    """Every set of direct parts of a cohort, no two of which meet, to which no further part can be added."""
    held = [one for one in cohorts if _is_part(one, whole, inside)]
    direct = [one for one in held if not any(_is_part(one, other, inside) for other in held)]
    others = {one.id: {other.id for other in direct if _are_apart(one.criterion, other.criterion)} for one in direct}
    return sorted(tuple(sorted(family)) for family in _cliques(others) if len(family) > 1)


def _is_part(one: Cohort, other: Cohort, inside: frozenset[tuple[str, str]]) -> bool:
    """Whether it lies in the other and does not ask for the same."""
    return (one.id, other.id) in inside and (other.id, one.id) not in inside


def _are_apart(one: Criterion, other: Criterion) -> bool:
    """Nobody can be in both, as far as that follows from sex, Duffy status and age."""
    for criterion, rest in ((one, other), (other, one)):
        if criterion.all_of and any(_are_apart(each, rest) for each in criterion.all_of):
            return True
        if criterion.any_of and all(_are_apart(each, rest) for each in criterion.any_of):
            return True
    if one.age and other.age:
        first, second = sorted((_ends(one.age), _ends(other.age)))
        return first[1] < second[0]
    is_sex = one.sex is not None and other.sex is not None
    is_duffy = one.duffy_null is not None and other.duffy_null is not None
    return (is_sex and one.sex != other.sex) or (is_duffy and one.duffy_null != other.duffy_null)


def _cliques(others: Mapping[str, set[str]]) -> Iterator[frozenset[str]]:
    """Every largest set of names all of which are among each other's others (Bron and Kerbosch 1973, with pivots)."""

    def grow(chosen: frozenset[str], open_names: set[str], done: set[str]) -> Iterator[frozenset[str]]:
        if not open_names and not done:
            yield chosen
            return
        pivot = max(sorted(open_names | done), key=lambda name: len(others[name] & open_names))
        for name in sorted(open_names - others[pivot]):
            yield from grow(chosen | {name}, open_names & others[name], done & others[name])
            open_names, done = open_names - {name}, done | {name}

    if others:
        yield from grow(frozenset(), set(others), set())


def _lies_in(part: Criterion, whole: Criterion) -> bool:
    if whole.observed or part == whole:
        return True
    if part.all_of and any(_lies_in(each, whole) for each in part.all_of):
        return True
    if whole.any_of and any(_lies_in(part, each) for each in whole.any_of):
        return True
    if part.any_of:
        return all(_lies_in(each, whole) for each in part.any_of)
    if whole.all_of:
        return all(_lies_in(part, each) for each in whole.all_of)
    return _follows(part, whole)


def _follows(part: Criterion, whole: Criterion) -> bool:
    """Fewer ages or settings, more tests, a lower limit, and the first of several exposures."""
    if part.age and whole.age:
        return _is_within(part.age, whole.age)
    if part.setting and whole.setting:
        is_part = set(part.setting.settings) <= set(whole.setting.settings)
        return is_part and part.setting.lasts_days <= whole.setting.lasts_days
    if part.testing and whole.testing:
        is_part = part.testing.at_least_tests >= whole.testing.at_least_tests
        return is_part and _is_within_days(part.testing.within_days, whole.testing.within_days)
    if part.low and whole.low:
        is_part = part.low.below_cells_per_ul <= whole.low.below_cells_per_ul
        return is_part and _is_within_days(part.low.lasts_days, whole.low.lasts_days)
    if part.index and part.index.of.exposure and whole.exposure:
        same = part.index.of.exposure.model_copy(update={"at_risk_days": whole.exposure.at_risk_days})
        return same == whole.exposure and _is_within_days(part.index.until_days, whole.exposure.at_risk_days)
    return False


def _is_within_days(part: int | None, whole: int | None) -> bool:
    return whole is None or (part is not None and part <= whole)


def _is_within(part: AgeBand, whole: AgeBand) -> bool:
    one, other = _ends(part), _ends(whole)
    return other[0] <= one[0] and one[1] <= other[1]


def _ends(band: AgeBand) -> tuple[float, float]:
    return (
        float(band.at_least_years or 0),
        float("inf") if band.at_most_years is None else float(band.at_most_years),
    )
