"""Publish: the report is written aside and checked, the night committed in one transaction, then the site changed.

In this order a crash leaves either the old warehouse and the old site, or a committed night whose pages wait, whole,
to be put in place by the next start.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from flows.attempts import close_line
from flows.commit import commit_night
from flows.earlier_night import read_earlier
from flows.facts import gather_facts
from flows.handover import Published, ReleasedNight, RunContext
from flows.history import list_runs
from flows.placing import PLOTLY, place_night
from flows.site import (
    MAILABLE,
    REPORT,
    SUMMARY,
    check_aside,
    read_summaries,
    write_aside,
)
from flows.warehouse import open_warehouse
from reports.content import KeyNumber, key_numbers_of
from reports.downloads import download_files
from reports.facts import NightFacts
from reports.methods import versions_of
from reports.numbers import Numbers, read_numbers
from reports.page import gather_content, render_content


def publish(night: ReleasedNight, context: RunContext) -> Published:
    """The report of the night, its downloads and the catalogue, and every table of the night in the warehouse."""
    nights = read_summaries(context.workspace)
    earlier, before = read_earlier(night, context, nights) or (None, None)
    facts = gather_facts(night, context, nights, earlier)
    rows = read_numbers(night.released, facts, context.definitions, before)
    numbers = key_numbers_of(rows, facts)
    aside = context.work / "site"
    write_aside(aside, _files(night, facts, rows, numbers, context))
    check_aside(aside)
    commit_night(night, context)
    report, catalogue = place_night(context.workspace, context.run_id)
    with open_warehouse(context.workspace.warehouse, memory_limit=context.settings.memory_limit) as connection:
        close_line(connection, context.run_id, "published")
    texts = {number.title: number.text for number in numbers}
    return Published(context.run_id, facts.verdict, report, catalogue, is_new=True, key_numbers=texts)


def show_latest(context: RunContext) -> Published:
    """The report that stands, for a night that brought nothing new."""
    runs = list_runs(context.workspace, context.settings.memory_limit)
    last = next(run for run in reversed(runs) if run.state == "published")
    site = context.workspace.site
    summary = json.loads((site / "runs" / last.run_id / SUMMARY).read_text())
    texts = {entry.get("title", entry["label"]): entry["text"] for entry in summary["key_numbers"]}
    report = site / "runs" / last.run_id / REPORT
    return Published(last.run_id, summary["verdict"], report, site / REPORT, is_new=False, key_numbers=texts)


def _files(
    night: ReleasedNight, facts: NightFacts, rows: Numbers, numbers: Sequence[KeyNumber], context: RunContext
) -> Iterator[tuple[str, bytes]]:
    content = gather_content(rows, facts, context.definitions)
    yield REPORT, render_content(content, plotly="shared", plotly_src=f"../../assets/{PLOTLY}").encode()
    yield MAILABLE, render_content(content, plotly="inline").encode()
    for name, data in download_files(night.released, context.definitions):
        yield f"downloads/{name}", data
    yield (
        SUMMARY,
        json.dumps(_summarise(facts, numbers, context), indent=1, ensure_ascii=False, sort_keys=True).encode(),
    )


def _summarise(facts: NightFacts, numbers: Sequence[KeyNumber], context: RunContext) -> Mapping[str, Any]:
    return {
        "run_id": facts.run_id,
        "started_at": facts.started_at.isoformat(timespec="seconds"),
        "verdict": facts.verdict,
        "data_through": facts.data_through.isoformat() if facts.data_through else "",
        "channel": facts.channel,
        "definitions_hash": facts.definitions_hash,
        "definition_versions": versions_of(context.definitions, facts.channel),
        "code_version": facts.code_version,
        "sources": sorted({entry.source_id for entry in facts.inputs}),
        "key_numbers": [
            {"id": n.id, "label": n.label, "title": n.title, "text": n.text, "value": n.value, "kind": n.kind}
            for n in numbers
        ],
        "key_values": {number.id: number.value for number in numbers},
    }
