"""The watermark and its horizon: what may commit late, hidden, twice or under a wrong clock."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest
from psycopg import errors, sql

from orchestration.warehouse.connection import connect
from tests.concurrency.source import Watched, add_event, application
from tests.outreach.warehouse import OutreachWarehouse

# The shortest overlap that can be waited for.
SHORT = 0.4


@pytest.fixture
def watched(outreach: OutreachWarehouse) -> Watched:
    watched = Watched(outreach, SHORT)
    watched.add_messages("late", "soon", "next")
    return watched


def wait_past_the_overlap(watched: Watched, *messages: str) -> None:
    """Others go on committing, and captures see it, until the overlap lies behind."""
    time.sleep(2 * SHORT + 1.2)
    with application(watched.url, autocommit=True) as other:
        for message in messages:
            add_event(other, message)
    assert set(messages) <= watched.capture()


def committed_behind_the_overlap(watched: Watched, event_id: str) -> bool:
    """Whether a watermark that follows the newest row would never look at this row again."""
    rows = watched.warehouse.rows(
        "select created_at + make_interval(secs => %s)"
        " < (select max(created_at) from message_events where created_at < 'infinity')"
        " from message_events where id = %s",
        SHORT, event_id,
    )  # fmt: skip
    return rows == [(True,)]


def test_a_transaction_that_idles_longer_than_the_overlap_is_found(watched: Watched) -> None:
    with application(watched.url) as slow:
        add_event(slow, "late")
        wait_past_the_overlap(watched, "soon")
        slow.commit()
    assert committed_behind_the_overlap(watched, "late")
    assert watched.capture() == {"late"}
    assert watched.capture() == set()


def test_a_row_written_after_the_idling_carries_the_old_time_and_is_found(watched: Watched) -> None:
    with application(watched.url) as slow:
        slow.execute("select 1")  # a transaction without an id yet, as most begin
        wait_past_the_overlap(watched, "soon")
        with slow.transaction():  # a savepoint
            add_event(slow, "late")
        slow.commit()
    assert committed_behind_the_overlap(watched, "late")
    assert watched.capture() == {"late"}


def test_a_prepared_transaction_hides_when_it_began(watched: Watched) -> None:
    if watched.warehouse.rows("show max_prepared_transactions") == [("0",)]:
        pytest.skip("this server has no prepared transactions (max_prepared_transactions = 0)")
    with application(watched.url) as slow:
        # A name that the server shares with no other test.
        transaction = slow.xid(0, watched.url.rsplit("/", 1)[1], "late")
        slow.tpc_begin(transaction)
        add_event(slow, "late")
        wait_past_the_overlap(watched, "soon")
        slow.tpc_prepare()
        wait_past_the_overlap(watched, "next")
        slow.tpc_commit()
    assert committed_behind_the_overlap(watched, "late")
    assert watched.capture() == {"late"}


def test_a_first_load_beside_a_running_transaction_finds_it_later(
    outreach: OutreachWarehouse,
) -> None:
    watched = Watched(outreach, SHORT)
    with application(watched.url) as slow:
        slow.execute("select 1")
        time.sleep(SHORT + 1.2)
        watched.add_messages("late", "soon")
        with application(watched.url, autocommit=True) as other:
            add_event(other, "soon")
        watched.capture()
        add_event(slow, "late")
        slow.commit()
    assert committed_behind_the_overlap(watched, "late")
    assert watched.capture() == {"late"}


@contextmanager
def role(watched: Watched, *grants: str) -> Iterator[psycopg.Connection]:
    """A session whose role owns nothing: it may read the source's views and write ``ops``."""
    name = sql.Identifier(watched.url.rsplit("/", 1)[1] + "_capture")
    admin = watched.connection
    admin.execute(sql.SQL("create role {}").format(name))
    for grant in (
        "grant usage on schema ops, staging, intermediate to {}",
        "grant select on all tables in schema staging, intermediate to {}",
        "grant select, insert, update, delete on all tables in schema ops to {}",
        "grant usage on all sequences in schema ops to {}",
        "grant execute on all functions in schema ops to {}",
        *grants,
    ):
        admin.execute(sql.SQL(grant).format(name))  # pyright: ignore[reportArgumentType]
    try:
        with connect(watched.url) as session:
            session.execute(sql.SQL("set role {}").format(name))
            yield session
    finally:
        admin.execute(sql.SQL("drop owned by {}").format(name))
        admin.execute(sql.SQL("drop role {}").format(name))


def horizon_age(session: psycopg.Connection) -> float:
    row = session.execute(
        "select extract(epoch from clock_timestamp() - ops.safe_horizon())::float8"
    ).fetchone()
    return row[0] if row else 0.0


def test_hidden_transactions_keep_the_horizon_an_overlap_behind(watched: Watched) -> None:
    set_overlap(watched, 3600)
    with role(watched) as blind, application(watched.url) as slow:
        assert horizon_age(blind) == pytest.approx(3600, abs=5)
        add_event(slow, "late")
        with application(watched.url, autocommit=True) as other:
            add_event(other, "soon")
        assert watched.capture(blind) == {"soon"}
        slow.commit()
        assert watched.capture(blind) == {"late"}
        assert watched.capture(blind) == set()


def test_with_the_right_to_see_all_sessions_the_horizon_is_exact(watched: Watched) -> None:
    with (
        role(watched, "grant pg_read_all_stats to {}") as seeing,
        application(watched.url) as slow,
    ):
        assert horizon_age(seeing) == pytest.approx(1, abs=2)
        add_event(slow, "late")
        time.sleep(2 * SHORT + 1.2)
        assert horizon_age(seeing) >= 2 * SHORT + 1.2
        with application(watched.url, autocommit=True) as other:
            add_event(other, "soon")
        assert watched.capture(seeing) == {"soon"}
        slow.commit()
        assert committed_behind_the_overlap(watched, "late")
        assert watched.capture(seeing) == {"late"}


def test_sessions_without_activity_tracking_count_as_hidden(watched: Watched) -> None:
    set_overlap(watched, 3600)
    with application(watched.url, autocommit=True) as untracked:
        untracked.execute("set track_activities = off")
        untracked.execute("begin")
        assert horizon_age(watched.connection) == pytest.approx(3600, abs=5)


def test_a_second_change_with_the_same_ingest_time_is_noticed(watched: Watched) -> None:
    stamp = watched.warehouse.rows("select now()::timestamp(3)")[0][0]
    change = "update outbound_messages set state = %s, updated_at = %s where id = 'soon'"
    with application(watched.url, autocommit=True) as other:
        other.execute(change, ["queued", stamp])
        assert watched.capture() == {"soon"}
        other.execute(change, ["sent", stamp])
        assert watched.capture() == {"soon"}
        other.execute(change, ["sent", stamp])
        assert watched.capture() == set()


def test_ingest_times_that_go_backwards_within_the_overlap_are_noticed(watched: Watched) -> None:
    set_overlap(watched, 900)
    with application(watched.url, autocommit=True) as other:
        add_event(other, "soon")
        assert watched.capture() == {"soon"}
        add_event(other, "late", created_at=watched.warehouse.rows(
            "select now() - interval '14 minutes'")[0][0])  # fmt: skip
        assert watched.capture() == {"late"}


@pytest.mark.parametrize("stamp", ["now() + interval '5 hours'", "'infinity'"])
def test_ingest_times_in_the_future_blind_nobody(watched: Watched, stamp: str) -> None:
    with application(watched.url, autocommit=True) as other:
        ahead = other.execute(f"select ({stamp})::text".encode()).fetchone()
        assert ahead is not None
        add_event(other, "next", created_at=ahead[0])
        assert watched.capture() == {"next"}
        add_event(other, "soon")
        assert watched.capture() == {"soon"}
        assert watched.capture() == set()


def test_a_table_of_nothing_but_infinite_ingest_times_is_loaded_once(watched: Watched) -> None:
    with application(watched.url, autocommit=True) as other:
        for number, stamp in enumerate(("infinity", "-infinity", "2999-01-01")):
            other.execute(
                "insert into inbound_messages (id, tenant_id, channel, updated_at)"
                " values (%s, 'acme', 'email', %s)",
                [f"reply{number}", stamp],
            )
            noted = watched.capture()
            assert noted == ({""} if number == 0 else {f"inbound/reply{number}"})
        assert watched.capture() == set()


def test_what_is_remembered_stays_bounded(watched: Watched) -> None:
    with application(watched.url, autocommit=True) as other:
        for hours in range(20, 0, -1):
            then = watched.warehouse.rows("select now() - make_interval(hours => %s)", hours)[0][0]
            for number in range(50):
                add_event(other, f"{hours}_{number}", message_id="soon", created_at=then)
            watched.capture()
            assert watched.seen() == 50
        with application(watched.url) as slow:
            slow.execute("select 1")
            for number in range(200):
                add_event(other, f"kept{number}", message_id="soon")
            watched.capture()
            assert watched.seen() >= 200
            wait_past_the_overlap(watched, "next")
        # Nothing new came in, and yet what the slow transaction held back is forgotten.
        assert watched.capture() == set()
        assert watched.seen() == 1


def test_a_snapshot_of_the_transactions_start_is_refused(watched: Watched) -> None:
    watched.connection.execute("set default_transaction_isolation = 'repeatable read'")
    with pytest.raises(errors.RaiseException, match="repeatable read"):
        watched.connection.execute("select ops.capture('outreach')")


def test_our_sessions_read_what_was_committed_whatever_the_role_prefers(watched: Watched) -> None:
    database = sql.Identifier(watched.url.rsplit("/", 1)[1])
    watched.connection.execute(
        sql.SQL("alter database {} set default_transaction_isolation = 'serializable'").format(
            database
        )
    )
    with connect(watched.url) as session:
        assert watched.capture(session) == set()


def set_overlap(watched: Watched, seconds: float) -> None:
    watched.connection.execute(
        "update ops.config set value = %s where name = 'capture_overlap_seconds'", [str(seconds)]
    )
