"""What is wrong now: by the database's own log, and by Dagster's runs and checks."""

# Dagster reads annotations as objects: no `from __future__ import annotations` here.

from collections.abc import Iterator

import dagster as dg
from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecordStatus
from psycopg import Error as DatabaseTrouble

from orchestration.alerting.alerts import Alert
from orchestration.errors import RollupsError
from orchestration.resources import Warehouse
from orchestration.warehouse.connection import one_line
from orchestration.warehouse.status import refresh_alerts

# What these find, the database's log tells by itself.
TOLD_BY_LOG = ("tenants_are_fresh", "refreshes_take_their_usual_time")
WILL_RETRY_TAG = "dagster/will_retry"


def current_alerts(context: dg.SensorEvaluationContext, warehouse: Warehouse) -> list[Alert]:
    """Every alert that holds now, the run that failed before the refresh that it was to do."""
    address = warehouse.settings.ui_address
    families = warehouse.settings.families
    runs = list(_failed_runs(context, families, address))
    known_by_run = {alert.subject for alert in runs}
    found = [
        alert
        for alert in _of_database(warehouse, address)
        if alert.kind != "failed_refresh" or f"{alert.subject}_refresh" not in known_by_run
    ]
    return [*runs, *found, *_failing_checks(context, address)]


def _of_database(warehouse: Warehouse, address: str) -> list[Alert]:
    try:
        with warehouse.connection() as connection:
            return [
                Alert(found.kind, family, found.detail, f"{address}/jobs/{family}_refresh")
                for family in warehouse.settings.families
                for found in refresh_alerts(connection, family)
            ]
    except (RollupsError, DatabaseTrouble) as error:
        return [Alert("database", "unreachable or unfit", one_line(error), address)]


def _failed_runs(
    context: dg.SensorEvaluationContext, families: tuple[str, ...], address: str
) -> Iterator[Alert]:
    ended = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE]
    for family in families:
        for job in (f"{family}_refresh", f"{family}_backfill", f"{family}_reconcile"):
            filters = dg.RunsFilter(job_name=job, statuses=ended)
            for run in context.instance.get_runs(filters, limit=1):
                failed = run.status == dg.DagsterRunStatus.FAILURE
                if failed and run.tags.get(WILL_RETRY_TAG) != "true":
                    yield Alert(
                        "failed_run",
                        job,
                        f"run {run.run_id} failed",
                        f"{address}/runs/{run.run_id}",
                    )


def _failing_checks(context: dg.SensorEvaluationContext, address: str) -> Iterator[Alert]:
    repository = context.repository_def
    if repository is None:
        return
    keys = [key for key in repository.asset_graph.asset_check_keys if key.name not in TOLD_BY_LOG]
    latest = context.instance.event_log_storage.get_latest_asset_check_execution_by_key(keys)
    for key, record in latest.items():
        if record.status != AssetCheckExecutionRecordStatus.FAILED:
            continue
        event = record.event
        evaluation = None if event is None else event.asset_check_evaluation
        severity = None if evaluation is None else evaluation.severity
        yield Alert(
            "failing_check",
            f"{key.name} of {key.asset_key.path[-1]}",
            (evaluation.description if evaluation else None) or "the check did not pass",
            f"{address}/assets/{'/'.join(key.asset_key.path)}?view=checks",
            is_warning=severity == dg.AssetCheckSeverity.WARN,
        )
