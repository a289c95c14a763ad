"""A deployed support warehouse that a test can write events into, refresh, question and compare."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any, Self

import psycopg
from psycopg import sql
from psycopg.types.json import Jsonb

from orchestration.settings import Settings
from orchestration.warehouse.connection import connect
from orchestration.warehouse.refresh import RefreshOutcome, RefreshRequest, refresh
from orchestration.warehouse.tenants import Partition
from tests.support.recount import EVENT_OF_METRIC, compare, read_marts, recount
from tests.support.source import STATUSES, Account, read_accounts, read_tables

SCHEMA = "public"
SOURCE_DDL = (
    Path(__file__).resolve().parents[2] / "orchestration" / "embedded" / "source_support.sql"
)
EARLY = datetime(2000, 1, 1)
WEB_WIDGET = "Channel::WebWidget"


def create_source(connection: psycopg.Connection[Any], schema: str = SCHEMA) -> None:
    """Empty source tables in a schema, which is made when it is missing."""
    name = sql.Identifier(schema)
    connection.execute(sql.SQL("create schema if not exists {}").format(name))
    connection.execute(sql.SQL("set search_path = {}").format(name))
    connection.execute(SOURCE_DDL.read_bytes())
    connection.execute("reset search_path")


class SupportWarehouse:
    """Source tables, the real refresh, and the recount to hold its result against."""

    def __init__(self, settings: Settings, url: str, schema: str = SCHEMA) -> None:
        self.settings = settings
        self.url = url
        self.schema = schema
        self.connection = connect(url, application="test")
        self.connection.execute(
            sql.SQL("set search_path = {}, public").format(sql.Identifier(schema))
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.connection.close()

    # Source rows ------------------------------------------------------------------------------

    def insert(self, table: str, **values: Any) -> None:
        """One row; dict values become jsonb, times that the table insists on are early."""
        self.insert_rows(table, [values])

    def insert_rows(self, table: str, rows: Sequence[Mapping[str, Any]]) -> None:
        """Rows of one table by COPY; a column that a row lacks is NULL."""
        rows = [self._times(table) | dict(row) for row in rows]
        names = list(dict.fromkeys(name for row in rows for name in row))
        if not rows:
            return
        statement = sql.SQL("copy {} ({}) from stdin").format(
            sql.Identifier(table), sql.SQL(", ").join(map(sql.Identifier, names))
        )
        with self.connection.cursor() as cursor, cursor.copy(statement) as copy:
            for row in rows:
                values = [row.get(name) for name in names]
                copy.write_row([Jsonb(v) if isinstance(v, dict) else v for v in values])

    @staticmethod
    def _times(table: str) -> dict[str, Any]:
        if table == "tags":
            return {}
        if table == "taggings":
            return {"created_at": EARLY}
        return {"created_at": EARLY, "updated_at": EARLY}

    def add_account(self, account_id: int, zone: str | None = "UTC", **changes: Any) -> None:
        settings = {} if zone is None else {"reporting_timezone": zone}
        row = {"id": account_id, "name": f"Account {account_id}", "settings": settings}
        self.insert("accounts", **(row | changes))

    def add_inbox(
        self, account_id: int, inbox_id: int, *, bot: bool = False, **changes: Any
    ) -> None:
        row: dict[str, Any] = {
            "id": inbox_id, "account_id": account_id, "channel_id": inbox_id,
            "name": f"Inbox {inbox_id}", "channel_type": WEB_WIDGET,
        }  # fmt: skip
        self.insert("inboxes", **(row | changes))
        if bot:
            self.insert(
                "agent_bot_inboxes",
                inbox_id=inbox_id, agent_bot_id=1, account_id=account_id, status=0,
            )  # fmt: skip

    def add_agent(self, account_id: int, user_id: int, name: str | None = None) -> None:
        """A member of the account; the user is made the first time."""
        self.connection.execute(
            "insert into users (id, uid, name, created_at, updated_at)"
            " values (%s, %s, %s, now(), now()) on conflict do nothing",
            [user_id, f"user{user_id}@example.com", name or f"Agent {user_id}"],
        )
        self.insert("account_users", account_id=account_id, user_id=user_id)

    def add_team(self, account_id: int, team_id: int) -> None:
        self.insert("teams", id=team_id, account_id=account_id, name=f"Team {team_id}")

    def add_label(self, account_id: int, label_id: int, title: str) -> None:
        self.insert("labels", id=label_id, account_id=account_id, title=title)

    def add_conversation(
        self, account_id: int, conversation_id: int, at: datetime, **changes: Any
    ) -> None:
        """A conversation created at ``at`` (UTC, no zone) unless ``changes`` say otherwise."""
        row: dict[str, Any] = {
            "id": conversation_id, "account_id": account_id, "inbox_id": 1, "status": 0,
            "display_id": conversation_id, "created_at": at, "updated_at": at,
        }  # fmt: skip
        row |= changes
        if isinstance(row["status"], str):
            row["status"] = STATUSES.index(row["status"])
        self.insert("conversations", **row)

    def add_labels_to(self, conversation_id: int, titles: Iterable[str]) -> None:
        for title in titles:
            self.connection.execute(
                "insert into tags (name) values (%s) on conflict do nothing", [title]
            )
            self.connection.execute(
                "insert into taggings (tag_id, taggable_type, taggable_id, context)"
                " select id, 'Conversation', %s, 'labels' from tags where name = %s",
                [conversation_id, title],
            )

    def add_message(
        self, account_id: int, message_id: int, conversation_id: int, at: datetime, **changes: Any
    ) -> None:
        """An outgoing public message unless ``changes`` say otherwise."""
        row: dict[str, Any] = {
            "id": message_id, "account_id": account_id, "inbox_id": 1, "message_type": 1,
            "conversation_id": conversation_id, "created_at": at, "updated_at": at,
            "private": False,
        }  # fmt: skip
        self.insert("messages", **(row | changes))

    def add_event(
        self,
        account_id: int,
        event_id: int,
        name: str,
        at: datetime,
        conversation_id: int | None = None,
        **changes: Any,
    ) -> None:
        """An event that came in as it happened unless ``changes`` say otherwise."""
        row: dict[str, Any] = {
            "id": event_id, "account_id": account_id, "name": name, "value": 1.0,
            "value_in_business_hours": 1.0, "conversation_id": conversation_id,
            "created_at": at, "updated_at": at,
        }  # fmt: skip
        self.insert("reporting_events", **(row | changes))

    def set_timezone(self, account_id: int, zone: str | None) -> None:
        """What the account's own settings page does."""
        self.connection.execute(
            "update accounts set settings = %s, updated_at = now() where id = %s",
            [Jsonb({} if zone is None else {"reporting_timezone": zone}), account_id],
        )

    # The refresh --------------------------------------------------------------------------------

    def refresh(self, **kwargs: Any) -> RefreshOutcome:
        return refresh(self.settings, self.url, RefreshRequest("support", "cli"), **kwargs)

    def backfill(self, account_id: int, first: date, last: date) -> RefreshOutcome:
        """Rebuild the local days from ``first`` to ``last``, both included."""
        days = [first + timedelta(days=n) for n in range((last - first).days + 1)]
        return self.backfill_days(account_id, days)

    def backfill_days(self, account_id: int, days: Iterable[date]) -> RefreshOutcome:
        return self._backfill(Partition(str(account_id), day) for day in days)

    def backfill_everything(self) -> RefreshOutcome:
        """All days of all accounts that have rollups."""
        days = self.rows(
            "select tenant_id, ops.support_days(tenant_id) from staging.stg_support__tenants"
        )
        return self._backfill(Partition(*day) for day in days)

    def _backfill(self, partitions: Iterable[Partition]) -> RefreshOutcome:
        request = RefreshRequest("support", "backfill", partitions=tuple(partitions))
        return refresh(self.settings, self.url, request)

    # What came of it ----------------------------------------------------------------------------

    def accounts(self) -> dict[int, Account]:
        """The source as a recount reads it, by the names that events have in the registry now."""
        names = self.rows("select event_name, rollup_metric from staging.metric_registry")
        meanings = {name: EVENT_OF_METRIC[metric] for name, metric in names}
        accounts = read_accounts(read_tables(self.connection, self.schema), meanings)
        settings = self.rows("select tenant_id, timezone from ops.tenant_setting"
                             " where family = 'support' and timezone is not null")  # fmt: skip
        for tenant_id, zone in settings:
            accounts[int(tenant_id)].given_timezone = zone
        return accounts

    def differences(self) -> list[str]:
        """Where the marts differ from an independent recount of the source."""
        return compare(recount(self.accounts()), read_marts(self.connection))

    def rows(self, query: str, *parameters: Any) -> list[tuple[Any, ...]]:
        return self.connection.execute(query.encode(), parameters or None).fetchall()

    def records(self, query: str, *parameters: Any) -> list[dict[str, Any]]:
        """Rows as dictionaries."""
        cursor = self.connection.execute(query.encode(), parameters or None)
        names = [column.name for column in cursor.description or ()]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    def pending(self) -> list[tuple[str, str, str]]:
        """Pending work as (tenant, grain, key)."""
        return self.rows(
            "select tenant_id, grain, key from ops.pending"
            " where family = 'support' order by 1, 2, 3"
        )
