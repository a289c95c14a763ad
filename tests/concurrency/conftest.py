"""An arena for each test; what dbt sends is recorded once."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from tests.concurrency.orders import TENANTS, Arena
from tests.concurrency.participants import Model, record_models
from tests.outreach.warehouse import OutreachWarehouse


@pytest.fixture(scope="session")
def models() -> list[Model]:
    return []


Open = Callable[[Arena], Arena]


@pytest.fixture
def open_arena(models: list[Model], monkeypatch: pytest.MonkeyPatch) -> Iterator[Open]:
    """Fills an arena and refreshes it; at the end all of it must be as it should be."""
    opened: list[Arena] = []

    def fill(arena: Arena) -> Arena:
        for tenant, zone in zip(TENANTS, ("Asia/Kolkata", "America/New_York"), strict=True):
            arena.warehouse.add_tenant(tenant, zone)
            arena.warehouse.add_contact(tenant, f"{tenant}_ann", f"ann@{tenant}.example")
        arena.stir()
        if not models:
            # Not the statements of a first load, which compares nothing with what is stored.
            arena.warehouse.refresh()
            arena.stir()
            models.extend(record_models(arena.warehouse, monkeypatch))
        arena.models = models
        arena.settle()
        opened.append(arena)
        return arena

    yield fill
    for arena in opened:
        assert arena.deadlocks() == 0
        # Keys that somebody killed has left are taken up by the next refresh of the tenant.
        arena.stir()
        arena.settle()
        for left in ("touched", "activity_change", "message_change"):
            assert arena.warehouse.rows(f"select * from ops.outreach_{left}") == [], left


@pytest.fixture
def arena(outreach: OutreachWarehouse, open_arena: Open) -> Arena:
    return open_arena(Arena(outreach))
