"""The system's Chromium, driven by Playwright, with no way out of the machine."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, sync_playwright

_ARGUMENTS = (
    "--headless",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # A page that asks another host for anything gets an error, as it would behind a ministry's firewall.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE localhost",
)


@contextmanager
def running_chromium(executable: str) -> Iterator[Browser]:
    """A browser for synchronous tests. While it is open, ``asyncio.run`` does not work in this thread."""
    sandbox = ("--no-sandbox",) if os.geteuid() == 0 else ()  # Chromium's sandbox refuses to run as root
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=[*_ARGUMENTS, *sandbox])
        try:
            yield browser
        finally:
            browser.close()


def keep_picture(page: Any, path: Path) -> None:
    """The whole page, when pictures are asked for with ``ABSAH_SCREENSHOTS=1``.

    They are for people to look at, and take longer than what the tests check.
    """
    if os.environ.get("ABSAH_SCREENSHOTS") == "1":
        page.screenshot(path=path, full_page=True)
