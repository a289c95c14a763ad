"""A day of operation, sped up: every fault is told of within two hours, and so is its recovery.

The refreshes, the database's log, Dagster's runs and checks, the sensor and the webhook that it
tells are real. An hour passes by moving everything that is known so far an hour into the past.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from uuid import uuid4

import dagster as dg
import psycopg
import pytest

from orchestration.alerting.alerts import GAP, AlertState
from orchestration.resources import Warehouse
from orchestration.settings import load_settings
from tests.alerting.conftest import Endpoint
from tests.dagster.conftest import Location
from tests.outreach.warehouse import OutreachWarehouse

pytestmark = pytest.mark.slow

LOGGED = {
    "refresh_log": "at",
    "refresh_model": "at",
    "watermark": "captured_at",
    "pending": "noted_at",
}


class Day:
    """Hours that pass; what was told in each of them."""

    def __init__(
        self, location: Location, warehouse: OutreachWarehouse, endpoint: Endpoint
    ) -> None:
        self.location = location
        self.warehouse = warehouse
        self.endpoint = endpoint
        self.cursor: str | None = None
        self.number = 0

    @property
    def known(self) -> AlertState:
        """What the sensor has told so far."""
        return AlertState.model_validate_json(self.cursor) if self.cursor else AlertState()

    def pass_time(self, span: timedelta) -> None:
        known = self.known
        for alert in known.told.values():
            alert.since -= span
            alert.told_at -= span
        if known.sent_at is not None:
            known.sent_at -= span
        self.cursor = known.model_dump_json()
        with self.writable_log() as connection:
            for table, column in LOGGED.items():
                connection.execute(
                    f"update ops.{table} set {column} = {column} - %s".encode(), [span]
                )

    def look(self) -> None:
        """The sensor's look, once a minute in operation."""
        context = dg.build_sensor_context(
            instance=self.location.instance,
            repository_def=self.location.defs.get_repository_def(),
            cursor=self.cursor,
            resources={"warehouse": Warehouse()},
        )
        answer = self.location.defs.resolve_sensor_def("alerts")(context)
        if isinstance(answer, dg.SensorResult):
            self.cursor = answer.cursor

    def heard(self) -> list[str]:
        """What has come in at the webhook since it was last asked."""
        messages = [f"{each['title']}\n{each['message']}" for each in self.endpoint.received]
        self.endpoint.received.clear()
        return messages

    def hour(self, refresh: Callable[[], object] | None = None) -> list[str]:
        """A row comes in, a refresh runs, somebody looks twice; what was told meanwhile."""
        self.number += 1
        at = datetime(2026, 3, 12, 12) + timedelta(hours=self.number)
        self.warehouse.add_event("acme", "acme_1", f"hour_{self.number}", "open", at)
        self.pass_time(timedelta(minutes=30))
        self.look()
        if refresh is not None:
            refresh()
        self.pass_time(timedelta(minutes=30))
        self.look()
        return self.heard()

    def refresh(self) -> None:
        self.location.run()

    def refresh_slowly(self) -> None:
        """One that took two minutes, as its log has it."""
        self.refresh()
        with self.writable_log() as connection:
            connection.execute(
                "update ops.refresh_log set at = at - interval '2 minutes' where event = 'started'"
                " and at = (select max(at) from ops.refresh_log where event = 'started')"
            )

    def refresh_others(self) -> None:
        """One that takes the work of no tenant we have, though it looks for changes."""
        self.warehouse.connection.execute("select ops.capture('outreach')")
        self.warehouse.connection.execute(
            "select ops.begin_refresh(%(id)s, 'outreach', 'cli'),"
            " ops.claim_pending(%(id)s, 'outreach', array['nobody']),"
            " ops.complete_refresh(%(id)s, 'outreach')",
            {"id": uuid4()},
        )

    @contextmanager
    def writable_log(self) -> Iterator[psycopg.Connection]:
        connection = self.warehouse.connection
        connection.execute("alter table ops.refresh_log disable trigger append_only")
        yield connection
        connection.execute("alter table ops.refresh_log enable trigger append_only")


@pytest.fixture
def day(
    location: Location,
    filled: OutreachWarehouse,
    endpoint: Endpoint,
    monkeypatch: pytest.MonkeyPatch,
) -> Day:
    monkeypatch.setenv("ROLLUPS_ALERT_URLS", endpoint.address)
    load_settings.cache_clear()
    day = Day(location, filled, endpoint)
    day.refresh()
    return day


def told(messages: list[str]) -> set[tuple[str, str]]:
    """What was opened (``Alert``, ``Warning``) and what recovered, each with its kind."""
    return {
        (word, kind)
        for message in messages
        for word, kind in re.findall(r"^(Alert|Warning|Recovered): (\w+): ", message, re.MULTILINE)
    }


def test_every_fault_is_told_and_so_is_its_end(day: Day, filled: OutreachWarehouse) -> None:
    quiet = [message for _ in range(11) for message in day.hour(day.refresh)]
    assert quiet == []

    # 12, 13: a model cannot be written
    mart = "alter table analytics.metrics_message"
    filled.connection.execute(f"{mart} add constraint refused check (false) not valid".encode())
    assert told(day.hour(day.refresh)) == {("Alert", "failed_run")}
    # by now it also shows in what the tables lack
    assert told(day.hour(day.refresh)) == {("Alert", "missed_refreshes")}
    filled.connection.execute(f"{mart} drop constraint refused".encode())
    recovered = {("Recovered", "failed_run"), ("Recovered", "missed_refreshes")}
    assert told(day.hour(day.refresh)) == recovered
    assert day.hour(day.refresh) == []

    # 16 to 18: the schedule does not run
    assert day.hour() == []
    assert told(day.hour()) == {("Alert", "missed_refreshes")}
    assert day.hour() == []
    assert told(day.hour(day.refresh)) == {("Recovered", "missed_refreshes")}

    # 20: a refresh is killed
    filled.connection.execute("select ops.begin_refresh(%s, 'outreach', 'cli')", [uuid4()])
    assert told(day.hour()) == {("Alert", "lost_refresh")}
    assert told(day.hour(day.refresh)) == {("Recovered", "lost_refresh")}

    # 22: one takes two minutes
    assert told(day.hour(day.refresh_slowly)) == {("Alert", "slow_refresh")}
    assert told(day.hour(day.refresh)) == {("Recovered", "slow_refresh")}

    # 24: a tenant that cannot be a partition
    filled.insert("tenants", id="a|b", name="Bad")
    messages = day.hour(day.refresh)
    assert told(messages) == {("Warning", "failing_check")}
    assert "a|b: its id has a comma, a bar" in messages[0]
    filled.connection.execute("delete from tenants where id = 'a|b'")
    assert told(day.hour(day.refresh)) == {("Recovered", "failing_check")}

    # 26 to 29: a tenant's work is left lying
    left = [message for _ in range(4) for message in day.hour(day.refresh_others)]
    assert told(left) == {("Alert", "growing_backlog")}
    assert told(day.hour(day.refresh)) == {("Recovered", "growing_backlog")}
    assert day.hour(day.refresh) == []
    assert day.known.told == {}
    assert day.number >= 24


def test_a_failed_reconciliation_and_a_database_that_is_down_are_told(
    day: Day, use_database: Callable[[str], None]
) -> None:
    job = day.location.defs.resolve_job_def("outreach_reconcile")
    day.location.instance.create_run_for_job(job, status=dg.DagsterRunStatus.FAILURE)
    day.look()
    (message,) = day.heard()
    assert "Alert: failed_run: outreach_reconcile" in message
    day.pass_time(GAP)
    use_database("postgresql://nobody@127.0.0.1:9/nowhere")
    day.look()
    assert told(day.heard()) == {("Alert", "database")}
