"""A handoff wins in whatever window is asked for: every answer equals a brute force recount."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from random import Random

import pytest

from tests.support.answers import BOT_RESOLVED, Question, bot_metrics
from tests.support.questions import Examiner, random_question, random_window
from tests.support.random import ZONES, RandomSupport
from tests.support.recount import HANDOFF
from tests.support.source import Account
from tests.support.warehouse import SupportWarehouse

pytestmark = pytest.mark.slow

WINDOWS = 400
WINDOWS_A_MINUTE = 500
SEED = 2026
# Two decimals of 28 digits each.
ROUNDING = Decimal("1e-20")


def test_any_window_equals_a_recount(support: SupportWarehouse, soak: float) -> None:
    windows = max(WINDOWS, int(soak * WINDOWS_A_MINUTE))
    random = Random(SEED)
    source = RandomSupport(support, random)
    for zone in (*ZONES, None, "Foo5"):
        account_id = source.add_account(zone if zone != "Foo5" else None)
        if zone == "Foo5":
            support.set_timezone(account_id, zone)
        for _ in range(25):
            source.add_conversation(account_id)
        for _ in range(160):
            source.add_event(account_id)
        for _ in range(40):
            source.add_message(account_id)
    support.refresh()
    assert support.differences() == []

    accounts = support.accounts()
    examiner = Examiner(support, accounts)
    for _ in range(windows):
        account = random.choice(list(accounts.values()))
        moments = [event.at for event in account.events]
        window = random_window(random, _days(account), moments, account.zone or "UTC")
        question = random_question(random, account, window)
        lines = list(examiner.bot_metrics(account, question))
        lines += examiner.anything(random, account, question)
        assert lines == []
        _assert_none_is_counted_twice(account, question)
    assert examiner.asked > 3 * windows


def test_what_came_in_after_the_refresh_counts_at_once(support: SupportWarehouse) -> None:
    """With source `auto` the last days are read from the rows, however fresh the rollups are."""
    random = Random(SEED)
    source = RandomSupport(support, random)
    account_id = source.add_account("Asia/Kolkata")
    number = source.add_conversation(account_id)
    source.add_event(account_id)
    support.refresh()
    now = datetime.now(tz=UTC)
    for n, name in enumerate((HANDOFF, BOT_RESOLVED, "first_response"), 1):
        at = (now + timedelta(seconds=n)).replace(tzinfo=None)
        support.add_event(account_id, 10_000 + n, name, at, number, inbox_id=100)
    account = support.accounts()[account_id]
    examiner = Examiner(support, {account_id: account})
    examiner.leave_out = ("rollup",)
    for _ in range(100):
        since = now - timedelta(hours=random.randrange(1, 2000))
        window = since, now + timedelta(seconds=random.choice([1, 2, 3, 60]))
        question = random_question(random, account, window)
        lines = list(examiner.bot_metrics(account, question))
        assert lines + list(examiner.anything(random, account, question)) == []


def _days(account: Account) -> list[date]:
    centres = ZONES.get(account.given_timezone or "UTC", (datetime(2026, 10, 15),))
    return [centre.date() + timedelta(days=n) for centre in centres for n in range(-4, 5)]


def _assert_none_is_counted_twice(account: Account, question: Question) -> None:
    """Resolved and handed-off conversations are different ones of those with either event."""
    either = {
        event.conversation_id
        for event in account.events
        if event.name in (BOT_RESOLVED, HANDOFF) and question.holds(event.at)
    }
    either &= set(account.conversations)
    answer = bot_metrics(account, question)
    assert answer["resolved_conversations"] + answer["handoff_conversations"] <= len(either)
    assert answer["resolution_rate"] + answer["handoff_rate"] <= 100 + ROUNDING
