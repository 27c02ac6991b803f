"""Errors a user can cause and repair: what, where, what came, what is valid, how to repair.

An error of this family is printed without a traceback and ends the command with its own exit code. No message
holds a patient's value: text from an extract is shown only after a shape check.
"""

from collections.abc import Sequence
from typing import ClassVar


class UserError(Exception):
    """A mistake the user can repair; `exit_code` is what the command ends with."""

    exit_code: ClassVar[int] = 2

    def __init__(self, what: str, *, details: Sequence[str] = (), repair: str = "") -> None:
        """`what` is one sentence, `details` are indented lines, `repair` is the last line."""
        super().__init__(_shown(what))
        self.what = _shown(what)
        self.details = tuple(map(_shown, details))
        self.repair = _shown(repair)

    def __str__(self) -> str:
        lines = [self.what, *(f"  - {line}" for line in self.details)]
        if self.repair:
            lines.append(f"  {self.repair}")
        return "\n".join(lines)

    def __reduce__(self) -> tuple[object, ...]:
        """Keep details and repair when a process or a scheduler passes the error on."""
        return (_rebuild, (type(self), self.what, self.details, self.repair))


class DefinitionError(UserError):
    """A definition file is wrong: unknown key, bad range, missing file."""

    exit_code: ClassVar[int] = 10


class DisclosureStop(UserError):
    """A release would show what must stay hidden."""

    exit_code: ClassVar[int] = 14


def _shown(text: str) -> str:
    """Text that a terminal shows and does not obey: what cannot be printed, as in a file's name, is spelled out."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c == "\n" else c.encode("unicode_escape").decode() for c in text)


def _rebuild(kind: type[UserError], what: str, details: tuple[str, ...], repair: str) -> UserError:
    return kind(what, details=details, repair=repair)
