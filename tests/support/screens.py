"""The answers of single screens of the support reports, by brute force: label, channel, drilldown.

See ``support_answers`` for the questions they share.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import Any

from tests.support.answers import (
    BOT_RESOLVED,
    EVENT_OF_AVERAGE,
    Question,
    aggregate,
    counted_rows,
    truncated_percent,
)
from tests.support.periods import period_of
from tests.support.recount import HANDOFF, exact_sum
from tests.support.source import STATUSES, Account, Conversation, Event

RESPONSE_HOURS = {"0-1h": (0, 1), "1-4h": (1, 4), "4-8h": (4, 8), "8-24h": (8, 24)}
SUMMARY_METRICS = {
    "conversations_count": "conversations_count",
    "resolved_conversations_count": "resolutions_count",
    "avg_resolution_time": "avg_resolution_time",
    "avg_first_response_time": "avg_first_response_time",
    "avg_reply_time": "reply_time",
}
UNITS = (("day", 86_400), ("hour", 3_600), ("minute", 60), ("second", 1))
SHOWN_SAMPLES = 5


def summary_row(account: Account, question: Question) -> dict[str, Any]:
    """One entity's row: counts, and averages that are None when there is nothing to average."""
    return {name: aggregate(account, metric, question) for name, metric in SUMMARY_METRICS.items()}


def label_summary(account: Account, question: Question) -> dict[int, dict[str, Any]]:
    """By label: conversations created in the window, averages of *their* events whenever those
    happened (0 for none), and resolutions that happened in the window."""
    column = "business_value" if question.business_hours else "value"
    rows = {}
    for number, title in account.labels.items():
        labelled = [item for item in account.conversations.values() if title in item.labels]
        created = {item.id for item in labelled if question.holds(item.at)}
        row: dict[str, Any] = {"name": title, "conversations_count": len(created)}
        for name in ("avg_resolution_time", "avg_first_response_time", "avg_reply_time"):
            event_name = EVENT_OF_AVERAGE[SUMMARY_METRICS[name]]
            values = [
                value
                for event in account.events
                if event.name == event_name
                and event.conversation_id in created
                and (value := getattr(event, column)) is not None
            ]
            row[name] = float(exact_sum(values) / len(values)) if values else 0
        row["resolved_conversations_count"] = aggregate(
            account,
            "resolutions_count",
            Question(question.since, question.until, "label", number),
        )
        rows[number] = row
    return rows


def channel_summary(account: Account, question: Question) -> dict[str, dict[str, int]]:
    """Conversations created in the window by channel type and current status."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for conversation in _created(account, question):
        if inbox := account.inboxes.get(conversation.inbox_id):
            counts[inbox["channel_type"]][conversation.status] += 1
    return {
        channel: {status: found[status] for status in STATUSES} | {"total": found.total()}
        for channel, found in counts.items()
    }


def first_response_distribution(account: Account, question: Question) -> dict[str, dict[str, int]]:
    """First responses of the window by channel type and time taken, by the wall clock."""
    rows: dict[str, dict[str, int]] = {}
    for event in account.events:
        inbox = account.inboxes.get(event.inbox_id or 0)
        if event.name != "first_response" or not question.holds(event.at) or inbox is None:
            continue
        row = rows.setdefault(inbox["channel_type"], dict.fromkeys([*RESPONSE_HOURS, "24h+"], 0))
        if event.value is not None:
            row[_hours(event.value)] += 1
    return rows


def inbox_label_matrix(account: Account, question: Question) -> dict[tuple[int, int], int]:
    """Conversations created in the window by (inbox, label), zeros included."""
    created = _created(account, question)
    return {
        (inbox_id, label_id): sum(
            item.inbox_id == inbox_id and title in item.labels for item in created
        )
        for inbox_id in account.inboxes
        for label_id, title in account.labels.items()
    }


def drilldown(
    account: Account, metric: str, question: Question, bucket: Any, group_by: str, zone: str
) -> list[Any]:
    """The rows behind one bucket of a series, one per conversation for handoffs."""
    start = period_of(bucket, group_by, zone)
    inside = [
        row
        for row in counted_rows(account, metric, question)
        if period_of(row.at, group_by, zone) == start
    ]
    if metric != "bot_handoffs_count":
        return inside
    return list({row.conversation_id: row for row in inside}.values())


def diagnose_bots(account: Account, question: Question) -> dict[str, Any]:
    """Rates before and after "handoff wins", and the conversations that make the difference."""
    inside = [event for event in account.events if question.holds(event.at)]
    handed, resolved = _with(inside, HANDOFF), _with(inside, BOT_RESOLVED)
    bots = {number for number, inbox in account.inboxes.items() if inbox["has_active_bot"]}
    whole = sum(item.inbox_id in bots for item in _created(account, question))
    both = handed & resolved
    return {
        "bot_conversations": whole,
        "handoff_conversations": len(handed),
        "resolved_conversations": len(resolved),
        "both": len(both),
        "before": _rates(len(resolved), len(handed), whole),
        "after": _rates(len(resolved - handed), len(handed), whole),
        "sample_conversation_ids": sorted(both)[:SHOWN_SAMPLES],
    }


def duration_text(seconds: float | None) -> str:
    """At most two units, zero units skipped, fractions cut; N/A for nothing."""
    rest = int(seconds or 0)
    parts = []
    for unit, length in UNITS:
        number, rest = divmod(rest, length)
        if number:
            parts.append(f"{number} {unit}{'s' if number > 1 else ''}")
    return " ".join(parts[:2]) or "N/A"


def _created(account: Account, question: Question) -> Sequence[Conversation]:
    return [item for item in account.conversations.values() if question.holds(item.at)]


def _with(events: Sequence[Event], name: str) -> set[int]:
    return {
        event.conversation_id
        for event in events
        if event.name == name and event.conversation_id is not None
    }


def _rates(resolved: int, handed: int, whole: int) -> dict[str, int] | None:
    if not whole:
        return None
    rates = truncated_percent(resolved, whole), truncated_percent(handed, whole)
    return {"resolution_rate": rates[0], "handoff_rate": rates[1], "sum": sum(rates)}


def _hours(seconds: float) -> str:
    for name, (low, high) in RESPONSE_HOURS.items():
        if low * 3600 <= seconds < high * 3600:
            return name
    return "24h+"
