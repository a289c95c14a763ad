"""A changed rule marks exactly what it concerns, over all history."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any

import psycopg
import pytest

from orchestration.warehouse.bootstrap import write_config
from orchestration.warehouse.verify import verify
from tests.outreach.warehouse import OutreachWarehouse
from tests.property.histories import Mode, set_capture
from tests.support.warehouse import SupportWarehouse

LONG_AGO = datetime(2021, 5, 5, 12, 0)


@pytest.fixture
def three_messages(outreach: OutreachWarehouse) -> OutreachWarehouse:
    """Old messages: one opened, one with a type nobody knows, one sent by a mailbox."""
    outreach.add_tenant("acme", "Asia/Kolkata")
    outreach.add_contact("acme", "ann")
    for n, provider_id in enumerate(["A" * 22, "A" * 22, "0123456789abcdef"]):
        sent = LONG_AGO + timedelta(days=n)
        outreach.add_message("acme", "ann", f"m{n}", sent, provider_message_id=provider_id)
    outreach.add_event("acme", "m0", "e0", "open", LONG_AGO, data={"useragent": "Peeker/2"})
    outreach.add_event("acme", "m1", "e1", " Weird ", LONG_AGO)
    outreach.refresh()
    return outreach


@pytest.mark.parametrize(
    ("change", "work"),
    [
        ("insert into staging.event_type_map values ('weird', 'click')", ["m1"]),
        ("update staging.event_type_map set canonical_type = 'click' where raw_type = 'open'",
         ["m0"]),
        ("delete from staging.event_type_map where raw_type = 'open'", ["m0"]),
        ("insert into staging.machine_rules values ('peeker', 'open', 'user_agent', 'Peeker')",
         ["m0"]),
        ("update staging.provider_capabilities set reports_events = true where provider = 'gmail'",
         ["m2"]),
        ("update staging.event_type_map set canonical_type = canonical_type", []),
    ],
)  # fmt: skip
def test_outreach_rules(three_messages: OutreachWarehouse, change: str, work: list[str]) -> None:
    three_messages.connection.execute(change.encode())
    three_messages.connection.execute("select ops.capture('outreach')")
    assert three_messages.pending() == [("acme", "message", message) for message in work]
    three_messages.refresh()
    assert three_messages.pending() == []
    assert three_messages.differences() == []


def test_a_rule_that_concerns_much_marks_the_tenant(three_messages: OutreachWarehouse) -> None:
    connection = three_messages.connection
    connection.execute(
        "create or replace function ops.most_subjects() returns bigint language sql return 0"
    )
    connection.execute("delete from staging.event_type_map where raw_type = 'open'")
    connection.execute("select ops.capture('outreach')")
    assert three_messages.pending() == [("acme", "tenant", "")]


def test_metric_registry(support: SupportWarehouse) -> None:
    support.add_account(1, "America/New_York")
    for number, name in ((101, "first_response"), (102, "reply_time"), (103, "odd")):
        support.add_conversation(1, number, LONG_AGO)
        support.add_event(1, number, name, LONG_AGO, number)
    support.add_event(1, 7, "reply_time", LONG_AGO)
    support.refresh()
    support.connection.execute(
        "delete from staging.metric_registry where event_name = 'reply_time'"
    )
    support.connection.execute("select ops.capture('support')")
    assert support.pending() == [("1", "conversation", "102"), ("1", "conversation", "event/7")]
    support.refresh()
    assert support.rows("select distinct metric from analytics.reporting_events_rollups") == [
        ("first_response",)
    ]


def test_events_change_their_names(support: SupportWarehouse) -> None:
    """The events that count stay the same: what they mean is another thing."""
    support.add_account(1, "America/New_York")
    support.add_event(1, 7, "first_response", LONG_AGO)
    support.add_event(1, 8, "reply_time", LONG_AGO + timedelta(days=1))
    support.refresh()
    support.connection.execute(
        "update staging.metric_registry set event_name ="
        " case event_name when 'reply_time' then 'first_response' else 'reply_time' end"
        " where event_name in ('reply_time', 'first_response')"
    )
    support.refresh()
    assert support.differences() == []
    assert support.pending() == []


def test_the_log_of_refreshes_is_append_only(three_messages: OutreachWarehouse) -> None:
    for statement in (
        "update ops.refresh_log set event = 'failed'",
        "delete from ops.refresh_log",
        "truncate ops.refresh_log",
    ):
        with pytest.raises(psycopg.errors.InsufficientPrivilege, match="append-only"):
            three_messages.connection.execute(statement.encode())


@pytest.mark.parametrize("mode", ["watermark", "triggers"])
def test_another_first_date_marks_what_it_keeps_out_and_lets_in(
    three_messages: OutreachWarehouse, mode: Mode
) -> None:
    set_capture(three_messages, mode, "outreach")
    three_messages.refresh()
    for first, work in (
        ("2021-05-05", []),
        # the third message is sent on it
        ("2021-05-07", ["m0", "m1"]),
        ("2021-05-06", ["m1"]),
        # and the second one has an event of the day before
        ("2000-01-01", ["m0", "m1"]),
    ):
        set_first_date(three_messages, first)
        three_messages.connection.execute("select ops.capture('outreach')")
        assert three_messages.pending() == [("acme", "message", message) for message in work]
        three_messages.refresh()
        assert three_messages.differences() == []
        assert unaccounted_for(three_messages) == []
        assert found_by_verify(three_messages, "outreach") == []


def test_another_first_date_in_the_support_family(support: SupportWarehouse) -> None:
    support.add_account(1)
    for n in range(3):
        at = LONG_AGO + timedelta(days=n)
        support.add_conversation(1, n + 1, at)
        support.add_event(1, n + 1, "conversation_resolved", at, n + 1)
    # without any time that can be right, it is filed by the date itself
    support.add_event(1, 9, "reply_time", datetime(1999, 1, 1), updated_at="infinity")
    support.refresh()
    quarantine = "select date::text, source_table, reason, row_count from ops.quarantine order by 2"
    for first, work, held in (
        ("2021-05-07", ["1", "2", "event/9"], 2),
        ("2021-05-06", ["2", "event/9"], 1),
        ("2000-01-01", ["1", "event/9"], 0),
    ):
        set_first_date(support, first)
        support.connection.execute("select ops.capture('support')")
        assert support.pending() == [("1", "conversation", key) for key in work]
        support.refresh()
        assert sorted(row for row in support.rows(quarantine) if row[0] != first) == [
            (f"2021-05-{5 + n:02}", table, "before_min_event_date", 1)
            for n in range(held)
            for table in ("conversations", "reporting_events")
        ]
        assert (first, "reporting_events", "before_min_event_date", 1) in support.rows(quarantine)
        assert unaccounted_for(support) == []
        assert found_by_verify(support, "support") == []


def set_first_date(warehouse: OutreachWarehouse | SupportWarehouse, first: str) -> None:
    day = date.fromisoformat(first)
    warehouse.settings = warehouse.settings.model_copy(update={"min_event_date": day})
    write_config(warehouse.connection, warehouse.settings)


def unaccounted_for(warehouse: OutreachWarehouse | SupportWarehouse) -> list[Any]:
    return warehouse.rows("select * from ops.intake where unaccounted <> 0")


def found_by_verify(warehouse: OutreachWarehouse | SupportWarehouse, family: str) -> list[Any]:
    schema = {"outreach": "dripiq_app", "support": "public"}[family]
    return verify(
        warehouse.connection, family, source_schema=schema, date_from=None, date_to=None
    ).differences
