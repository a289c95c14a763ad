"""A database that an earlier release left is brought to this one, with its history."""

from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from orchestration.settings import FAMILIES, Settings
from orchestration.warehouse.bootstrap import initialise
from orchestration.warehouse.connection import connect
from orchestration.warehouse.reconciliation import reconcile
from orchestration.warehouse.refresh import RefreshRequest, refresh
from orchestration.warehouse.source_contract import source_schema
from orchestration.warehouse.verify import verify

RELEASES = sorted(Path(__file__).parent.joinpath("releases").glob("*.sql.gz"))
ANALYST_VIEW = "select date, sum(sends) as sends from analytics.rpt_tenant_daily group by date"


class Old:
    """A database of an earlier release and the settings it is used with."""

    def __init__(self, url: str, home: Path) -> None:
        self.url = url
        self.settings = Settings(home=home, support_schema="chatwoot")

    def upgrade(self) -> None:
        initialise(self.settings, self.url)

    def refresh(self) -> dict[str, int]:
        """Partitions that a refresh of each family rebuilds."""
        return {
            family: len(refresh(self.settings, self.url, RefreshRequest(family, "cli")).partitions)
            for family in FAMILIES
        }

    def differences(self) -> list[object]:
        found: list[object] = []
        with connect(self.url, application="test") as connection:
            for family in FAMILIES:
                report = verify(
                    connection,
                    family,
                    source_schema=source_schema(self.settings, family),
                    date_from=None,
                    date_to=None,
                )
                found += report.differences
        return found

    def mart(self, connection: psycopg.Connection) -> list[tuple[object, ...]]:
        return connection.execute(
            "select tenant_id, date, sends, delivered, unique_opens"
            " from analytics.metrics_tenant_daily order by 1, 2"
        ).fetchall()


@pytest.fixture(params=RELEASES, ids=[path.name.removesuffix(".sql.gz") for path in RELEASES])
def old(request: pytest.FixtureRequest, new_database: Callable[..., str], test_home: Path) -> Old:
    url = new_database()
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(gzip.decompress(request.param.read_bytes()))
    return Old(url, test_home)


def test_numbers_survive_and_the_next_refresh_is_right(old: Old) -> None:
    with psycopg.connect(old.url, autocommit=True) as connection:
        connection.execute(f"create schema mine; create view mine.sends as {ANALYST_VIEW}".encode())
        before = old.mart(connection)
        assert len(before) > 20
        old.upgrade()
        assert old.mart(connection) == before, "an upgrade alone changes no number"
        old.refresh()
        assert old.differences() == []
        assert old.mart(connection) == before
        row = connection.execute("select sum(sends) from mine.sends").fetchone()
        assert row == (sum(int(str(line[2])) for line in before),)

        connection.execute(
            "update dripiq_app.message_events set type = 'click', created_at = now()"
            " where id in (select id from dripiq_app.message_events where type = 'open'"
            " order by id limit 20)"
        )
        assert old.refresh()["outreach"] > 0
        assert old.differences() == []


def test_reconciliation_knows_rows_of_the_old_release(old: Old) -> None:
    old.upgrade()
    old.refresh()
    for family in FAMILIES:
        reconcile(old.settings, old.url, family)
    old.refresh()
    for family in FAMILIES:
        assert reconcile(old.settings, old.url, family).differing == 0
    assert old.differences() == []


def test_a_second_upgrade_changes_nothing(old: Old) -> None:
    old.upgrade()
    old.refresh()
    with psycopg.connect(old.url, autocommit=True) as connection:
        migrations = connection.execute("select * from ops.migration order by 1").fetchall()
        old.upgrade()
        assert connection.execute("select * from ops.migration order by 1").fetchall() == migrations
    assert old.refresh() == {"outreach": 0, "support": 0}
