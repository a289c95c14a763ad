"""Sums agree across grains, in every zone and on every day; totals agree across the two views."""

from __future__ import annotations

import pytest
from psycopg import sql

from orchestration.embedded.demo_data import DemoDataPlan, generate
from tests.outreach.marts import METRICS
from tests.outreach.warehouse import SCHEMA, OutreachWarehouse

# Cohort column -> the activity metrics that it equals over all days.
ONCE_PER_MESSAGE = {
    "sent": "sends",
    "implied_sent": "implied_sends",
    "delivered_strict": "delivered",
    "opened_strict": "unique_opens",
    "human_opened": "unique_human_opens",
    "clicked": "unique_clicks",
    "opened": "unique_opens_or_clicks",
    "bounced": "bounces",
    "dropped": "drops",
    "complained": "complaints",
    "unsubscribed": "unsubscribes",
}


@pytest.fixture
def demo(outreach: OutreachWarehouse) -> OutreachWarehouse:
    """Sample data in five zones over a month with a change of the clocks."""
    summary = generate(
        outreach.connection, SCHEMA, DemoDataPlan(tenants=5, days=45, messages=8_000)
    )
    for tenant, zone in summary.tenant_timezones.items():
        if zone is not None:
            outreach.set_timezone(tenant, zone)
    outreach.refresh()
    return outreach


def test_sample_data_equals_a_recount_and_adds_up(demo: OutreachWarehouse) -> None:
    assert demo.differences() == []
    sums = sql.SQL(", ").join(
        sql.SQL("sum({0}) as {0}").format(sql.Identifier(metric)) for metric in METRICS
    )
    daily = [
        demo.connection.execute(
            sql.SQL(
                "select tenant_id, date, {} from {} group by 1, 2 order by 1, 2"
            ).format(sums, sql.Identifier("analytics", table))
        ).fetchall()
        for table in ("metrics_contact_hourly", "metrics_campaign_daily", "metrics_tenant_daily")
    ]  # fmt: skip
    assert daily[0] == daily[2]
    # A day with nothing but a transition has a campaign row and no activity.
    assert [row for row in daily[1] if any(row[2:])] == daily[2]


def test_uniques_never_exceed_totals_and_cohorts_match_activity(demo: OutreachWarehouse) -> None:
    wrong = demo.rows(
        "select tenant_id, date from analytics.metrics_tenant_daily"
        " where unique_opens > opens or unique_clicks > clicks or machine_opens > opens"
        " or suspected_bot_clicks > clicks or hard_bounces + blocks <> bounces"
        " or trackable_sends > sends or unique_human_opens > opens - machine_opens"
    )
    assert wrong == []
    for cohort, activity in ONCE_PER_MESSAGE.items():
        assert demo.connection.execute(
            sql.SQL(
                "select c.total = a.total from"
                " (select sum({}) as total from analytics.metrics_tenant_cohort_daily) as c,"
                " (select sum({}) as total from analytics.metrics_tenant_daily) as a"
            ).format(sql.Identifier(cohort), sql.Identifier(activity))
        ).fetchone() == (True,), f"{cohort} differs from {activity}"
    rates = demo.rows(
        "select min(least(delivery_rate, open_rate, click_rate)),"
        " max(greatest(delivery_rate, open_rate, click_rate))"
        " from analytics.rpt_tenant_cohort_daily"
    )
    assert 0 <= rates[0][0] <= rates[0][1] <= 1
