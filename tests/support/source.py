"""The support source tables as plain Python objects, the way a person would read them.

Built from rows given as mappings (tests that have no database) or read from a database's tables.
Nothing here or in the recount that uses it shares anything with the project's SQL.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

import psycopg
from psycopg import sql

Row = Mapping[str, Any]

# Names of time zones that the application offers besides IANA's, as far as tests use them.
FRIENDLY_ZONES = {
    "Chennai": "Asia/Kolkata",
    "Eastern Time (US & Canada)": "America/New_York",
    "Pacific Time (US & Canada)": "America/Los_Angeles",
    "London": "Europe/London",
    "Berlin": "Europe/Berlin",
}
STATUSES = ("open", "resolved", "pending", "snoozed")
INCOMING, OUTGOING = 0, 1

# Every table with the columns a recount needs.
TABLES = {
    "accounts": "id name settings",
    "inboxes": "id account_id name channel_type",
    "users": "id name",
    "account_users": "account_id user_id",
    "teams": "id account_id name",
    "labels": "id account_id title",
    "tags": "id name",
    "taggings": "tag_id taggable_type taggable_id context",
    "agent_bot_inboxes": "inbox_id status",
    "integrations_hooks": "inbox_id status app_id",
    "conversations": "id account_id inbox_id assignee_id team_id status created_at updated_at",
    "messages": "id account_id inbox_id conversation_id message_type sender_type sender_id"
    " created_at updated_at",
    "reporting_events": "id account_id name value value_in_business_hours inbox_id user_id"
    " conversation_id created_at updated_at",
}
FACTS = ("conversations", "messages", "reporting_events")
FIRST_INSTANT = datetime(2000, 1, 1, tzinfo=UTC)
MOST_SECONDS = 1e15


@dataclass(frozen=True)
class Event:
    id: int
    name: str
    conversation_id: int | None
    inbox_id: int | None
    user_id: int | None
    value: float | None
    business_value: float | None
    at: datetime


@dataclass(frozen=True)
class Conversation:
    id: int
    inbox_id: int
    assignee_id: int | None
    team_id: int | None
    status: str
    at: datetime
    labels: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Message:
    id: int
    conversation_id: int
    inbox_id: int | None
    kind: int
    sender_user_id: int | None
    at: datetime


@dataclass
class Account:
    """All that belongs to one account; other accounts' rows are nowhere in it."""

    id: int
    name: str
    given_timezone: str | None
    events: list[Event] = field(default_factory=list)
    conversations: dict[int, Conversation] = field(default_factory=dict)
    messages: list[Message] = field(default_factory=list)
    inboxes: dict[int, Row] = field(default_factory=dict)
    agents: dict[int, str] = field(default_factory=dict)
    teams: dict[int, str] = field(default_factory=dict)
    labels: dict[int, str] = field(default_factory=dict)

    @property
    def zone(self) -> str | None:
        """The canonical reporting zone; None when there is none or an unknown one."""
        return canonical_zone(self.given_timezone)

    def conversation(self, conversation_id: int | None) -> Conversation | None:
        return None if conversation_id is None else self.conversations.get(conversation_id)


def canonical_zone(name: str | None) -> str | None:
    """IANA's name of a zone, or None for what is not one (POSIX strings, blanks, typing errors)."""
    name = FRIENDLY_ZONES.get(name or "", name)
    return name if name in _iana_names() else None


@lru_cache(maxsize=1)
def _iana_names() -> frozenset[str]:
    return frozenset(available_timezones())


def local_date(at: datetime, zone: str) -> date:
    return at.astimezone(_zone_info(zone)).date()


@lru_cache(maxsize=64)
def _zone_info(zone: str) -> ZoneInfo:
    return ZoneInfo(zone)


def utc(value: datetime | str) -> datetime:
    """An instant: naive times and texts are UTC."""
    moment = datetime.fromisoformat(value) if isinstance(value, str) else value
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def read_tables(connection: psycopg.Connection[Any], schema: str) -> dict[str, list[Row]]:
    """The rows of the source tables in a database, by table."""
    tables: dict[str, list[Row]] = {}
    for name, columns in TABLES.items():
        listed = columns.split()
        query = sql.SQL("select {} from {}").format(
            sql.SQL(", ").join(map(_column, listed)), sql.Identifier(schema, name)
        )
        tables[name] = [
            dict(zip(listed, row, strict=True)) for row in connection.execute(query).fetchall()
        ]
    return tables


def _column(name: str) -> sql.Composable:
    """A column; a time that Python has no date for is as good as none."""
    column = sql.Identifier(name)
    if not name.endswith("_at"):
        return column
    return sql.SQL("case when {0} >= '0002-01-01' and {0} < '9999-01-01' then {0} end").format(
        column
    )


def sound_rows(tables: Mapping[str, list[Row]]) -> dict[str, list[Row]]:
    """The tables without facts that cannot be counted; of several rows with one id the first."""
    kept = dict(tables)
    kept["accounts"] = [row for row in tables["accounts"] if row["id"] is not None]
    for name in FACTS:
        rows = [row for row in tables[name] if row["id"] is not None and _is_sound(row)]
        rows.sort(key=lambda row: (_came_in(row) or FIRST_INSTANT, utc(row["created_at"])))
        first = {(row["account_id"], row["id"]): row for row in reversed(rows)}
        kept[name] = [row for row in rows if first[row["account_id"], row["id"]] is row]
    owners: dict[int, set[int]] = defaultdict(set)
    for row in kept["conversations"]:
        owners[row["id"]].add(row["account_id"])
    for name in ("messages", "reporting_events"):
        kept[name] = [
            row
            for row in kept[name]
            if row["account_id"] in owners.get(row["conversation_id"], {row["account_id"]})
        ]
    return kept


def _came_in(row: Row) -> datetime | None:
    at = row["updated_at"] if "updated_at" in row else row["created_at"]
    return None if at is None else utc(at)


def _is_sound(row: Row) -> bool:
    came_in = _came_in(row)
    if row["created_at"] is None or came_in is None:
        return False
    values = [row.get(name) for name in ("value", "value_in_business_hours")]
    return FIRST_INSTANT <= utc(row["created_at"]) <= came_in + timedelta(days=1) and all(
        value is None or abs(value) <= MOST_SECONDS for value in values
    )


def read_accounts(
    tables: Mapping[str, Iterable[Row]], meanings: Mapping[str, str] | None = None
) -> dict[int, Account]:
    """The accounts by id, with what belongs to each.

    ``meanings``: the usual name of an event by the name it has here; others have no meaning.
    """
    rows = sound_rows({name: list(tables.get(name, ())) for name in TABLES})
    accounts = {
        row["id"]: Account(
            row["id"], row["name"], (row["settings"] or {}).get("reporting_timezone")
        )
        for row in rows["accounts"]
    }
    _read_people(accounts, rows)
    _read_conversations(accounts, rows)
    for row in rows["messages"]:
        if account := accounts.get(row["account_id"]):
            account.messages.append(_message(row))
    for row in rows["reporting_events"]:
        if account := accounts.get(row["account_id"]):
            name = row["name"] if meanings is None else meanings.get(row["name"], "")
            account.events.append(_event(row, name))
    return accounts


def _read_people(accounts: dict[int, Account], rows: Mapping[str, list[Row]]) -> None:
    bots = {row["inbox_id"] for row in rows["agent_bot_inboxes"] if row["status"] == 0} | {
        row["inbox_id"]
        for row in rows["integrations_hooks"]
        if row["status"] == 1 and row["app_id"] == "dialogflow"
    }
    for row in rows["inboxes"]:
        if account := accounts.get(row["account_id"]):
            account.inboxes[row["id"]] = {**row, "has_active_bot": row["id"] in bots}
    names = {row["id"]: row["name"] for row in rows["users"]}
    for row in rows["account_users"]:
        if (account := accounts.get(row["account_id"])) and row["user_id"] in names:
            account.agents[row["user_id"]] = names[row["user_id"]]
    for row in rows["teams"]:
        if account := accounts.get(row["account_id"]):
            account.teams[row["id"]] = row["name"]
    for row in rows["labels"]:
        if account := accounts.get(row["account_id"]):
            account.labels[row["id"]] = row["title"]


def _read_conversations(accounts: dict[int, Account], rows: Mapping[str, list[Row]]) -> None:
    tags = {row["id"]: row["name"] for row in rows["tags"]}
    labels: dict[int, set[str]] = defaultdict(set)
    for row in rows["taggings"]:
        if row["taggable_type"] == "Conversation" and row["context"] == "labels":
            labels[row["taggable_id"]].add(tags[row["tag_id"]])
    for row in rows["conversations"]:
        if account := accounts.get(row["account_id"]):
            account.conversations[row["id"]] = Conversation(
                row["id"],
                row["inbox_id"],
                row["assignee_id"],
                row["team_id"],
                STATUSES[row["status"]],
                utc(row["created_at"]),
                frozenset(labels[row["id"]]),
            )


def _message(row: Row) -> Message:
    return Message(
        row["id"],
        row["conversation_id"],
        row["inbox_id"],
        row["message_type"],
        row["sender_id"] if row["sender_type"] == "User" else None,
        utc(row["created_at"]),
    )


def _event(row: Row, name: str) -> Event:
    return Event(
        row["id"],
        name,
        row["conversation_id"],
        row["inbox_id"],
        row["user_id"],
        _number(row["value"]),
        _number(row["value_in_business_hours"]),
        utc(row["created_at"]),
    )


def _number(value: float | None) -> float | None:
    return None if value is None else float(value)
