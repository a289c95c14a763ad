"""Real mail as outreach source tables: 59,835 messages on a university's message board, 2004.

The file has a line per message, ``sender recipient unix_seconds``, in order of time. Read as
outreach: the tenant is the sender modulo 12, the campaign is (sender, recipient), the contact is
the recipient. A message is delivered at once, opened when the recipient next writes to anybody and
replied to when the recipient next writes back, each if within seven days.

The application allows a contact one campaign per channel, and several senders of a tenant write to
the same recipient. The first of them has the campaign with the recipient's contact; each other
campaign has a contact of its own with the same address, and its messages still name the first.
"""

from __future__ import annotations

import gzip
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from io import StringIO
from pathlib import Path
from random import Random
from typing import Any

import pandas as pd
import psycopg
from psycopg import sql

TENANT_COUNT = 12
WITHIN = 7 * 86_400
LATE_SHARE = 0.1
LATEST = timedelta(days=3)

# Each table with the column that says when a row is taken in, parents before children.
INGEST_COLUMN = {
    "tenants": "created_at",
    "leads": "created_at",
    "lead_point_of_contacts": "created_at",
    "contact_campaigns": "created_at",
    "outbound_messages": "updated_at",
    "message_events": "created_at",
}
PARENTS = ("tenants", "leads", "lead_point_of_contacts", "contact_campaigns")

Lag = Callable[[str, datetime], timedelta]


def read_collegemsg(path: Path, lag: Lag | int | None = None) -> dict[str, pd.DataFrame]:
    """The source tables as frames by name, in order of ingest; times are naive UTC.

    ``lag`` says how much later than ``event_at`` an event is taken in: a function of the event's
    id and ``event_at``, or a seed by which a tenth of the events are up to three days late, or
    None for no lag. Messages are taken in when they are sent.
    """
    with gzip.open(path, "rt", encoding="ascii") as file:
        lines = [tuple(map(int, line.split())) for line in file if line.strip()]
    delay = seeded_lag(lag) if isinstance(lag, int) else lag
    return {
        **_parents(lines),
        "outbound_messages": _messages(lines),
        "message_events": _events(lines, delay),
    }


def seeded_lag(seed: int) -> Lag:
    """A lag that depends only on the seed and the event's id: late for a tenth of the events."""

    def lag(event_id: str, _event_at: datetime) -> timedelta:
        draw = Random(f"{seed} {event_id}")
        if draw.random() >= LATE_SHARE:
            return timedelta()
        return timedelta(seconds=draw.randrange(int(LATEST.total_seconds()) + 1))

    return lag


def _tenant(sender: int) -> str:
    return f"tenant_{sender % TENANT_COUNT:02d}"


def _contact(sender: int, recipient: int) -> str:
    return f"contact_{sender % TENANT_COUNT:02d}_{recipient}"


def _campaign(sender: int, recipient: int) -> str:
    return f"campaign_{sender}_{recipient}"


def _lead(sender: int) -> str:
    return f"lead_{sender % TENANT_COUNT:02d}"


def _frame(rows: list[dict[str, Any]], ingest: str) -> pd.DataFrame:
    """Rows whose ``*_at`` are unix seconds, as a frame in order of ``ingest``."""
    frame = pd.DataFrame(rows)
    for name in [column for column in frame.columns if column.endswith("_at")]:
        if frame[name].dtype == "int64":
            frame[name] = pd.to_datetime(frame[name], unit="s")
        frame[name] = frame[name].dt.as_unit("us")
    return frame.sort_values(ingest, kind="stable").reset_index(drop=True)


def _parents(lines: list[tuple[int, ...]]) -> dict[str, pd.DataFrame]:
    """Tenants, leads, contacts and campaigns, made when the first message needs them."""
    rows: dict[str, dict[str, dict[str, Any]]] = {name: {} for name in PARENTS}
    has_campaign: set[str] = set()
    for sender, recipient, at in lines:
        tenant, lead = _tenant(sender), _lead(sender)
        contact, campaign = _contact(sender, recipient), _campaign(sender, recipient)
        rows["tenants"].setdefault(tenant, {"id": tenant, "name": tenant, "created_at": at})
        rows["leads"].setdefault(
            lead,
            {
                "id": lead,
                "name": "University",
                "url": "https://example.edu",
                "tenant_id": tenant,
                "created_at": at,
            },
        )
        person = {
            "lead_id": lead,
            "name": f"Person {recipient}",
            "email": f"person{recipient}@example.edu",
            "created_at": at,
        }
        rows["lead_point_of_contacts"].setdefault(contact, {"id": contact} | person)
        if campaign in rows["contact_campaigns"]:
            continue
        owner = contact if contact not in has_campaign else f"{contact}_{sender}"
        has_campaign.add(contact)
        rows["lead_point_of_contacts"].setdefault(owner, {"id": owner} | person)
        rows["contact_campaigns"][campaign] = {
            "id": campaign,
            "tenant_id": tenant,
            "lead_id": lead,
            "contact_id": owner,
            "channel": "email",
            "status": "active",
            "plan_json": "{}",
            "plan_hash": "0",
            "created_at": at,
        }
    return {name: _frame(list(found.values()), "created_at") for name, found in rows.items()}


def _messages(lines: list[tuple[int, ...]]) -> pd.DataFrame:
    rows = [
        {
            "id": f"message_{number:05d}",
            "tenant_id": _tenant(sender),
            "campaign_id": _campaign(sender, recipient),
            "contact_id": _contact(sender, recipient),
            "channel": "email",
            "provider_message_id": _sendgrid_id(number),
            "dedupe_key": f"{_tenant(sender)}:{_campaign(sender, recipient)}:{number}",
            "state": "sent",
            "sent_at": at,
            "created_at": at,
            "updated_at": at,
        }
        for number, (sender, recipient, at) in enumerate(lines)
    ]
    return _frame(rows, "updated_at")


def _sendgrid_id(number: int) -> str:
    """22 characters of URL-safe base64, as SendGrid's X-Message-Id has."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    draw = Random(number)
    return "".join(draw.choice(alphabet) for _ in range(22))


def _events(lines: list[tuple[int, ...]], lag: Lag | None) -> pd.DataFrame:
    """Deliveries, and opens and replies read from what the recipient wrote later in the file."""
    written: dict[int, list[int]] = defaultdict(list)
    written_to: dict[tuple[int, int], list[int]] = defaultdict(list)
    for number, (sender, recipient, _) in enumerate(lines):
        written[sender].append(number)
        written_to[sender, recipient].append(number)
    rows = []
    for number, (sender, recipient, at) in enumerate(lines):
        times = {
            "delivered": at,
            "open": _next_time(lines, written[recipient], number),
            "reply": _next_time(lines, written_to[recipient, sender], number),
        }
        for kind, event_at in times.items():
            if event_at is None or event_at - at > WITHIN:
                continue
            rows.append(
                {
                    "id": f"event_{number:05d}_{kind}",
                    "tenant_id": _tenant(sender),
                    "message_id": f"message_{number:05d}",
                    "type": kind,
                    "event_at": event_at,
                    "sg_event_id": f"sg_{number:05d}_{kind}",
                }
            )
    frame = _frame(rows, "event_at")
    frame["created_at"] = frame["event_at"]
    if lag is not None:
        delays = [lag(*event) for event in zip(frame["id"], frame["event_at"], strict=True)]
        frame["created_at"] += pd.Series(delays, dtype="timedelta64[us]")
    frame["updated_at"] = frame["created_at"]
    frame["data"] = "{}"
    return frame.sort_values("created_at", kind="stable").reset_index(drop=True)


def _next_time(lines: list[tuple[int, ...]], candidates: list[int], number: int) -> int | None:
    place = bisect_right(candidates, number)
    return lines[candidates[place]][2] if place < len(candidates) else None


def load_between(
    connection: psycopg.Connection[Any],
    schema: str,
    frames: Mapping[str, pd.DataFrame],
    since: datetime | None,
    until: datetime | None,
) -> dict[str, int]:
    """Load what was taken in within [``since``, ``until``) (UTC; None is unbounded).

    Parents come first: those that the messages of the window need and the tables lack. The tables
    are analyzed: the server's autovacuum, which does so within a minute, is late for a replay.
    Returns the number of rows read per table. The caller commits.
    """
    window = {
        name: _taken_in(frames[name], INGEST_COLUMN[name], since, until)
        for name in ("outbound_messages", "message_events")
    }
    messages = window["outbound_messages"]
    campaigns = frames["contact_campaigns"]
    campaigns = campaigns[campaigns["id"].isin(messages["campaign_id"])]
    contacts = frames["lead_point_of_contacts"]
    contacts = contacts[contacts["id"].isin([*messages["contact_id"], *campaigns["contact_id"]])]
    leads = frames["leads"][frames["leads"]["id"].isin(contacts["lead_id"])]
    tenants = frames["tenants"][frames["tenants"]["id"].isin(messages["tenant_id"])]
    parents = dict(zip(PARENTS, (tenants, leads, contacts, campaigns), strict=True))
    for name, frame in (parents | window).items():
        _copy(connection, schema, name, frame, may_exist=name in PARENTS)
        connection.execute(sql.SQL("analyze {}").format(sql.Identifier(schema, name)))
    return {name: len(frame) for name, frame in (parents | window).items()}


def _taken_in(
    frame: pd.DataFrame, column: str, since: datetime | None, until: datetime | None
) -> pd.DataFrame:
    inside = pd.Series(True, index=frame.index)
    if since is not None:
        inside &= frame[column] >= _naive(since)
    if until is not None:
        inside &= frame[column] < _naive(until)
    return frame[inside]


def _naive(moment: datetime) -> pd.Timestamp:
    stamp = pd.Timestamp(moment)
    return stamp.tz_convert("UTC").tz_localize(None) if stamp.tzinfo else stamp


def _copy(
    connection: psycopg.Connection[Any],
    schema: str,
    name: str,
    frame: pd.DataFrame,
    *,
    may_exist: bool,
) -> None:
    """COPY a frame into a table, by way of a temporary one when some rows may be there already."""
    if frame.empty:
        return
    table = sql.Identifier(schema, name)
    columns = sql.SQL(", ").join(map(sql.Identifier, frame.columns))
    names = {"table": table, "columns": columns, "target": table}
    with connection.cursor() as cursor:
        if may_exist:
            names["target"] = sql.Identifier("pg_temp", "arriving")
            cursor.execute(
                sql.SQL(
                    "create temp table arriving as select {columns} from {table} with no data"
                ).format(**names)
            )
        with cursor.copy(
            sql.SQL("copy {target} ({columns}) from stdin with (format csv)").format(**names)
        ) as copy:
            buffer = StringIO()
            frame.to_csv(buffer, index=False, header=False)
            copy.write(buffer.getvalue())
        if may_exist:
            cursor.execute(
                sql.SQL(
                    "insert into {table} ({columns}) select {columns} from {target}"
                    " on conflict (id) do nothing"
                ).format(**names)
            )
            cursor.execute("drop table pg_temp.arriving")
