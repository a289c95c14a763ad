"""Every answer of the support reports, worked out from the rows by brute force, for tests.

Straight from the definitions: the events of the window are listed, what does not count is left
out, the rest is counted. Slow and plain on purpose.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from math import trunc
from typing import Any

from tests.support.periods import period_of, periods
from tests.support.recount import HANDOFF, exact_sum
from tests.support.source import (
    INCOMING,
    OUTGOING,
    Account,
    Conversation,
    Event,
    Message,
)

BOT_RESOLVED = "conversation_bot_resolved"
EVENT_OF_AVERAGE = {
    "avg_first_response_time": "first_response",
    "avg_resolution_time": "conversation_resolved",
    "reply_time": "reply_time",
}
MESSAGE_KINDS = {"incoming_messages_count": INCOMING, "outgoing_messages_count": OUTGOING}
METRICS = (
    "conversations_count",
    *MESSAGE_KINDS,
    *EVENT_OF_AVERAGE,
    "resolutions_count",
    "bot_resolutions_count",
    "bot_handoffs_count",
)
DIMENSIONS = ("account", "agent", "inbox", "team", "label")


@dataclass(frozen=True)
class Question:
    """What is asked of one account: a window [since, until) and, maybe, one entity."""

    since: datetime
    until: datetime
    dimension: str = "account"
    id: int | None = None
    business_hours: bool = False

    def holds(self, at: datetime) -> bool:
        return self.since <= at < self.until

    def before(self) -> Question:
        """The equally long window just before."""
        start = self.since - (self.until - self.since)
        return Question(start, self.since, self.dimension, self.id, self.business_hours)


def aggregate(account: Account, metric: str, question: Question) -> float | int | None:
    """One number for the window; an average of nothing is None."""
    return _value(metric, counted_rows(account, metric, question), question)


def event_count(account: Account, metric: str, question: Question) -> int | None:
    """The events under an average; None for metrics that are counts themselves."""
    if metric not in EVENT_OF_AVERAGE:
        return None
    return len(counted_rows(account, metric, question))


def timeseries(
    account: Account, metric: str, question: Question, group_by: str, zone: str
) -> list[tuple[datetime, float | int, int | None]]:
    """(first instant, value, events under an average) of every period, gaps filled with 0."""
    counted = counted_rows(account, metric, question)
    series = []
    for start in periods(question.since, question.until, group_by, zone):
        inside = [item for item in counted if period_of(item.at, group_by, zone) == start]
        value = _value(metric, inside, question)
        count = len(inside) if metric in EVENT_OF_AVERAGE else None
        series.append((start, 0 if value is None else value, count))
    return series


def entities(account: Account, dimension: str) -> dict[int, str]:
    """The existing members of a dimension by id, with their names."""
    if dimension == "inbox":
        return {number: inbox["name"] for number, inbox in account.inboxes.items()}
    named = {"agent": account.agents, "team": account.teams, "label": account.labels}
    return named.get(dimension, {account.id: account.name})


def bot_summary(account: Account, question: Question) -> dict[str, int]:
    """Bot resolutions and handoffs of the window and of the one before it."""
    answer = {}
    for prefix, window in (("", question), ("previous_", question.before())):
        for metric in ("bot_resolutions_count", "bot_handoffs_count"):
            answer[prefix + metric] = len(_distinct(metric, counted_rows(account, metric, window)))
    return answer


def bot_metrics(account: Account, question: Question) -> dict[str, Any]:
    """Rates of conversations that a bot resolved or handed off, over those of bot inboxes."""
    inside = [event for event in account.events if question.holds(event.at)]
    handed = _conversations(account, inside, HANDOFF)
    resolved = _conversations(account, inside, BOT_RESOLVED) - handed
    bots = {number for number, inbox in account.inboxes.items() if inbox["has_active_bot"]}
    created = {
        conversation.id
        for conversation in account.conversations.values()
        if question.holds(conversation.at) and conversation.inbox_id in bots
    }
    messages = [
        message
        for message in account.messages
        if message.kind == OUTGOING
        and question.holds(message.at)
        and message.conversation_id in created
    ]
    return {
        "conversation_count": len(created),
        "message_count": len(messages),
        "resolved_conversations": len(resolved),
        "handoff_conversations": len(handed),
        "resolved_of_conversations": len(resolved & created),
        "handed_off_of_conversations": len(handed & created),
        "resolution_rate": _percent(len(resolved & created), len(created)),
        "handoff_rate": _percent(len(handed & created), len(created)),
        "resolution_rate_truncated": truncated_percent(len(resolved), len(created)),
        "handoff_rate_truncated": truncated_percent(len(handed), len(created)),
    }


def truncated_percent(part: int, whole: int) -> int:
    """The application's integer: a double, cut. 29 of 100 is 28."""
    return trunc(part / whole * 100) if whole else 0


def _percent(part: int, whole: int) -> Decimal:
    return Decimal(100) * part / whole if whole else Decimal(0)


def _conversations(account: Account, events: Sequence[Event], name: str) -> set[int]:
    """Existing conversations that have such an event."""
    return {
        event.conversation_id
        for event in events
        if event.name == name
        and event.conversation_id is not None
        and event.conversation_id in account.conversations
    }


def _value(metric: str, counted: Sequence[Any], question: Question) -> float | int | None:
    if metric not in EVENT_OF_AVERAGE:
        return len(_distinct(metric, counted))
    column = "business_value" if question.business_hours else "value"
    values = [number for event in counted if (number := getattr(event, column)) is not None]
    return float(exact_sum(values) / len(values)) if values else None


def _distinct(metric: str, counted: Sequence[Any]) -> Sequence[Any] | set[int]:
    """Handoffs count by conversation, everything else by row."""
    if metric == "bot_handoffs_count":
        return {event.conversation_id for event in counted}
    return counted


def counted_rows(account: Account, metric: str, question: Question) -> Sequence[Any]:
    """The rows that count for a metric in the whole window."""
    if metric == "conversations_count":
        mine = _owns_conversation(account, question)
        return [
            conversation
            for conversation in account.conversations.values()
            if question.holds(conversation.at) and mine(conversation)
        ]
    if metric in MESSAGE_KINDS:
        return _messages(account, MESSAGE_KINDS[metric], question)
    mine = _owns_event(account, question)
    inside = [event for event in account.events if question.holds(event.at) and mine(event)]
    if metric == "bot_resolutions_count":
        handed = {event.conversation_id for event in inside if event.name == HANDOFF} - {None}
        return [
            event
            for event in inside
            if event.name == BOT_RESOLVED and event.conversation_id not in handed
        ]
    if metric == "bot_handoffs_count":
        return [
            event
            for event in inside
            if event.name == HANDOFF and account.conversation(event.conversation_id) is not None
        ]
    name = EVENT_OF_AVERAGE.get(metric, "conversation_resolved")
    return [event for event in inside if event.name == name]


def _messages(account: Account, kind: int, question: Question) -> list[Message]:
    mine = _owns_message(account, question)
    return [
        message
        for message in account.messages
        if message.kind == kind and question.holds(message.at) and mine(message)
    ]


def _owns_conversation(account: Account, question: Question) -> Callable[[Conversation], bool]:
    number = question.id
    title = account.labels.get(number) if number is not None else None
    tests: dict[str, Callable[[Conversation], bool]] = {
        "account": lambda _: True,
        "agent": lambda conversation: conversation.assignee_id == number,
        "inbox": lambda conversation: conversation.inbox_id == number,
        "team": lambda conversation: conversation.team_id == number,
        "label": lambda conversation: title in conversation.labels,
    }
    return tests[question.dimension]


def _owns_event(account: Account, question: Question) -> Callable[[Event], bool]:
    if question.dimension == "agent":
        return lambda event: event.user_id == question.id
    if question.dimension == "inbox":
        return lambda event: event.inbox_id == question.id
    return _through_conversation(account, question)


def _owns_message(account: Account, question: Question) -> Callable[[Message], bool]:
    if question.dimension == "agent":
        return lambda message: message.kind == OUTGOING and message.sender_user_id == question.id
    if question.dimension == "inbox":
        return lambda message: message.inbox_id == question.id
    return _through_conversation(account, question)


def _through_conversation(account: Account, question: Question) -> Callable[[Any], bool]:
    """By the current team or label of the row's conversation; all of them for the account."""
    if question.dimension == "account":
        return lambda _: True
    owns = _owns_conversation(account, question)

    def through(item: Any) -> bool:
        conversation = account.conversation(item.conversation_id)
        return conversation is not None and owns(conversation)

    return through
