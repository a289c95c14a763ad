"""Which outreach source rows can be counted at all: of a known tenant, with ids fit for a key.

Of several rows with one id the one that came in first is the row. Used by the recount.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import pandas as pd

LONGEST_ID = 500
UNFIT = re.compile(r"[|,\x00-\x1f\x7f-\x9f]|\.\.\.|^ | $|^$")

# Per table: what makes it one row, ids it needs, ids it may lack, and what came in first.
TABLES = {
    "outbound_messages": (
        ["tenant_id", "id"], ["id"], ["campaign_id", "contact_id", "channel"],
        ["updated_at", "state", "sent_at"],
    ),
    "message_events": (
        ["message_id", "id"], ["id", "message_id"], [], ["created_at", "event_at", "type"],
    ),
    "inbound_messages": (
        ["tenant_id", "id"], ["id"], ["campaign_id", "contact_id", "channel"],
        ["updated_at", "received_at"],
    ),
    "campaign_transitions": (
        ["tenant_id", "campaign_id", "id"], ["id", "campaign_id", "to_status"], [],
        ["created_at", "occurred_at", "to_status", "reason"],
    ),
    "contact_unsubscribes": (
        ["tenant_id", "id"], ["id"], ["campaign_id", "contact_id", "channel"],
        ["created_at", "unsubscribed_at"],
    ),
    "contact_campaigns": (["id"], ["id"], ["contact_id"], ["id"]),
    "lead_point_of_contacts": (["id"], ["id"], [], ["id"]),
}  # fmt: skip


def admitted(tables: Mapping[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """The same tables without the rows that have no place."""
    tenants = {name for name in tables["tenants"]["id"] if is_usable_tenant(name)}
    kept = dict(tables)
    for name, (key, required, optional, order) in TABLES.items():
        rows = tables[name]
        fit = pd.Series(True, index=rows.index)
        for column in required:
            fit &= rows[column].notna()
        for column in (*required, *optional):
            fit &= rows[column].map(_fits).astype(bool)
        if "tenant_id" in rows and name != "message_events":
            fit &= rows["tenant_id"].isin(list(tenants))
        rows = rows[fit]
        if rows.duplicated(key).any():
            rows = rows.sort_values(order, kind="stable").drop_duplicates(key)
        kept[name] = rows
    return kept


def is_usable_tenant(tenant_id: str | None) -> bool:
    """Whether an id can be a partition key."""
    return isinstance(tenant_id, str) and len(tenant_id) <= 200 and not UNFIT.search(tenant_id)


def _fits(value: object) -> bool:
    return not isinstance(value, str) or len(value.encode()) <= LONGEST_ID
