"""The user errors that only a command or a flow can raise, with their exit codes.

`TryAgainLater` and `Busy` are transient: a scheduler may retry them. Every other one is terminal: the same input
fails the same way.
"""

import errno
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from traceback import extract_tb
from typing import ClassVar

from flows.interruption import ending_of
from transforms.errors import DefinitionError, DisclosureStop, UserError
from transforms.identifiers import ColumnFinding

__all__ = [
    "Busy",
    "DefinitionError",
    "DisclosureStop",
    "Fault",
    "IdentifiersFound",
    "SourceError",
    "TryAgainLater",
    "UserError",
    "ValidationStop",
    "WrongUse",
    "guard_values",
    "shows_faults",
]

HOUSE = Path(__file__).resolve().parents[1]
PANIC = "PanicException"
OUT_OF_MEMORY = "OutOfMemoryException"
FULL = ("No space left on device", "Disk quota exceeded", "os error 28")
PACKAGES = ("flows", "transforms", "expectations", "reports")


class WrongUse(UserError):
    """A command was called in a way it does not allow."""

    exit_code: ClassVar[int] = 2


class SourceError(UserError):
    """An extract cannot be read as what it should be."""

    exit_code: ClassVar[int] = 11


class IdentifiersFound(UserError):
    """An extract holds what identifies a person. `findings` are columns and counts, by names that may be shown."""

    exit_code: ClassVar[int] = 12

    def __init__(
        self, what: str, *, details: Sequence[str] = (), repair: str = "", findings: Sequence[ColumnFinding] = ()
    ) -> None:
        """`what`, `details` and `repair` as of any error."""
        super().__init__(what, details=details, repair=repair)
        self.findings = tuple(findings)

    def __reduce__(self) -> tuple[object, ...]:
        """Keep everything when a process or a scheduler passes the error on."""
        return (_rebuild_found, (self.what, self.details, self.repair, self.findings))


class ValidationStop(UserError):
    """A check with severity `stop` failed; nothing was published."""

    exit_code: ClassVar[int] = 13


class Busy(UserError):
    """Another run holds the workspace."""

    exit_code: ClassVar[int] = 15


class TryAgainLater(UserError):
    """Something passing: a server, a disk, a file still being written."""

    exit_code: ClassVar[int] = 20


class Fault(UserError):
    """A mistake of ours. It says where, and never repeats a text that could hold a patient's value."""

    exit_code: ClassVar[int] = 1

    @classmethod
    def of(cls, error: BaseException) -> "Fault":
        """The fault behind any exception: its kind and the last place in our own code."""
        places = [frame for frame in extract_tb(error.__traceback__) if _is_ours(frame.filename)]
        where = f"{Path(places[-1].filename).relative_to(HOUSE)}:{places[-1].lineno}" if places else "an unknown place"
        return cls(
            f"nadir failed with {type(error).__name__} at {where}; this is a mistake of ours, not of yours.",
            repair="The warehouse and the last report are as they were. Please report these two lines.",
        )


@contextmanager
def guard_values() -> Iterator[None]:
    """Let only exceptions pass that are meant for a user, and none with the exception behind it.

    The wish to end passes too. Any other becomes a `Fault`, so that no log, state or chain of causes can repeat a
    value. With NADIR_SHOW_FAULTS set, for work on made-up data only, everything passes as it is.
    """
    try:
        yield
    except BaseException as error:
        if ended := ending_of(error):
            raise ended from None
        if shows_faults() or not isinstance(error, (Exception, *_panics(error))):
            raise
        raise (error if isinstance(error, UserError) else _passing_or_damaged(error) or Fault.of(error)) from None


def _passing_or_damaged(error: BaseException) -> UserError | None:
    """What the machine did to us: a full disk, a folder that is shut, a warehouse whose bytes have changed."""
    text, code = str(error), getattr(error, "errno", None)
    if "Corrupt database file" in text:
        return SourceError(
            "The warehouse is damaged: what is on the disk is not what was written.",
            repair="Restore it from a backup (nadir restore), or move it away to start anew.",
        )
    if type(error).__name__ == OUT_OF_MEMORY:
        return WrongUse(
            "This night needs more memory than the setting memory_limit allows, even with the disk to help.",
            repair="Raise memory_limit; the warehouse and the last report are as they were.",
        )
    if code in {errno.ENOSPC, errno.EDQUOT} or any(words in text for words in FULL):
        return TryAgainLater(
            "There is no room left on the disk; the warehouse and the last report are as they were.",
            repair="Make room where the workspace lies, then run again.",
        )
    if isinstance(error, PermissionError):
        return WrongUse(
            "A file or folder that this run needs may not be read or written by this user.",
            repair="Give the user who runs nadir the right to read the extract and to write the workspace.",
        )
    return None


def shows_faults() -> bool:
    """Whether somebody who works on made-up data wants to see what libraries say."""
    return "NADIR_SHOW_FAULTS" in os.environ


def _panics(error: BaseException) -> tuple[type[BaseException], ...]:
    """A panic of a library written in Rust is no Exception, so that it passes by every handler; its text may quote."""
    return (type(error),) if type(error).__name__ == PANIC else ()


def _rebuild_found(
    what: str, details: tuple[str, ...], repair: str, findings: tuple[ColumnFinding, ...]
) -> IdentifiersFound:
    return IdentifiersFound(what, details=details, repair=repair, findings=findings)


def _is_ours(filename: str) -> bool:
    return any(Path(filename).is_relative_to(HOUSE / name) for name in PACKAGES)
