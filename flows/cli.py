"""The commands of nadir. Nothing heavy is imported before a command needs it, so that `--help` answers at once.

A user's mistake ends with one clear message and its own exit code; a mistake of ours ends with 1 and says where, but
never with a text that could hold a patient's value.
"""

import sys
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from flows.backup_commands import add_backup_commands
from flows.definition_commands import add_definition_commands
from flows.errors import IdentifiersFound, UserError, guard_values
from flows.interruption import end_when_told
from flows.quarantine_commands import quarantine_app
from flows.quiet_exit import quieten_exit
from flows.report_commands import add_report_commands
from flows.spending import print_result as _print
from flows.spending import result_of, spend_night, summarise

if TYPE_CHECKING:
    from flows.handover import Request
    from flows.settings import Settings

app = typer.Typer(
    name="nadir",
    help="Who is neutropenic, how badly, for how long, and why: every night, from blood-count extracts.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
add_definition_commands(app)
app.add_typer(quarantine_app, name="quarantine")
add_report_commands(app)
add_backup_commands(app)

Extracts = Annotated[list[Path], typer.Argument(metavar="EXTRACT...", help="Files or folders of the extract.")]
Source = Annotated[str, typer.Option(help="auto, a format's name, or a source map (YAML).")]
Workspace = Annotated[Path | None, typer.Option(help="Folder of the warehouse and the site. [default: ./workspace]")]
Overlay = Annotated[Path | None, typer.Option(help="Folder of definitions laid over the shipped ones.")]
Direct = Annotated[bool, typer.Option("--direct", help="Run the stages without Prefect.")]


class Layout(StrEnum):
    """Layouts that the simulated hospital can be written in."""

    DELIMITED = "delimited"
    PARQUET = "parquet"
    OMOP = "omop"
    MIMIC_IV = "mimic_iv"
    FHIR = "fhir"
    FHIR_BUNDLES = "fhir_bundles"


Snapshot = Annotated[
    bool, typer.Option("--snapshot", help="The extract is everything there is: what it lacks is gone.")
]
ExtractDate = Annotated[
    datetime | None,
    typer.Option(formats=["%Y-%m-%d"], help="The day the extract was made; it decides between versions."),
]
Runner = Annotated[str | None, typer.Option(help="here, or dask: derive and estimate on a Dask cluster.")]
Address = Annotated[str | None, typer.Option(help="Scheduler of the runner dask, such as tcp://host:8786.")]
Accept = Annotated[
    list[str] | None,
    typer.Option("--accept", metavar="CHECK_ID", help="A change from earlier nights that is right. May be repeated."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print the result as JSON.")]


@app.command()
def demo(
    people: Annotated[int, typer.Option(min=50, help="People of the simulated hospital.")] = 4000,
    days: Annotated[int, typer.Option(min=60, help="Days that it is watched.")] = 730,
    seed: Annotated[int, typer.Option(help="The same seed gives the same hospital.")] = 1,
    agreement: Annotated[bool, typer.Option("--agreement", help="And a page of rules against the truth.")] = False,
    workspace: Workspace = None,
    direct: Direct = False,
    as_json: AsJson = False,
) -> None:
    """Simulate a hospital, run the whole night on it, print the path of the report."""
    from flows.demo import simulate_demo, tell_agreement

    settings = _settings(workspace).model_copy(update={"steady_seconds": 0.0})
    extract = simulate_demo(settings.workspace, people, days, seed, has_truth=agreement)
    _run(_request([extract], "auto"), settings, direct=direct, as_json=as_json)
    if agreement:
        typer.echo(tell_agreement(settings, extract, seed), err=True)


@app.command()
def run(
    extracts: Extracts,
    source: Source = "auto",
    workspace: Workspace = None,
    definitions: Overlay = None,
    extract_date: ExtractDate = None,
    snapshot: Snapshot = False,
    accept: Accept = None,
    runner: Runner = None,
    address: Address = None,
    direct: Direct = False,
    as_json: AsJson = False,
) -> None:
    """Run the whole night on an extract: receive, validate, derive, estimate, release, publish."""
    request = replace(_request(extracts, source, extract_date, is_snapshot=snapshot), accepted=frozenset(accept or []))
    settings = _settings(workspace, definitions, runner=runner, dask_address=address)
    _run(request, settings, direct=direct, as_json=as_json)


@app.command()
def erase(
    person: Annotated[str, typer.Argument(metavar="PERSON", help="The person's key, as the extract has it.")],
    source_id: Annotated[str, typer.Option(help="Whose person it is, when several sources have that key.")] = "",
    workspace: Workspace = None,
    as_json: AsJson = False,
) -> None:
    """Remove all that is known of a person, and leave the person out when files that hold them come again."""
    from flows.erase import erase_person

    erased = erase_person(person, source_id, _settings(workspace))
    _print(erased.as_dict(), as_json, erased.as_text())


@app.command()
def check(
    extracts: Extracts,
    source: Source = "auto",
    workspace: Annotated[Path | None, typer.Option(help="Compare with the good nights there; read only.")] = None,
    definitions: Overlay = None,
    as_json: AsJson = False,
) -> None:
    """Everything up to the verdict; stores nothing."""
    from flows.checking import check_extract
    from flows.refusal import list_identifiers

    try:
        checked = check_extract(tuple(extracts), source, _settings(None, definitions), workspace)
    except IdentifiersFound as error:
        identifiers = [asdict(entry) for entry in error.findings]
        _print({"verdict": "stop", "identifiers": identifiers}, as_json, "\n".join(list_identifiers(error.findings)))
        raise
    _print(checked.as_dict(), as_json, checked.as_text())
    if checked.verdict == "stop":
        raise checked.stop


@app.command()
def simulate(
    people: Annotated[int, typer.Option(min=1, help="How many people.")],
    days: Annotated[int, typer.Option(min=1, help="How many days they are watched.")],
    out: Annotated[Path, typer.Option(help="Folder to write; it must be empty or not there.")],
    layout: Annotated[Layout, typer.Option("--format", help="Layout of the files.")] = Layout.DELIMITED,
    seed: Annotated[int, typer.Option(help="The same seed gives the same bytes.")] = 1,
    truth: Annotated[
        Path | None, typer.Option(help="Write every true episode to this file (.csv or .parquet).")
    ] = None,
    noise_free: Annotated[bool, typer.Option("--noise-free", help="Report the true count at every visit.")] = False,
    as_json: AsJson = False,
) -> None:
    """Write the extract of a simulated hospital, and on request the truth behind it."""
    from flows.demo import simulate_extract
    from flows.simulation.hospital import SimulationRequest

    request = SimulationRequest(
        people=people, days=days, format=layout.value, out=out, seed=seed, truth=truth, is_noise_free=noise_free
    )
    written = simulate_extract(request)
    _print(written.as_dict(), as_json, written.as_text())


@app.command()
def schedule(
    extracts: Extracts,
    cron: Annotated[str, typer.Option(help="When, as a cron line.")] = "0 2 * * *",
    timezone: Annotated[str, typer.Option(help="Time zone of the cron line.")] = "UTC",
    source: Source = "auto",
    workspace: Workspace = None,
    definitions: Overlay = None,
    snapshot: Snapshot = False,
    port: Annotated[int, typer.Option(help="Port of the local Prefect server when none is configured.")] = 4200,
) -> None:
    """Serve the nightly deployment until interrupted; it also runs from Prefect's pages and command line."""
    from flows.handover import Request
    from flows.schedule import serve_by_cron

    settings = _settings(workspace, definitions)
    request = Request(tuple(extracts), source, is_snapshot=snapshot)
    serve_by_cron(request, settings, cron=cron, timezone=timezone, port=port)


@app.command()
def runs(
    run_id: Annotated[
        str | None, typer.Argument(metavar="[RUN_ID]", help="One attempt in full; none lists all.")
    ] = None,
    workspace: Workspace = None,
    definitions: Overlay = None,
    as_json: AsJson = False,
) -> None:
    """Every attempt in this workspace, newest last; or one in full: checks, rows set aside, trend, what to do."""
    from flows.run_detail import show_run
    from flows.run_list import show_runs

    settings = _settings(workspace, definitions)
    result, text = show_runs(settings) if run_id is None else show_run(run_id, settings)
    _print(result, as_json, text)


@app.command()
def explain(
    episode: Annotated[str, typer.Argument(metavar="EPISODE_ID", help="Its id in derived.episode.")],
    workspace: Workspace = None,
    definitions: Overlay = None,
    as_json: AsJson = False,
) -> None:
    """Show every value, bound, rule and candidate behind one episode. It shows a patient: for your terminal only."""
    from flows.explaining import explain_episode
    from flows.timeline import write_timeline

    explained = explain_episode(episode, _settings(workspace, definitions))
    _print(explained.as_dict(), as_json, "" if as_json else write_timeline(explained))


@app.command("map")
def map_(
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Files of a local export.")],
    out: Annotated[Path | None, typer.Option(help="Write the map to this file. [default: print it]")] = None,
    definitions: Overlay = None,
    as_json: AsJson = False,
) -> None:
    """Propose a source map for a local export, and say what is unsure."""
    from flows.mapping import propose_map, write_proposal
    from transforms.load import load_definitions

    settings = _settings(None, definitions)
    proposal = propose_map(files, load_definitions(settings.definitions), memory_limit=settings.memory_limit)
    if out is not None:
        write_proposal(proposal, out)
    _print(proposal.as_dict(), as_json, proposal.as_text(out))


@app.command()
def sources(as_json: AsJson = False) -> None:
    """The formats that can be read, what each carries and what it cannot."""
    from flows.sources.listing import describe_adapters, sort_adapters
    from flows.sources.recognise import list_adapters

    adapters = sort_adapters(list_adapters())
    _print({"sources": [asdict(adapter) for adapter in adapters]}, as_json, describe_adapters(adapters))


def main() -> NoReturn:
    """Run a command; end with its exit code."""
    quieten_exit()
    end_when_told()
    try:
        with guard_values():
            app()
    except UserError as error:
        print(error, file=sys.stderr)
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        sys.exit(130)
    sys.exit(0)


def _request(
    extracts: list[Path], source: str, extract_date: datetime | None = None, *, is_snapshot: bool = False
) -> "Request":
    from flows.handover import Request

    paths = tuple(path.resolve() for path in extracts)
    day = extract_date.date() if extract_date else None
    if day and day > datetime.now(UTC).date() + timedelta(days=1):  # it may be tomorrow where the extract was made
        from flows.errors import WrongUse

        raise WrongUse(
            f"--extract-date {day} is still to come: every later extract would count as older than this one.",
            repair="Name the day on which the extract was made, also where the dates in it are shifted.",
        )
    return Request(paths, _resolve_source(source), day, is_snapshot)


def _run(request: "Request", settings: "Settings", *, direct: bool, as_json: bool) -> None:
    published = spend_night(request, settings, direct=direct)
    _print(result_of(published), as_json, summarise(published))


def _settings(workspace: Path | None, definitions: Path | None = None, **others: str | None) -> "Settings":
    from flows.settings import read_settings

    return read_settings(workspace=workspace, definitions=definitions, **others)


def _resolve_source(source: str) -> str:
    path = Path(source)
    return str(path.resolve()) if path.suffix in {".yaml", ".yml"} else source


if __name__ == "__main__":
    main()
