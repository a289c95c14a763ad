"""The Dagster code location: everything Dagster knows of this project."""

from __future__ import annotations

import json
import logging
from datetime import date, timedelta

import dagster as dg
import psycopg

from orchestration.assets import RULES, SHARED_VIEWS, rollup_assets, selections, view_assets
from orchestration.checks import health_checks
from orchestration.dbt_runner import dbt_project
from orchestration.errors import RollupsError
from orchestration.jobs import backfill_job, refresh_job
from orchestration.launching import fork_runs
from orchestration.partitions import FALLBACK_DAYS, last_date, rolling_start
from orchestration.reconciliation import reconciliation_asset, reconciliation_job
from orchestration.resources import Warehouse
from orchestration.schedules import daily_reconciliation, hourly_refresh
from orchestration.sensors import alert_sensor, tenant_sensor, view_sensor
from orchestration.settings import load_settings
from orchestration.translator import RollupsTranslator, source_specs, visible_manifest
from orchestration.warehouse.tenants import first_rollup_date, known_tenants

logger = logging.getLogger(__name__)


def start_date(warehouse: Warehouse, family: str) -> date:
    """First partition of a family; without a database some date, so that the code still loads."""
    settings = warehouse.settings
    if settings.start_date is not None:
        return settings.start_date
    try:
        with warehouse.connection() as connection:
            tenants = len(known_tenants(connection, family))
            return rolling_start(first_rollup_date(connection, settings, family), tenants)
    except (RollupsError, psycopg.Error) as error:
        fallback = last_date() - timedelta(days=FALLBACK_DAYS)
        logger.warning(
            "%s partitions start at %s, because the first date in the source is unknown: %s."
            " Reload the code location once that is put right.",
            family,
            fallback,
            error,
        )
        return fallback


def build_definitions() -> dg.Definitions:
    settings = load_settings()
    warehouse = Warehouse()
    translator = RollupsTranslator()
    manifest = visible_manifest(json.loads(dbt_project(settings).manifest_path.read_bytes()))
    views = [
        view_assets("rules", RULES, manifest, translator),
        view_assets("shared_views", SHARED_VIEWS, manifest, translator),
    ]
    rollups, jobs, schedules, sensors, checks = [], [], [], [], []
    for family in settings.families:
        select = selections(family, manifest)
        views += [
            view_assets(f"{family}_source_views", select.source_views, manifest, translator),
            view_assets(f"{family}_public_views", select.public_views, manifest, translator),
        ]
        assets, family_rollups = rollup_assets(
            family, manifest, translator, start_date(warehouse, family)
        )
        job = refresh_job(family, assets)
        rollups.append(assets)
        reconciliation = reconciliation_asset(family)
        reconcile = reconciliation_job(family, reconciliation)
        rollups.append(reconciliation)
        jobs += [job, backfill_job(family_rollups), reconcile]
        schedules += [hourly_refresh(family, job), daily_reconciliation(family, reconcile)]
        sensors.append(tenant_sensor(family))
        checks.append(health_checks(family))
    return dg.Definitions(
        assets=[*source_specs(manifest, translator), *views, *rollups],
        asset_checks=checks,
        jobs=jobs,
        schedules=schedules,
        sensors=[*sensors, view_sensor(views), alert_sensor()],
        resources={"warehouse": warehouse},
        executor=dg.in_process_executor,
    )


defs = build_definitions()
fork_runs()
