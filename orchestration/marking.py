"""What a refresh tells Dagster: the partitions it rebuilt, in numbers, and how its checks went."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import dagster as dg
import psycopg
from dagster._core.definitions.asset_checks.asset_check_evaluation import (
    AssetCheckEvaluationTargetMaterializationData,
)
from dagster._core.events import (
    DagsterEvent,
    DagsterEventBatchMetadata,
    generate_event_batch_id,
)
from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecordStatus
from dagster_shared.record import copy

from orchestration.dbt_runner import NodeResult
from orchestration.garbage_collection import without_collection
from orchestration.partitions import partition_key
from orchestration.previews import SPARKLINE_DAYS, newest_of_tenants, preview
from orchestration.warehouse.recent import recent_days
from orchestration.warehouse.refresh import (
    RefreshOutcome,
    changed_rows,
    partition_rows,
    staleness_minutes,
)
from orchestration.warehouse.tenants import Partition

Context = dg.AssetExecutionContext | dg.OpExecutionContext


def mark_partitions(
    context: Context,
    connection: psycopg.Connection,
    outcome: RefreshOutcome,
    relations: Mapping[dg.AssetKey, str],
    partitions: Sequence[Partition],
    seconds: float,
) -> None:
    """Log a materialization of every asset for every partition; the numbers are plotted by the UI.

    ``relations`` names each asset's table. A refresh brings a family's tables up to date together,
    so all of them are marked, whichever asset was asked for. All grains of a family add up to the
    same, so one look at its smallest mart is what the last days of each asset are shown by.
    """
    changed = changed_rows(connection, outcome)
    common = {
        "duration_seconds": round(seconds, 3),
        "staleness_minutes": round(staleness_minutes(connection, outcome.family), 1),
        "refresh_id": str(outcome.refresh_id),
        "trigger": outcome.trigger,
    }
    newest = newest_of_tenants(partitions)
    days = recent_days(connection, outcome.family, newest, SPARKLINE_DAYS)
    for asset_key, relation in relations.items():
        rows = partition_rows(connection, outcome, relation)
        numbers = common | {"rows_changed": changed.get(asset_key.path[-1], 0)}
        _log_together(
            context,
            [
                dg.AssetMaterialization(
                    asset_key,
                    partition=partition_key(partition),
                    metadata={
                        **numbers,
                        "dagster/partition_row_count": rows.get(partition, 0),
                        **(
                            preview(partition, days.get(partition.tenant_id, {}), rows)
                            if newest[partition.tenant_id] == partition.date
                            else {}
                        ),
                    },
                )
                for partition in partitions
            ],
        )


def _log_together(context: Context, marks: Sequence[dg.AssetMaterialization]) -> None:
    # `context.log_event` stores them one at a time, which takes ten times as long. A batch is of
    # one asset, and is stored when its last event arrives or DAGSTER_EVENT_BATCH_SIZE is reached.
    step = context.get_step_execution_context()
    batch = generate_event_batch_id()
    with without_collection():
        for number, mark in enumerate(marks, start=1):
            position = DagsterEventBatchMetadata(batch, is_end=number == len(marks))
            DagsterEvent.asset_materialization(step, mark, position)


def log_checks(
    context: Context, results: Iterable[NodeResult], checks: Mapping[str, dg.AssetCheckSpec]
) -> None:
    """Log the outcome of dbt's tests; ``checks`` by dbt's unique ids.

    They are logged rather than yielded: a run without a partition may not yield a check's result.
    """
    for result in results:
        spec = checks.get(result.unique_id)
        if spec is not None and result.status != "skipped":
            log_check(
                context,
                dg.AssetCheckEvaluation(
                    asset_key=spec.asset_key,
                    check_name=spec.name,
                    passed=result.status == "pass",
                    severity=_severity(result, spec),
                    description=result.message or None,
                    metadata=_check_metadata(result),
                ),
            )


def log_check(context: Context, evaluation: dg.AssetCheckEvaluation) -> None:
    """Log the outcome of a check from inside the run that has it."""
    DagsterEvent.asset_check_evaluation(context.get_step_execution_context(), evaluation)


def repeat_checks(instance: dg.DagsterInstance, other_id: str, run: dg.DagsterRun) -> None:
    """Have a run tell of the checks as the one does that has done its work.

    It was to evaluate them as well; else their page would show a latest execution without result.
    """
    for evaluation in _logged_checks(instance, other_id):
        event = DagsterEvent(
            dg.DagsterEventType.ASSET_CHECK_EVALUATION.value,
            job_name=run.job_name,
            event_specific_data=_of_latest_mark(instance, evaluation),
        )
        instance.report_dagster_event(event, run.run_id)


def show_checks(context: Context) -> None:
    """Have the pages of the checks show this run's results.

    They show those of the run that was launched last, and nothing when they are older than the
    latest mark. That run may have worked first: when two backfills are launched together, or the
    hourly refresh passes a backfill that waits.
    """
    storage = context.instance.event_log_storage
    logged = _logged_checks(context.instance, context.run.run_id)
    shown = storage.get_latest_asset_check_execution_by_key(
        [evaluation.asset_check_key for evaluation in logged]
    )
    for evaluation in logged:
        latest = shown[evaluation.asset_check_key]
        is_done = latest.status != AssetCheckExecutionRecordStatus.PLANNED
        if latest.run_id != context.run.run_id and is_done:
            context.instance.report_runless_asset_event(
                _of_latest_mark(context.instance, evaluation)
            )


def _logged_checks(instance: dg.DagsterInstance, run_id: str) -> list[dg.AssetCheckEvaluation]:
    entries = instance.all_logs(run_id, of_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION)
    events = [entry.dagster_event for entry in entries]
    return [event.asset_check_evaluation_data for event in events if event is not None]


def _of_latest_mark(
    instance: dg.DagsterInstance, evaluation: dg.AssetCheckEvaluation
) -> dg.AssetCheckEvaluation:
    """Said of the latest mark: the page hides what seems older than that."""
    records = instance.fetch_materializations(evaluation.asset_key, limit=1).records
    if not records:
        return evaluation
    mark = records[0]
    target = AssetCheckEvaluationTargetMaterializationData(
        storage_id=mark.storage_id, run_id=mark.run_id, timestamp=mark.timestamp
    )
    return copy(evaluation, target_materialization_data=target)


def _severity(result: NodeResult, spec: dg.AssetCheckSpec) -> dg.AssetCheckSeverity:
    if result.status == "warn" or not spec.blocking:
        return dg.AssetCheckSeverity.WARN
    return dg.AssetCheckSeverity.ERROR


def _check_metadata(result: NodeResult) -> dict[str, Any]:
    metadata: dict[str, Any] = {"seconds": round(result.seconds, 3)}
    if result.failures is not None:
        metadata["failed_rows"] = result.failures
    if result.message:
        metadata["message"] = result.message
    return metadata
