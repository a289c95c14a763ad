"""What a run asks for, and how the runs of one backfill share their work.

Dagster can tell a run a rectangle of partitions, so it cuts a backfill into many runs: ten
scattered dates of four tenants are forty. The first of them takes the partitions of those that
still wait in the queue as well, up to a limit, and these then find their work done.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import dagster as dg
from dagster import DagsterEvent, DagsterEventType, DagsterRunStatus, PartitionKeyRange, RunsFilter

from orchestration.errors import InputError
from orchestration.marking import Context, repeat_checks
from orchestration.warehouse.tenants import Partition
from orchestration.written import written_date

PARTITION_TAG = "dagster/partition"
RANGE_START_TAG = "dagster/asset_partition_range_start"
RANGE_END_TAG = "dagster/asset_partition_range_end"
BACKFILL_TAG = "dagster/backfill"
DONE_TAG = "rollups/done_by"

WAITING = [DagsterRunStatus.QUEUED, DagsterRunStatus.NOT_STARTED]


def asked_keys(run: dg.DagsterRun) -> tuple[str, str] | None:
    """First and last partition key that a run was started for; ``None`` for a run without one.

    A backfill launched on a job gives every run a range and the key of its first partition only
    (dagster issue 28861): such a run would do a part of its work and end green, so it is refused.
    """
    first, last = run.tags.get(RANGE_START_TAG), run.tags.get(RANGE_END_TAG)
    single = run.tags.get(PARTITION_TAG) or _key_of_dimensions(run.tags)
    if first is None or last is None:
        return None if single is None else (single, single)
    if single is not None and first != last:
        raise InputError(
            f"partitions {first} to {last} were asked for on a job, which Dagster runs for the"
            " first one only: launch the backfill on an asset (open it, Materialize)"
        )
    return first, last


def partitions_between(
    context: Context, partitions_def: dg.MultiPartitionsDefinition, ends: tuple[str, str]
) -> list[Partition]:
    """The rectangle of partitions between two keys, which Dagster must know."""
    keys = partitions_def.get_partition_keys_in_range(
        PartitionKeyRange(*ends), dynamic_partitions_store=context.instance
    )
    if not keys:
        raise InputError(f"there is no partition from {ends[0]} to {ends[1]}: swap them")
    return [partition_of(key) for key in keys]


def partition_of(key: str) -> Partition:
    """The partition with this key text; ``InputError`` when it is not ``date|tenant``."""
    day, _, tenant_id = key.partition("|")
    try:
        return Partition(tenant_id, written_date(day))
    except ValueError:
        raise InputError(f"partition key {key[:80]!r} is not date|tenant") from None


def waiting_siblings(
    context: Context, asset_keys: Sequence[dg.AssetKey]
) -> dict[str, tuple[str, str]]:
    """Runs of this run's backfill that wait in the queue, oldest first, and what they ask for.

    None once a run of the backfill has failed: then each does its own part, so that one bad
    partition spoils one run.
    """
    backfill_id = context.run.tags.get(BACKFILL_TAG)
    if backfill_id is None:
        return {}
    runs = context.instance.get_runs(RunsFilter(tags={BACKFILL_TAG: backfill_id}), ascending=True)
    if any(run.status == DagsterRunStatus.FAILURE for run in runs):
        return {}
    siblings = {}
    for run in runs:
        selection = run.asset_selection
        if run.status in WAITING and selection and selection <= set(asset_keys):
            ends = asked_keys(run)
            if ends is not None:
                siblings[run.run_id] = ends
    return siblings


def finish(context: Context, run_ids: Sequence[str]) -> None:
    """End waiting runs whose work this one has done. The pool lets none start meanwhile."""
    for run_id in run_ids:
        context.instance.add_run_tags(run_id, {DONE_TAG: f"{context.run.run_id} for {run_id}"})
        run = context.instance.get_run_by_id(run_id)
        if run is not None and run.status in WAITING:
            message = f"Run {context.run.run_id} of the same backfill has rebuilt these partitions."
            success = DagsterEvent(
                DagsterEventType.RUN_SUCCESS.value, job_name=run.job_name, message=message
            )
            repeat_checks(context.instance, context.run.run_id, run)
            context.instance.report_dagster_event(success, run_id)


def done_by(run: dg.DagsterRun) -> str | None:
    """The run that has done this one's work. A later copy of a run has the tag, not its meaning."""
    other, _, meant = run.tags.get(DONE_TAG, "").partition(" for ")
    return other if meant == run.run_id else None


def _key_of_dimensions(tags: Mapping[str, str]) -> str | None:
    day, tenant_id = (tags.get(f"{PARTITION_TAG}/{name}") for name in ("date", "tenant"))
    return None if day is None and tenant_id is None else f"{day}|{tenant_id}"
