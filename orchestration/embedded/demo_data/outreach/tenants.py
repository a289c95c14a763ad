"""The outreach tenants, with the zones that their application does not store."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from orchestration.embedded.demo_data.copy_text import cuids
from orchestration.embedded.demo_data.names import tenant_name
from orchestration.embedded.demo_data.plan import DemoDataPlan, sizes_by_rank

ZONES = (
    "America/New_York",
    "Asia/Kolkata",
    "Australia/Lord_Howe",
    "America/Havana",
    "UTC",
    "Europe/London",
    "Asia/Kathmandu",
    "America/Sao_Paulo",
    "Europe/Berlin",
    "Asia/Tokyo",
    "Pacific/Auckland",
    "America/Los_Angeles",
    "Africa/Nairobi",
)


@dataclass(frozen=True)
class Tenant:
    """One customer of the application; ``zone`` is an IANA name the source does not store."""

    id: str
    name: str
    zone: str
    messages: int


def plan_tenants(plan: DemoDataPlan) -> list[Tenant]:
    """The tenants, largest first."""
    sizes = sizes_by_rank(plan.messages, plan.tenants)
    ids = cuids(np.random.default_rng([plan.seed, 0]), plan.tenants).tolist()
    return [
        Tenant(ids[i].decode(), tenant_name(i), ZONES[i % len(ZONES)], sizes[i])
        for i in range(plan.tenants)
    ]
