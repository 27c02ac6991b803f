"""How a command ends that is told to, by Ctrl-C, by a service manager or by who shuts a machine down.

A query of DuckDB that is interrupted says so in an error of its own, in which the exception of the signal is lost. That
is raised in its place, so that nobody takes the wish to end for a fault.
"""

import signal
from typing import NoReturn

_INTERRUPTED = "Query interrupted"
_told: list[int] = []


def end_when_told() -> None:
    """End with 128 and the number of the signal on SIGTERM, so that temporary folders are removed on the way out."""
    signal.signal(signal.SIGTERM, _end)


def ending_of(error: BaseException) -> BaseException | None:
    """The wish to end that is behind an exception; None if it is any other."""
    if isinstance(error, (SystemExit, KeyboardInterrupt)):
        return error
    if not isinstance(error, RuntimeError) or str(error) != _INTERRUPTED:
        return None
    return SystemExit(128 + _told[-1]) if _told else KeyboardInterrupt()


def _end(number: int, _frame: object) -> NoReturn:
    _told.append(number)
    raise SystemExit(128 + number)
