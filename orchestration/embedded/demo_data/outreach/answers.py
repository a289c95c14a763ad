"""What people send back: opt-outs on the tenant's list and replies in the inbox."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from orchestration.embedded.demo_data.copy_text import Ints
from orchestration.embedded.demo_data.outreach import event_kinds as kinds
from orchestration.embedded.demo_data.outreach.arrival import StoredEvents
from orchestration.embedded.demo_data.outreach.campaigns import Campaigns
from orchestration.embedded.demo_data.outreach.messages import Mask, Messages
from orchestration.embedded.demo_data.outreach.people import Contacts
from orchestration.embedded.demo_data.outreach.rates import Rates
from orchestration.embedded.demo_data.rhythm import HOUR, SECOND, Rhythm


@dataclass(frozen=True)
class OptOut:
    """A row of ``contact_unsubscribes``: ``contact`` is a position in the chunk.

    ``source`` decides which keys the row has: ``sendgrid_webhook`` campaign and contact,
    ``link_click`` only the campaign, ``manual`` neither.
    """

    contact: int
    at: int
    source: bytes
    address: bytes


def opt_outs(
    rng: np.random.Generator, contacts: Contacts, messages: Messages, stored: StoredEvents,
    campaigns: Campaigns, rhythm: Rhythm, rates: Rates,
) -> list[OptOut]:  # fmt: skip
    """The list at the period's end: first opt-out per address, without those who came back."""
    found = [
        *_by_event(rng, messages, stored, contacts, rates),
        *_by_link(rng, messages, contacts, rhythm, rates),
        *_by_hand(rng, campaigns, contacts, rates),
    ]
    first: dict[tuple[int, bytes], OptOut] = {}
    for row in sorted(found, key=lambda row: (row.at, row.address)):
        if row.at < rhythm.end:
            first.setdefault((int(contacts.tenant[row.contact]), row.address), row)
    return sorted(first.values(), key=lambda row: (row.at, row.address))


def _address(contacts: Contacts, contact: int) -> bytes:
    return contacts.emails[contact].strip().lower()


def _by_event(
    rng: np.random.Generator, messages: Messages, stored: StoredEvents, contacts: Contacts,
    rates: Rates,
) -> Iterator[OptOut]:  # fmt: skip
    contact = messages.contact[stored.events.message]
    back = set(contact[np.isin(stored.events.kind, kinds.OPT_INS)].tolist())
    rows = np.flatnonzero(np.isin(stored.events.kind, kinds.OPT_OUTS))
    for row in rows[rng.random(len(rows)) < rates.unsubscribe_listed].tolist():
        who = int(contact[row])
        if who not in back:  # a resubscribe deletes the row
            yield OptOut(
                who, int(stored.created[row]), b"sendgrid_webhook", _address(contacts, who)
            )


def _by_link(
    rng: np.random.Generator, messages: Messages, contacts: Contacts, rhythm: Rhythm, rates: Rates
) -> Iterator[OptOut]:
    """The link in the mail; link scanners follow it within two minutes of the send."""
    last = np.flatnonzero(messages.is_last & messages.accepted)
    share = min(1.0, rates.link_optout * len(messages.ids) / max(1, len(last)))
    rows = last[rng.random(len(last)) < share]
    sent = messages.finished[rows]
    at = rhythm.later(messages.zone[rows], sent + 60 * SECOND, rng.exponential(6.0, len(rows)))
    fast: Mask = rng.random(len(rows)) < 0.3
    at = np.where(fast, sent + rng.integers(2, 110, len(rows)) * SECOND, at)
    for row, when in zip(rows.tolist(), at.tolist(), strict=True):
        who = int(messages.contact[row])
        yield OptOut(who, when, b"link_click", _address(contacts, who))


def _by_hand(
    rng: np.random.Generator, campaigns: Campaigns, contacts: Contacts, rates: Rates
) -> Iterator[OptOut]:
    """Entered by a user; some addresses belong to no contact."""
    rows = np.flatnonzero(rng.random(len(contacts.ids)) < rates.manual_optout)
    for who in rows.tolist():
        at = max(campaigns.closed[who], campaigns.created[who] + 24 * HOUR)
        stranger = rng.random() < 0.2
        address = b"office." + contacts.ids[who] + b"@example.com"
        yield OptOut(who, int(at), b"manual", address if stranger else _address(contacts, who))


@dataclass(frozen=True)
class Replies:
    """Rows of ``inbound_messages``: the message replied to, the time, and whether it is linked."""

    message: Ints
    received: Ints
    linked: Mask


def replies(rng: np.random.Generator, messages: Messages, rhythm: Rhythm, rates: Rates) -> Replies:
    """Replies that came in as mail; some could not be assigned to a campaign or contact."""
    able = np.flatnonzero(messages.accepted)
    rows = able[rng.random(len(able)) < rates.reply_inbound]
    wait = 4.0 * np.exp(rng.normal(0.0, 1.2, len(rows)))
    received = rhythm.later(messages.zone[rows], messages.finished[rows] + 60 * SECOND, wait)
    order = np.argsort(received, kind="stable")
    order = order[received[order] < rhythm.end - 10 * SECOND]
    linked: Mask = rng.random(len(order)) >= 0.08
    return Replies(rows[order], received[order] // 1000 * 1000, linked)
