"""Reconciliation as an asset: the source compared with the ledgers once a day, and on demand."""

# Dagster reads annotations as objects: no `from __future__ import annotations` here.

import dagster as dg
from dagster._core.definitions.unresolved_asset_job_definition import (
    UnresolvedAssetJobDefinition as AssetJob,
)
from pydantic import Field

from orchestration.checks import SHOWN, markdown_table
from orchestration.refreshing import one_line_failures
from orchestration.resources import Warehouse
from orchestration.translator import LEDGER_GROUP
from orchestration.warehouse.reconciliation import Reconciliation, reconcile
from orchestration.warehouse.tenants import require_tenants

CHECK = "ledger_equals_source"
LEDGERS = {
    "outreach": (
        "outreach_activity_ledger", "outreach_transition_ledger", "outreach_optout_ledger",
    ),
    "support": (
        "support_event_ledger", "support_conversation_ledger", "support_message_ledger",
    ),
}  # fmt: skip


class Question(dg.Config):
    """What to compare; as it is: everything."""

    tenants: list[str] = Field(default=[], description="Tenant ids; none: all tenants.")
    allow_shrink: bool = Field(
        default=False,
        description="Let the rollups follow a source whose old rows were pruned.",
    )


def reconciliation_asset(family: str) -> dg.AssetsDefinition:
    """Compares a family's source with its ledgers; what differs becomes pending."""
    name = f"{family}_reconciliation"

    @dg.asset(
        name=name,
        deps=[dg.AssetKey(ledger) for ledger in LEDGERS[family]],
        group_name=LEDGER_GROUP,
        kinds={"postgres"},
        description=f"Compares the {family} source tables with the ledgers by tenant and date, by"
        " count and content. Finds what change capture cannot see, such as deleted rows; what"
        " differs is pending then, and the next refresh repairs it.",
        check_specs=[
            dg.AssetCheckSpec(
                CHECK,
                asset=dg.AssetKey(name),
                description="No partition differs. The refresh that follows repairs those listed.",
            )
        ],
    )
    def reconciliation(
        context: dg.AssetExecutionContext, config: Question, warehouse: Warehouse
    ) -> dg.MaterializeResult:
        with one_line_failures(context):
            _require_known(warehouse, family, config.tenants)
            outcome = reconcile(
                warehouse.settings,
                warehouse.url,
                family,
                tenant_ids=config.tenants,
                allow_shrink=config.allow_shrink,
            )
        context.log.info(
            f"{family}: {outcome.differing} of {outcome.partitions} partitions differ,"
            f" {outcome.pruned} outlive their source"
        )
        return dg.MaterializeResult(
            metadata=_numbers(outcome), check_results=[_check_result(outcome)]
        )

    return reconciliation


def reconciliation_job(family: str, asset: dg.AssetsDefinition) -> AssetJob:
    """The reconciliation and the checks of it: what the schedule starts."""
    return dg.define_asset_job(
        f"{family}_reconcile",
        selection=dg.AssetSelection.assets(asset),
        description=f"Compares the {family} source with the ledgers.",
    )


def _require_known(warehouse: Warehouse, family: str, tenants: list[str]) -> None:
    with warehouse.connection() as connection:
        if tenants:
            require_tenants(connection, family, tenants)


def _numbers(outcome: Reconciliation) -> dict[str, float]:
    return {
        "partitions_compared": outcome.partitions,
        "partitions_differing": outcome.differing,
        "partitions_pruned": outcome.pruned,
        "source_rows": outcome.source_rows,
        "seconds": round(outcome.seconds, 3),
    }


def _finding(outcome: Reconciliation) -> str:
    if outcome.matches:
        return f"all {outcome.partitions} partitions equal the source"
    tenants = ", ".join(repr(tenant[:40]) for tenant in outcome.tenant_ids[:3])
    more = f" and {len(outcome.tenant_ids) - 3} more" if len(outcome.tenant_ids) > 3 else ""
    return (
        f"{outcome.differing} of {outcome.partitions} partitions differ, of {tenants}{more};"
        " the next refresh repairs them"
    )


def _check_result(outcome: Reconciliation) -> dg.AssetCheckResult:
    columns = ("tenant", "date", "part", "what", "source rows", "ledger rows")
    rows = [
        (each.tenant_id, each.date, each.part, each.kind, each.source_rows, each.ledger_rows)
        for each in outcome.drift[:SHOWN]
    ]
    return dg.AssetCheckResult(
        check_name=CHECK,
        passed=outcome.matches,
        description=_finding(outcome),
        severity=dg.AssetCheckSeverity.WARN,
        metadata={
            **_numbers(outcome),
            "partitions": dg.MetadataValue.md(markdown_table(columns, rows, len(outcome.drift))),
        },
    )
