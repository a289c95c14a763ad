"""A refresh inside a Dagster run: which work it takes, and what it tells Dagster of it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from itertools import chain

import dagster as dg
import psycopg

from orchestration.backfills import (
    BACKFILL_TAG,
    asked_keys,
    done_by,
    finish,
    partition_of,
    partitions_between,
    waiting_siblings,
)
from orchestration.checks import evaluate_health
from orchestration.errors import InputError, RefreshError, RollupsError
from orchestration.marking import (
    Context,
    log_check,
    log_checks,
    mark_partitions,
    repeat_checks,
    show_checks,
)
from orchestration.partitions import family_partitions, last_date, tenant_partitions
from orchestration.resources import Warehouse
from orchestration.warehouse.backfill import budget
from orchestration.warehouse.connection import one_line
from orchestration.warehouse.pruning import pruned_partitions, refuse_pruned
from orchestration.warehouse.refresh import RefreshOutcome, RefreshRequest, refresh
from orchestration.warehouse.tenants import Partition, require_tenants

MAX_RETRIES_TAG = "dagster/max_retries"
ALLOW_SHRINK_TAG = "rollups/allow-shrink"

# The hourly refresh waits while a run of a backfill works: more partitions of a tenant take
# several runs.
PARTITIONS_PER_RUN = 90


@dataclass(frozen=True)
class FamilyRollups:
    """A family's rollup assets: their tables, their checks by dbt's unique id, the first date."""

    family: str
    start: date
    relations: Mapping[dg.AssetKey, str]
    checks: Mapping[str, dg.AssetCheckSpec]

    @property
    def partitions(self) -> dg.MultiPartitionsDefinition:
        return family_partitions(self.family, self.start)


def refresh_in_run(context: Context, warehouse: Warehouse, rollups: FamilyRollups) -> None:
    """Refresh the partitions this run was started for, or all that is pending, and mark them.

    A run of a backfill does the work of those that wait behind it too, within the budget of one
    refresh. A refused partition fails the run with one line and is not tried again.
    """
    done = done_by(context.run)
    if done is not None:
        context.log.info(f"run {done} of the same backfill has rebuilt these partitions")
        repeat_checks(context.instance, done, context.run)
        return
    with one_line_failures(context):
        ends = asked_keys(context.run)
        if ends is None:
            _refresh(context, warehouse, rollups, None)
            return
        tenant_ids = require_keys(warehouse, rollups, ends)
        add_tenants(context.instance, rollups.family, tenant_ids)
        partitions = partitions_between(context, rollups.partitions, ends)
        siblings = _siblings_to_join(context, warehouse, rollups, partitions)
        for more in siblings.values():
            partitions += more
        rebuild(context, warehouse, rollups, partitions)
    finish(context, list(siblings))


def rebuild(
    context: Context, warehouse: Warehouse, rollups: FamilyRollups, partitions: Sequence[Partition]
) -> None:
    """Rebuild partitions and mark them.

    ``InputError`` when there is no such partition, or one would shrink because its source was
    pruned and the run has no tag that allows it.
    """
    require_partitions(warehouse, rollups, partitions)
    if context.run.tags.get(ALLOW_SHRINK_TAG) != "true":
        with warehouse.connection() as connection:
            policy = warehouse.settings.delete_policy
            pruned = pruned_partitions(connection, rollups.family, partitions, policy)
        refuse_pruned(pruned, f"the run tag {ALLOW_SHRINK_TAG}: true")
    _refresh(context, warehouse, rollups, tuple(dict.fromkeys(partitions)))


def require_keys(warehouse: Warehouse, rollups: FamilyRollups, keys: Sequence[str]) -> set[str]:
    """The tenants of partition keys; ``InputError`` for a key of no partition.

    Anybody may start a run with any text as its key: Dagster sees it only if it is sound.
    """
    asked = [partition_of(key) for key in keys]
    require_partitions(warehouse, rollups, asked)
    return {partition.tenant_id for partition in asked}


def require_partitions(
    warehouse: Warehouse, rollups: FamilyRollups, partitions: Sequence[Partition]
) -> None:
    """Raise ``InputError`` for a tenant the source does not have, or a date out of range."""
    last = last_date()
    for partition in partitions:
        if not rollups.start <= partition.date <= last:
            raise InputError(
                f"{partition.date} is outside the partitions: {rollups.start} to {last}"
            )
    tenant_ids = list(dict.fromkeys(partition.tenant_id for partition in partitions))
    with warehouse.connection() as connection:
        require_tenants(connection, rollups.family, tenant_ids)


@contextmanager
def one_line_failures(context: Context) -> Iterator[None]:
    """Our errors fail the run with their one line; wrong input is not tried again."""
    try:
        yield
    except InputError as error:
        context.instance.add_run_tags(context.run.run_id, {MAX_RETRIES_TAG: "0"})
        raise dg.Failure(str(error)) from None
    except RollupsError as error:
        raise dg.Failure(str(error)) from None
    except psycopg.Error as error:
        raise dg.Failure(one_line(error)) from None


def _siblings_to_join(
    context: Context,
    warehouse: Warehouse,
    rollups: FamilyRollups,
    own: Sequence[Partition],
) -> dict[str, list[Partition]]:
    waiting = {
        run_id: partitions_between(context, rollups.partitions, ends)
        for run_id, ends in waiting_siblings(context, list(rollups.relations)).items()
    }
    if not waiting:
        return {}
    asked = [*own, *chain.from_iterable(waiting.values())]
    with warehouse.connection() as connection:
        left = budget(connection, warehouse.settings, rollups.family, asked).left_by(own)
    joined = {}
    for run_id, partitions in waiting.items():
        if left.left_by(partitions).is_kept:
            joined[run_id] = partitions
            left = left.left_by(partitions)
    if joined:
        context.log.info(f"doing the work of {len(joined)} waiting runs of this backfill as well")
    return joined


def _refresh(
    context: Context,
    warehouse: Warehouse,
    rollups: FamilyRollups,
    partitions: tuple[Partition, ...] | None,
) -> None:
    started = time.monotonic()

    def mark(connection: psycopg.Connection, outcome: RefreshOutcome) -> None:
        # Before pending work is struck: a crash in here leaves it to the next refresh.
        shown = [partition for partition in outcome.partitions if partition.date >= rollups.start]
        add_tenants(context.instance, rollups.family, {partition.tenant_id for partition in shown})
        seconds = time.monotonic() - started
        mark_partitions(context, connection, outcome, rollups.relations, shown, seconds)
        log_checks(context, outcome.nodes, rollups.checks)

    try:
        outcome = refresh(
            warehouse.settings,
            warehouse.url,
            RefreshRequest(rollups.family, _trigger(context.run), partitions=partitions),
            on_node=lambda node, done, total: context.log.info(f"{done} of {total}: {node}"),
            on_wait=lambda tenants: context.log.info(
                f"waiting for another refresh of {', '.join(tenants[:5])}"
            ),
            before_complete=mark,
        )
    except RefreshError as error:
        log_checks(context, error.results, rollups.checks)
        raise
    for evaluation in evaluate_health(warehouse, rollups.family, is_thorough=False):
        log_check(context, evaluation)
    show_checks(context)
    context.log.info(
        f"{rollups.family}: {len(outcome.partitions)} partitions in {outcome.seconds:.1f} s"
        if outcome.had_work
        else f"{rollups.family}: nothing is pending"
    )


def _trigger(run: dg.DagsterRun) -> str:
    backfill_id = run.tags.get(BACKFILL_TAG)
    return f"dagster backfill {backfill_id}" if backfill_id else f"dagster run {run.run_id}"


def add_tenants(instance: dg.DagsterInstance, family: str, tenant_ids: set[str]) -> None:
    """Make tenants known to Dagster that are not yet. Keys are never taken away."""
    name = f"{tenant_partitions(family).name}"
    new = sorted(tenant_ids - set(instance.get_dynamic_partitions(name)))
    if new:
        instance.add_dynamic_partitions(name, new)
