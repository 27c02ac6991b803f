"""The methods part of the page, built from the definition files alone: what they say is what was done."""

from collections.abc import Sequence
from functools import lru_cache
from itertools import groupby
from typing import Any

import yaml

from reports.wording import NBSP, count, plain
from transforms.load import Definitions
from transforms.model.base import Definition
from transforms.schemas import Table, load_tables

_SAID = {"id", "version", "title", "rule", "source", "why", "caveats", "examples"}


@lru_cache(maxsize=8)
def methods_of(definitions: Definitions, channel: str) -> list[dict[str, Any]]:
    """Groups of definitions in reading order, each with every rule in its own words."""
    return [
        {"title": title, "items": [_item(one, place) for one in members]}
        for place, (title, members) in enumerate(_groups(definitions, channel))
        if members
    ]


def versions_of(definitions: Definitions, channel: str) -> dict[str, str]:
    """The version of every definition that the methods name, by its id."""
    return {one.id: str(one.version) for _, members in _groups(definitions, channel) for one in members}


def _groups(definitions: Definitions, channel: str) -> list[tuple[str, Sequence[Definition]]]:
    release = [rule for rule in definitions.disclosure if getattr(rule, "channel", channel) == channel]
    return [
        ("How a neutrophil count is derived", (definitions.anc,)),
        ("Severity", definitions.scales),
        ("Episodes", definitions.rules),
        ("Chronic track, days and cycles", (*definitions.chronic, definitions.person_days, definitions.cycles)),
        ("Cohorts", definitions.cohorts),
        ("Drugs and regimens", (definitions.exposures, definitions.regimens, definitions.drugs)),
        ("Suspected causes", (*definitions.causes, definitions.naranjo)),
        ("Complications", definitions.complications),
        ("Denominators", definitions.denominators),
        ("Estimates", (definitions.estimation, definitions.survey)),
        ("What is hidden", release),
        ("Code lists", tuple(definitions.codelists.values())),
    ]


def own_definitions(definitions: Definitions) -> list[tuple[str, str]]:
    """The files that a site or its packages laid over the shipped ones, each with what it did."""
    return [
        (name, "in place of the shipped one" if name in definitions.replaced else "added")
        for name in definitions.overrides
    ]


def dictionary_of() -> list[tuple[str, list[Table]]]:
    """Every table by schema; a released one is its estimate, with marks, so that it is not told twice."""
    tables = [table for name, table in sorted(load_tables().items()) if not name.startswith("released.")]
    return [(schema, list(members)) for schema, members in groupby(tables, lambda table: table.name.partition(".")[0])]


def calibration_of(definitions: Definitions) -> dict[str, Any]:
    """How estimates of durations did where the truth was known: title, lead, headings, and a row a situation."""
    words, measured = definitions.glossary.get("calibration", {}), definitions.calibration
    columns = dict(words.get("columns", {}))
    if measured.is_empty() or not columns:
        return {}
    about = measured.row(0, named=True)
    lead = words["lead"].format(n_hospitals=count(about["n_hospitals"]), measured_with=about["measured_with"])
    shares = {name for name in columns if name.endswith(("coverage", "given"))}
    rows = [[_measured(row[name], name in shares) for name in columns] for row in measured.iter_rows(named=True)]
    return {"title": words["title"], "lead": plain(lead), "headings": list(columns.values()), "rows": rows}


def _measured(cell: Any, is_share: bool) -> str:
    if isinstance(cell, str):
        return plain(cell)
    if cell is None:
        return "not made"
    return f"{cell * 100:.1f}{NBSP}%" if is_share else f"{cell:.2f}"


def _item(definition: Definition, group: int) -> dict[str, Any]:
    written = definition.model_dump(mode="json", exclude_none=True, exclude_defaults=True)
    parameters = {key: value for key, value in written.items() if key not in _SAID}
    return {
        "id": definition.id,
        "anchor": f"definition-{group}-{definition.id}",
        "version": definition.version,
        "title": plain(definition.title),
        "rule": plain(" ".join(str(written.get("rule", "")).split())),
        "source": plain(definition.source),
        "why": plain(" ".join(definition.why.split())),
        "caveats": [plain(" ".join(caveat.split())) for caveat in definition.caveats],
        "n_examples": len(definition.examples),
        "parameters": _text(parameters),
    }


def _text(parameters: dict[str, Any]) -> str:
    if not parameters:
        return ""
    dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)  # libyaml writes the same text five times as fast
    return yaml.dump(
        parameters, Dumper=dumper, sort_keys=False, allow_unicode=True, width=88, default_flow_style=None
    ).strip()
