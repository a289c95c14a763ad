"""Old logs go; what status, alerts and running refreshes need stays."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import UUID, uuid4

import psycopg
import pytest

from orchestration.warehouse.reconciliation import reconcile
from orchestration.warehouse.retention import prune_logs
from tests.outreach.warehouse import OutreachWarehouse

LOGS = ("refresh_log", "refresh_model", "refresh_partition", "refresh_scope")
STATUS = (
    "select family, tenant_id, model, complete_through, refreshed_at, refresh_status, row_count,"
    " pending, last_seconds, p95_seconds, last_error from ops.refresh_status order by 1, 2, 3"
)


def age(warehouse: OutreachWarehouse, refresh_id: UUID, days: int) -> None:
    connection = warehouse.connection
    connection.execute("alter table ops.refresh_log disable trigger append_only")
    for table in ("refresh_log", "refresh_model"):
        connection.execute(
            f"update ops.{table} set at = at - make_interval(days => %s)"
            " where refresh_id = %s".encode(),
            [days, refresh_id],
        )
    connection.execute("alter table ops.refresh_log enable trigger append_only")


def logged(warehouse: OutreachWarehouse) -> dict[str, set[UUID]]:
    return {
        table: {row[0] for row in warehouse.rows(f"select distinct refresh_id from ops.{table}")}
        for table in LOGS
    }


@pytest.fixture
def refreshes(outreach: OutreachWarehouse) -> list[UUID]:
    """Three that had work, of 100, 40 and 0 days ago."""
    outreach.add_tenant("acme")
    outreach.add_contact("acme", "ann")
    made = []
    for number, days in enumerate((100, 40, 0)):
        send(outreach, f"m{number}")
        made.append(outreach.refresh().refresh_id)
        age(outreach, made[-1], days)
    return made


def send(warehouse: OutreachWarehouse, message_id: str) -> None:
    now = datetime.now(UTC).replace(tzinfo=None)
    warehouse.add_message("acme", "ann", message_id, now, created_at=now, updated_at=now)


def begin(warehouse: OutreachWarehouse, *, is_held: bool) -> UUID:
    """A refresh that began and claimed 100 days ago, and works still or was killed."""
    refresh_id = uuid4()
    if is_held:
        warehouse.connection.execute("select ops.hold_refresh(%s)", [refresh_id])
    warehouse.connection.execute(
        "select ops.begin_refresh(%(id)s, 'outreach', 'cli'),"
        " ops.claim_pending(%(id)s, 'outreach')",
        {"id": refresh_id},
    )
    age(warehouse, refresh_id, 100)
    return refresh_id


def test_a_reconciliation_of_everything_deletes_old_logs(
    outreach: OutreachWarehouse, refreshes: list[UUID]
) -> None:
    oldest, old, latest = refreshes
    running = begin(outreach, is_held=True)
    send(outreach, "m9")
    outreach.connection.execute("select ops.capture('outreach')")
    lost = begin(outreach, is_held=False)
    assert outreach.rows("select distinct refresh_id from ops.refresh_claim") == [(lost,)]
    before = outreach.rows(STATUS)
    settings = outreach.settings

    reconcile(settings, outreach.url, "outreach", tenant_ids=["acme"])
    never = settings.model_copy(update={"log_retention_days": 0})
    reconcile(never, outreach.url, "outreach")
    assert oldest in logged(outreach)["refresh_log"]

    reconcile(settings, outreach.url, "outreach")
    kept = logged(outreach)
    assert kept["refresh_log"] == {old, latest, running}
    for table in LOGS[1:]:
        assert {old, latest} <= kept[table] <= {old, latest, running}, table
    assert outreach.rows("select refresh_id from ops.refresh_claim") == []
    assert outreach.rows(STATUS) == before
    assert outreach.rows("select count(*) from ops.reconciliation") == [(3,)]

    # The work of the one that was lost is done, by the history that is left.
    outreach.refresh()
    assert outreach.differences() == []
    with pytest.raises(psycopg.errors.InsufficientPrivilege, match="append-only"):
        outreach.connection.execute("delete from ops.refresh_log")


def test_it_is_done_in_pieces_and_old_reconciliations_go_too(
    outreach: OutreachWarehouse, refreshes: list[UUID]
) -> None:
    connection = outreach.connection
    connection.execute("delete from outbound_messages where id = 'm1'")
    reconcile(outreach.settings, outreach.url, "outreach")
    connection.execute("update ops.reconciliation set started_at = now() - interval '32 days'")
    age(outreach, refreshes[1], 100)
    assert outreach.rows("select ops.prune_log('outreach', 90, 1)") == [(1,)]
    assert logged(outreach)["refresh_log"] == {*refreshes[2:]}
    assert prune_logs(connection, "support", 31) == 0
    assert outreach.rows("select count(*) from ops.reconciliation_partition") != [(0,)]
    assert prune_logs(connection, "outreach", 31) == 0
    for table in ("reconciliation", "reconciliation_partition"):
        assert outreach.rows(f"select * from ops.{table}") == []


def test_fewer_days_than_the_status_reads_are_refused(outreach: OutreachWarehouse) -> None:
    with pytest.raises(psycopg.errors.InvalidParameterValue, match="at least 31 days, not 30"):
        prune_logs(outreach.connection, "outreach", 30)
