"""After any history of events, changes, refreshes and backfills the support marts are right."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, timedelta
from random import Random
from typing import Any

import pytest
from psycopg import sql

from tests.property.histories import (
    Mode,
    forget_everything,
    kill_a_refresh,
    row_versions,
    run_histories,
    set_capture,
    settle,
    tables,
)
from tests.support.questions import Examiner, random_question, random_window
from tests.support.random import EVENTS, GHOSTS, MESSAGE_TYPES, ZONES, RandomSupport
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
        # Accounts with a row that has changed its day: it leaves one that a backfill may not write.
        self.moved: set[int] = set()
        for zone in ACCOUNTS:
            self.source.add_account(zone)

    def step(self) -> None:
        """One row comes in or changes; now and then several at the same instant."""
        self.clock += timedelta(minutes=self.random.choice([0, 1, 30, 200]))
        account = self.random.choice(list(self.source.zones))
        self.random.choice([
            self.source.add_conversation, self.source.add_event, self.source.add_event,
            self.source.add_event, self.source.add_event, self.source.add_message,
            self.add_early_event, self.add_late_conversation, self.switch_bot,
            self.change_conversation, self.change_event, self.change_event, self.change_message,
            self.move_conversation, self.delete, self.delete,
        ])(account, self.clock)  # fmt: skip

    def add_early_event(self, account: int, at: datetime) -> None:
        """Its clock is ahead; by more than a day, and it waits in quarantine for a correction."""
        self.source.add_event(account, at, at + timedelta(hours=self.random.randrange(-6, 60)))

    def add_late_conversation(self, account: int, at: datetime) -> None:
        """A conversation that comes after its events; other accounts' events may name it too."""
        ghost = self.random.choice(GHOSTS)
        if not self.warehouse.rows("select id from conversations where id = %s", ghost):
            moment = self.source.moment(account)
            self.warehouse.add_conversation(account, ghost, moment, updated_at=at)

    def change_conversation(self, account: int, at: datetime) -> None:
        """Another team, assignee, inbox or time; its old events go with it."""
        member = self._member(account)
        self._update(account, "conversations", at, self.random.choice([
            {"team_id": member}, {"assignee_id": member}, {"inbox_id": member or 999},
            {"created_at": self._time(account)}, {},
        ]))  # fmt: skip

    def change_event(self, account: int, at: datetime) -> None:
        """Its value, name, time, conversation, agent, inbox, account or id; or nothing."""
        self._update(account, "reporting_events", at, self.random.choice([
            {"value": self.random.choice([None, 7.25, float("nan")])},
            {"name": self.random.choice(EVENTS)},
            {"created_at": self._time(account)},
            {"conversation_id": self._conversation(account)},
            {"user_id": self._member(account)}, {"inbox_id": self._member(account)},
            self._elsewhere(), {"id": self._new_id()}, {},
        ]))  # fmt: skip

    def change_message(self, account: int, at: datetime) -> None:
        self._update(account, "messages", at, self.random.choice([
            {"message_type": self.random.choice(MESSAGE_TYPES)},
            {"created_at": self._time(account)},
            {"conversation_id": self._conversation(account) or 0},
            {"sender_type": self.random.choice(["User", "Contact", None])},
            {"sender_id": self._member(account)}, {"inbox_id": self._member(account) or 999},
            self._elsewhere(), {"id": self._new_id()}, {},
        ]))  # fmt: skip

    def move_conversation(self, account: int, at: datetime) -> None:
        """To another account, alone or with its rows."""
        conversation = self._existing(account, "conversations")
        changes: dict[str, Any] = {"account_id": self.random.choice(list(self.source.zones))}
        changes |= self._stamp(at)
        self._set("conversations", "id", conversation, changes)
        if self.random.random() < 0.5:
            for table in ("reporting_events", "messages"):
                self._set(table, "conversation_id", conversation, changes)

    def delete(self, account: int, _at: datetime) -> None:
        """A row; a conversation takes its rows along, or leaves that to a job that never runs."""
        table = self.random.choice(["reporting_events", "messages", "conversations"])
        row_id = self._existing(account, table)
        self._delete(table, "id", row_id)
        if table == "conversations" and self.random.random() < 0.5:
            for rows in ("reporting_events", "messages"):
                self._delete(rows, "conversation_id", row_id)

    def switch_bot(self, account: int, _at: datetime) -> None:
        """A bot goes on or off: what counts as a bot's conversation changes for all history."""
        self.warehouse.connection.execute(
            "update agent_bot_inboxes set status = 1 - status where inbox_id = %s",
            [account * 100 + self.random.randrange(2)],
        )

    def change_rule(self) -> None:
        """Two events change their names in the registry."""
        one, other = self.random.sample(sorted(set(EVENTS)), 2)
        self.warehouse.connection.execute(
            "update staging.metric_registry set event_name ="
            " case event_name when %(one)s then %(other)s else %(one)s end"
            " where event_name in (%(one)s, %(other)s)",
            {"one": one, "other": other},
        )

    def change_zone(self) -> None:
        """In the application's settings: to another zone, to none, to what is no zone."""
        account = self.random.choice(list(self.source.zones))
        zone = self.random.choice([*ZONES, None, "UTC+3", "Nowhere/Land"])
        self.warehouse.set_timezone(account, zone)
        self.source.zones[account] = zone if zone in ZONES else None

    def refresh(self) -> None:
        self.warehouse.refresh()

    def kill(self) -> None:
        kill_a_refresh(self.warehouse, self.random.randrange(1, 14))

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
        if account not in self.moved:
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

    def _member(self, account: int) -> int | None:
        return self.random.choice([account * 100, account * 100 + 1, None])

    def _conversation(self, account: int) -> int | None:
        return self.random.choice([None, *self.source.conversations[account][-3:]])

    def _time(self, account: int) -> datetime:
        """Rarely one that cannot be right."""
        self.moved.add(account)
        future = self.clock + timedelta(hours=self.random.randrange(60))
        return self.random.choice([*[self.source.moment(account)] * 5, future])

    def _elsewhere(self) -> dict[str, Any]:
        """An account, with or without a conversation of its own."""
        account = self.random.choice(list(self.source.zones))
        conversation = self._conversation(account)
        place = {"account_id": account}
        return place if conversation is None else place | {"conversation_id": conversation}

    def _new_id(self) -> int:
        self.source.number += 1
        return self.source.number

    def _existing(self, account: int, table: str) -> int | None:
        query = sql.SQL("select id from {} where account_id = %s order by id")
        cursor = self.warehouse.connection.execute(query.format(sql.Identifier(table)), [account])
        ids = [row[0] for row in cursor.fetchall()]
        return self.random.choice(ids) if ids else None

    def _stamp(self, at: datetime) -> dict[str, Any]:
        """A new time of coming in, or a silent change."""
        return {"updated_at": at} if self.random.random() < 0.6 else {}

    def _update(self, account: int, table: str, at: datetime, changes: dict[str, Any]) -> None:
        self._set(table, "id", self._existing(account, table), changes | self._stamp(at))

    def _set(self, table: str, column: str, key: int | None, changes: dict[str, Any]) -> None:
        if not changes:
            return
        self.warehouse.connection.execute(
            sql.SQL("update {} set {} where {} = %s").format(
                sql.Identifier(table),
                sql.SQL(", ").join(
                    sql.SQL("{} = %s").format(sql.Identifier(name)) for name in changes
                ),
                sql.Identifier(column),
            ),
            [*changes.values(), key],
        )

    def _delete(self, table: str, column: str, key: int | None) -> None:
        self.warehouse.connection.execute(
            sql.SQL("delete from {} where {} = %s").format(
                sql.Identifier(table), sql.Identifier(column)
            ),
            [key],
        )


def any_history(new_support: Callable[[], SupportWarehouse], mode: Mode, seed: int) -> None:
    with new_support() as warehouse:
        set_capture(warehouse, mode, "support")
        history = History(warehouse, Random(seed))
        for _ in range(history.random.randrange(2, 5)):
            for _ in range(history.random.randrange(5, 80)):
                history.step()
            history.random.choice([
                history.refresh, history.backfill, history.backfill, history.change_zone,
                history.change_rule, history.kill, history.kill,
            ])()  # fmt: skip
        settle(warehouse, mode, "support")
        versions = row_versions(warehouse)
        warehouse.backfill_everything()
        assert row_versions(warehouse) == versions
        kept = tables(warehouse)
        forget_everything(warehouse, "support")
        warehouse.refresh()
        assert tables(warehouse) == kept
        assert_answers_are_right(warehouse, history)


@pytest.mark.parametrize("mode", ["watermark", "triggers"])
def test_marts_equal_a_recount_after_any_history(
    new_support: Callable[[], SupportWarehouse], mode: Mode, soak: float
) -> None:
    run_histories(lambda seed: any_history(new_support, mode, seed), soak)


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
