"""One database a family with every bad row in it; the tests look at what became of each."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from orchestration.settings import Settings
from orchestration.warehouse.bootstrap import initialise
from tests.outreach.warehouse import SCHEMA, OutreachWarehouse
from tests.quarantine import outreach_rows, support_rows
from tests.quarantine.rows import drop_constraints
from tests.quarantine.story import Story, look, tell
from tests.support.warehouse import SCHEMA as SUPPORT_SCHEMA
from tests.support.warehouse import SupportWarehouse


@pytest.fixture(scope="module")
def sloppy_outreach(
    new_database: Callable[..., str], outreach_template: str, outreach_settings: Settings
) -> Iterator[OutreachWarehouse]:
    """A warehouse whose source has no constraints, and its events in a json column."""
    with OutreachWarehouse(outreach_settings, new_database(outreach_template)) as warehouse:
        drop_constraints(warehouse.connection, SCHEMA)
        warehouse.connection.execute(
            "drop view staging.stg_outreach__events, staging.stg_outreach__arrivals cascade"
        )
        warehouse.connection.execute("alter table message_events alter data type json")
        initialise(outreach_settings, warehouse.url)
        yield warehouse


@pytest.fixture(scope="module")
def outreach_story(sloppy_outreach: OutreachWarehouse) -> Story[OutreachWarehouse]:
    def add_tenant(warehouse: OutreachWarehouse, number: int, name: str) -> str:
        tenant = f"t{number:03}_{name}"
        outreach_rows.add_tenant(warehouse, tenant)
        return tenant

    return tell(
        sloppy_outreach, outreach_rows.BAD_ROWS, outreach_rows.ODD_ROWS, add_tenant,
        lambda: look(sloppy_outreach, "outreach", SCHEMA, outreach_rows.TABLES),
    )  # fmt: skip


@pytest.fixture(scope="module")
def sloppy_support(
    new_database: Callable[..., str], support_template: str, support_settings: Settings
) -> Iterator[SupportWarehouse]:
    """A warehouse whose source has no constraints."""
    with SupportWarehouse(support_settings, new_database(support_template)) as warehouse:
        drop_constraints(warehouse.connection, SUPPORT_SCHEMA)
        initialise(support_settings, warehouse.url)
        yield warehouse


@pytest.fixture(scope="module")
def support_story(sloppy_support: SupportWarehouse) -> Story[SupportWarehouse]:
    def add_tenant(warehouse: SupportWarehouse, number: int, _name: str) -> int:
        support_rows.add_account(warehouse, number)
        return number

    return tell(
        sloppy_support, support_rows.BAD_ROWS, support_rows.ODD_ROWS, add_tenant,
        lambda: look(sloppy_support, "support", SUPPORT_SCHEMA, support_rows.TABLES),
    )  # fmt: skip
