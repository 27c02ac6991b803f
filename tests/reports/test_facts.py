"""What the report is told of a night: comparable runs only."""

from typing import Any

import pytest

from flows.earlier_night import find_earlier

TONIGHT: dict[str, Any] = {"sources": ["demo"], "channel": "internal", "definitions_hash": "aa"}


def night(run_id: str, **changes: Any) -> dict[str, Any]:
    return {"run_id": run_id, **TONIGHT, **changes}


def test_the_newest_alike_night_is_compared_with() -> None:
    found = find_earlier([night("one"), night("two"), night("three", sources=["other"])], **TONIGHT)
    assert found is not None
    assert found["run_id"] == "two"


@pytest.mark.parametrize(
    "changes",
    [{"sources": ["demo", "other"]}, {"sources": []}, {"channel": "public"}, {"definitions_hash": "bb"}],
)
def test_a_night_of_other_sources_rules_or_definitions_is_not_compared_with(changes: dict[str, Any]) -> None:
    assert find_earlier([night("one", **changes)], **TONIGHT) is None


def test_a_night_that_does_not_say_how_it_was_released_is_not_compared_with() -> None:
    old = {key: value for key, value in night("one").items() if key != "channel"}
    assert find_earlier([old], **TONIGHT) is None
