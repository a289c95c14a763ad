"""A data engineer opens the running demo and backfills two tenants over a few days."""

from __future__ import annotations

import re
import time
from datetime import date, timedelta
from pathlib import Path

import psycopg
import pytest
from playwright.sync_api import Page, expect

from orchestration.settings import Settings
from orchestration.warehouse.verify import verify
from tests.ui.conftest import Demo

pytestmark = pytest.mark.ui

ASSET = "metrics_tenant_daily"
ROLLUPS = ("metrics_contact_hourly", "metrics_campaign_daily", ASSET)
DAYS = 4
BACKFILL_SECONDS = 120
TAMPERED = 987_654


def test_three_rollups_are_green_after_the_first_refresh(
    demo: Demo, page: Page, artifacts: Path
) -> None:
    for asset in ROLLUPS:
        page.goto(f"{demo.address}/assets/{asset}?view=partitions")
        expect(page.get_by_text(re.compile(r"Materialized \([1-9]\d*\)"))).to_be_visible()
        page.screenshot(path=artifacts / f"partitions_{asset}.png")
    page.goto(
        f"{demo.address}/assets/metrics_tenant_daily?view=lineage&lineageScope=upstream&lineageDepth=9"
    )
    expect(page.get_by_text(ASSET).first).to_be_visible()
    page.wait_for_timeout(2_000)
    page.screenshot(path=artifacts / "assets.png")


def test_backfill_of_two_tenants_from_the_browser(demo: Demo, page: Page, artifacts: Path) -> None:
    with psycopg.connect(demo.database_url, autocommit=True) as connection:
        tenants = [
            row[0]
            for row in connection.execute(
                "select tenant_id from analytics.metrics_tenant_daily"
                " group by 1 order by sum(sends) desc limit 2"
            )
        ]
        newest = connection.execute(
            "select max(date) from analytics.metrics_tenant_daily"
        ).fetchone()
        assert newest is not None
        last = newest[0] - timedelta(days=2)
        first = last - timedelta(days=DAYS - 1)
        before = _rows(connection, tenants, first, last)
        assert len(before) == 2 * DAYS
        # Damage to repair: the backfill has to put the true numbers back.
        connection.execute(
            "update analytics.metrics_tenant_daily set sends = %s"
            " where tenant_id = any(%s) and date between %s and %s",
            [TAMPERED, tenants, first, last],
        )
        runs_before = _backfill_runs(connection)

        _launch_backfill(page, demo, tenants, first, last, artifacts)
        _wait_for_success(connection, runs_before)

        assert _rows(connection, tenants, first, last) == before
        runs = {status for _, status in set(_backfill_runs(connection)) - set(runs_before)}
        new_runs = len(set(_backfill_runs(connection)) - set(runs_before))
        assert runs == {"SUCCESS"}
        assert new_runs <= DAYS, "a run per tenant or per day, never one per partition"

    page.goto(f"{demo.address}/assets/{ASSET}?view=partitions")
    expect(page.get_by_text("Failed (0)")).to_be_visible()
    page.get_by_text(str(last), exact=True).first.click()
    page.wait_for_timeout(2_000)
    page.screenshot(path=artifacts / "backfill_4_partitions.png")
    page.goto(f"{demo.address}/runs")
    expect(page.get_by_text(re.compile("Completed|Success")).first).to_be_visible()
    page.screenshot(path=artifacts / "backfill_5_overview.png")


def test_the_demo_is_right(demo: Demo) -> None:
    with psycopg.connect(demo.database_url, autocommit=True) as connection:
        report = verify(
            connection,
            "outreach",
            source_schema=Settings().outreach_schema,
            date_from=None,
            date_to=None,
        )
    assert report.matches, report.differences[:5]


def _launch_backfill(
    page: Page, demo: Demo, tenants: list[str], first: date, last: date, artifacts: Path
) -> None:
    page.goto(f"{demo.address}/assets/{ASSET}?view=partitions")
    page.get_by_role("button", name="Materialize…").click()
    dialog = page.locator(".bp5-dialog")
    dates = dialog.get_by_placeholder("ex: ")
    dates.fill(f"[{first}...{last}]")
    dates.press("Enter")
    dialog.get_by_text("Select a partition or create one").click()
    for tenant in tenants:
        page.locator(".dagster-popover").get_by_title(tenant).click()
    page.screenshot(path=artifacts / "backfill_1_tenants.png")
    dialog.get_by_text("Launch runs to materialize").click()
    expect(dialog.get_by_text(f"{2 * DAYS} partitions")).to_be_visible()
    page.screenshot(path=artifacts / "backfill_2_dialog.png")
    dialog.get_by_role("button", name="Launch backfill").click()
    expect(page.get_by_text(re.compile("backfill", re.IGNORECASE)).first).to_be_visible()
    page.wait_for_timeout(1_000)
    page.screenshot(path=artifacts / "backfill_3_launched.png")


def _wait_for_success(connection: psycopg.Connection, known: list[tuple[str, str]]) -> None:
    deadline = time.monotonic() + BACKFILL_SECONDS
    while time.monotonic() < deadline:
        row = connection.execute(
            "select status from dagster.bulk_actions order by id desc limit 1"
        ).fetchone()
        if row is not None and row[0] not in ("REQUESTED", "STARTED", "COMPLETING"):
            assert row[0] in ("COMPLETED", "COMPLETED_SUCCESS"), row[0]
            return
        time.sleep(1)
    new = set(_backfill_runs(connection)) - set(known)
    raise AssertionError(f"the backfill did not end within {BACKFILL_SECONDS} s: {new}")


def _backfill_runs(connection: psycopg.Connection) -> list[tuple[str, str]]:
    return connection.execute(
        "select runs.run_id, runs.status from dagster.runs join dagster.run_tags"
        " on runs.run_id = run_tags.run_id where run_tags.key = 'dagster/backfill'"
    ).fetchall()


def _rows(
    connection: psycopg.Connection, tenants: list[str], first: date, last: date
) -> list[tuple[object, ...]]:
    return connection.execute(
        "select * from analytics.metrics_tenant_daily"
        " where tenant_id = any(%s) and date between %s and %s order by 1, 2",
        [tenants, first, last],
    ).fetchall()
