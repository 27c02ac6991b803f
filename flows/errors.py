"""The user errors that only a command or a flow can raise, with their exit codes.

`TryAgainLater` and `Busy` are transient: a scheduler may retry them. Every other one is terminal: the same input
fails the same way.
"""

from typing import ClassVar

from transforms.errors import DefinitionError, DisclosureStop, UserError

__all__ = [
    "Busy",
    "DefinitionError",
    "DisclosureStop",
    "IdentifiersFound",
    "SourceError",
    "TryAgainLater",
    "UserError",
    "ValidationStop",
    "WrongUse",
]


class WrongUse(UserError):
    """A command was called in a way it does not allow."""

    exit_code: ClassVar[int] = 2


class SourceError(UserError):
    """An extract cannot be read as what it should be."""

    exit_code: ClassVar[int] = 11


class IdentifiersFound(UserError):
    """An extract holds what identifies a person."""

    exit_code: ClassVar[int] = 12


class ValidationStop(UserError):
    """A check with severity `stop` failed; nothing was published."""

    exit_code: ClassVar[int] = 13


class Busy(UserError):
    """Another run holds the workspace."""

    exit_code: ClassVar[int] = 15


class TryAgainLater(UserError):
    """Something passing: a server, a disk, a file still being written."""

    exit_code: ClassVar[int] = 20
