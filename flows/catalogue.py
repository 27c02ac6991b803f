"""The list of all published nights, made anew from what each night's folder says of itself."""

from collections.abc import Collection
from pathlib import Path

from flows.site import install_catalogue, read_summaries
from flows.workspace import Workspace
from reports.catalogue import CatalogueEntry, render_catalogue


def rebuild_catalogue(workspace: Workspace, without: Collection[str] = ()) -> Path:
    """Render `site/index.html`, without nights that are about to go; its path."""
    listed = [summary for summary in read_summaries(workspace) if summary["run_id"] not in without]
    entries = [CatalogueEntry(**summary) for summary in listed]  # type: ignore[arg-type]
    return install_catalogue(workspace, render_catalogue(entries))
