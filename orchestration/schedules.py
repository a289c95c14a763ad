"""The hourly refresh and the daily reconciliation."""

# Dagster reads annotations as objects: no `from __future__ import annotations` here.

import dagster as dg
from dagster import DagsterRunStatus, RunsFilter

from orchestration.jobs import AssetJob
from orchestration.resources import Warehouse

PRIORITY_TAG = "dagster/priority"
UNFINISHED = [
    DagsterRunStatus.QUEUED,
    DagsterRunStatus.NOT_STARTED,
    DagsterRunStatus.STARTING,
    DagsterRunStatus.STARTED,
]


def hourly_refresh(family: str, job: AssetJob) -> dg.ScheduleDefinition:
    """Refresh what is pending at every full hour, before any backfill that waits in the queue."""
    name = f"{family}_hourly"

    @dg.schedule(
        name=name,
        job=job,
        cron_schedule="0 * * * *",
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description=f"Refreshes what is pending of {family}.",
    )
    def hourly(
        context: dg.ScheduleEvaluationContext, warehouse: Warehouse
    ) -> dg.RunRequest | dg.SkipReason:
        return _one_at_a_time(
            context, warehouse, name, what="the refresh of an earlier hour", priority=10
        )

    return hourly


def daily_reconciliation(family: str, job: AssetJob) -> dg.ScheduleDefinition:
    """Compare the source with the ledgers once a day, after everything else that waits."""
    name = f"{family}_daily"

    @dg.schedule(
        name=name,
        job=job,
        cron_schedule="30 3 * * *",
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description=f"Compares the {family} source with the ledgers, at 3:30 UTC.",
    )
    def daily(
        context: dg.ScheduleEvaluationContext, warehouse: Warehouse
    ) -> dg.RunRequest | dg.SkipReason:
        return _one_at_a_time(
            context, warehouse, name, what="the reconciliation of an earlier day", priority=-5
        )

    return daily


def _one_at_a_time(
    context: dg.ScheduleEvaluationContext,
    warehouse: Warehouse,
    schedule: str,
    *,
    what: str,
    priority: int,
) -> dg.RunRequest | dg.SkipReason:
    unfit = warehouse.unfit()
    if unfit is not None:
        return dg.SkipReason(unfit)
    earlier = context.instance.get_runs(
        RunsFilter(tags={"dagster/schedule_name": schedule}, statuses=UNFINISHED), limit=1
    )
    if earlier:
        return dg.SkipReason(f"{what}, run {earlier[0].run_id}, is not done")
    return dg.RunRequest(tags={PRIORITY_TAG: str(priority)})
