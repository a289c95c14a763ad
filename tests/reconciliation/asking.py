"""Reconciliation as the tests ask for it and read it."""

from __future__ import annotations

from datetime import date
from typing import Any

from orchestration.warehouse.reconciliation import Reconciliation, reconcile
from tests.outreach.warehouse import OutreachWarehouse
from tests.support.warehouse import SupportWarehouse

Warehouse = OutreachWarehouse | SupportWarehouse
Found = tuple[date, str, str]


def check(warehouse: Warehouse, **question: Any) -> Reconciliation:
    (family,) = warehouse.settings.families
    return reconcile(warehouse.settings, warehouse.url, family, **question)


def found(outcome: Reconciliation) -> dict[str, set[Found]]:
    """What differs of each tenant: date, part and kind."""
    drift: dict[str, set[Found]] = {}
    for each in outcome.drift:
        drift.setdefault(each.tenant_id, set()).add((each.date, each.part, each.kind))
    return drift


def marked(warehouse: Warehouse) -> dict[str, set[date]]:
    """Pending dates of each tenant; nothing else may be pending."""
    dates: dict[str, set[date]] = {}
    for tenant_id, grain, key in warehouse.pending():
        assert grain == "date", (tenant_id, grain, key)
        dates.setdefault(tenant_id, set()).add(date.fromisoformat(key))
    return dates


def require_marked_exactly(warehouse: Warehouse, outcome: Reconciliation) -> None:
    expected: dict[str, set[date]] = {}
    for each in outcome.drift:
        if each.kind != "pruned":
            expected.setdefault(each.tenant_id, set()).add(each.date)
    assert marked(warehouse) == expected
    assert outcome.differing == sum(map(len, expected.values()))


def require_healed(warehouse: Warehouse) -> None:
    """Refresh until nothing is pending (what lies on further dates comes second) and compare."""
    for _ in range(3):
        if warehouse.pending():
            warehouse.refresh()
    assert warehouse.pending() == []
    differences = warehouse.differences()
    assert not differences, "\n".join(differences)
    assert found(check(warehouse)) == {}
