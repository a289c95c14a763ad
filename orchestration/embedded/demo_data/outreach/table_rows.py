"""The chunk's rows as COPY text, one function per table; column lists are in ``COLUMNS``."""

from __future__ import annotations

import hashlib

import numpy as np

from orchestration.embedded.demo_data.copy_text import (
    NULL,
    Ints,
    Texts,
    cuids,
    encoded,
    fuse,
    hex_ids,
    numbers,
    pick,
    rows,
    timestamps,
    where,
)
from orchestration.embedded.demo_data.outreach import event_kinds as kinds
from orchestration.embedded.demo_data.outreach import vocabulary
from orchestration.embedded.demo_data.outreach.answers import OptOut, Replies
from orchestration.embedded.demo_data.outreach.arrival import StoredEvents
from orchestration.embedded.demo_data.outreach.campaigns import STATUS, Campaigns, Transitions
from orchestration.embedded.demo_data.outreach.messages import Messages
from orchestration.embedded.demo_data.outreach.people import FIRST, LAST, Contacts, dedupe_keys
from orchestration.embedded.demo_data.outreach.tenants import Tenant

COLUMNS = {
    "tenants": "id, name, created_at, updated_at, organization_name",
    "leads": "id, name, tenant_id, created_at, updated_at, url",
    "lead_point_of_contacts": "id, lead_id, name, email, title, created_at, updated_at, "
    "email_verification_result",
    "contact_campaigns": "id, tenant_id, lead_id, contact_id, channel, status, current_node_id, "
    "plan_json, plan_hash, started_at, completed_at, created_at, updated_at",
    "outbound_messages": "id, tenant_id, campaign_id, contact_id, channel, provider_message_id, "
    "dedupe_key, content, state, scheduled_at, sent_at, error_at, last_error, created_at, "
    "updated_at",
    "message_events": "id, tenant_id, message_id, type, event_at, data, created_at, updated_at, "
    "sg_event_id",
    "campaign_transitions": "id, tenant_id, campaign_id, from_status, to_status, reason, "
    "occurred_at, created_at, updated_at",
    "contact_unsubscribes": "id, tenant_id, channel, channel_value, unsubscribed_at, "
    "unsubscribe_source, campaign_id, contact_id, ip_address, user_agent, created_at",
    "inbound_messages": "id, tenant_id, campaign_id, contact_id, channel, provider_message_id, "
    "received_at, subject, body_text, created_at, updated_at",
}
TABLES = tuple(COLUMNS)

_TAB = b"\t"
_VERIFIED = (b"valid", b"valid", b"valid", b"ok_for_all", b"unknown", b"inferred", b"invalid")


def tenant_rows(tenants: list[Tenant], start: int) -> bytes:
    """All tenants, created at the period's start."""
    at = timestamps(np.full(len(tenants), start), 6)
    names = encoded(tenant.name for tenant in tenants)
    ids = encoded(tenant.id for tenant in tenants)
    return rows(ids, _TAB, names, _TAB, at, _TAB, at, _TAB, names)


def people_rows(
    rng: np.random.Generator, contacts: Contacts, campaigns: Campaigns, tenant_ids: Texts,
    start: int,
) -> tuple[bytes, bytes]:  # fmt: skip
    """Rows of ``leads`` and of ``lead_point_of_contacts``."""
    known = start + ((campaigns.created - start) * rng.random(len(contacts.ids))).astype(np.int64)
    first = np.flatnonzero(np.append(True, np.diff(contacts.lead) > 0))
    found = np.minimum.reduceat(known, first)
    found = start + ((found - start) * rng.random(len(first))).astype(np.int64)
    one = rng.integers(0, len(vocabulary.COMPANY_FIRST), len(first))
    two = rng.integers(0, len(vocabulary.COMPANY_SECOND), len(first))
    word_one = pick(encoded(vocabulary.COMPANY_FIRST), one)
    word_two = pick(encoded(vocabulary.COMPANY_SECOND), two)
    at = timestamps(found // 1000 * 1000, 6)
    leads = rows(
        contacts.lead_ids, _TAB, word_one, b" ", word_two, _TAB,
        tenant_ids[contacts.tenant[first]], _TAB, at, _TAB, at, b"\thttps://",
        word_one, b"-", word_two, b".example.com",
    )  # fmt: skip
    emails = np.array(contacts.emails, dtype="S")
    at = timestamps(known // 1000 * 1000, 6)
    people = rows(
        contacts.ids, _TAB, contacts.lead_ids[contacts.lead], _TAB,
        pick(FIRST, contacts.first_name), b" ", pick(LAST, contacts.last_name), _TAB,
        where(~contacts.lost_email, emails), _TAB,
        pick(encoded(vocabulary.JOB_TITLES), rng.integers(0, 6, len(contacts.ids))),
        _TAB, at, _TAB, at, _TAB, pick(_VERIFIED, rng.integers(0, 7, len(contacts.ids))),
    )  # fmt: skip
    return leads, people


def campaign_rows(
    contacts: Contacts, campaigns: Campaigns, tenants: list[Tenant], tenant_ids: Texts
) -> bytes:
    """Rows of ``contact_campaigns``; ``updated_at`` lags behind, as it does in the application."""
    plans = encoded(
        f'{{"version":"1.0","timezone":"{tenant.zone}","startNodeId":"node_01"}}'
        for tenant in tenants
    )
    hashes = encoded(hashlib.sha256(plan).hexdigest() for plan in plans)
    created = timestamps(campaigns.created // 1000 * 1000, 6)
    completed = (campaigns.status == STATUS.index(b"completed")) & (campaigns.closed > 0)
    started = timestamps(campaigns.started // 1000 * 1000, 3)
    closed = timestamps(campaigns.closed // 1000 * 1000, 3)
    node = fuse(b"node_", numbers(np.maximum(campaigns.steps_done, 1), 2))
    return rows(
        fuse(
            contacts.campaign_ids, _TAB, tenant_ids[contacts.tenant], _TAB,
            contacts.lead_ids[contacts.lead], _TAB, contacts.ids, b"\temail\t",
        ),
        pick(STATUS, campaigns.status), _TAB, node, _TAB,
        pick(plans, contacts.tenant), _TAB, pick(hashes, contacts.tenant), _TAB,
        where(campaigns.started > 0, started), _TAB, where(completed, closed),
        fuse(_TAB, created, _TAB, created),
    )  # fmt: skip


def message_rows(
    rng: np.random.Generator, messages: Messages, contacts: Contacts, tenant_ids: Texts
) -> bytes:
    """Rows of ``outbound_messages`` as the application leaves them after the send."""
    tenant = tenant_ids[messages.tenant]
    campaign = contacts.campaign_ids[messages.contact]
    contact = contacts.ids[messages.contact]
    created = timestamps(messages.created, 3)
    finished = timestamps(messages.finished, 3)
    by_mailbox = messages.by_mailbox & messages.sent
    provider = where(messages.sent & ~by_mailbox, messages.provider_ids)
    provider[by_mailbox] = hex_ids(rng, int(by_mailbox.sum()), 16)
    written = messages.sent | messages.failed
    name = [
        b'","body":"Hello %b, ...","to":"%b","toName":"%b %b"}\t' % (first, email, first, last)
        for first, last, email in zip(
            pick(FIRST, contacts.first_name),
            pick(LAST, contacts.last_name),
            (email.strip().lower() for email in contacts.emails),
            strict=True,
        )
    ]
    state = np.select([messages.sent, messages.failed], [0, 1], 2)
    errors = (*encoded(vocabulary.FAILURES), NULL)
    failure = np.where(messages.failed, rng.integers(0, 4, len(state)), 4)
    subject = np.minimum(messages.step, len(vocabulary.SUBJECTS) - 1)
    return rows(
        fuse(messages.ids, _TAB, tenant, _TAB, campaign, _TAB, contact, b"\temail\t"),
        provider,
        fuse(
            _TAB, dedupe_keys(tenant, campaign, contact, messages.step),
            b'\t{"subject":"',
        ),
        pick(encoded(vocabulary.SUBJECTS), subject),
        pick(name, messages.contact),
        pick((b"sent", b"failed", b"queued"), state),
        fuse(_TAB, created, _TAB),
        where(messages.sent, finished), _TAB,
        where(messages.failed, finished), _TAB,
        pick(errors, failure),
        fuse(_TAB, created, _TAB, np.where(written, finished, created)),
    )  # fmt: skip


def event_rows(
    rng: np.random.Generator, stored: StoredEvents, messages: Messages, contacts: Contacts,
    tenant_ids: Texts,
) -> bytes:  # fmt: skip
    """Rows of ``message_events``; ``data`` is the provider's event plus three fields."""
    events = stored.events
    at = timestamps(events.at, 0)
    created = timestamps(stored.created, 6)
    seconds = numbers(events.at // 1_000_000, 10)
    seconds[events.at == 0] = b"%10d" % 0  # JSON allows blanks, not leading zeros
    message_ids = messages.ids[events.message]
    contact = messages.contact[events.message]
    emails = [b'"email":"%b",' % email.strip().lower() for email in contacts.emails]
    tenant = tenant_ids[stored.tenant]
    return rows(
        fuse(cuids(rng, len(at)), _TAB, tenant, _TAB, message_ids, _TAB),
        pick(kinds.KIND_TEXTS, events.kind),
        fuse(_TAB, at, _TAB),
        pick(kinds.KIND_JSON, events.kind),
        pick(emails, contact),
        pick(kinds.ADDRESS_JSON, events.address),
        pick(kinds.AGENT_JSON, events.agent),
        pick(kinds.LINK_JSON, events.link),
        pick(kinds.DETAIL_JSON, events.detail),
        fuse(
            b'"timestamp":', seconds, b',"outbound_message_id":"',
            message_ids,
            b'","provider":"sendgrid","processedAt":"', timestamps(stored.created, 3, b"T"),
            b'Z"}\t', created, _TAB, created, _TAB,
        ),
        stored.provider_event_ids,
    )  # fmt: skip


def transition_rows(
    rng: np.random.Generator, transitions: Transitions, contacts: Contacts, tenant_ids: Texts
) -> bytes:
    """Rows of ``campaign_transitions``."""
    contact = transitions.contact
    created = timestamps(transitions.created, 6)
    return rows(
        fuse(
            cuids(rng, len(contact)), _TAB, tenant_ids[contacts.tenant[contact]], _TAB,
            contacts.campaign_ids[contact], _TAB,
        ),
        pick((*STATUS, NULL), transitions.from_status), _TAB,
        pick(STATUS, transitions.to_status), _TAB,
        transitions.reason,
        fuse(_TAB, timestamps(transitions.occurred, 3), _TAB, created, _TAB, created),
    )  # fmt: skip


def opt_out_rows(
    rng: np.random.Generator, found: list[OptOut], contacts: Contacts, tenant_ids: Texts
) -> bytes:
    """Rows of ``contact_unsubscribes``; the number of rows is ``len(found)``."""
    agents = encoded(vocabulary.HUMAN_AGENTS)
    addresses = encoded(vocabulary.ADDRESSES)
    who = np.array([row.contact for row in found], np.int64)
    source = np.array([row.source for row in found], "S20")
    by_link = source == b"link_click"
    at = timestamps(np.array([row.at for row in found], np.int64) // 1000 * 1000, 6)
    return rows(
        fuse(cuids(rng, len(found)), _TAB, tenant_ids[contacts.tenant[who]], b"\temail\t"),
        [row.address for row in found], _TAB, at, _TAB, source, _TAB,
        where(source != b"manual", contacts.campaign_ids[who]), _TAB,
        where(source == b"sendgrid_webhook", contacts.ids[who]), _TAB,
        where(by_link, np.array(addresses)[contacts.address[who]]), _TAB,
        where(by_link, np.array(agents)[contacts.agent[who]]), _TAB,
        at,
    )  # fmt: skip


def reply_rows(
    rng: np.random.Generator, found: Replies, messages: Messages, contacts: Contacts,
    tenant_ids: Texts,
) -> bytes:  # fmt: skip
    """Rows of ``inbound_messages``."""
    contact = messages.contact[found.message]
    received = timestamps(found.received, 3)
    created: Ints = found.received + rng.integers(100_000, 9_000_000, len(contact))
    stored = timestamps(created, 6)
    subject = np.minimum(messages.step[found.message], len(vocabulary.SUBJECTS) - 1)
    return rows(
        fuse(cuids(rng, len(contact)), _TAB, tenant_ids[messages.tenant[found.message]], _TAB),
        where(found.linked, contacts.campaign_ids[contact]), _TAB,
        where(found.linked, contacts.ids[contact]), b"\temail\t",
        hex_ids(rng, len(contact), 16), _TAB, received, b"\tRe: ",
        pick(encoded(vocabulary.SUBJECTS), subject),
        b"\tThanks for your note.\t", stored, _TAB, stored,
    )  # fmt: skip
