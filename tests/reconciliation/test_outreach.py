"""Drift of the outreach source that capture cannot see: found, marked, healed, found no more."""

from __future__ import annotations

from datetime import date, datetime, timedelta

from tests.outreach.warehouse import OutreachWarehouse
from tests.reconciliation.asking import (
    check,
    found,
    require_healed,
    require_marked_exactly,
)

NOON = datetime(2026, 3, 3, 12, 0)


def day(number: int) -> date:
    """The day so many days after the first message."""
    return NOON.date() + timedelta(days=number)


def fill(warehouse: OutreachWarehouse, tenant: str, zone: str = "UTC") -> None:
    """Messages of ann and bob on five days, delivered, opened and clicked; both opt out."""
    warehouse.add_tenant(tenant, zone)
    for person in ("ann", "bob"):
        contact = f"{tenant}_{person}"
        warehouse.add_contact(tenant, contact, f"{person}@{tenant}.example")
        for number in range(5):
            at, message = NOON + timedelta(days=number), f"{contact}_{number}"
            warehouse.add_message(tenant, contact, message, at)
            warehouse.add_event(tenant, message, f"{message}_d", "delivered", at)
            for kind, hours in (("open", 30), ("click", 31)):
                later = at + timedelta(hours=hours)
                warehouse.add_event(
                    tenant, message, f"{message}_{kind}", kind, later, data={"url": "/a"}
                )
        for number in (0, 4):
            at = NOON + timedelta(days=number)
            warehouse.insert(
                "campaign_transitions",
                id=f"{contact}_t{number}", tenant_id=tenant, campaign_id=f"campaign_{contact}",
                to_status="active", occurred_at=at, created_at=at, updated_at=at,
            )  # fmt: skip
    at = NOON + timedelta(days=1, hours=2)
    warehouse.add_event(tenant, f"{tenant}_ann_1", f"{tenant}_u", "unsubscribe", at)
    at = NOON + timedelta(days=2)
    warehouse.insert(
        "contact_unsubscribes",
        id=f"{tenant}_l", tenant_id=tenant, channel="email", unsubscribe_source="manual",
        channel_value=f"bob@{tenant}.example", unsubscribed_at=at, created_at=at,
    )  # fmt: skip
    for number in (0, 3):
        at = NOON + timedelta(days=number)
        warehouse.insert(
            "inbound_messages",
            id=f"{tenant}_in{number}", tenant_id=tenant, contact_id=f"{tenant}_ann",
            campaign_id=f"campaign_{tenant}_ann", channel="email", provider_message_id="p",
            received_at=at, created_at=at, updated_at=at,
        )  # fmt: skip


MESSAGE, EVENT = "{tenant}_ann_2", "{tenant}_ann_2_open"
MESSAGES, EVENTS = "outbound_messages", "message_events"

# What happens to a tenant (it stands for {tenant}), and what of it is found: day, part, kind.
DRIFTS: dict[str, tuple[str, set[tuple[int, str, str]]]] = {
    "message_deleted": (
        f"delete from outbound_messages where id = '{MESSAGE}'",
        {(2, MESSAGES, "gone"), (2, EVENTS, "gone"), (3, EVENTS, "gone")},
    ),
    "event_deleted": (
        f"delete from message_events where id = '{EVENT}'",
        {(3, EVENTS, "gone")},
    ),
    "event_moved_to_a_message": (
        f"update message_events set message_id = '{{tenant}}_bob_1' where id = '{EVENT}'",
        {(3, EVENTS, "changed")},
    ),
    "event_moved_to_a_tenant": (
        ("update message_events set message_id = 'neighbour_bob_1', tenant_id = 'neighbour'"
        f" where id = '{EVENT}'"),
        {(3, EVENTS, "gone")},
    ),
    "event_moved_to_a_day": (
        f"update message_events set event_at = event_at + interval '1 day' where id = '{EVENT}'",
        {(3, EVENTS, "gone"), (4, EVENTS, "missing")},
    ),
    "event_moved_to_an_hour": (
        f"update message_events set event_at = event_at - interval '1 hour' where id = '{EVENT}'",
        {(3, EVENTS, "changed")},
    ),
    "event_came_in_unseen": (
        ("insert into message_events (id, tenant_id, message_id, type, event_at, created_at)"
        f" values ('{{tenant}}_x', '{{tenant}}', '{MESSAGE}', 'click',"
        " '2026-03-06 01:00', '2026-03-06 01:00')"),
        {(3, EVENTS, "missing")},
    ),
    "event_with_impossible_time_came_in_unseen": (
        ("insert into message_events (id, tenant_id, message_id, type, event_at, created_at)"
        f" values ('{{tenant}}_x', '{{tenant}}', '{MESSAGE}', 'click',"
        " '2030-03-06 01:00', '2026-03-06 01:00')"),
        {(3, EVENTS, "missing")},
    ),
    "original_of_a_copy_deleted": (
        "delete from message_events where id = '{tenant}_original'",
        {(3, EVENTS, "gone")},
    ),
    "message_moved_to_a_contact": (
        ("update outbound_messages set campaign_id = 'campaign_{tenant}_bob',"
        f" contact_id = '{{tenant}}_bob' where id = '{MESSAGE}'"),
        {(2, MESSAGES, "changed"), (2, EVENTS, "changed"), (3, EVENTS, "changed")},
    ),
    "message_moved_to_a_tenant": (
        f"update outbound_messages set tenant_id = 'neighbour' where id = '{MESSAGE}'",
        {(2, MESSAGES, "gone"), (2, EVENTS, "gone"), (3, EVENTS, "gone")},
    ),
    "message_not_sent_after_all": (
        f"update outbound_messages set state = 'queued', sent_at = null where id = '{MESSAGE}'",
        {(2, MESSAGES, "changed")},
    ),
    "message_moved_to_a_day": (
        f"update outbound_messages set sent_at = sent_at - interval '1 day' where id = '{MESSAGE}'",
        {(1, MESSAGES, "missing"), (2, MESSAGES, "gone")},
    ),
    "transition_deleted": (
        "delete from campaign_transitions where id = '{tenant}_ann_t4'",
        {(4, "campaign_transitions", "gone")},
    ),
    "transition_changed": (
        "update campaign_transitions set to_status = 'paused' where id = '{tenant}_ann_t0'",
        {(0, "campaign_transitions", "changed")},
    ),
    "reply_deleted": (
        "delete from inbound_messages where id = '{tenant}_in3'",
        {(3, "inbound_messages", "gone")},
    ),
    "unsubscription_deleted": (
        "delete from contact_unsubscribes where id = '{tenant}_l'",
        {(2, "optouts", "gone")},
    ),
    "address_changed": (
        "update lead_point_of_contacts set email = 'other' where id = '{tenant}_bob'",
        {(2, "optouts", "changed")},
    ),
    "campaign_of_another_contact": (
        ("update contact_campaigns set contact_id = '{tenant}_ann', channel = 'sms'"
        " where id = 'campaign_{tenant}_bob';"
        " update contact_unsubscribes set campaign_id = 'campaign_{tenant}_bob'"
        " where id = '{tenant}_l'"),
        {(2, "optouts", "changed")},
    ),
    "tenant_deleted": (
        "delete from tenants where id = '{tenant}'",
        {
            *((number, MESSAGES, "gone") for number in range(5)),
            *((number, EVENTS, "gone") for number in range(6)),
            (0, "campaign_transitions", "gone"), (4, "campaign_transitions", "gone"),
            (0, "inbound_messages", "gone"), (3, "inbound_messages", "gone"),
            (1, "optouts", "gone"), (2, "optouts", "gone"),
        },
    ),
}  # fmt: skip


def test_every_drift_is_found_marked_and_healed(outreach: OutreachWarehouse) -> None:
    for tenant in (*DRIFTS, "neighbour"):
        fill(outreach, tenant)
    # Two reports of one click, about two messages: the first counts.
    copied = "original_of_a_copy_deleted"
    for number, (message, name) in enumerate([("ann_2", "original"), ("bob_1", "copy")]):
        at = NOON + timedelta(days=3 + number)
        outreach.add_event(
            copied, f"{copied}_{message}", f"{copied}_{name}", "click", at,
            sg_event_id="same", data={"url": "/c"},
        )  # fmt: skip
    outreach.refresh()
    untouched = check(outreach)
    assert found(untouched) == {}
    assert untouched.source_rows == untouched.ledger_rows > 40 * len(DRIFTS)
    assert outreach.pending() == []

    for tenant, (change, _) in DRIFTS.items():
        outreach.connection.execute(change.format(tenant=tenant).encode())
    outcome = check(outreach)
    drift = found(outcome)
    expected = {
        tenant: {(day(number), part, kind) for number, part, kind in parts}
        for tenant, (_, parts) in DRIFTS.items()
    }
    assert {tenant: parts for tenant, parts in drift.items() if tenant != "neighbour"} == expected
    assert {when for when, *_ in drift["neighbour"]} == {day(2), day(3)}
    require_marked_exactly(outreach, outcome)
    require_healed(outreach)
