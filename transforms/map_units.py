"""Where the units that a proposal fixed are written in a source map: for a code, for a spelling, or row by rule.

`units` serves rows without a unit, `unit_spellings` a spelling that means the same wherever it occurs; what differs
between sites or between codes becomes a rule of the table.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from transforms.analyte_proposals import Decision
from transforms.unit_proposals import read_unit
from transforms.units import UnitBook


@dataclass(frozen=True)
class FixedUnits:
    """The three places of a source map that decide units."""

    units: dict[str, str] = field(default_factory=dict)
    spellings: dict[str, str] = field(default_factory=dict)
    rules: list[dict[str, Any]] = field(default_factory=list)


def place_units(decisions: Sequence[Decision], site: str, units: UnitBook) -> FixedUnits:
    """The units of decided codes; `site` is the header of the column of sites, empty if there is none."""
    placed = FixedUnits()
    by_spelling: dict[str, set[str]] = {}
    for decision in decisions:
        for group, unit in decision.units.items():
            if group.unit is not None:
                by_spelling.setdefault(group.unit, set()).add(unit)
    for decision in decisions:
        if decision.loinc is None:
            continue
        _place_missing(decision, site, placed)
        for sent in sorted({group.unit for group in decision.units if group.unit is not None}):
            meant = by_spelling[sent]
            if len(meant) == 1 and read_unit(sent, units)[0] is None:
                placed.spellings[sent] = next(iter(meant))
            else:
                _add_rules(decision, sent, site, placed)
    return placed


def _place_missing(decision: Decision, site: str, placed: FixedUnits) -> None:
    bare = [group for group in decision.groups if group.unit is None]
    fixed = {decision.units.get(group) for group in bare} - {None}
    if len(fixed) == 1:
        placed.units[decision.code] = str(next(iter(fixed)))
    elif fixed:
        _add_rules(decision, None, site, placed)


def _add_rules(decision: Decision, sent: str | None, site: str, placed: FixedUnits) -> None:
    groups = [group for group in decision.units if group.unit == sent]
    same = len({decision.units[group] for group in groups}) == 1
    for group in sorted(groups, key=lambda entry: entry.site)[: 1 if same else None]:
        where = {} if same or not site else {"where": {site: group.site}}
        rule = {"code": decision.code, **({"sent": sent} if sent else {}), **where, "unit": decision.units[group]}
        placed.rules.append(rule)
