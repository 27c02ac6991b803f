"""One night a day, by the clock of the hospital, also on the two days of the year on which that clock is changed."""

import asyncio
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
import yaml

ROOT = Path(__file__).parents[2]
ZONES = ("Europe/Berlin", "America/New_York", "Australia/Lord_Howe")
CRONS = ("0 2 * * *", "30 2 * * *")  # in the hour that is left out in spring and comes twice in autumn
YEAR = [date(2026, 1, 1) + timedelta(days=days) for days in range(365)]


def list_nights(cron: str, zone: str, start: datetime, n: int) -> Sequence[datetime]:
    """When the server of Prefect begins the next nights of a schedule such as `nadir schedule` serves."""
    from prefect.schedules import Cron
    from prefect.server.schemas.schedules import CronSchedule

    served = Cron(cron, timezone=zone)
    assert (served.cron, served.timezone) == (cron, zone)
    schedule = CronSchedule(cron=cron, timezone=zone, day_or=served.day_or)
    with ThreadPoolExecutor(1) as thread:  # a browser that another test has opened keeps the loop of this one
        return thread.submit(asyncio.run, schedule.get_dates(n=n, start=start)).result()


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("cron", CRONS)
def test_each_day_of_a_year_has_one_night(cron: str, zone: str) -> None:
    here = ZoneInfo(zone)
    nights = list_nights(cron, zone, datetime(2026, 1, 1, tzinfo=here), len(YEAR))
    assert [night.astimezone(here).date() for night in nights] == YEAR


@pytest.mark.parametrize("change", ["2026-03-29", "2026-10-25"])
@pytest.mark.parametrize("cron", CRONS)
def test_a_server_that_looks_again_around_the_change_finds_no_other_nights_and_misses_none(
    cron: str, change: str
) -> None:
    """It looks a few nights ahead, again and again; a night that it finds twice, by the same time, is one."""
    begin = datetime.fromisoformat(change).replace(tzinfo=UTC) - timedelta(days=1)
    nights = list_nights(cron, "Europe/Berlin", begin, 4)
    hours = [begin + timedelta(hours=hour, minutes=7) for hour in range(60)]
    found = {night for now in hours for night in list_nights(cron, "Europe/Berlin", now, 1)}
    assert found == {night for night in nights if hours[0] <= night <= max(found)}
    for night in found:
        assert night in list_nights(cron, "Europe/Berlin", night - timedelta(minutes=5), 1)


def test_the_deployment_that_is_shipped_has_one_night_a_day() -> None:
    deployments = yaml.safe_load((ROOT / "prefect.yaml").read_text())["deployments"]
    (schedule,) = next(each["schedules"] for each in deployments if each["name"] == "nightly")
    here = ZoneInfo(schedule["timezone"])
    nights = list_nights(schedule["cron"], schedule["timezone"], datetime(2026, 1, 1, tzinfo=here), len(YEAR))
    assert [night.astimezone(here).date() for night in nights] == YEAR


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not on this machine")
def test_the_timer_of_systemd_has_one_night_a_day() -> None:
    timer = (ROOT / "flows" / "operations" / "nadir.timer").read_text()
    (when,) = re.findall(r"^OnCalendar=(.+)$", timer, re.MULTILINE)
    command = ["systemd-analyze", "calendar", when, "--iterations=365", "--base-time=2025-12-31 12:00:00 UTC"]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    nights = re.findall(r"(?:Next elapse|Iter\. #\d+|Iteration #\d+): \w+ (\S+ \S+) UTC", said)
    here = ZoneInfo(when.split()[-1])
    days = [datetime.fromisoformat(f"{night}+00:00").astimezone(here).date() for night in nights]
    assert days == YEAR


SERVED = """
import multiprocessing, sys, time
from contextlib import contextmanager
from pathlib import Path

import flows.schedule
from flows.handover import Request
from flows.settings import Settings

@contextmanager
def server(port):
    yield f"http://127.0.0.1:{port}/api"

def serve(*_, **__):
    from prefect.settings import PREFECT_API_URL
    print("asks", PREFECT_API_URL.value())
    night = multiprocessing.get_context("fork").Process(target=time.sleep, args=(600,))
    night.start()
    nights.append(night)

nights, folder = [], Path(sys.argv[1])
flows.schedule._server = server
from prefect import Flow
Flow.serve = serve
flows.schedule.serve_by_cron(
    Request((folder,)), Settings(workspace=folder / "workspace"), cron="0 2 * * *", timezone="UTC", port=4321
)
print("ended", -nights[0].exitcode)
"""


def test_who_serves_nights_asks_its_own_server_and_ends_a_night_under_way_with_itself(tmp_path: Path) -> None:
    """Prefect had been imported for the cron line before the server was known, and started a second one."""
    unset = {name: value for name, value in os.environ.items() if not name.startswith("PREFECT_")}
    command = [sys.executable, "-c", SERVED, str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, env=unset, capture_output=True, text=True, timeout=120, check=False)
    assert "asks http://127.0.0.1:4321/api" in done.stdout, done.stderr
    assert f"ended {signal.SIGTERM:d}" in done.stdout
