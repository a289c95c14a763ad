"""Every column that numbers depend on is part of what is compared, and no other."""

from __future__ import annotations

from datetime import datetime, timedelta

from tests.outreach.warehouse import OutreachWarehouse
from tests.reconciliation.asking import check, found
from tests.support.warehouse import SupportWarehouse

NOON = datetime(2026, 3, 3, 12, 0)

# Changes by table; {tenant} is the tenant's id.
OUTREACH = {
    "outbound_messages": [
        "campaign_id = 'campaign_{tenant}_b'", "contact_id = '{tenant}_b'", "channel = 'sms'",
        "state = 'queued'", "sent_at = sent_at + interval '1 second'",
        "provider_message_id = 'other'",
    ],
    "message_events": [
        "message_id = '{tenant}_other'", "tenant_id = 'nobody'", "type = 'unsubscribe'",
        "event_at = event_at + interval '1 second'", "sg_event_id = 'other'",
        # decides which of two copies counts
        "created_at = created_at - interval '1 hour'",
        """data = data || '{{"sg_machine_open": true}}'""", """data = data || '{{"url": "/b"}}'""",
        """data = data || '{{"ip": "::1"}}'""", """data = data || '{{"useragent": "x"}}'""",
        """data = data || '{{"type": "blocked"}}'""",
    ],
    "campaign_transitions": [
        "campaign_id = 'campaign_{tenant}_b'", "from_status = 'paused'", "to_status = 'paused'",
        "reason = 'other'", "occurred_at = occurred_at + interval '1 second'",
        "created_at = created_at - interval '1 hour'",
    ],
    "inbound_messages": [
        "campaign_id = null", "contact_id = null", "channel = 'sms'",
        "received_at = received_at + interval '1 second'",
    ],
    "contact_unsubscribes": [
        "channel = 'sms'", "channel_value = 'b@{tenant}'", "campaign_id = 'campaign_{tenant}_b'",
        "contact_id = '{tenant}_b'", "unsubscribed_at = unsubscribed_at + interval '1 second'",
    ],
}  # fmt: skip
OUTREACH_IDLE = {
    "outbound_messages": [
        "content = '{{}}'", "dedupe_key = 'other'", "retry_count = 3", "last_error = 'x'",
        "error_at = sent_at", "created_at = created_at - interval '1 hour'",
        "updated_at = updated_at - interval '1 hour'",
    ],
    "message_events": [
        "updated_at = updated_at - interval '1 hour'",
        "data = data || '{{\"x\": 1}}'",
    ],
    "campaign_transitions": ["updated_at = updated_at - interval '1 hour'"],
    "contact_unsubscribes": ["ip_address = 'x'", "unsubscribe_source = 'link_click'"],
    "inbound_messages": ["subject = 'x'", "updated_at = updated_at - interval '1 hour'"],
}  # fmt: skip

SUPPORT = {
    "reporting_events": [
        "account_id = 9999", "name = 'reply_time'", "value = 2", "value = null",
        "value_in_business_hours = 2", "inbox_id = 2", "user_id = 2", "conversation_id = null",
        "created_at = created_at + interval '1 second'",
    ],
    "conversations": [
        "inbox_id = 2", "assignee_id = 2", "team_id = 2", "account_id = 9999",
        "created_at = created_at + interval '1 second'",
    ],
    "messages": [
        "account_id = 9999", "conversation_id = 1", "inbox_id = 2", "sender_id = 2",
        "sender_type = 'AgentBot'", "message_type = 0",
        "created_at = created_at + interval '1 second'",
    ],
}  # fmt: skip
SUPPORT_IDLE = {
    "reporting_events": [
        "event_start_time = created_at", "updated_at = updated_at - interval '1 hour'",
    ],
    "conversations": ["status = 1", "updated_at = updated_at - interval '1 hour'"],
    "messages": ["private = true", "updated_at = updated_at - interval '1 hour'"],
}  # fmt: skip


def numbered(*changes: dict[str, list[str]]) -> list[tuple[str, str]]:
    return [
        (table, change) for each in changes for table, listed in each.items() for change in listed
    ]


def when(tenant: str | int) -> datetime:
    """One tenant's rows come in last: capture reads again what is as new as the newest."""
    return NOON + timedelta(hours=2) if tenant in ("nobody", 9999) else NOON


def test_outreach(outreach: OutreachWarehouse) -> None:
    idle = numbered(OUTREACH_IDLE)
    changes = {f"t{number}": each for number, each in enumerate(numbered(OUTREACH) + idle)}
    for tenant in (*changes, "nobody"):
        at = when(tenant)
        outreach.add_tenant(tenant)
        for person in ("a", "b"):
            outreach.add_contact(tenant, f"{tenant}_{person}", f"{person}@{tenant}")
        for message in (tenant, f"{tenant}_other"):
            outreach.add_message(tenant, f"{tenant}_a", message, at)
        outreach.add_event(tenant, tenant, tenant, "open", at, data={"url": "/a"})
        outreach.insert(
            "campaign_transitions", id=tenant, tenant_id=tenant, to_status="active",
            campaign_id=f"campaign_{tenant}_a", occurred_at=at, created_at=at, updated_at=at,
        )  # fmt: skip
        outreach.insert(
            "inbound_messages", id=tenant, tenant_id=tenant, contact_id=f"{tenant}_a",
            campaign_id=f"campaign_{tenant}_a", channel="email", provider_message_id="p",
            received_at=at, created_at=at, updated_at=at,
        )  # fmt: skip
        outreach.insert(
            "contact_unsubscribes", id=tenant, tenant_id=tenant, channel="email",
            channel_value=f"a@{tenant}", unsubscribed_at=at, created_at=at,
            unsubscribe_source="manual",
        )  # fmt: skip
    outreach.refresh()
    assert found(check(outreach)) == {}
    for tenant, (table, change) in changes.items():
        statement = f"update {table} set {change.format(tenant=tenant)} where id = '{tenant}'"
        outreach.connection.execute(statement.encode())
    seen = {changes[tenant] for tenant in found(check(outreach))}
    assert seen == set(changes.values()) - set(idle)


def test_support(support: SupportWarehouse) -> None:
    idle = numbered(SUPPORT_IDLE)
    changes = {str(number): each for number, each in enumerate(numbered(SUPPORT) + idle, start=11)}
    for account in (*map(int, changes), 9999):
        at = when(account)
        support.add_account(account)
        support.add_conversation(account, account, at)
        support.add_event(account, account, "first_response", at, account, inbox_id=1, user_id=1)
        support.add_message(account, account, account, at, sender_type="User", sender_id=1)
    support.refresh()
    assert found(check(support)) == {}
    for account, (table, change) in changes.items():
        support.connection.execute(f"update {table} set {change} where id = {account}".encode())
    drift = found(check(support))
    # what moved there; an event or message whose conversation stayed behind is quarantined
    assert {part for _, part, _ in drift.pop("9999")} == {"conversations"}
    assert {changes[account] for account in drift} == set(changes.values()) - set(idle)
