"""What the report is told of a night: comparable runs only, and file names that name no one."""

from typing import Any

import pytest

from flows.facts import find_comparable
from flows.handover import ReceivedInput
from flows.shown_names import show_names

TONIGHT: dict[str, Any] = {"sources": ["demo"], "channel": "internal", "definitions_hash": "aa"}


def night(run_id: str, **changes: Any) -> dict[str, Any]:
    return {"run_id": run_id, **TONIGHT, **changes}


def received(*names: str) -> list[ReceivedInput]:
    return [ReceivedInput(f"input-{name}", "demo", name, 1, "ab", 1, "long") for name in names]


def test_the_newest_alike_night_is_compared_with() -> None:
    found = find_comparable([night("one"), night("two"), night("three", sources=["other"])], **TONIGHT)
    assert found is not None
    assert found["run_id"] == "two"


@pytest.mark.parametrize(
    "changes",
    [{"sources": ["demo", "other"]}, {"sources": []}, {"channel": "public"}, {"definitions_hash": "bb"}],
)
def test_a_night_of_other_sources_rules_or_definitions_is_not_compared_with(changes: dict[str, Any]) -> None:
    assert find_comparable([night("one", **changes)], **TONIGHT) is None


def test_a_night_that_does_not_say_how_it_was_released_is_not_compared_with() -> None:
    old = {key: value for key, value in night("one").items() if key != "channel"}
    assert find_comparable([old], **TONIGHT) is None


@pytest.mark.parametrize(
    "name", ["Müller Anna 1960.csv", "results of J. Doe.csv", "x" * 37 + ".csv", "a\u202eb.csv", ""]
)
def test_a_file_name_of_unusual_shape_is_replaced_by_a_number(name: str) -> None:
    shown = show_names(received("labs.csv.gz", name))
    assert list(shown.values()) == ["labs.csv.gz", "file 2"]
