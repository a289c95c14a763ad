"""The life of the conversations: what customers, bots and agents do, cycle by cycle."""

from __future__ import annotations

from dataclasses import dataclass, field, fields

import numpy as np
from numpy.typing import NDArray

from orchestration.embedded.demo_data.copy_text import Ints
from orchestration.embedded.demo_data.rhythm import SECOND, Rhythm
from orchestration.embedded.demo_data.support import vocabulary as words
from orchestration.embedded.demo_data.support.accounts import INBOX_KINDS, Accounts
from orchestration.embedded.demo_data.support.conversations import Conversations
from orchestration.embedded.demo_data.support.rates import Rates

Mask = NDArray[np.bool_]
_CYCLES = 4
_ROUNDS = 4


@dataclass(frozen=True)
class Happenings:
    """Things that happened, in columns of equal length.

    ``conversation``: position in the chunk. ``what``: a position in ``EVENT_NAMES`` or in
    ``VOICES``. ``agent``: position of an agent, -1 = none. ``since``: when the time measured by
    an event began. Instants are microseconds since 1970, UTC.
    """

    conversation: Ints
    what: Ints
    at: Ints
    since: Ints
    agent: Ints

    def take(self, rows: NDArray[np.intp] | Mask) -> Happenings:
        """The given rows."""
        return Happenings(*(getattr(self, column.name)[rows] for column in fields(self)))


@dataclass
class _Parts:
    parts: list[tuple[Ints, ...]] = field(default_factory=list)

    def add(self, *columns: Ints | int) -> None:
        first = columns[0]
        count = len(first) if isinstance(first, np.ndarray) else 0
        self.parts.append(tuple(np.broadcast_to(c, count) for c in columns))

    def together(self) -> Happenings:
        return Happenings(*(np.concatenate(c) for c in zip(*self.parts, strict=True)))


class Life:
    """Draws what happens to the conversations of one chunk until the end of the period.

    Afterwards the arrays hold the last state of each conversation; instants of 0 = never,
    positions of -1 = nobody.
    """

    def __init__(
        self, rng: np.random.Generator, conversations: Conversations, accounts: Accounts,
        zones: Ints, rhythm: Rhythm, rates: Rates,
    ) -> None:  # fmt: skip
        self._rng, self._rhythm, self._rates = rng, rhythm, rates
        self._accounts = accounts
        self.conversations = conversations
        self.contact_ids = _contacts(conversations, len(accounts.accounts))
        account, count = conversations.account, len(conversations.ids)
        self._zone = zones[account]
        self.inbox = accounts.inboxes.draw(rng, account)
        ends = np.array([kind.bot_ends for kind in INBOX_KINDS])[accounts.kinds[self.inbox]]
        self._bot_ends = rhythm.start + (ends * (rhythm.end - rhythm.start)).astype(np.int64)
        self._proactive = self._happens(count, rates.proactive)
        self._bot_ends[self._proactive] = rhythm.start
        at_once = self._happens(count, rates.assigned_at_once)
        self.assignee = np.where(at_once, accounts.agents.draw(rng, account), -1)
        self.team = np.full(count, -1)
        self.status = np.full(count, words.OPEN)
        self.first_reply, self.waiting_since, self._resolved_at = np.zeros((3, count), np.int64)
        self.last_activity, self.changed = np.zeros((2, count), np.int64)
        self._handed_off, self._user_wrote = np.zeros((2, count), bool)
        self._events, self._messages = _Parts(), _Parts()

    def run(self) -> tuple[Happenings, Happenings]:
        """All events, then all messages, unsorted."""
        rows, at = np.arange(len(self.inbox)), self.conversations.created
        self._say(rows[self._proactive], at[self._proactive], words.CAMPAIGN)
        self._ask(rows[~self._proactive], at[~self._proactive])
        for _ in range(_CYCLES):
            by_bot = at < self._bot_ends[rows]
            resolved, handed = self._bot_at_work(rows[by_bot], at[by_bot])
            rest = rows[~by_bot], at[~by_bot]
            again = self._resolved_at[rest[0]] > 0
            self._open(rest[0][again], rest[1][again])
            closed = self._agents_at_work(*_both(handed, rest))
            rows, at = self._come_back(*_both(resolved, closed))
        return self._events.together(), self._messages.together()

    # -- What a cycle is made of: each takes and returns conversations and instants

    def _bot_at_work(self, rows: Ints, at: Ints) -> tuple[tuple[Ints, Ints], tuple[Ints, Ints]]:
        """The conversations that the bot resolved, and those it gave to the agents."""
        rates = self._rates
        self._change(rows, at, words.PENDING)
        new = self._resolved_at[rows] == 0
        self._say(rows[new], at[new] + SECOND, words.GREETING)
        voice = np.where(self._happens(len(rows), rates.captain), words.CAPTAIN, words.BOT)
        now, talking = at + 2 * SECOND, np.ones(len(rows), bool)
        for _ in range(_ROUNDS - 1):
            now = now + self._rng.integers(2, 9, len(rows)) * SECOND
            self._say(rows[talking], now[talking], voice[talking])
            talking = talking & self._happens(len(rows), rates.further_round)
            now = now + np.where(talking, self._rng.integers(20, 180, len(rows)) * SECOND, 0)
            self._ask(rows[talking], now[talking])
        now = now + self._rng.integers(30, 1_800, len(rows)) * SECOND
        shares = np.cumsum((rates.bot_resolved, rates.handed_off, rates.snoozed))
        fate = np.searchsorted(shares, self._rng.random(len(rows)), side="right")
        reached = now < self._rhythm.end
        snoozed = reached & (fate == 2)
        self._change(rows[snoozed], now[snoozed], words.SNOOZED)
        resolved, handed = reached & (fate == 0), reached & (fate == 1)
        by_captain = voice == words.CAPTAIN
        self._inferred(rows, now, resolved & by_captain, words.CAPTAIN_RESOLUTION)
        self._inferred(rows, now, handed & by_captain, words.CAPTAIN_HANDOFF)
        self._resolve(rows[resolved], now[resolved])
        self._hand_off(rows[handed], now[handed])
        return (rows[resolved], now[resolved]), (rows[handed], now[handed])

    def _inferred(self, rows: Ints, at: Ints, chosen: Mask, event: int) -> None:
        rows, at = rows[chosen], at[chosen]
        self._note(rows, at, event, self.conversations.created[rows], self.assignee[rows])

    def _hand_off(self, rows: Ints, at: Ints) -> None:
        """Recorded once in the life of a conversation, however often it happens."""
        first = ~self._handed_off[rows]
        new, when = rows[first], at[first]
        self._note(new, when, words.HANDOFF, self.conversations.created[new], self.assignee[new])
        self._handed_off[rows] = True
        self._open(rows, at)

    def _open(self, rows: Ints, at: Ints) -> None:
        self._change(rows, at, words.OPEN)
        since = np.where(self._resolved_at[rows] > 0, self._resolved_at[rows], at)
        self._note(rows, at, words.OPENING, since, self.assignee[rows])

    def _agents_at_work(self, rows: Ints, at: Ints) -> tuple[Ints, Ints]:
        """The conversations that agents resolved, some of them without a word."""
        rates = self._rates
        self._assign(rows[(self.assignee[rows] < 0) & self._happens(len(rows), rates.assigned)])
        in_team = rows[(self.team[rows] < 0) & self._happens(len(rows), rates.with_team)]
        account = self.conversations.account[in_team]
        self.team[in_team] = self._accounts.teams.draw(self._rng, account)
        luck = self._rng.random(len(rows))
        silent = luck < rates.closed_in_silence
        answered = luck >= rates.closed_in_silence + rates.ignored
        by_word = self._answer(rows[answered], at[answered])
        closed, when = _both((rows[silent], at[silent]), by_word)
        when = self._wait(closed, when, self._rng.exponential(2.0, len(closed)) + 0.05)
        closed, when = self._reached(closed, when)
        self._resolve(closed, when)
        return closed, when

    def _answer(self, rows: Ints, at: Ints) -> tuple[Ints, Ints]:
        """Question and answer, until the customer asks no more."""
        asked, rates = at, self._rates
        done: list[tuple[Ints, Ints]] = []
        for _ in range(_ROUNDS):
            wait = 0.02 + 0.4 * np.exp(self._rng.normal(0.0, 1.2, len(rows)))
            at = self._wait(rows, asked, wait)
            there = at < self._rhythm.end
            rows, at, asked = rows[there], at[there], asked[there]
            noting = self._happens(len(rows), rates.private_note)
            self._say(rows[noting], at[noting] - SECOND, words.NOTE, self.assignee[rows[noting]])
            self._reply(rows, at, asked)
            goes_on = self._happens(len(rows), rates.further_round)
            done.append((rows[~goes_on], at[~goes_on]))
            rows, at = rows[goes_on], at[goes_on]
            asked = self._wait(rows, at, self._rng.exponential(0.4, len(rows)) + 0.01)
            rows, asked = self._reached(rows, asked)
            self._ask(rows, asked)
        return _both(*done)

    def _reply(self, rows: Ints, at: Ints, asked: Ints) -> None:
        """The first reply has an event of its own; the others count for the assignee."""
        account = self.conversations.account[rows]
        assignee = self.assignee[rows]
        another = (assignee < 0) | self._happens(len(rows), self._rates.another_agent)
        sender = np.where(another, self._accounts.agents.draw(self._rng, account), assignee)
        self._say(rows, at, words.AGENT, sender)
        self._user_wrote[rows] = True
        first = self.first_reply[rows] == 0
        self._note(rows[first], at[first], words.FIRST_RESPONSE, asked[first], sender[first])
        self._note(rows[~first], at[~first], words.REPLY_TIME, asked[~first], assignee[~first])
        self.first_reply[rows[first]] = at[first]
        self.waiting_since[rows] = 0

    def _resolve(self, rows: Ints, at: Ints) -> None:
        """A bot's resolution is whatever no agent wrote in, handed off or not."""
        created, assignee = self.conversations.created[rows], self.assignee[rows]
        by_bot = ~self._user_wrote[rows] & (at < self._bot_ends[rows])
        # The copy is stored first.
        self._note(
            rows[by_bot], at[by_bot], words.BOT_RESOLUTION, created[by_bot], assignee[by_bot]
        )
        self._note(rows, at, words.RESOLUTION, created, assignee)
        self._say(rows, at, words.ACTIVITY)
        self._change(rows, at, words.RESOLVED)
        self.waiting_since[rows] = 0
        self._resolved_at[rows] = at

    def _come_back(self, rows: Ints, at: Ints) -> tuple[Ints, Ints]:
        """Customers who write again after the conversation was resolved."""
        kept = self._happens(len(rows), self._rates.reopened)
        rows, at = rows[kept], at[kept]
        at = self._wait(rows, at, self._rng.exponential(12.0, len(rows)) + 0.2)
        rows, at = self._reached(rows, at)
        self._assign(rows[self._happens(len(rows), self._rates.reassigned)])
        self._ask(rows, at)
        return rows, at

    # -- Small steps

    def _assign(self, rows: Ints) -> None:
        account = self.conversations.account[rows]
        self.assignee[rows] = self._accounts.agents.draw(self._rng, account)

    def _ask(self, rows: Ints, at: Ints) -> None:
        self._say(rows, at, words.CUSTOMER)
        begins = (self.waiting_since[rows] == 0) & (at < self._rhythm.end)
        self.waiting_since[rows[begins]] = at[begins]

    def _say(self, rows: Ints, at: Ints, voice: Ints | int, agent: Ints | int = -1) -> None:
        self._messages.add(rows, voice, at, at, agent)
        heard = at < self._rhythm.end
        self.last_activity[rows[heard]] = at[heard]
        self.changed[rows[heard]] = at[heard]

    def _change(self, rows: Ints, at: Ints, status: int) -> None:
        self.status[rows] = status
        self.changed[rows] = at

    def _note(self, rows: Ints, at: Ints, event: int, since: Ints, agent: Ints) -> None:
        self._events.add(rows, event, at, since, agent)

    def _wait(self, rows: Ints, since: Ints, hours: NDArray[np.float64]) -> Ints:
        return self._rhythm.later(self._zone[rows], since, hours)

    def _reached(self, rows: Ints, at: Ints) -> tuple[Ints, Ints]:
        """Without those that the end of the period cuts off."""
        kept = at < self._rhythm.end
        return rows[kept], at[kept]

    def _happens(self, count: int, share: float) -> Mask:
        return self._rng.random(count) < share


def _both(*parts: tuple[Ints, Ints]) -> tuple[Ints, Ints]:
    return np.concatenate([p[0] for p in parts]), np.concatenate([p[1] for p in parts])


def _contacts(conversations: Conversations, accounts: int) -> Ints:
    """Ids that tell accounts apart; some contacts of an account come again."""
    return 1 + conversations.account + accounts * (conversations.numbers * 7 // 10)
