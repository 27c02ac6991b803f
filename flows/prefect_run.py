"""Runs the Prefect flow in this process: on the configured server, else on Prefect's embedded one.

Prefect reads its settings when it is imported, so they are set here first: no analytics, its files in the workspace.
"""

import os
from collections.abc import Mapping

from flows.errors import TryAgainLater, UserError
from flows.handover import Published, Request
from flows.settings import Settings

QUIET: Mapping[str, str] = {
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "DO_NOT_TRACK": "1",
    "PREFECT_SERVER_LOGGING_LEVEL": "CRITICAL",
    "PREFECT_SERVER_EPHEMERAL_ENABLED": "true",
    "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "120",
    "PREFECT_CLI_PROMPT": "false",
}


def configure_prefect(settings: Settings, *, log_level: str) -> None:
    """Set what Prefect reads at import; what the user has set stays, but for analytics.

    `log_level`: at the keyboard Prefect is silent, because our own lines and errors say all; a server's log is not.
    """
    home = settings.workspace.resolve() / ".prefect"
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    for name, value in {**QUIET, "PREFECT_HOME": str(home), "PREFECT_LOGGING_LEVEL": log_level}.items():
        os.environ.setdefault(name, value)
    os.environ["PREFECT_SERVER_ANALYTICS_ENABLED"] = "false"
    os.environ["DO_NOT_TRACK"] = "1"


def run_with_prefect(request: Request, settings: Settings) -> Published:
    """One flow run, here and now."""
    configure_prefect(settings, log_level="CRITICAL")
    from flows.nightly import NightParameters, nightly

    parameters = NightParameters(
        extracts=list(request.extracts),
        source=request.source,
        extract_date=request.extract_date,
        is_snapshot=request.is_snapshot,
        release=None if request.release is None else list(request.release),
        accepted=sorted(request.accepted),
        workspace=settings.workspace,
        definitions=settings.definitions,
        runner=settings.runner,
        address=settings.dask_address or None,
    )
    try:
        return nightly(parameters)
    except UserError:
        raise
    except (OSError, RuntimeError) as error:
        if _is_server_trouble(error):
            raise TryAgainLater(
                "Prefect's server did not answer.",
                repair="Try again later, or run with --direct, which needs no server.",
            ) from error
        raise


def _is_server_trouble(error: BaseException) -> bool:
    chain = [error, error.__cause__, error.__context__]
    texts = " ".join(f"{type(e).__module__} {type(e).__name__} {e}" for e in chain if e is not None)
    return "httpx" in texts or "Failed to reach API" in texts or "server" in texts.lower()
