"""The hourly refresh."""

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

    @dg.schedule(
        name=f"{family}_hourly",
        job=job,
        cron_schedule="0 * * * *",
        default_status=dg.DefaultScheduleStatus.RUNNING,
        description=f"Refreshes what is pending of {family}.",
    )
    def hourly(
        context: dg.ScheduleEvaluationContext, warehouse: Warehouse
    ) -> dg.RunRequest | dg.SkipReason:
        unfit = warehouse.unfit()
        if unfit is not None:
            return dg.SkipReason(unfit)
        earlier = context.instance.get_runs(
            RunsFilter(tags={"dagster/schedule_name": f"{family}_hourly"}, statuses=UNFINISHED),
            limit=1,
        )
        if earlier:
            return dg.SkipReason(
                f"the refresh of an earlier hour, run {earlier[0].run_id}, is not done"
            )
        return dg.RunRequest(tags={PRIORITY_TAG: "10"})

    return hourly
