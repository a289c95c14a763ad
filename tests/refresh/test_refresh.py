"""What a refresh promises, one promise a test."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import pytest

from orchestration.errors import RefreshError
from tests.outreach.warehouse import OutreachWarehouse

NOON = datetime(2026, 3, 3, 12, 0)
DAY = NOON.date()


@pytest.fixture
def two_tenants(outreach: OutreachWarehouse) -> OutreachWarehouse:
    """Two tenants, a contact each, a message a day for five days, delivered and opened."""
    for tenant, zone in (("acme", "Asia/Kolkata"), ("bolt", "America/New_York")):
        outreach.add_tenant(tenant, zone)
        outreach.add_contact(tenant, f"{tenant}_ann", f"ann@{tenant}.example")
        for n in range(5):
            sent = NOON + timedelta(days=n - 2)
            message = f"{tenant}_{n}"
            outreach.add_message(tenant, f"{tenant}_ann", message, sent)
            outreach.add_event(
                tenant, message, f"{message}_d", "delivered", sent + timedelta(seconds=4)
            )
            outreach.add_event(tenant, message, f"{message}_o", "open", sent + timedelta(hours=30))
    outreach.refresh()
    assert outreach.differences() == []
    return outreach


def test_first_refresh_counts_everything_and_leaves_nothing_pending(
    two_tenants: OutreachWarehouse,
) -> None:
    assert two_tenants.metric("acme", DAY, "sends") == 1
    assert two_tenants.pending() == []


def test_a_second_refresh_has_nothing_to_do(two_tenants: OutreachWarehouse) -> None:
    before = two_tenants.row_versions()
    outcome = two_tenants.refresh()
    assert not outcome.had_work
    assert two_tenants.row_versions() == before


def test_late_first_open_moves_the_unique(two_tenants: OutreachWarehouse) -> None:
    late = NOON + timedelta(hours=2)
    next_day = DAY + timedelta(days=1)
    assert [two_tenants.metric("acme", day, "unique_opens") for day in (DAY, next_day)] == [1, 1]
    two_tenants.add_event(
        "acme", "acme_2", "late", "open", late, created_at=NOON + timedelta(days=4)
    )
    outcome = two_tenants.refresh()
    assert [two_tenants.metric("acme", day, "unique_opens") for day in (DAY, next_day)] == [2, 0]
    assert [two_tenants.metric("acme", day, "opens") for day in (DAY, next_day)] == [2, 1]
    assert {partition.tenant_id for partition in outcome.partitions} == {"acme"}
    assert {DAY, next_day} <= {partition.date for partition in outcome.partitions}
    assert two_tenants.differences() == []


def test_backfill_of_one_day_changes_no_row_of_another(two_tenants: OutreachWarehouse) -> None:
    # Something to repair on the day, and something on another day that must wait.
    two_tenants.connection.execute(
        "update analytics.metrics_tenant_daily set sends = 99 where tenant_id = 'acme'"
    )
    before = two_tenants.row_versions()
    outcome = two_tenants.backfill(["acme"], DAY, DAY)
    assert outcome.partitions == [("acme", DAY)]
    after = two_tenants.row_versions()
    for table in before:
        changed = before[table] ^ after[table]
        assert {(row[0], row[1]) for row in changed} <= {("acme", DAY)}
    assert two_tenants.metric("acme", DAY, "sends") == 1
    assert two_tenants.metric("acme", DAY + timedelta(days=1), "sends") == 99


def test_backfill_again_changes_no_byte(two_tenants: OutreachWarehouse) -> None:
    two_tenants.backfill(["acme", "bolt"], DAY - timedelta(days=3), DAY + timedelta(days=6))
    before = two_tenants.row_versions()
    two_tenants.backfill(["acme", "bolt"], DAY - timedelta(days=3), DAY + timedelta(days=6))
    assert two_tenants.row_versions() == before
    assert two_tenants.pending() == []


def test_backfill_of_a_day_whose_source_is_gone_ends_empty(two_tenants: OutreachWarehouse) -> None:
    two_tenants.connection.execute("delete from outbound_messages where id = 'acme_2'")
    before = two_tenants.row_versions()
    two_tenants.backfill(["acme"], DAY, DAY)
    left = two_tenants.rows(
        "select count(*) from analytics.metrics_contact_hourly"
        " where tenant_id = 'acme' and date = %s and sends > 0",
        DAY,
    )
    assert left == [(0,)]
    after = two_tenants.row_versions()
    for table in before:
        changed = before[table] ^ after[table]
        assert {(row[0], row[1]) for row in changed} <= {("acme", DAY)}
    # The message's open on the next day is noted, and the next refresh takes it away.
    assert ("acme", "message", "acme_2") in two_tenants.pending()
    two_tenants.refresh()
    assert two_tenants.differences() == []
    assert two_tenants.pending() == []


def test_a_failing_model_leaves_the_work_pending(two_tenants: OutreachWarehouse) -> None:
    two_tenants.add_event(
        "acme", "acme_1", "click", "click", NOON, created_at=NOON + timedelta(days=4)
    )
    two_tenants.connection.execute(
        "alter table analytics.metrics_campaign_daily"
        " add constraint stop check (clicks = 0) not valid"
    )
    with pytest.raises(RefreshError, match="stays pending"):
        two_tenants.refresh()
    assert two_tenants.pending() != []
    two_tenants.connection.execute(
        "alter table analytics.metrics_campaign_daily drop constraint stop"
    )
    two_tenants.refresh()
    assert two_tenants.differences() == []
    assert two_tenants.pending() == []


def test_a_zone_change_moves_every_day(two_tenants: OutreachWarehouse) -> None:
    two_tenants.set_timezone("acme", "Pacific/Kiritimati")
    two_tenants.refresh()
    assert two_tenants.differences() == []


def test_a_changed_rule_is_applied_to_all_history(two_tenants: OutreachWarehouse) -> None:
    two_tenants.connection.execute(
        "update staging.event_type_map set canonical_type = 'click' where raw_type = 'open'"
    )
    two_tenants.refresh()
    assert two_tenants.metric("acme", DAY + timedelta(days=1), "clicks") == 1
    assert two_tenants.metric("acme", DAY + timedelta(days=1), "opens") == 0


def test_old_events_are_welcome_and_impossible_ones_quarantined(
    outreach: OutreachWarehouse,
) -> None:
    outreach.add_tenant("acme")
    outreach.add_contact("acme", "ann")
    outreach.add_message("acme", "ann", "old", datetime(2004, 4, 15, 7, 56))
    outreach.add_message("acme", "ann", "ancient", datetime(1970, 1, 1))
    outreach.add_event("acme", "old", "future", "open", datetime(2030, 1, 1), created_at=NOON)
    outreach.refresh()
    assert outreach.metric("acme", date(2004, 4, 15), "sends") == 1
    assert outreach.rows(
        "select reason, count(*) from intermediate.outreach_activity_ledger"
        " where verdict = 'quarantined' group by 1 order by 1"
    ) == [("before_min_event_date", 1), ("too_far_in_future", 1)]
    assert outreach.differences() == []
