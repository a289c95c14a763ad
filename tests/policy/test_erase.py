"""Erasing a contact on demand: no id of it is left anywhere of ours, and the totals stay."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from psycopg.conninfo import conninfo_to_dict

from orchestration.errors import DatabaseError
from orchestration.settings import Settings
from orchestration.warehouse.erasing import erase, plan_erasure
from tests.cli.conftest import Rollups, fingerprint
from tests.outreach.warehouse import OutreachWarehouse
from tests.policy.conftest import fill, switch
from tests.policy.traces import ids_of, places_of


@pytest.fixture(scope="session")
def small_template(
    new_database: Callable[..., str], outreach_template: str, outreach_settings: Settings
) -> str:
    """Name of a database with one refreshed tenant."""
    url = new_database(outreach_template)
    with OutreachWarehouse(outreach_settings, url) as warehouse:
        fill(warehouse, "acme", "Asia/Kolkata")
        warehouse.refresh()
    return str(conninfo_to_dict(url)["dbname"])


@pytest.fixture
def rollups(new_database: Callable[..., str], small_template: str, test_home: Path) -> Rollups:
    return Rollups(test_home, new_database(small_template))


@pytest.fixture
def warehouse(rollups: Rollups, outreach_settings: Settings) -> Iterator[OutreachWarehouse]:
    with OutreachWarehouse(outreach_settings, rollups.url) as made:
        yield made


def totals(warehouse: OutreachWarehouse) -> dict[str, Any]:
    """Each mart added up to the day."""
    marts = warehouse.marts()
    added: dict[str, Any] = {}
    for name, frame in marts.items():
        numbers = [
            column for column in frame if frame[column].map(lambda value: type(value) is int).all()
        ]
        assert len(numbers) > 5
        added[name] = frame.groupby("date")[numbers].sum().astype("int64").to_dict("index")
    return added


def delete_contact(warehouse: OutreachWarehouse, contact: str) -> None:
    warehouse.connection.execute("delete from lead_point_of_contacts where id = %s", [contact])


@pytest.mark.parametrize("policy", ["restate", "freeze", "erase"])
def test_nothing_of_a_person_is_left_but_the_totals(
    rollups: Rollups, warehouse: OutreachWarehouse, policy: str
) -> None:
    # Opt-outs and replies that lose their person are worked out again under restate and erase, so
    # the totals are compared by day, where they stay.
    contact = "acme_cid"
    ids = ids_of(warehouse, contact)
    assert len(places_of(warehouse, ids)) > 15
    leave_traces(warehouse, contact)
    before = totals(warehouse)
    delete_contact(warehouse, contact)

    arguments = ("erase", "--tenant", "acme", "--contact", contact)
    plan = rollups.json(*arguments, "--dry-run", DELETE_POLICY=policy)
    assert (plan["dry_run"], plan["plan"]["messages"], plan["plan"]["campaigns"]) == (True, 4, 1)
    done = rollups.json(*arguments, "--yes", DELETE_POLICY=policy)
    # four that count and the copy of one
    assert done["rows_changed"]["outreach_transition_ledger"] == 5
    assert places_of(warehouse, ids) == []
    assert totals(warehouse) == before
    assert warehouse.pending() == []
    again = rollups(*arguments, "--yes", DELETE_POLICY=policy)
    assert again.returncode == 2
    assert "is erased already" in again.stderr
    switch(warehouse, policy)
    warehouse.set_timezone("acme", "UTC")
    warehouse.refresh()
    warehouse.set_timezone("acme", "Asia/Kolkata")
    warehouse.refresh()
    assert totals(warehouse) == before
    ((by, who, tenant, rows),) = warehouse.rows(
        "select database_role, requested_by, tenant_id, rows_changed from ops.erasure"
    )
    assert by
    assert who
    assert tenant == "acme"
    assert rows == done["rows_changed"]


def leave_traces(warehouse: OutreachWarehouse, contact: str) -> None:
    """What crashed and failed refreshes leave behind."""
    connection = warehouse.connection
    connection.execute(
        "insert into ops.refresh_log (refresh_id, event, family, detail) values (gen_random_uuid(),"
        " 'failed', 'outreach', jsonb_build_object('error', 'Key (acme, ' || %s || '_m0) exists'))",
        [contact],
    )
    connection.execute(
        "insert into ops.refresh_claim (refresh_id, family, tenant_id, grain, key, seq)"
        " values (gen_random_uuid(), 'outreach', 'acme', 'message', %s, 1)",
        [f"{contact}_m0"],
    )
    connection.execute(
        "insert into intermediate.outreach_scope_subjects values"
        " (gen_random_uuid(), 'acme', 'message', %s, true)",
        [f"{contact}_m1"],
    )
    for grain, key in (("message", f"{contact}_m2"), ("campaign", f"campaign_{contact}")):
        connection.execute(
            "insert into ops.change_queue (family, source_table, tenant_id, grain, key)"
            " values ('outreach', 'x', 'acme', %s, %s)",
            [grain, key],
        )


def test_other_peoples_rows_are_left_alone(warehouse: OutreachWarehouse) -> None:
    others = "select * from {} where contact_id in ('acme_bob', 'acme_dot') order by 1, 2, 3, 4"
    tables = ("analytics.metrics_contact_hourly", "analytics.metrics_message",
              "intermediate.outreach_transition_ledger")  # fmt: skip
    before = [warehouse.rows(others.format(table)) for table in tables]
    delete_contact(warehouse, "acme_ann")
    plan = plan_erasure(warehouse.connection, "acme", "acme_ann")
    erase(warehouse.settings, warehouse.url, plan, "test")
    assert [warehouse.rows(others.format(table)) for table in tables] == before


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--tenant", "acme", "--contact", "acme_ann"), "still has contact 'acme_ann'"),
        (("--tenant", "acme", "--contact", "nobody"), "unknown contact 'nobody'"),
        (("--tenant", "nobody", "--contact", "acme_ann"), "unknown outreach tenant 'nobody'"),
        (("--tenant", "acme", "--contact", "acme_dot"), "add --yes"),
    ],
)
def test_a_refused_erasure_changes_nothing(
    rollups: Rollups, warehouse: OutreachWarehouse, arguments: tuple[str, ...], said: str
) -> None:
    delete_contact(warehouse, "acme_dot")
    versions = warehouse.row_versions()
    ended = rollups("erase", *arguments)
    assert ended.returncode == 2
    assert said in ended.stderr.splitlines()[-1]
    assert warehouse.row_versions() == versions
    assert warehouse.rows("select count(*) from ops.erasure") == [(0,)]


def test_a_crash_leaves_what_the_next_refresh_completes(warehouse: OutreachWarehouse) -> None:
    contact = "acme_dot"
    ids, before = ids_of(warehouse, contact), totals(warehouse)
    delete_contact(warehouse, contact)
    plan = plan_erasure(warehouse.connection, "acme", contact)
    # The refresh after the ledgers have changed fails.
    warehouse.connection.execute(
        "alter table analytics.metrics_contact_hourly add constraint broken"
        " check (contact_id <> '__erased__')"
    )
    with pytest.raises(Exception, match="broken"):
        erase(warehouse.settings, warehouse.url, plan, "test")
    assert places_of(warehouse, ids)
    warehouse.connection.execute(
        "alter table analytics.metrics_contact_hourly drop constraint broken"
    )
    again = plan_erasure(warehouse.connection, "acme", contact)
    erase(warehouse.settings, warehouse.url, again, "test")
    assert places_of(warehouse, ids) == []
    assert totals(warehouse) == before


def test_ledgers_change_in_one_transaction_or_not_at_all(warehouse: OutreachWarehouse) -> None:
    delete_contact(warehouse, "acme_ann")
    warehouse.connection.execute("alter table ops.erasure add check (requested_by = 'nobody')")
    before = fingerprint(warehouse.url)
    plan = plan_erasure(warehouse.connection, "acme", "acme_ann")
    with pytest.raises(DatabaseError, match="nothing was changed"):
        erase(warehouse.settings, warehouse.url, plan, "test")
    assert fingerprint(warehouse.url) == before
