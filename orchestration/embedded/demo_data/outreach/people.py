"""Who is written to: leads, their contacts and the one campaign of each contact."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from orchestration.embedded.demo_data.copy_text import Ints, Texts, cuids, encoded, fuse, numbers
from orchestration.embedded.demo_data.names import FIRST_NAMES, LAST_NAMES
from orchestration.embedded.demo_data.outreach import vocabulary
from orchestration.embedded.demo_data.outreach.rates import Rates
from orchestration.embedded.demo_data.outreach.tenants import Tenant
from orchestration.embedded.demo_data.plan import DemoDataPlan

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Cohort:
    """All contacts of the plan as plain numbers, sorted by the begin of their lead's campaigns.

    One entry per contact: ``tenant`` (position), ``lead`` (running number, ascending),
    ``begin`` and ``finish`` of its campaign as shares of the period, ``steps`` = messages.
    """

    tenant: Ints
    lead: Ints
    begin: Floats
    finish: Floats
    steps: Ints

    def chunks(self, messages: int) -> Iterator[Cohort]:
        """Slices of whole leads with about ``messages`` messages each."""
        ends = np.cumsum(self.steps)
        last_of_lead = np.flatnonzero(np.append(np.diff(self.lead) > 0, True)) + 1
        taken = 0
        while taken < len(self.steps):
            done = int(ends[taken - 1]) if taken else 0
            fitting = int(np.searchsorted(ends[last_of_lead - 1], done + messages))
            stop = int(last_of_lead[min(fitting, len(last_of_lead) - 1)])
            yield Cohort(
                self.tenant[taken:stop],
                self.lead[taken:stop],
                self.begin[taken:stop],
                self.finish[taken:stop],
                self.steps[taken:stop],
            )
            taken = stop


def steps_per_campaign(plan: DemoDataPlan) -> int:
    """About ten messages a campaign; fewer in a short period or a small plan."""
    return max(2, min(10, plan.days // 3, plan.messages // (200 * plan.tenants)))


def plan_cohort(plan: DemoDataPlan, tenants: list[Tenant], rates: Rates) -> Cohort:
    """Spread every tenant's messages over contacts and their contacts over leads."""
    rng = np.random.default_rng([plan.seed, 1])
    parts = [_tenant_cohort(rng, plan, rates, tenant.messages) for tenant in tenants]
    sizes = [len(begin) for begin, _, _, _ in parts]
    tenant = np.repeat(np.arange(len(tenants)), sizes)
    begin, finish, steps, lead = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    first_of_lead = np.append(True, (np.diff(lead) != 0) | (np.diff(tenant) != 0))
    number = np.cumsum(first_of_lead) - 1
    order = np.lexsort((number, begin[first_of_lead][number]))
    lead = np.cumsum(np.append(0, np.diff(number[order]) != 0))
    return Cohort(tenant[order], lead, begin[order], finish[order], steps[order])


def _tenant_cohort(
    rng: np.random.Generator, plan: DemoDataPlan, rates: Rates, messages: int
) -> tuple[Floats, Floats, Ints, Ints]:
    """Begin, finish, steps and lead number of one tenant's contacts."""
    usual = steps_per_campaign(plan)
    longest = min(0.6, 30 / plan.days)
    count = int(messages / usual * 2.2) + 20
    # Campaigns may begin before the period or end after it, so that activity is even over it;
    # those have fewer steps. The factor makes up for that.
    span = longest * rng.uniform(0.5, 1.0, count)
    start = rng.uniform(-span, 1.0)
    begin, finish = np.maximum(start, 0.0), np.minimum(start + span, 1.0)
    kept = (finish - begin) / span
    factor = 1 + 0.75 * longest
    steps = np.maximum(1, np.rint(usual * factor * kept * rng.uniform(0.85, 1.15, count)))
    steps = steps.astype(np.int64)
    needed = int(np.searchsorted(np.cumsum(steps), messages)) + 1
    begin, finish, steps = begin[:needed], finish[:needed], steps[:needed]
    steps[-1] -= steps.sum() - messages
    drafts = rng.integers(0, needed, int(needed * rates.draft_campaign))
    begin, finish = (np.insert(column, drafts, column[drafts]) for column in (begin, finish))
    steps = np.insert(steps, drafts, 0)
    order = np.argsort(begin, kind="stable")
    sizes = rng.integers(5, 21, len(order) // 5 + 1)
    lead = np.repeat(np.arange(len(sizes)), sizes)[: len(order)]
    return begin[order], finish[order], steps[order], lead


@dataclass(frozen=True)
class Contacts:
    """The contacts of one chunk, a row each; their ids and texts as bytes."""

    tenant: Ints
    lead: Ints  # position in lead_ids
    lead_ids: Texts
    ids: Texts
    campaign_ids: Texts
    first_name: Ints
    last_name: Ints
    emails: list[bytes]  # as first known; the row may have lost it since
    lost_email: NDArray[np.bool_]
    by_mailbox: NDArray[np.bool_]
    keeps_status: NDArray[np.bool_]
    address: Ints  # position in vocabulary.ADDRESSES
    agent: Ints  # position in vocabulary.HUMAN_AGENTS


FIRST = encoded(FIRST_NAMES)
LAST = encoded(LAST_NAMES)


def make_contacts(rng: np.random.Generator, cohort: Cohort, number: int, rates: Rates) -> Contacts:
    """Give the contacts of a chunk names, addresses and habits.

    ``number`` is the running number of the chunk's first contact; it keeps addresses apart.
    """
    count = len(cohort.tenant)
    first = rng.integers(0, len(FIRST), count)
    last = rng.integers(0, len(LAST), count)
    suffix = numbers(np.arange(number, number + count), 7)
    emails = [
        b"%b.%b.%b@example.com" % (FIRST[f].lower(), LAST[s].lower(), n)
        for f, s, n in zip(first, last, suffix.tolist(), strict=True)
    ]
    lead = cohort.lead - cohort.lead[0]
    follows = np.append(False, np.diff(lead) == 0)
    for i in np.flatnonzero(follows & (rng.random(count) < rates.shared_email)):
        emails[i] = emails[i - 1]
    for i in np.flatnonzero(rng.random(count) < rates.untidy_email):
        emails[i] = emails[i].strip().title().replace(b"Example.Com", b"example.com") + b" "
    return Contacts(
        tenant=cohort.tenant,
        lead=lead,
        lead_ids=cuids(rng, int(lead[-1]) + 1),
        ids=cuids(rng, count),
        campaign_ids=cuids(rng, count),
        first_name=first,
        last_name=last,
        emails=emails,
        lost_email=rng.random(count) < rates.lost_email,
        by_mailbox=rng.random(count) < rates.mailbox_provider,
        keeps_status=rng.random(count) < rates.kept_status,
        address=rng.integers(0, len(vocabulary.ADDRESSES), count),
        agent=rng.integers(0, len(vocabulary.HUMAN_AGENTS), count),
    )


def dedupe_keys(tenant: Texts, campaign: Texts, contact: Texts, step: Ints) -> Texts:
    """``tenant:campaign:contact:node:email``, one per message."""
    node = numbers(step + 1, 2)
    return fuse(tenant, b":", campaign, b":", contact, b":node_", node, b":email")
