"""A night that is told to end, by Ctrl-C or by a service manager, ends as told and is not called a fault of nadir."""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import duckdb
import pytest

import flows.night
from flows.errors import guard_values
from flows.history import list_runs
from flows.interruption import end_when_told
from flows.workspace import Workspace

LONG = "SELECT count(*) FROM range(20000000000) WHERE hash(range) % 7 = 3"


@pytest.fixture
def _own_signals() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    signal.signal(signal.SIGINT, signal.default_int_handler)
    end_when_told()
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def _query_until(number: signal.Signals) -> None:
    """Run a query that takes minutes, and tell this process to end; if it does not, the query is ended after all."""
    with duckdb.connect() as connection:
        rescue = threading.Timer(60, connection.interrupt)
        rescue.start()
        try:
            threading.Timer(0.3, os.kill, (os.getpid(), number)).start()
            connection.execute(LONG).fetchall()
        finally:
            rescue.cancel()


@pytest.mark.usefixtures("_own_signals")
@pytest.mark.parametrize(("number", "ending", "code"), [
    (signal.SIGINT, KeyboardInterrupt, None),
    (signal.SIGTERM, SystemExit, 143),
])  # fmt: skip
def test_a_query_that_is_told_to_end_ends_as_its_process_is_told(
    number: signal.Signals, ending: type[BaseException], code: int | None
) -> None:
    with pytest.raises(ending) as told, guard_values():
        _query_until(number)
    assert getattr(told.value, "code", None) == code


@pytest.mark.usefixtures("_own_signals")
def test_a_night_that_is_told_to_end_in_the_middle_of_a_query_says_so(
    tmp_path: Path, small_extract: Path, run_directly: Callable[..., object], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(flows.night, "derive", lambda *_: _query_until(signal.SIGTERM))
    with pytest.raises(SystemExit):
        run_directly(tmp_path, small_extract)
    (ended,) = list_runs(Workspace(tmp_path), "1GB")
    assert (ended.state, ended.message) == ("failed", "The process was told to end before the run did.")
