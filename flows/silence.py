"""While libraries work on rows, what they print goes nowhere: a warning or a panic could quote a value.

The way to the terminal that was there before is handed to the caller, for lines of our own.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, redirect_stderr, redirect_stdout
from typing import TextIO

from flows.errors import shows_faults

OUTPUTS = (1, 2)


@contextmanager
def silence_libraries() -> Iterator[TextIO]:
    """Throw away both outputs of this process, whoever writes to them; yields the error output as it was."""
    if shows_faults():
        yield sys.stderr
        return
    with ExitStack() as stack:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        own = _own_stderr(stack)
        nowhere = stack.enter_context(open(os.devnull, "w", encoding="utf-8"))  # noqa: PTH123 - a device, no path
        stack.enter_context(redirect_stdout(nowhere))
        stack.enter_context(redirect_stderr(nowhere))
        for output in OUTPUTS:
            _lead_nowhere(output, nowhere, stack)
        yield own


def _own_stderr(stack: ExitStack) -> TextIO:
    """A stream that goes where errors go now; what is not file 2, as under a test, is left as it is."""
    try:
        is_file = sys.stderr.fileno() == OUTPUTS[1]
    except (OSError, ValueError, AttributeError):
        is_file = False
    if not is_file:
        return sys.stderr
    return stack.enter_context(os.fdopen(os.dup(OUTPUTS[1]), "w", encoding=sys.stderr.encoding, buffering=1))


def _lead_nowhere(output: int, nowhere: TextIO, stack: ExitStack) -> None:
    try:
        before = os.dup(output)
    except OSError:
        return  # closed, as under a service manager
    stack.callback(os.close, before)
    stack.callback(os.dup2, before, output)
    os.dup2(nowhere.fileno(), output)
