"""The messages of a chunk: when the application made them and what became of the sending."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from orchestration.embedded.demo_data.copy_text import Ints, Texts, cuids, provider_ids
from orchestration.embedded.demo_data.outreach.people import Cohort, Contacts
from orchestration.embedded.demo_data.outreach.rates import Rates
from orchestration.embedded.demo_data.rhythm import SECOND, Rhythm

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Messages:
    """A row per message, in order of creation. Instants are microseconds since 1970, UTC.

    ``state`` is what the row says at the end of the period (``sent``, ``failed`` or
    ``queued``); ``accepted`` is whether the provider took the mail and reports on it.
    """

    contact: Ints
    tenant: Ints
    zone: Ints
    step: Ints
    is_last: Mask
    ids: Texts
    provider_ids: Texts
    created: Ints
    finished: Ints  # when the application heard from the provider
    sent: Mask
    failed: Mask
    by_mailbox: Mask
    accepted: Mask


def make_messages(
    rng: np.random.Generator, cohort: Cohort, contacts: Contacts, rhythm: Rhythm, rates: Rates,
    zone_of_tenant: Ints,
) -> Messages:  # fmt: skip
    """Spread each contact's messages evenly over its campaign, at office hours."""
    contact = np.repeat(np.arange(len(cohort.steps)), cohort.steps)
    first = np.cumsum(cohort.steps) - cohort.steps
    step = np.arange(len(contact)) - first[contact]
    steps = cohort.steps[contact]
    share = (step + rng.uniform(0.05, 0.95, len(contact))) / steps
    begin, finish = cohort.begin[contact], cohort.finish[contact]
    zone = zone_of_tenant[contacts.tenant[contact]]
    created = rhythm.at(zone, begin + (finish - begin) * share) // 1000 * 1000
    created = np.minimum(created, rhythm.end - 1000)
    order = np.argsort(created, kind="stable")
    contact, step, steps, zone, created = (
        column[order] for column in (contact, step, steps, zone, created)
    )
    count = len(contact)
    finished = created + rng.integers(400, 2_500, count) * 1000
    known = finished <= rhythm.end
    by_mailbox = contacts.by_mailbox[contact]
    luck = rng.random(count)
    limits = np.cumsum(
        [rates.failed, rates.failed_but_sent, rates.crashed_but_sent, rates.stuck_in_queue]
    )
    fate = np.searchsorted(limits, luck, side="right")  # 4 = sent as usual
    return Messages(
        contact=contact,
        tenant=contacts.tenant[contact],
        zone=zone,
        step=step,
        is_last=step == steps - 1,
        ids=cuids(rng, count),
        provider_ids=provider_ids(rng, count),
        created=created,
        finished=finished,
        sent=known & (fate == 4),
        failed=known & (fate <= 1),
        by_mailbox=by_mailbox,
        accepted=~by_mailbox & np.isin(fate, (1, 2, 4)),
    )


def accepted_at(messages: Messages) -> Ints:
    """When the provider took the mail: shortly before the application noted it."""
    return np.maximum(messages.created, messages.finished - SECOND // 4)
