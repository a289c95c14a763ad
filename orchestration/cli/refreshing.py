"""Doing the work: ``refresh`` and ``backfill``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from orchestration.cli.output import Json, Output, Yes, count
from orchestration.cli.session import (
    DateFrom,
    DateTo,
    Family,
    OneFamily,
    Tenants,
    chosen_families,
    dbt_silenced,
    deployed_database,
    parse_date,
    require_family,
    require_range,
)
from orchestration.errors import InputError

if TYPE_CHECKING:
    from orchestration.settings import Settings
    from orchestration.warehouse.backfill import BackfillPlan, BackfillProgress
    from orchestration.warehouse.refresh import RefreshOutcome

TRIGGER = "command line"


def refresh(family: Family = None, tenant: Tenants = None, as_json: Json = False) -> None:
    """Find what changed in the source and bring the rollups up to date."""
    from orchestration.warehouse.tenants import require_tenants

    output = Output(as_json)
    with deployed_database(output) as (settings, url, connection):
        families = chosen_families(settings, family)
        if tenant and len(families) > 1:
            raise InputError(f"--tenant needs --family: {' or '.join(families)}")
        for name in families:
            require_tenants(connection, name, tenant or [])
    outcomes = [
        refresh_family(output, settings, url, name, tuple(tenant) if tenant else None)
        for name in families
    ]
    output.result(
        {"refreshes": [outcome_document(outcome) for outcome in outcomes]},
        lambda: [output.line(describe_outcome(outcome)) for outcome in outcomes],
    )


def backfill(
    family: OneFamily,
    date_from: DateFrom = None,
    date_to: DateTo = None,
    tenant: Tenants = None,
    resume: Annotated[bool, typer.Option("--resume", help="Finish interrupted backfills.")] = False,
    allow_shrink: Annotated[
        bool, typer.Option("--allow-shrink", help="Also dates whose source rows were pruned.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show the plan.")] = False,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Rebuild a range of dates from the source; without --from or --to, all there is."""
    from orchestration.warehouse.backfill import BackfillProgress, plan_backfill, plan_rest
    from orchestration.warehouse.pruning import refuse_pruned, say_pruned
    from orchestration.warehouse.tenants import require_tenants

    first, last = parse_date("--from", date_from), parse_date("--to", date_to)
    output = Output(as_json)
    with deployed_database(output) as (settings, url, connection):
        require_family(settings, family)
        tenants = require_tenants(connection, family, tenant or [])
        dates = require_range(connection, settings, family, tenants, first, last)
        make_plan = plan_rest if resume else plan_backfill
        plan = make_plan(connection, settings, family, tenants, *dates)
    if not as_json:
        _show_plan(output, plan)
    progress = BackfillProgress()
    if dry_run and plan.pruned:
        output.note(say_pruned(plan.pruned))
    if plan.partitions and not dry_run:
        if not allow_shrink:
            refuse_pruned(plan.pruned, "--allow-shrink")
        _confirm(output, plan, yes)
        _run(output, settings, url, plan, progress)
    output.result(
        _backfill_document(plan, progress, dry_run),
        lambda: _say_end(output, plan, progress, dry_run),
    )


def refresh_family(
    output: Output, settings: Settings, url: str, family: str, tenant_ids: tuple[str, ...] | None
) -> RefreshOutcome:
    """Refresh what is pending of a family (of some tenants), with progress."""
    from orchestration.warehouse.refresh import RefreshRequest
    from orchestration.warehouse.refresh import refresh as run_refresh

    with output.step(f"refreshing {family}") as step, dbt_silenced():
        return run_refresh(
            settings,
            url,
            RefreshRequest(family, TRIGGER, tenant_ids=tenant_ids),
            on_node=lambda node, done, total: step.advance(done, total, node),
            on_wait=lambda busy: output.note(waiting(busy)),
        )


def outcome_document(outcome: RefreshOutcome) -> dict[str, Any]:
    """A refresh as JSON: what it rebuilt and how long it took."""
    return {
        "refresh_id": outcome.refresh_id,
        "family": outcome.family,
        "had_work": outcome.had_work,
        "seconds": round(outcome.seconds, 3),
        "tenants": len({partition.tenant_id for partition in outcome.partitions}),
        "partitions": [
            {"tenant_id": partition.tenant_id, "date": partition.date}
            for partition in outcome.partitions
        ],
    }


def describe_outcome(outcome: RefreshOutcome) -> str:
    """A refresh in one line."""
    if not outcome.had_work:
        return f"{outcome.family}: nothing to do, the rollups are up to date"
    tenants = len({partition.tenant_id for partition in outcome.partitions})
    return (
        f"{outcome.family}: {count(len(outcome.partitions), 'partition')} of"
        f" {count(tenants, 'tenant')} rebuilt in {outcome.seconds:.1f} s"
    )


def _confirm(output: Output, plan: BackfillPlan, yes: bool) -> None:
    from orchestration.warehouse.backfill import LONG_RANGE_DAYS

    output.confirm(f"Rebuild {count(len(plan.partitions), 'partition')}?", yes)
    if plan.days > LONG_RANGE_DAYS:
        output.confirm(
            f"{plan.days:,} days are more than {LONG_RANGE_DAYS}: this may take long. Go on?", yes
        )


def _run(
    output: Output, settings: Settings, url: str, plan: BackfillPlan, progress: BackfillProgress
) -> None:
    from orchestration.warehouse.backfill import run_backfill

    total = len(plan.partitions)
    try:
        with output.step(f"rebuilding {plan.family}") as step, dbt_silenced():
            step.advance(0, total)
            run_backfill(
                settings,
                url,
                plan,
                progress,
                on_piece=step.advance,
                on_node=lambda node, *_: step.advance(
                    progress.done + progress.done_by_others, total, node
                ),
                on_wait=lambda busy: output.note(waiting(busy)),
            )
    except BaseException:
        done = progress.done + progress.done_by_others
        if progress.noted:
            output.note(
                f"{done:,} of {count(total, 'partition')} done, {total - done:,} stay pending: the"
                f" next refresh does them, or `rollups backfill --family {plan.family} --resume`"
            )
        raise


def _show_plan(output: Output, plan: BackfillPlan) -> None:
    tenants = ", ".join(plan.tenant_ids[:3]) + (", ..." if len(plan.tenant_ids) > 3 else "")
    output.table(
        [">tenants", "", "dates", ">days", ">partitions", ">source rows (estimate)", ">refreshes"],
        [
            [
                len(plan.tenant_ids),
                tenants,
                f"{plan.date_from} to {plan.date_to}",
                plan.days,
                len(plan.partitions),
                plan.source_rows,
                len(plan.pieces),
            ]
        ],
    )


def _backfill_document(
    plan: BackfillPlan, progress: BackfillProgress, dry_run: bool
) -> dict[str, Any]:
    return {
        "family": plan.family,
        "tenants": plan.tenant_ids,
        "from": plan.date_from,
        "to": plan.date_to,
        "partitions": len(plan.partitions),
        "refreshes": len(plan.pieces),
        "source_rows_estimate": plan.source_rows,
        "pruned": plan.pruned,
        "dry_run": dry_run,
        "done": progress.done,
        "done_by_others": progress.done_by_others,
    }


def _say_end(output: Output, plan: BackfillPlan, progress: BackfillProgress, dry_run: bool) -> None:
    if not plan.partitions:
        output.line("nothing to do: no partition of a backfill is pending")
    elif dry_run:
        output.line("dry run: nothing was changed")
    else:
        others = (
            f" ({progress.done_by_others:,} by other refreshes)" if progress.done_by_others else ""
        )
        done = progress.done + progress.done_by_others
        output.line(f"{plan.family}: {count(done, 'partition')} rebuilt{others}")


def waiting(busy: list[str]) -> str:
    """That other refreshes hold these tenants."""
    tenants = ", ".join(busy[:3]) + (", ..." if len(busy) > 3 else "")
    return f"waiting for another refresh of {tenants}"
