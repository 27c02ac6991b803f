"""Publish: the report is written aside and checked, the night committed in one transaction, then the site changed.

In this order a crash leaves either the old warehouse and the old site, or a committed night whose pages wait, whole,
to be put in place by the next start.
"""

import json

from flows.attempts import close_line
from flows.commit import commit_night
from flows.earlier_night import read_earlier
from flows.facts import gather_facts
from flows.handover import Published, ReleasedNight, RunContext
from flows.history import list_runs
from flows.pages import write_pages
from flows.placing import place_night
from flows.retention import clear_reports
from flows.site import REPORT, SUMMARY, read_summaries
from flows.warehouse import open_known


def publish(night: ReleasedNight, context: RunContext) -> Published:
    """The report of the night, its downloads and the catalogue, and every table of the night in the warehouse."""
    nights = read_summaries(context.workspace)
    earlier, before = read_earlier(night, context, nights) or (None, None)
    facts = gather_facts(night, context, nights, earlier)
    aside = context.work / "site"
    numbers = write_pages(night.released, facts, context.definitions, aside, before)
    commit_night(night, context)
    report, catalogue = place_night(context.workspace, context.run_id)
    clear_reports(context.workspace, context.settings, context.started_at, context.work / "old")
    with open_known(context.workspace.warehouse, memory_limit=context.settings.memory_limit) as connection:
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
