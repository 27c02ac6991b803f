"""Times the report of a million people in sixty cohorts: made, opened, and driven by a selector.

Run with `make bench`. Counts are drawn, not simulated: a page is made of released counts, so what it costs follows from
cohorts, months and thresholds, whoever the people are.
"""

import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from plotly.offline import get_plotlyjs

from reports.downloads import download_files
from reports.mailing import as_one_file
from reports.numbers import read_numbers
from reports.page import gather_content, render_content
from tests.reports.browser import Opened, start_chromium
from tests.reports.conftest import draw_estimates, draw_facts, released_of
from transforms.load import load_definitions

PEOPLE, COHORTS = 1_000_000, 60
LIMITS = {"made": 10.0, "first figure": 3.0}  # seconds
SCRIPT = "plotly.min.js"


def main() -> None:
    """Print one table as Markdown; end with 1 if a limit is passed."""
    costs: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        sizes = _make(folder, costs)
        _open(folder / "index.html", costs)
    print(f"\n## The report: {PEOPLE:,} people, {COHORTS} cohorts\n")
    print("| step | seconds |\n|---|---|")
    for step, seconds in costs.items():
        print(f"| {step} | {seconds:.1f} |")
    print("\n" + ", ".join(f"{part} {size / 1e6:.1f} MB" for part, size in sizes.items()))
    slow = [step for step, limit in LIMITS.items() if costs[step] > limit]
    if slow:
        sys.exit(f"Slower than promised: {', '.join(slow)}")


def _make(folder: Path, costs: dict[str, float]) -> dict[str, int]:
    """What `publish` does of a night that is released, and against one before it."""
    definitions = load_definitions()
    cohorts = {"everyone": PEOPLE, **{f"cohort_{n}": PEOPLE // (n + 1) for n in range(1, COHORTS)}}
    released = released_of(draw_estimates(cohorts=cohorts))
    facts = draw_facts(definitions)
    started = time.perf_counter()
    numbers = _timed(costs, "rows read", lambda: read_numbers(released, facts, definitions, released))
    content = _timed(
        costs, "content, compared with the night before", lambda: gather_content(numbers, facts, definitions)
    )
    shared = _timed(costs, "page", lambda: render_content(content, SCRIPT))
    mailed = _timed(costs, "page to send", lambda: as_one_file(shared, get_plotlyjs(), facts.run_id))
    files = _timed(costs, "downloads", lambda: dict(download_files(released, definitions)))
    costs["made"] = time.perf_counter() - started
    (folder / "index.html").write_text(shared, encoding="utf-8")
    (folder / SCRIPT).write_text(get_plotlyjs(), encoding="utf-8")
    total = sum(len(data) for data in files.values())
    return {"page": len(shared.encode()), "page to send": len(mailed.encode()), "downloads": total}


def _open(page: Path, costs: dict[str, float]) -> None:
    with start_chromium() as browser:
        context = browser.new_context(viewport={"width": 1280, "height": 900})
        tab = context.new_page()
        started = time.perf_counter()
        tab.goto(page.as_uri(), wait_until="commit")
        tab.wait_for_selector(".plot .main-svg", state="attached")
        costs["first figure"] = time.perf_counter() - started
        tab.wait_for_selector("html[data-drawn]", state="attached", timeout=120_000)
        costs["every figure"] = time.perf_counter() - started
        context.close()
        report = Opened(browser, page)
        _timed(costs, "another threshold, every figure", lambda: report.select("threshold", "500"))
        _timed(costs, "another cohort, every figure", lambda: report.select("cohort", "cohort_7"))


def _timed(costs: dict[str, float], step: str, work: Callable[[], Any]) -> Any:
    started = time.perf_counter()
    made = work()
    costs[step] = time.perf_counter() - started
    return made


if __name__ == "__main__":
    main()
