"""The commands of `nadir definitions`: check them, run their examples, read them."""

from pathlib import Path
from typing import Annotated

import typer

from flows.spending import print_result

definitions_app = typer.Typer(help="The definitions: check them, run their examples, read them.", no_args_is_help=True)

Overlay = Annotated[Path | None, typer.Option(help="Folder of definitions laid over the shipped ones.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]


@definitions_app.command("check")
def check(definitions: Overlay = None, as_json: AsJson = False) -> None:
    """Load every definition, run its examples, and say what failed."""
    from flows.definitions import check_definitions

    report = check_definitions(definitions)
    print_result(report.as_dict(), as_json, report.as_text())
    if report.failures:
        raise report.error()


@definitions_app.command("show")
def show(
    name: Annotated[str | None, typer.Argument(help="Id of a definition; none lists all.")] = None,
    definitions: Overlay = None,
    as_json: AsJson = False,
) -> None:
    """Print one definition with its source, reason, caveats and examples, or list all."""
    from flows.definitions import show_definition

    shown = show_definition(name, definitions)
    print_result(shown, as_json, str(shown["text"]))
