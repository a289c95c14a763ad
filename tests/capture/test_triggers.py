"""Capture by triggers: every change is noted in its own transaction, whatever its ingest time."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

import psycopg
import pytest
from psycopg import sql

from orchestration.errors import DatabaseError
from orchestration.warehouse.source_triggers import (
    install_triggers,
    remove_triggers,
    source_triggers,
)
from tests.outreach.warehouse import SCHEMA, OutreachWarehouse
from tests.support.warehouse import SupportWarehouse

NOON = datetime(2026, 3, 3, 12, 0)


@pytest.fixture
def watched(outreach: OutreachWarehouse) -> OutreachWarehouse:
    """Three messages with events, refreshed once under the triggers."""
    outreach.settings = outreach.settings.model_copy(update={"change_capture": "triggers"})
    for tenant, zone in (("acme", "Asia/Kolkata"), ("bolt", "America/New_York")):
        outreach.add_tenant(tenant, zone)
        outreach.add_contact(tenant, f"{tenant}_ann", f"ann@{tenant}.example")
    for n, tenant in enumerate(("acme", "acme", "bolt")):
        sent = NOON + timedelta(days=n)
        outreach.add_message(tenant, f"{tenant}_ann", f"m{n}", sent)
        outreach.add_event(tenant, f"m{n}", f"e{n}", "open", sent + timedelta(hours=1))
    install_triggers(outreach.connection, "outreach")
    outreach.refresh()
    assert outreach.differences() == []
    return outreach


@pytest.mark.parametrize(
    ("change", "work"),
    [
        # the ingest times stay as they are: a watermark sees none of these
        ("update message_events set event_at = event_at - interval '1 day' where id = 'e0'",
         [("acme", "message", "m0")]),
        ("update message_events set message_id = 'm1' where id = 'e0'",
         [("acme", "message", "m0"), ("acme", "message", "m1")]),
        ("update message_events set message_id = 'm2', tenant_id = 'bolt' where id = 'e0'",
         [("acme", "message", "m0"), ("bolt", "message", "m2")]),
        ("update message_events set type = 'click' where id = 'e0'", [("acme", "message", "m0")]),
        ("update message_events set data = '{\"sg_machine_open\": true}'",
         [("acme", "message", "m0"), ("acme", "message", "m1"), ("bolt", "message", "m2")]),
        ("update outbound_messages set contact_id = 'acme_ann' where id = 'm2'",
         [("bolt", "message", "m2")]),
        ("update outbound_messages set tenant_id = 'acme' where id = 'm2'",
         [("acme", "message", "m2"), ("bolt", "message", "m2")]),
        ("delete from message_events where id = 'e1'", [("acme", "message", "m1")]),
        ("delete from outbound_messages where id = 'm1'", [("acme", "message", "m1")]),
        ("delete from lead_point_of_contacts where id = 'bolt_ann'",
         [("bolt", "message", "m2"), ("bolt", "optouts", "")]),
        ("update lead_point_of_contacts set email = 'new@x.example' where id = 'acme_ann'",
         [("acme", "optouts", "")]),
        ("truncate message_events", [("acme", "tenant", ""), ("bolt", "tenant", "")]),
    ],
)  # fmt: skip
def test_a_silent_change_is_noted_and_refreshed(
    watched: OutreachWarehouse, change: str, work: list[tuple[str, str, str]]
) -> None:
    watched.connection.execute(change.encode())
    watched.connection.execute("select ops.capture('outreach')")
    assert watched.pending() == work
    watched.refresh()
    assert watched.differences() == []
    assert watched.pending() == []


@pytest.mark.parametrize(
    "change",
    [
        "update outbound_messages set content = '{}'",
        "update lead_point_of_contacts set title = 'Dr', updated_at = now()",
        "update leads set status = 'won'",
        "update contact_campaigns set current_node_id = 'n7', status = 'paused'",
        "update message_events set type = type where false",
    ],
)
def test_what_no_number_depends_on_is_no_work(watched: OutreachWarehouse, change: str) -> None:
    watched.connection.execute(change.encode())
    watched.connection.execute("select ops.capture('outreach')")
    assert watched.pending() == []


def test_a_transaction_that_commits_late_is_not_missed(watched: OutreachWarehouse) -> None:
    with psycopg.connect(watched.url) as writer:
        writer.execute(sql.SQL("set search_path = {}").format(sql.Identifier(SCHEMA)))
        writer.execute("delete from message_events where id = 'e0'")
        watched.add_event("acme", "m1", "later", "click", NOON + timedelta(days=1, hours=2))
        watched.refresh()
        assert watched.metric("acme", (NOON + timedelta(days=1)).date(), "clicks") == 1
        writer.rollback()
        watched.refresh()
        assert watched.differences() == []
        writer.execute("delete from dripiq_app.message_events where id = 'e0'")
        writer.commit()
    watched.refresh()
    assert watched.differences() == []


def test_a_failed_source_transaction_leaves_no_work(watched: OutreachWarehouse) -> None:
    with watched.connection.transaction(force_rollback=True):
        watched.add_event("acme", "m1", "more", "click", NOON)
        assert len(watched.rows("select * from ops.change_queue")) == 1
    assert watched.rows("select * from ops.change_queue") == []


def test_rows_from_before_the_triggers_are_found(outreach: OutreachWarehouse) -> None:
    """What was written after the last look by ingest time and before the installation."""
    outreach.add_tenant("acme")
    outreach.add_contact("acme", "ann")
    outreach.add_message("acme", "ann", "m0", NOON)
    outreach.refresh()
    outreach.add_message("acme", "ann", "m1", NOON + timedelta(hours=1))
    install_triggers(outreach.connection, "outreach")
    outreach.settings = outreach.settings.model_copy(update={"change_capture": "triggers"})
    outreach.refresh()
    assert outreach.differences() == []
    assert outreach.metric("acme", NOON.date(), "sends") == 2


def test_going_back_to_the_watermark_loses_nothing(watched: OutreachWarehouse) -> None:
    watched.connection.execute("delete from message_events where id = 'e0'")
    remove_triggers(watched.connection, "outreach")
    came_in = NOON + timedelta(days=5)
    watched.add_event("acme", "m1", "later", "click", NOON, created_at=came_in)
    watched.settings = watched.settings.model_copy(update={"change_capture": "watermark"})
    watched.refresh()
    assert watched.differences() == []
    assert {one.status for one in source_triggers(watched.connection, "outreach")} == {"missing"}


@pytest.mark.parametrize(
    "damage",
    [
        "drop trigger rollups_delete on message_events",
        "alter table message_events disable trigger rollups_update",
    ],
)
def test_a_refresh_refuses_to_rely_on_triggers_that_do_not_fire(
    watched: OutreachWarehouse, damage: str
) -> None:
    watched.connection.execute(damage.encode())
    with pytest.raises(DatabaseError, match=r"message_events \(incomplete\).*install-triggers"):
        watched.refresh()
    install_triggers(watched.connection, "outreach")
    watched.connection.execute("alter table message_events enable trigger rollups_update")
    watched.refresh()
    assert watched.differences() == []


@pytest.fixture
def application(watched: OutreachWarehouse) -> Iterator[psycopg.Connection]:
    """The source's own role: rights on its tables and none on ours."""
    watched.connection.execute("create role test_application")
    try:
        watched.connection.execute(
            "grant usage on schema dripiq_app to test_application;"
            " grant select, insert, update, delete on all tables in schema dripiq_app"
            " to test_application"
        )
        with psycopg.connect(watched.url, autocommit=True) as connection:
            connection.execute("set role test_application")
            yield connection
    finally:
        watched.connection.execute("drop owned by test_application")
        watched.connection.execute("drop role test_application")


def test_the_application_needs_no_right_on_our_tables(
    watched: OutreachWarehouse, application: psycopg.Connection
) -> None:
    application.execute("delete from dripiq_app.message_events where id = 'e0'")
    for statement in (
        "select * from ops.change_queue",
        "insert into ops.change_queue values ('outreach', 'x', 'acme', 'tenant', '')",
    ):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            application.execute(statement.encode())
    watched.refresh()
    assert watched.differences() == []


def test_without_the_right_nothing_is_installed(
    watched: OutreachWarehouse, application: psycopg.Connection
) -> None:
    remove_triggers(watched.connection, "outreach")
    with pytest.raises(DatabaseError, match=r"permission denied for .*; use the role"):
        install_triggers(application, "outreach")
    watched.connection.execute(
        "grant usage on schema ops to test_application;"
        " grant execute on all functions in schema ops to test_application;"
        " grant all on all tables in schema ops to test_application;"
        " grant create on schema ops to test_application"
    )
    with pytest.raises(DatabaseError, match="campaign_transitions: permission denied"):
        install_triggers(application, "outreach")
    assert {one.status for one in source_triggers(watched.connection, "outreach")} == {"missing"}


def test_a_busy_table_is_given_up_with_a_word(
    watched: OutreachWarehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    remove_triggers(watched.connection, "outreach")
    monkeypatch.setattr("orchestration.warehouse.source_triggers.LOCK_TIMEOUT", "50ms")
    with psycopg.connect(watched.url) as writer:
        writer.execute("update dripiq_app.message_events set type = type")
        with pytest.raises(DatabaseError, match="message_events: its writers left no gap"):
            install_triggers(watched.connection, "outreach")
    found = {one.source_table: one for one in install_triggers(watched.connection, "outreach")}
    assert found["message_events"].status == "installed"


def test_support_tables_are_watched_too(support: SupportWarehouse) -> None:
    support.settings = support.settings.model_copy(update={"change_capture": "triggers"})
    support.add_account(1, "America/New_York")
    for number in (101, 102):
        support.add_conversation(1, number, NOON)
        support.add_event(1, number, "conversation_bot_handoff", NOON, number)
        support.add_message(1, number, number, NOON)
    support.add_event(1, 7, "conversation_resolved", NOON)
    install_triggers(support.connection, "support")
    support.refresh()
    assert support.differences() == []
    for change, work in (
        ("update reporting_events set conversation_id = 102 where id = 101",
         [("1", "conversation", "101"), ("1", "conversation", "102")]),
        ("update conversations set team_id = 5 where id = 102", [("1", "conversation", "102")]),
        ("update conversations set status = 1, updated_at = now()", []),
        ("delete from messages where id = 102", [("1", "conversation", "102")]),
        ("delete from reporting_events where id = 7", [("1", "conversation", "event/7")]),
        ("delete from conversations where id = 101", [("1", "conversation", "101")]),
    ):  # fmt: skip
        support.connection.execute(change.encode())
        support.connection.execute("select ops.capture('support')")
        assert support.pending() == work, change
        support.refresh()
        assert support.differences() == [], change


def test_a_conversation_moves_between_accounts_whose_rows_name_it(
    support: SupportWarehouse,
) -> None:
    """Rows count while the conversation is their own account's, or nobody's."""
    support.settings = support.settings.model_copy(update={"change_capture": "triggers"})
    install_triggers(support.connection, "support")
    support.add_conversation(1, 100, NOON)
    for account in (1, 2, 3):
        support.add_account(account, "America/New_York")
        support.add_event(account, account, "reply_time", NOON, 101)
        support.add_message(account, account, 101, NOON)
    support.refresh()
    all_of_them = [(str(account), "conversation", "101") for account in (1, 2, 3)]
    for change, work in (
        ("update conversations set id = 101", [("1", "conversation", "100"), *all_of_them]),
        ("update conversations set team_id = 5", all_of_them[:1]),
        ("update conversations set account_id = 3", all_of_them),
        ("delete from conversations", all_of_them),
    ):
        support.connection.execute(change.encode())
        support.connection.execute("select ops.capture('support')")
        assert support.pending() == work, change
        support.refresh()
        assert support.differences() == [], change
