"""What cannot be answered is refused with the value and what is allowed."""

from __future__ import annotations

from typing import Any

import pytest

from orchestration.errors import InputError
from orchestration.reports import Reports
from tests.support.warehouse import SupportWarehouse

DAYS: dict[str, Any] = {"since": "2025-10-27", "until": "2025-11-03"}


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        ({"metric": "x'; drop table"}, r"unknown metric \"x'; drop table\": use .*reply_time"),
        ({"group_by": "decade"}, 'unknown group_by "decade": use hour, day, week, month, year'),
        ({"dimension": "planet"}, 'unknown dimension "planet": use account, agent, inbox, team'),
        ({"dimension": "agent"}, "dimension agent needs an id"),
        ({"dimension": "agent", "id": 999}, 'agent "999" not found'),
        ({"dimension": "agent", "id": "1 or 1=1"}, 'agent "1 or 1=1" not found'),
        # An agent of another account.
        ({"dimension": "agent", "id": 21}, 'agent "21" not found'),
        ({"id": "2"}, 'account "2" not found'),
        ({"timezone": "UTC+3"}, 'unknown time zone "UTC\\+3": use an IANA name'),
        ({"source": "cache"}, 'unknown source "cache": use auto, raw, rollup'),
        ({"until": "2025-10-27"}, "is not before until"),
        ({"since": "2025-10-27T12:00"}, "since 2025-10-27T12:00 has no time zone"),
        ({"since": "yesterday"}, "since 'yesterday' is neither a date nor an instant"),
        ({"group_by": "hour", "since": "1900-01-01"}, "at most 100000 periods"),
        ({"group_by": "hour", "source": "rollup"}, "rollups are daily"),
    ],
)
def test_what_is_unknown_is_named(reports: Reports, choice: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        reports.timeseries(**({"metric": "resolutions_count", **DAYS, **choice}))


@pytest.mark.parametrize("tenant", ["99", "nobody", "1; drop", "", "99999999999999"])
def test_an_unknown_tenant_is_not_an_empty_one(helpdesk: SupportWarehouse, tenant: str) -> None:
    reports = Reports(helpdesk.connection, tenant)
    for ask in (
        lambda: reports.bot_metrics(**DAYS),
        lambda: reports.summary(**DAYS),
        lambda: reports.aggregate("reply_time", **DAYS),
        lambda: reports.label_summary(**DAYS),
        reports.freshness,
    ):
        with pytest.raises(InputError, match="not found"):
            ask()


def test_metrics_of_a_family_that_is_not_here_are_unknown(reports: Reports) -> None:
    with pytest.raises(InputError, match='unknown metric "opens"'):
        reports.aggregate("opens", **DAYS)
    with pytest.raises(InputError, match='unknown dimension "campaign"'):
        reports.summary(**DAYS, dimension="campaign")


def test_a_channel_summary_covers_half_a_year(reports: Reports) -> None:
    assert not reports.channel_summary("2025-06-01", "2025-12-01").empty
    with pytest.raises(InputError, match="at most 6 months"):
        reports.channel_summary("2025-06-01", "2025-12-02")


def test_a_refusal_leaves_the_connection_usable(helpdesk: SupportWarehouse) -> None:
    with helpdesk.connection.transaction():
        reports = Reports(helpdesk.connection, 1)
        with pytest.raises(InputError):
            reports.aggregate("nothing", **DAYS)
        assert reports.aggregate("resolutions_count", **DAYS)["value"][0] == 7
