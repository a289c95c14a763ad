#!/usr/bin/env python3
"""Take the pictures of docs/images that show the demo: run `make demo`, and beside it this.

    python scripts/pictures.py [--dagster http://127.0.0.1:3000]

The pictures of Superset: scripts/superset_pictures.py. Only architecture.svg is drawn by hand.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from playwright.sync_api import Page, expect, sync_playwright

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from scripts.browser import launched  # noqa: E402  (after the path is set)

IMAGES = ROOT / "docs" / "images"
ASSET = "metrics_tenant_daily"
# Acme Outreach of the sample data.
TENANT = "tk67xjawuofy02y6n9bunmu1"
DAYS = 28


def draw_series() -> None:
    """A series as `rollups report` draws it."""
    last = datetime.now(UTC).date()
    command = [
        sys.executable, "-m", "orchestration.cli", "report", "timeseries", "--tenant", "1",
        "--metric", "resolutions_count", "--from", str(last - timedelta(days=DAYS)),
        "--to", str(last), "--plot", str(IMAGES / "series.svg"),
    ]  # fmt: skip
    subprocess.run(command, cwd=ROOT, check=True)


def photograph_partition(page: Page, address: str) -> None:
    """The partitions of a rollup, and what the newest mark of a tenant shows."""
    page.goto(f"{address}/assets/{ASSET}?view=partitions")
    yesterday = datetime.now(UTC).date() - timedelta(days=1)
    for shown in (yesterday + timedelta(days=1), yesterday):
        page.get_by_text(str(shown), exact=True).first.click()
        page.get_by_title(TENANT, exact=True).first.click()
        page.wait_for_timeout(1_500)
        if page.get_by_text("last_days").count():
            break
    expect(page.get_by_text("last_days").first).to_be_visible()
    page.mouse.move(0, 0)
    page.wait_for_timeout(500)
    page.screenshot(path=IMAGES / "assets.png")
    print("docs/images/assets.png")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--dagster", default="http://127.0.0.1:3000", help="where the UI is")
    asked = parser.parse_args()
    draw_series()
    with sync_playwright() as playwright, launched(playwright) as browser:
        page = browser.new_page(viewport={"width": 1720, "height": 1080})
        photograph_partition(page, asked.dagster.rstrip("/"))


if __name__ == "__main__":
    main()
