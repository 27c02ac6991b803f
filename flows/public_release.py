"""The release flow: what a hospital has counted until now, as a report for the public, in a folder of its own.

It reads the counts that the last good night left in the workspace and no row of a person, hides by the rule of the
channel, and leaves the hospital's own site alone. No `from __future__ import annotations` here, as in `nightly`.
"""

from pathlib import Path
from typing import Any

from prefect import flow, task
from prefect.artifacts import create_link_artifact
from pydantic import BaseModel, ConfigDict, Field, model_validator

from flows.errors import SourceError, UserError, guard_values
from flows.handover import Published
from flows.merging import merge_counts
from flows.nightly import as_state
from flows.quiet_exit import quieten_exit
from flows.retrying import OPTIONS
from flows.settings import Settings, read_settings
from flows.workspace import Workspace
from transforms.model.disclosure import Channel

LONGEST_RELEASE_SECONDS = 4 * 3600


class ReleaseParameters(BaseModel):
    """Whose counts, by which rules, and where the report goes."""

    model_config = ConfigDict(extra="forbid")

    workspace: Path = Field(
        Path("workspace"), title="Workspace", description="folder of the warehouse whose newest counts are released"
    )
    out: Path = Field(Path("public"), title="Out", description="folder of the released report and its site")
    channel: Channel = Field("public", title="Channel", description="whose disclosure rules the report obeys")
    definitions: Path | None = Field(
        None, title="Definitions", description="folder laid over the shipped definitions, as in the nights"
    )

    @model_validator(mode="after")
    def _goes_elsewhere(self) -> "ReleaseParameters":
        if self.out.resolve().is_relative_to(self.workspace.resolve()):
            raise ValueError("a report for others does not belong into the private workspace")
        return self


@task(name="release counts", **OPTIONS)
def release_counts(counts: Path, settings: Settings, out: Path) -> Published:
    """Counts of everybody become a report by the rules of a channel."""
    with guard_values():
        return merge_counts([counts], settings, out)


@flow(
    name="release",
    flow_run_name="release for {parameters.channel}",
    timeout_seconds=LONGEST_RELEASE_SECONDS,
    validate_parameters=True,
    persist_result=False,
)
def release_publicly(parameters: ReleaseParameters) -> Any:
    """The counts of the last good night as a report by the rules of a channel, public ones unless another is named."""
    quieten_exit()
    try:
        with guard_values():
            settings = read_settings(definitions=parameters.definitions, channel=parameters.channel)
            counts = Workspace(parameters.workspace.resolve()).counts
            if not counts.is_file():
                raise SourceError(
                    "This workspace has no counts: no night has been published in it.",
                    repair="Name the workspace of the nightly deployment, or run a night first.",
                )
            published = release_counts(counts, settings, parameters.out)
    except UserError as error:
        return as_state(error)
    create_link_artifact(published.report.as_uri(), key="public-report", link_text="the released report")
    return published.run_id
