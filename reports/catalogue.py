"""The first page of the site: every published night with verdict, date, key numbers and how they moved.

What a night says of itself (`run.json`) is all that is read here, so the catalogue can be made anew at any time.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from reports.rendering import in_script, read_asset, render_template, script_sources
from reports.wording import plain

HEADLINES = 4  # key numbers with a sparkline
WIDTH, HEIGHT, MARGIN = 160, 36, 4
VERDICTS = {"go": "Go", "warn": "Warning", "stop": "Stop"}


@dataclass(frozen=True)
class CatalogueEntry:
    """One published night. `key_numbers` are mappings with id, label, text and value."""

    run_id: str
    started_at: str
    verdict: str
    key_numbers: Sequence[Mapping[str, Any]] = ()
    key_values: Mapping[str, float | None] = field(default_factory=dict)
    data_through: str = ""
    definitions_hash: str = ""
    definition_versions: Mapping[str, str] = field(default_factory=dict)
    code_version: str = ""
    sources: Sequence[str] = ()
    channel: str = ""


def render_catalogue(runs: Sequence[CatalogueEntry]) -> str:
    """One HTML page; the newest night first. It lies in `site/`, the nights in `site/runs/RUN_ID/`."""
    script = read_asset("compare.js")
    ordered = sorted(runs, key=lambda run: (run.started_at, run.run_id))
    return render_template(
        "catalogue.html.j2",
        runs=[_line(run) for run in reversed(ordered)],
        trends=_trends(ordered),
        css=read_asset("page.css", "print.css"),
        verdicts=VERDICTS,
        can_compare=len(ordered) > 1,
        nights=in_script([_side(run) for run in reversed(ordered)]),
        script=script,
        script_sources=script_sources(script, shares=False),
    )


def _side(run: CatalogueEntry) -> dict[str, Any]:
    """What the comparison of two nights reads of one."""
    return {
        **{name: plain(str(getattr(run, name))) for name in ("run_id", "channel", "definitions_hash", "code_version")},
        "date": run.started_at[:16].replace("T", " "),
        "sources": [plain(source) for source in run.sources],
        "key_numbers": [
            {name: plain(cell) if isinstance(cell, str) else cell for name, cell in number.items()}
            for number in run.key_numbers
        ],
    }


def _line(run: CatalogueEntry) -> dict[str, Any]:
    return {
        "run_id": plain(run.run_id),
        "href": f"runs/{quote(run.run_id)}/index.html",
        "date": run.started_at[:16].replace("T", " "),
        "verdict": run.verdict if run.verdict in VERDICTS else "warn",
        "data_through": plain(run.data_through),
        "definitions_hash": plain(run.definitions_hash),
        "code_version": plain(run.code_version),
        "sources": [plain(source) for source in run.sources],
        "numbers": {str(number["id"]): plain(str(number["text"])) for number in run.key_numbers},
    }


def _trends(runs: Sequence[CatalogueEntry]) -> list[dict[str, Any]]:
    """The first key numbers of the newest night that has any, with their course over comparable nights."""
    newest = next((run for run in reversed(runs) if run.key_numbers), None)
    if newest is None:
        return []
    alike = [run for run in runs if _is_comparable(run, newest)]
    return [
        {
            "id": str(number["id"]),
            "label": plain(str(number["label"])),
            "text": plain(str(number["text"])),
            **_sparkline([run.key_values.get(str(number["id"])) for run in alike]),
        }
        for number in list(newest.key_numbers)[:HEADLINES]
    ]


def _is_comparable(one: CatalogueEntry, other: CatalogueEntry) -> bool:
    """Whether the numbers of two nights mean the same."""
    return (list(one.sources), one.channel, one.definitions_hash) == (
        list(other.sources),
        other.channel,
        other.definitions_hash,
    )


def _sparkline(values: Sequence[float | None]) -> dict[str, Any]:
    """Points of an inline drawing; a night without the number leaves a gap."""
    shown = [value for value in values if value is not None]
    if not shown:
        return {"strokes": [], "dot": None, "n_nights": 0}
    low, high = min(shown), max(shown)
    step = (WIDTH - 2 * MARGIN) / max(len(values) - 1, 1)
    strokes: list[list[str]] = [[]]
    dot = None
    for place, value in enumerate(values):
        if value is None:
            strokes.append([])
            continue
        share = (value - low) / (high - low) if high > low else 0.5
        dot = (round(MARGIN + place * step, 1), round(HEIGHT - MARGIN - share * (HEIGHT - 2 * MARGIN), 1))
        strokes[-1].append(f"{dot[0]},{dot[1]}")
    return {"strokes": [" ".join(points) for points in strokes if points], "dot": dot, "n_nights": len(shown)}
