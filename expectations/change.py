"""Whether a night differs from the last good ones by more than may be, and by how much, in plain lines.

Nothing here knows where profiles come from. Nights are comparable when their dates mean the same, they bring new rows
or send known ones again alike, and they cover about as many days, as far as the check asks for that.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from expectations.change_limits import Move, Still, find_move
from expectations.change_words import Words
from expectations.profile import ACCEPTED, POLICY, Profile
from expectations.readings import TOTAL, Meaning, Reader, Reading, read_known_days
from transforms.model.changes import ChangeCheck, Changes


@dataclass(frozen=True)
class Outcome:
    """What came of one check for one source: why nothing could be compared, or with how many nights it was, and what
    moved, the most first.
    """

    not_applicable: str = ""
    n_nights: int = 0
    moved: tuple[str, ...] = ()


@dataclass(frozen=True)
class Nights:
    """One source: tonight, and its good nights, newest first."""

    tonight: Profile
    earlier: Sequence[Profile]

    def tells(self, question: Callable[[Profile, Changes], bool], changes: Changes) -> bool:
        """The answer for tonight; a night without rows is taken for one like the last."""
        if self.tonight.get("rows") or not self.earlier:
            return question(self.tonight, changes)
        return question(self.earlier[0], changes)


def judge_source(check: ChangeCheck, nights: Nights, changes: Changes, meaning: Meaning) -> Outcome:
    """Compare tonight's profile of one source with its good nights under one check."""
    comparable = find_comparable(check, nights, changes)
    kinds = find_same_kind(check, nights.tonight, comparable, changes)
    why_not = _why_not(check, nights, changes) or _why_not_these(check, kinds)
    if why_not:
        return Outcome(why_not)
    reader = Reader(check, changes, meaning)
    words = Words(reader, [nights.tonight, *comparable])
    found, is_told = [], False
    for part in reader.parts(nights.tonight, comparable):
        now, before = _read(reader, part, nights.tonight, comparable)
        before = [replace(night, is_same_kind=kind) for night, kind in zip(before, kinds, strict=True)]
        moved = find_move(check, now, before, changes)
        is_told = is_told or moved is not Still.TOO_FEW
        if isinstance(moved, Move):
            found.append((-moved.weight, words.line(part, moved)))
    if not is_told:
        return Outcome("it has too few results to tell")
    return Outcome("", len(comparable), tuple(line for _, line in sorted(found)))


def _why_not(check: ChangeCheck, nights: Nights, changes: Changes) -> str:
    """Why tonight is no night for this check; empty when it is."""
    if check.dates is not None and nights.tonight.dates not in check.dates:
        return "its dates do not allow it"
    if check.deliveries == "new" and nights.tells(is_repetition, changes):
        return "it sends known rows again"
    if check.deliveries == "repeated" and not nights.tells(sends_known_rows, changes):
        return "it sends new rows, or its files were read before"
    if check.deliveries == "repeated" and nights.tonight.get("files_beside"):
        return "files of earlier nights were given again beside the new ones"
    return ""


def _why_not_these(check: ChangeCheck, kinds: Sequence[bool]) -> str:
    """Why the comparable nights do not suffice; empty when they do. `kinds`: which are of tonight's kind of day."""
    limits = check.limits
    needed = check.least_nights if limits.is_new is None else 1
    if len(kinds) < needed:
        return f"comparable good nights: {len(kinds)} of the {needed} that are needed"
    is_only_fall = limits.falls_by is not None and limits.is_about_falls_only
    return "it has no good night of such a day of the week yet" if is_only_fall and not any(kinds) else ""


def is_repetition(profile: Profile, changes: Changes) -> bool:
    """Most of its rows were known, or its files had been read before."""
    return bool(profile.get("files_again")) or sends_known_rows(profile, changes)


def sends_known_rows(profile: Profile, changes: Changes) -> bool:
    """Most of its rows were known, from files with another content."""
    usable = profile.get("usable")
    is_known = usable > 0 and profile.get("known") / usable >= changes.repeated_share
    return is_known and not profile.get("files_again")


def find_comparable(check: ChangeCheck, nights: Nights, changes: Changes) -> Sequence[Profile]:
    """The good nights that tonight may be held against, newest first; from the last accepted change of the check on."""
    found: list[Profile] = []
    for night in nights.earlier[: changes.nights_back]:
        if _is_comparable(check, nights.tonight, night, changes):
            found.append(night)
        if check.id in night.parts(ACCEPTED):
            break
    return found[:1] if check.deliveries == "repeated" else found


def find_same_kind(check: ChangeCheck, tonight: Profile, nights: Sequence[Profile], changes: Changes) -> Sequence[bool]:
    """Which of the nights are of the same kind of day: working day or day of rest, else the same day of the week.

    All are where the same days are compared.
    """
    if check.deliveries == "repeated":
        return [True] * len(nights)
    if tonight.get("weekday"):
        is_rest = tonight.weekday in changes.rest_days
        return [(night.weekday in changes.rest_days) == is_rest for night in nights]
    same = [night.weekday == tonight.weekday for night in nights]
    return same if any(same) else [True] * len(nights)


def _is_comparable(check: ChangeCheck, tonight: Profile, night: Profile, changes: Changes) -> bool:
    if night.parts(POLICY).keys() != tonight.parts(POLICY).keys():
        return False
    if check.deliveries == "new" and is_repetition(night, changes):
        return False
    times_as_many_days = night.extent / tonight.extent
    if check.deliveries == "repeated":
        return times_as_many_days >= 1 / changes.similar_extent
    is_similar = 1 / changes.similar_extent <= times_as_many_days <= changes.similar_extent
    return check.extent == "any" or is_similar


def _read(
    reader: Reader, part: str, tonight: Profile, comparable: Sequence[Profile]
) -> tuple[Reading, Sequence[Reading]]:
    if part == TOTAL and reader.check.measure == "rows_of_known_days":
        now, before = read_known_days(tonight, comparable[0])
        return now, [before]
    return reader.read(tonight, part), [reader.read(night, part) for night in comparable]
