"""Rows of what is there from the start: accounts, people, inboxes, bots, labels."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence

from orchestration.embedded.demo_data.copy_text import NULL
from orchestration.embedded.demo_data.support.accounts import INBOX_KINDS, Accounts
from orchestration.embedded.demo_data.support.vocabulary import LABELS, TEAMS

Row = tuple[object, ...]

_OFFICE_HOURS = (False, 9, 0, 17, 0)
_CLOSED = (True, None, None, None, None)
_FEWEST_AGENTS_OF_A_LEAVER = 4


def fixed_rows(accounts: Accounts) -> dict[str, list[Row]]:
    """Rows per table, without created_at and updated_at, which come last."""
    parts: dict[str, list[Row]] = {
        "accounts": [(a.id, a.name, _settings(a.zone)) for a in accounts.accounts],
        "users": [
            (user, f"agent{user}@example.com", name, f"agent{user}@example.com")
            for user, name in enumerate(accounts.user_names, 1)
        ],
        "account_users": _numbered(_account_users(accounts)),
        "teams": [
            (team, TEAMS[number], account.id)
            for position, account in enumerate(accounts.accounts)
            for number, team in enumerate(accounts.teams.of(position))
        ],
        "team_members": _numbered(_team_members(accounts)),
        "agent_bots": [(a.id, f"{a.name} bot", a.id) for a in accounts.accounts],
        "labels": _numbered((label, a.id) for a in accounts.accounts for label in LABELS),
    }
    return parts | _inbox_rows(accounts)


def as_text(table_rows: Iterable[Sequence[object]], *last: bytes) -> bytes:
    """COPY text of a few rows; the ``last`` columns are the same for all."""
    return b"".join(b"\t".join([*map(_field, row), *last]) + b"\n" for row in table_rows)


def _field(value: object) -> bytes:
    return NULL if value is None else str(value).encode()


def _numbered(found: Iterable[Row]) -> list[Row]:
    return [(number, *row) for number, row in enumerate(found, 1)]


def _settings(zone: str | None) -> str:
    settings = {"auto_resolve_after": None, "reporting_timezone": zone}
    return json.dumps({name: value for name, value in settings.items() if value is not None})


def _account_users(accounts: Accounts) -> Iterator[Row]:
    """The last agent of an account has left: the events remain."""
    for position, account in enumerate(accounts.accounts):
        agents = accounts.agents.of(position)
        if len(agents) >= _FEWEST_AGENTS_OF_A_LEAVER:
            agents.pop()
        yield from ((account.id, agent) for agent in agents)


def _team_members(accounts: Accounts) -> Iterator[Row]:
    for position in range(len(accounts.accounts)):
        teams = accounts.teams.of(position)
        for number, agent in enumerate(accounts.agents.of(position)):
            yield teams[number % len(teams)], agent


def _inbox_rows(accounts: Accounts) -> dict[str, list[Row]]:
    """The inboxes with their schedules and what makes a bot active in them."""
    inboxes: list[Row] = []
    hours: list[Row] = []
    links: list[Row] = []
    hooks: list[Row] = []
    owners = zip(accounts.inboxes.account.tolist(), accounts.kinds.tolist(), strict=True)
    for inbox, (position, kind_number) in enumerate(owners, 1):
        account, kind = accounts.accounts[position], INBOX_KINDS[kind_number]
        inboxes.append(
            (inbox, inbox, account.id, kind.name, kind.channel_type, kind.by_schedule, account.home)
        )
        for day in range(7):  # 0 = Sunday
            hours.append((inbox, account.id, day, *(_CLOSED if day in (0, 6) else _OFFICE_HOURS)))
        if kind.bot_app == "agent_bot":
            links.append((inbox, account.id, kind.bot_status, account.id))
        elif kind.bot_app is not None:
            hooks.append((kind.bot_status, inbox, account.id, kind.bot_app))
    return {
        "inboxes": inboxes,
        "working_hours": _numbered(hours),
        "agent_bot_inboxes": _numbered(links),
        "integrations_hooks": _numbered(hooks),
    }
