"""An independent recount of the support marts in plain Python, for tests.

Written from the definitions of the numbers alone: every event is put on the account-local day it
happened on and counted, for the account and for whatever else it belongs to.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

import psycopg

from tests.support.source import (
    INCOMING,
    OUTGOING,
    Account,
    Conversation,
    Event,
    local_date,
    read_accounts,
    read_tables,
)

Key = tuple[Any, ...]
Mart = dict[Key, dict[str, Any]]

ROLLUPS, CONVERSATIONS = "reporting_events_rollups", "conversations_daily"
KEYS = {
    ROLLUPS: ("account_id", "date", "dimension_type", "dimension_id", "metric"),
    CONVERSATIONS: ("account_id", "date", "dimension_type", "dimension_id"),
}
VALUES = {
    ROLLUPS: (
        "tenant_id",
        "count",
        "sum_value",
        "sum_value_business_hours",
        "value_count",
        "business_hours_count",
        "value_sum",
        "business_hours_sum",
    ),
    CONVERSATIONS: (
        "tenant_id",
        "conversations_count",
        "incoming_messages_count",
        "outgoing_messages_count",
    ),
}

DURATIONS = {
    "conversation_resolved": "resolution_time",
    "first_response": "first_response",
    "reply_time": "reply_time",
}
COUNTS = {
    "conversation_resolved": "resolutions_count",
    "conversation_bot_resolved": "bot_resolutions_count",
}
HANDOFF = "conversation_bot_handoff"
EVENT_OF_METRIC = {
    metric: name
    for metrics in (DURATIONS, COUNTS, {HANDOFF: "bot_handoffs_count"})
    for name, metric in metrics.items()
}


def recount(accounts: Mapping[int, Account]) -> dict[str, Mart]:
    """What both marts should hold. Accounts without a valid zone have no rows."""
    rollups: Mart = {}
    daily: Mart = {}
    for account in accounts.values():
        if account.zone is not None:
            rollups.update(_rollups(account, account.zone))
            daily.update(_conversations_daily(account, account.zone))
    return {ROLLUPS: rollups, CONVERSATIONS: daily}


def exact_sum(values: list[float]) -> Decimal:
    """The sum of the numbers as they are written, without the rounding of binary addition."""
    return sum((Decimal(repr(value)) for value in values), Decimal(0))


def dimensions_of(account: Account, event: Event) -> Iterator[tuple[str, int]]:
    """What an event belongs to; an id that is NULL is left out."""
    yield "account", account.id
    if event.user_id is not None:
        yield "agent", event.user_id
    if event.inbox_id is not None:
        yield "inbox", event.inbox_id
    conversation = account.conversation(event.conversation_id)
    if conversation is not None and conversation.team_id is not None:
        yield "team", conversation.team_id


def _rollups(account: Account, zone: str) -> Mart:
    grouped: dict[Key, list[Event]] = defaultdict(list)
    for event in account.events:
        metrics = [names[event.name] for names in (DURATIONS, COUNTS) if event.name in names]
        if event.name == HANDOFF and event.conversation_id is not None:
            metrics.append("bot_handoffs_count")
        for metric in metrics:
            for kind, number in dimensions_of(account, event):
                day = local_date(event.at, zone)
                grouped[account.id, day, kind, number, metric].append(event)
    return {key: _rollup_row(account, key[-1], events) for key, events in grouped.items()}


def _rollup_row(account: Account, metric: str, events: list[Event]) -> dict[str, Any]:
    is_duration = metric in DURATIONS.values()
    values = [event.value for event in events if event.value is not None and is_duration]
    business = [
        event.business_value for event in events if event.business_value is not None and is_duration
    ]
    count = len(events)
    if metric == "bot_handoffs_count":
        count = len({event.conversation_id for event in events})
    return {
        "tenant_id": str(account.id),
        "count": count,
        "sum_value": float(exact_sum(values)),
        "sum_value_business_hours": float(exact_sum(business)),
        "value_count": len(values),
        "business_hours_count": len(business),
        "value_sum": exact_sum(values),
        "business_hours_sum": exact_sum(business),
    }


def _conversations_daily(account: Account, zone: str) -> Mart:
    rows: Mart = defaultdict(
        lambda: {"tenant_id": str(account.id)} | dict.fromkeys(VALUES[CONVERSATIONS][1:], 0)
    )
    for conversation in account.conversations.values():
        for kind, number in _owners(account, conversation):
            key = (account.id, local_date(conversation.at, zone), kind, number)
            rows[key]["conversations_count"] += 1
    for message in account.messages:
        if message.kind not in (INCOMING, OUTGOING):
            continue
        day = local_date(message.at, zone)
        column = "incoming" if message.kind == INCOMING else "outgoing"
        belongs = [("account", account.id)]
        if message.inbox_id is not None:
            belongs.append(("inbox", message.inbox_id))
        if message.kind == OUTGOING and message.sender_user_id is not None:
            belongs.append(("agent", message.sender_user_id))
        conversation = account.conversation(message.conversation_id)
        if conversation is not None and conversation.team_id is not None:
            belongs.append(("team", conversation.team_id))
        for kind, number in belongs:
            rows[account.id, day, kind, number][f"{column}_messages_count"] += 1
    return dict(rows)


def _owners(account: Account, conversation: Conversation) -> Iterator[tuple[str, int]]:
    yield "account", account.id
    yield "inbox", conversation.inbox_id
    if conversation.assignee_id is not None:
        yield "agent", conversation.assignee_id
    if conversation.team_id is not None:
        yield "team", conversation.team_id


def read_marts(connection: psycopg.Connection[Any]) -> dict[str, Mart]:
    """The marts in schema ``analytics``."""
    marts: dict[str, Mart] = {}
    for name, keys in KEYS.items():
        columns = keys + VALUES[name]
        query = f"select {', '.join(columns)} from analytics.{name}"
        marts[name] = {
            row[: len(keys)]: dict(zip(VALUES[name], row[len(keys) :], strict=True))
            for row in connection.execute(query.encode()).fetchall()
        }
    return marts


def compare(expected: Mapping[str, Mart], actual: Mapping[str, Mart], shown: int = 20) -> list[str]:
    """The differences of two sets of marts, a line each; none when they are equal."""
    lines = []
    for name, wanted in expected.items():
        found = actual[name]
        for key in sorted(wanted.keys() | found.keys(), key=str):
            if wanted.get(key) != found.get(key):
                lines.append(f"{name} {key}: expected {wanted.get(key)}, has {found.get(key)}")
    return lines[:shown] + ([f"{len(lines) - shown} more"] if len(lines) > shown else [])


def differences(connection: psycopg.Connection[Any], schema: str) -> list[str]:
    """Where the marts of a database differ from a recount of its source tables."""
    return compare(recount(read_accounts(read_tables(connection, schema))), read_marts(connection))
