"""Acceptance cases of the support family: reading the file, the rows and the question of a case.

The format is described beside the case file: a JSON array of cases, each with a few source rows, a
question and the expected answer. ``quirk`` marks what the upstream application does and we do not.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

from tests.support.answers import Question
from tests.support.source import STATUSES, TABLES, Account, Row, canonical_zone, read_accounts, utc
from tests.support.warehouse import EARLY, WEB_WIDGET

MESSAGE_TYPES = ("incoming", "outgoing", "activity", "template")
CURRENT_OFFSET = "current offset of "


@dataclass(frozen=True)
class Case:
    """One case of the file."""

    data: Mapping[str, Any]

    @property
    def id(self) -> str:
        return self.data["id"]

    @property
    def kind(self) -> str:
        return self.query["kind"]

    @property
    def query(self) -> Mapping[str, Any]:
        return self.data["query"]

    @property
    def is_quirk(self) -> bool:
        return bool(self.data.get("quirk"))

    @property
    def has_answer(self) -> bool:
        """Whether the file says what our answer is (a quirk may leave that to our definitions)."""
        return not self.is_quirk or "better" in self.data

    @property
    def answer(self) -> Any:
        """The answer that ours is compared with."""
        return self.data["better"] if self.is_quirk else self.data["expected"]

    @property
    def expected_error(self) -> str | None:
        """The error that the case asks for, as a key such as ``not_found``."""
        expected = self.answer if self.has_answer else None
        return expected.get("error") if isinstance(expected, Mapping) else None

    @property
    def account_id(self) -> int:
        return self.data["account"]["id"]

    @property
    def now(self) -> datetime:
        return utc(self.data["now"]) if self.data.get("now") else datetime.now(tz=UTC)

    @property
    def zone(self) -> str | None:
        """The account's canonical reporting zone, if it has one."""
        return canonical_zone(self.data["account"].get("reporting_timezone"))

    @cached_property
    def tables(self) -> dict[str, list[Row]]:
        """The source rows of the case by upstream table."""
        return _tables(self.data)

    @cached_property
    def account(self) -> Account:
        return read_accounts(self.tables)[self.account_id]

    def question(self) -> Question:
        query = self.query
        return Question(
            utc(query["since"]),
            utc(query["until"]),
            query.get("dimension_type") or "account",
            query.get("id"),
            bool(query.get("business_hours")),
        )

    def asked_zone(self) -> str | None:
        """The zone that the question names, by name or as an offset in hours; None for neither."""
        name = self.query.get("timezone")
        return name or zone_of_offset(self.query.get("timezone_offset"), self.zone, self.now)


def read_cases(path: Path) -> list[Case]:
    return [Case(data) for data in json.loads(path.read_text(encoding="utf-8"))]


def zone_of_offset(offset: Any, account_zone: str | None, now: datetime) -> str | None:
    """A zone for an offset in hours: the account's own if it has that offset now, else a fixed one.

    Upstream takes the first zone whose offset is right at the moment of asking; a fixed one says
    what was meant without moving with the season.
    """
    if offset is None or offset == "":
        return None
    if isinstance(offset, str) and offset.startswith(CURRENT_OFFSET):
        wanted = _offset(offset.removeprefix(CURRENT_OFFSET), now)
    else:
        wanted = timedelta(hours=float(offset))
    if account_zone is not None and _offset(account_zone, now) == wanted:
        return account_zone
    if not wanted:
        return "UTC"
    return next(_zones_with(wanted, now), None)


def _zones_with(offset: timedelta, now: datetime) -> Iterator[str]:
    """Zones with an offset, those that keep it the whole year first."""
    names = sorted(name for name in available_timezones() if "/" in name)
    halves = [now.replace(month=month, day=1) for month in (1, 7)]
    for moments in (halves, [now]):
        for name in names:
            if all(_offset(name, at) == offset for at in moments):
                yield name


def _offset(zone: str, now: datetime) -> timedelta:
    return now.astimezone(ZoneInfo(zone)).utcoffset() or timedelta()


def _naive(text: str | None) -> datetime:
    return utc(text).replace(tzinfo=None) if text else EARLY


def _tables(data: Mapping[str, Any]) -> dict[str, list[Row]]:
    accounts = [data["account"], *data.get("other_accounts", ())]
    conversations = data.get("conversations", ())
    tables: dict[str, list[Row]] = {
        "accounts": [_account(account) for account in accounts],
        "conversations": [_conversation(row) for row in conversations],
        "messages": _messages(data),
        "reporting_events": [_event(row) for row in data.get("events", ())],
    }
    _add_users(tables, data, accounts)
    _add_inboxes(tables, data)
    _add_teams_and_labels(tables, data)
    return tables


def _account(account: Mapping[str, Any]) -> Row:
    zone = account.get("reporting_timezone")
    return {
        "id": account["id"],
        "name": account.get("name", f"Account {account['id']}"),
        "settings": {} if zone is None else {"reporting_timezone": zone},
    }


def _event(row: Mapping[str, Any]) -> Row:
    at = _naive(row["created_at"])
    columns = TABLES["reporting_events"].split()
    return {name: row.get(name) for name in columns} | {"created_at": at, "updated_at": at}


def _conversation(row: Mapping[str, Any]) -> Row:
    status = row.get("status", "open")
    at = _naive(row.get("created_at"))
    return {
        "id": row["id"],
        "account_id": row["account_id"],
        "inbox_id": row.get("inbox_id") or 0,
        "assignee_id": row.get("assignee_id"),
        "team_id": row.get("team_id"),
        "status": STATUSES.index(status) if isinstance(status, str) else status,
        "display_id": row["id"],
        "created_at": at,
        "updated_at": at,
    }


def _messages(data: Mapping[str, Any]) -> list[Row]:
    inboxes = {row["id"]: row.get("inbox_id") for row in data.get("conversations", ())}
    messages = []
    for row in data.get("messages", ()):
        kind = row.get("message_type", "outgoing")
        at = _naive(row.get("created_at"))
        messages.append(
            {
                "id": row["id"],
                "account_id": row.get("account_id", data["account"]["id"]),
                "conversation_id": row["conversation_id"],
                "inbox_id": row.get("inbox_id") or inboxes.get(row["conversation_id"]) or 0,
                "message_type": MESSAGE_TYPES.index(kind) if isinstance(kind, str) else kind,
                "private": bool(row.get("private", False)),
                "sender_type": row.get("sender_type"),
                "sender_id": row.get("sender_id"),
                "created_at": at,
                "updated_at": at,
            }
        )
    return messages


def _entities(
    data: Mapping[str, Any], name: str, mentioned: Iterable[tuple[int, Any]]
) -> list[Row]:
    """The entities that the case lists; if it lists none of the kind, those its rows mention."""
    if name in data:
        return [row if isinstance(row, Mapping) else {"id": row} for row in data[name]]
    found = {number: account for account, number in mentioned if number is not None}
    return [{"id": number, "account_id": account} for number, account in sorted(found.items())]


def _mentioned(data: Mapping[str, Any], **columns: str) -> list[tuple[int, Any]]:
    return [
        (row.get("account_id", data["account"]["id"]), row.get(column))
        for part, column in columns.items()
        for row in data.get(part, ())
    ]


def _add_users(
    tables: dict[str, list[Row]], data: Mapping[str, Any], accounts: list[Mapping[str, Any]]
) -> None:
    mentioned = _mentioned(data, events="user_id", conversations="assignee_id")
    members = {(account, number): None for account, number in mentioned if number is not None}
    if "users" in data:
        members = {
            (account, row["id"]): None
            for row in _entities(data, "users", ())
            for account in row.get("account_ids")
            or ([row["account_id"]] if "account_id" in row else [a["id"] for a in accounts])
        }
    names = {row["id"]: row.get("name") for row in _entities(data, "users", mentioned)}
    tables["users"] = [
        {"id": number, "uid": f"user{number}", "name": name or f"Agent {number}"}
        for number, name in names.items()
    ]
    tables["account_users"] = [
        {"account_id": account, "user_id": number} for account, number in members
    ]


def _add_inboxes(tables: dict[str, list[Row]], data: Mapping[str, Any]) -> None:
    mentioned = _mentioned(data, events="inbox_id", conversations="inbox_id")
    inboxes = _entities(data, "inboxes", mentioned)
    tables["inboxes"] = [
        {
            "id": row["id"],
            "account_id": row.get("account_id", data["account"]["id"]),
            "channel_id": row["id"],
            "name": row.get("name", f"Inbox {row['id']}"),
            "channel_type": row.get("channel_type", WEB_WIDGET),
        }
        for row in inboxes
    ]
    tables["agent_bot_inboxes"] = [
        {"inbox_id": row["id"], "agent_bot_id": 1, "status": 0}
        for row in inboxes
        if row.get("active_bot")
    ]


def _add_teams_and_labels(tables: dict[str, list[Row]], data: Mapping[str, Any]) -> None:
    own = data["account"]["id"]
    tables["teams"] = [
        {
            "id": row["id"],
            "account_id": row.get("account_id", own),
            "name": row.get("name", f"team {row['id']}"),
        }
        for row in _entities(data, "teams", _mentioned(data, conversations="team_id"))
    ]
    tables["labels"] = [
        {"id": row["id"], "account_id": row.get("account_id", own), "title": row["title"]}
        for row in data.get("labels", ())
    ]
    pairs = [
        (row["id"], title)
        for row in data.get("conversations", ())
        for title in row.get("labels") or ()
    ]
    tags = {title: number for number, title in enumerate(dict.fromkeys(t for _, t in pairs), 1)}
    tables["tags"] = [{"id": number, "name": title} for title, number in tags.items()]
    tables["taggings"] = [
        {
            "tag_id": tags[title],
            "taggable_type": "Conversation",
            "taggable_id": conversation,
            "context": "labels",
        }
        for conversation, title in pairs
    ]
