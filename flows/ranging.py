"""The totals of a network of which some hospitals send their released numbers instead of counts: ranges, on one page.

Counts that came are added and released first, as a report of a network; what is hidden in it, and in the reports that
came, is known as far as the numbers around it tell. So everything written here follows from numbers that were released.
"""

import json
import secrets
import shutil
from collections.abc import Sequence
from datetime import UTC, datetime
from io import BytesIO
from pathlib import Path

import polars as pl

from flows.errors import SourceError
from flows.handover import Published
from flows.sent_reports import SentReport
from flows.shown_merges import keep_shown
from flows.site import write_aside
from flows.stages.release import rule_of
from flows.workspace import Workspace, make_private
from reports.downloads import FORMULA_STARTS
from reports.ranges import key_ranges, render_ranges
from transforms.cohort_order import order_cohorts
from transforms.load import Definitions
from transforms.release import Released
from transforms.renewal import Earlier
from transforms.totals import add_reports

PAGE, TABLE = "ranges.html", "ranges"


def write_ranges(
    reports: Sequence[SentReport], counted: Released | None, earlier: Earlier, definitions: Definitions, out: Path
) -> Published:
    """Write the page of ranges and its table below `out`; `counted` is what the hospitals that sent counts show, after
    what the folder has shown `earlier`, and is remembered there as well.
    """
    _refuse_the_same(reports)
    ordered = sorted(reports, key=lambda report: (report.name, report.sha256))
    parts = [(report.tables, report.channel) for report in ordered]
    parts += [] if counted is None else [(counted.tables, counted.channel)]
    steps = [(tables, rule_of(definitions, channel).round_to) for tables, channel in parts]
    try:
        totals = add_reports(steps, order_cohorts(definitions.cohorts))
    except ValueError as error:
        raise SourceError(
            "The numbers of one of these reports contradict each other, so nothing can be said of their sum.",
            details=[report.name for report in ordered],
            repair="Ask the sites to send the file again as it is; if it stays so, it is a fault of nadir.",
        ) from error
    started_at = datetime.now(UTC)
    run_id = f"{started_at:%Y%m%dT%H%M%SZ}-{secrets.token_hex(3)}"
    names = [report.name for report in ordered]
    page = render_ranges(totals, definitions, names, has_counts=counted is not None, started_at=started_at)
    workspace = Workspace(out.resolve()).create()
    work = workspace.work(run_id)
    make_private(work)
    try:
        pages = work / "pages"
        write_aside(pages, [(PAGE, page.encode()), *_tables(totals, definitions)])
        if counted is not None:
            keep_shown(counted, earlier, workspace, work)
        for path in sorted(pages.iterdir()):
            path.replace(workspace.root / path.name)
    finally:
        shutil.rmtree(work.parent, ignore_errors=True)
    place = workspace.root / PAGE
    return Published(run_id, "go", place, place, is_new=True, key_numbers=key_ranges(totals, definitions))


def _tables(totals: pl.DataFrame, definitions: Definitions) -> list[tuple[str, bytes]]:
    """The ranges as CSV, JSON with the meaning of each column, and Parquet."""
    texts = [name for name, kind in totals.schema.items() if kind == pl.String]
    is_formula = {name: pl.col(name).str.head(1).is_in(FORMULA_STARTS) for name in texts}
    safe = totals.with_columns(
        pl.when(is_formula[name]).then("'" + pl.col(name)).otherwise(name).alias(name) for name in texts
    )
    columns = definitions.glossary["network_columns"]
    content = {"columns": {name: columns[name] for name in totals.columns}, "definitions_hash": definitions.hash}
    whole = {**content, "rows": totals.to_dicts()}
    return [
        (f"{TABLE}.csv", safe.write_csv(line_terminator="\r\n").encode()),
        (f"{TABLE}.json", (json.dumps(whole, ensure_ascii=False, indent=1, default=str) + "\n").encode()),
        (f"{TABLE}.parquet", _parquet(totals)),
    ]


def _parquet(totals: pl.DataFrame) -> bytes:
    content = BytesIO()
    totals.write_parquet(content, compression="zstd", statistics=True)
    return content.getvalue()


def _refuse_the_same(reports: Sequence[SentReport]) -> None:
    known: dict[str, str] = {}
    for report in reports:
        if report.run_id in known:
            raise SourceError(
                f"{known[report.run_id]} and {report.name} are the same report.",
                details=[f"run {report.run_id}: its people would be counted twice"],
                repair="Leave one of them out.",
            )
        known[report.run_id] = report.name
