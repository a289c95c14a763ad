"""One small helpdesk, refreshed once; tests that change something take a database of their own."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

import pytest

from orchestration.reports import Reports
from orchestration.settings import Settings
from tests.support.warehouse import SupportWarehouse

NEW_YORK, HAVANA, NO_ZONE = 1, 2, 3
DAY = timedelta(days=1)
# The day on which the clocks of New York and Havana are set back.
MONDAY = datetime(2025, 10, 27, 16)


def fill(warehouse: SupportWarehouse) -> None:
    """Two weeks of events around a change of the clocks, easy to count by eye."""
    zones = {NEW_YORK: "America/New_York", HAVANA: "America/Havana", NO_ZONE: None}
    for account, zone in zones.items():
        warehouse.add_account(account, zone)
        for number in (1, 2):
            warehouse.add_inbox(account, account * 10 + number, bot=number == 1)
            warehouse.add_agent(account, account * 10 + number)
            warehouse.add_team(account, account * 10 + number)
        warehouse.add_label(account, account * 10 + 1, "billing")
        warehouse.add_label(account, account * 10 + 2, "unused")
        for number in range(10):
            conversation = account * 100 + number
            at = MONDAY + number * DAY
            who = account * 10 + 1 + number % 2
            warehouse.add_conversation(
                account, conversation, at, inbox_id=who, assignee_id=who, team_id=who
            )
            warehouse.add_message(account, account * 1000 + number, conversation, at, inbox_id=who)
            event = account * 1000 + number * 10
            by = {"inbox_id": who, "user_id": who}
            resolved = at + timedelta(hours=1)
            warehouse.add_event(
                account, event, "conversation_resolved", resolved, conversation,
                value=100.0 * number, value_in_business_hours=None if number % 3 else 10.0, **by,
            )  # fmt: skip
            warehouse.add_event(
                account, event + 1, "conversation_bot_resolved", resolved, conversation, **by
            )
            if number % 3 == 0:
                # The handoff comes two days after the resolution: it wins where both are seen.
                warehouse.add_event(
                    account, event + 2, "conversation_bot_handoff", at + 2 * DAY, conversation, **by
                )
        warehouse.add_labels_to(account * 100, ["billing"])
        warehouse.add_event(
            account, account * 1000 + 500, "first_response", MONDAY, account * 100,
            value=0.1, inbox_id=account * 10 + 1, user_id=account * 10 + 1,
        )  # fmt: skip


@pytest.fixture(scope="session")
def helpdesk(
    new_database: Callable[..., str], support_template: str, support_settings: Settings
) -> Iterator[SupportWarehouse]:
    """The small helpdesk, refreshed; no test may change it."""
    with SupportWarehouse(support_settings, new_database(support_template)) as warehouse:
        fill(warehouse)
        warehouse.refresh()
        yield warehouse


@pytest.fixture
def own_helpdesk(support: SupportWarehouse) -> SupportWarehouse:
    """The same, for a test that changes it."""
    fill(support)
    support.refresh()
    return support


@pytest.fixture
def reports(helpdesk: SupportWarehouse) -> Reports:
    """The reports of the account in New York."""
    return Reports(helpdesk.connection, NEW_YORK)
