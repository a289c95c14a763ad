"""What an alert is, and which of them are news."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from pydantic import BaseModel

# The first word comes at once; what follows within this time is told together.
GAP = timedelta(minutes=5)
REMINDER = timedelta(hours=24)

WHAT_TO_DO = {
    "missed_refreshes": "is the daemon up, the schedule on, the queue free?",
    "failed_refresh": "read the error; the work stays pending and the next refresh does it",
    "failed_run": "open the run; the work stays pending and the next refresh does it",
    "lost_refresh": "somebody killed it or its machine went down; the next refresh does its work",
    "slow_refresh": "look for locks, a backfill beside it, missing indexes (rollups doctor)",
    "growing_backlog": "see rollups status; is a tenant's lock held, or a refresh failing?",
    "failing_check": "open the check: its metadata names the tenants",
    "database": "start the database, or correct ROLLUPS_DATABASE_URL",
}


@dataclass(frozen=True)
class Alert:
    """Something that is wrong now. ``kind`` and ``subject`` say what; ``detail`` may change."""

    kind: str
    subject: str
    detail: str
    link: str
    is_warning: bool = False

    @property
    def key(self) -> str:
        """The same as long as it is the same thing that is wrong."""
        return f"{self.kind}: {self.subject}"


class Told(BaseModel):
    """An alert that people have been told of."""

    since: datetime
    told_at: datetime
    is_warning: bool = False


class AlertState(BaseModel):
    """What people know; kept between two looks."""

    told: dict[str, Told] = {}
    sent_at: datetime | None = None


@dataclass(frozen=True)
class Message:
    """One message for everything that is news."""

    title: str
    body: str


def news(
    state: AlertState, alerts: Iterable[Alert], now: datetime
) -> tuple[Message | None, AlertState]:
    """What to tell now, if anything, and what people know once that is delivered."""
    current = {alert.key: alert for alert in alerts}
    opened = [alert for key, alert in current.items() if key not in state.told]
    recovered = [key for key in state.told if key not in current]
    reminders = [
        alert
        for key, alert in current.items()
        if key in state.told and not alert.is_warning and now - state.told[key].told_at >= REMINDER
    ]
    if not (opened or recovered or reminders):
        return None, state
    if state.sent_at is not None and now - state.sent_at < GAP:
        return None, state
    lines = [line for alert in (*opened, *reminders) for line in _described(alert)]
    lines += [f"Recovered: {key}, after {_span(now - state.told[key].since)}" for key in recovered]
    told = {key: known for key, known in state.told.items() if key in current}
    told |= {
        alert.key: Told(
            since=told[alert.key].since if alert.key in told else now,
            told_at=now,
            is_warning=alert.is_warning,
        )
        for alert in (*opened, *reminders)
    }
    message = Message(_title(opened, reminders, recovered), "\n".join(lines))
    return message, AlertState(told=told, sent_at=now)


def _described(alert: Alert) -> list[str]:
    word = "Warning" if alert.is_warning else "Alert"
    return [
        f"{word}: {alert.key}",
        f"  {alert.detail}",
        f"  What to do: {WHAT_TO_DO[alert.kind]}",
        f"  {alert.link}",
    ]


def _title(opened: list[Alert], reminders: list[Alert], recovered: list[str]) -> str:
    parts = [f"{len(opened)} new"] if opened else []
    parts += [f"{len(reminders)} still open"] if reminders else []
    parts += [f"{len(recovered)} recovered"] if recovered else []
    return f"Rollups: {', '.join(parts)}"


def _span(span: timedelta) -> str:
    minutes = max(round(span.total_seconds() / 60), 1)
    return f"{minutes} min" if minutes < 120 else f"{minutes / 60:.0f} h"
