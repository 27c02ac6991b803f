"""Serves the nightly deployment: a cron schedule, typed parameters, one run at a time, triggered by hand as well.

When no Prefect server is configured, one is started on this machine for as long as the schedule is served, so that
nobody has to have started anything.
"""

import multiprocessing
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from flows.errors import SourceError, TryAgainLater, WrongUse
from flows.handover import Request
from flows.prefect_run import configure_prefect
from flows.settings import Settings

if TYPE_CHECKING:
    from prefect.schedules import Schedule

DEPLOYMENT = "nadir"
START_SECONDS = 120
LAST_SECONDS = 20


def serve_by_cron(request: Request, settings: Settings, *, cron: str, timezone: str, port: int) -> None:
    """Serve until interrupted, at the times of a cron line; WrongUse when it is none."""
    configure_prefect(settings, log_level="INFO")
    from prefect.schedules import Cron
    from pydantic import ValidationError

    try:
        ZoneInfo(timezone)  # Prefect looks for it only after it has begun to serve
        schedule = Cron(cron, timezone=timezone)
    except (ValidationError, ValueError, OSError, ZoneInfoNotFoundError) as error:
        raise WrongUse(
            f"The schedule {cron!r} in time zone {timezone!r} is not valid.",
            repair="Write cron as five fields, such as '0 2 * * *', and the zone as in 'Europe/Berlin'.",
        ) from error
    serve_nightly(request, settings, schedule, when=f"'{cron}' ({timezone})", port=port)


def serve_nightly(request: Request, settings: Settings, schedule: "Schedule", *, when: str, port: int) -> None:
    """Serve until interrupted. Where an extract is a link, each night follows it anew."""
    _refuse_missing(request.extracts)
    configure_prefect(settings, log_level="INFO")
    with _server(port) as url:
        os.environ["PREFECT_API_URL"] = url
        from prefect.context import refresh_global_settings_context

        from flows.nightly import NightParameters, nightly

        refresh_global_settings_context()  # else Prefect, which was imported for the cron line, starts a second server

        parameters = NightParameters(
            extracts=[path.absolute() for path in request.extracts],
            source=request.source,
            extract_date=request.extract_date,
            is_snapshot=request.is_snapshot,
            workspace=settings.workspace.resolve(),
            definitions=settings.definitions.resolve() if settings.definitions else None,
        )
        _say(url, when)
        try:
            nightly.serve(
                name=DEPLOYMENT,
                schedule=schedule,
                parameters={"parameters": parameters.model_dump(mode="json")},
                limit=1,
                print_starting_message=False,
            )
        finally:
            _end_nights()


def _end_nights() -> None:
    """End a night under way with who serves it: the next one begins anew, and without the server it could not tell."""
    nights = multiprocessing.active_children()
    for night in nights:
        night.terminate()
    for night in nights:
        night.join(LAST_SECONDS)
        if night.is_alive():
            night.kill()


def _say(url: str, when: str) -> None:
    print(f"Serving nightly/{DEPLOYMENT} at {when}. Prefect: {url.removesuffix('/api')}")
    print("Run it now from a second terminal:")
    print(f"  PREFECT_API_URL={url} prefect deployment run nightly/{DEPLOYMENT}", flush=True)


def _refuse_missing(extracts: tuple[Path, ...]) -> None:
    missing = [str(path) for path in extracts if not path.parent.exists()]
    if missing:
        raise SourceError(
            "The folder of an extract is not there.", details=missing, repair="Name where it will arrive."
        )


@contextmanager
def _server(port: int) -> Iterator[str]:
    """The configured server's address, or that of one started here and ended with us."""
    configured = os.environ.get("PREFECT_API_URL")
    url = configured or f"http://127.0.0.1:{port}/api"
    if configured or _answers(url):
        yield url
        return
    command = [sys.executable, "-m", "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(port)]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # noqa: S603
    try:
        _wait_for(server, url)
        yield url
    finally:
        server.terminate()
        try:
            server.wait(timeout=LAST_SECONDS)
        except subprocess.TimeoutExpired:
            server.kill()


def _wait_for(server: "subprocess.Popen[bytes]", url: str) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and server.poll() is None:
        if _answers(url):
            return
        time.sleep(0.5)
    raise TryAgainLater(
        "Prefect's server did not start.", repair="Choose another --port, or set PREFECT_API_URL to a server that runs."
    )


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/health", timeout=2) as reply:  # noqa: S310 - our own loopback address
            return bool(reply.status == 200)  # noqa: PLR2004
    except (urllib.error.URLError, OSError):
        return False
