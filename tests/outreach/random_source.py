"""Small random outreach sources, full of what goes wrong, crowded around clock changes.

Few values are drawn for everything, so that copies, ties and shared addresses are common.
"""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from random import Random
from typing import Any

import pandas as pd

ZONES = {
    "havana": "America/Havana",
    "lord_howe": "Australia/Lord_Howe",
    "kolkata": "Asia/Kolkata",
    "new_york": "America/New_York",
}
TENANTS = [*ZONES, "nowhere"]

# The instants at which the clocks of Havana, Lord Howe and New York change in 2024, and one at
# which nothing happens. UTC.
MOMENTS = [
    datetime(2024, 3, 10, 5),
    datetime(2024, 11, 3, 5),
    datetime(2024, 4, 6, 15),
    datetime(2024, 10, 5, 15, 30),
    datetime(2024, 3, 10, 7),
    datetime(2024, 11, 3, 6),
    datetime(2024, 7, 1, 18, 30),
]
DELAYS = [-5, 0, 1, 2, 3, 60, 120, 121, 3600, 3601, 86_400, 86_401, 259_200, 604_800, 604_801]
ADDRESSES = [None, "", "  ", "ana@example.com", " Ana@Example.com ", "bo@example.com", "c@d.e"]
STATES = ["sent"] * 6 + ["queued", "failed", "failed", "canceled"]
PROVIDER_IDS = [None, "sg-0123456789abcdef", "gmail-17", "odd"]
TYPES = (
    ["delivered"] * 4
    + ["open"] * 6
    + ["click"] * 6
    + ["bounce"] * 3
    + ["unsubscribe", "group_unsubscribe"] * 2
    + ["resubscribe", "group_resubscribe"] * 2
    + ["dropped", "spam", "spamreport", "reply", " Open ", "DELIVERED", "no_open", "mystery"]
)
AGENTS = [None, "", "Firefox", "GoogleImageProxy", "curl scanner"]

SEEDS = {
    "event_type_map": pd.DataFrame(
        [
            ("delivered", "delivered"),
            ("open", "open"),
            ("click", "click"),
            ("bounce", "bounce"),
            ("dropped", "dropped"),
            ("spam", "complaint"),
            ("spamreport", "complaint"),
            ("unsubscribe", "unsubscribe"),
            ("group_unsubscribe", "unsubscribe"),
            ("resubscribe", "resubscribe"),
            ("group_resubscribe", "resubscribe"),
            ("reply", "reply"),
            ("no_open", "ignored"),
        ],
        columns=pd.Index(["raw_type", "canonical_type"]),
    ),
    "machine_rules": pd.DataFrame(
        [
            ("prefetch", "open", "user_agent", "googleimageproxy"),
            ("too quick to open", "open", "seconds_after_delivered", "2"),
            ("scanner", "click", "user_agent", "Scanner"),
            ("too quick to click", "click", "seconds_after_delivered", "2"),
            ("every link", "click", "distinct_urls_per_second", "3"),
        ],
        columns=pd.Index(["rule_id", "applies_to", "kind", "value"]),
    ),
    "provider_capabilities": pd.DataFrame(
        [("sendgrid", "^sg-[0-9a-f]{16}$", "true"), ("gmail", "^gmail-", "false")],
        columns=pd.Index(["provider", "provider_message_id_pattern", "reports_events"]),
    ),
}


class RandomOutreach:
    """The source tables as frames by name (``tables``), the same for the same seed."""

    def __init__(self, seed: int, messages: int = 120) -> None:
        self.random = Random(seed)
        self.rows: dict[str, list[dict[str, Any]]] = {}
        self.number = 0
        for tenant in TENANTS:
            self._people(tenant)
        for _ in range(messages):
            self._message()
        for _ in range(messages // 4):
            self._transition()
        self._unsubscribes()
        self._inbound()
        self.tables = {name: pd.DataFrame(rows) for name, rows in self.rows.items()}
        self.tables["message_events"]["data"] = pd.Series(
            [event["data"] for event in self.rows["message_events"]], dtype=object
        )

    def _add(self, table: str, **row: Any) -> dict[str, Any]:
        self.number += 1
        row = {"id": f"{self.random.choice('abz')}{self.number:05d}"} | row
        self.rows.setdefault(table, []).append(row)
        return row

    def _pick(self, table: str, tenant: str) -> dict[str, Any]:
        return self.random.choice([r for r in self.rows[table] if r["tenant_id"] == tenant])

    def _moment(self) -> datetime:
        minutes = int(self.random.gauss(0, 1) * self.random.choice([40, 90, 1500]))
        exact = self.random.choice([0, 0, 0, 250_000])
        return self.random.choice(MOMENTS) + timedelta(minutes=minutes, microseconds=exact)

    def _came_in(self, happened: str, came_in: str) -> dict[str, datetime]:
        """When a row happened and came in; now and then a time that cannot be."""
        at = self._moment()
        if self.random.random() < 0.05:
            at = datetime(1999, 12, 31, 23, 59)
        lag = self.random.choice([0] * 12 + [5, -86_400, -86_401])
        return {happened: at, came_in: at + timedelta(seconds=lag)}

    def _people(self, tenant: str) -> None:
        self._add("tenants", name=tenant)["id"] = tenant
        lead = self._add("leads", name="A lead", url="https://example.com", tenant_id=tenant)
        for _ in range(6):
            address = self.random.choice(ADDRESSES)
            contact = self._add(
                "lead_point_of_contacts", lead_id=lead["id"], name="A contact", email=address
            )
            for channel in self.random.sample(["email", "sms"], self.random.choice([1, 2])):
                self._add(
                    "contact_campaigns",
                    tenant_id=tenant,
                    lead_id=lead["id"],
                    contact_id=contact["id"],
                    channel=channel,
                    plan_json="{}",
                    plan_hash="0",
                )

    def _message(self) -> None:
        tenant, at = self.random.choice(TENANTS), self._moment()
        campaign, other = (self._pick("contact_campaigns", tenant) for _ in range(2))
        state = self.random.choice(STATES)
        late = self.random.choice([timedelta()] * 8 + [timedelta(days=-2), timedelta(days=2)])
        sent = state == "sent" or self.random.random() < 0.1
        message = self._add(
            "outbound_messages",
            tenant_id=tenant,
            campaign_id=campaign["id"],
            contact_id=self.random.choice([campaign, campaign, other])["contact_id"],
            channel=campaign["channel"],
            provider_message_id=self.random.choice(PROVIDER_IDS),
            dedupe_key=str(self.number),
            state=state,
            sent_at=at if sent and self.random.random() < 0.95 else None,
            error_at=at if state == "failed" and self.random.random() < 0.7 else None,
            created_at=at,
            updated_at=at + late,
        )
        if self.random.random() < 0.03:
            message["sent_at"] = datetime(1999, 12, 31, 23, 59)
        for _ in range(self.random.choice([0, 0, 1, 3, 6, 12])):
            self._event(message, at)

    def _event(self, message: dict[str, Any], around: datetime) -> None:
        at = around + timedelta(seconds=self.random.choice(DELAYS))
        if self.random.random() < 0.02:
            at = datetime(1999, 12, 31, 23, 59, 59)
        lag = self.random.choice([0, 0, 1, 60, 90_000, -86_400, -86_401])
        known = [None, "", f"generated_{self.random.randrange(3)}", f"id{self.number}"]
        event = self._add(
            "message_events",
            tenant_id=message["tenant_id"],
            message_id=message["id"],
            type=self.random.choice(TYPES),
            event_at=at,
            data=self._data(),
            created_at=at + timedelta(seconds=lag),
            sg_event_id=self.random.choice([*known, f"id{self.random.randrange(60)}"]),
        )
        if self.random.random() < 0.04:
            event["tenant_id"] = self.random.choice(TENANTS)
        if event["type"] == "click" and self.random.random() < 0.5:
            for page in range(self.random.choice([1, 2, 3])):
                link = json.loads(event["data"] or "{}") | {"url": f"https://e.com/{page}"}
                self._add("message_events", **self._like(event, data=json.dumps(link)))
        if self.random.random() < 0.3:
            late = timedelta(seconds=self.random.choice([-1, 0, 0, 5]))
            copy = self._like(event, created_at=event["created_at"] + late)
            copy["sg_event_id"] = self.random.choice([event["sg_event_id"], "changed", None])
            copy["event_at"] += timedelta(seconds=self.random.choice([0, 0, 0, 1]))
            self._add("message_events", **copy)

    @staticmethod
    def _like(row: dict[str, Any], **changes: Any) -> dict[str, Any]:
        return {name: value for name, value in row.items() if name != "id"} | changes

    def _data(self) -> str | None:
        if self.random.random() < 0.1:
            return None
        data = {
            "url": self.random.choice([None, "", "https://e.com/0", "https://e.com/1"]),
            "ip": self.random.choice([None, "", "10.0.0.1", 7]),
            "useragent": self.random.choice(AGENTS),
            "type": self.random.choice([None, "bounce", "hard", "Blocked", "soft"]),
            "sg_machine_open": self.random.choice([None, False, False, True]),
        }
        return json.dumps({name: data[name] for name in data if self.random.random() < 0.8})

    def _transition(self) -> None:
        tenant, at = self.random.choice(TENANTS), self._moment()
        statuses = ["draft", "active", "paused", "completed", "stopped", "error"]
        step = self._add(
            "campaign_transitions",
            tenant_id=tenant,
            campaign_id=self._pick("contact_campaigns", tenant)["id"],
            from_status=self.random.choice([None, *statuses]),
            to_status=self.random.choice(statuses),
            reason=self.random.choice([None, "Event: open"]),
            **self._came_in("occurred_at", "created_at"),
        )
        for _ in range(self.random.choice([0, 0, 1, 3])):
            again = self._like(step, created_at=at + timedelta(seconds=self.random.randrange(9)))
            if self.random.random() < 0.5:
                again["to_status"] = self.random.choice(statuses)
            self._add("campaign_transitions", **again)

    def _unsubscribes(self) -> None:
        values = ["ana@example.com", " ANA@example.com", "bo@example.com", "c@d.e", "x@y.z", ""]
        for tenant in TENANTS:
            for value in self.random.sample(values, 4):
                campaign, other = (self._pick("contact_campaigns", tenant) for _ in range(2))
                self._add(
                    "contact_unsubscribes",
                    tenant_id=tenant,
                    channel=self.random.choice(["email", "email", "sms"]),
                    channel_value=value,
                    **self._came_in("unsubscribed_at", "created_at"),
                    unsubscribe_source="manual",
                    campaign_id=self.random.choice([None, campaign["id"]]),
                    contact_id=self.random.choice([None, None, other["contact_id"]]),
                )

    def _inbound(self) -> None:
        for tenant in TENANTS:
            campaign = self._pick("contact_campaigns", tenant)
            for given in (campaign, {}):
                self._add(
                    "inbound_messages",
                    tenant_id=tenant,
                    campaign_id=given.get("id"),
                    contact_id=given.get("contact_id"),
                    channel="email",
                    **self._came_in("received_at", "updated_at"),
                )
