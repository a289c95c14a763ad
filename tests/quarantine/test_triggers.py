"""Under triggers, too, every row is accounted for, and what is put right counts without a word."""

from __future__ import annotations

from collections import Counter
from datetime import datetime

import pytest

from orchestration.warehouse.reconciliation import reconcile
from tests.outreach.warehouse import SCHEMA, OutreachWarehouse
from tests.property.histories import Mode, set_capture
from tests.quarantine import outreach_rows, support_rows
from tests.quarantine.rows import AT, drop_foreign_keys
from tests.quarantine.story import look
from tests.support.warehouse import SCHEMA as SUPPORT_SCHEMA
from tests.support.warehouse import SupportWarehouse

HELD = "select tenant_id, source_table, reason, row_count from ops.quarantine order by 1, 2, 3"


def became_of(warehouse: OutreachWarehouse | SupportWarehouse, family: str) -> Counter[str]:
    """How many rows came in and what they became; every one of them, by all recounts."""
    schema, tables = {
        "outreach": (SCHEMA, outreach_rows.TABLES),
        "support": (SUPPORT_SCHEMA, support_rows.TABLES),
    }[family]
    sight = look(warehouse, family, schema, tables)
    assert [line for line in sight.intake if line.unaccounted != 0] == []
    assert sum(line.rows_in for line in sight.intake) == sum(sight.source_rows.values())
    assert (sight.differences, sight.verified, sight.pending) == ([], [], [])
    became: Counter[str] = Counter()
    for line in sight.intake:
        for name in ("rows_in", "counted", "duplicates", "ignored", "quarantined"):
            became[name] += getattr(line, name)
    return +became


def test_outreach_rows(outreach: OutreachWarehouse) -> None:
    drop_foreign_keys(outreach.connection, SCHEMA)
    outreach_rows.add_tenant(outreach, "acme")
    set_capture(outreach, "triggers", "outreach")
    outreach.refresh()
    now = datetime.now()
    for table, changes in (
        ("message_events", {"id": "weird", "type": "surprise"}),
        ("message_events", {"id": "orphan", "message_id": "nowhere"}),
        ("message_events", {"id": "one", "type": "click", "sg_event_id": "same"}),
        ("message_events", {"id": "two", "type": "click", "sg_event_id": "same"}),
        ("outbound_messages", {"tenant_id": "ghost"}),
        ("inbound_messages", {"tenant_id": "a|b"}),
        ("campaign_transitions", {"occurred_at": "1999-12-31"}),
        ("contact_unsubscribes", {"unsubscribed_at": "infinity"}),
    ):
        came_in = {outreach_rows.CAME_IN[table]: now}
        outreach_rows.put_row(outreach, "acme", table, **(came_in | changes))
    outreach.refresh()
    assert outreach.rows(HELD) == [
        ("__unknown__", "inbound_messages", "unusable_tenant_id", 1),
        ("acme", "campaign_transitions", "before_min_event_date", 1),
        ("acme", "contact_unsubscribes", "too_far_in_future", 1),
        ("acme", "message_events", "no_message", 1),
        ("acme", "message_events", "unknown_type", 1),
        ("ghost", "outbound_messages", "unknown_tenant", 1),
    ]
    assert became_of(outreach, "outreach") == {
        "rows_in": 13, "counted": 6, "duplicates": 1, "quarantined": 6,
    }  # fmt: skip
    assert not outreach.refresh().had_work

    # No ingest time moves.
    for statement in (
        "update message_events set type = 'open' where id = 'weird'",
        "update message_events set message_id = 'good_acme', type = 'bounce' where id = 'orphan'",
        "update inbound_messages set tenant_id = 'acme' where tenant_id = 'a|b'",
        "update campaign_transitions set occurred_at = '2026-11-09' where occurred_at < '2000-1-1'",
        "update contact_unsubscribes set unsubscribed_at = created_at where id = 'bad_acme'",
        "insert into tenants (id, name) values ('ghost', 'Ghost')",
    ):
        outreach.connection.execute(statement.encode())
    outreach.refresh()
    assert outreach.rows(HELD) == []
    assert became_of(outreach, "outreach") == {"rows_in": 13, "counted": 12, "duplicates": 1}


@pytest.mark.parametrize("mode", ["watermark", "triggers"])
def test_an_import_with_old_ingest_times(mode: Mode, outreach: OutreachWarehouse) -> None:
    drop_foreign_keys(outreach.connection, SCHEMA)
    outreach_rows.add_tenant(outreach, "acme")
    set_capture(outreach, mode, "outreach")
    outreach.refresh()
    outreach_rows.put_row(outreach, "acme", "outbound_messages", tenant_id="ghost")
    outreach_rows.put_row(outreach, "acme", "message_events", id="orphan", message_id="nowhere")
    outreach.refresh()
    reconcile(outreach.settings, outreach.url, "outreach")
    outreach.refresh()
    assert [row[:3] for row in outreach.rows(HELD)] == [
        ("acme", "message_events", "no_message"),
        ("ghost", "outbound_messages", "unknown_tenant"),
    ]
    became = became_of(outreach, "outreach")
    assert became["quarantined"] == 2

    outreach.insert("tenants", id="ghost", name="Ghost")
    outreach.refresh()
    assert became_of(outreach, "outreach")["quarantined"] == 1
    assert outreach.rows("select sends from analytics.metrics_tenant_daily where tenant_id='ghost'")


def test_support_rows(support: SupportWarehouse) -> None:
    for account in (1, 2):
        support_rows.add_account(support, account)
    set_capture(support, "triggers", "support")
    support.refresh()
    now = datetime.now()
    for table, changes in (
        ("reporting_events", {"id": 101, "value": float("nan")}),
        ("reporting_events", {"id": 102, "conversation_id": 20}),
        ("reporting_events", {"id": 103, "created_at": "infinity"}),
        ("conversations", {"id": 104, "display_id": 104, "created_at": "1999-12-31"}),
        ("messages", {"id": 105, "account_id": 77}),
    ):
        support_rows.put_row(support, 1, table, **({"updated_at": now} | changes))
    support.refresh()
    assert support.rows(HELD) == [
        ("1", "conversations", "before_min_event_date", 1),
        ("1", "reporting_events", "impossible_value", 1),
        ("1", "reporting_events", "tenant_mismatch", 1),
        ("1", "reporting_events", "too_far_in_future", 1),
        ("77", "messages", "unknown_tenant", 1),
    ]
    assert became_of(support, "support") == {"rows_in": 11, "counted": 6, "quarantined": 5}
    assert not support.refresh().had_work

    for statement in (
        "update reporting_events set value = 3 where id = 101",
        "update reporting_events set conversation_id = 10 where id = 102",
        f"update reporting_events set created_at = '{AT}' where id = 103",
        f"update conversations set created_at = '{AT}' where id = 104",
        "update messages set account_id = 1 where id = 105",
    ):
        support.connection.execute(statement.encode())
    support.refresh()
    assert support.rows(HELD) == []
    assert became_of(support, "support") == {"rows_in": 11, "counted": 11}
