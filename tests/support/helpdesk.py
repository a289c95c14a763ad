"""Real tickets as support source tables: 4,580 of an Italian software company's help desk.

The file has a line per event of a ticket: case, activity, resource, time, customer, product,
workgroup and more. Read as support: account = customer, conversation = case, agent = resource,
inbox = product, team = workgroup; what the activities mean is in ``ACTIVITIES``. Agents, inboxes
and teams are those of the account, so their ids carry the account's.
"""

from __future__ import annotations

import csv
import gzip
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import pandas as pd

from tests.support.warehouse import SupportWarehouse

TAKEN = "Take in charge ticket"
RESOLVED = "Resolve ticket"
CLOSED = "Closed"
HANDED_OFF = ("Wait", "Require upgrade")

# Round robin over the accounts. None has no zone at all, the two before it are not zones.
ZONES = (
    "Europe/Rome", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "America/Havana",
    "Chennai", "UTC", "Pacific/Apia", "America/Sao_Paulo", "UTC+3", "Europe/Roma", None,
)  # fmt: skip
# The application did not store business values before this year.
BUSINESS_SINCE = 2011
MEMBERS = 1000


@dataclass
class HelpDesk:
    """Source rows by table, each in order of time, and the accounts' settings."""

    zones: dict[int, str | None] = field(default_factory=dict)
    members: dict[str, set[tuple[int, int]]] = field(default_factory=lambda: defaultdict(set))
    events: list[dict[str, Any]] = field(default_factory=list)
    # Each version of a conversation, as it stands after one of its lines.
    conversations: list[dict[str, Any]] = field(default_factory=list)


def read_helpdesk(path: Path) -> HelpDesk:
    """The file as source rows."""
    desk = HelpDesk()
    cases: dict[str, list[Mapping[str, str]]] = defaultdict(list)
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        for line in csv.DictReader(file):
            cases[line["Case ID"]].append(line)
    for lines in cases.values():
        _read_case(desk, lines)
    desk.events.sort(key=lambda event: (event["created_at"], event["conversation_id"]))
    for number, event in enumerate(desk.events, 1):
        event["id"] = number
    accounts = sorted({_number(line["customer"]) for lines in cases.values() for line in lines})
    desk.zones = {account: ZONES[n % len(ZONES)] for n, account in enumerate(accounts)}
    return desk


def _read_case(desk: HelpDesk, lines: list[Mapping[str, str]]) -> None:
    # A few tickets change hands between customers; the account is the first one, and three
    # customers have no ticket of their own.
    account, number = _number(lines[0]["customer"]), _number(lines[0]["Case ID"])
    created_at = _time(lines[0])
    is_bots = not any(line["Activity"] == TAKEN for line in lines)
    conversation: dict[str, Any] = {
        "id": number, "account_id": account, "display_id": number, "status": 0,
        "assignee_id": None, "created_at": created_at,
    }  # fmt: skip
    taken_at: datetime | None = None
    is_handed_off = False
    for line in lines:
        at, activity = _time(line), line["Activity"]
        names: list[tuple[str, datetime]] = []
        if activity == TAKEN:
            names.append(("reply_time", taken_at) if taken_at else ("first_response", created_at))
            taken_at = at
            conversation["assignee_id"] = _member(desk, "agent", account, line["Resource"])
        elif activity == RESOLVED:
            names.append(("conversation_resolved", created_at))
            if is_bots:
                names.append(("conversation_bot_resolved", created_at))
        elif activity in HANDED_OFF and not is_handed_off:
            is_handed_off = True
            names.append(("conversation_bot_handoff", created_at))
        conversation |= {
            "inbox_id": _member(desk, "inbox", account, line["product"]),
            "team_id": _member(desk, "team", account, line["workgroup"]),
            "status": int(activity in (RESOLVED, CLOSED)),
            "updated_at": at,
        }
        desk.conversations.append(dict(conversation))
        for name, since in names:
            desk.events.append(_event(conversation, name, since, at))


def _event(
    conversation: Mapping[str, Any], name: str, since: datetime, at: datetime
) -> dict[str, Any]:
    seconds = (at - since).total_seconds()
    return {
        "account_id": conversation["account_id"],
        "name": name,
        "value": seconds,
        "value_in_business_hours": round(seconds * 0.3, 1) if at.year >= BUSINESS_SINCE else None,
        "inbox_id": conversation["inbox_id"],
        "user_id": conversation["assignee_id"],
        "conversation_id": conversation["id"],
        "event_start_time": since,
        "event_end_time": at,
        "created_at": at,
        "updated_at": at,
    }


def _number(text: str) -> int:
    return int(text.split()[-1])


def _time(line: Mapping[str, str]) -> datetime:
    return datetime.strptime(line["Complete Timestamp"], "%Y/%m/%d %H:%M:%S.%f")


def _member(desk: HelpDesk, kind: str, account: int, value: str) -> int:
    number = account * MEMBERS + _number(value)
    desk.members[kind].add((account, number))
    return number


def load_accounts(warehouse: SupportWarehouse, desk: HelpDesk) -> None:
    """Accounts with their zones, and their inboxes (half of them with a bot), agents and teams."""
    for account, zone in desk.zones.items():
        warehouse.add_account(account, zone)
    members = {kind: sorted(found) for kind, found in desk.members.items()}
    for account, number in members["inbox"]:
        warehouse.add_inbox(account, number, bot=number % 2 == 1)
    for account, number in members["agent"]:
        warehouse.add_agent(account, number)
    for account, number in members["team"]:
        warehouse.add_team(account, number)


def load_between(
    warehouse: SupportWarehouse, desk: HelpDesk, since: datetime, until: datetime
) -> None:
    """What came in within [``since``, ``until``): events, and conversations new or changed."""
    changed = {row["id"]: row for row in desk.conversations if since <= row["updated_at"] < until}
    warehouse.connection.execute("delete from conversations where id = any(%s)", [list(changed)])
    warehouse.insert_rows("conversations", list(changed.values()))
    events = [row for row in desk.events if since <= row["created_at"] < until]
    warehouse.insert_rows("reporting_events", events)


def rollups_by_pandas(desk: HelpDesk, zones: Mapping[int, str]) -> pd.DataFrame:
    """Counts and sums of the duration metrics and of resolutions, for accounts with a zone."""
    teams = {row["id"]: row["team_id"] for row in desk.conversations}
    frame = pd.DataFrame(desk.events)
    frame = frame[frame["account_id"].isin(list(zones))]
    frame["team_id"] = frame["conversation_id"].map(teams)
    frame["date"] = pd.concat(
        [
            group["created_at"].dt.tz_localize("UTC").dt.tz_convert(zones[account]).dt.date
            for account, group in ((key, frame[frame["account_id"] == key]) for key in zones)
            if len(group)
        ]
    )
    return pd.concat(list(_by_dimension(frame)))


def _by_dimension(frame: pd.DataFrame) -> Iterator[pd.DataFrame]:
    columns = {"account": "account_id", "agent": "user_id", "inbox": "inbox_id", "team": "team_id"}
    for dimension, column in columns.items():
        known = frame.dropna(subset=[column])
        keys = [known["account_id"], known["date"], known[column].astype("int64"), known["name"]]
        grouped = known.groupby([key.to_numpy() for key in keys])
        rows = grouped.agg(
            count=("id", "size"),
            conversations=("conversation_id", "nunique"),
            value=("value", "sum"),
            business=("value_in_business_hours", "sum"),
        )
        rows = rows.reset_index(names=["account_id", "date", "dimension_id", "name"])
        yield rows.assign(dimension_type=dimension)
