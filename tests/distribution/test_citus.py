"""``ROLLUPS_DISTRIBUTE=citus``: what is distributed, against a stand-in that records the calls."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from orchestration.dbt_runner import dbt_project
from orchestration.embedded.demo_data import create_source_tables
from orchestration.errors import DatabaseError, SettingsError
from orchestration.settings import Settings
from orchestration.warehouse.bootstrap import initialise
from orchestration.warehouse.connection import connect
from orchestration.warehouse.security import insecure
from tests.outreach.warehouse import SCHEMA, OutreachWarehouse
from tests.support.warehouse import SupportWarehouse, create_source

pytestmark = pytest.mark.slow

STAND_IN = Path(__file__).with_name("citus_stand_in.sql")
NOON = datetime(2026, 3, 3, 12, 0)

# Changes of the ledgers, which models join with these.
OF_OPERATIONS = {
    "ops.outreach_activity_change",
    "ops.outreach_change_applied",
    "ops.outreach_message_change",
    "ops.outreach_touched",
    "ops.support_touched",
}


@pytest.fixture
def settings(test_home: Path) -> Settings:
    return Settings(home=test_home, distribute="citus")


@pytest.fixture
def source_url(database_url: str) -> str:
    """A database with empty source tables of both families."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        create_source_tables(connection, SCHEMA)
        create_source(connection)
    return database_url


@pytest.fixture
def citus_url(source_url: str) -> str:
    with psycopg.connect(source_url, autocommit=True) as connection:
        connection.execute(STAND_IN.read_bytes())
    return source_url


def distributed(url: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(url) as connection:
        return connection.execute(
            "select logicalrelid::text, partmethod, partkey, colocationid, xmin::text"
            " from pg_dist_partition order by 1"
        ).fetchall()


def fill(outreach: OutreachWarehouse, support: SupportWarehouse) -> None:
    """Two tenants of each family with three days of activity."""
    for tenant, zone in (("acme", "Asia/Kolkata"), ("bolt", "America/New_York")):
        outreach.add_tenant(tenant, zone)
        outreach.add_contact(tenant, f"{tenant}_ann", f"ann@{tenant}.example")
        for n in range(3):
            sent, message = NOON + timedelta(days=n), f"{tenant}_{n}"
            outreach.add_message(tenant, f"{tenant}_ann", message, sent)
            outreach.add_event(tenant, message, f"{message}_o", "open", sent + timedelta(hours=30))
    for account in (1, 2):
        support.add_account(account, "Europe/Berlin")
        support.add_inbox(account, account, bot=True)
        for n in range(3):
            conversation, at = account * 100 + n, NOON + timedelta(hours=9 * n)
            support.add_conversation(account, conversation, at, inbox_id=account)
            support.add_message(account, conversation, conversation, at, inbox_id=account)
            for step, name in enumerate(("conversation_bot_handoff", "conversation_resolved")):
                support.add_event(
                    account, conversation * 10 + step, name, at + timedelta(hours=step),
                    conversation, inbox_id=account,
                )  # fmt: skip


def both(settings: Settings, url: str) -> tuple[OutreachWarehouse, SupportWarehouse]:
    return OutreachWarehouse(settings, url), SupportWarehouse(settings, url)


def test_every_ledger_and_rollup_is_distributed_by_tenant_in_one_place(
    citus_url: str, settings: Settings
) -> None:
    initialise(settings, citus_url)
    rows = distributed(citus_url)
    nodes = json.loads(dbt_project(settings).manifest_path.read_text())["nodes"].values()
    tables = {
        f"{node['schema']}.{node['alias']}"
        for node in nodes
        if node["resource_type"] == "model"
        and node["config"]["materialized"] == "incremental"
        and not node["config"]["meta"].get("plumbing")
    }
    assert len(tables) > 15
    assert {row[0] for row in rows} == tables | OF_OPERATIONS
    assert {row[1:4] for row in rows} == {("h", "tenant_id", rows[0][3])}
    with connect(citus_url) as connection:
        assert insecure(connection, settings) == []
        policies = connection.execute(
            "select count(*) from pg_policies where policyname = 'rollups_tenants'"
            " and schemaname in ('analytics', 'intermediate')"
            " and format('%I.%I', schemaname, tablename)::regclass"
            " in (select logicalrelid from pg_dist_partition)"
        ).fetchone()
    assert policies == (0,)


def test_running_it_again_changes_nothing(citus_url: str, settings: Settings) -> None:
    initialise(settings, citus_url)
    before = distributed(citus_url)
    initialise(settings, citus_url)
    assert distributed(citus_url) == before


def test_refreshes_equal_the_recount_before_and_after(citus_url: str, settings: Settings) -> None:
    initialise(settings.model_copy(update={"distribute": ""}), citus_url)
    assert distributed(citus_url) == []
    outreach, support = both(settings, citus_url)
    with outreach, support:
        fill(outreach, support)
        outreach.refresh()
        support.refresh()
        marts = outreach.marts()
        initialise(settings, citus_url)
        assert all(outreach.marts()[name].equals(mart) for name, mart in marts.items())
        assert outreach.differences() == support.differences() == []

        now = datetime.now(UTC).replace(tzinfo=None)
        late = NOON + timedelta(days=2)
        outreach.add_event("acme", "acme_1", "late", "click", late, created_at=now)
        outreach.connection.execute("delete from message_events where id = 'bolt_1_o'")
        support.add_event(1, 9999, "conversation_resolved", late, 100, inbox_id=1, updated_at=now)
        assert outreach.refresh().partitions
        assert support.refresh().partitions
        outreach.backfill(["bolt"], NOON.date(), NOON.date() + timedelta(days=4))
        assert outreach.differences() == support.differences() == []


def test_a_new_table_joins_those_that_are_distributed(citus_url: str, settings: Settings) -> None:
    initialise(settings, citus_url)
    with psycopg.connect(citus_url, autocommit=True) as connection:
        connection.execute(
            "create table analytics.a_new_one (tenant_id text not null, date date not null,"
            " primary key (tenant_id, date))"
        )
        assert connection.execute("select ops.distribute()").fetchone() == (1,)
    rows = distributed(citus_url)
    assert "analytics.a_new_one" in {row[0] for row in rows}
    assert len({row[3] for row in rows}) == 1


def test_without_the_extension_one_line_says_what_to_do(
    source_url: str, settings: Settings
) -> None:
    with pytest.raises(SettingsError) as caught:
        initialise(settings, source_url)
    message = str(caught.value)
    assert message.startswith("ROLLUPS_DISTRIBUTE='citus': ")
    assert "create extension citus" in message
    assert "\n" not in message
    with psycopg.connect(source_url) as connection:
        assert connection.execute("select to_regnamespace('ops')").fetchone() == (None,)


def test_a_table_distributed_by_another_column_is_refused(
    citus_url: str, settings: Settings
) -> None:
    initialise(settings, citus_url)
    with psycopg.connect(citus_url, autocommit=True) as connection:
        connection.execute(
            "update pg_dist_partition set partkey = 'campaign_id'"
            " where logicalrelid = 'analytics.metrics_campaign_daily'::regclass"
        )
    with pytest.raises(DatabaseError, match=r"metrics_campaign_daily is distributed by campaign_id,"
                       r" not by tenant_id: run .*undistribute_table.*") as caught:  # fmt: skip
        initialise(settings, citus_url)
    assert "\n" not in str(caught.value)
