"""What becomes of the campaigns: their times, their status and the transitions logged."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from orchestration.embedded.demo_data.copy_text import (
    NULL,
    Ints,
    Texts,
    fuse,
    numbers,
)
from orchestration.embedded.demo_data.outreach import event_kinds as kinds
from orchestration.embedded.demo_data.outreach.arrival import StoredEvents
from orchestration.embedded.demo_data.outreach.events import NEVER
from orchestration.embedded.demo_data.outreach.messages import Mask, Messages
from orchestration.embedded.demo_data.outreach.people import Cohort, Contacts
from orchestration.embedded.demo_data.outreach.rates import Rates
from orchestration.embedded.demo_data.rhythm import HOUR, SECOND, Rhythm

STATUS = (b"draft", b"active", b"paused", b"completed", b"stopped", b"error")
DRAFT, ACTIVE, PAUSED, COMPLETED, STOPPED, ERROR = range(6)
_REASON = (NULL, b"Resumed by user", b"Paused by user", b"All steps done", b"Contact opted out")
_REASONS = np.array((*_REASON, b"Sending failed"))


@dataclass(frozen=True)
class Campaigns:
    """One row per contact of the chunk. Instants are microseconds, UTC; 0 = none.

    ``closed`` is when the final ``status`` (a position in ``STATUS``) was reached.
    """

    created: Ints
    started: Ints
    closed: Ints
    status: Ints
    steps_done: Ints


def make_campaigns(
    rng: np.random.Generator, cohort: Cohort, messages: Messages, stored: StoredEvents,
    rhythm: Rhythm,
) -> Campaigns:  # fmt: skip
    """Times and final status, as the messages and opt-outs of each contact suggest."""
    count = len(cohort.steps)
    first, last = np.full(count, NEVER), np.zeros(count, np.int64)
    np.minimum.at(first, messages.contact, messages.created)
    np.maximum.at(last, messages.contact, messages.finished)
    is_draft = cohort.steps == 0
    drafted = rhythm.start + (cohort.begin * (rhythm.end - rhythm.start)).astype(np.int64)
    begun = np.where(is_draft, np.minimum(drafted, rhythm.end - SECOND), first)
    started = np.maximum(rhythm.start, begun - rng.integers(1, 60, count) * SECOND)
    created = np.maximum(rhythm.start, started - rng.integers(0, 24 * 3600, count) * SECOND)

    opted_out = np.zeros(count, bool)
    out = np.isin(stored.events.kind, kinds.OPT_OUTS)
    opted_out[messages.contact[stored.events.message[out]]] = True
    luck = rng.random(count)
    status = np.select(
        [is_draft, luck < 0.01, luck < 0.04, opted_out], [DRAFT, ERROR, PAUSED, STOPPED], COMPLETED
    )
    wait = np.where(status == COMPLETED, 72, 12) * HOUR
    closed = last + (wait * rng.uniform(0.9, 1.1, count)).astype(np.int64)
    running = ~is_draft & ((closed >= rhythm.end) | (cohort.finish >= 1.0))
    status[running] = ACTIVE
    closed[running | is_draft] = 0
    return Campaigns(created, np.where(is_draft, 0, started), closed, status, cohort.steps)


@dataclass(frozen=True)
class Transitions:
    """Rows of ``campaign_transitions`` in order of ingestion; from-status -1 = NULL."""

    contact: Ints
    from_status: Ints
    to_status: Ints
    reason: list[bytes]
    occurred: Ints
    created: Ints


def make_transitions(
    rng: np.random.Generator, contacts: Contacts, messages: Messages, stored: StoredEvents,
    campaigns: Campaigns, rhythm: Rhythm, rates: Rates,
) -> Transitions:  # fmt: skip
    """Steps taken for an open or a timeout, and real status changes of some campaigns."""
    steps = _steps(rng, messages, stored)
    changes = _status_changes(rng, contacts, campaigns)
    contact, before, after, occurred, created = (
        np.concatenate(columns) for columns in zip(steps[:-1], changes[:-1], strict=True)
    )
    reason = np.concatenate([steps[-1], changes[-1]])
    twice = np.flatnonzero(rng.random(len(contact)) < rates.transition_twice)
    rows = np.concatenate([np.arange(len(contact)), twice])
    retried = rng.integers(1, 40, len(twice)) * SECOND
    created = np.concatenate([created, created[twice] + retried])
    order = np.argsort(created, kind="stable")
    order = order[created[order] < rhythm.end]
    rows = rows[order]
    return Transitions(
        contact[rows], before[rows], after[rows], reason[rows].tolist(), occurred[rows],
        created[order],
    )  # fmt: skip


_Columns = tuple[Ints, Ints, Ints, Ints, Ints, Texts]


def _steps(rng: np.random.Generator, messages: Messages, stored: StoredEvents) -> _Columns:
    """From each message to the next: because it was opened, or after 72 hours.

    A timeout carries the time of the send, not the time it was noticed.
    """
    opened = np.full(len(messages.ids), NEVER)
    opens = stored.events.kind == kinds.KIND["open"]
    np.minimum.at(opened, stored.events.message[opens], stored.created[opens])
    rows = np.flatnonzero(~messages.is_last & (messages.sent | messages.accepted))
    due = messages.finished[rows] + 72 * HOUR
    engaged: Mask = opened[rows] < due
    occurred = np.where(engaged, opened[rows], messages.finished[rows]) // 1000 * 1000 + 40_000
    created = np.where(engaged, occurred, due) + rng.integers(1_000, SECOND, len(rows))
    source, target = numbers(messages.step[rows] + 1, 2), numbers(messages.step[rows] + 2, 2)
    move = fuse(b" - transition from node_", source, b" to node_", target)
    job = numbers(rng.integers(0, 10**8, len(rows)), 8)
    reason = np.where(
        engaged,
        fuse(b"Event: open", move),
        fuse(b"Timeout: no_open", move, b" (job: timeout-", job, b")"),
    )
    nothing, active = np.full(len(rows), -1), np.full(len(rows), ACTIVE)
    return messages.contact[rows], nothing, active, occurred, created, reason


def _status_changes(rng: np.random.Generator, contacts: Contacts, campaigns: Campaigns) -> _Columns:
    """Started, sometimes paused and resumed, and closed, for campaigns that log it."""
    keeps = np.flatnonzero(contacts.keeps_status & (campaigns.started > 0))
    closed = keeps[campaigns.closed[keeps] > 0]
    length = campaigns.closed[closed] - campaigns.started[closed]
    rests: Mask = rng.random(len(closed)) < 0.3
    resting, length = closed[rests], length[rests]
    rest = campaigns.started[resting]
    status = campaigns.status
    parts = (
        (keeps, DRAFT, ACTIVE, campaigns.started[keeps]),
        (resting, ACTIVE, PAUSED, rest + length // 3),
        (resting, PAUSED, ACTIVE, rest + length // 2),
        (closed, ACTIVE, status[closed], campaigns.closed[closed]),
    )
    contact, before, after, occurred = (
        np.concatenate([np.broadcast_to(part[i], len(part[0])) for part in parts]) for i in range(4)
    )
    occurred = occurred // 1000 * 1000
    created = occurred + rng.integers(500, 9_000, len(occurred))
    after = after.astype(np.int64)
    reason = np.where(before == DRAFT, NULL, _REASONS[after])
    return contact, before, after, occurred, created, reason
