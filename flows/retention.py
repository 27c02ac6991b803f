"""Which reports the site keeps by the settings: the newest so many, and those of the last so many days.

What goes are pages and downloads; the released numbers stay in the warehouse. The newest report never goes, and so
`latest` is always there; nor does the newest of the same sources, channel and definitions, which the next such night
says how it differs from: so no setting changes what a report says.
"""

import shutil
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from flows.catalogue import rebuild_catalogue
from flows.settings import Settings
from flows.site import read_summaries
from flows.workspace import Workspace

Summary = Mapping[str, Any]
ALIKE = ("sources", "channel", "definitions_hash")


def clear_reports(workspace: Workspace, settings: Settings, now: datetime, aside: Path) -> Sequence[str]:
    """Take the reports that the settings do not keep out of the catalogue, then out of the site; their runs.

    `aside` is a folder of the same disk that is emptied by its owner. Who is stopped between the two leaves reports
    that no page links to, and the next night takes them away.
    """
    old = choose_old(read_summaries(workspace), now, settings.keep_reports, settings.keep_reports_days)
    if old:
        rebuild_catalogue(workspace, without=old)
        aside.mkdir(parents=True, exist_ok=True)
    for run_id in old:
        (workspace.site / "runs" / run_id).rename(aside / run_id)
        shutil.rmtree(aside / run_id, ignore_errors=True)
    return old


def choose_old(nights: Sequence[Summary], now: datetime, n_newest: int, n_days: int) -> Sequence[str]:
    """Runs whose reports go, oldest first; `nights` is what each says of itself, oldest first. 0 of both keeps all."""
    if not n_newest and not n_days:
        return []
    kept = {str(night["run_id"]) for night in nights[-max(n_newest, 1) :]}
    kept |= {str(night["run_id"]) for night in _newest_alike(nights)}
    if n_days:
        since = now - timedelta(days=n_days)
        kept |= {str(night["run_id"]) for night in nights if datetime.fromisoformat(night["started_at"]) >= since}
    return [str(night["run_id"]) for night in nights if night["run_id"] not in kept]


def _newest_alike(nights: Sequence[Summary]) -> Sequence[Summary]:
    return list({repr([night.get(name) for name in ALIKE]): night for night in nights}.values())
