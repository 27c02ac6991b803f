"""The commands of `nadir quarantine`: what is set aside, and letting it go through again."""

from pathlib import Path
from typing import Annotated

import typer

from flows.spending import print_result, result_of, spend_night, summarise

quarantine_app = typer.Typer(
    help="Rows that were set aside: list them, let them go through again.", no_args_is_help=True
)

Workspace = Annotated[Path | None, typer.Option(help="Folder of the warehouse and the site. [default: ./workspace]")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]


@quarantine_app.command("list")
def list_(
    rule: Annotated[str | None, typer.Option(help="Only rows that this rule has set aside.")] = None,
    run: Annotated[str | None, typer.Option(help="What this run has set aside, instead of what is now.")] = None,
    workspace: Workspace = None,
    as_json: AsJson = False,
) -> None:
    """What is set aside as of the last published night, since when, and what to do about it."""
    from flows.quarantine import list_quarantine
    from flows.settings import read_settings

    found = list_quarantine(read_settings(workspace=workspace), rule, run)
    print_result(found.as_dict(), as_json, found.as_text())


@quarantine_app.command()
def release(
    rules: Annotated[list[str] | None, typer.Option("--rule", help="Only rows of this rule; can be repeated.")] = None,
    source: Annotated[
        Path | None,
        typer.Option(help="The repaired source map (YAML). [default: the one that each file was read with]"),
    ] = None,
    definitions: Annotated[Path | None, typer.Option(help="Folder of definitions laid over the shipped ones.")] = None,
    workspace: Workspace = None,
    direct: Annotated[bool, typer.Option("--direct", help="Run the stages without Prefect.")] = False,
    as_json: AsJson = False,
) -> None:
    """Judge refused rows again, by a repaired source map or changed definitions, without their files.

    Rows that a check set aside are checked again when definitions have changed; no command lets a row past a check.
    Rows of no interest, such as those of an unknown code, are not kept: a code that the map gains needs the file.
    Rows that were accepted stay as they were read until their file is given again.
    """
    from flows.handover import Request
    from flows.quarantine import count_candidates, list_quarantine
    from flows.settings import read_settings

    settings = read_settings(workspace=workspace, definitions=definitions)
    request = Request((), str(source.resolve()) if source else "auto", release=tuple(rules or ()))
    before = list_quarantine(settings).n_rows
    if not count_candidates(request, settings):
        text = f"Nothing to release: {before:,} rows are set aside, and no map or definition has changed for them."
        print_result({"is_new": False, "n_set_aside_before": before, "n_set_aside": before}, as_json, text)
        return
    published = spend_night(request, settings, direct=direct)
    after = list_quarantine(settings).n_rows
    result = {**result_of(published), "n_set_aside_before": before, "n_set_aside": after}
    text = f"{before:,} rows were set aside, {after:,} are now; see nadir quarantine list."
    print_result(result, as_json, "\n".join([text, *([summarise(published)] if published.is_new else [])]))
