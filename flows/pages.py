"""The pages of a report, written aside and checked: the page for the site, the one to mail, downloads, a summary."""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from plotly.offline import get_plotlyjs

from flows.placing import PLOTLY
from flows.site import (
    MAILABLE,
    REPORT,
    SUMMARY,
    check_aside,
    write_aside,
)
from reports.content import KeyNumber, key_numbers_of
from reports.downloads import download_files
from reports.facts import NightFacts
from reports.mailing import as_one_file
from reports.methods import versions_of
from reports.numbers import Numbers, read_numbers
from reports.page import gather_content, render_content
from transforms.load import Definitions
from transforms.release import Released


def write_pages(
    released: Released, facts: NightFacts, definitions: Definitions, aside: Path, earlier: Released | None = None
) -> Sequence[KeyNumber]:
    """Report, downloads and summary below `aside`, checked; the key numbers that they show.

    `earlier` are the numbers of the night that `facts.earlier` tells of.
    """
    rows = read_numbers(released, facts, definitions, earlier)
    numbers = key_numbers_of(rows, facts)
    write_aside(aside, _files(released, facts, rows, numbers, definitions))
    check_aside(aside)
    return numbers


def _files(
    released: Released, facts: NightFacts, rows: Numbers, numbers: Sequence[KeyNumber], definitions: Definitions
) -> Iterator[tuple[str, bytes]]:
    page = render_content(gather_content(rows, facts, definitions), f"../../assets/{PLOTLY}")
    yield REPORT, page.encode()
    yield MAILABLE, as_one_file(page, get_plotlyjs(), facts.run_id).encode()
    for name, data in download_files(released, definitions):
        yield f"downloads/{name}", data
    yield (
        SUMMARY,
        json.dumps(_summarise(facts, numbers, definitions), indent=1, ensure_ascii=False, sort_keys=True).encode(),
    )


def _summarise(facts: NightFacts, numbers: Sequence[KeyNumber], definitions: Definitions) -> Mapping[str, Any]:
    return {
        "run_id": facts.run_id,
        "started_at": facts.started_at.isoformat(timespec="seconds"),
        "verdict": facts.verdict,
        "data_through": facts.data_through.isoformat() if facts.data_through else "",
        "channel": facts.channel,
        "definitions_hash": facts.definitions_hash,
        "definition_versions": versions_of(definitions, facts.channel),
        "code_version": facts.code_version,
        "sources": sorted({entry.source_id for entry in facts.inputs}),
        "key_numbers": [
            {"id": n.id, "label": n.label, "title": n.title, "text": n.text, "value": n.value, "kind": n.kind}
            for n in numbers
        ],
        "key_values": {number.id: number.value for number in numbers},
    }
