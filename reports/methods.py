"""The methods part of the page, built from the definition files alone: what they say is what was done."""

from collections.abc import Sequence
from typing import Any

import yaml

from reports.wording import plain
from transforms.load import Definitions
from transforms.model.base import Definition

_SAID = {"id", "version", "title", "rule", "source", "why", "caveats", "examples"}


def methods_of(definitions: Definitions, channel: str) -> list[dict[str, Any]]:
    """Groups of definitions in reading order, each with every rule in its own words."""
    release = [rule for rule in definitions.disclosure if getattr(rule, "channel", channel) == channel]
    groups: list[tuple[str, Sequence[Definition]]] = [
        ("How a neutrophil count is derived", (definitions.anc,)),
        ("Severity", definitions.scales),
        ("Episodes", definitions.rules),
        ("Cohorts", definitions.cohorts),
        ("Drugs and regimens", (definitions.exposures, definitions.regimens)),
        ("Suspected causes", definitions.causes),
        ("Complications", definitions.complications),
        ("Denominators", definitions.denominators),
        ("Estimates", (definitions.estimation, definitions.survey)),
        ("What is hidden", release),
        ("Code lists", tuple(definitions.codelists.values())),
    ]
    return [
        {"title": title, "items": [_item(one, place) for one in members]}
        for place, (title, members) in enumerate(groups)
        if members
    ]


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
    return yaml.safe_dump(parameters, sort_keys=False, allow_unicode=True, width=88, default_flow_style=None).strip()
