"""Which unit the results of a code are in, by what is written and by how they are distributed; never by one result.

A written unit is believed if the median it leads to is plausible. Where none is written, or one that means nothing by
itself, one scale must fit alone; two that fit, or too few results, leave it open. Obeys `definitions/mapping`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from transforms.model.mapping import Family, Proposing, Quantity
from transforms.units import UnitBook

_WHOLE_PERCENT = 100


@dataclass(frozen=True)
class Distribution:
    """Results of one code (of one site, in one written unit): how many, of how many people, and where they lie."""

    n_values: int
    n_people: int
    low: float | None = None
    median: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class UnitFound:
    """The unit of a group: `unit` is None where it stays open; `is_written` where the written one stands.

    `suggested` is what would fit a spelling that is not known; it is said and not used.
    """

    unit: str | None
    quantity: Quantity | None = None
    is_written: bool = False
    is_contradicted: bool = False
    suggested: str | None = None


def fit_unit(
    family: Family, quantity: Quantity | None, seen: Distribution, proposing: Proposing
) -> tuple[str, Quantity] | None:
    """The one unit under which the distribution is plausible; None when there is none, or more than one."""
    common = _fitting(family, quantity, seen, proposing, proposing.counts)
    fitting = common or _fitting(family, quantity, seen, proposing, proposing.rare_counts)
    return fitting[0] if len(fitting) == 1 else None


def find_unit(
    family: Family,
    quantity: Quantity | None,
    written: str | None,
    seen: Distribution,
    known: tuple[UnitBook, Proposing],
) -> UnitFound:
    """The unit of one group, by its written unit and, where that says nothing, by its distribution."""
    units, proposing = known
    kind, factor = read_unit(written, units)
    is_many = seen.n_values >= proposing.fewest_values and seen.n_people >= proposing.fewest_people
    is_many &= bool(seen.median)  # a median of zero fits every scale
    if kind is None:
        fitted = fit_unit(family, quantity, seen, proposing) if is_many else None
        return _settle_unread(units.decide("count", written).rule, quantity, fitted)
    if quantity is not None and kind != quantity:
        return UnitFound(None, kind, is_written=True, is_contradicted=True)
    if not is_many or _is_plausible(family, kind, factor, seen):
        return UnitFound(written, kind, is_written=True)
    fitted = fit_unit(family, kind, seen, proposing) if kind == "share" else None
    if fitted:
        return UnitFound(fitted[0], kind)
    return UnitFound(None, kind, is_written=True, is_contradicted=True)


def _settle_unread(rule: str | None, quantity: Quantity | None, fitted: tuple[str, Quantity] | None) -> UnitFound:
    """Only a missing unit, or one that means nothing by itself, is replaced by what fits."""
    if rule in {"unit_missing", "unit_ambiguous"}:
        return UnitFound(*fitted) if fitted else UnitFound(None, quantity)
    if rule == "unit_unknown":
        return UnitFound(None, fitted[1] if fitted else quantity, suggested=fitted[0] if fitted else None)
    return UnitFound(None, quantity, is_written=True, is_contradicted=True)


def read_unit(written: str | None, units: UnitBook) -> tuple[Quantity | None, float]:
    """Whether the written unit is one of counts or of shares, and its factor; None when it says neither."""
    for quantity in ("count", "share"):
        factor = units.decide(quantity, written).factor
        if factor is not None:
            return ("count" if quantity == "count" else "share"), float(factor)
    return None, 0.0


def _fitting(
    family: Family,
    quantity: Quantity | None,
    seen: Distribution,
    proposing: Proposing,
    counts: Mapping[str, float],
) -> Sequence[tuple[str, Quantity]]:
    found: list[tuple[str, Quantity]] = []
    if quantity != "share":
        found += [(unit, "count") for unit, factor in counts.items() if _is_plausible(family, "count", factor, seen)]
    if quantity != "count" and family.median_percent is not None:
        found += [
            (unit, "share") for unit, factor in proposing.shares.items() if _is_plausible(family, "share", factor, seen)
        ]
    return found


def _is_plausible(family: Family, kind: Quantity, factor: float, seen: Distribution) -> bool:
    if seen.median is None:
        return False
    middle = seen.median * factor
    if kind == "count":
        lowest, highest = family.median_cells_per_ul
        return lowest <= middle <= highest
    if family.median_percent is None:
        return False
    lowest, highest = family.median_percent
    return lowest <= middle <= highest and (seen.high or 0) * factor <= _WHOLE_PERCENT
