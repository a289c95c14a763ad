"""A deployed outreach warehouse that a test can write events into, refresh, and compare."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime, timedelta
from typing import Any, Self

import pandas as pd
from psycopg import sql
from psycopg.types.json import Jsonb

from orchestration.settings import Settings
from orchestration.warehouse.connection import connect
from orchestration.warehouse.refresh import RefreshOutcome, RefreshRequest, refresh
from orchestration.warehouse.tenants import Partition
from tests.outreach.marts import read_marts
from tests.outreach.recount import compare, read_staging_seeds, recount

SCHEMA = "dripiq_app"


class OutreachWarehouse:
    """Source tables, the real refresh, and the recount to hold its result against."""

    def __init__(self, settings: Settings, url: str) -> None:
        self.settings = settings
        self.url = url
        self.connection = connect(url, application="test")
        self.connection.execute(
            sql.SQL("set search_path = {}, public").format(sql.Identifier(SCHEMA))
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.connection.close()

    # Source rows ------------------------------------------------------------------------------

    def insert(self, table: str, **values: Any) -> None:
        """One row; dict values become jsonb."""
        columns = sql.SQL(", ").join(map(sql.Identifier, values))
        marks = sql.SQL(", ").join([sql.Placeholder()] * len(values))
        self.connection.execute(
            sql.SQL("insert into {} ({}) values ({})").format(
                sql.Identifier(table), columns, marks
            ),
            [Jsonb(value) if isinstance(value, dict) else value for value in values.values()],
        )

    def add_tenant(self, tenant_id: str, zone: str = "UTC") -> None:
        self.insert("tenants", id=tenant_id, name=tenant_id.title())
        self.insert("leads", id=f"lead_{tenant_id}", name="Lead", url="x", tenant_id=tenant_id)
        if zone != "UTC":
            self.connection.execute(
                "insert into ops.tenant_setting (family, tenant_id, timezone) values (%s, %s, %s)",
                ["outreach", tenant_id, zone],
            )

    def add_contact(self, tenant_id: str, contact_id: str, email: str | None = None) -> str:
        """A contact and its campaign; returns the campaign's id."""
        self.insert(
            "lead_point_of_contacts",
            id=contact_id, lead_id=f"lead_{tenant_id}", name="Contact", email=email,
        )  # fmt: skip
        self.insert(
            "contact_campaigns",
            id=f"campaign_{contact_id}", tenant_id=tenant_id, lead_id=f"lead_{tenant_id}",
            contact_id=contact_id, channel="email", status="active", plan_json={}, plan_hash="h",
        )  # fmt: skip
        return f"campaign_{contact_id}"

    def add_message(
        self, tenant_id: str, contact_id: str, message_id: str, at: datetime, **changes: Any
    ) -> None:
        """A message sent at ``at`` (UTC, no zone) unless ``changes`` say otherwise."""
        row: dict[str, Any] = {
            "id": message_id, "tenant_id": tenant_id, "campaign_id": f"campaign_{contact_id}",
            "contact_id": contact_id, "channel": "email", "dedupe_key": message_id,
            "state": "sent", "sent_at": at, "created_at": at, "updated_at": at,
        }  # fmt: skip
        self.insert("outbound_messages", **(row | changes))

    def add_event(
        self,
        tenant_id: str,
        message_id: str,
        event_id: str,
        kind: str,
        at: datetime,
        **changes: Any,
    ) -> None:
        """An event that came in as it happened unless ``changes`` say otherwise."""
        row: dict[str, Any] = {
            "id": event_id, "tenant_id": tenant_id, "message_id": message_id, "type": kind,
            "event_at": at, "created_at": at, "updated_at": at, "sg_event_id": f"sg_{event_id}",
            "data": {},
        }  # fmt: skip
        self.insert("message_events", **(row | changes))

    # The refresh --------------------------------------------------------------------------------

    def refresh(self, **kwargs: Any) -> RefreshOutcome:
        return refresh(self.settings, self.url, RefreshRequest("outreach", "cli"), **kwargs)

    def backfill(self, tenant_ids: Iterable[str], first: date, last: date) -> RefreshOutcome:
        days = [first + timedelta(days=n) for n in range((last - first).days + 1)]
        partitions = tuple(Partition(tenant, day) for tenant in tenant_ids for day in days)
        request = RefreshRequest("outreach", "backfill", partitions=partitions)
        return refresh(self.settings, self.url, request)

    def set_timezone(self, tenant_id: str, zone: str) -> None:
        self.connection.execute("select ops.set_timezone('outreach', %s, %s)", [tenant_id, zone])

    # What came of it ----------------------------------------------------------------------------

    @property
    def zones(self) -> dict[str, str]:
        return dict(
            self.connection.execute("select tenant_id, timezone from ops.tenant_setting").fetchall()
        )

    def marts(self) -> dict[str, pd.DataFrame]:
        return read_marts(self.connection)

    def differences(self) -> list[str]:
        """Where the marts differ from an independent recount, by the rules now in force."""
        seeds = read_staging_seeds(self.connection)
        first = self.settings.min_event_date
        expected = recount(self.connection, SCHEMA, self.zones, seeds=seeds, min_event_date=first)
        return compare(expected, self.marts())

    def rows(self, query: str, *parameters: Any) -> list[tuple[Any, ...]]:
        return self.connection.execute(query.encode(), parameters or None).fetchall()

    def metric(self, tenant_id: str, day: date, name: str) -> int:
        """A metric of the tenant's day; 0 when there is no row."""
        found = self.connection.execute(
            sql.SQL("select {} from analytics.metrics_tenant_daily"
                    " where tenant_id = %s and date = %s")
            .format(sql.Identifier(name)),
            [tenant_id, day],
        ).fetchone()  # fmt: skip
        return found[0] if found else 0

    def pending(self) -> list[tuple[str, str, str]]:
        """Pending work as (tenant, grain, key)."""
        return self.rows("select tenant_id, grain, key from ops.pending order by 1, 2, 3")

    def row_versions(self) -> dict[str, set[tuple[Any, ...]]]:
        """(tenant, date, xmin, ctid, xmax) of every row of every partitioned table of ours."""
        tables = {
            "analytics": ["metrics_contact_hourly", "metrics_campaign_daily",
                          "metrics_tenant_daily", "metrics_message"],
            "intermediate": ["outreach_activity_ledger", "outreach_campaign_cohort",
                             "outreach_tenant_cohort", "outreach_optout_ledger",
                             "outreach_transition_ledger"],
        }  # fmt: skip
        return {
            table: set(
                self.connection.execute(
                    sql.SQL(
                        "select tenant_id, date, xmin::text, ctid::text, xmax::text from {}"
                    ).format(sql.Identifier(schema, table))
                ).fetchall()
            )
            for schema, names in tables.items()
            for table in names
        }
