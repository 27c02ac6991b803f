"""Keeps the last lines of a command readable: what libraries print while Python shuts down is not shown.

DuckDB's binding lists objects that others still hold when the interpreter ends; it is harmless.
"""

import atexit
import os
from functools import cache


@cache
def quieten_exit() -> None:
    """From the end of this process on, stderr leads nowhere. Safe to call more than once."""
    atexit.register(_close_stderr)


def _close_stderr() -> None:
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    os.close(nowhere)
