"""A day of operation, sped up: every fault is told of within two hours, and so is its recovery.

The refreshes, the database's log, Dagster's runs and checks are real. An hour passes by moving
everything that was logged so far an hour into the past.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import dagster as dg
import pytest

from orchestration.alerting.alerts import AlertState, news
from orchestration.alerting.conditions import current_alerts
from orchestration.resources import Warehouse
from tests.dagster.conftest import Location
from tests.outreach.warehouse import OutreachWarehouse

pytestmark = pytest.mark.slow

LOGGED = {
    "refresh_log": ("at",),
    "refresh_model": ("at",),
    "watermark": ("captured_at",),
    "pending": ("noted_at",),
}


class Day:
    """Hours that pass; what was told in each of them."""

    def __init__(self, location: Location, warehouse: OutreachWarehouse) -> None:
        self.location = location
        self.warehouse = warehouse
        self.now = datetime(2026, 3, 20, tzinfo=UTC)
        self.state = AlertState()
        self.messages: list[str] = []
        self.number = 0

    def pass_time(self, span: timedelta) -> None:
        self.now += span
        connection = self.warehouse.connection
        connection.execute("alter table ops.refresh_log disable trigger append_only")
        for table, columns in LOGGED.items():
            for column in columns:
                connection.execute(
                    f"update ops.{table} set {column} = {column} - %s".encode(), [span]
                )
        connection.execute("alter table ops.refresh_log enable trigger append_only")

    def look(self) -> None:
        repository = self.location.defs.get_repository_def()
        context = dg.build_sensor_context(
            instance=self.location.instance, repository_def=repository
        )
        message, self.state = news(self.state, current_alerts(context, Warehouse()), self.now)
        if message is not None:
            self.messages.append(f"{message.title}\n{message.body}")

    def hour(self, refresh: Callable[[], object] | None = None) -> list[str]:
        """A row comes in, a refresh runs, somebody looks twice; what was told meanwhile."""
        self.messages = []
        self.number += 1
        at = datetime(2026, 3, 12, 12) + timedelta(hours=self.number)
        self.warehouse.add_event("acme", "acme_1", f"hour_{self.number}", "open", at)
        self.pass_time(timedelta(minutes=30))
        self.look()
        if refresh is not None:
            refresh()
        self.pass_time(timedelta(minutes=30))
        self.look()
        return self.messages

    def refresh(self) -> None:
        self.location.run()


@pytest.fixture
def day(location: Location, filled: OutreachWarehouse) -> Day:
    day = Day(location, filled)
    day.refresh()
    return day


def opened(messages: list[str], kind: str) -> bool:
    return any(f"Alert: {kind}" in message or f"Warning: {kind}" in message for message in messages)


def recovered(messages: list[str], kind: str) -> bool:
    return any(f"Recovered: {kind}" in message for message in messages)


def test_every_fault_is_told_and_so_is_its_end(day: Day, filled: OutreachWarehouse) -> None:
    quiet = [message for _ in range(11) for message in day.hour(day.refresh)]
    assert quiet == []

    # 12, 13: a model cannot be written
    mart = "alter table analytics.metrics_message"
    filled.connection.execute(f"{mart} add constraint refused check (false) not valid".encode())
    assert opened(day.hour(day.refresh), "failed_run: outreach_refresh")
    # by now it also shows in what the tables lack
    assert opened(day.hour(day.refresh), "missed_refreshes: outreach")
    filled.connection.execute(f"{mart} drop constraint refused".encode())
    messages = day.hour(day.refresh)
    assert recovered(messages, "failed_run")
    assert recovered(messages, "missed_refreshes")
    assert day.hour(day.refresh) == []

    # 16, 17: the schedule does not run
    missed = day.hour() + day.hour() + day.hour()
    assert opened(missed, "missed_refreshes: outreach")
    assert recovered(day.hour(day.refresh), "missed_refreshes")

    # 20: a refresh is killed
    filled.connection.execute("select ops.begin_refresh(%s, 'outreach', 'cli')", [uuid4()])
    assert opened(day.hour(), "lost_refresh: outreach")
    assert recovered(day.hour(day.refresh), "lost_refresh")

    # 22: one takes two minutes
    def slowly() -> None:
        day.refresh()
        connection = filled.connection
        connection.execute("alter table ops.refresh_log disable trigger append_only")
        connection.execute(
            "update ops.refresh_log set at = at - interval '2 minutes' where event = 'started'"
            " and at = (select max(at) from ops.refresh_log where event = 'started')"
        )
        connection.execute("alter table ops.refresh_log enable trigger append_only")

    assert opened(day.hour(slowly), "slow_refresh: outreach")
    assert recovered(day.hour(day.refresh), "slow_refresh")

    # 24: a tenant that cannot be a partition
    filled.insert("tenants", id="a|b", name="Bad")
    assert opened(day.hour(day.refresh), "failing_check: every_tenant_has_rollups")
    filled.connection.execute("delete from tenants where id = 'a|b'")
    assert recovered(day.hour(day.refresh), "failing_check")

    # 26 to 29: a tenant's work is left lying
    def others() -> None:
        filled.connection.execute(
            "select ops.begin_refresh(%(id)s, 'outreach', 'cli'),"
            " ops.claim_pending(%(id)s, 'outreach', array['nobody']),"
            " ops.complete_refresh(%(id)s, 'outreach')",
            {"id": uuid4()},
        )

    filled.connection.execute("select ops.capture('outreach')")
    left = [message for _ in range(4) for message in (day.hour(others))]
    assert opened(left, "growing_backlog: outreach")
    assert recovered(day.hour(day.refresh), "growing_backlog")
    assert day.hour(day.refresh) == []
    assert day.state.told == {}


def test_a_database_that_is_down_is_told(day: Day, use_database: Callable[[str], None]) -> None:
    use_database("postgresql://nobody@127.0.0.1:9/nowhere")
    day.look()
    assert opened(day.messages, "database: unreachable or unfit")
