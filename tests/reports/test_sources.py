"""Where an answer is read from, and what it says about itself."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from orchestration.errors import InputError
from orchestration.reports import Reports
from tests.reports.conftest import NEW_YORK, NO_ZONE
from tests.support.warehouse import SupportWarehouse

DAYS = ("2025-10-27", "2025-11-03")
EDGES = ("2025-10-27T12:00:00+00:00", "2025-11-03T12:00:00+00:00")


def read_from(reports: Reports, since: str, until: str, **choice: Any) -> str:
    return reports.aggregate("resolutions_count", since, until, **choice)["source"][0]


def test_whole_days_come_from_rollups_and_edges_from_the_source(reports: Reports) -> None:
    assert read_from(reports, *DAYS) == "rollup"
    assert read_from(reports, *EDGES) == "mixed"
    assert read_from(reports, EDGES[0], "2025-10-27T13:00:00+00:00") == "raw"
    assert read_from(reports, *DAYS, source="raw") == "raw"


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ({}, "rollup"),
        ({"group_by": "month"}, "rollup"),
        ({"group_by": "hour"}, "raw"),
        ({"group_by": "day", "timezone": "America/New_York"}, "rollup"),
        ({"group_by": "day", "timezone": "US/Eastern"}, "rollup"),
        ({"group_by": "day", "timezone": "America/Detroit"}, "raw"),
        ({"dimension": "inbox"}, "rollup"),
        ({"dimension": "team"}, "raw"),
        ({"dimension": "label"}, "raw"),
        ({"metric": "bot_resolutions_count"}, "rollup"),
        ({"metric": "conversations_count"}, "raw"),
        ({"metric": "incoming_messages_count"}, "raw"),
    ],
)
def test_auto_reads_rollups_where_they_cannot_differ(
    reports: Reports, question: dict[str, Any], expected: str
) -> None:
    assert reports.source_of(**({"metric": "resolutions_count"} | question)) == expected


def test_rollups_are_left_out_while_work_is_pending(own_helpdesk: SupportWarehouse) -> None:
    reports = Reports(own_helpdesk.url, NEW_YORK)
    own_helpdesk.add_event(NEW_YORK, 7, "conversation_resolved", datetime(2025, 10, 28, 12))
    own_helpdesk.connection.execute(
        "select ops.note_pending('support', array['1'], 'date', array['2025-10-28'], 'a test')"
    )
    assert reports.source_of("resolutions_count") == "raw"
    assert reports.aggregate("resolutions_count", *DAYS)["value"][0] == 8
    stale = reports.aggregate("resolutions_count", *DAYS, source="rollup")
    assert (stale["value"][0], stale["complete"][0]) == (7, False)
    differences = reports.diagnose("resolutions_count", *DAYS, dimension="account")
    assert differences[["id", "raw", "rollup"]].to_numpy().tolist() == [["1", 2.0, 1.0]]
    own_helpdesk.refresh()
    assert reports.aggregate("resolutions_count", *DAYS, source="rollup")["value"][0] == 8
    assert reports.diagnose("resolutions_count", *DAYS).empty


def test_an_account_can_be_kept_from_rollups(own_helpdesk: SupportWarehouse) -> None:
    own_helpdesk.connection.execute("select ops.set_read_source('support', '1', 'raw')")
    assert Reports(own_helpdesk.connection, NEW_YORK).source_of("resolutions_count") == "raw"


def test_a_zone_that_the_rollups_do_not_have_yet_is_read_raw(
    own_helpdesk: SupportWarehouse,
) -> None:
    reports = Reports(own_helpdesk.connection, NEW_YORK)
    own_helpdesk.set_timezone(NEW_YORK, "Asia/Tokyo")
    assert read_from(reports, *DAYS) == "raw"
    with pytest.raises(InputError, match="not dated by its time zone yet"):
        read_from(reports, *DAYS, source="rollup")
    own_helpdesk.refresh()
    assert read_from(reports, *DAYS) == "rollup"


def test_an_account_without_a_zone_is_read_raw_and_in_utc(helpdesk: SupportWarehouse) -> None:
    reports = Reports(helpdesk.connection, NO_ZONE)
    assert reports.timezone() == "UTC"
    assert read_from(reports, *DAYS) == "raw"
    assert reports.aggregate("resolutions_count", *DAYS)["value"][0] == 7
    with pytest.raises(InputError, match="no reporting time zone"):
        read_from(reports, *DAYS, source="rollup")
    assert reports.freshness()["problem"][0] == "no reporting time zone"


def test_what_is_not_over_is_not_complete(reports: Reports) -> None:
    now = datetime.now(UTC)
    series = reports.timeseries("resolutions_count", now - timedelta(days=2), now + timedelta(1))
    assert series["complete"].iloc[0]
    assert not series["complete"].iloc[-1]
    assert reports.aggregate("resolutions_count", *DAYS)["complete"][0]


def test_a_series_in_another_zone_has_that_zones_days(reports: Reports) -> None:
    series = reports.timeseries("resolutions_count", *DAYS, timezone="Asia/Calcutta")
    assert str(series.index.dtype) == "datetime64[us, Asia/Kolkata]"
    assert series.index[0].isoformat() == "2025-10-27T00:00:00+05:30"
    assert series["source"].iloc[0] == "raw"
    with pytest.raises(InputError, match="dated by America/New_York, not Asia/Kolkata"):
        reports.timeseries("resolutions_count", *DAYS, timezone="Asia/Kolkata", source="rollup")
