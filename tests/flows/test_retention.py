"""Reports that the settings do not keep leave the site; what is linked, compared with or newest stays."""

import json
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from flows.handover import Published
from flows.retention import choose_old, clear_reports
from flows.settings import Settings
from flows.workspace import Workspace

NOW = datetime(2026, 11, 20, 2, tzinfo=UTC)


def night(day: int, **changes: Any) -> dict[str, Any]:
    known = {"sources": ["demo"], "channel": "internal", "definitions_hash": "a"}
    return {"run_id": f"run-{day:02}", "started_at": f"2026-11-{day:02}T02:00:00+00:00", **known, **changes}


NIGHTS = [night(day) for day in (1, 5, 10, 18, 19)]


def test_without_a_policy_every_report_stays() -> None:
    assert choose_old(NIGHTS, NOW, 0, 0) == []


def test_the_newest_reports_stay() -> None:
    assert choose_old(NIGHTS, NOW, 2, 0) == ["run-01", "run-05", "run-10"]


def test_reports_of_the_last_days_stay() -> None:
    assert choose_old(NIGHTS, NOW, 0, 10) == ["run-01", "run-05"]


def test_a_report_stays_while_either_rule_keeps_it() -> None:
    assert choose_old(NIGHTS, NOW, 4, 10) == ["run-01"]
    assert choose_old(NIGHTS, NOW, 1, 1) == ["run-01", "run-05", "run-10", "run-18"]


def test_the_newest_report_stays_however_old_it_is() -> None:
    assert choose_old([night(1), night(2)], NOW, 0, 3) == ["run-01"]


@pytest.mark.parametrize("other", [{"sources": ["other"]}, {"channel": "public"}, {"definitions_hash": "b"}], ids=str)
def test_the_newest_report_of_each_kind_stays_because_the_next_one_is_compared_with_it(other: dict[str, Any]) -> None:
    nights = [night(1, **other), night(2, **other), night(3), night(4)]
    assert choose_old(nights, NOW, 1, 0) == ["run-01", "run-03"]


def test_reports_leave_site_and_catalogue_and_latest_stays(
    published_night: tuple[Path, Published], tmp_path: Path
) -> None:
    workspace, published = published_night
    copy = Workspace(tmp_path / "workspace")
    shutil.copytree(workspace / "site", copy.site)
    runs = copy.site / "runs"
    for older in night(1), night(2):
        summary = json.loads((runs / published.run_id / "run.json").read_text())
        shutil.copytree(runs / published.run_id, runs / older["run_id"])
        told = {**summary, "run_id": older["run_id"], "started_at": older["started_at"].replace("2026", "2001")}
        (runs / older["run_id"] / "run.json").write_text(json.dumps(told))
    latest = (copy.site / "latest.html").read_bytes()
    settings = Settings(workspace=copy.root, keep_reports=2)
    assert clear_reports(copy, settings, NOW, tmp_path / "aside") == ["run-01"]
    assert sorted(path.name for path in runs.iterdir()) == sorted(["run-02", published.run_id])
    catalogue = (copy.site / "index.html").read_text()
    assert "run-02/index.html" in catalogue
    assert "run-01" not in catalogue
    assert (copy.site / "latest.html").read_bytes() == latest
    assert list((tmp_path / "aside").iterdir()) == []
    assert clear_reports(copy, settings, NOW, tmp_path / "aside") == []
