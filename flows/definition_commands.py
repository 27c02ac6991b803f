"""The commands of `nadir definitions`: check them, run their examples, read them."""

from pathlib import Path
from typing import Annotated

import typer

from flows.spending import print_result
from flows.startable import Startable

definitions_app = typer.Typer(help="The definitions: check them, run their examples, read them.", no_args_is_help=True)

Overlay = Annotated[Path | None, typer.Option(help="Folder of definitions laid over the shipped ones.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]


def add_definition_commands(app: typer.Typer) -> None:
    """`definitions` and `new`, beside the other commands."""
    app.add_typer(definitions_app, name="definitions")
    app.command()(new)


def new(
    kind: Annotated[Startable, typer.Argument(help="What to start.")],
    name: Annotated[str, typer.Argument(help="What tables will call it: small letters, digits and _.")],
    definitions: Overlay = None,
    as_json: AsJson = False,
) -> None:
    """Write a commented starting file that is valid as it stands, in your own folder of definitions."""
    from flows.settings import read_settings
    from flows.starting import start

    started = start(kind, name, read_settings(definitions=definitions))
    print_result(started.as_dict(), as_json, started.as_text())


@definitions_app.command("check")
def check(definitions: Overlay = None, as_json: AsJson = False) -> None:
    """Load every definition, run its examples, and say what failed."""
    from flows.definitions import check_definitions
    from flows.settings import read_settings

    report = check_definitions(read_settings(definitions=definitions).definitions)
    print_result(report.as_dict(), as_json, report.as_text())
    if report.failures:
        raise report.error()


@definitions_app.command("show")
def show(
    name: Annotated[str | None, typer.Argument(help="Id of a definition; none lists all.")] = None,
    definitions: Overlay = None,
    workspace: Annotated[Path | None, typer.Option(help="Whose runs its history is of. [default: ./workspace]")] = None,
    as_json: AsJson = False,
) -> None:
    """Print one definition: rule, source, why, caveats, examples with their outcome, uses, history; or list all."""
    from flows.definitions import show_definition
    from flows.settings import read_settings

    shown = show_definition(name, read_settings(definitions=definitions, workspace=workspace))
    result = {key: value for key, value in shown.items() if key != "text"}
    print_result(result, as_json, str(shown["text"]))


@definitions_app.command("schema")
def schema(
    kind: Annotated[str | None, typer.Argument(help="A folder of definitions, suites, shelf or source.")] = None,
    out: Annotated[Path | None, typer.Option(help="Folder to write one file a kind into, for an editor.")] = None,
) -> None:
    """JSON Schema of a kind of YAML, or of all into a folder, with which an editor completes and checks them."""
    from flows.definition_schemas import print_schema, write_schemas

    if out is not None:
        typer.echo(write_schemas(out))
    else:
        typer.echo(print_schema(kind))
