"""A canary in every field of every format: whatever happens to the night, none is where it must not be.

`make test` tries a fixed sample, `make canary` every format, and every way to fail in every stage.
"""

import os

import pytest

from flows.errors import UserError
from flows.handover import Published
from tests.canary.faults import INSIDE, KINDS, break_stage, file_of
from tests.canary.planting import LAYOUTS, Planted, plant
from tests.canary.sandbox import Sandbox
from tests.plain_checker import PlainChecker

IS_WHOLE = os.environ.get("NADIR_CANARY") == "all"
SAMPLE = LAYOUTS if IS_WHOLE else ("names",)
FAILURES = (
    [(stage, kind) for stage in INSIDE for kind in KINDS]
    if IS_WHOLE
    else [*zip(INSIDE, ("duckdb", "polars", "panic", "chained", "of_a_user", "pydantic"), strict=True)]
)


@pytest.mark.parametrize("layout", SAMPLE)
def test_a_published_night_keeps_what_it_uses_to_itself_and_nothing_else(layout: str, sandbox: Sandbox) -> None:
    planted = plant(layout, sandbox.root / "extract")
    done = sandbox.run(planted.folder)
    assert isinstance(done, Published), done
    looked = sandbox.look(planted)
    assert looked.leaks == []
    assert looked.kept != frozenset()


@pytest.mark.parametrize(("stage", "kind"), FAILURES, ids=str)
def test_a_stage_that_fails_with_a_value_in_hand_says_where_and_nothing_of_it(
    stage: str, kind: str, sandbox: Sandbox, small_planted: Planted, monkeypatch: pytest.MonkeyPatch
) -> None:
    break_stage(monkeypatch, stage, kind)
    if stage != "validate":
        sandbox.worker = PlainChecker()
    failed = sandbox.run(small_planted.folder)
    assert isinstance(failed, UserError)
    assert kind == "of_a_user" or f" at {file_of(stage)}:" in failed.what
    assert sandbox.look(small_planted).leaks == []
    assert not list((sandbox.root / "tmp").iterdir())
