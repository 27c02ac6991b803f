"""The definitions as a command sees them: every file loaded, every example run, one definition shown."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from expectations.examples_of_changes import check_changes
from flows.definition_sheet import describe
from flows.errors import DefinitionError
from flows.examples_of_identifiers import check_identifiers
from flows.examples_of_receiving import check_receiving
from flows.packages import refuse_wrong_packages
from flows.settings import Settings
from flows.suite_trial import refuse_wrong_checks
from flows.workspace import Workspace
from transforms.definition_files import find_file
from transforms.example_results import WrongExample
from transforms.examples import CHECKS, Check, ExampleResult
from transforms.kinds import KINDS
from transforms.load import Definitions, load_definitions
from transforms.unknown_names import refuse_unknown_names, refuse_unknown_units
from transforms.wrong_keys import line_of, point_at

CHECKS_OF_ALL: Mapping[Check, tuple[str, ...]] = {
    **CHECKS,
    check_receiving: ("receiving", "codelists", "source_maps"),
    check_changes: ("changes",),
    check_identifiers: ("identifiers",),
}


@dataclass(frozen=True)
class DefinitionReport:
    """How many definitions and examples there are, and which examples failed."""

    definitions: int
    examples: int
    hash: str
    failures: Sequence[ExampleResult]
    without_examples: Sequence[str] = ()

    def as_dict(self) -> Mapping[str, Any]:
        """For `--json`."""
        failures = [f"{r.kind} {r.definition}: {r.example}: expected {r.expected}, got {r.got}" for r in self.failures]
        return {
            "definitions": self.definitions,
            "examples": self.examples,
            "hash": self.hash,
            "failures": failures,
            "without_examples": list(self.without_examples),
        }

    def as_text(self) -> str:
        """For a terminal."""
        unproven = f"; without examples: {', '.join(self.without_examples)}" if self.without_examples else ""
        return (
            f"{self.definitions} definitions, {self.examples} examples, {len(self.failures)} failed; "
            f"hash {self.hash}{unproven}"
        )

    def error(self) -> DefinitionError:
        """The error a command ends with when an example failed."""
        return DefinitionError(
            f"{len(self.failures)} examples of the definitions failed.",
            details=self.as_dict()["failures"],
            repair="Correct the example or the definition.",
        )


def check_definitions(overlay: Path | None) -> DefinitionReport:
    """Load everything and run every example through the functions that the pipeline uses."""
    definitions = load_definitions(overlay)
    refuse_wrong_checks(definitions.own_suites)
    refuse_unknown_names(definitions)
    refuse_unknown_units(definitions)
    refuse_wrong_packages()
    results = run_examples(definitions)
    failures = [result for result in results if not result.is_ok]
    unproven = [f"{type(entry).__name__} {entry.id}" for entry in definitions.all() if not entry.examples]
    return DefinitionReport(len(definitions.all()), len(results), definitions.hash, failures, unproven)


def run_examples(definitions: Definitions) -> list[ExampleResult]:
    """What came of every example of every definition; DefinitionError when an example cannot be run at all."""
    results = _run(CHECKS_OF_ALL, definitions)
    _refuse_idle(definitions, results)
    return results


def show_definition(name: str | None, settings: Settings) -> Mapping[str, Any]:
    """Every definition with this id and what is known around it, or the list of all ids with their titles."""
    definitions = load_definitions(settings.definitions)
    if name is None:
        listed = {f"{type(d).__name__} {d.id}": d.title for d in definitions.all()}
        return {"definitions": listed, "text": "\n".join(f"{key:<40} {title}" for key, title in listed.items())}
    folders = {folder for folder in KINDS if find_file(definitions.files, folder, name)}
    if not folders:
        known = sorted({d.id for d in definitions.all()})
        raise DefinitionError(f"There is no definition {name!r}.", details=known, repair="Use one of these.")
    tops = {folder.split("/")[0] for folder in folders}
    results = _run([check for check, kinds in CHECKS_OF_ALL.items() if tops & set(kinds)], definitions)
    sheets = describe(definitions, name, results, Workspace(settings.workspace.resolve()))
    return {
        "definitions": [sheet.as_dict() for sheet in sheets],
        "text": "\n\n---\n\n".join(sheet.as_text() for sheet in sheets),
    }


def _run(checks: Iterable[Check], definitions: Definitions) -> list[ExampleResult]:
    try:
        return [result for check in checks for result in check(definitions)]
    except WrongExample as error:
        raise _with_line(error, definitions) from error


def _with_line(error: WrongExample, definitions: Definitions) -> DefinitionError:
    """The error with the file and the lines at which the example is not as it should be."""
    path = find_file(definitions.files, error.kind, error.definition)
    if path is None:
        return error
    text, example = path.read_text(encoding="utf-8"), ("examples", error.number)
    lines = [f"{point_at(path.name, text, (*example, *place))}: {said}" for place, said in error.wrong]
    return DefinitionError(
        f"{error.what.removesuffix('.')}: {path}, line {line_of(text, example)}.",
        details=lines or error.details,
        repair=error.repair,
    )


def _refuse_idle(definitions: Definitions, results: Sequence[ExampleResult]) -> None:
    """A code list that nothing reads has examples that nothing runs."""
    run = {result.definition for result in results if result.kind == "codelists"}
    idle = [entry.id for entry in definitions.codelists.values() if entry.examples and entry.id not in run]
    if idle:
        raise DefinitionError(
            "definitions/codelists holds lists that nothing reads.",
            details=idle,
            repair="An id is drugs or conditions, begins with drugs_ or conditions_, or is labs or units.",
        )
