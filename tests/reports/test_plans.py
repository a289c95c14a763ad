"""What an answer reads: rows of its tenant and days by an index, however many others there are."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import psycopg
from psycopg import sql

from orchestration.embedded.demo_data import DemoDataPlan, generate
from tests.outreach.warehouse import SCHEMA, OutreachWarehouse
from tests.support.warehouse import SupportWarehouse

OTHERS = 1_500
# A question may read what it is about more than once: a period and the one before it.
TIMES = 4
ROWS_READ = """
select relid::regclass::text, seq_tup_read, coalesce(idx_tup_fetch, 0)
from pg_stat_xact_user_tables
where schemaname in ('analytics', 'intermediate') and seq_tup_read + coalesce(idx_tup_fetch, 0) > 0
"""
KEPT = {
    "outreach": (
        "analytics.metrics_tenant_daily",
        "analytics.metrics_campaign_daily",
        "analytics.metrics_contact_hourly",
        "intermediate.outreach_campaign_cohort",
        "intermediate.outreach_tenant_cohort",
    ),
    "support": (
        "analytics.reporting_events_rollups",
        "analytics.conversations_daily",
        "intermediate.support_bot_daily",
        "intermediate.support_bot_messages_daily",
    ),
}
DAYS = "'2026-03-10', '2026-03-20'"
QUESTIONS = {
    "outreach": {
        "timeseries": f"select * from report.timeseries(%(tenant)s, 'open_rate', {DAYS})",
        "aggregate": f"select * from report.aggregate(%(tenant)s, 'open_rate', {DAYS})",
        "summary": f"select * from report.summary(%(tenant)s, {DAYS}, dimension => 'campaign')",
        "a contact's hours": "select * from analytics.metrics_contact_hourly"
        " where tenant_id = %(tenant)s and contact_id = %(contact)s and date >= '2026-03-01'",
        "top contacts of a day": "select contact_id, sum(opens)"
        " from analytics.metrics_contact_hourly"
        " where tenant_id = %(tenant)s and date = '2026-03-15'"
        " group by 1 order by 2 desc limit 100",
    },
    "support": {
        "bot_metrics": "select * from report.bot_metrics('1', '2025-10-28', '2025-11-03')",
        "timeseries": "select * from report.timeseries('1', 'resolutions_count',"
        " '2025-10-28', '2025-11-03')",
    },
}


def test_outreach_answers_read_rows_of_their_tenant_by_an_index(
    outreach: OutreachWarehouse,
) -> None:
    plan = DemoDataPlan(tenants=1, days=30, messages=60, end=datetime(2026, 4, 1, tzinfo=UTC))
    generate(outreach.connection, SCHEMA, plan)
    outreach.refresh()
    ((tenant, contact),) = outreach.rows(
        "select tenant_id, min(contact_id) from analytics.metrics_contact_hourly group by 1"
    )
    check(outreach.connection, "outreach", tenant, contact)


def test_support_answers_read_rows_of_their_tenant_by_an_index(
    own_helpdesk: SupportWarehouse,
) -> None:
    check(own_helpdesk.connection, "support", "1")


def check(connection: psycopg.Connection[Any], family: str, tenant: str, contact: str = "") -> None:
    own = {table: count_and_crowd(connection, table, tenant) for table in KEPT[family]}
    for name, question in QUESTIONS[family].items():
        read = read_by(connection, question, {"tenant": tenant, "contact": contact})
        assert read, f"{name}: reads no table of ours"
        for table, (scanned, fetched) in read.items():
            if table in own:
                assert scanned == 0, f"{name}: {table} is read from start to end"
                assert fetched <= own[table] * TIMES, (
                    f"{name}: {table}: {own[table]} rows are its own"
                )


def count_and_crowd(connection: psycopg.Connection[Any], table: str, tenant: str) -> int:
    """Rows of a tenant; then ``OTHERS`` more tenants have the same."""
    names = {"table": sql.Identifier(*table.split(".")), "others": sql.Literal(OTHERS)}
    (count,) = connection.execute(
        sql.SQL("select count(*) from {table} where tenant_id = %s").format(**names), [tenant]
    ).fetchone() or (0,)
    connection.execute(
        sql.SQL(
            "insert into {table} select (jsonb_populate_record(known,"
            " jsonb_build_object('tenant_id', (1000 + n)::text, 'account_id', 1000 + n))).*"
            " from {table} as known cross join generate_series(1, {others}) as n"
            " where tenant_id = %s"
        ).format(**names),
        [tenant],
    )
    connection.execute(sql.SQL("analyze {table}").format(**names))
    return count


def read_by(
    connection: psycopg.Connection[Any], question: str, values: dict[str, Any]
) -> dict[str, tuple[int, int]]:
    """Rows of our tables that one answer reads from start to end, and by an index."""
    with connection.transaction():
        connection.execute(question.encode(), values).fetchall()
        found = connection.execute(ROWS_READ).fetchall()
    return {table: (scanned, fetched) for table, scanned, fetched in found}
