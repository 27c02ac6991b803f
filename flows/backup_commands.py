"""The commands that keep a workspace safe: back it up into one file, and restore it."""

from pathlib import Path
from typing import Annotated

import typer

from flows.spending import print_result

Workspace = Annotated[Path | None, typer.Option(help="Folder of the warehouse and the site. [default: ./workspace]")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]


def add_backup_commands(app: typer.Typer) -> None:
    """`backup` and `restore`, beside the other commands."""
    app.command()(backup)
    app.command("restore")(restore_)


def backup(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Where to write it: another disk, best elsewhere.")],
    keep: Annotated[int, typer.Option(min=0, help="Keep so many of the newest there; 0 keeps all.")] = 0,
    workspace: Workspace = None,
    as_json: AsJson = False,
) -> None:
    """Write the whole workspace into one file that only its owner can read."""
    from flows.backup import back_up
    from flows.settings import read_settings

    kept = back_up(folder, read_settings(workspace=workspace), keep=keep)
    print_result(kept.as_dict(), as_json, kept.as_text())


def restore_(
    archive: Annotated[Path, typer.Argument(metavar="FILE", help="A file that `nadir backup` wrote.")],
    workspace: Workspace = None,
    as_json: AsJson = False,
) -> None:
    """Check a backup and put it in the place of the workspace, which is kept beside it."""
    from flows.backup import restore
    from flows.settings import read_settings

    kept = restore(archive, read_settings(workspace=workspace))
    print_result(kept.as_dict(), as_json, kept.as_text())
