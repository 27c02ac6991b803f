"""Complications of one cohort by how long the count was low: a heat map of shares."""

from reports.charts.complication_by_severity import banded
from reports.charts.complication_shares import COMPLICATION, COUNTS
from reports.charts.spec import Chart, TableColumn


def chart() -> Chart:
    """Complications down, bands of days across."""
    return Chart(
        id="complication-by-duration",
        position=3,
        title="Complications by length",
        caption="{cohort}: share of the confirmed episodes below {threshold} (default rule) that came with the "
        "complication, by days from the first low to the first recovered value, of those in which it could be seen.",
        where={"band_kind": "duration"},
        columns=(COMPLICATION, TableColumn("Length", "name:band", ("band",)), *COUNTS),
        note="A longer episode has more time for a complication to come, and complications bring more tests, which see "
        "the recovery later or sooner.",
        **banded(),
    )
