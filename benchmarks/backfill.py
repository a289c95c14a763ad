"""Backfills of a few partitions, which read the source again and replace whole days."""

from __future__ import annotations

from datetime import timedelta

from benchmarks.world import Cost, World
from orchestration.warehouse.tenants import Partition

SMALLEST = "1 tenant x 1 day"
LARGEST_TENANTS = """
select tenant_id, max(date) from analytics.metrics_tenant_daily
group by tenant_id
order by sum(sends) desc
limit %(tenants)s
"""


def measure(world: World) -> dict[str, Cost]:
    """What the newest days of the largest tenants cost."""
    return {
        SMALLEST: _cost(world, tenants=1, days=1),
        "4 tenants x 7 days": _cost(world, tenants=4, days=7),
        "4 tenants x 28 days": _cost(world, tenants=4, days=28),
    }


def _cost(world: World, *, tenants: int, days: int) -> Cost:
    partitions = [
        Partition(tenant_id, last - timedelta(days=n))
        for tenant_id, last in world.rows(LARGEST_TENANTS, {"tenants": tenants})
        for n in range(days)
    ]
    return world.cost(lambda: world.refresh(partitions))
