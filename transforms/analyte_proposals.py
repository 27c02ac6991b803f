"""Which test each local code is, and in which unit, with how sure that is and why.

A LOINC code is what it is. A local code is read by its words; what the words leave open (count or share) is settled by
the units and the distribution of all its results. What stays open is left out and said. Obeys `definitions/mapping`.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from transforms.analyte_names import NameReader, Reading
from transforms.model.mapping import Family, Proposing, Quantity
from transforms.unit_proposals import Distribution, UnitFound, find_unit

Certainty = Literal["certain", "probable", "unsure"]


@dataclass(frozen=True)
class Group:
    """Results of one code, of one site (empty: there is no such column), in one written unit (None: there is none)."""

    unit: str | None
    site: str
    seen: Distribution
    is_from_name: bool = False


@dataclass(frozen=True)
class Candidate:
    """A local code with the names that go with it and its results by unit and site."""

    code: str
    names: tuple[str, ...]
    groups: tuple[Group, ...]

    @property
    def n_people(self) -> int:
        """At least so many people have it."""
        return max((group.seen.n_people for group in self.groups), default=0)


@dataclass(frozen=True)
class Decision:
    """What became of a code: `loinc` None means left out. `units` are those that must be fixed, group by group."""

    code: str
    loinc: str | None
    certainty: Certainty
    why: str
    family: str | None = None
    quantity: Quantity | None = None
    units: Mapping[Group, str] = field(default_factory=dict)
    open_groups: tuple[Group, ...] = ()
    groups: tuple[Group, ...] = ()
    suggested: Mapping[Group, str] = field(default_factory=dict)


class AnalyteJudge:
    """Decides on codes one by one with the same words, units and LOINC table."""

    def __init__(self, reader: NameReader, loinc: Mapping[str, str | None]) -> None:
        """`loinc` has the analyte of each LOINC code of the laboratory list (None: known and never used)."""
        self.reader = reader
        self.loinc = loinc
        self.proposing: Proposing = reader.proposing
        self._by_loinc: dict[str, tuple[str, Quantity]] = {
            code: (name, quantity)
            for name, family in self.proposing.families.items()
            for quantity, code in _codes(family)
        }

    def decide(self, candidate: Candidate) -> Decision | None:
        """What the code is; None when it is no concern of nadir."""
        if candidate.code in self.loinc:
            return self._decide_loinc(candidate)
        reading, words = self._read(candidate)
        if reading.is_excluded:
            return Decision(candidate.code, None, "certain", "its name is of another test or specimen")
        if reading.family is None:
            return None
        if reading.is_unsure:
            return self._leave(
                candidate, reading, "its name has words that are not known, or that contradict each other"
            )
        return self._decide_family(candidate, reading, words)

    def _decide_loinc(self, candidate: Candidate) -> Decision | None:
        if self.loinc[candidate.code] is None:
            return Decision(candidate.code, None, "certain", "a LOINC code that is never used for blood counts")
        if candidate.code not in self._by_loinc:
            return Decision(candidate.code, candidate.code, "certain", "a LOINC code")
        family, quantity = self._by_loinc[candidate.code]
        found = self._units(candidate, family, quantity)
        return self._settle(candidate, Reading(family, quantity), found, candidate.code, "a LOINC code")

    def _read(self, candidate: Candidate) -> tuple[Reading, str]:
        """The reading of the names and the code together, and which of them said it."""
        readings = [self.reader.read(name) for name in candidate.names]
        own = self.reader.read(candidate.code)
        every = [*readings, own]
        if any(reading.is_excluded for reading in every):
            return Reading(is_excluded=True), ""
        telling = [reading for reading in every if reading.family is not None and not reading.is_unsure]
        families = {reading.family for reading in telling}
        kinds = {reading.quantity for reading in telling} - {None}
        doubtful = [reading for reading in readings if reading.is_unsure]
        if len(families) > 1 or len(kinds) > 1 or doubtful:
            return Reading(next(iter(sorted(f for f in families if f)), "?"), is_unsure=True), ""
        if not telling:
            return (own, "") if own.is_unsure else (Reading(), "")
        method = next((reading.method for reading in telling if reading.method != "unspecified"), "unspecified")
        words = "its name" if any(reading.family for reading in readings) else "its code read as a name"
        return Reading(telling[0].family, next(iter(kinds), None), method), words

    def _decide_family(self, candidate: Candidate, reading: Reading, words: str) -> Decision:
        family = self.proposing.families[reading.family or ""]
        found = self._units(candidate, reading.family or "", reading.quantity)
        kinds = _weigh_kinds(candidate.groups, found)
        kind = reading.quantity or (next(iter(kinds)) if len(kinds) == 1 else None)
        if kind is None:
            why = (
                "count and share under one code"
                if kinds
                else "neither its name, its units nor its results say count or share"
            )
            return self._leave(candidate, reading, why)
        by_method = family.count if kind == "count" else family.share
        loinc = by_method.get(reading.method) or by_method.get("unspecified")
        if loinc is None:
            return self._leave(candidate, reading, "there is no LOINC code for it here")
        if reading.quantity is None:
            words += ", its units or its results"
        return self._settle(candidate, Reading(reading.family, kind, reading.method), found, loinc, words)

    def _units(self, candidate: Candidate, family: str, quantity: Quantity | None) -> dict[Group, UnitFound]:
        entry = self.proposing.families[family]
        known = (self.reader.units, self.proposing)
        return {group: find_unit(entry, quantity, group.unit, group.seen, known) for group in candidate.groups}

    def _settle(
        self, candidate: Candidate, reading: Reading, found: Mapping[Group, UnitFound], loinc: str, words: str
    ) -> Decision:
        total = sum(group.seen.n_values for group in candidate.groups)
        wrong = sum(group.seen.n_values for group, unit in found.items() if unit.is_contradicted)
        if total and wrong > (1 - self.proposing.share_that_fits) * total:
            return self._leave(candidate, reading, "the written unit contradicts its name or its results")
        fixed = {group: unit.unit for group, unit in found.items() if unit.unit is not None and not unit.is_written}
        left = tuple(group for group, unit in found.items() if unit.unit is None)
        hinted = {group: unit.suggested for group, unit in found.items() if unit.suggested is not None}
        certainty: Certainty = "certain" if words == "a LOINC code" and not fixed else "probable"
        if left:
            certainty = "unsure"
        return Decision(
            candidate.code,
            loinc,
            certainty,
            words,
            reading.family,
            reading.quantity,
            fixed,
            left,
            candidate.groups,
            hinted,
        )

    def _leave(self, candidate: Candidate, reading: Reading, why: str) -> Decision:
        return Decision(candidate.code, None, "unsure", why, reading.family, reading.quantity)


def fill_from_siblings(decisions: Sequence[Decision]) -> list[Decision]:
    """Shares without a unit of their own take that of all other shares of their site, if there is only one."""
    known: dict[str, set[str]] = {}
    for decision in decisions:
        if decision.loinc is not None and decision.quantity == "share":
            for group in decision.groups:
                unit = decision.units.get(group) or (group.unit if group not in decision.open_groups else None)
                if unit:
                    known.setdefault(group.site, set()).add(unit)
    return [_fill(decision, known) if decision.quantity == "share" else decision for decision in decisions]


def _fill(decision: Decision, known: Mapping[str, set[str]]) -> Decision:
    filled = {
        group: next(iter(known[group.site]))
        for group in decision.open_groups
        if group.unit is None and len(known.get(group.site, ())) == 1
    }
    left = tuple(group for group in decision.open_groups if group not in filled)
    if not filled or decision.loinc is None:
        return decision
    certainty: Certainty = "unsure" if left else "probable"
    return replace(decision, units={**decision.units, **filled}, open_groups=left, certainty=certainty)


def _codes(family: Family) -> Iterable[tuple[Quantity, str]]:
    yield from (("count", code) for code in family.count.values())
    yield from (("share", code) for code in family.share.values())


def _weigh_kinds(groups: Sequence[Group], found: Mapping[Group, UnitFound]) -> set[Quantity]:
    told = [found[group] for group in groups if found[group].unit is not None or found[group].suggested is not None]
    return {unit.quantity for unit in told if unit.quantity is not None}
