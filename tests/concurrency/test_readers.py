"""Readers see only whole states of a table, and neither refresh nor erasure makes them wait."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from typing import LiteralString

import psycopg
import pytest
from psycopg import sql

from orchestration.warehouse.connection import connect
from orchestration.warehouse.erasing import ErasurePlan, erase, plan_erasure
from tests.outreach.warehouse import OutreachWarehouse

pytestmark = pytest.mark.slow

SIZES = (50, 500, 2000)
# How many messages a table says were sent. Each of them is opened once.
SENDS: dict[str, LiteralString] = {
    "metrics_message": "count(*)",
    "metrics_contact_hourly": "sum(sends)",
    "metrics_campaign_daily": "sum(sends)",
    "metrics_tenant_daily": "sum(sends)",
}


def send(connection: psycopg.Connection, first: int, last: int) -> None:
    """Messages over days and hours, each opened once."""
    connection.execute(
        """
        insert into outbound_messages (
            id, tenant_id, campaign_id, contact_id, channel, dedupe_key, state, sent_at, updated_at
        )
        select 'm' || n, 'acme', 'campaign_ann', 'ann', 'email', n, 'sent',
            timestamp '2026-03-01' + n * interval '17 minutes', now()
        from generate_series(%s::int, %s) as n
        """,
        [first, last],
    )
    connection.execute(
        """
        insert into message_events (id, tenant_id, message_id, type, event_at)
        select 'e' || n, 'acme', 'm' || n, 'open',
            timestamp '2026-03-01' + n * interval '17 minutes' + interval '1 hour'
        from generate_series(%s::int, %s) as n
        """,
        [first, last],
    )


@contextmanager
def readers(url: str, table: str) -> Iterator[list[tuple[int, int]]]:
    """Reads (sends, opens) of a table over and over; an error ends the test."""
    seen: list[tuple[int, int]] = []
    done = threading.Event()
    statement = sql.SQL("select {}, sum(opens) from {}").format(
        sql.SQL(SENDS[table]), sql.Identifier("analytics", table)
    )

    def read() -> None:
        with connect(url, application="reader") as session:
            session.execute("set lock_timeout = '100ms'")
            while not done.is_set():
                sends, opens = session.execute(statement).fetchone() or (0, 0)
                seen.append((int(sends or 0), int(opens or 0)))

    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(read)
        try:
            yield seen
        finally:
            done.set()
        running.result()


@pytest.fixture
def acme(outreach: OutreachWarehouse) -> OutreachWarehouse:
    outreach.add_tenant("acme", "Asia/Kolkata")
    outreach.add_contact("acme", "ann", "ann@acme.example")
    return outreach


def test_reads_during_refreshes_see_whole_states(acme: OutreachWarehouse) -> None:
    states = [(0, 0)]
    with ExitStack() as stack:
        seen = {table: stack.enter_context(readers(acme.url, table)) for table in SENDS}
        for size in SIZES:
            sent = states[-1][0]
            send(acme.connection, sent + 1, sent + size)
            # What was opened before moves to another day and hour: its sum stays.
            acme.connection.execute(
                "update message_events set event_at = event_at + interval '25 hours',"
                " created_at = now() where substring(id, 2)::int <= %s",
                [sent],
            )
            acme.refresh()
            states.append((sent + size, sent + size))
    assert acme.differences() == []
    for reads in seen.values():
        assert set(reads) <= set(states)
        assert reads == sorted(reads)
        assert len(set(reads)) > 1


def test_reads_during_an_erasure_see_every_total(acme: OutreachWarehouse) -> None:
    send(acme.connection, 1, 500)
    plan = plan_to_erase_half(acme)
    with ExitStack() as stack:
        seen = {table: stack.enter_context(readers(acme.url, table)) for table in SENDS}
        erase(acme.settings, acme.url, plan, "test")
    for reads in seen.values():
        assert set(reads) == {(500, 500)}
    assert acme.rows(
        "select contact_id, sum(sends) from analytics.metrics_contact_hourly group by 1 order by 1"
    ) == [("__erased__", 250), ("ann", 250)]


def plan_to_erase_half(acme: OutreachWarehouse) -> ErasurePlan:
    """Another contact, counted, to whom every second message went; the source has deleted it."""
    acme.add_contact("acme", "bob", "bob@acme.example")
    acme.connection.execute(
        "update outbound_messages set contact_id = 'bob', campaign_id = 'campaign_bob'"
        " where mod(substring(id, 2)::int, 2) = 0"
    )
    acme.refresh()
    acme.connection.execute("delete from lead_point_of_contacts where id = 'bob'")
    return plan_erasure(acme.connection, "acme", "bob")


def test_no_lock_is_needed_that_a_reader_must_wait_for(
    acme: OutreachWarehouse,
) -> None:
    send(acme.connection, 1, 50)
    plan = plan_to_erase_half(acme)
    send(acme.connection, 51, 100)
    database = sql.Identifier(acme.url.rsplit("/", 1)[1])
    # A refresh that needed such a lock would wait for this reader, and fail.
    acme.connection.execute(sql.SQL("alter database {} set lock_timeout = '5s'").format(database))
    with connect(acme.url, autocommit=False) as reader:
        for (table,) in acme.rows(
            "select table_name from information_schema.tables where table_schema = 'analytics'"
        ):
            reader.execute(
                sql.SQL("select count(*) from {}").format(sql.Identifier("analytics", table))
            )
        held = reader.execute(
            "select count(distinct relation) from pg_locks where pid = pg_backend_pid()"
            " and mode = 'AccessShareLock' and relation::regclass::text like 'analytics.metrics%%'"
            " and relation in (select oid from pg_class where relkind in ('r', 'p'))"
        ).fetchone()
        assert held is not None
        assert held[0] >= len(SENDS)
        erase(acme.settings, acme.url, plan, "test")
        acme.refresh()
    assert acme.rows("select sum(sends) from analytics.metrics_tenant_daily") == [(100,)]
