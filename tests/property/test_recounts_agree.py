"""The SQL recount of `rollups verify` and the Python recount of the tests say the same.

Both were written from the definitions alone. Here the marts are filled from the one and verified
with the other, over random sources that are full of copies, ties, late rows and clock changes.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any

import pandas as pd
import psycopg
import pytest
from psycopg import sql

from orchestration.errors import DatabaseError, InputError, SourceContractError
from orchestration.warehouse.verify import VerifyReport
from orchestration.warehouse.verify import verify as verify_family
from tests.outreach.database import SOURCE, create, fill, fill_marts, fill_rules
from tests.outreach.marts import METRICS, compare, read_marts
from tests.outreach.random_source import SEEDS, TENANTS, ZONES, RandomOutreach
from tests.outreach.recount import read_staging_seeds, recount

Marts = dict[str, pd.DataFrame]


@pytest.fixture
def connection(database_url: str) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(database_url) as connection:
        create(connection)
        fill_rules(connection, SEEDS, ZONES)
        connection.commit()
        yield connection


def load(connection: psycopg.Connection[Any], source: RandomOutreach) -> Marts:
    """Load a source, and the marts as the Python recount counts them; returns those."""
    for name, rows in source.rows.items():
        fill(connection, SOURCE, name, rows)
    marts = recount(connection, SOURCE, ZONES, seeds=SEEDS)
    fill_marts(connection, marts)
    connection.commit()
    return marts


def verify(connection: psycopg.Connection[Any], **choice: Any) -> VerifyReport:
    """Verify all of it, or the dates and tenants chosen."""
    everything = {"date_from": None, "date_to": None, "tenants": ()}
    return verify_family(connection, "outreach", source_schema=SOURCE, **(everything | choice))


@pytest.mark.parametrize("seed", range(12))
def test_sql_and_python_count_a_random_source_alike(
    connection: psycopg.Connection[Any], seed: int
) -> None:
    marts = load(connection, RandomOutreach(seed))
    report = verify(connection)
    assert report.differences == []
    assert report.matches
    assert [verdict.rows_expected for verdict in report.models] == [
        len(marts[verdict.model]) for verdict in report.models
    ]


def test_the_random_sources_move_every_column() -> None:
    marts = [
        recount(RandomOutreach(seed, messages=300).tables, "", ZONES, seeds=SEEDS)
        for seed in range(3)
    ]
    for name in marts[0]:
        counts = pd.concat([found[name] for found in marts]).select_dtypes("number").sum()
        assert list(counts[counts == 0].index) == [], name


def test_reading_the_database_and_reading_frames_is_the_same(
    connection: psycopg.Connection[Any],
) -> None:
    source = RandomOutreach(77)
    marts = load(connection, source)
    assert compare(recount(source.tables, "", ZONES, seeds=SEEDS), marts) == []
    assert compare(marts, read_marts(connection)) == []


@pytest.mark.parametrize("seed", range(20, 23))
def test_hours_campaigns_and_tenants_add_up(seed: int) -> None:
    marts = recount(RandomOutreach(seed).tables, "", ZONES, seeds=SEEDS)
    daily = marts["metrics_tenant_daily"].set_index(["tenant_id", "date"])
    for name in ("metrics_contact_hourly", "metrics_campaign_daily"):
        added = marts[name].groupby(["tenant_id", "date"])[METRICS].sum()
        added = added[(added != 0).any(axis=1)]
        pd.testing.assert_frame_equal(added, daily, check_names=False)
    cohorts = marts["metrics_tenant_cohort_daily"].sum(numeric_only=True)
    once = {"sent": "sends", "delivered_strict": "delivered", "opened_strict": "unique_opens"}
    once |= {"dropped": "drops", "bounced": "bounces", "unsubscribed": "unsubscribes"}
    for flag, metric in once.items():
        assert cohorts[flag] == daily[metric].sum(), flag


def test_verify_looks_only_at_the_dates_and_tenants_asked_for(
    connection: psycopg.Connection[Any],
) -> None:
    load(connection, RandomOutreach(5))
    inside = {"date_from": date(2024, 3, 9), "date_to": date(2024, 3, 10), "tenants": ["havana"]}
    for mart in ("metrics_message", "metrics_contact_hourly", "metrics_tenant_cohort_daily"):
        connection.execute(
            f"delete from analytics.{mart} where tenant_id <> 'havana'"
            " or date not between '2024-03-09' and '2024-03-10'"
        )
    connection.commit()
    report = verify(connection, **inside)
    assert report.matches
    assert all(verdict.rows_expected > 0 for verdict in report.models)
    assert not verify(connection, **(inside | {"tenants": TENANTS})).matches
    later = inside["date_to"] + timedelta(days=1)
    assert not verify(connection, **(inside | {"date_to": later})).matches
    assert verify(connection, tenants=["unheard of"]).matches


def test_verify_names_every_kind_of_difference(connection: psycopg.Connection[Any]) -> None:
    marts = load(connection, RandomOutreach(6))
    days = marts["metrics_tenant_daily"]
    wrong, gone, twice = (days.iloc[place] for place in (0, 5, 9))
    for statement in (
        "update analytics.metrics_tenant_daily set opens = opens + 1, clicks = null",
        "delete from analytics.metrics_tenant_daily",
        "insert into analytics.metrics_tenant_daily select * from analytics.metrics_tenant_daily",
    ):
        row = {"update": wrong, "delete": gone, "insert": twice}[statement.split()[0]]
        connection.execute(
            statement + " where tenant_id = %s and date = %s", (row["tenant_id"], row["date"])
        )
    connection.execute(
        "insert into analytics.metrics_tenant_daily (tenant_id, date, sends)"
        " values ('stranger', '2024-03-10', 4)"
    )
    connection.commit()
    report = verify(connection)
    found = {(d.tenant_id, d.date, d.metric): (d.expected, d.actual) for d in report.differences}
    assert found.pop((wrong["tenant_id"], wrong["date"], "opens")) == (
        str(wrong["opens"]),
        str(wrong["opens"] + 1),
    )
    assert found.pop((wrong["tenant_id"], wrong["date"], "clicks")) == (str(wrong["clicks"]), None)
    missing = found.pop((gone["tenant_id"], gone["date"], "(row)"))
    assert missing[0] is not None
    assert missing[1] is None
    assert found.pop((twice["tenant_id"], twice["date"], "(row)")) == ("once", "2 times")
    surplus = found.pop(("stranger", date(2024, 3, 10), "(row)"))
    assert surplus[0] is None
    assert not found
    verdict = {verdict.model: verdict for verdict in report.models}["metrics_tenant_daily"]
    assert verdict.differing_keys == 4
    assert verdict.rows_actual == verdict.rows_expected + 1
    assert not report.matches
    lines = compare(marts, read_marts(connection))
    assert len(lines) == 5
    assert any("missing" in line for line in lines)


def test_a_lifecycle_status_is_compared_too(connection: psycopg.Connection[Any]) -> None:
    load(connection, RandomOutreach(7))
    changed = connection.execute(
        "update analytics.metrics_campaign_daily set status_at_close = 'draft'"
        " where status_at_close = 'active'"
    ).rowcount
    connection.commit()
    report = verify(connection)
    assert changed > 0
    assert sum(verdict.differing_keys for verdict in report.models) == changed
    assert {(d.metric, d.expected, d.actual) for d in report.differences} == {
        ("status_at_close", "active", "draft")
    }


def test_optional_tables_may_be_missing(connection: psycopg.Connection[Any]) -> None:
    source = RandomOutreach(8)
    del source.rows["contact_unsubscribes"], source.rows["inbound_messages"]
    connection.execute(f"drop table {SOURCE}.contact_unsubscribes, {SOURCE}.inbound_messages")
    load(connection, source)
    assert verify(connection).matches


def test_a_source_with_time_zones_counts_the_same(connection: psycopg.Connection[Any]) -> None:
    marts = load(connection, RandomOutreach(9))
    columns = connection.execute(
        "select table_name, column_name from information_schema.columns"
        " where table_schema = %s and data_type = 'timestamp without time zone'",
        (SOURCE,),
    ).fetchall()
    statement = sql.SQL(
        "alter table {table} alter {column} drop default,"
        " alter {column} type timestamptz using {column} at time zone 'UTC'"
    )
    for table, column in columns:
        names = {"table": sql.Identifier(SOURCE, table), "column": sql.Identifier(column)}
        connection.execute(statement.format(**names))
    connection.execute("set time zone 'Asia/Kolkata'")
    connection.commit()
    assert verify(connection).matches
    assert compare(marts, recount(connection, SOURCE, ZONES, seeds=SEEDS)) == []


def test_first_date_and_rules_come_from_the_database(connection: psycopg.Connection[Any]) -> None:
    source = RandomOutreach(10)
    load(connection, source)
    connection.execute("insert into ops.config values ('min_event_date', '2024-04-01')")
    connection.execute("delete from staging.machine_rules where kind <> 'user_agent'")
    connection.execute("update staging.provider_capabilities set reports_events = true")
    connection.commit()
    assert not verify(connection).matches
    seeds = read_staging_seeds(connection)
    marts = recount(connection, SOURCE, ZONES, seeds=seeds, min_event_date=date(2024, 4, 1))
    for name in marts:
        connection.execute(sql.SQL("truncate {}").format(sql.Identifier("analytics", name)))
    fill_marts(connection, marts)
    connection.commit()
    assert verify(connection).matches


def test_verify_writes_nothing(connection: psycopg.Connection[Any]) -> None:
    load(connection, RandomOutreach(11))
    before = connection.execute("select oid, relname from pg_class order by oid").fetchall()
    connection.commit()
    verify(connection)
    assert connection.execute("select oid, relname from pg_class order by oid").fetchall() == before


def test_verify_says_what_is_wrong_in_one_line(connection: psycopg.Connection[Any]) -> None:
    with pytest.raises(InputError, match="2024-03-02 lies after --to 2024-03-01"):
        verify(connection, date_from=date(2024, 3, 2), date_to=date(2024, 3, 1))
    with pytest.raises(SourceContractError, match=r"nobody\.outbound_messages is missing"):
        verify_family(connection, "outreach", source_schema="nobody", date_from=None, date_to=None)
    connection.execute("drop table analytics.metrics_message")
    connection.commit()
    with pytest.raises(DatabaseError, match=r"analytics\.metrics_message is missing: run"):
        verify(connection)
    connection.execute("select 1")
    with pytest.raises(DatabaseError, match="outside a transaction"):
        verify(connection)
