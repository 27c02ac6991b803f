"""Which cohorts lie in which, and which have nobody in common, as far as their definitions say so.

A reader of the methods knows this, and can subtract. Drugs and diagnoses are compared as they are written.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from transforms.model.cohorts import AgeBand, Cohort, Criterion

Band = tuple[float, float, str]


@dataclass(frozen=True)
class CohortOrder:
    """`inside`: (part, whole). `apart`: a whole, and parts of it without people in common. `tested`: cohorts that a
    test lets people into, so that everybody observed in them is tested.
    """

    inside: tuple[tuple[str, str], ...] = ()
    apart: tuple[tuple[str, tuple[str, ...]], ...] = ()
    tested: tuple[str, ...] = ()


def order_cohorts(cohorts: Sequence[Cohort]) -> CohortOrder:
    """What follows from the criteria. People who change their age band are counted in both; they are taken as apart."""
    known = sorted(cohorts, key=lambda cohort: cohort.id)
    inside = [
        (one.id, other.id)
        for one in known
        for other in known
        if one.id != other.id and _lies_in(one.criterion, other.criterion)
    ]
    wholes = [cohort for cohort in known if cohort.criterion.observed][:1]
    families = [*_families_of_sex(known), *_families_of_age(known)]
    apart = [(whole.id, family) for whole in wholes for family in families]
    tested = tuple(cohort.id for cohort in known if cohort.criterion.testing or cohort.criterion.low)
    return CohortOrder(tuple(inside), (*apart, *_families_inside(known)), tested)


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


def _families_inside(cohorts: Sequence[Cohort]) -> list[tuple[str, tuple[str, ...]]]:
    """Bands of age that hold several others that do not meet."""
    found = []
    for whole in (cohort for cohort in cohorts if cohort.criterion.age):
        parts = [one for one in cohorts if one.id != whole.id and one.criterion.age]
        parts = [one for one in parts if _lies_in(one.criterion, whole.criterion)]
        found += [(whole.id, family) for family in _families_of_age(parts)]
    return found


def _families_of_sex(cohorts: Sequence[Cohort]) -> list[tuple[str, ...]]:
    named = {cohort.criterion.sex: cohort.id for cohort in reversed(cohorts) if cohort.criterion.sex}
    return [tuple(sorted(named.values()))] if len(named) > 1 else []


def _families_of_age(cohorts: Sequence[Cohort]) -> list[tuple[str, ...]]:
    """Every set of bands, none of which meet, to which no further band can be added."""
    bands = sorted((*_ends(cohort.criterion.age), cohort.id) for cohort in cohorts if cohort.criterion.age)
    chains = _chains_after(-1.0, bands)
    return [tuple(sorted(name for *_, name in chain)) for chain in chains if len(chain) > 1]


def _chains_after(age_years: float, bands: Sequence[Band]) -> list[list[Band]]:
    """Chains of bands that begin after an age, with no room for another one before or between them."""
    later = [band for band in bands if band[0] > age_years]
    first = [band for band in later if not any(other[1] < band[0] for other in later)]
    return [[band, *rest] for band in first for rest in _chains_after(band[1], later)] or [[]]
