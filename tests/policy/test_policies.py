"""Each policy, for each thing that can be deleted, however the ledgers come to know of it."""

from __future__ import annotations

from datetime import date

import pandas as pd

from orchestration.warehouse.verify import verify
from tests.outreach.marts import compare
from tests.outreach.warehouse import SCHEMA, OutreachWarehouse
from tests.policy.conftest import TENANTS, Make, switch
from tests.policy.deletions import CORRECTIONS, DELETIONS, WAYS, delete
from tests.policy.expected import Memory, without_ids

FIRST, LAST = date(2026, 3, 1), date(2026, 3, 20)


def delete_everything(warehouse: OutreachWarehouse) -> None:
    """Each deletion in three tenants: its work is noted, its dates backfilled, the zone changed."""
    for way in WAYS:
        for number, what in enumerate(DELETIONS):
            tenant = f"{way}{number}"
            work = delete(warehouse, what, tenant)
            assert work, what
            if way == "pending":
                for grain, key in work:
                    note(warehouse, tenant, grain, key)
            elif way == "zone":
                warehouse.set_timezone(tenant, "America/Havana")


def note(warehouse: OutreachWarehouse, tenant: str, grain: str, key: str) -> None:
    warehouse.connection.execute(
        "select ops.note_pending('outreach', array[%s], %s, array[%s], 'test')",
        [tenant, grain, key],
    )


def bring_up_to_date(warehouse: OutreachWarehouse) -> None:
    """Backfills in pieces, so that a message lies in several, and refreshes for the rest."""
    backfilled = [tenant for tenant in TENANTS if tenant.startswith("backfill")]
    warehouse.backfill(backfilled, date(2026, 3, 4), date(2026, 3, 5))
    warehouse.backfill(backfilled, FIRST, LAST)
    for _ in range(3):
        if warehouse.refresh().had_work is False:
            break


def rests(warehouse: OutreachWarehouse) -> None:
    """Nothing is left to do, and doing it again writes no row."""
    assert warehouse.pending() == []
    versions = warehouse.row_versions()
    warehouse.backfill(TENANTS, FIRST, LAST)
    warehouse.refresh()
    assert warehouse.row_versions() == versions


def of(marts: dict[str, pd.DataFrame], *whats: str) -> dict[str, pd.DataFrame]:
    """The rows of the tenants to which this was done."""
    numbers = [number for number, what in enumerate(DELETIONS) if what in whats]
    tenants = [f"{way}{number}" for way in WAYS for number in numbers]
    return {name: frame[frame["tenant_id"].isin(tenants)] for name, frame in marts.items()}


def test_restate_follows_the_source(under: Make) -> None:
    warehouse = under("restate")
    delete_everything(warehouse)
    bring_up_to_date(warehouse)
    assert warehouse.differences() == []
    rests(warehouse)


def test_freeze_keeps_what_was_counted_until_it_is_restated(under: Make) -> None:
    warehouse = under("freeze")
    memory = Memory(warehouse)
    delete_everything(warehouse)
    memory.look()
    bring_up_to_date(warehouse)
    assert compare(memory.frozen(), warehouse.marts()) == []
    rests(warehouse)
    verified_with_kept_rows(warehouse)

    switch(warehouse, "restate")
    bring_up_to_date(warehouse)
    warehouse.backfill(TENANTS, FIRST, LAST)
    assert warehouse.differences() == []


def test_erase_keeps_the_counts_without_the_person(under: Make) -> None:
    warehouse = under("erase")
    memory = Memory(warehouse)
    delete_everything(warehouse)
    memory.look()
    bring_up_to_date(warehouse)
    marts = without_ids(warehouse.marts())
    erased = [what for what in DELETIONS if what not in CORRECTIONS]
    assert compare(of(memory.erased(), *erased), of(marts, *erased)) == []
    assert [
        line for line in warehouse.differences()
        if any(f"tenant_id={tenant}," in line for tenant in corrected())
    ] == []  # fmt: skip
    rests(warehouse)
    verified_with_kept_rows(warehouse)


def verified_with_kept_rows(warehouse: OutreachWarehouse) -> None:
    report = verify(
        warehouse.connection, "outreach", source_schema=SCHEMA, date_from=None, date_to=None
    )
    assert report.differences == []
    assert report.kept_rows > 0


def corrected() -> list[str]:
    return [
        f"{way}{number}"
        for way in WAYS
        for number, what in enumerate(DELETIONS)
        if what in CORRECTIONS
    ]
