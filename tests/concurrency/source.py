"""Sessions of an application that writes to the source, and change capture to watch it."""

from __future__ import annotations

from datetime import date
from typing import Any

import psycopg
from psycopg import sql

from tests.outreach.warehouse import SCHEMA, OutreachWarehouse

TENANT = "acme"
CONTACT = "ann"
LAST_DAY = date(2026, 4, 1)


def application(url: str, *, autocommit: bool = False) -> psycopg.Connection[Any]:
    """A session of the application that owns the source tables."""
    return psycopg.connect(
        url,
        autocommit=autocommit,
        application_name="application",
        options=f"-c search_path={SCHEMA} -c TimeZone=UTC",
    )


def add_event(session: psycopg.Connection[Any], event_id: str, **values: Any) -> None:
    """An opening of the message named like the event; ingest time: when the transaction began."""
    row = {
        "id": event_id, "tenant_id": TENANT, "message_id": event_id, "type": "open",
        "event_at": "2026-03-03 12:00",
    } | values  # fmt: skip
    session.execute(
        sql.SQL("insert into message_events ({}) values ({})").format(
            sql.SQL(", ").join(map(sql.Identifier, row)),
            sql.SQL(", ").join([sql.Placeholder()] * len(row)),
        ),
        list(row.values()),
    )


def write_to(session: psycopg.Connection[Any], tenant: str, contact: str) -> None:
    """One more message to a contact, if there is one, on a day of its own; and its opening."""
    message = f"{contact}_last"
    session.execute(
        "insert into outbound_messages (id, tenant_id, campaign_id, contact_id, channel,"
        " dedupe_key, state, sent_at, updated_at)"
        " select %s, %s, id, contact_id, 'email', %s, 'sent', %s, now()"
        " from contact_campaigns where contact_id = %s on conflict do nothing",
        [message, tenant, message, LAST_DAY, contact],
    )
    session.execute(
        "insert into message_events (id, tenant_id, message_id, type, event_at)"
        " select id || '_open', tenant_id, id, 'open', sent_at from outbound_messages"
        " where id = %s on conflict do nothing",
        [message],
    )


class Watched:
    """A warehouse with a few messages, whose captures are looked at one by one."""

    def __init__(self, warehouse: OutreachWarehouse, overlap_seconds: float) -> None:
        self.warehouse = warehouse
        self.url = warehouse.url
        self.connection = warehouse.connection
        self.connection.execute(
            "update ops.config set value = %s where name = 'capture_overlap_seconds'",
            [str(overlap_seconds)],
        )
        warehouse.add_tenant(TENANT)
        warehouse.add_contact(TENANT, CONTACT)

    def add_messages(self, *message_ids: str) -> None:
        """Old messages, and an old event, so that the first load lies behind."""
        for message_id in message_ids:
            self.connection.execute(
                "insert into outbound_messages (id, tenant_id, campaign_id, contact_id, channel,"
                " dedupe_key, state, sent_at, created_at, updated_at) values (%s, %s, %s, %s,"
                " 'email', %s, 'sent', '2026-03-01', '2026-03-01', '2026-03-01')",
                [message_id, TENANT, f"campaign_{CONTACT}", CONTACT, message_id],
            )
        add_event(self.connection, message_ids[0] + "_", message_id=message_ids[0],
                  created_at="2026-03-01")  # fmt: skip
        self.capture()

    def capture(self, connection: psycopg.Connection[Any] | None = None) -> set[str]:
        """Keys of what one capture notes."""
        self.connection.execute("delete from ops.pending")
        (connection or self.connection).execute("select ops.capture('outreach')")
        return {key for _, _, key in self.warehouse.pending()}

    def seen(self) -> int:
        """Rows of events that change capture remembers."""
        rows = self.warehouse.rows(
            "select count(*) from ops.seen where source_table = 'message_events'"
        )
        return rows[0][0]
