"""Dates are the tenant's: around changes of clock, and where the source was cut off."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from tests.outreach.warehouse import OutreachWarehouse
from tests.reconciliation.asking import check, found, marked, require_healed
from tests.support.warehouse import SupportWarehouse

# Zone and the instant of a change of its clock: a day of 23, 25, 24.5 hours; midnight twice.
ZONES = {
    "spring": ("America/New_York", datetime(2026, 3, 8, 7)),
    "autumn": ("America/New_York", datetime(2025, 11, 2, 6)),
    "half": ("Australia/Lord_Howe", datetime(2026, 4, 4, 15)),
    "twice": ("America/Havana", datetime(2025, 11, 2, 5)),
    "ahead": ("Pacific/Kiritimati", datetime(2026, 3, 8, 10)),
}


def local_date(at: datetime, zone: str) -> date:
    return at.replace(tzinfo=UTC).astimezone(ZoneInfo(zone)).date()


def test_days_with_a_change_of_clock(outreach: OutreachWarehouse) -> None:
    gone: dict[str, set[date]] = {}
    kept = timedelta(days=5)
    for tenant, (zone, change) in ZONES.items():
        outreach.add_tenant(tenant, zone)
        outreach.add_contact(tenant, f"{tenant}_c")
        outreach.add_message(tenant, f"{tenant}_c", tenant, change - kept)
        outreach.add_event(tenant, tenant, f"{tenant}_first", "open", change - kept)
        gone[tenant] = set()
        for number in range(-60, 60):
            at = change + timedelta(minutes=30 * number)
            outreach.add_event(tenant, tenant, f"{tenant}_{number}", "click", at)
            # the half hours next to a midnight, and the change itself
            days = {local_date(at + timedelta(minutes=shift), zone) for shift in (-30, 0, 30)}
            if len(days) > 1 or number in (-1, 0):
                gone[tenant].add(local_date(at, zone))
    outreach.refresh()
    assert found(check(outreach)) == {}
    for tenant, (zone, change) in ZONES.items():
        for number in range(-60, 60):
            at = change + timedelta(minutes=30 * number)
            days = {local_date(at + timedelta(minutes=shift), zone) for shift in (-30, 0, 30)}
            if len(days) > 1 or number in (-1, 0):
                outreach.connection.execute(
                    "delete from message_events where id = %s", [f"{tenant}_{number}"]
                )
    assert found(check(outreach)) == {
        tenant: {(day, "message_events", "gone") for day in days} for tenant, days in gone.items()
    }
    assert marked(outreach) == gone
    require_healed(outreach)


@pytest.fixture
def aged(outreach: OutreachWarehouse) -> OutreachWarehouse:
    """A message every six hours for ten days, opened a day later; New York's days."""
    outreach.add_tenant("acme", "America/New_York")
    outreach.add_contact("acme", "ann")
    for number in range(40):
        at, message = datetime(2026, 3, 3) + timedelta(hours=6 * number), f"m{number}"
        outreach.add_message("acme", "ann", message, at)
        outreach.add_event("acme", message, f"{message}_d", "delivered", at)
        outreach.add_event("acme", message, f"{message}_o", "open", at + timedelta(days=1))
    outreach.refresh()
    return outreach


def test_a_source_that_was_cut_off_keeps_its_rollups(aged: OutreachWarehouse) -> None:
    before = aged.rows("select * from analytics.metrics_tenant_daily order by date")
    # In the middle of a local day; the opens of the messages on the days after go as well.
    aged.connection.execute("delete from outbound_messages where sent_at < '2026-03-07 13:00'")
    outcome = check(aged)
    assert outcome.matches
    assert {kind for _, _, kind in found(outcome)["acme"]} == {"pruned"}
    assert outcome.pruned == 7
    assert aged.pending() == []
    aged.refresh()
    assert aged.rows("select * from analytics.metrics_tenant_daily order by date") == before

    # What goes later is a deletion, and only that is repaired.
    aged.connection.execute("delete from message_events where id = 'm30_o'")
    assert {each for each in found(check(aged))["acme"] if each[2] != "pruned"} == {
        (date(2026, 3, 11), "message_events", "gone")
    }
    aged.refresh()
    after = aged.rows("select * from analytics.metrics_tenant_daily order by date")
    assert [row[1] for row in before if row not in after] == [date(2026, 3, 11)]

    outcome = check(aged, allow_shrink=True)
    assert (outcome.differing, outcome.pruned) == (7, 0)
    require_healed(aged)
    assert aged.metric("acme", date(2026, 3, 4), "sends") == 0

    # Nothing left of a tenant is a cut as well; a tenant that is gone was deleted.
    aged.connection.execute("delete from outbound_messages")
    assert check(aged).matches
    aged.connection.execute("delete from tenants")
    assert not check(aged).matches
    require_healed(aged)
    assert aged.rows("select 1 from analytics.metrics_tenant_daily") == []


def test_only_the_dates_asked_for(aged: OutreachWarehouse) -> None:
    aged.connection.execute("delete from message_events where id in ('m20_o', 'm30_o')")
    outcome = check(aged, date_from=date(2026, 3, 10), date_to=date(2026, 3, 12))
    assert outcome.partitions == 3
    assert marked(aged) == {"acme": {date(2026, 3, 11)}}


def test_a_support_source_that_was_cut_off_keeps_its_rollups(support: SupportWarehouse) -> None:
    support.add_account(1, "Asia/Kolkata")
    for number in range(1, 41):
        at = datetime(2026, 3, 3) + timedelta(hours=6 * number)
        support.add_conversation(1, number, at)
        support.add_event(1, number, "conversation_resolved", at + timedelta(days=1), number)
        support.add_message(1, number, number, at + timedelta(hours=1))
    support.refresh()
    cut = datetime(2026, 3, 7, 13)
    numbers = [n for n in range(1, 41) if datetime(2026, 3, 3) + timedelta(hours=6 * n) < cut]
    for table, column in (
        ("messages", "conversation_id"), ("reporting_events", "conversation_id"),
        ("conversations", "id"),
    ):  # fmt: skip
        statement = f"delete from {table} where {column} <= {max(numbers)}"
        support.connection.execute(statement.encode())
    outcome = check(support)
    assert outcome.matches
    assert {kind for _, _, kind in found(outcome)["1"]} == {"pruned"}
    assert support.pending() == []
    assert not check(support, allow_shrink=True).matches
    require_healed(support)
