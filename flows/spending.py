"""Spends a night for a command, with Prefect or without, and says what came of it."""

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING

from flows.errors import WrongUse

if TYPE_CHECKING:
    from flows.handover import Published, Request
    from flows.settings import Settings


def spend_night(request: "Request", settings: "Settings", *, direct: bool) -> "Published":
    """The six stages, here and now; engines are imported here, so that `--help` need not wait for them."""
    if not direct:
        from flows.prefect_run import run_with_prefect

        return run_with_prefect(request, settings)
    if settings.runner != "here":
        raise WrongUse("The runner dask works through Prefect.", repair="Leave out --direct, or say --runner here.")
    from flows.checker import Worker
    from flows.progress import Progress

    worker = Worker()  # it imports while this process does
    from flows.night import run_night

    return run_night(request, settings, Progress(), worker)


def result_of(published: "Published") -> Mapping[str, object]:
    """For `--json`."""
    return {
        "run_id": published.run_id,
        "verdict": published.verdict,
        "is_new": published.is_new,
        "report": str(published.report),
        "catalogue": str(published.catalogue),
        "key_numbers": dict(published.key_numbers),
    }


def summarise(published: "Published") -> str:
    """For a terminal."""
    lines = [f"{label}: {value}" for label, value in published.key_numbers.items()]
    if not published.is_new:
        lines.insert(0, "Nothing new: the same inputs, definitions and code as the last published run.")
    return "\n".join([*lines, f"verdict: {published.verdict}", f"report: {published.report}"])


def print_result(result: Mapping[str, object], as_json: bool, text: str) -> None:
    """What a command answers: JSON if it was asked for, else text."""
    print(json.dumps(result, indent=2, ensure_ascii=False, default=str) if as_json else text)
