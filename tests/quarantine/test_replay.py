"""What brings a row out of quarantine, and that change capture goes on beside it."""

from __future__ import annotations

from datetime import date, timedelta

from tests.outreach.warehouse import OutreachWarehouse
from tests.quarantine.outreach_rows import add_tenant, put_row
from tests.quarantine.rows import AT, TODAY
from tests.support.warehouse import SupportWarehouse

HELD = (
    "select tenant_id, date, source_table, reason, row_count from ops.quarantine order by 1, 2, 3"
)
UNACCOUNTED = "select * from ops.intake where unaccounted <> 0"


def test_a_backfill_counts_what_was_put_right_without_a_word(outreach: OutreachWarehouse) -> None:
    add_tenant(outreach, "acme")
    outreach.connection.execute(
        "alter table message_events drop constraint"
        " message_events_message_id_outbound_messages_id_fk"
    )
    put_row(outreach, "acme", "message_events", id="orphan", message_id="nowhere")
    put_row(outreach, "acme", "message_events", id="odd", type="surprise")
    outreach.refresh()
    assert outreach.rows(HELD) == [
        ("acme", TODAY, "message_events", "no_message", 1),
        ("acme", TODAY, "message_events", "unknown_type", 1),
    ]
    # Neither ingest time moves.
    outreach.connection.execute("update message_events set type = 'open' where id = 'odd'")
    outreach.connection.execute(
        "update message_events set message_id = 'good_acme' where id = 'orphan'"
    )
    outreach.backfill(["acme"], TODAY, TODAY)
    assert outreach.rows(HELD) == []
    assert outreach.rows(UNACCOUNTED) == []
    assert outreach.differences() == []


def test_a_deleted_row_leaves_the_quarantine(outreach: OutreachWarehouse) -> None:
    add_tenant(outreach, "acme")
    outreach.connection.execute(
        "alter table outbound_messages drop constraint outbound_messages_tenant_id_tenants_id_fk"
    )
    put_row(outreach, "acme", "outbound_messages", id="lost", tenant_id="ghost")
    outreach.refresh()
    assert outreach.rows(HELD) == [("ghost", TODAY, "outbound_messages", "unknown_tenant", 1)]
    outreach.connection.execute("delete from outbound_messages where id = 'lost'")
    outreach.refresh()
    assert outreach.rows(HELD) == []


def test_an_infinite_ingest_time_neither_blinds_capture_nor_keeps_it_busy(
    outreach: OutreachWarehouse, support: SupportWarehouse
) -> None:
    add_tenant(outreach, "acme")
    put_row(outreach, "acme", "message_events", id="eternal", created_at="infinity")
    support.add_account(1)
    support.add_event(1, 1, "reply_time", AT, updated_at="infinity")
    for warehouse, table in ((outreach, "message_events"), (support, "reporting_events")):
        warehouse.refresh()
        seen_to = "select ingested_to::text from ops.watermark where source_table = %s"
        before = warehouse.rows(seen_to, table)
        assert before != [("infinity",)]
        assert not warehouse.refresh().had_work
        assert warehouse.rows(seen_to, table) == before
    # Rows that came in before the clock's now, as all do, are still found.
    put_row(outreach, "acme", "message_events", id="next", type="click",
            event_at=AT + timedelta(seconds=9), created_at=AT + timedelta(seconds=10))  # fmt: skip
    support.add_event(1, 2, "reply_time", AT + timedelta(seconds=10))
    outreach.refresh()
    support.refresh()
    assert outreach.metric("acme", TODAY, "clicks") == 1
    assert support.differences() == []
    assert outreach.rows(HELD) == [("acme", TODAY, "message_events", "no_ingest_time", 1)]
    assert support.rows(HELD) == [("1", TODAY, "reporting_events", "no_ingest_time", 1)]


def test_an_account_without_a_zone_has_ignored_rows_and_no_quarantine(
    support: SupportWarehouse,
) -> None:
    support.add_account(1, zone=None)
    support.add_event(1, 1, "reply_time", AT)
    support.refresh()
    account = "select date, rows_in, ignored, unaccounted from ops.intake"
    assert support.rows(account) == [(TODAY, 1, 1, 0)]
    support.set_timezone(1, "Pacific/Kiritimati")
    support.refresh()
    assert support.rows(account) == [(date(2026, 11, 10), 1, 0, 0)]
    assert support.rows("select counted from ops.intake") == [(1,)]


def test_raw_answers_leave_out_what_the_rollups_leave_out(support: SupportWarehouse) -> None:
    for account in (1, 2):
        support.add_account(account)
        support.add_conversation(account, account, AT)
    support.add_event(1, 1, "conversation_resolved", AT, 1)
    support.add_event(1, 2, "conversation_resolved", AT, 2)
    support.add_event(1, 3, "conversation_resolved", AT, 1, value=float("nan"))
    support.add_event(1, 4, "conversation_resolved", AT, 1, updated_at=AT - timedelta(days=2))
    support.add_message(1, 1, 2, AT)
    support.refresh()
    for reads in ("raw", "rollup"):
        row = support.rows(
            "select value from report.aggregate('1', 'resolutions_count', %s, %s, source => %s)",
            AT.replace(hour=0), AT.replace(hour=0) + timedelta(days=1), reads,
        )  # fmt: skip
        assert row == [(1,)], reads
