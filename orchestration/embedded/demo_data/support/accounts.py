"""The support accounts with all that does not depend on time: inboxes, agents, teams, labels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isqrt

import numpy as np

from orchestration.embedded.demo_data.copy_text import Ints
from orchestration.embedded.demo_data.names import FIRST_NAMES, LAST_NAMES, tenant_name
from orchestration.embedded.demo_data.plan import DemoDataPlan, sizes_by_rank
from orchestration.embedded.demo_data.support.vocabulary import TEAMS

# As given, and the zone its people live in: the fourth account has none, the fifth a wrong one.
ZONES = (
    ("America/New_York", "America/New_York"),
    ("Australia/Lord_Howe", "Australia/Lord_Howe"),
    ("Chennai", "Asia/Kolkata"),
    (None, "Europe/Berlin"),
    ("Foo5", "America/Sao_Paulo"),
    ("Asia/Kolkata", "Asia/Kolkata"),
    ("America/Havana", "America/Havana"),
    ("UTC", "UTC"),
)
_MORE_ZONES = (
    ("Europe/London", "Europe/London"),
    ("Eastern Time (US & Canada)", "America/New_York"),
    ("Asia/Kathmandu", "Asia/Kathmandu"),
    ("Pacific/Auckland", "Pacific/Auckland"),
    ("America/Los_Angeles", "America/Los_Angeles"),
)


@dataclass(frozen=True)
class Account:
    """``zone`` is what its settings say, ``home`` the IANA zone that its people live in."""

    id: int
    name: str
    zone: str | None
    home: str
    conversations: int


@dataclass(frozen=True)
class InboxKind:
    """``bot_ends``: until when the bot works, as a share of the period; 0 = there is no bot.

    ``bot_status`` is the state of its link now, None = no link. ``by_schedule`` is whether
    working hours are enabled; without them every business-hours value is 0.
    """

    name: str
    channel_type: str
    bot_app: str | None
    bot_ends: float
    bot_status: int | None
    by_schedule: bool


INBOX_KINDS = (
    InboxKind("Website", "Channel::WebWidget", "agent_bot", 1.0, 0, True),
    InboxKind("Email", "Channel::Email", None, 0.0, None, True),
    InboxKind("WhatsApp", "Channel::Whatsapp", "dialogflow", 1.0, 1, False),
    # The bots of these two were switched off: their events remain, the inboxes have no bot now.
    InboxKind("Facebook", "Channel::FacebookPage", "agent_bot", 0.6, 1, True),
    InboxKind("Partner API", "Channel::Api", "dialogflow", 0.5, 0, False),
)


@dataclass(frozen=True)
class Members:
    """Things that belong to accounts: position of the account (ascending) and id of each."""

    account: Ints
    ids: Ints

    def of(self, account: int) -> list[int]:
        """Ids of an account's members."""
        first, last = np.searchsorted(self.account, (account, account + 1))
        return self.ids[first:last].tolist()

    def draw(self, rng: np.random.Generator, account: Ints) -> Ints:
        """Position of a member for each given account; the first members come up most often."""
        first = np.searchsorted(self.account, account)
        size = np.searchsorted(self.account, account, side="right") - first
        return first + (rng.random(len(account)) ** 2 * size).astype(np.int64)


@dataclass(frozen=True)
class Accounts:
    """All accounts of a plan, the largest first.

    ``kinds``: the kind of each inbox, as a position in ``INBOX_KINDS``. ``agents``: who ever
    worked for the account. ``user_names``: a user per name, the ids run from 1.
    """

    accounts: Sequence[Account]
    inboxes: Members
    kinds: Ints
    agents: Members
    user_names: Sequence[str]
    teams: Members

    @property
    def ids(self) -> Ints:
        """Ids of the accounts."""
        return np.array([account.id for account in self.accounts])


def plan_accounts(plan: DemoDataPlan) -> Accounts:
    """As many accounts as the plan has tenants."""
    accounts = [
        _account(position, size)
        for position, size in enumerate(sizes_by_rank(plan.conversations, plan.tenants))
    ]
    inboxes = [min(len(INBOX_KINDS), 2 + isqrt(a.conversations) // 5) for a in accounts]
    agents = [2 + min(38, isqrt(a.conversations) // 3) for a in accounts]
    teams = [len(TEAMS)] * len(accounts)
    user_ids = np.arange(1, sum(agents) + 1)
    if len(accounts) > 1:
        user_ids[agents[0]] = user_ids[0]  # somebody works for the two largest accounts
    return Accounts(
        accounts=accounts,
        inboxes=_members(inboxes),
        kinds=np.concatenate([np.arange(count) for count in inboxes]),
        agents=Members(_members(agents).account, user_ids),
        user_names=[_user_name(i) for i in range(sum(agents))],
        teams=_members(teams),
    )


def _members(counts: Sequence[int]) -> Members:
    return Members(np.repeat(np.arange(len(counts)), counts), np.arange(1, sum(counts) + 1))


def _account(position: int, conversations: int) -> Account:
    if position < len(ZONES):
        zone, home = ZONES[position]
    else:
        zone, home = _MORE_ZONES[position % len(_MORE_ZONES)]
    return Account(position + 1, tenant_name(position), zone, home, conversations)


def _user_name(position: int) -> str:
    first = FIRST_NAMES[position % len(FIRST_NAMES)]
    last = LAST_NAMES[position * 7 // len(FIRST_NAMES) % len(LAST_NAMES)]
    return f"{first} {last}"
