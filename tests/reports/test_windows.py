"""The same numbers from every source, in any window."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

import pandas as pd
import pytest

from orchestration.reports import Reports
from tests.reports.conftest import DAY, HAVANA, MONDAY, NEW_YORK
from tests.support.answers import (
    DIMENSIONS,
    METRICS,
    Question,
    aggregate,
    bot_metrics,
    bot_summary,
    timeseries,
)
from tests.support.periods import GROUPS
from tests.support.warehouse import SupportWarehouse

SOURCES = ("raw", "rollup", "auto")
ALL_OF_IT = ("2025-10-20", "2025-11-20")
BOTS = (
    "conversation_count",
    "message_count",
    "resolved_conversations",
    "handoff_conversations",
    "resolved_of_conversations",
    "handed_off_of_conversations",
)


def bot_resolutions(reports: Reports, since: str, until: str, source: str) -> float:
    return reports.aggregate("bot_resolutions_count", since, until, source=source)["value"][0]


@pytest.mark.parametrize("source", SOURCES)
def test_a_handoff_wins_only_in_windows_that_hold_it(reports: Reports, source: str) -> None:
    assert bot_resolutions(reports, "2025-10-27", "2025-10-28", source) == 1
    assert bot_resolutions(reports, "2025-10-27", "2025-10-29", source) == 2
    # Conversation 100 is handed off on the 29th at noon: its resolution counts no more.
    assert bot_resolutions(reports, "2025-10-27", "2025-10-29T16:00:00+00:00", source) == 2
    assert bot_resolutions(reports, "2025-10-27", "2025-10-29T16:00:01+00:00", source) == 1
    assert bot_resolutions(reports, "2025-10-28", "2025-10-30", source) == 2
    assert bot_resolutions(reports, *ALL_OF_IT, source) == 6


@pytest.mark.parametrize("source", SOURCES)
def test_every_bucket_of_a_series_has_the_exclusion_of_the_whole_range(
    reports: Reports, source: str
) -> None:
    days = reports.timeseries("bot_resolutions_count", "2025-10-27", "2025-10-30", source=source)
    assert days["value"].tolist() == [0, 1, 1]
    weeks = reports.timeseries("bot_handoffs_count", *ALL_OF_IT, group_by="week", source=source)
    assert weeks["value"].tolist() == [0, 2, 2, 0, 0]
    assert reports.aggregate("bot_handoffs_count", *ALL_OF_IT, source=source)["value"][0] == 4


def test_a_day_begins_at_its_first_midnight(helpdesk: SupportWarehouse) -> None:
    series = Reports(helpdesk.connection, HAVANA).timeseries(
        "resolutions_count", "2025-11-01", "2025-11-04"
    )
    starts = [start.tz_convert("UTC").hour for start in series.index]
    assert starts == [4, 4, 5]
    assert series.index[2] - series.index[1] == timedelta(hours=25)


def test_periods_without_anything_are_there(reports: Reports) -> None:
    series = reports.timeseries("avg_first_response_time", *ALL_OF_IT, group_by="month")
    assert [str(start.date()) for start in series.index] == ["2025-10-01", "2025-11-01"]
    assert series["value"].tolist() == [0.1, 0]
    assert series["count"].tolist() == [1, 0]
    hours = reports.timeseries("resolutions_count", "2025-11-02", "2025-11-03", group_by="hour")
    assert len(hours) == 25


def test_an_average_is_exact_and_of_what_is_known(reports: Reports) -> None:
    whole = reports.aggregate("avg_resolution_time", *ALL_OF_IT)
    assert (whole["value"][0], whole["count"][0]) == (450, 10)
    office = reports.aggregate("avg_resolution_time", *ALL_OF_IT, business_hours=True)
    assert (office["value"][0], office["count"][0]) == (10, 10)
    nothing = reports.aggregate("reply_time", *ALL_OF_IT)
    assert nothing["value"].isna().all()
    assert nothing["count"][0] == 0


def test_a_summary_has_every_member_and_the_period_before(reports: Reports) -> None:
    table = reports.summary("2025-11-01", "2025-11-06", "agent")
    assert table["id"].unique().tolist() == ["11", "12"]
    resolved = table[table["metric"] == "resolutions_count"].set_index("id")
    assert resolved["value"].to_dict() == {"11": 2, "12": 3}
    assert resolved["previous_value"].to_dict() == {"11": 3, "12": 2}
    one = reports.summary("2025-11-01", "2025-11-06", "agent", id=12)
    assert one["id"].unique().tolist() == ["12"]


@pytest.mark.parametrize("seed", range(4))
def test_random_questions_equal_a_recount(helpdesk: SupportWarehouse, seed: int) -> None:
    random = Random(seed)
    accounts = helpdesk.accounts()
    for _ in range(40):
        account = accounts[random.choice([NEW_YORK, HAVANA])]
        reports = Reports(helpdesk.connection, account.id)
        zone = reports.timezone()
        since, until = sorted(_moment(random, zone) for _ in range(2))
        if since == until:
            continue
        dimension = random.choice(DIMENSIONS)
        member = None if dimension == "account" else account.id * 10 + random.choice([1, 2])
        question = Question(since, until, dimension, member, random.random() < 0.3)
        metric, group = random.choice(METRICS), random.choice(GROUPS)
        for source in SOURCES:
            if source == "rollup" and dimension == "label":
                continue
            chosen: dict[str, Any] = {"dimension": dimension, "id": member, "source": source}
            office: dict[str, Any] = {"business_hours": question.business_hours}
            found = reports.aggregate(metric, since, until, **chosen, **office)
            expected = aggregate(account, metric, question)
            assert found["value"].astype(object).where(found["value"].notna(), None)[0] == expected
            bots = reports.bot_summary(since, until, **chosen)
            expected_bots = bot_summary(account, question)
            assert bots[list(expected_bots)].iloc[0].to_dict() == expected_bots
            if source == "rollup" and group == "hour":
                continue
            series = reports.timeseries(metric, since, until, group, **chosen, **office)
            points = timeseries(account, metric, question, group, zone)
            assert list(
                zip(pd.DatetimeIndex(series.index).tz_convert("UTC"), series["value"], strict=True)
            ) == [(start, value) for start, value, _ in points]
        rates = reports.bot_metrics(since, until, random.choice(SOURCES)).iloc[0]
        expected_rates = bot_metrics(account, Question(since, until))
        assert {name: rates[name] for name in BOTS} == {name: expected_rates[name] for name in BOTS}


def _moment(random: Random, zone: str) -> datetime:
    """Some instant of the two weeks; often a local midnight."""
    at = (MONDAY + random.uniform(-1, 12) * DAY).replace(tzinfo=UTC, microsecond=0)
    if random.random() < 0.5:
        return at
    day = at.astimezone(ZoneInfo(zone)).date()
    return datetime.combine(day, datetime.min.time(), ZoneInfo(zone)).astimezone(UTC)
