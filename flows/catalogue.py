"""The list of all published nights, made anew from what each night's folder says of itself."""

from pathlib import Path

from flows.site import install_catalogue, read_summaries
from flows.workspace import Workspace
from reports.catalogue import CatalogueEntry, render_catalogue


def rebuild_catalogue(workspace: Workspace) -> Path:
    """Render `site/index.html`; its path."""
    entries = [CatalogueEntry(**summary) for summary in read_summaries(workspace)]  # type: ignore[arg-type]
    return install_catalogue(workspace, render_catalogue(entries))
