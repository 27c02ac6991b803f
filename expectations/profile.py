"""The profile of a night: small facts of what arrived from one source, which nights are compared by.

Facts are numbers, by measure and part (an analyte, a unit, a day). A unit or a code that may not be shown is kept by
its mark, which tells it from others and says nothing of it.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from functools import cached_property
from hashlib import sha256

POLICY = "dates"  # its part is what the dates of the source mean
ACCEPTED = "accepted"  # its part is the check whose failure was accepted
SEPARATOR = "|"  # between the parts of a part, such as analyte and unit
MARK = "#"  # what begins with it stands for a text that may not be shown
WORDED = ("unit_rows", "unit_people", "code_rows", "code_people")  # whose part is, or ends in, a text of the extract


@dataclass(frozen=True)
class Fact:
    """One line of `ops.profile`, less the run."""

    source_id: str
    measure: str
    part: str
    value: float


@dataclass(frozen=True)
class Profile:
    """What one source sent in one night. `night` is the day on which the night began."""

    source_id: str
    night: date
    facts: Mapping[str, Mapping[str, float]] = field(default_factory=dict)

    def get(self, measure: str, part: str = "") -> float:
        """The fact, 0 where there is none; `usable` are the rows that could have been accepted."""
        if measure == "usable":
            return self.get("received") - self.get("irrelevant")
        return self.facts.get(measure, {}).get(part, 0.0)

    def parts(self, measure: str) -> Mapping[str, float]:
        """All parts of a measure."""
        return self.facts.get(measure, {})

    @property
    def dates(self) -> str:
        """What the dates of the source mean."""
        return next(iter(self.parts(POLICY)), "")

    @property
    def weekday(self) -> int:
        """Weekday (1 Monday) of the day that most rows are of, where dates are real; else that of the night."""
        return int(self.get("weekday")) or self.night.isoweekday()

    @property
    def extent(self) -> float:
        """How many usual days the rows would fill; 1 where no day is known."""
        usual = self.get("rows_per_day")
        return self.get("rows") / usual if usual else 1.0

    @property
    def newest(self) -> date:
        """The newest day that was reached."""
        return self.night - timedelta(days=self.get("days_behind"))

    @property
    def oldest(self) -> date:
        """The oldest day that is covered; a few rows may be older."""
        return self.night - timedelta(days=self.get("days_covered"))

    @cached_property
    def rows_of_days(self) -> Mapping[date, float]:
        """Rows by day, or by month (its first day) for what is long past."""
        return {first_day(part): n for part, n in self.parts("day_rows").items()}

    @property
    def kept_by_day_from(self) -> date:
        """From here on rows are counted day by day."""
        days = [first_day(part) for part in self.parts("day_rows") if len(part) > len("2024-03")]
        return min(days, default=self.newest).replace(day=1)


def first_day(part: str) -> date:
    """The day of `2024-03-05`, the first one of `2024-03`."""
    return date.fromisoformat(part if len(part) > len("2024-03") else f"{part}-01")


def profiles_of(facts: Iterable[Fact], night: date) -> Sequence[Profile]:
    """The facts of one night as profiles, one a source."""
    found: dict[str, dict[str, dict[str, float]]] = {}
    for fact in facts:
        found.setdefault(fact.source_id, {}).setdefault(fact.measure, {})[fact.part] = fact.value
    return [Profile(source_id, night, measures) for source_id, measures in sorted(found.items())]


def mark_part(part: str) -> str:
    """The part with its text (all of it, or what follows the analyte) replaced by the mark of that text."""
    head, separator, text = part.rpartition(SEPARATOR)
    if not text or text.startswith(MARK):
        return part
    return f"{head}{separator}{MARK}{sha256(text.encode()).hexdigest()[:16]}"


def spell_alike(profiles: Sequence[Profile]) -> Sequence[Profile]:
    """The same profiles, each text by itself where any of them has it so, and by its mark only where none has.

    A code that few people had on one night and many on the next is then one code.
    """
    texts = {
        mark_part(part): part
        for profile in profiles
        for measure in WORDED
        for part in profile.parts(measure)
        if not part.rpartition(SEPARATOR)[2].startswith(MARK)
    }
    return [replace(profile, facts={**profile.facts, **_spelled(profile, texts)}) for profile in profiles]


def _spelled(profile: Profile, texts: Mapping[str, str]) -> Mapping[str, Mapping[str, float]]:
    return {
        measure: {texts.get(part, part): value for part, value in profile.parts(measure).items()} for measure in WORDED
    }
