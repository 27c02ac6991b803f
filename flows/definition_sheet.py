"""One definition as a person reads it: rule, source, why, caveats, examples with their outcome, uses and history."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from textwrap import fill
from typing import Any

import yaml

from flows.site import read_summaries
from flows.workspace import Workspace
from transforms.definition_files import find_file
from transforms.example_results import ExampleResult
from transforms.kinds import KINDS, Kind
from transforms.load import Definitions
from transforms.model.base import Definition
from transforms.schemas import load_tables

WIDTH = 100
SAID = frozenset({"id", "version", "title", "rule", "source", "why", "caveats", "examples"})
_DATED = re.compile(r"(?=\b\d{4}-\d{2}-\d{2}\. )")


@dataclass(frozen=True)
class Sheet:
    """A definition with what is known around it.

    `origin` says whose it is; `used_by` are other definitions that name it, `tables` those that hold its id;
    `history` are the dated decisions of its `why` and the runs of this workspace that first used a version of it.
    """

    folder: str
    definition: Definition
    origin: str
    results: Sequence[ExampleResult]
    used_by: Sequence[str]
    tables: Sequence[str]
    history: Sequence[str]

    def as_dict(self) -> Mapping[str, Any]:
        """For `--json`."""
        results = [{"example": r.example, "expected": r.expected, "got": r.got, "is_ok": r.is_ok} for r in self.results]
        return {
            "kind": self.folder,
            "origin": self.origin,
            **self.definition.model_dump(mode="json"),
            "outcomes": results,
            "used_by": list(self.used_by),
            "tables": list(self.tables),
            "history": list(self.history),
        }

    def as_text(self) -> str:
        """For a terminal."""
        return "\n".join(self._lines())

    def _lines(self) -> Iterator[str]:
        one = self.definition
        yield f"{self.folder}/{one.id}, version {one.version}: {one.title}"
        yield f"  {self.origin}"
        rule = str(getattr(one, "rule", ""))
        for heading, text in (("Rule", rule), ("Source", one.source), ("Why", one.why)):
            yield from _paragraph(heading, text)
        yield from _list("Caveats", one.caveats)
        written = one.model_dump(mode="json", exclude_none=True, exclude_defaults=True, exclude=set(SAID))
        if written:
            text = yaml.safe_dump(written, sort_keys=False, allow_unicode=True, width=WIDTH, default_flow_style=None)
            yield "\nParameters\n" + "\n".join(f"  {line}" for line in text.rstrip().splitlines())
        yield from _list("Examples", [_outcome(result) for result in self.results])
        yield from _list("Used by", self.used_by)
        yield from _list("Stands in", self.tables)
        yield from _list("History", self.history)


def describe(
    definitions: Definitions, name: str, results: Sequence[ExampleResult], workspace: Workspace
) -> tuple[Sheet, ...]:
    """A sheet for each definition with this id: a cohort and a cause may share one."""
    return tuple(_sheets(definitions, name, results, workspace))


def _sheets(
    definitions: Definitions, name: str, results: Sequence[ExampleResult], workspace: Workspace
) -> Iterator[Sheet]:
    for folder, kind in KINDS.items():
        path = find_file(definitions.files, folder, name)
        one = next((d for d in definitions.all() if d.id == name and isinstance(d, kind.model)), None)
        if path is None or one is None:
            continue
        top = folder.split("/")[0]
        yield Sheet(
            folder,
            one,
            _origin(definitions, path),
            [result for result in results if (result.kind, result.definition) == (top, name)],
            [] if kind.column == "" else list(_users(definitions, one)),
            list(_tables(kind)),
            [*_decisions(one.why), *_first_runs(name, workspace)],
        )


def _origin(definitions: Definitions, path: Path) -> str:
    name = next(key for key, found in definitions.files.items() if found == path)
    if name not in definitions.overrides:
        return f"shipped: transforms/definitions/{name}"
    return f"yours: {path}" + (", in place of the shipped one" if name in definitions.replaced else "")


def _users(definitions: Definitions, one: Definition) -> Iterator[str]:
    """Other definitions in which the id stands as a whole word of its own."""
    for other in definitions.all():
        if other is not one:
            for place in _places(other.model_dump(mode="json", exclude={*SAID, "examples"}), one.id, ""):
                yield f"{type(other).__name__} {other.id}: {place}"


def _places(value: Any, name: str, place: str) -> Iterator[str]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from [place or key] if key == name else _places(inner, name, f"{place}.{key}".lstrip("."))
    elif isinstance(value, Sequence) and not isinstance(value, str):
        yield from dict.fromkeys(found for inner in value for found in _places(inner, name, place))
    elif value == name:
        yield place


def _tables(kind: Kind) -> Iterator[str]:
    """One line a schema: `derived, column rule: episode, cycle`."""
    holding = [
        name for name, table in sorted(load_tables().items()) if kind.column and kind.column in table.column_names
    ]
    for schema, names in groupby(holding, lambda name: name.partition(".")[0]):
        yield f"{schema}, column {kind.column}: {', '.join(name.partition('.')[2] for name in names)}"


def _decisions(why: str) -> Sequence[str]:
    """The dated paragraphs of a reason."""
    return [part.strip() for part in _DATED.split(" ".join(why.split())) if _DATED.match(part)]


def _first_runs(name: str, workspace: Workspace) -> Iterator[str]:
    """The first published run with each version, as the runs of this workspace tell it."""
    seen = ""
    for night in read_summaries(workspace):
        versions = night.get("definition_versions")
        version = str(versions.get(name, "")) if isinstance(versions, Mapping) else ""
        if version and version != seen:
            yield f"version {version} first counted in run {night['run_id']}"
            seen = version


def _outcome(result: ExampleResult) -> str:
    if result.is_ok:
        return f"ok: {result.example}: {result.got}"
    return f"FAILED: {result.example}: expected {result.expected}, got {result.got}"


def _paragraph(heading: str, text: str) -> Iterator[str]:
    if text:
        yield f"\n{heading}"
        yield fill(" ".join(text.split()), WIDTH, initial_indent="  ", subsequent_indent="  ")


def _list(heading: str, items: Sequence[str]) -> Iterator[str]:
    if items:
        yield f"\n{heading}"
        for item in items:
            yield fill(" ".join(item.split()), WIDTH, initial_indent="  - ", subsequent_indent="    ")
