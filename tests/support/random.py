"""Random conversations with bots: cycles of resolving, handing off, reopening, and odd rows.

Few values are drawn for everything, so that ties, shared instants and NULLs are common; times are
crowded around clock changes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from random import Random
from typing import Any

from tests.support.warehouse import SupportWarehouse

# A clock change of each zone, or, where there is none, a day like any other; UTC.
ZONES: Mapping[str, Sequence[datetime]] = {
    "America/New_York": (datetime(2026, 11, 1, 6), datetime(2026, 3, 8, 7)),
    "Australia/Lord_Howe": (datetime(2026, 4, 4, 15), datetime(2026, 10, 3, 15, 30)),
    "America/Havana": (datetime(2026, 11, 1, 5), datetime(2026, 3, 8, 5)),
    "Asia/Kolkata": (datetime(2026, 10, 14, 18, 30),),
    "Chennai": (datetime(2026, 10, 14, 18, 30),),
    "UTC": (datetime(2026, 10, 15),),
}
BOT_EVENTS = ("conversation_bot_resolved", "conversation_bot_handoff")
EVENTS = (
    *BOT_EVENTS, *BOT_EVENTS, *BOT_EVENTS, "conversation_resolved", "first_response", "reply_time",
    "conversation_opened",
)  # fmt: skip
VALUES = (None, 0.0, 0.1, 0.2, 1.5, 60.0, 3600.0, 86_399.999, 1e9, float("nan"), float("inf"))
LABELS = ("billing", "bug", "vip")
# Conversations that are named before they are there.
GHOSTS = (900_000_000, 900_000_001, 900_000_002)
MESSAGE_TYPES = (0, 0, 1, 1, 1, 2, 3)


class RandomSupport:
    """Accounts of one warehouse and random things that happen to them."""

    def __init__(self, warehouse: SupportWarehouse, random: Random) -> None:
        self.warehouse = warehouse
        self.random = random
        self.number = 0
        self.zones: dict[int, str | None] = {}
        self.conversations: dict[int, list[int]] = {}
        self.moments: dict[int, list[datetime]] = {}

    def add_account(self, zone: str | None) -> int:
        """An account with three inboxes (two with a bot), agents, teams and labels."""
        account = len(self.zones) + 1
        self.zones[account] = zone
        self.conversations[account], self.moments[account] = [], []
        self.warehouse.add_account(account, zone)
        for n in range(3):
            self.warehouse.add_inbox(account, self._member(account, n), bot=n < 2)
        for n in range(2):
            self.warehouse.add_agent(account, self._member(account, n))
            self.warehouse.add_team(account, self._member(account, n))
        for n, title in enumerate(LABELS):
            self.warehouse.add_label(account, self._member(account, n), title)
        return account

    def add_conversation(self, account: int, ingested_at: datetime | None = None) -> int:
        """A conversation that may lack assignee and team, or whose inbox is of nobody."""
        self.number += 1
        at = self.moment(account)
        self.warehouse.add_conversation(
            account, self.number, at,
            inbox_id=self._some(account, 4) or 999,
            assignee_id=self._some(account, 2), team_id=self._some(account, 2),
            status=self.random.randrange(4), updated_at=ingested_at or at,
        )  # fmt: skip
        self.warehouse.add_labels_to(
            self.number, self.random.sample(LABELS, self.random.choice([0, 0, 1, 2]))
        )
        self.conversations[account].append(self.number)
        return self.number

    def add_event(
        self, account: int, ingested_at: datetime | None = None, at: datetime | None = None
    ) -> None:
        """An event of a conversation of the account, of none, or of one that is not there."""
        self.number += 1
        at = at or self.moment(account)
        event: dict[str, Any] = {
            "inbox_id": self._some(account, 3), "user_id": self._some(account, 2),
            "value": self.random.choice(VALUES),
            "value_in_business_hours": self.random.choice(VALUES),
            "updated_at": ingested_at or at,
        }  # fmt: skip
        name = self.random.choice(EVENTS)
        conversation = self._conversation(account)
        self.warehouse.add_event(account, self.number, name, at, conversation, **event)
        if self.random.random() < 0.1:
            # A job that was tried again stores what it had stored.
            self.number += 1
            self.warehouse.add_event(account, self.number, name, at, conversation, **event)

    def add_message(self, account: int, ingested_at: datetime | None = None) -> None:
        self.number += 1
        at = self.moment(account)
        sender = self.random.choice(["User", "User", "Contact", "AgentBot", None])
        self.warehouse.add_message(
            account, self.number, self._conversation(account) or 0, at,
            inbox_id=self._some(account, 3) or 999, message_type=self.random.choice(MESSAGE_TYPES),
            private=self.random.random() < 0.2, sender_type=sender,
            sender_id=self._some(account, 2), updated_at=ingested_at or at,
        )  # fmt: skip

    def moment(self, account: int) -> datetime:
        """An instant near a clock change, often one that something else happened at."""
        if self.moments[account] and self.random.random() < 0.15:
            return self.random.choice(self.moments[account])
        centre = self.random.choice(ZONES[self.zones[account] or "UTC"])
        minutes = int(self.random.gauss(0, 1) * self.random.choice([45, 600, 3000]))
        at = centre + timedelta(
            minutes=minutes, microseconds=self.random.choice([0, 0, 0, 1, 999_999])
        )
        self.moments[account].append(at)
        return at

    def _conversation(self, account: int) -> int | None:
        """Mostly one of a few, so that cycles are common; sometimes none or a deleted one."""
        draw = self.random.random()
        if draw < 0.1 or not self.conversations[account]:
            return None
        if draw < 0.15:
            return self.random.choice(GHOSTS)
        return self.random.choice(self.conversations[account][-12:])

    def _some(self, account: int, choices: int) -> int | None:
        n = self.random.randrange(choices + 1)
        return None if n == choices else self._member(account, n)

    @staticmethod
    def _member(account: int, n: int) -> int:
        return account * 100 + n
