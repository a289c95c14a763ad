"""How events reach the database: late, twice, without an id, for the wrong tenant."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from orchestration.embedded.demo_data.copy_text import (
    NULL,
    Ints,
    Texts,
    cuids,
    fuse,
    numbers,
    provider_ids,
)
from orchestration.embedded.demo_data.outreach import event_kinds as kinds
from orchestration.embedded.demo_data.outreach.events import Events
from orchestration.embedded.demo_data.outreach.messages import Mask, Messages
from orchestration.embedded.demo_data.outreach.rates import Rates
from orchestration.embedded.demo_data.rhythm import HOUR, SECOND, Rhythm

_DAY = 24 * HOUR
_ID_WIDTH = "S40"


@dataclass(frozen=True)
class StoredEvents:
    """Rows of ``message_events`` in order of ingestion; ``created`` in microseconds, UTC."""

    events: Events
    tenant: Ints
    created: Ints
    provider_event_ids: Texts  # \\N where the row has none


def store(
    rng: np.random.Generator, events: Events, messages: Messages, rhythm: Rhythm, rates: Rates,
    tenants: int,
) -> StoredEvents:  # fmt: skip
    """Let the events arrive; those that would arrive after the period's end are left out."""
    created = events.at + _lag(rng, len(events.at), rates.late)
    arrived = created < rhythm.end
    events, created = events.take(arrived), created[arrived]
    ids = _first_ids(rng, events, created, rhythm, rates)

    rows, copies_created, copies_ids = _copies(rng, created, ids, rates)
    rows = np.concatenate([np.arange(len(created)), rows])
    created = np.concatenate([created, copies_created])
    ids = np.concatenate([ids, copies_ids])
    order = np.argsort(created, kind="stable")
    order = order[created[order] < rhythm.end]
    events, created, ids = events.take(rows[order]), created[order], ids[order]

    events = _oddities(rng, events, rates)
    tenant = messages.tenant[events.message]
    if tenants > 1:
        foreign = rng.random(len(tenant)) < rates.foreign_tenant
        shift = rng.integers(1, tenants, len(tenant))
        tenant = np.where(foreign, (tenant + shift) % tenants, tenant)
    return StoredEvents(events, tenant, created, ids)


def _lag(rng: np.random.Generator, count: int, late: float) -> Ints:
    """Seconds as a rule, ten minutes to seven days for the late ones; in microseconds."""
    lag = 1.0 + rng.exponential(6.0, count)
    is_late = rng.random(count) < late
    lag[is_late] = np.exp(rng.uniform(np.log(600.0), np.log(7 * 86_400.0), is_late.sum()))
    return (lag * SECOND).astype(np.int64)


def _first_ids(
    rng: np.random.Generator, events: Events, created: Ints, rhythm: Rhythm, rates: Rates
) -> Texts:
    """Provider event ids: none on old rows (the column came later), made up for a few."""
    count = len(created)
    ids = provider_ids(rng, count).astype(_ID_WIDTH)
    opt_out = np.isin(events.kind, kinds.OPT_OUTS)
    made_up = rng.random(count) < np.where(opt_out, 0.2, rates.generated_id)
    ids[made_up] = _generated_ids(rng, created[made_up])
    ids[rng.random(count) < rates.empty_id] = b""
    old = created < rhythm.start + (rhythm.end - rhythm.start) // 12
    ids[old | np.isin(events.kind, kinds.SYNTHETIC)] = NULL
    return ids


def _generated_ids(rng: np.random.Generator, created: Ints) -> Texts:
    tail = cuids(rng, len(created)).astype("S9")
    return fuse(b"generated_", numbers(created // 1000, 13), b"_", tail)


def _copies(
    rng: np.random.Generator, created: Ints, ids: Texts, rates: Rates
) -> tuple[Ints, Ints, Texts]:
    """Rows delivered again: position of the first copy, ingestion time and id of the others."""
    luck = rng.random(len(created))
    chosen = np.flatnonzero(luck < rates.copied_same_id + rates.copied_new_id)
    rows = np.repeat(chosen, np.minimum(rng.geometric(0.8, len(chosen)), 6))
    wait = np.exp(rng.uniform(0.0, np.log(29 * 3600.0), len(rows))) * SECOND
    wait[rng.random(len(rows)) < 0.3] = 0  # two copies in one batch
    again = created[rows] + wait.astype(np.int64)
    new_ids = ids[rows]
    renamed = (luck[rows] >= rates.copied_same_id) & (new_ids != NULL)
    new_ids[renamed] = provider_ids(rng, int(renamed.sum()))
    made_up: Mask = np.char.startswith(ids[rows], b"generated_")
    new_ids[made_up] = _generated_ids(rng, again[made_up])  # a redelivery gets a new one
    return rows, again, new_ids


def _oddities(rng: np.random.Generator, events: Events, rates: Rates) -> Events:
    """Types nobody knows, untidy spellings, and clocks that are years ahead or at zero."""
    kind, at = events.kind.copy(), events.at.copy()
    luck = rng.random(len(kind))
    shares = (rates.unknown_type, rates.provider_noise, rates.untidy_type)
    case = np.searchsorted(np.cumsum(shares), luck, side="right")
    kind[case == 0] = rng.choice(kinds.UNKNOWN, (case == 0).sum())
    kind[case == 1] = rng.choice(kinds.PROVIDER_NOISE, (case == 1).sum())
    for usual, untidy in kinds.UNTIDY.items():
        kind[(case == 2) & (kind == usual)] = untidy
    clock = np.searchsorted(np.cumsum((rates.far_future, rates.zero_time)), rng.random(len(kind)))
    at[clock == 0] += rng.integers(30, 3_000, (clock == 0).sum()) * _DAY
    at[clock == 1] = 0
    return Events(
        events.message, kind, at, events.agent, events.address, events.link, events.detail
    )
