#!/usr/bin/env python3
"""Photograph the Dagster UI of a running `make demo`, after a backfill or two, for the docs.

    python scripts/screenshots.py http://127.0.0.1:3000

Writes docs/images/assets.png, checks.png and plots.png. Needs Chromium or Chrome on the PATH, or
in ROLLUPS_CHROMIUM.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
from pathlib import Path

from playwright.sync_api import Page, expect, sync_playwright

IMAGES = Path(__file__).resolve().parent.parent / "docs" / "images"
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")

DRAWN_AFTER = 3_000


def photograph(page: Page, name: str) -> None:
    page.wait_for_timeout(DRAWN_AFTER)
    page.screenshot(path=IMAGES / name)
    print(IMAGES / name)


def partitions(page: Page, address: str) -> None:
    page.goto(f"{address}/assets/metrics_tenant_daily?view=partitions")
    expect(page.get_by_text(re.compile(r"Materialized \([1-9]\d*\)"))).to_be_visible()
    photograph(page, "assets.png")


def checks(page: Page, address: str) -> None:
    """A check of tenants' health that warns, and the tenants it names."""
    page.goto(
        f"{address}/assets/reporting_events_rollups"
        "?view=checks&checkDetail=every_tenant_has_rollups"
    )
    page.get_by_text("[Show Markdown]").click()
    expect(page.get_by_text("no reporting time zone").first).to_be_visible()
    photograph(page, "checks.png")


def plots(page: Page, address: str) -> None:
    """Rows, duration and staleness of each partition."""
    page.goto(f"{address}/assets/reporting_events_rollups?view=overview")
    page.get_by_text("Plots", exact=True).click()
    expect(page.locator("canvas")).to_have_count(4)
    page.locator("canvas").last.scroll_into_view_if_needed()
    photograph(page, "plots.png")


def main(address: str) -> None:
    browser = os.environ.get("ROLLUPS_CHROMIUM") or next(
        filter(None, map(shutil.which, BROWSERS)), None
    )
    if browser is None:
        sys.exit("no Chromium or Chrome found: name one in ROLLUPS_CHROMIUM")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=browser, args=["--no-sandbox"])
        page = chromium.new_page(viewport={"width": 1500, "height": 950})
        page.set_default_timeout(60_000)
        for take in (partitions, checks, plots):
            take(page, address)
        chromium.close()


if __name__ == "__main__":
    if len(sys.argv) != 2 or not re.match(r"https?://", sys.argv[1]):
        sys.exit("usage: python scripts/screenshots.py http://127.0.0.1:3000")
    main(sys.argv[1].rstrip("/"))
