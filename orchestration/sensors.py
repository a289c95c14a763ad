"""The tenant sensor: new tenants of the source become partitions."""

# Dagster reads annotations as objects: no `from __future__ import annotations` here.

import dagster as dg

from orchestration.errors import RollupsError
from orchestration.partitions import tenant_partitions
from orchestration.resources import Warehouse
from orchestration.warehouse.tenants import known_tenants

INTERVAL_SECONDS = 60


def tenant_sensor(family: str) -> dg.SensorDefinition:
    """Add the source's new tenants. A key is never taken away: its history would go with it."""

    @dg.sensor(
        name=f"{family}_tenants",
        minimum_interval_seconds=INTERVAL_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=f"Adds new {family} tenants to the partitions.",
    )
    def tenants(
        context: dg.SensorEvaluationContext, warehouse: Warehouse
    ) -> dg.SensorResult | dg.SkipReason:
        try:
            with warehouse.connection() as connection:
                found = known_tenants(connection, family)
        except RollupsError as error:
            return dg.SkipReason(str(error))
        partitions = tenant_partitions(family)
        known = set(partitions.get_partition_keys(dynamic_partitions_store=context.instance))
        usable = [tenant.tenant_id for tenant in found if not tenant.refused]
        new = [tenant_id for tenant_id in usable if tenant_id not in known]
        refused = len(found) - len(usable)
        note = f" ({refused} with an id that cannot be a partition key)" if refused else ""
        if not new:
            return dg.SkipReason(f"no new tenant among {len(found)}{note}")
        return dg.SensorResult(dynamic_partitions_requests=[partitions.build_add_request(new)])

    return tenants
