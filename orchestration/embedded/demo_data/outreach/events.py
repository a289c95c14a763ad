"""The life of the messages: what happened to each of them, as the provider would see it."""

from __future__ import annotations

from dataclasses import dataclass, field, fields

import numpy as np
from numpy.typing import NDArray

from orchestration.embedded.demo_data.copy_text import Ints
from orchestration.embedded.demo_data.outreach.event_kinds import (
    AGENT_APPLE,
    AGENT_HUMAN,
    AGENT_PROXY,
    AGENT_SCANNER,
    COMPLAINTS,
    DETAIL_ACCEPTED,
    DETAIL_BOUNCES,
    DETAIL_DROPS,
    DETAIL_MACHINE,
    DETAIL_NOT_MACHINE,
    DETAIL_SYNTHETIC,
    KIND,
)
from orchestration.embedded.demo_data.outreach.messages import Mask, Messages, accepted_at
from orchestration.embedded.demo_data.outreach.people import Contacts
from orchestration.embedded.demo_data.outreach.rates import Rates
from orchestration.embedded.demo_data.outreach.vocabulary import ADDRESSES, LINKS
from orchestration.embedded.demo_data.rhythm import HOUR, SECOND, Rhythm

NEVER = np.iinfo(np.int64).max


@dataclass(frozen=True)
class Events:
    """Events as columns of equal length.

    ``message``: position in the chunk's messages. ``at``: microseconds since 1970, whole
    seconds. ``kind``, ``agent``, ``detail``: positions in the lists of ``event_kinds``.
    ``address`` and ``link``: 1 + position in the vocabulary, 0 = none.
    """

    message: Ints
    kind: Ints
    at: Ints
    agent: Ints
    address: Ints
    link: Ints
    detail: Ints

    def take(self, rows: NDArray[np.intp] | Mask) -> Events:
        """The given rows."""
        return Events(*(getattr(self, column.name)[rows] for column in fields(self)))


@dataclass
class _Parts:
    parts: list[tuple[Ints, ...]] = field(default_factory=list)

    def add(
        self, message: Ints, kind: Ints | int, at: Ints, agent: Ints | int = 0,
        address: Ints | int = 0, link: Ints | int = 0, detail: Ints | int = 0,
    ) -> None:  # fmt: skip
        whole = at // SECOND * SECOND
        columns = (message, kind, whole, agent, address, link, detail)
        self.parts.append(tuple(np.broadcast_to(c, len(message)) for c in columns))

    def together(self) -> Events:
        return Events(*(np.concatenate(columns) for columns in zip(*self.parts, strict=True)))


class Life:
    """Draws the events of one chunk; :meth:`events` gives them all, unsorted."""

    def __init__(
        self, rng: np.random.Generator, messages: Messages, contacts: Contacts, rhythm: Rhythm,
        rates: Rates,
    ) -> None:  # fmt: skip
        self._rng = rng
        self._messages = messages
        self._contacts = contacts
        self._rhythm = rhythm
        self._rates = rates
        self._parts = _Parts()

    def events(self) -> Events:
        """Everything that happens to the messages, however late."""
        delivered, delivered_at = self._outcomes()
        opened_at = np.full(len(self._messages.ids), NEVER)
        self._machine_opens(delivered, delivered_at, opened_at)
        openers = self._human_opens(delivered, delivered_at, opened_at)
        self._human_clicks(delivered, delivered_at, openers, opened_at)
        self._scanner_clicks(delivered, delivered_at)
        self._opinions(delivered, delivered_at)
        self._timeouts(delivered, opened_at)
        # The receiver may fetch the picture before the provider notes the delivery.
        early = self._some(np.flatnonzero(opened_at < NEVER), self._rates.open_before_delivered)
        delivered_at[early] = opened_at[early] + self._rng.integers(1, 40, len(early)) * SECOND
        self._parts.add(
            delivered, KIND["delivered"], delivered_at[delivered], detail=DETAIL_ACCEPTED
        )
        return self._parts.together()

    def _some(self, rows: Ints, share: float) -> Ints:
        return rows[self._rng.random(len(rows)) < share]

    def _wait(self, rows: Ints, since: Ints, median_hours: float, spread: float) -> Ints:
        """Instants after ``since`` (one per row), waiting a lognormal number of busy hours."""
        hours = median_hours * np.exp(self._rng.normal(0.0, spread, len(rows)))
        return self._rhythm.later(self._messages.zone[rows], since, hours)

    def _person(self, rows: Ints) -> dict[str, Ints]:
        contact = self._messages.contact[rows]
        agent = AGENT_HUMAN + self._contacts.agent[contact]
        return {"agent": agent, "address": 1 + self._contacts.address[contact]}

    def _anywhere(self, rows: Ints) -> Ints:
        return 1 + self._rng.integers(0, len(ADDRESSES), len(rows))

    def _outcomes(self) -> tuple[Ints, Ints]:
        """Drops, bounces and the messages delivered, with the times of all (by message)."""
        rng, rates = self._rng, self._rates
        rows = np.flatnonzero(self._messages.accepted)
        limits = np.cumsum([rates.dropped, rates.bounced, rates.silent])
        outcome = np.searchsorted(limits, rng.random(len(rows)), side="right")
        at = accepted_at(self._messages)
        at[rows] += (rng.exponential(8.0, len(rows)) * SECOND).astype(np.int64)
        slow = self._some(rows, 0.02)
        at[slow] += (rng.exponential(1.0, len(slow)) * HOUR).astype(np.int64)
        dropped, bounced, delivered = (rows[outcome == code] for code in (0, 1, 3))
        reasons = rng.choice(DETAIL_DROPS, len(dropped))
        self._parts.add(dropped, KIND["dropped"], at[dropped], detail=reasons)
        kinds = rng.choice(DETAIL_BOUNCES, len(bounced), p=(0.3, 0.28, 0.34, 0.04, 0.04))
        self._parts.add(bounced, KIND["bounce"], at[bounced], detail=kinds)
        later = self._some(delivered, rates.bounced_later)
        self._parts.add(
            later, KIND["bounce"], self._wait(later, at[later], 1.0, 1.0),
            detail=rng.choice(DETAIL_BOUNCES, len(later)),
        )  # fmt: skip
        return delivered, at

    def _machine_opens(self, delivered: Ints, delivered_at: Ints, opened_at: Ints) -> None:
        rng = self._rng
        rows = self._some(delivered, self._rates.machine_open)
        rows = np.repeat(rows, rng.choice((1, 2), len(rows), p=(0.85, 0.15)))
        choice = rng.choice(4, len(rows), p=(0.55, 0.2, 0.1, 0.15))
        wait = np.where(choice == 3, rng.integers(0, 3, len(rows)), rng.integers(3, 900, len(rows)))
        at = delivered_at[rows] + wait * SECOND
        agent = np.choose(
            choice,
            (
                np.full(len(rows), AGENT_APPLE),
                rng.choice(AGENT_PROXY, len(rows)),
                rng.choice(AGENT_SCANNER, len(rows)),
                self._person(rows)["agent"],
            ),
        )
        detail = np.where(choice == 0, DETAIL_MACHINE, DETAIL_NOT_MACHINE)
        self._parts.add(
            rows, KIND["open"], at, agent=agent, address=self._anywhere(rows), detail=detail
        )
        np.minimum.at(opened_at, rows, at)

    def _human_opens(self, delivered: Ints, delivered_at: Ints, opened_at: Ints) -> Ints:
        """People open at office hours, some of them again; returns who opened."""
        openers = self._some(delivered, self._rates.human_open)
        rows, since = openers, delivered_at[openers]
        median = 2.0
        while len(rows):
            at = self._wait(rows, since + 3 * SECOND, median, 1.7)
            self._parts.add(rows, KIND["open"], at, **self._person(rows), detail=DETAIL_NOT_MACHINE)
            np.minimum.at(opened_at, rows, at)
            again = self._rng.random(len(rows)) < 0.45
            rows, since, median = rows[again], at[again], 6.0
        return openers

    def _human_clicks(
        self, delivered: Ints, delivered_at: Ints, openers: Ints, opened_at: Ints
    ) -> None:
        rng = self._rng
        after_open = self._some(openers, self._rates.click_of_openers)
        without = self._some(delivered, self._rates.click_of_others)
        rows = np.concatenate([after_open, without])
        since = np.concatenate([opened_at[after_open], delivered_at[without] + 60 * SECOND])
        while len(rows):
            at = self._wait(rows, since + 4 * SECOND, 0.05, 1.5)
            link = 1 + rng.integers(0, len(LINKS), len(rows))
            self._parts.add(rows, KIND["click"], at, **self._person(rows), link=link)
            again = rng.random(len(rows)) < 0.22
            rows, since = rows[again], at[again]

    def _scanner_clicks(self, delivered: Ints, delivered_at: Ints) -> None:
        """Bursts over several links in one second, and single clicks right at delivery."""
        rng = self._rng
        burst = self._some(delivered, self._rates.scanner_burst)
        sizes = rng.integers(3, 6, len(burst))
        rows = np.repeat(burst, sizes)
        at = np.repeat(delivered_at[burst] + rng.integers(0, 90, len(burst)) * SECOND, sizes)
        position = np.arange(len(rows)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
        first = np.repeat(rng.integers(0, len(LINKS), len(burst)), sizes)
        hidden = rng.random(len(burst)) < 0.5  # half of them look like a browser
        agent = np.where(hidden, AGENT_HUMAN, rng.choice(AGENT_SCANNER, len(burst)))
        self._parts.add(
            rows, KIND["click"], at,
            agent=np.repeat(agent, sizes),
            address=np.repeat(self._anywhere(burst), sizes),
            link=1 + (first + position) % len(LINKS),
        )  # fmt: skip
        single = self._some(delivered, self._rates.scanner_click)
        self._parts.add(
            single, KIND["click"], delivered_at[single] + rng.integers(0, 3, len(single)) * SECOND,
            **self._person(single), link=1 + rng.integers(0, len(LINKS), len(single)),
        )  # fmt: skip

    def _opinions(self, delivered: Ints, delivered_at: Ints) -> None:
        """Complaints, unsubscribes (and second thoughts) and replies."""
        rng, rates = self._rng, self._rates
        rows = self._some(delivered, rates.complaint)
        kinds = rng.choice(COMPLAINTS, len(rows))
        self._parts.add(rows, kinds, self._wait(rows, delivered_at[rows], 3.0, 1.2))
        # Nobody is written to after opting out, so only a contact's last message can do it.
        last = delivered[self._messages.is_last[delivered]]
        rows = self._some(last, min(1.0, rates.unsubscribe * self._mean_steps()))
        at = self._wait(rows, delivered_at[rows], 3.0, 1.5)
        fast = rng.random(len(rows)) < 0.2
        at[fast] = delivered_at[rows[fast]] + rng.integers(1, 80, fast.sum()) * SECOND
        kinds = rng.choice(
            (KIND["unsubscribe"], KIND["group_unsubscribe"]), len(rows), p=(0.9, 0.1)
        )
        self._parts.add(rows, kinds, at, **self._person(rows))
        back = rng.random(len(rows)) < rates.resubscribe
        rows, at = rows[back], self._wait(rows[back], at[back] + HOUR, 10.0, 1.0)
        kinds = rng.choice(
            (KIND["resubscribe"], KIND["group_resubscribe"]), len(rows), p=(0.8, 0.2)
        )
        self._parts.add(rows, kinds, at, **self._person(rows))
        rows = self._some(delivered, rates.reply_event)
        self._parts.add(rows, KIND["reply"], self._wait(rows, delivered_at[rows], 5.0, 1.2))

    def _mean_steps(self) -> float:
        return len(self._messages.ids) / max(1, int(self._messages.is_last.sum()))

    def _timeouts(self, delivered: Ints, opened_at: Ints) -> None:
        """What an older version of the application wrote itself, for lack of an open or click."""
        old = (
            self._messages.created
            < self._rhythm.start + (self._rhythm.end - self._rhythm.start) // 4
        )
        waits = {"no_open": 72 * HOUR, "no_click": 24 * HOUR}
        for kind, wait in waits.items():
            due = self._messages.finished[delivered] + wait
            rows = delivered[old[delivered] & (opened_at[delivered] > due)]
            rows = self._some(rows, self._rates.synthetic_timeout)
            at = self._messages.finished[rows] + wait
            self._parts.add(rows, KIND[kind], at, detail=DETAIL_SYNTHETIC)
