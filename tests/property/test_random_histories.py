"""After any history of arrivals, refreshes and backfills the marts equal an independent recount."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, timedelta
from random import Random
from typing import Any

import pytest
from psycopg import sql

from tests.outreach.warehouse import OutreachWarehouse
from tests.property.histories import (
    Mode,
    forget_everything,
    kill_a_refresh,
    row_versions,
    run_histories,
    set_capture,
    settle,
    tables,
)

pytestmark = pytest.mark.slow

# Around the end of summer time in Havana and New York (1 November 2026, 25 hours).
START = datetime(2026, 10, 28)
TENANTS = {
    "acme": "America/Havana",
    "bolt": "Asia/Kolkata",
    "cord": "Australia/Lord_Howe",
    "dune": "UTC",
}
KINDS = (
    "delivered", "open", "open", "open", "click", "click", "bounce", "dropped", "spamreport",
    "unsubscribe", "group_resubscribe", "reply", "no_open", "weird",
)  # fmt: skip

# What a deployed seed may say otherwise: table, change, rows; what is in %(...)s is drawn.
RULES = (
    ("event_type_map", "canonical_type = %(meaning)s", "raw_type = %(kind)s"),
    ("machine_rules", "value = %(agent)s", "kind = 'user_agent' and applies_to = %(meaning)s"),
    ("machine_rules", "value = 4 - value::int", "kind = 'distinct_urls_per_second'"),
    ("machine_rules", "value = 3600 - value::int", "kind = 'seconds_after_delivered'"),
    ("provider_capabilities", "reports_events = not reports_events", "provider = %(provider)s"),
)


class History:
    """A simulated clock and random things that happen to the source while it runs."""

    def __init__(self, warehouse: OutreachWarehouse, random: Random) -> None:
        self.warehouse = warehouse
        self.random = random
        self.clock = START
        self.number = 0
        self.messages: dict[str, tuple[str, datetime]] = {}
        self.contacts: list[tuple[str, str]] = []
        self.events: list[tuple[str, str, str, datetime, str | None]] = []
        for tenant, zone in TENANTS.items():
            warehouse.add_tenant(tenant, zone)
            for n in range(2):
                email = random.choice([None, f"same@{tenant}.example", f"{n}@{tenant}.example"])
                warehouse.add_contact(tenant, f"{tenant}_{n}", email)
                self.contacts.append((tenant, f"{tenant}_{n}"))

    def step(self) -> None:
        self.clock += timedelta(minutes=self.random.randrange(1, 300))
        self.random.choice([
            self.send, self.send, self.event, self.event, self.event, self.event, self.copy,
            self.settle, self.transition, self.unsubscribe, self.inbound,
            self.move_message, self.move_event, self.move_other, self.delete,
        ])()  # fmt: skip

    def send(self) -> None:
        tenant, contact = self.random.choice(self.contacts)
        message = self._name("m")
        self.messages[message] = (tenant, self.clock)
        self.warehouse.add_message(
            tenant, contact, message, self.clock,
            state=self.random.choice(["sent", "sent", "sent", "queued"]),
            provider_message_id=self.random.choice([None, "A" * 22, "0123456789abcdef"]),
        )  # fmt: skip

    def settle(self) -> None:
        """A queued message becomes sent or failed, or a sent one's time is corrected."""
        if not self.messages:
            return
        message = self.random.choice(list(self.messages))
        state = self.random.choice(["sent", "failed"])
        column = "sent_at" if state == "sent" else "error_at"
        self.warehouse.connection.execute(
            f"update outbound_messages set state = %s, {column} = %s, updated_at = %s"
            " where id = %s",
            [state, self._past(60), self.clock, message],
        )

    def event(self) -> None:
        if not self.messages:
            return
        message = self.random.choice(list(self.messages))
        tenant, sent = self.messages[message]
        kind = self.random.choice(KINDS)
        at = max(sent - timedelta(minutes=1), self._past(3 * 24 * 60))
        early = timedelta(hours=self.random.randrange(48))
        at += self.random.choice([timedelta()] * 12 + [early, timedelta(days=400)])
        provider_id = self.random.choice(
            [self._name("sg"), self._name("sg"), None, "generated_1_x"]
        )
        self._add_event(tenant, message, kind, at, provider_id)

    def copy(self) -> None:
        """The same event again: same id, or another id, or on another message."""
        if not self.events:
            return
        tenant, message, kind, at, provider_id = self.random.choice(self.events)
        if self.random.random() < 0.5:
            provider_id = self._name("sg")
        if self.random.random() < 0.2:
            message = self.random.choice(list(self.messages))
            tenant = self.messages[message][0]
        self._add_event(tenant, message, kind, at, provider_id)

    def transition(self) -> None:
        tenant, contact = self.random.choice(self.contacts)
        for _ in range(self.random.choice([1, 1, 2])):
            self.warehouse.insert(
                "campaign_transitions",
                id=self._name("t"), tenant_id=tenant, campaign_id=f"campaign_{contact}",
                to_status=self.random.choice(["active", "paused", "error", "completed"]),
                reason=self.random.choice([None, "step"]),
                occurred_at=self._past(3 * 24 * 60), created_at=self.clock,
            )  # fmt: skip

    def unsubscribe(self) -> None:
        tenant, contact = self.random.choice(self.contacts)
        address = self.random.choice(
            [f" Same@{tenant}.example", "0@x.example", f"1@{tenant}.example"]
        )
        self.warehouse.connection.execute(
            "insert into contact_unsubscribes (id, tenant_id, channel, channel_value, campaign_id,"
            " unsubscribed_at, unsubscribe_source, created_at)"
            " values (%s, %s, 'email', %s, %s, %s, 'manual', %s)"
            " on conflict do nothing",
            [self._name("u"), tenant, address, self.random.choice([None, f"campaign_{contact}"]),
             self._past(600), self.clock],
        )  # fmt: skip

    def inbound(self) -> None:
        tenant, contact = self.random.choice(self.contacts)
        self.warehouse.insert(
            "inbound_messages",
            id=self._name("i"), tenant_id=tenant, channel="email",
            campaign_id=self.random.choice([None, f"campaign_{contact}"]),
            contact_id=self.random.choice([None, contact]),
            received_at=self._past(600), created_at=self.clock, updated_at=self.clock,
        )  # fmt: skip

    def move_message(self) -> None:
        """To another hour, day, campaign, contact or tenant; with a new ingest time or silently."""
        message = self._existing("outbound_messages")
        if message is None:
            return
        home = self.messages[message][0]
        contact = self._contact_of(home)
        tenant, other = self.random.choice(self.contacts)
        self._update("outbound_messages", message, self.random.choice([
            {"sent_at": self._past(4 * 24 * 60)},
            {"contact_id": contact},
            {"campaign_id": f"campaign_{contact}"},
            {"tenant_id": tenant, "contact_id": other, "campaign_id": f"campaign_{other}"},
            {"channel": "sms"},
            {"provider_message_id": self.random.choice(["A" * 22, "0123456789abcdef"])},
        ]), "updated_at")  # fmt: skip
        moved = self.warehouse.rows(
            "select tenant_id from outbound_messages where id = %s", message
        )
        self.messages[message] = (moved[0][0], self.messages[message][1])

    def _contact_of(self, tenant: str) -> str:
        return self.random.choice([contact for home, contact in self.contacts if home == tenant])

    def move_event(self) -> None:
        """To another hour or day, message, kind or id."""
        self._update("message_events", self._existing("message_events"), self.random.choice([
            {"event_at": self._past(4 * 24 * 60)},
            {"message_id": self._existing("outbound_messages")},
            {"type": self.random.choice(KINDS)},
            {"sg_event_id": self._name("sg")}, {"id": self._name("e")},
        ]), "created_at")  # fmt: skip

    def move_other(self) -> None:
        """A transition, an opt-out or a reply gets another time, campaign or contact."""
        table, column = self.random.choice([
            ("campaign_transitions", "occurred_at"), ("campaign_transitions", "campaign_id"),
            ("contact_unsubscribes", "unsubscribed_at"), ("contact_unsubscribes", "campaign_id"),
            ("inbound_messages", "received_at"), ("inbound_messages", "contact_id"),
        ])  # fmt: skip
        row_id = self._existing(table)
        if row_id is None:
            return
        home, before = self.warehouse.connection.execute(
            sql.SQL("select tenant_id, {} from {} where id = %s").format(
                sql.Identifier(column), sql.Identifier(table)
            ),
            [row_id],
        ).fetchall()[0]
        contact = self._contact_of(home)
        value = {"campaign_id": f"campaign_{contact}", "contact_id": contact}.get(column)
        # Earlier, for a time long after the row came in is one to be doubted.
        changes = {column: value or before - timedelta(minutes=self.random.randrange(3 * 24 * 60))}
        ingest_column = "updated_at" if table == "inbound_messages" else "created_at"
        self._update(table, row_id, changes, ingest_column)

    def delete(self) -> None:
        """A row; rarely a contact, with campaigns, messages and events, who comes back empty."""
        table = self.random.choice([
            "message_events", "message_events", "outbound_messages", "campaign_transitions",
            "contact_unsubscribes", "inbound_messages", "lead_point_of_contacts",
        ])  # fmt: skip
        row_id = self._existing(table)
        if row_id is None or (table == "lead_point_of_contacts" and self.random.random() < 0.6):
            return
        self.warehouse.connection.execute(
            sql.SQL("delete from {} where id = %s").format(sql.Identifier(table)), [row_id]
        )
        left = {row[0] for row in self.warehouse.rows("select id from outbound_messages")}
        self.messages = {name: sent for name, sent in self.messages.items() if name in left}
        self.events = [event for event in self.events if event[1] in left]
        if table == "lead_point_of_contacts":
            self.warehouse.add_contact(row_id.split("_")[0], row_id, None)

    def change_rule(self) -> None:
        """A seed is loaded with another rule."""
        table, change, rows = self.random.choice(RULES)
        self.warehouse.connection.execute(
            f"update staging.{table} set {change} where {rows}".encode(),
            {
                "kind": self.random.choice(["open", "click", "reply", "spamreport", "no_open"]),
                "meaning": self.random.choice(["open", "click", "reply", "ignored"]),
                "agent": self.random.choice(["Mail", "HeadlessChrome"]),
                "provider": self.random.choice(["sendgrid", "gmail"]),
            },
        )

    def kill(self) -> None:
        kill_a_refresh(self.warehouse, self.random.randrange(1, 14))

    def refresh(self) -> None:
        self.warehouse.refresh()

    def backfill(self) -> None:
        first = date(2026, 10, 27) + timedelta(days=self.random.randrange(8))
        tenants = self.random.sample(list(TENANTS), self.random.randrange(1, 4))
        self.warehouse.backfill(tenants, first, first + timedelta(days=self.random.randrange(4)))

    def change_zone(self) -> None:
        zone = self.random.choice(["Pacific/Kiritimati", "America/New_York", "UTC"])
        self.warehouse.set_timezone(self.random.choice(list(TENANTS)), zone)

    def _add_event(
        self, tenant: str, message: str, kind: str, at: datetime, provider_id: str | None
    ) -> None:
        self.events.append((tenant, message, kind, at, provider_id))
        self.warehouse.add_event(
            self.random.choice([tenant] * 15 + ["dune"]), message, self._name("e"), kind,
            at.replace(microsecond=0), created_at=self.clock, sg_event_id=provider_id,
            data={
                "url": self.random.choice(["a", "b", "c"]), "ip": self.random.choice(["1", "2"]),
                "useragent": self.random.choice(["Mail", "HeadlessChrome/1"]),
                "type": self.random.choice(["bounce", "blocked"]),
                "sg_machine_open": self.random.random() < 0.3,
            },
        )  # fmt: skip

    def _existing(self, table: str) -> str | None:
        names = self.warehouse.connection.execute(
            sql.SQL("select id from {} order by id").format(sql.Identifier(table))
        ).fetchall()
        return self.random.choice(names)[0] if names else None

    def _update(
        self, table: str, row_id: str | None, changes: dict[str, Any], ingest_column: str
    ) -> None:
        if row_id is None or None in changes.values():
            return
        if self.random.random() < 0.6:
            changes |= {ingest_column: self.clock}
        self.warehouse.connection.execute(
            sql.SQL("update {} set {} where id = %s").format(
                sql.Identifier(table),
                sql.SQL(", ").join(
                    sql.SQL("{} = %s").format(sql.Identifier(name)) for name in changes
                ),
            ),
            [*changes.values(), row_id],
        )

    def _past(self, minutes: int) -> datetime:
        return self.clock - timedelta(minutes=self.random.randrange(minutes))

    def _name(self, prefix: str) -> str:
        self.number += 1
        return f"{prefix}{self.number:05}"


def any_history(new_outreach: Callable[[], OutreachWarehouse], mode: Mode, seed: int) -> None:
    with new_outreach() as warehouse:
        set_capture(warehouse, mode, "outreach")
        history = History(warehouse, Random(seed))
        for _ in range(history.random.randrange(2, 5)):
            for _ in range(history.random.randrange(5, 60)):
                history.step()
            history.random.choice([
                history.refresh, history.refresh, history.backfill, history.change_zone,
                history.change_rule, history.kill, history.kill,
            ])()  # fmt: skip
        settle(warehouse, mode, "outreach")
        versions = row_versions(warehouse)
        warehouse.backfill(TENANTS, date(2026, 10, 20), date(2026, 11, 20))
        assert row_versions(warehouse) == versions
        kept = tables(warehouse)
        forget_everything(warehouse, "outreach")
        warehouse.refresh()
        assert tables(warehouse) == kept


@pytest.mark.parametrize("mode", ["watermark", "triggers"])
def test_marts_equal_a_recount_after_any_history(
    new_outreach: Callable[[], OutreachWarehouse], mode: Mode, soak: float
) -> None:
    run_histories(lambda seed: any_history(new_outreach, mode, seed), soak)
