"""A few nights of every kind end with the right verdict, and all of them together as one load of everything.

`make month` lives through thirty, started by the schedule.
"""

from collections.abc import Callable
from pathlib import Path

import pytest

from flows.errors import SourceError, ValidationStop
from flows.handover import Published
from tests.faults.judging import read_results
from tests.month.nights import SHORT, Night, make_month


@pytest.mark.slow
def test_nights_of_every_kind_end_right_and_together_as_one_load(
    tmp_path: Path, run_directly: Callable[..., Published], count_directly: Callable[..., None]
) -> None:
    nights = make_month(tmp_path / "sent", SHORT, people=100, first_days=120, days_a_night=20)
    ends = [(night.kind, *_spend(run_directly, tmp_path / "nightly", night)) for night in nights]
    assert [end for end, night in zip(ends, nights, strict=True) if not night.is_right(*end[1:])] == []
    count_directly(tmp_path / "once", *(night.folder for night in nights if night.is_part))
    assert read_results(tmp_path / "nightly") == read_results(tmp_path / "once")


def _spend(run_directly: Callable[..., Published], workspace: Path, night: Night) -> tuple[str, str | None]:
    """State and verdict."""
    try:
        published = run_directly(workspace, night.folder)
    except ValidationStop:
        return "stopped", "stop"
    except SourceError:
        return "failed", None
    return ("published" if published.is_new else "unchanged"), published.verdict
