"""Runs the examples of what may change from night to night through the limits that a night is judged by."""

from functools import partial

from expectations.change_limits import Move, find_move
from expectations.readings import Reading
from transforms.example_results import ExampleResult, read_examples, tell, wrong_example
from transforms.load import Definitions
from transforms.model.changes import ChangeExample

KIND = "changes"


def check_changes(definitions: Definitions) -> list[ExampleResult]:
    """Every example of `definitions/changes`, in a fixed order."""
    changes = definitions.changes
    known = {check.id: check for check in changes.checks}
    results = []
    for number, example in enumerate(read_examples(ChangeExample, KIND, changes)):
        if example.check not in known:
            raise wrong_example(KIND, changes, number, [f"no check {example.check!r}"], f"Checks: {', '.join(known)}.")
        check = known[example.check]
        read = partial(Reading, base=example.base, is_share=check.shown_as == "share")
        nights = [read(value, is_same_kind=example.same_kind is None) for value in example.nights]
        nights += [read(value) for value in example.same_kind or ()]
        moved = find_move(check, read(example.tonight), nights, changes)
        expected, got = tell({"fails": example.fails}), tell({"fails": isinstance(moved, Move)})
        results.append(ExampleResult(KIND, changes.id, example.case, expected, got))
    return results
