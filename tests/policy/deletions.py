"""What can be deleted from a tenant's source, and the work that this makes."""

from __future__ import annotations

from tests.outreach.warehouse import OutreachWarehouse

# {t} is the tenant.
DELETIONS = {
    "events pruned": "delete from message_events where event_at < '2026-03-03 14:00'"
    " and tenant_id = '{t}'",
    "a copied event": "delete from message_events where id = '{t}_cid_m0_open1'",
    "messages": "delete from outbound_messages where id in ('{t}_ann_m0', '{t}_cid_m0',"
    " '{t}_dot_m1')",
    "a contact": "delete from lead_point_of_contacts where id = '{t}_ann'",
    "all contacts": "delete from lead_point_of_contacts where id like '{t}!_%' escape '!'",
    "a campaign": "delete from contact_campaigns where id = 'campaign_{t}_cid'",
    "transitions": "delete from campaign_transitions where tenant_id = '{t}'"
    " and created_at < '2026-03-04'",
    "the opt-out list": "delete from contact_unsubscribes where tenant_id = '{t}'",
}
# Under policy erase what goes by itself, not with its message or campaign, is a correction.
CORRECTIONS = ("events pruned", "a copied event", "transitions")
WAYS = ("pending", "backfill", "zone")

SUBJECTS = {
    "message_events": "message', message_id",
    "outbound_messages": "message', id",
    "inbound_messages": "message', 'inbound/' || id",
    "contact_campaigns": "campaign', id",
    "campaign_transitions": "campaign', campaign_id",
    "contact_unsubscribes": "optouts', ''",
}


def delete(warehouse: OutreachWarehouse, what: str, tenant: str) -> list[tuple[str, str]]:
    """Delete it; gives the pending work (grain, key) of every row that went or changed."""
    for table in SUBJECTS:
        warehouse.connection.execute(
            f"create temp table before_{table} as"
            f" select * from {table} where tenant_id = '{tenant}'".encode()
        )
    warehouse.connection.execute(DELETIONS[what].format(t=tenant).encode())
    work: set[tuple[str, str]] = set()
    for table, subject in SUBJECTS.items():
        work |= {
            (grain, key)
            for grain, key in warehouse.rows(
                f"select '{subject} from (table before_{table} except table {table}) as changed"
            )
        }
        warehouse.connection.execute(f"drop table before_{table}".encode())
    return sorted(work)
