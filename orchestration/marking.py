"""What a refresh tells Dagster: the partitions it rebuilt, in numbers, and how its checks went."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import dagster as dg
import psycopg
from dagster._core.events import (
    DagsterEvent,
    DagsterEventBatchMetadata,
    generate_event_batch_id,
)

from orchestration.dbt_runner import NodeResult
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
