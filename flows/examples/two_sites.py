"""Two sites spend their night, each in its own workspace; then their counts are added into one report."""

from pathlib import Path

from prefect import flow

from flows.handover import Published, Request
from flows.merging import merge_counts
from flows.night import run_night
from flows.progress import Progress
from flows.settings import Settings
from flows.workspace import Workspace


@flow(name="two sites", persist_result=False)
def two_sites(first: Path, second: Path, folder: Path) -> Published:
    """The report of both extracts, below `folder`. A site whose night stops ends the flow with its reason.

    Nobody reads the report of one site here, so that of both hides what one extract of all people would.
    """
    sent = []
    for extract in (first, second):
        settings = Settings(workspace=folder / extract.name)
        run_night(Request((extract,)), settings, Progress())
        sent.append(Workspace(settings.workspace).counts)
    return merge_counts(sent, Settings(), folder / "network", is_pooled=True)
