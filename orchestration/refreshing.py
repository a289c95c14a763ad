"""A refresh inside a Dagster run: which work it takes, and what it tells Dagster of it."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

import dagster as dg
import psycopg
from dagster import MultiPartitionKey

from orchestration.errors import InputError, RefreshError, RollupsError
from orchestration.marking import Context, log_checks, mark_partitions
from orchestration.partitions import DATE, TENANT, last_date, tenant_partitions
from orchestration.resources import Warehouse
from orchestration.warehouse.refresh import RefreshOutcome, RefreshRequest, refresh
from orchestration.warehouse.tenants import Partition, require_tenants

RANGE_START_TAG = "dagster/asset_partition_range_start"
RANGE_END_TAG = "dagster/asset_partition_range_end"
BACKFILL_TAG = "dagster/backfill"
MAX_RETRIES_TAG = "dagster/max_retries"


@dataclass(frozen=True)
class FamilyRollups:
    """A family's rollup assets: their tables, their checks by dbt's unique id, the first date."""

    family: str
    start: date
    relations: Mapping[dg.AssetKey, str]
    checks: Mapping[str, dg.AssetCheckSpec]


def refresh_in_run(
    context: Context,
    warehouse: Warehouse,
    rollups: FamilyRollups,
    partitions: tuple[Partition, ...] | None = None,
) -> None:
    """Refresh the partitions of the run, or all pending work when it has none, and mark them.

    A refused partition fails the run with one line and is not tried again; another failure is,
    once. Pending work is struck only after the marks have been written.
    """
    try:
        if partitions is None:
            partitions = requested_partitions(context)
        if partitions is not None:
            _require(warehouse, rollups, partitions)
        outcome = _refresh(context, warehouse, rollups, partitions)
    except InputError as error:
        context.instance.add_run_tags(context.run.run_id, {MAX_RETRIES_TAG: "0"})
        raise dg.Failure(str(error)) from None
    except RollupsError as error:
        if isinstance(error, RefreshError):
            log_checks(context, error.results, rollups.checks)
        raise dg.Failure(str(error)) from None
    context.log.info(
        f"{rollups.family}: {len(outcome.partitions)} partitions in {outcome.seconds:.1f} s"
        if outcome.had_work
        else f"{rollups.family}: nothing is pending"
    )


def requested_partitions(context: Context) -> tuple[Partition, ...] | None:
    """The partitions this run was started for; ``None`` for a run without a partition.

    A backfill launched on a job gives every run a range and the key of its first partition only
    (dagster issue 28861): such a run would do a part of its work and end green, so it is refused.
    """
    tags = context.run.tags
    first, last = tags.get(RANGE_START_TAG), tags.get(RANGE_END_TAG)
    if context.has_partition_key and first != last:
        raise InputError(
            f"partitions {first} to {last} were asked for on a job, which Dagster runs for the"
            " first one only: launch the backfill on the assets (open an asset, Materialize)"
        )
    if not context.has_partition_key and first is None:
        return None
    return tuple(_partition(key) for key in context.partition_keys)


def _partition(key: str) -> Partition:
    if not isinstance(key, MultiPartitionKey):
        raise InputError(f"partition key {key[:80]!r} is not date|tenant")
    day, tenant_id = key.keys_by_dimension[DATE], key.keys_by_dimension[TENANT]
    try:
        return Partition(tenant_id, date.fromisoformat(day))
    except ValueError:
        raise InputError(f"partition key {key[:80]!r}: {day[:20]!r} is no date") from None


def _require(
    warehouse: Warehouse, rollups: FamilyRollups, partitions: tuple[Partition, ...]
) -> None:
    last = last_date()
    for partition in partitions:
        if not rollups.start <= partition.date <= last:
            raise InputError(
                f"{partition.date} is outside the partitions: {rollups.start} to {last}"
            )
    with warehouse.connection() as connection:
        tenant_ids = dict.fromkeys(partition.tenant_id for partition in partitions)
        require_tenants(connection, rollups.family, list(tenant_ids))


def _refresh(
    context: Context,
    warehouse: Warehouse,
    rollups: FamilyRollups,
    partitions: tuple[Partition, ...] | None,
) -> RefreshOutcome:
    started = time.monotonic()
    backfill_id = context.run.tags.get(BACKFILL_TAG)
    trigger = f"dagster backfill {backfill_id}" if backfill_id else f"dagster run {context.run.run_id}"

    def mark(connection: psycopg.Connection, outcome: RefreshOutcome) -> None:
        shown = [partition for partition in outcome.partitions if partition.date >= rollups.start]
        add_tenants(context.instance, rollups.family, {partition.tenant_id for partition in shown})
        seconds = time.monotonic() - started
        mark_partitions(context, connection, outcome, rollups.relations, shown, seconds)
        log_checks(context, outcome.nodes, rollups.checks)

    return refresh(
        warehouse.settings,
        warehouse.url,
        RefreshRequest(rollups.family, trigger, partitions=partitions),
        on_node=lambda node, done, total: context.log.info(f"{done} of {total}: {node}"),
        on_wait=lambda tenants: context.log.info(
            f"waiting for another refresh of {', '.join(tenants[:5])}"
        ),
        before_complete=mark,
    )


def add_tenants(instance: dg.DagsterInstance, family: str, tenant_ids: set[str]) -> list[str]:
    """Make tenants known to Dagster; the new ones are returned. Keys are never taken away."""
    name = tenant_partitions(family).name
    assert name is not None
    new = sorted(tenant_ids - set(instance.get_dynamic_partitions(name)))
    if new:
        instance.add_dynamic_partitions(name, new)
    return new
