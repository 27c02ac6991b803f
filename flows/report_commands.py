"""The commands about reports: what moved between two, one as a file, one of several hospitals, what no list knew."""

from pathlib import Path
from typing import Annotated, Any

import typer

from flows.spending import print_result, result_of, summarise

Workspace = Annotated[Path | None, typer.Option(help="Folder of the warehouse and the site. [default: ./workspace]")]
Overlay = Annotated[Path | None, typer.Option(help="Folder of definitions laid over the shipped ones.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]


def add_report_commands(app: typer.Typer) -> None:
    """`again`, `diff`, `export`, `merge` and `unmatched`, beside the other commands."""
    app.command()(again)
    app.command()(diff)
    app.command()(export)
    app.command()(merge)
    app.command()(unmatched)


def again(
    run_id: Annotated[str, typer.Argument(metavar="RUN_ID", help="The published run.")],
    extracts: Annotated[
        list[Path], typer.Argument(metavar="EXTRACT...", help="Where the files of all nights until that run lie now.")
    ],
    out: Annotated[Path, typer.Option(help="A new folder: the workspace that this makes.")],
    source: Annotated[str, typer.Option(help="The source map of those nights, if one was named.")] = "auto",
    accept: Annotated[list[str] | None, typer.Option(metavar="CHECK", help="A check that was accepted then.")] = None,
    workspace: Workspace = None,
    definitions: Overlay = None,
    as_json: AsJson = False,
) -> None:
    """Make an old result again as of its night, from the same files, definitions and code, and compare the numbers."""
    from flows.handover import Request
    from flows.made_again import make_again
    from flows.settings import read_settings

    own = str(Path(source).resolve()) if Path(source).suffix in {".yaml", ".yml"} else source
    request = Request(tuple(path.resolve() for path in extracts), own, accepted=frozenset(accept or []))
    made = make_again(run_id, request, read_settings(workspace=workspace, definitions=definitions), out)
    print_result(made.as_dict(), as_json, made.as_text())


def diff(
    before: Annotated[str, typer.Argument(metavar="RUN_ID", help="The earlier run.")],
    now: Annotated[str, typer.Argument(metavar="RUN_ID", help="The later run.")],
    workspace: Workspace = None,
    definitions: Overlay = None,
    as_json: AsJson = False,
) -> None:
    """What moved between two published runs, and whether data, definitions or code moved it."""
    from flows.diffing import diff_runs
    from flows.settings import read_settings

    found = diff_runs(before, now, read_settings(workspace=workspace, definitions=definitions))
    print_result(found.as_dict(), as_json, "" if as_json else found.as_text())


def export(
    run_id: Annotated[str | None, typer.Argument(metavar="[RUN_ID]", help="The published run.")] = None,
    out: Annotated[
        Path | None, typer.Option(help="The file or, with --tables, the folder. [default: RUN_ID.html or tables]")
    ] = None,
    tables: Annotated[
        bool, typer.Option("--tables", help="The derived tables of now instead. They hold rows of people.")
    ] = False,
    workspace: Workspace = None,
    as_json: AsJson = False,
) -> None:
    """One published report as a single file; or, for research inside the secure environment only, derived tables."""
    from flows.errors import WrongUse
    from flows.exporting import export_report
    from flows.settings import read_settings
    from flows.table_export import export_tables

    if tables == (run_id is not None):
        raise WrongUse("export takes a RUN_ID or --tables.", repair="nadir runs lists the runs of this workspace.")
    if run_id is None:
        written = export_tables(out or Path("tables"), read_settings(workspace=workspace))
        print_result(written.as_dict(), as_json, written.as_text())
        return
    path = export_report(run_id, out, read_settings(workspace=workspace))
    result: dict[str, Any] = {"report": str(path), "bytes": path.stat().st_size}
    print_result(result, as_json, f"report: {path} ({path.stat().st_size / 1e6:.1f} MB)")


def merge(
    counts: Annotated[
        list[Path],
        typer.Argument(metavar="COUNTS...", help="The counts.zip of each hospital, or its nadir-released.zip."),
    ],
    out: Annotated[Path, typer.Option(help="Folder of the sum and its report.")] = Path("network"),
    pooled: Annotated[
        bool,
        typer.Option(
            "--pooled",
            help="Hide only what the pooled extract would hide: for readers who see no hospital's own report.",
        ),
    ] = False,
    definitions: Overlay = None,
    as_json: AsJson = False,
) -> None:
    """Add the counts of several hospitals into one released report. No person's row is needed.

    Where a hospital sends its released numbers instead, totals are ranges.
    """
    from flows.merging import merge_counts
    from flows.settings import read_settings

    published = merge_counts(counts, read_settings(definitions=definitions), out, is_pooled=pooled)
    print_result(result_of(published), as_json, summarise(published))


def unmatched(
    workspace: Workspace = None,
    definitions: Overlay = None,
    as_json: AsJson = False,
) -> None:
    """Names of drugs and codes of diagnoses that no list knows, most rows first; local terminal only."""
    from flows.recognised_words import list_in_workspace
    from flows.settings import read_settings
    from transforms.load import load_definitions

    settings = read_settings(workspace=workspace, definitions=definitions)
    found = list_in_workspace(settings, load_definitions(settings.definitions))
    print_result(found.as_dict(), as_json, "" if as_json else found.as_text())
