"""A proposed source map as YAML, with a comment beside what is not certain and a TODO for what was left out."""

from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from transforms.analyte_proposals import Decision

WIDTH = 118


def write_map(
    content: Mapping[str, Any], decisions: Sequence[Decision], heads: Sequence[str], fewest_people: int
) -> str:
    """The text of a source map; `heads` are comment lines above it."""
    lines = [f"# {line}".rstrip() for line in heads]
    for key, value in content.items():
        if key == "codes":
            lines += _codes(value, decisions, fewest_people)
        else:
            lines.append(_dump({key: value}))
    if "codes" not in content:
        lines += _left_out(decisions)
    return "\n".join(lines) + "\n"


def describe(decision: Decision, fewest_people: int) -> str:
    """One decision in words, without a value; nothing is counted of fewer people than `fewest_people`."""
    n_rows = sum(group.seen.n_values for group in decision.groups if group.seen.n_people >= fewest_people)
    what = " ".join(word for word in (decision.family, decision.quantity) if word)
    units = sorted(set(decision.units.values()))
    parts = [what, f"{decision.certainty}: {decision.why}"]
    if n_rows:
        parts.append(f"{n_rows:,} results")
    if units:
        parts.append(f"unit {', '.join(units)} by distribution")
    return "; ".join(part for part in [*parts, *_open_units(decision, fewest_people)] if part)


def _open_units(decision: Decision, fewest_people: int) -> list[str]:
    """What is said of units that stay open."""
    said = []
    for group in decision.open_groups:
        if group.unit is None:
            said.append("results without a unit keep none, for no single one fits")
        elif group.seen.n_people < fewest_people:
            said.append("a unit of few people is not known")
        else:
            hint = f" (its results would fit {decision.suggested[group]})" if group in decision.suggested else ""
            said.append(f"the unit {group.unit!r} is not known{hint}: write unit_spellings")
    return list(dict.fromkeys(said))


def _codes(codes: Mapping[str, str], decisions: Sequence[Decision], fewest_people: int) -> list[str]:
    said = {decision.code: describe(decision, fewest_people) for decision in decisions}
    entries = [f"  {_dump({code: loinc})}  # {said.get(code, '')}" for code, loinc in codes.items()]
    return ["codes:", *entries, *_left_out(decisions)]


def _left_out(decisions: Sequence[Decision]) -> list[str]:
    lines = []
    for decision in decisions:
        if decision.loinc is None:
            mark = "TODO " if decision.certainty == "unsure" else ""
            lines.append(f"  # {mark}{_dump({decision.code: 0})[:-3]}: left out, {decision.why}")
    return lines


def _dump(content: Mapping[str, Any]) -> str:
    is_flat = not any(isinstance(value, list | dict) for value in content.values())
    style = False if is_flat else None
    text = yaml.safe_dump(dict(content), sort_keys=False, allow_unicode=True, width=WIDTH, default_flow_style=style)
    return text.rstrip("\n")
