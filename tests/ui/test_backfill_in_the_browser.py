"""A data engineer opens the running demo and backfills two tenants over a few days."""

from __future__ import annotations

import re
import time
from contextlib import suppress
from datetime import date, timedelta
from pathlib import Path
from typing import NamedTuple

import psycopg
import pytest
from playwright.sync_api import Page, expect
from playwright.sync_api import TimeoutError as PlaywrightTimeoutError
from psycopg import sql

from orchestration.settings import FAMILIES, Settings
from orchestration.warehouse.source_contract import source_schema
from orchestration.warehouse.verify import verify
from tests.ui.conftest import Demo

pytestmark = pytest.mark.ui


class Mart(NamedTuple):
    """A rollup to backfill, and one of its numbers."""

    asset: str
    amount: str

    def sql(self, text: str) -> sql.Composed:
        names = {
            "mart": sql.Identifier("analytics", self.asset),
            "amount": sql.Identifier(self.amount),
        }
        return sql.SQL(text).format(**names)  # pyright: ignore[reportArgumentType]


MARTS = (Mart("metrics_tenant_daily", "sends"), Mart("reporting_events_rollups", "count"))
ROLLUPS = (
    "metrics_contact_hourly",
    "metrics_campaign_daily",
    "metrics_tenant_daily",
    "reporting_events_rollups",
    "conversations_daily",
)
DAYS = 4
BACKFILL_SECONDS = 120
TAMPERED = 987_654


def test_rollups_are_green_after_the_first_refresh(demo: Demo, page: Page, artifacts: Path) -> None:
    for asset in ROLLUPS:
        page.goto(f"{demo.address}/assets/{asset}?view=partitions")
        expect(page.get_by_text(re.compile(r"Materialized \([1-9]\d*\)"))).to_be_visible()
        page.screenshot(path=artifacts / f"partitions_{asset}.png")
    page.goto(
        f"{demo.address}/assets/metrics_tenant_daily?view=lineage&lineageScope=upstream&lineageDepth=9"
    )
    expect(page.get_by_text("metrics_tenant_daily").first).to_be_visible()
    page.wait_for_timeout(2_000)
    page.screenshot(path=artifacts / "assets.png")


@pytest.mark.parametrize("mart", MARTS, ids=[mart.asset for mart in MARTS])
def test_backfill_of_two_tenants_from_the_browser(
    mart: Mart, demo: Demo, page: Page, artifacts: Path
) -> None:
    with psycopg.connect(demo.database_url, autocommit=True) as connection:
        tenants = [
            row[0]
            for row in connection.execute(
                mart.sql(
                    "select tenant_id from {mart} group by 1 order by sum({amount}) desc limit 2"
                )
            )
        ]
        newest = connection.execute(mart.sql("select max(date) from {mart}")).fetchone()
        assert newest is not None
        last = newest[0] - timedelta(days=2)
        first = last - timedelta(days=DAYS - 1)
        before = _rows(connection, mart, tenants, first, last)
        assert len(before) >= 2 * DAYS
        # Damage to repair: the backfill has to put the true numbers back.
        connection.execute(
            mart.sql(
                "update {mart} set {amount} = %s where tenant_id = any(%s)"
                " and date between %s and %s"
            ),
            [TAMPERED, tenants, first, last],
        )
        runs_before = _backfill_runs(connection)

        _launch_backfill(page, demo, mart, tenants, first, last, artifacts)
        _wait_for_success(connection, runs_before)

        assert _rows(connection, mart, tenants, first, last) == before
        runs = {status for _, status in set(_backfill_runs(connection)) - set(runs_before)}
        new_runs = len(set(_backfill_runs(connection)) - set(runs_before))
        assert runs == {"SUCCESS"}
        assert new_runs <= DAYS, "a run per tenant or per day, never one per partition"

    page.goto(f"{demo.address}/assets/{mart.asset}?view=partitions")
    expect(page.get_by_text("Failed (0)")).to_be_visible()
    page.get_by_text(str(last), exact=True).first.click()
    page.wait_for_timeout(2_000)
    page.screenshot(path=artifacts / f"backfill_4_partitions_{mart.asset}.png")
    page.goto(f"{demo.address}/runs")
    expect(page.get_by_text(re.compile("Completed|Success")).first).to_be_visible()
    page.screenshot(path=artifacts / f"backfill_5_overview_{mart.asset}.png")


def test_an_account_without_a_zone_is_a_warning_and_numbers_are_plotted(
    demo: Demo, page: Page, artifacts: Path
) -> None:
    details = page.get_by_text("[Show Markdown]")
    with psycopg.connect(demo.database_url, autocommit=True) as connection:
        for _ in range(3):
            # While a run evaluates the check, the page shows no result of it.
            _wait_for_idle(connection)
            page.goto(
                f"{demo.address}/assets/reporting_events_rollups"
                "?view=checks&checkDetail=every_tenant_has_rollups"
            )
            with suppress(PlaywrightTimeoutError):
                details.wait_for(timeout=20_000)
                break
    details.click()
    expect(page.get_by_text("no reporting time zone").first).to_be_visible()
    page.screenshot(path=artifacts / "checks_reporting_events_rollups.png")
    page.goto(f"{demo.address}/assets/reporting_events_rollups?view=overview")
    page.get_by_text("Plots", exact=True).click()
    page.get_by_text("duration_seconds").first.scroll_into_view_if_needed()
    expect(page.locator("canvas")).to_have_count(4)
    page.wait_for_timeout(2_000)
    page.screenshot(path=artifacts / "plots_reporting_events_rollups.png")


@pytest.mark.parametrize("family", FAMILIES)
def test_the_demo_is_right(family: str, demo: Demo) -> None:
    settings = Settings()
    with psycopg.connect(demo.database_url, autocommit=True) as connection:
        report = verify(
            connection,
            family,
            source_schema=source_schema(settings, family),
            date_from=None,
            date_to=None,
        )
    assert report.matches, report.differences[:5]


def _launch_backfill(
    page: Page,
    demo: Demo,
    mart: Mart,
    tenants: list[str],
    first: date,
    last: date,
    artifacts: Path,
) -> None:
    page.goto(f"{demo.address}/assets/{mart.asset}?view=partitions")
    page.get_by_role("button", name="Materialize…").click()
    dialog = page.locator(".bp5-dialog")
    dates = dialog.get_by_placeholder("ex: ")
    dates.fill(f"[{first}...{last}]")
    dates.press("Enter")
    dialog.get_by_text("Select a partition or create one").click()
    for tenant in tenants:
        page.locator(".dagster-popover").get_by_title(tenant, exact=True).click()
    page.screenshot(path=artifacts / f"backfill_1_tenants_{mart.asset}.png")
    dialog.get_by_text("Launch runs to materialize").click()
    expect(dialog.get_by_text(f"{2 * DAYS} partitions")).to_be_visible()
    page.screenshot(path=artifacts / f"backfill_2_dialog_{mart.asset}.png")
    dialog.get_by_role("button", name="Launch backfill").click()
    expect(page.get_by_text(re.compile("backfill", re.IGNORECASE)).first).to_be_visible()
    page.wait_for_timeout(1_000)
    page.screenshot(path=artifacts / f"backfill_3_launched_{mart.asset}.png")


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


def _wait_for_idle(connection: psycopg.Connection) -> None:
    deadline = time.monotonic() + BACKFILL_SECONDS
    while True:
        running = connection.execute(
            "select run_id from dagster.runs where status not in ('SUCCESS', 'FAILURE', 'CANCELED')"
        ).fetchall()
        if not running:
            return
        assert time.monotonic() < deadline, f"runs go on for {BACKFILL_SECONDS} s: {running}"
        time.sleep(1)


def _backfill_runs(connection: psycopg.Connection) -> list[tuple[str, str]]:
    return connection.execute(
        "select runs.run_id, runs.status from dagster.runs join dagster.run_tags"
        " on runs.run_id = run_tags.run_id where run_tags.key = 'dagster/backfill'"
    ).fetchall()


def _rows(
    connection: psycopg.Connection, mart: Mart, tenants: list[str], first: date, last: date
) -> list[tuple[object, ...]]:
    return connection.execute(
        mart.sql(
            "select *, mart::text as row_text from {mart} as mart"
            " where tenant_id = any(%s) and date between %s and %s order by row_text"
        ),
        [tenants, first, last],
    ).fetchall()
