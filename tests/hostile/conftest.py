"""Small warehouses of both families with a canary inside, one of each for a module."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from orchestration.settings import Settings, load_settings
from tests.hostile.canary import Canary
from tests.outreach.warehouse import SCHEMA, OutreachWarehouse
from tests.support.warehouse import SupportWarehouse

AT = datetime(2026, 3, 10, 12)
ACCOUNT = 1


def fill_outreach(warehouse: OutreachWarehouse) -> None:
    """One tenant with a message that was delivered and opened."""
    warehouse.add_tenant("acme")
    warehouse.add_contact("acme", "ann", "ann@example.com")
    warehouse.add_message("acme", "ann", "m1", AT)
    for kind in ("delivered", "open"):
        warehouse.add_event("acme", "m1", f"m1_{kind}", kind, AT + timedelta(hours=1))


def fill_support(warehouse: SupportWarehouse) -> None:
    """One account with a conversation that was resolved."""
    warehouse.add_account(ACCOUNT)
    warehouse.add_inbox(ACCOUNT, 11)
    warehouse.add_agent(ACCOUNT, 21)
    warehouse.add_team(ACCOUNT, 31)
    warehouse.add_label(ACCOUNT, 41, "billing")
    warehouse.add_conversation(ACCOUNT, 101, AT, inbox_id=11, assignee_id=21, team_id=31)
    warehouse.add_labels_to(101, ["billing"])
    warehouse.add_event(
        ACCOUNT, 1001, "conversation_resolved", AT + timedelta(hours=1), 101,
        value=60.0, inbox_id=11, user_id=21,
    )  # fmt: skip


@contextmanager
def watched(url: str, schema: str) -> Iterator[Canary]:
    """A canary in a database: whatever happens inside, it must be as it was at the end."""
    canary = Canary(url, schema)
    try:
        yield canary
        canary.assert_untouched()
    finally:
        canary.remove()


@pytest.fixture(scope="module")
def outreach_here(
    new_database: Callable[..., str], outreach_template: str, outreach_settings: Settings
) -> Iterator[OutreachWarehouse]:
    """Refreshed; shared by the tests of a module."""
    url = new_database(outreach_template)
    with OutreachWarehouse(outreach_settings, url) as warehouse:
        fill_outreach(warehouse)
        warehouse.refresh()
        yield warehouse


@pytest.fixture(scope="module")
def support_here(
    new_database: Callable[..., str], support_template: str, support_settings: Settings
) -> Iterator[SupportWarehouse]:
    """Refreshed; shared by the tests of a module."""
    with SupportWarehouse(support_settings, new_database(support_template)) as warehouse:
        fill_support(warehouse)
        warehouse.refresh()
        yield warehouse


@pytest.fixture(scope="module")
def outreach_canary(outreach_here: OutreachWarehouse) -> Iterator[Canary]:
    with watched(outreach_here.url, SCHEMA) as canary:
        yield canary


@pytest.fixture(scope="module")
def support_canary(support_here: SupportWarehouse) -> Iterator[Canary]:
    with watched(support_here.url, "staging") as canary:
        yield canary


@pytest.fixture
def in_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A working folder deep enough for ``../../..``; no attack may make a file ``attacked``."""
    deep = tmp_path.joinpath(*"abcdefgh")
    deep.mkdir(parents=True)
    monkeypatch.chdir(deep)
    yield deep
    assert not list(tmp_path.rglob("attacked"))


@pytest.fixture
def use_settings(
    monkeypatch: pytest.MonkeyPatch, test_home: Path
) -> Iterator[Callable[[str, str], None]]:
    """Sets the database and the family of this process."""

    def use(url: str, family: str) -> None:
        monkeypatch.setenv("ROLLUPS_HOME", str(test_home))
        monkeypatch.setenv("ROLLUPS_DATABASE_URL", url)
        monkeypatch.setenv("ROLLUPS_FAMILIES", family)
        load_settings.cache_clear()

    yield use
    load_settings.cache_clear()


def today() -> str:
    return datetime.now(UTC).date().isoformat()
