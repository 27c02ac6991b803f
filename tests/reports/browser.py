"""Debian's chromium with a report in it: what it asked for, what it complained of, and what it shows."""

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
DRAWN = "html[data-drawn]"
PATIENCE_MS = 120_000  # a busy machine draws late; nothing here says how fast a page is
LOCAL = re.compile(r"^(file|data|blob):")


@contextmanager
def start_chromium() -> Iterator[Any]:
    """A browser; the tests are skipped without it, and fail in CI."""
    path = shutil.which("chromium")
    if path is None:
        if os.environ.get("CI") == "true":
            pytest.fail("CI must have Debian's chromium: apt-get install chromium")
        pytest.skip("Debian's chromium is not installed")
    from playwright.sync_api import sync_playwright  # noqa: PLC0415

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


class Opened:
    """A page, all that it asked for and complained about; the network is cut."""

    def __init__(self, browser: Any, path: Path, address: str = "", drawn: str = DRAWN, **context: Any) -> None:
        plain = {"viewport": {"width": 1280, "height": 900}, "reduced_motion": "reduce"}  # no frames of a slow scroll
        self.context = browser.new_context(**{**plain, **context})
        self.context.set_default_timeout(PATIENCE_MS)
        self.context.set_offline(True)
        self.page = self.context.new_page()
        self.asked: list[str] = []
        self.said: list[str] = []
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.on("console", lambda message: self.said.append(message.text))
        self.page.on("pageerror", lambda error: self.said.append(str(error)))
        self.page.on("dialog", lambda dialog: (self.said.append(dialog.message), dialog.dismiss()))
        self.page.goto(f"{path.as_uri()}{address}")
        self.page.wait_for_selector(drawn, state="attached")

    def wait(self) -> None:
        """Until every figure is drawn."""
        self.page.wait_for_selector(DRAWN, state="attached")

    def select(self, name: str, value: str) -> None:
        """One selector, and the wait for what it changes."""
        self.page.select_option(f"select[name={name}]", value)
        self.wait_for({name: value})

    def wait_for(self, view: dict[str, str]) -> None:
        """Until every figure shows these selections."""
        parts = "".join(f'[data-drawn*=\'"{name}":"{value}"\']' for name, value in view.items())
        self.page.wait_for_selector(f"html{parts}", state="attached")

    def wait_for_start(self) -> None:
        """Until the page shows again what it opens with."""
        self.page.wait_for_selector("#reset:disabled", state="attached")
        self.wait()

    def until(self, condition: str) -> None:
        """Until an expression holds; asked from outside, because the page itself may evaluate nothing."""
        for _ in range(100):
            if self.page.evaluate(condition):
                return
            self.page.wait_for_timeout(100)
        raise AssertionError(f"never came true: {condition}")

    def drawn(self, chart: str) -> Any:
        """What a figure shows; nothing where a line says why there is none."""
        plot = f"document.getElementById('plot-{chart}')"
        return self.page.evaluate(f"{plot}.offsetParent === null ? null : JSON.stringify({plot}.data)")

    def table(self, chart: str) -> list[list[str]]:
        """The cells of a table, row by row."""
        script = f"""[...document.querySelectorAll('#table-{chart} tbody tr')]
            .map((row) => [...row.cells].map((cell) => cell.textContent))"""
        return list(self.page.evaluate(script))
