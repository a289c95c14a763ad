"""The browser that takes the pictures of docs/images."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, Playwright

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
OPTIONS = [
    "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--disable-quic",
]  # fmt: skip


def browser_path() -> str | None:
    """Chromium or Chrome on this machine, or the one named in ROLLUPS_CHROMIUM."""
    return os.environ.get("ROLLUPS_CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)


@contextmanager
def launched(playwright: Playwright) -> Iterator[Browser]:
    """A headless browser; ends the program where there is none."""
    path = browser_path()
    if path is None:
        sys.exit("no Chromium or Chrome found; name one in ROLLUPS_CHROMIUM")
    browser = playwright.chromium.launch(executable_path=path, args=OPTIONS)
    yield browser
    browser.close()
