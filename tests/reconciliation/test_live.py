"""A live source gives no false alarm: not while rows come in, not in the middle of a refresh."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from threading import Event, Thread

import pytest

from orchestration.warehouse.connection import connect
from tests.outreach.warehouse import OutreachWarehouse
from tests.reconciliation.asking import check, found, require_healed
from tests.support.warehouse import SupportWarehouse

LOOKS = 8
# Many writes within each look, and a source that stays small: a look takes as long as it has rows.
PAUSE = 0.02


def now() -> datetime:
    return datetime.now(UTC).replace(tzinfo=None)


@pytest.fixture
def running(outreach: OutreachWarehouse) -> OutreachWarehouse:
    outreach.add_tenant("acme", "America/New_York")
    outreach.add_contact("acme", "ann", "ann@acme.example")
    for number in range(20):
        outreach.add_message("acme", "ann", f"m{number}", now() - timedelta(hours=number))
    outreach.refresh()
    return outreach


def test_rows_that_come_in_are_no_difference(running: OutreachWarehouse) -> None:
    stop, written = Event(), 0

    def write() -> None:
        nonlocal written
        with connect(running.url, application="writer") as connection:
            while not stop.wait(PAUSE):
                written += 1
                with connection.transaction():
                    connection.execute(
                        "insert into dripiq_app.outbound_messages (id, tenant_id, campaign_id,"
                        " contact_id, channel, dedupe_key, state, created_at, updated_at)"
                        " values (%s, 'acme', 'campaign_ann', 'ann', 'email', %s, 'queued',"
                        " now(), now())",
                        [f"w{written}", f"w{written}"],
                    )
                    connection.execute(
                        "insert into dripiq_app.message_events (id, tenant_id, message_id, type,"
                        " event_at) values (%s, 'acme', %s, 'open', now())",
                        [f"e{written}", f"m{written % 20}"],
                    )
                connection.execute(
                    "update dripiq_app.outbound_messages set state = 'sent', sent_at = now(),"
                    " updated_at = clock_timestamp() where id = %s",
                    [f"w{written - written % 3}"],
                )

    writer = Thread(target=write)
    writer.start()
    try:
        for look in range(LOOKS):
            assert found(check(running)) == {}, f"look {look} after {written} writes"
            if look == LOOKS // 2:
                running.refresh()
    finally:
        stop.set()
        writer.join()
    assert written > 50
    # Looking takes nothing from the next refresh.
    running.refresh()
    require_healed(running)


def test_a_refresh_under_way_is_no_difference(running: OutreachWarehouse) -> None:
    running.add_event("acme", "m3", "u", "unsubscribe", now())
    running.add_event("acme", "m4", "o", "open", now() - timedelta(days=9), created_at=now())
    running.add_tenant("bolt")
    running.add_contact("bolt", "bob")
    running.add_message("bolt", "bob", "b", now())
    looks: list[object] = []
    running.refresh(on_node=lambda *_: looks.append(found(check(running))))
    assert len(looks) > 10
    assert not any(looks)
    require_healed(running)


def test_support_rows_that_come_in_are_no_difference(support: SupportWarehouse) -> None:
    support.add_account(1, "Asia/Kolkata")
    for number in range(1, 10):
        at = now() - timedelta(hours=number)
        support.add_conversation(1, number, at)
        support.add_event(1, number, "conversation_resolved", at, number)
    support.refresh()
    support.add_event(1, 100, "conversation_bot_handoff", now(), 3)
    support.add_message(1, 100, 4, now())
    support.connection.execute(
        "update conversations set team_id = 3, updated_at = now() at time zone 'UTC' where id = 5"
    )
    assert found(check(support)) == {}
    looks: list[object] = []
    support.refresh(on_node=lambda *_: looks.append(found(check(support))))
    assert len(looks) > 10
    assert not any(looks)
    require_healed(support)
