"""How a command ends that is told to, by Ctrl-C, by a service manager or by who shuts a machine down.

Python hears a signal only between two of its own instructions, and a query may keep it from them for minutes: where the
engine's own threads have all the work, nothing looks. So a thread of ours hears it too, and interrupts what is asked of
an engine. A query that notices by itself says so in an error of its own, in which the exception of the signal is lost.
That is raised in its place, so that nobody takes the wish to end for a fault.
"""

import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from types import FrameType
from typing import NoReturn, Protocol

_INTERRUPTED = "Query interrupted"
_AGAIN_SECONDS = 0.1  # a query that was about to begin when it was interrupted has not noticed
_told: list[int] = []
_asked: list["Interruptible"] = []
_deciding = threading.RLock()


class Interruptible(Protocol):
    """What can be interrupted from another thread, as a connection of DuckDB can."""

    def interrupt(self) -> None:
        """End what it is doing, in whichever thread."""


@dataclass
class _Hearing:
    """The handler of a signal that was there before, whoever set it, and whether Python has come to it."""

    handler: Callable[[int, FrameType | None], object]
    has_heard: bool = False

    def __call__(self, number: int, frame: FrameType | None) -> object:
        with _deciding:
            self.has_heard = True
        return self.handler(number, frame)


def end_when_told() -> None:
    """End with 128 and the number of the signal on SIGTERM, so that temporary folders are removed on the way out."""
    signal.signal(signal.SIGTERM, _end)


@contextmanager
def interrupting_when_told() -> Iterator[None]:
    """Let Ctrl-C and SIGTERM end what engines are asked inside the block; who handled them before handles them then."""
    if threading.current_thread() is not threading.main_thread():  # only there are signals handled
        yield
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    ours: dict[signal.Signals, _Hearing] = {}
    for number, handler in before.items():
        if callable(handler):
            ours[number] = _Hearing(handler)
    for number, hearing in ours.items():
        signal.signal(number, hearing)
    if (listening := signal.set_wakeup_fd(_listen(), warn_on_full_buffer=False)) >= 0:
        signal.set_wakeup_fd(listening)  # an event loop hears signals already, or an outer block
    try:
        yield
    finally:
        for number, hearing in ours.items():
            if signal.getsignal(number) is hearing:
                signal.signal(number, before[number])


@contextmanager
def interruptible(connection: Interruptible) -> Iterator[None]:
    """What the connection is asked inside the block is ended as soon as the process is told to end."""
    _asked.append(connection)
    try:
        yield
    finally:
        with _deciding:  # one that is closed cannot be interrupted
            _asked.remove(connection)


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


@cache
def _listen() -> int:
    """Where the number of each signal is written at once; a thread reads it there, as long as the process lives."""
    here, there = socket.socketpair()
    there.setblocking(False)
    threading.Thread(target=_interrupt, args=(here, there), name="interruption", daemon=True).start()
    os.register_at_fork(after_in_child=lambda: signal.set_wakeup_fd(-1))
    return there.fileno()


def _interrupt(here: socket.socket, _kept_open: socket.socket) -> None:
    """Interrupt what is asked of engines at a signal, until Python has heard of it; what follows is the tidying up."""
    while numbers := here.recv(1):
        while _interrupt_unless_heard(numbers[0]):
            time.sleep(_AGAIN_SECONDS)


def _interrupt_unless_heard(number: int) -> bool:
    with _deciding:
        hearing = signal.getsignal(number)
        if not isinstance(hearing, _Hearing) or hearing.has_heard:
            return False
        for connection in tuple(_asked):
            connection.interrupt()
    return True
