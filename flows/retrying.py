"""How Prefect tasks of nadir are tried again: after what passes by itself, and after nothing else."""

from typing import Any

from prefect.cache_policies import NO_CACHE

from flows.errors import Busy, TryAgainLater

TRANSIENT = (TryAgainLater, Busy)
WAITS_SECONDS = (10, 60, 300)  # before each new try at what passes by itself


def is_transient(_task: object, _run: object, state: Any) -> bool:
    """A retry helps only against what passes by itself."""
    try:
        state.result()
    except TRANSIENT:
        return True
    except BaseException:  # noqa: BLE001 - whatever it is, it is not one of the transient ones
        return False
    return False


OPTIONS: dict[str, Any] = {
    "retries": len(WAITS_SECONDS),
    "retry_delay_seconds": list(WAITS_SECONDS),
    "retry_condition_fn": is_transient,
    "cache_policy": NO_CACHE,
    "persist_result": False,
}
