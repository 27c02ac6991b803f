"""The pictures of README, taken of the report of `make demo`, so that they show the report as it is.

Run with `make pictures`, after `make demo`.
"""

import sys
from pathlib import Path
from typing import Any

from tests.reports.browser import Opened, start_chromium

FOLDER = Path(__file__).parents[2] / ".pictures"
SCREENS: dict[str, dict[str, Any]] = {
    "report": {"viewport": {"width": 1280, "height": 800}, "color_scheme": "light"},
    "report_dark": {"viewport": {"width": 1280, "height": 800}, "color_scheme": "dark"},
    "report_phone": {"viewport": {"width": 390, "height": 844}, "color_scheme": "light"},
}
FIGURE = "duration-curves"


def main(page: Path) -> None:
    """Write the first screen, light, dark and on a phone, and the figure of durations with the numbers under it."""
    with start_chromium() as browser:
        for name, context in SCREENS.items():
            report = Opened(browser, page, **context)
            report.page.screenshot(path=FOLDER / f"{name}.png")
            if name == "report":
                report.page.add_style_tag(content=".selectors { position: static }")  # it would lie over the figure
                report.page.locator(f"#chart-{FIGURE}").screenshot(path=FOLDER / "duration.png")
            report.context.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
