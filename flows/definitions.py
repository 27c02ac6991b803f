"""The definitions as a command sees them: every file loaded, every example run, one definition shown."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from flows.errors import DefinitionError
from flows.examples_of_identifiers import check_identifiers
from flows.examples_of_receiving import check_receiving
from transforms.examples import ExampleResult, check_examples
from transforms.load import Definitions, load_definitions


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
    results = run_examples(definitions)
    failures = [result for result in results if not result.is_ok]
    unproven = [f"{type(entry).__name__} {entry.id}" for entry in definitions.all() if not entry.examples]
    return DefinitionReport(len(definitions.all()), len(results), definitions.hash, failures, unproven)


def run_examples(definitions: Definitions) -> list[ExampleResult]:
    """What came of every example of every definition; DefinitionError when an example cannot be run at all."""
    results = [*check_examples(definitions), *check_receiving(definitions), *check_identifiers(definitions)]
    _refuse_idle(definitions, results)
    return results


def show_definition(name: str | None, overlay: Path | None) -> Mapping[str, Any]:
    """One definition as its file has it, or the list of all ids with their titles."""
    definitions = load_definitions(overlay)
    if name is None:
        listed = {f"{type(d).__name__} {d.id}": d.title for d in definitions.all()}
        return {"definitions": listed, "text": "\n".join(f"{key:<40} {title}" for key, title in listed.items())}
    found = [d for d in definitions.all() if d.id == name]
    if not found:
        known = sorted({d.id for d in definitions.all()})
        raise DefinitionError(f"There is no definition {name!r}.", details=known, repair="Use one of these.")
    shown = [d.model_dump(mode="json") for d in found]
    text = "\n---\n".join(yaml.safe_dump(d, sort_keys=False, allow_unicode=True, width=100) for d in shown)
    return {"definitions": shown, "text": text, "overridden": _is_overridden(definitions, name)}


def _is_overridden(definitions: Definitions, name: str) -> bool:
    return any(Path(path).stem == name for path in definitions.overrides)


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
