"""Frames: the types are always the same, also when there is nothing to tell."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pandas as pd
import pytest
from sqlalchemy import create_engine

from orchestration.errors import DatabaseError, InputError
from orchestration.reports import Reports
from tests.reports.conftest import NEW_YORK
from tests.support.warehouse import SupportWarehouse

DAYS = ("2025-10-27", "2025-11-03")
LONG_AGO = ("2015-01-01", "2015-01-02")


def types(frame: pd.DataFrame) -> dict[str, str]:
    return {str(name): str(kind) for name, kind in frame.dtypes.items()}


def test_types_are_nullable_and_the_index_has_a_zone(reports: Reports) -> None:
    for since, until in (DAYS, LONG_AGO):
        series = reports.timeseries("resolutions_count", since, until)
        assert types(series) == {
            "value": "Float64", "count": "Int64", "complete": "boolean", "source": "string",
        }  # fmt: skip
        assert str(series.index.dtype) == "datetime64[us, America/New_York]"
        assert series.index.name == "bucket"
    summary = types(reports.summary(*DAYS))
    assert (summary["value"], summary["previous_value"]) == ("Float64", "Float64")
    rates = types(reports.bot_metrics(*DAYS))
    assert (rates["conversation_count"], rates["resolution_rate"]) == ("Int64", "Float64")


def test_an_empty_answer_keeps_its_columns(reports: Reports) -> None:
    rows = reports.drilldown("resolutions_count", LONG_AGO[0], "day", *LONG_AGO)
    assert rows.empty
    assert types(rows)["conversation_id"] == "Int64"
    assert types(rows)["occurred_at"] == "datetime64[us, America/New_York]"
    differences = reports.diagnose("resolutions_count", *LONG_AGO)
    assert differences.empty
    assert list(differences.columns) == ["date", "dimension", "id", "raw", "rollup"]
    assert types(differences)["date"] == "datetime64[us]"


def test_dates_instants_and_text_mean_the_same(reports: Reports) -> None:
    expected = reports.timeseries("resolutions_count", *DAYS)
    for since, until in (
        (date(2025, 10, 27), date(2025, 11, 3)),
        (datetime(2025, 10, 27, 4, tzinfo=UTC), datetime(2025, 11, 3, 5, tzinfo=UTC)),
        ("2025-10-27T00:00:00-04:00", "2025-11-03T05:00:00Z"),
    ):
        assert reports.timeseries("resolutions_count", since, until).equals(expected)


def test_urls_connections_and_engines_are_taken(helpdesk: SupportWarehouse) -> None:
    expected = Reports(helpdesk.connection, NEW_YORK).summary(*DAYS)
    bare = helpdesk.url.partition("://")[2]
    for database in (
        helpdesk.url,
        f"postgresql+psycopg2://{bare}",
        create_engine(f"postgresql+psycopg://{bare}"),
        create_engine(f"postgresql+psycopg2://{bare}"),
    ):
        reports = Reports(database, str(NEW_YORK))
        assert reports.summary(*DAYS).equals(expected)
        with pytest.raises(InputError, match="unknown metric"):
            reports.aggregate("nothing", *DAYS)


def test_what_is_no_database_is_said(helpdesk: SupportWarehouse, database_url: str) -> None:
    with pytest.raises(InputError, match="needs a database"):
        Reports(42, 1).bot_metrics(*DAYS)
    with pytest.raises(InputError, match="postgresql://"):
        Reports("sqlite://", 1).bot_metrics(*DAYS)
    with pytest.raises(DatabaseError, match="rollups init"):
        Reports(database_url, 1).bot_metrics(*DAYS)
