"""What `ops.refresh_status` and the metrics say, against the tables themselves."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from orchestration.errors import RefreshError
from orchestration.warehouse.metrics import registry
from orchestration.warehouse.status import family_status
from tests.outreach.warehouse import OutreachWarehouse
from tests.support.warehouse import SupportWarehouse

NOON = datetime(2026, 3, 3, 12, 0)
OUTREACH_TABLES = {
    "intermediate": (
        "outreach_activity_ledger", "outreach_optout_ledger", "outreach_transition_ledger",
        "outreach_campaign_cohort", "outreach_tenant_cohort",
    ),
    "analytics": (
        "metrics_message", "metrics_contact_hourly", "metrics_campaign_daily",
        "metrics_tenant_daily",
    ),
}  # fmt: skip
SUPPORT_TABLES = {
    "intermediate": (
        "support_event_ledger", "support_conversation_ledger", "support_message_ledger",
        "support_bot_events", "support_bot_daily", "support_bot_messages_daily",
    ),
    "analytics": ("reporting_events_rollups", "conversations_daily"),
}  # fmt: skip


@pytest.fixture
def filled(outreach: OutreachWarehouse) -> OutreachWarehouse:
    for tenant in ("acme", "bolt"):
        outreach.add_tenant(tenant, "Asia/Kolkata")
        outreach.add_contact(tenant, f"{tenant}_ann")
        for n in range(3):
            at = NOON + timedelta(days=n)
            outreach.add_message(tenant, f"{tenant}_ann", f"{tenant}_{n}", at)
            outreach.add_event(tenant, f"{tenant}_{n}", f"{tenant}_{n}_open", "open", at)
    outreach.refresh()
    return outreach


def counted(
    warehouse: OutreachWarehouse | SupportWarehouse, tables: dict[str, tuple[str, ...]]
) -> dict[tuple[str, str], int]:
    """Rows by tenant and table, counted."""
    counts = {}
    for schema, names in tables.items():
        for name in names:
            for tenant, rows in warehouse.rows(
                f"select tenant_id, count(*) from {schema}.{name} group by tenant_id"
            ):
                counts[tenant, name] = rows
    return counts


def kept(warehouse: OutreachWarehouse | SupportWarehouse) -> dict[tuple[str, str], int]:
    """Rows by tenant and table, as the status has them."""
    found = warehouse.rows(
        "select tenant_id, model, row_count from ops.refresh_status where row_count <> 0"
    )
    return {(tenant, model): rows for tenant, model, rows in found}


def test_row_counts_are_those_of_the_tables(filled: OutreachWarehouse) -> None:
    assert kept(filled) == counted(filled, OUTREACH_TABLES)
    filled.connection.execute("delete from message_events where id = 'acme_1_open'")
    filled.connection.execute("delete from outbound_messages where id = 'bolt_0'")
    filled.add_event("acme", "acme_0", "late", "click", NOON, created_at=NOON + timedelta(days=5))
    filled.backfill(["acme", "bolt"], NOON.date(), NOON.date() + timedelta(days=3))
    filled.set_timezone("acme", "America/New_York")
    filled.refresh()
    assert kept(filled) == counted(filled, OUTREACH_TABLES)


def test_row_counts_of_support(support: SupportWarehouse) -> None:
    support.add_account(1, "America/New_York")
    support.add_conversation(1, 101, NOON, team_id=3)
    support.add_event(1, 1, "conversation_bot_handoff", NOON, 101, inbox_id=1)
    support.add_message(1, 1, 101, NOON)
    support.refresh()
    assert kept(support) == counted(support, SUPPORT_TABLES)
    support.connection.execute("delete from reporting_events")
    support.backfill(1, NOON.date(), NOON.date())
    assert kept(support) == counted(support, SUPPORT_TABLES)


def test_durations_pending_and_failures(filled: OutreachWarehouse) -> None:
    status = family_status(filled.connection, "outreach")
    assert {model.model for model in status.models} == {
        name for names in OUTREACH_TABLES.values() for name in names
    }
    for model in status.models:
        assert model.p50_seconds is not None
        assert model.p95_seconds is not None
        assert 0 < model.p50_seconds <= model.p95_seconds < 60
    assert (status.last_failure, status.alerts) == (None, [])

    filled.add_event("acme", "acme_0", "e9", "click", NOON, created_at=NOON + timedelta(days=5))
    filled.connection.execute(
        "alter table analytics.metrics_message add constraint refused check (false) not valid"
    )
    with pytest.raises(RefreshError):
        filled.refresh()
    filled.connection.execute("alter table analytics.metrics_message drop constraint refused")
    status = family_status(filled.connection, "outreach")
    assert status.last_failure is not None
    assert "metrics_message" in (status.last_failure.error or "")
    assert [alert.kind for alert in status.alerts] == ["failed_refresh"]
    rows = filled.rows(
        "select distinct tenant_id, pending, pending_seconds > 0, last_error is not null"
        " from ops.refresh_status order by 1"
    )
    assert rows == [("acme", 1, True, True), ("bolt", 0, None, True)]


def test_staleness_counts_from_now_and_not_from_the_last_run(filled: OutreachWarehouse) -> None:
    filled.connection.execute(
        "update ops.watermark set captured_at = captured_at - interval '3 hours'"
    )
    ((least, most),) = filled.rows(
        "select min(staleness_seconds), max(staleness_seconds) from ops.refresh_status"
    )
    assert 3 * 3600 <= least <= most < 3 * 3600 + 600


def test_metrics_are_prometheus_text(filled: OutreachWarehouse) -> None:
    filled.connection.execute("update tenants set name = 'a\"b' where id = 'acme'")
    text = generate_latest(registry(filled.connection, ["outreach"])).decode()
    samples = {
        (sample.name, *sorted(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }
    assert samples["rollups_pending_pieces", "acme", "outreach"] == 0
    assert samples["rollups_refreshes", "completed", "outreach"] == 1
    assert samples["rollups_refreshes", "failed", "outreach"] == 0
    assert samples["rollups_model_rows", "metrics_message", "outreach"] == 6
    through = samples["rollups_complete_through_timestamp_seconds", "acme", "outreach"]
    assert 0 <= samples["rollups_collected_timestamp_seconds",] - through < 600
