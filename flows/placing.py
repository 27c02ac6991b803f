"""Puts a committed night into the site: the script its pages need, the pages, the catalogue. Safe to repeat.

The night itself does it, and the next start for a night that was killed after its transaction.
"""

from pathlib import Path

import plotly
from plotly.offline import get_plotlyjs

from flows.catalogue import rebuild_catalogue
from flows.site import MAILABLE, REPORT, install_asset, install_night
from flows.workspace import Workspace

PLOTLY = f"plotly-{plotly.__version__}.min.js"


def place_night(workspace: Workspace, run_id: str) -> tuple[Path, Path]:
    """Move the pages that wait in the run's work folder into the site; paths of the report and the catalogue."""
    target = workspace.site / "runs" / run_id
    install_asset(workspace, PLOTLY, get_plotlyjs())
    report = target / REPORT
    if not target.exists() or (target / MAILABLE).exists():
        report = install_night(workspace.work(run_id) / "site", workspace, run_id)
    return report, rebuild_catalogue(workspace)
