"""After any history of events, changes, refreshes and backfills the support marts are right."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, timedelta
from random import Random

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.support.questions import Examiner, random_question, random_window
from tests.support.random import ZONES, RandomSupport
from tests.support.recount import compare, read_marts, recount
from tests.support.warehouse import SupportWarehouse

pytestmark = pytest.mark.slow

# After everything that happens: what is new is told by when it came in, not by when it happened.
START = datetime(2026, 11, 10)
ACCOUNTS = ("America/New_York", "America/Havana", "Australia/Lord_Howe", "Asia/Kolkata", None)
QUESTIONS = 40


class History:
    """A clock of ingestion and random things that happen to the source while it runs."""

    def __init__(self, warehouse: SupportWarehouse, random: Random) -> None:
        self.warehouse = warehouse
        self.random = random
        self.clock = START
        self.source = RandomSupport(warehouse, random)
        for zone in ACCOUNTS:
            self.source.add_account(zone)

    def step(self) -> None:
        """One row comes in or changes; now and then several at the same instant."""
        self.clock += timedelta(minutes=self.random.choice([0, 1, 30, 200]))
        account = self.random.choice(list(self.source.zones))
        self.random.choice([
            self.source.add_conversation, self.source.add_event, self.source.add_event,
            self.source.add_event, self.source.add_event, self.source.add_message,
            self.move_conversation, self.correct_event, self.switch_bot,
        ])(account, self.clock)  # fmt: skip

    def move_conversation(self, account: int, at: datetime) -> None:
        """A conversation gets another team, assignee or inbox; its old events move with it."""
        conversations = self.source.conversations[account]
        if not conversations:
            return
        column = self.random.choice(["team_id", "assignee_id", "inbox_id"])
        members = [account * 100, account * 100 + 1, None if column != "inbox_id" else 999]
        member = self.random.choice(members)
        self.warehouse.connection.execute(
            f"update conversations set {column} = %s, updated_at = %s where id = %s".encode(),
            [member, at, self.random.choice(conversations)],
        )

    def correct_event(self, account: int, at: datetime) -> None:
        """Somebody corrects a stored event: its value, its time, its conversation or its agent."""
        conversations = self.source.conversations[account]
        changes = {
            "value": self.random.choice([None, 7.25, float("nan")]),
            "created_at": self.source.moment(account),
            "conversation_id": self.random.choice([None, *conversations[-3:]]),
            "user_id": self.random.choice([None, account * 100]),
        }
        column = self.random.choice(list(changes))
        self.warehouse.connection.execute(
            f"update reporting_events set {column} = %s, updated_at = %s where id ="
            " (select id from reporting_events where account_id = %s"
            " order by md5(id || %s) limit 1)".encode(),
            [changes[column], at, account, str(self.random.random())],
        )

    def switch_bot(self, account: int, _at: datetime) -> None:
        """A bot goes on or off: what counts as a bot's conversation changes for all history."""
        self.warehouse.connection.execute(
            "update agent_bot_inboxes set status = 1 - status where inbox_id = %s",
            [account * 100 + self.random.randrange(2)],
        )

    def change_zone(self) -> None:
        """In the application's settings: to another zone, to none, to what is no zone."""
        account = self.random.choice(list(self.source.zones))
        zone = self.random.choice([*ZONES, None, "UTC+3", "Nowhere/Land"])
        self.warehouse.set_timezone(account, zone)
        self.source.zones[account] = zone if zone in ZONES else None

    def refresh(self) -> None:
        self.warehouse.refresh()

    def backfill(self) -> None:
        """The chosen days are right at once, whatever else waits."""
        self.warehouse.refresh()
        for _ in range(self.random.randrange(8)):
            self.step()
        account = self.random.choice([number for number, zone in self.source.zones.items() if zone])
        centre = self.random.choice(ZONES[self.source.zones[account] or "UTC"]).date()
        first = centre + timedelta(days=self.random.randrange(-4, 3))
        last = first + timedelta(days=self.random.randrange(4))
        self.warehouse.backfill(account, first, last)
        assert self.differences_on(account, first, last) == []

    def differences_on(self, account: int, first: date, last: date) -> list[str]:
        both = recount(self.warehouse.accounts()), read_marts(self.warehouse.connection)
        expected, actual = (
            {
                name: {k: v for k, v in mart.items() if k[0] == account and first <= k[1] <= last}
                for name, mart in marts.items()
            }
            for marts in both
        )
        return compare(expected, actual)


@settings(
    max_examples=5,
    deadline=None,
    print_blob=True,
    # A smaller seed is no simpler history.
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(seed=st.integers(0, 2**32 - 1))
def test_marts_equal_a_recount_after_any_history(
    new_support: Callable[[], SupportWarehouse], seed: int
) -> None:
    with new_support() as warehouse:
        history = History(warehouse, Random(seed))
        for _ in range(history.random.randrange(2, 5)):
            for _ in range(history.random.randrange(5, 80)):
                history.step()
            history.random.choice([
                history.refresh, history.backfill, history.backfill, history.change_zone,
            ])()  # fmt: skip
        # A backfill and the first refresh after it may each note what lies beyond its dates.
        history.refresh()
        history.refresh()
        assert warehouse.differences() == []
        assert warehouse.pending() == []
        assert_answers_are_right(warehouse, history)


def test_an_event_moves_to_another_conversation(support: SupportWarehouse) -> None:
    at = START
    support.add_account(1, "America/New_York")
    for number in (101, 102):
        support.add_conversation(1, number, at)
    support.add_event(1, 1, "conversation_bot_handoff", at, 101)
    support.refresh()
    support.connection.execute(
        "update reporting_events set conversation_id = 102, updated_at = %s",
        [at + timedelta(hours=1)],
    )
    support.refresh()
    assert support.differences() == []
    assert support.pending() == []


def assert_answers_are_right(warehouse: SupportWarehouse, history: History) -> None:
    """Including what came in since the last refresh, which only `auto` and `raw` must know."""
    accounts = warehouse.accounts()
    examiner = Examiner(warehouse, accounts)
    for _ in range(QUESTIONS):
        account = history.random.choice(list(accounts.values()))
        centres = ZONES.get(account.given_timezone or "UTC", ZONES["UTC"])
        days = [centre.date() + timedelta(days=n) for centre in centres for n in range(-4, 5)]
        moments = [event.at for event in account.events]
        window = random_window(history.random, days, moments, account.zone or "UTC")
        question = random_question(history.random, account, window)
        assert list(examiner.anything(history.random, account, question)) == []
