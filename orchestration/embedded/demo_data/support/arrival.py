"""How reporting events reach the database: late, twice, without a value or an id."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from orchestration.embedded.demo_data.copy_text import Ints
from orchestration.embedded.demo_data.rhythm import HOUR, SECOND, Rhythm
from orchestration.embedded.demo_data.support.accounts import INBOX_KINDS, Accounts
from orchestration.embedded.demo_data.support.life import Happenings, Life, Mask
from orchestration.embedded.demo_data.support.rates import Rates
from orchestration.embedded.demo_data.support.vocabulary import CAPTAIN_EVENTS

_JOBS = 10_007


@dataclass(frozen=True)
class StoredEvents:
    """Rows of ``reporting_events`` in order of ingestion; the ``has_`` masks say what is not NULL.

    ``seconds`` and ``business_seconds`` are the values.
    """

    events: Happenings
    created: Ints
    seconds: Ints
    business_seconds: Ints
    has_value: Mask
    has_business_value: Mask
    has_conversation: Mask
    has_inbox: Mask
    has_user: Mask


def store(
    rng: np.random.Generator, events: Happenings, life: Life, accounts: Accounts, zones: Ints,
    rhythm: Rhythm, office: Rhythm, rates: Rates,
) -> StoredEvents:  # fmt: skip
    """Let the events arrive; those that would arrive after the period's end are left out."""
    created = events.at + _lag(rng, events, rates)
    twice = np.flatnonzero(rng.random(len(created)) < rates.stored_twice)
    again = created[twice] + rng.integers(10, 600, len(twice)) * SECOND
    rows = np.concatenate([np.arange(len(created)), twice])
    created = np.concatenate([created, again])
    order = np.argsort(created, kind="stable")
    order = order[created[order] < rhythm.end]
    events, created = events.take(rows[order]), created[order]
    count = len(created)

    conversation = events.conversation
    zone = zones[life.conversations.account[conversation]]
    hours = office.between(zone, events.since, events.at)
    by_schedule = np.array([kind.by_schedule for kind in INBOX_KINDS])
    by_schedule = by_schedule[accounts.kinds[life.inbox[conversation]]]
    has_value: Mask = rng.random(count) >= rates.no_value
    # The column for business hours came later, and Captain's events never fill it.
    is_old = created < rhythm.start + (rhythm.end - rhythm.start) // 12
    no_business = is_old | np.isin(events.what, CAPTAIN_EVENTS)
    return StoredEvents(
        events=events,
        created=created,
        seconds=events.at // SECOND - events.since // SECOND,
        business_seconds=np.where(by_schedule, hours * 3_600, 0).astype(np.int64),
        has_value=has_value,
        has_business_value=has_value & ~no_business,
        has_conversation=rng.random(count) >= rates.no_conversation,
        has_inbox=rng.random(count) >= rates.no_inbox,
        has_user=(events.agent >= 0) & (rng.random(count) >= rates.no_user),
    )


def _lag(rng: np.random.Generator, events: Happenings, rates: Rates) -> Ints:
    """Seconds as a rule, up to a day when the queue was stuck.

    The same for events of the same instant: one job stores a resolution and its bot copy.
    """
    lags = rng.exponential(1.5 * SECOND, _JOBS).astype(np.int64)
    late = rng.random(_JOBS) < rates.late
    lags[late] = (np.exp(rng.uniform(np.log(0.1), np.log(24.0), late.sum())) * HOUR).astype(
        np.int64
    )
    return lags[events.at % _JOBS]
