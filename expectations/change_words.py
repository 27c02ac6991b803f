"""One plain line for a number that moved: what, of which source, how much, and what it was on which nights.

Text of an extract (a unit, a code) is shown only if it has the shape of one and enough people share it. A median or a
quantile is somebody's value, so it is shown with two digits.
"""

import re
from collections.abc import Callable, Mapping, Sequence

from expectations.change_limits import Move
from expectations.profile import SEPARATOR, Profile
from expectations.readings import TOTAL, UNITS, Reader, analyte_of


class Words:
    """The words of one check for one source; the first profile is tonight's."""

    def __init__(self, reader: Reader, profiles: Sequence[Profile]) -> None:
        self.reader = reader
        self.check = reader.check
        self.changes = reader.changes
        self.profiles = profiles

    def line(self, part: str, move: Move) -> str:
        """Such as `wbc of source a: 412 results; the last 9 comparable nights had 690-742 (median 717): 43 % fewer`."""
        nights = len(move.nights)
        lowest, highest = self._number(min(move.nights)), self._number(max(move.nights))
        band = lowest if lowest == highest else f"{lowest}-{highest} (median {self._number(move.middle)})"
        had = "the last comparable night had" if nights == 1 else f"the last {nights} comparable nights had"
        source = self.profiles[0].source_id
        now = f"{self._number(move.tonight)} {self.check.noun}"
        return f"{self._label(part)} of source {source}: {now}; {had} {band}: {self._change(move)}"

    def _number(self, value: float) -> str:
        match self.check.shown_as:
            case "count" | "days":
                return f"{value:,.0f}"
            case "share":
                return f"{100 * value:.0f} %"
            case "number":
                return f"{float(f'{value:.2g}'):,.4f}".rstrip("0").rstrip(".")

    def _change(self, move: Move) -> str:
        now, middle, more = move.tonight, move.middle, "more" if move.tonight > move.middle else "less"
        if move.how == "new":
            return "new"
        if move.how == "fallen":
            return f"{100 * (1 - now / middle):.0f} % fewer"
        if self.check.shown_as == "days":
            return f"{abs(now - middle):.0f} days {more}"
        if self.check.shown_as == "share":
            return f"{100 * abs(now - middle):.0f} points {more}"
        return f"{max(now, middle) / min(now, middle):,.1f} times as {'much' if more == 'more' else 'little'}"

    def _label(self, part: str) -> str:
        labels: Mapping[str, Callable[[], str]] = {
            "code": lambda: f"test code {self._shown(part, 'code_people')}",
            "missing": lambda: part,
            "low_share": lambda: f"counts below {part} cells/µL",
            "tail": lambda: f"{100 * float(part.split(SEPARATOR)[1]):.0f} % quantile of {analyte_of(part)}",
            "unit_text": lambda: f"{analyte_of(part)} in {self._shown(part, 'unit_people')} {self._before(part)}",
            "unit_meaning": lambda: f"{analyte_of(part)} in {self._unit_of(part)} {self._before(part)}",
        }
        if part == TOTAL:
            return "all results"
        return labels.get(self.check.measure, lambda: analyte_of(part))()

    def _unit_of(self, part: str) -> str:
        """The unit that most results of that size come in."""
        for profile in self.profiles:
            own = {unit: n for unit, n in profile.parts(UNITS).items() if self.reader.meant(unit) == part}
            if own:
                return self._shown(_most(own), "unit_people")
        return "another unit"

    def _before(self, part: str) -> str:
        """The unit that most results of the analyte came in on the last of the nights."""
        units = self.profiles[1].parts(UNITS)
        own = {unit: n for unit, n in units.items() if analyte_of(unit) == analyte_of(part)}
        return f"(before: {self._shown(_most(own), 'unit_people')})" if own else "(not there before)"

    def _shown(self, part: str, people: str) -> str:
        text = part.split(SEPARATOR, 1)[1] if people == "unit_people" else part
        kind = "unit" if people == "unit_people" else "code"
        if not text:
            return f"no {kind}"
        shared_by = max(profile.get(people, part) for profile in self.profiles)
        if shared_by < self.changes.shown_people:
            return f"a {kind} of fewer than {self.changes.shown_people} people"
        return text if re.fullmatch(self.changes.shown_text, text) else f"a {kind} of an unusual form"


def _most(counts: Mapping[str, float]) -> str:
    return max(sorted(counts), key=lambda part: counts[part])
