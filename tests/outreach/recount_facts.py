"""The outreach definitions in plain Python: which events count, and what became of each message.

Used by :mod:`tests.outreach.recount`. Rows are plain objects, times are aware datetimes in UTC.
Nothing here looks at the dbt models; the rules come from the seeds.
"""

from __future__ import annotations

import json
import re
from collections import defaultdict, namedtuple
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import pandas as pd

from tests.outreach.admission import LONGEST_ID

NOBODY = "__none__"
ONE_DAY = timedelta(days=1)
PROMPT = timedelta(seconds=120)
Id = tuple[str, str]
"""Tenant and id."""
PROOFS_OF_SENDING = ("delivered", "open", "click", "bounce")
RULE_SEEDS = ("event_type_map", "machine_rules", "provider_capabilities")


class Rules:
    """The three seeds in the form the recount asks them; None or empty means there is no rule."""

    def __init__(self, seeds: Mapping[str, pd.DataFrame], first_instant: datetime) -> None:
        self.first_instant = first_instant
        self.kind_of = {
            _plain(row.raw_type): row.canonical_type
            for row in rows_of(seeds["event_type_map"])
            if row.canonical_type != "ignored"
        }
        self.agents: dict[str, list[str]] = {"open": [], "click": []}
        self.delay: dict[str, timedelta | None] = {"open": None, "click": None}
        self.click_urls: float | None = None
        for row in rows_of(seeds["machine_rules"]):
            if row.kind == "user_agent" and row.value:
                self.agents[row.applies_to].append(str(row.value).lower())
            elif row.kind == "seconds_after_delivered":
                delay = timedelta(seconds=float(row.value))
                known = self.delay[row.applies_to]
                self.delay[row.applies_to] = delay if known is None else max(known, delay)
            elif row.kind == "distinct_urls_per_second" and row.applies_to == "click":
                urls = float(row.value)
                self.click_urls = urls if self.click_urls is None else min(self.click_urls, urls)
        self.reporting = [
            re.compile(str(row.provider_message_id_pattern))
            for row in rows_of(seeds["provider_capabilities"])
            if str(row.reports_events).lower() in ("true", "t", "1", "yes")
        ]

    def is_possible(self, at: datetime | None, came_in_at: datetime | None) -> bool:
        """Whether a time is one that can be counted: no earlier than the first, no day ahead."""
        if at is None or came_in_at is None:
            return False
        return self.first_instant <= at <= came_in_at + ONE_DAY

    def is_machine_agent(self, kind: str, agent: str) -> bool:
        """Whether a user agent contains a listed piece of text, in any case of letters."""
        return any(piece in agent.lower() for piece in self.agents[kind])

    def reports_events(self, provider_message_id: str | None) -> bool:
        """Whether the id has the shape of a provider that reports what became of a message."""
        return provider_message_id is not None and any(
            pattern.search(provider_message_id) for pattern in self.reporting
        )


def rows_of(frame: pd.DataFrame) -> list[Any]:
    """The rows of a frame, with its columns as attributes; every missing value is None."""
    row = namedtuple("row", frame.columns)  # pyright: ignore[reportUntypedNamedTuple]
    columns = []
    for name in frame.columns:
        cells = frame[name]
        if isinstance(cells.dtype, pd.DatetimeTZDtype):
            cells = pd.Series(cells.dt.to_pydatetime(), index=frame.index, dtype=object)
        columns.append(cells.astype(object).where(cells.notna(), None).tolist())
    return [row(*cells) for cells in zip(*columns, strict=True)]


def _plain(text: str) -> str:
    return text.strip(" ").lower()


@dataclass(slots=True)
class Event:
    """A counted event; ``url``, ``ip`` and ``agent`` are empty on anything but open and click."""

    id: str
    kind: str
    event_at: datetime
    created_at: datetime
    data: dict[str, Any]
    url: str = ""
    ip: str = ""
    agent: str = ""
    is_machine: bool = False

    @property
    def order(self) -> tuple[datetime, datetime, str]:
        """The order in which "the first of a kind" is chosen."""
        return self.event_at, self.created_at, self.id


@dataclass(slots=True)
class Message:
    """A message and its counted events. ``sent_at`` is None unless it counts as a send."""

    id: str
    tenant_id: str
    campaign_id: str
    contact_id: str
    channel: str
    state: str
    sent_at: datetime | None
    error_at: datetime | None
    provider_reports: bool
    events: list[Event] = field(default_factory=list)

    def of(self, *kinds: str) -> list[Event]:
        """Its counted events of these kinds, first of a kind first."""
        return sorted((e for e in self.events if e.kind in kinds), key=lambda event: event.order)

    def first(self, *kinds: str) -> datetime | None:
        """When the first of these happened."""
        return min((e.event_at for e in self.events if e.kind in kinds), default=None)

    @property
    def implied_sent_at(self) -> datetime | None:
        return None if self.state == "sent" else self.first(*PROOFS_OF_SENDING)

    @property
    def failed_at(self) -> datetime | None:
        if self.state != "failed" or self.implied_sent_at is not None:
            return None
        return self.error_at

    @property
    def is_trackable(self) -> bool:
        return self.provider_reports or bool(self.events)

    @property
    def is_block(self) -> bool:
        bounces = self.of("bounce")
        return bool(bounces) and _text(bounces[0].data, "type").lower() in ("blocked", "soft")


def _text(data: Mapping[str, Any], name: str) -> str:
    value = data.get(name)
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value)


def _object(data: Any) -> dict[str, Any]:
    if isinstance(data, str):
        try:
            data = json.loads(data)
        except ValueError:  # text that is no object: the database's own JSON strings
            return {}
    return data if isinstance(data, dict) else {}


def is_readable(data: Any) -> bool:
    """Whether a database can take the texts in it: no NUL, no half of a character."""
    if isinstance(data, str):
        return "\0" not in data and not any("\ud800" <= letter <= "\udfff" for letter in data)
    if isinstance(data, dict):
        return all(is_readable(part) for pair in data.items() for part in pair)
    return all(is_readable(part) for part in data) if isinstance(data, list) else True


def messages_of(rows: Iterable[Any], rules: Rules) -> dict[Id, Message]:
    """The messages by tenant and id, without events yet, from rows of ``outbound_messages``."""
    messages = {}
    for row in rows:
        sent_at = row.sent_at if row.state == "sent" else None
        error_at = row.error_at or row.updated_at
        messages[row.tenant_id, row.id] = Message(
            id=row.id,
            tenant_id=row.tenant_id,
            campaign_id=row.campaign_id or NOBODY,
            contact_id=row.contact_id or NOBODY,
            channel=row.channel or NOBODY,
            state=row.state,
            sent_at=sent_at if rules.is_possible(sent_at, row.updated_at) else None,
            error_at=error_at if rules.is_possible(error_at, row.updated_at) else None,
            provider_reports=rules.reports_events(row.provider_message_id),
        )
    return messages


def attach_events(rows: Iterable[Any], messages: Mapping[Id, Message], rules: Rules) -> None:
    """Give each message its eligible events without their copies, machines recognised."""
    seen_ids: set[tuple[str, str]] = set()
    seen_prints: set[tuple[Any, ...]] = set()
    dated = [row for row in rows if row.created_at is not None]
    for row in sorted(dated, key=lambda row: (row.created_at, row.id)):
        message = messages.get((row.tenant_id, row.message_id))
        kind = rules.kind_of.get(_plain(row.type or ""))
        if message is None or kind is None or not is_readable(row.data):
            continue
        if not rules.is_possible(row.event_at, row.created_at):
            continue
        provider_id = row.sg_event_id
        if provider_id and len(provider_id.encode()) > LONGEST_ID:
            provider_id = None
        if provider_id and not provider_id.startswith("generated_"):
            if (row.tenant_id, provider_id) in seen_ids:
                continue
            seen_ids.add((row.tenant_id, provider_id))
        data = _object(row.data)
        event = Event(row.id, kind, row.event_at, row.created_at, data)
        if kind in ("open", "click"):
            event.url, event.ip = _text(data, "url"), _text(data, "ip")
            event.agent = _text(data, "useragent")
        fingerprint = (message.id, kind, event.event_at, event.url, event.ip, event.agent)
        if fingerprint not in seen_prints:
            seen_prints.add(fingerprint)
            message.events.append(event)
    for message in messages.values():
        _mark_machines(message, rules)


def _mark_machines(message: Message, rules: Rules) -> None:
    delivered_at = message.first("delivered")
    urls: dict[tuple[str, str, datetime], set[str]] = defaultdict(set)
    for click in message.of("click"):
        urls[click.ip, click.agent, click.event_at.replace(microsecond=0)].add(click.url)
    for event in message.of("open", "click"):
        delay = rules.delay[event.kind]
        same_second = urls[event.ip, event.agent, event.event_at.replace(microsecond=0)]
        event.is_machine = rules.is_machine_agent(event.kind, event.agent)
        if delivered_at is not None and delay is not None:
            event.is_machine |= event.event_at <= delivered_at + delay
        if event.kind == "open":
            event.is_machine |= _text(event.data, "sg_machine_open").lower() == "true"
        elif rules.click_urls is not None:
            event.is_machine |= len(same_second) >= rules.click_urls


class Evidence(NamedTuple):
    """Somebody opted out or came back. Sorts by time, out before in, id of the source row."""

    occurred_at: datetime
    is_return: bool
    source_id: str
    message: Message | None
    campaign_id: str
    contact_id: str


class OptOut(NamedTuple):
    """The first evidence of an episode, attributed."""

    tenant_id: str
    campaign_id: str
    contact_id: str
    channel: str
    occurred_at: datetime
    is_suspected_bot: bool


def opt_outs(
    messages: Mapping[Id, Message], tables: Mapping[str, pd.DataFrame], rules: Rules
) -> list[OptOut]:
    """One opt-out per episode of (tenant, channel, address)."""
    history: dict[tuple[str, str, str], list[Evidence]] = defaultdict(list)
    address_of, contacts_at = _addresses(tables)
    for message in messages.values():
        for event in message.of("unsubscribe", "resubscribe"):
            person = address_of.get(message.contact_id) or f"\0{message.contact_id}"
            history[message.tenant_id, message.channel, person].append(
                Evidence(
                    event.event_at,
                    event.kind == "resubscribe",
                    event.id,
                    message,
                    message.campaign_id,
                    message.contact_id,
                )
            )
    campaigns = tables["contact_campaigns"]
    contact_of_campaign = dict(zip(campaigns["id"], campaigns["contact_id"], strict=True))
    for row in rows_of(tables["contact_unsubscribes"]):
        if not rules.is_possible(row.unsubscribed_at, row.created_at):
            continue
        address = _plain(row.channel_value or "")
        namesakes = contacts_at.get((str(row.tenant_id), address), [])
        contact = (
            contact_of_campaign.get(row.campaign_id)
            or row.contact_id
            or (namesakes[0] if len(namesakes) == 1 else NOBODY)
        )
        campaign = row.campaign_id or NOBODY
        evidence = Evidence(row.unsubscribed_at, False, row.id, None, campaign, contact)
        history[str(row.tenant_id), row.channel or NOBODY, address].append(evidence)
    return [
        _attributed(tenant_id, channel, episode)
        for (tenant_id, channel, _), told in history.items()
        for episode in _episodes(told)
    ]


def _addresses(
    tables: Mapping[str, pd.DataFrame],
) -> tuple[dict[str, str], dict[tuple[str, str], list[str]]]:
    """The address of each contact that has one, and the contacts of a tenant at an address."""
    leads = tables["leads"]
    tenant_of_lead = dict(zip(leads["id"], leads["tenant_id"], strict=True))
    address_of: dict[str, str] = {}
    contacts_at: dict[tuple[str, str], list[str]] = defaultdict(list)
    for row in rows_of(tables["lead_point_of_contacts"]):
        address = _plain(row.email or "")
        if address:
            address_of[str(row.id)] = address
            contacts_at[tenant_of_lead[row.lead_id], address].append(str(row.id))
    return address_of, contacts_at


def _episodes(told: Iterable[Evidence]) -> Iterable[list[Evidence]]:
    episode: list[Evidence] = []
    for evidence in sorted(told, key=lambda e: e[:3]):
        if not evidence.is_return:
            episode.append(evidence)
        elif episode:
            yield episode
            episode = []
    if episode:
        yield episode


def _attributed(tenant_id: str, channel: str, episode: list[Evidence]) -> OptOut:
    first = episode[0]
    witness = next((evidence for evidence in episode if evidence.message is not None), first)
    sent_at = first.message.sent_at if first.message is not None else None
    return OptOut(
        tenant_id,
        witness.campaign_id,
        witness.contact_id,
        channel,
        first.occurred_at,
        sent_at is not None and first.occurred_at <= sent_at + PROMPT,
    )
