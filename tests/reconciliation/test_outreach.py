"""Drift of the outreach source that capture cannot see: found, marked, healed, found no more."""

from __future__ import annotations

from datetime import date, datetime, timedelta

import pytest

from orchestration.warehouse.reconciliation import Reconciliation, reconcile
from tests.outreach.warehouse import OutreachWarehouse

NOON = datetime(2026, 3, 3, 12, 0)
DAY = NOON.date()
LONG_AGO = datetime(2026, 1, 1)
ANN, BOB = "acme_ann", "acme_bob"


def day(number: int) -> date:
    """The day so many days after the messages'."""
    return DAY + timedelta(days=number)


def check(warehouse: OutreachWarehouse, **question: object) -> Reconciliation:
    return reconcile(warehouse.settings, warehouse.url, "outreach", **question)  # pyright: ignore


def found(reconciliation: Reconciliation) -> set[tuple[str, date, str, str]]:
    return {(each.tenant_id, each.date, each.part, each.kind) for each in reconciliation.drift}


def heal(warehouse: OutreachWarehouse) -> None:
    """Refresh until nothing is pending: what lies on further dates comes second."""
    for _ in range(3):
        if not warehouse.pending():
            break
        warehouse.refresh()
    assert warehouse.pending() == []
    assert warehouse.differences() == []
    assert found(check(warehouse)) == set()


@pytest.fixture
def filled(outreach: OutreachWarehouse) -> OutreachWarehouse:
    """Two tenants; messages of ann and bob on five days, delivered, opened, one unsubscribed."""
    for tenant in ("acme", "bolt"):
        outreach.add_tenant(tenant)
        for person in ("ann", "bob"):
            contact = f"{tenant}_{person}"
            outreach.add_contact(tenant, contact, f"{person}@{tenant}.example")
            for n in range(5):
                at, message = NOON + timedelta(days=n), f"{contact}_{n}"
                outreach.add_message(tenant, contact, message, at)
                outreach.add_event(tenant, message, f"{message}_d", "delivered", at)
                opened = at + timedelta(hours=30)
                outreach.add_event(tenant, message, f"{message}_o", "open", opened)
                clicked = at + timedelta(hours=31)
                outreach.add_event(
                    tenant, message, f"{message}_c", "click", clicked, data={"url": "/a"}
                )
            outreach.insert(
                "campaign_transitions",
                id=f"{contact}_t", tenant_id=tenant, campaign_id=f"campaign_{contact}",
                to_status="active", occurred_at=NOON, created_at=NOON, updated_at=NOON,
            )  # fmt: skip
        outreach.add_event(tenant, f"{tenant}_ann_1", f"{tenant}_u", "unsubscribe", NOON + timedelta(days=1, hours=2))
        outreach.insert(
            "contact_unsubscribes",
            id=f"{tenant}_l", tenant_id=tenant, channel="email",
            channel_value=f"bob@{tenant}.example", unsubscribed_at=NOON + timedelta(days=2),
            created_at=NOON + timedelta(days=2), unsubscribe_source="manual",
        )  # fmt: skip
        outreach.insert(
            "inbound_messages",
            id=f"{tenant}_in", tenant_id=tenant, contact_id=f"{tenant}_ann", channel="email",
            received_at=NOON + timedelta(days=3), provider_message_id="p",
            campaign_id=f"campaign_{tenant}_ann",
            created_at=NOON + timedelta(days=3), updated_at=NOON + timedelta(days=3),
        )  # fmt: skip
    outreach.refresh()
    assert outreach.pending() == []
    return outreach


def test_nothing_differs_after_a_refresh(filled: OutreachWarehouse) -> None:
    outcome = check(filled)
    assert outcome.matches
    assert outcome.source_rows == outcome.ledger_rows > 80
    assert filled.pending() == []
    assert filled.differences() == []


DRIFTS: dict[str, tuple[str, set[tuple[int, str, str]]]] = {
    "a hard-deleted message and its events": (
        "delete from outbound_messages where id = 'acme_ann_2'",
        {(2, "outbound_messages", "gone"), (2, "message_events", "gone"),
         (3, "message_events", "gone")},
    ),
    "a deleted event": (
        "delete from message_events where id = 'acme_ann_2_o'",
        {(3, "message_events", "gone")},
    ),
    "an event moved to another message": (
        "update message_events set message_id = 'acme_bob_1' where id = 'acme_ann_2_o'",
        {(3, "message_events", "changed")},
    ),
    "an event moved to another tenant's message": (
        "update message_events set message_id = 'bolt_bob_1', tenant_id = 'bolt'"
        " where id = 'acme_ann_2_o'",
        {(3, "message_events", "gone")},
    ),
    "an event moved to another day": (
        "update message_events set event_at = event_at + interval '1 day' where id = 'acme_ann_2_o'",
        {(3, "message_events", "gone"), (4, "message_events", "missing")},
    ),
    "an event moved to another hour": (
        "update message_events set event_at = event_at - interval '1 hour' where id = 'acme_ann_2_o'",
        {(3, "message_events", "changed")},
    ),
    "a message moved to another campaign and contact": (
        "update outbound_messages set campaign_id = 'campaign_acme_bob', contact_id = 'acme_bob'"
        " where id = 'acme_ann_2'",
        {(2, "outbound_messages", "changed"), (2, "message_events", "changed"),
         (3, "message_events", "changed")},
    ),
    "a message that was not sent after all": (
        "update outbound_messages set state = 'queued', sent_at = null where id = 'acme_ann_2'",
        {(2, "outbound_messages", "changed")},
    ),
    "a deleted transition": (
        "delete from campaign_transitions where id = 'acme_ann_t'",
        {(0, "campaign_transitions", "gone")},
    ),
    "a transition to another status": (
        "update campaign_transitions set to_status = 'paused' where id = 'acme_ann_t'",
        {(0, "campaign_transitions", "changed")},
    ),
    "a deleted reply": (
        "delete from inbound_messages where id = 'acme_in'",
        {(3, "inbound_messages", "pruned")},
    ),
    "a deleted unsubscription": (
        "delete from contact_unsubscribes where id = 'acme_l'",
        {(2, "optouts", "gone")},
    ),
    "a contact's other address": (
        "update lead_point_of_contacts set email = 'other@acme.example' where id = 'acme_bob'",
        {(2, "optouts", "changed")},
    ),
    "a row that came in unseen": (
        "insert into message_events (id, tenant_id, message_id, type, event_at, created_at)"
        " values ('x', 'acme', 'acme_ann_2', 'click', '2026-03-06 01:00', '2026-01-01')",
        {(3, "message_events", "missing")},
    ),
}  # fmt: skip


@pytest.mark.parametrize("drift", DRIFTS)
def test_drift_is_found_marked_and_healed(filled: OutreachWarehouse, drift: str) -> None:
    change, expected = DRIFTS[drift]
    filled.connection.execute(change.encode())
    outcome = check(filled, allow_shrink=drift == "a deleted reply")
    wanted = {("acme", day(n), part, kind.replace("pruned", "gone")) for n, part, kind in expected}
    assert {each for each in found(outcome) if each[0] == "acme"} == wanted
    assert set(filled.pending()) == {
        (tenant, "date", when.isoformat()) for tenant, when, *_ in found(outcome)
    }
    heal(filled)
