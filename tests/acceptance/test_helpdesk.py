"""Four years of a real help desk, refreshed in steps: every rollup and answer equals a recount."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import pairwise
from pathlib import Path
from random import Random

import pandas as pd
import pytest

from tests.support.helpdesk import (
    HelpDesk,
    load_accounts,
    load_between,
    read_helpdesk,
    rollups_by_pandas,
)
from tests.support.questions import Examiner, random_question, random_window
from tests.support.source import canonical_zone
from tests.support.warehouse import SupportWarehouse

pytestmark = pytest.mark.slow

EDGES = [datetime(year, month, 1) for year in range(2010, 2015) for month in (1, 7)]
QUESTIONS = 400
# Rollup metrics by the event they are made of, with the column of the recount that counts them.
METRICS = {
    "resolution_time": ("conversation_resolved", "count"),
    "resolutions_count": ("conversation_resolved", "count"),
    "first_response": ("first_response", "count"),
    "reply_time": ("reply_time", "count"),
    "bot_resolutions_count": ("conversation_bot_resolved", "count"),
    "bot_handoffs_count": ("conversation_bot_handoff", "conversations"),
}
COUNTS = ("resolutions_count", "bot_resolutions_count", "bot_handoffs_count")


def test_a_help_desk_equals_a_recount(support: SupportWarehouse, shared: Path) -> None:
    desk = read_helpdesk(shared / "data" / "helpdesk.csv.gz")
    assert (len(desk.zones), len({row["id"] for row in desk.conversations})) == (397, 4580)
    load_accounts(support, desk)
    for since, until in pairwise(EDGES):
        load_between(support, desk, since, until)
        support.refresh()
    assert support.rows("select count(*) from reporting_events") == [(len(desk.events),)]
    assert support.pending() == []
    assert support.differences() == []
    _assert_pandas_agrees(support, desk)
    _assert_answers_are_right(support)


def _assert_pandas_agrees(support: SupportWarehouse, desk: HelpDesk) -> None:
    zones = {
        number: zone for number, given in desk.zones.items() if (zone := canonical_zone(given))
    }
    assert 0 < len(zones) < len(desk.zones)
    keys = ["account_id", "date", "dimension_type", "dimension_id", "metric"]
    values = ["count", "sum_value", "sum_value_business_hours"]
    counted = rollups_by_pandas(desk, zones)
    parts = []
    for metric, (name, count) in METRICS.items():
        part = counted[counted["name"] == name]
        part = part.assign(metric=metric, count=part[count], sum_value=part["value"],
                           sum_value_business_hours=part["business"])  # fmt: skip
        if metric in COUNTS:
            part = part.assign(sum_value=0.0, sum_value_business_hours=0.0)
        parts.append(part[keys + values])
    expected = pd.concat(parts).set_index(keys).sort_index()
    rows = support.rows(
        f"select {', '.join(keys + values)} from analytics.reporting_events_rollups"
    )
    actual = pd.DataFrame(rows, columns=pd.Index(keys + values)).set_index(keys).sort_index()
    pd.testing.assert_frame_equal(actual, expected, check_dtype=False, rtol=1e-12)


def _assert_answers_are_right(support: SupportWarehouse) -> None:
    random = Random(2010)
    accounts = support.accounts()
    busy = sorted(accounts.values(), key=lambda account: -len(account.events))[:60]
    examiner = Examiner(support, accounts)
    for _ in range(QUESTIONS):
        account = random.choice(busy)
        moments = [event.at for event in account.events]
        start = random.choice(moments).date()
        days = [start + timedelta(days=n) for n in (0, 1, 7, 30, 31, 90, 365)]
        window = random_window(random, days, moments, account.zone or "UTC")
        question = random_question(random, account, window)
        assert list(examiner.anything(random, account, question)) == []
