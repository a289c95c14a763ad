"""Attacks that are in the source already: ids, names, types, addresses, documents. All is data."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest

from orchestration.errors import InputError
from orchestration.reports import Reports
from orchestration.settings import Settings
from orchestration.warehouse.tenants import known_tenants, require_tenants
from orchestration.warehouse.verify import verify
from tests.hostile.attacks import ATTACKS
from tests.hostile.conftest import ACCOUNT, AT, fill_outreach, fill_support, watched
from tests.outreach.warehouse import SCHEMA, OutreachWarehouse
from tests.support.warehouse import SCHEMA as SUPPORT_SCHEMA
from tests.support.warehouse import SupportWarehouse

pytestmark = pytest.mark.slow

LIVES_AS_ID = {name: text for name, text in ATTACKS.items() if len(text) < 2_000}


@pytest.fixture(scope="module")
def hostile_outreach(
    new_database: Callable[..., str], outreach_template: str, outreach_settings: Settings
) -> Iterator[OutreachWarehouse]:
    """A tenant per attack, of which everything that may be a text is the attack."""
    with OutreachWarehouse(outreach_settings, new_database(outreach_template)) as warehouse:
        fill_outreach(warehouse)
        for name, text in ATTACKS.items():
            # Indexes of the source take no long ids; these come as names and addresses only.
            tenant = text if name in LIVES_AS_ID else name
            contact = f"{name} {tenant}"
            message = f"{tenant} {name}"
            warehouse.insert("tenants", id=tenant, name=text)
            warehouse.insert("leads", id=f"lead_{tenant}", name=text, url=text, tenant_id=tenant)
            warehouse.add_contact(tenant, contact, text)
            warehouse.add_message(tenant, contact, message, AT)
            warehouse.add_event(tenant, message, f"{message} d", "delivered", AT)
            warehouse.add_event(tenant, message, f"{message} o", "open", AT, data={text: text})
            warehouse.add_event(tenant, message, f"{message} odd", text, AT)
        with watched(warehouse.url, SCHEMA):
            warehouse.refresh()
            yield warehouse


@pytest.fixture(scope="module")
def hostile_support(
    new_database: Callable[..., str], support_template: str, support_settings: Settings
) -> Iterator[SupportWarehouse]:
    """An account whose names, labels, event types, channels and settings are attacks."""
    with SupportWarehouse(support_settings, new_database(support_template)) as warehouse:
        fill_support(warehouse)
        for number, text in enumerate(LIVES_AS_ID.values(), start=200):
            warehouse.add_account(number, text, name=text)
            warehouse.add_inbox(ACCOUNT, number, name=text, channel_type=text or "-")
            warehouse.add_agent(ACCOUNT, number, name=text)
            warehouse.insert("teams", id=number, account_id=ACCOUNT, name=text)
            warehouse.add_label(ACCOUNT, number, text)
            warehouse.add_conversation(
                ACCOUNT, number, AT, inbox_id=number, assignee_id=number, team_id=number
            )
            resolved = AT + timedelta(minutes=number)
            by = {"value": 1.0, "inbox_id": number, "user_id": number}
            event = number * 10
            warehouse.add_event(ACCOUNT, event, "conversation_resolved", resolved, number, **by)
            warehouse.add_event(ACCOUNT, event + 1, text, resolved, number, **by)
        with watched(warehouse.url, "staging"):
            warehouse.refresh()
            yield warehouse


def test_marts_of_outreach_are_right(hostile_outreach: OutreachWarehouse) -> None:
    assert hostile_outreach.differences() == []
    report = verify(
        hostile_outreach.connection, "outreach", source_schema=SCHEMA, date_from=None, date_to=None
    )
    assert report.matches, report.differences


def test_every_tenant_is_counted_or_has_a_reason(hostile_outreach: OutreachWarehouse) -> None:
    tenants = {one.tenant_id: one for one in known_tenants(hostile_outreach.connection, "outreach")}
    assert set(LIVES_AS_ID.values()) <= set(tenants)
    counted = dict(
        hostile_outreach.rows("select tenant_id, opens from analytics.metrics_tenant_daily")
    )
    for tenant_id, tenant in tenants.items():
        assert counted.get(tenant_id, 0) == (tenant.problem is None), tenant
    unfit = {tenant.tenant_id for tenant in tenants.values() if tenant.problem}
    assert {"", "|", "..."} <= unfit, "cannot be partition keys"
    for tenant_id in unfit:
        with pytest.raises(InputError, match="has no rollups"):
            require_tenants(hostile_outreach.connection, "outreach", [tenant_id])


def test_a_tenant_by_any_id_is_reported(hostile_outreach: OutreachWarehouse) -> None:
    for tenant in known_tenants(hostile_outreach.connection, "outreach"):
        if tenant.problem is None:
            reports = Reports(hostile_outreach.connection, tenant.tenant_id)
            for source in ("rollup", "raw"):
                found = reports.aggregate("opens", "2026-03-10", "2026-03-11", source=source)
                assert found["value"].tolist() == [1], tenant


def test_a_backfill_takes_tenants_by_any_id(hostile_outreach: OutreachWarehouse) -> None:
    tenants = require_tenants(hostile_outreach.connection, "outreach", [])
    hostile_outreach.connection.execute("update analytics.metrics_tenant_daily set opens = 9")
    hostile_outreach.backfill([one.tenant_id for one in tenants], AT.date(), AT.date())
    assert hostile_outreach.differences() == []


def test_marts_of_support_are_right(hostile_support: SupportWarehouse) -> None:
    assert hostile_support.differences() == []
    report = verify(
        hostile_support.connection,
        "support",
        source_schema=SUPPORT_SCHEMA,
        date_from=None,
        date_to=None,
    )
    assert report.matches, report.differences


@pytest.mark.parametrize("source", ["raw", "rollup"])
def test_members_by_any_name_are_reported(hostile_support: SupportWarehouse, source: str) -> None:
    rows = hostile_support.rows(
        "select name from report.summary('1', '2026-03-10 00:00+00', '2026-03-11 00:00+00',"
        " dimension => 'inbox', source => %s)",
        source,
    )
    assert set(LIVES_AS_ID.values()) <= {name for (name,) in rows}
