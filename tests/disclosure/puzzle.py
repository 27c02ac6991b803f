"""What a reader knows of counts that are not shown: bounds of each, and sums of them that lie between two numbers."""

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

Key = tuple[Hashable, ...]
MOST = 10.0**7


@dataclass(frozen=True)
class Rule:
    """The sum of each count times its factor lies between `least` and `most`."""

    factors: Mapping[Key, float]
    least: float
    most: float


@dataclass
class Puzzle:
    """Counts by key. `hidden` are those that stand in a table without a value, and are looked for."""

    shown: dict[Key, float] = field(default_factory=dict)
    hidden: set[Key] = field(default_factory=set)
    least: dict[Key, float] = field(default_factory=dict)
    most: dict[Key, float] = field(default_factory=dict)
    rules: list[Rule] = field(default_factory=list)

    def see(self, key: Key, value: Any, *, least: float = 0) -> None:
        """A cell of a table: its value, or null for one that is hidden and at least `least`."""
        if value is not None:
            self.shown[key] = float(value)
            self.hidden.discard(key)
        elif key not in self.shown:
            self.hidden.add(key)
        self.suppose(key, least=least if value is None else 0)

    def suppose(self, key: Key, *, least: float = 0, most: float = MOST) -> None:
        """A count that must exist, whether or not a table has it, with what is known of it."""
        self.least[key] = max(self.least.get(key, 0), least)
        self.most[key] = min(self.most.get(key, MOST), most)

    def lies_in(self, part: Key, whole: Key) -> None:
        """People of `part` are people of `whole`."""
        if part != whole:
            self.bound({whole: 1, part: -1}, least=0)

    def adds_up(self, parts: Iterable[Key], whole: Key) -> None:
        """`whole` is the sum of its parts."""
        self.bound({whole: 1, **dict.fromkeys(parts, -1.0)}, least=0, most=0)

    def covers(self, parts: Iterable[Key], whole: Key) -> None:
        """Everybody of `whole` is in one of the parts, or in several."""
        self.bound({whole: -1, **dict.fromkeys(parts, 1.0)}, least=0)

    def bound(self, factors: Mapping[Key, float], *, least: float = -MOST, most: float = MOST) -> None:
        """Any other sum; one of counts that nobody knows of is left out."""
        if all(key in self.least for key in factors):
            self.rules.append(Rule({key: factor for key, factor in factors.items() if factor}, least, most))
