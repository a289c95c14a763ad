"""A warehouse of both families with two tenants each, and logins with passwords for every role."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from orchestration.embedded.demo_data import create_source_tables
from orchestration.settings import Settings
from orchestration.warehouse import roles
from orchestration.warehouse.access import grant_access
from orchestration.warehouse.bootstrap import initialise
from orchestration.warehouse.connection import connect
from orchestration.warehouse.logins import set_up_logins
from orchestration.warehouse.refresh import RefreshRequest, refresh
from tests.outreach.warehouse import SCHEMA, OutreachWarehouse
from tests.support.warehouse import SupportWarehouse, create_source

# Everything of the tenants that alice must not see has this in it.
HIDDEN = "birch"
MINE, THEIRS = ("acme", HIDDEN)
MY_ACCOUNT, THEIR_ACCOUNT = 1, 2
ROWS = "analytics.metrics_tenant_daily"
# A table with policies, a public view, and a private view over the source.
OPEN_TO_READERS = (ROWS, "analytics.rpt_campaign_daily", "visible.stg_outreach__tenants")

WRITABLE = "set default_transaction_read_only = off"

NOON = datetime.now(UTC).replace(tzinfo=None, hour=12, minute=0, second=0, microsecond=0)


@dataclass
class Session:
    """A connection, and all that the server has said on it."""

    connection: psycopg.Connection
    heard: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.connection.add_notice_handler(
            lambda notice: self.heard.append(f"{notice.message_primary} {notice.message_detail}")
        )

    def run(self, *statements: str) -> list[tuple[Any, ...]]:
        """The rows of the last statement; rows, notices and errors all count as heard."""
        rows: list[tuple[Any, ...]] = []
        for statement in statements:
            try:
                cursor = self.connection.execute(statement.encode())
            except psycopg.Error as error:
                self.heard.append(str(error.diag.message_primary))
                self.heard.append(f"{error.diag.message_detail} {error.diag.context}")
                raise
            rows = cursor.fetchall() if cursor.description else []
            self.heard += map(str, rows)
        return rows

    def attempt(self, *statements: str) -> None:
        """Run each of them, whatever becomes of it."""
        for statement in statements:
            try:
                self.run(statement)
            except psycopg.Error:
                self.connection.rollback()

    def refused(self, statement: str) -> str:
        """SQLSTATE of the error that the statement must end in."""
        with pytest.raises(psycopg.Error) as caught:
            self.run(statement)
        return str(caught.value.sqlstate)

    def read_everything(self) -> None:
        """Every row of every relation that this login may read, of ours and of the source."""
        relations = self.run(
            "select format('%I.%I', nspname, relname) from pg_class"
            " join pg_namespace n on n.oid = relnamespace"
            " where relkind in ('r', 'p', 'v', 'm') and nspname !~ '^pg_toast'"
            " and nspname <> 'information_schema' order by 1"
        )
        self.attempt(*(f"select t::text from {name} as t" for (name,) in relations))

    def knows(self, word: str = HIDDEN) -> list[str]:
        """What it has heard with this word in it."""
        return [text for text in self.heard if word in text]


@dataclass(frozen=True)
class Secured:
    """The warehouse, its administrator's URL, and the logins by the name of their role."""

    settings: Settings
    url: str
    logins: dict[str, str]

    def name(self, role: str) -> str:
        return str(conninfo_to_dict(self.logins[role])["user"])

    def open(self, role: str) -> Session:
        """A session over TCP with that login's password."""
        return Session(psycopg.connect(self.logins[role], autocommit=True))

    def admin(self) -> psycopg.Connection:
        return connect(self.url)

    def refresh(self, family: str) -> None:
        """As the writer, who is no more than that."""
        refresh(self.settings, self.logins[roles.WRITER], RefreshRequest(family, "cli"))


ALICE, BOB = "alice", "bob"
_GRANTED = {
    ALICE: roles.TENANT_READER,
    BOB: roles.TENANT_READER,
    **{role: role for role in roles.ROLES if role != roles.TENANT_READER},
}


@pytest.fixture(scope="session")
def secured(
    new_login: Callable[..., str], new_database: Callable[..., str], test_home: Path
) -> Secured:
    settings = Settings(home=test_home)
    url = new_database()
    with psycopg.connect(url, autocommit=True) as connection:
        create_source_tables(connection, SCHEMA)
        create_source(connection)
    assert initialise(settings, url) == []
    logins = {
        name: new_login(url, name.removeprefix("rollups_"), [role])
        for name, role in _GRANTED.items()
    }
    secured = Secured(settings, url, logins)
    with secured.admin() as connection:
        # What they do in schemas of their own is dropped with the database.
        for name in (ALICE, BOB):
            connection.execute(
                sql.SQL("create schema {} authorization {}").format(
                    sql.Identifier(f"of_{name}"), sql.Identifier(secured.name(name))
                )
            )
        grant_access(connection, secured.name(ALICE), "outreach", [MINE])
        grant_access(connection, secured.name(ALICE), "support", [str(MY_ACCOUNT)])
        grant_access(connection, secured.name(BOB), "outreach", [THEIRS])
        assert set_up_logins(connection) == []
    fill(secured)
    return secured


@pytest.fixture
def alice(secured: Secured) -> Iterator[Session]:
    """A tenant reader of one tenant of each family."""
    session = secured.open(ALICE)
    yield session
    session.connection.close()


@pytest.fixture
def rita(secured: Secured) -> Iterator[Session]:
    """A reader of every tenant."""
    session = secured.open(roles.READER)
    yield session
    session.connection.close()


def fill(secured: Secured) -> None:
    """A few days of each tenant; rows of the hidden ones say so."""
    with OutreachWarehouse(secured.settings, secured.url) as outreach:
        for tenant in (MINE, THEIRS):
            outreach.add_tenant(tenant)
            outreach.add_contact(tenant, f"contact_{tenant}", f"{tenant}@example.com")
            for day in range(1, 4):
                at = NOON - timedelta(days=day)
                outreach.add_message(tenant, f"contact_{tenant}", f"{tenant}_{day}", at)
                outreach.add_event(tenant, f"{tenant}_{day}", f"{tenant}_d{day}", "delivered", at)
    with SupportWarehouse(secured.settings, secured.url) as support:
        for account, name in ((MY_ACCOUNT, MINE), (THEIR_ACCOUNT, THEIRS)):
            support.add_account(account, name=f"{name} {account}")
            support.add_inbox(account, account, bot=True, name=f"Inbox of {name}")
            support.add_agent(account, account, f"Agent of {name}")
            support.add_team(account, account)
            support.add_label(account, account, f"{name}-label")
            for day in range(1, 4):
                at, number = NOON - timedelta(days=day), account * 100 + day
                support.add_conversation(
                    account, number, at, inbox_id=account, assignee_id=account, team_id=account
                )
                support.add_message(account, number, number, at, inbox_id=account)
                support.add_labels_to(number, [f"{name}-label"])
                support.add_event(
                    account, number, "conversation_bot_resolved", at, number,
                    inbox_id=account, user_id=account,
                )  # fmt: skip
    for family in ("outreach", "support"):
        secured.refresh(family)
