"""Sensors: what is new in the database (tenants, deployed views), and what is wrong (alerts)."""

# Dagster reads annotations as objects: no `from __future__ import annotations` here.

from collections.abc import Sequence
from datetime import UTC, datetime

import dagster as dg

from orchestration.alerting.alerts import AlertState, news
from orchestration.alerting.conditions import current_alerts
from orchestration.alerting.delivery import deliver
from orchestration.errors import RollupsError
from orchestration.partitions import tenant_partitions
from orchestration.resources import Warehouse
from orchestration.warehouse.bootstrap import config_value
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
        usable = [tenant.tenant_id for tenant in found if tenant.problem is None]
        new = [tenant_id for tenant_id in usable if tenant_id not in known]
        unfit = len(found) - len(usable)
        note = f" ({unfit} without rollups: see rollups status)" if unfit else ""
        if not new:
            return dg.SkipReason(f"no new tenant among {len(found)}{note}")
        return dg.SensorResult(dynamic_partitions_requests=[partitions.build_add_request(new)])

    return tenants


def view_sensor(views: Sequence[dg.AssetsDefinition]) -> dg.SensorDefinition:
    """Mark the views and rules as built when `rollups init` has built them."""

    @dg.sensor(
        name="deployed_views",
        minimum_interval_seconds=INTERVAL_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Marks the views and rules that `rollups init` has deployed.",
    )
    def deployed_views(
        context: dg.SensorEvaluationContext, warehouse: Warehouse
    ) -> dg.SensorResult | dg.SkipReason:
        try:
            with warehouse.connection() as connection:
                version = config_value(connection, "deployed_version")
        except RollupsError as error:
            return dg.SkipReason(str(error))
        if version is None or version == context.cursor:
            return dg.SkipReason("nothing was deployed since the last look")
        keys = sorted(key for assets in views for key in assets.keys)
        metadata = {"deployed_version": version}
        marks = [dg.AssetMaterialization(key, metadata=metadata) for key in keys]
        return dg.SensorResult(asset_events=marks, cursor=version)

    return deployed_views


def alert_sensor() -> dg.SensorDefinition:
    """Tell people what went wrong, and when it is right again."""

    @dg.sensor(
        name="alerts",
        minimum_interval_seconds=INTERVAL_SECONDS,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description="Tells of failed, missed, lost and slow refreshes, of a growing backlog and of"
        " failing checks, by ROLLUPS_ALERT_URLS; and of their recovery.",
    )
    def alerts(
        context: dg.SensorEvaluationContext, warehouse: Warehouse
    ) -> dg.SensorResult | dg.SkipReason:
        known = AlertState.model_validate_json(context.cursor) if context.cursor else AlertState()
        found = current_alerts(context, warehouse)
        message, told = news(known, found, datetime.now(UTC))
        if message is None:
            return dg.SkipReason(f"no news: {len(found)} alerts are open")
        context.log.warning(f"{message.title}\n{message.body}")
        addresses = warehouse.settings.alert_addresses
        try:
            deliver(addresses, message)
        except RollupsError as error:
            # Not taken as told: tried again at the next look.
            return dg.SkipReason(str(error))
        return dg.SensorResult(
            skip_reason=f"{message.title}: told {len(addresses)} addresses",
            cursor=told.model_dump_json(),
        )

    return alerts
