"""Asset checks that are about tenants rather than rows."""

# Dagster reads annotations as objects: no `from __future__ import annotations` here.

from collections.abc import Sequence

import dagster as dg

from orchestration.resources import Warehouse
from orchestration.warehouse.tenants import Tenant, known_tenants

# The mart whose page shows the checks of a family.
MART = {"outreach": "metrics_tenant_daily", "support": "reporting_events_rollups"}
TENANTS_CHECK = "every_tenant_has_rollups"
SHOWN = 50


def tenants_check(family: str) -> dg.AssetChecksDefinition:
    """Warn of tenants that have no rollups. Every refresh evaluates it; so may a person."""

    @dg.asset_check(
        asset=dg.AssetKey(MART[family]),
        name=TENANTS_CHECK,
        description=f"Lists {family} tenants without rollups, such as those whose time zone is"
        " missing or unknown. Everybody else is refreshed.",
    )
    def every_tenant_has_rollups(warehouse: Warehouse) -> dg.AssetCheckResult:
        evaluation = evaluate_tenants(warehouse, family)
        return dg.AssetCheckResult(
            passed=evaluation.passed, severity=evaluation.severity,
            description=evaluation.description, metadata=evaluation.metadata,
        )  # fmt: skip

    return every_tenant_has_rollups


def evaluate_tenants(warehouse: Warehouse, family: str) -> dg.AssetCheckEvaluation:
    """Whether every tenant of a family has rollups, and why not."""
    with warehouse.connection() as connection:
        tenants = known_tenants(connection, family)
    without = [tenant for tenant in tenants if tenant.problem is not None]
    return dg.AssetCheckEvaluation(
        asset_key=dg.AssetKey(MART[family]),
        check_name=TENANTS_CHECK,
        passed=not without,
        description=_finding(without, len(tenants)),
        severity=dg.AssetCheckSeverity.WARN,
        metadata={
            "tenants": len(tenants),
            "without_rollups": len(without),
            "reasons": dg.MetadataValue.md(
                markdown_table(
                    ("tenant", "why"),
                    [(tenant.tenant_id, tenant.problem) for tenant in without[:SHOWN]],
                    len(without),
                )
            ),
        },
    )


def _finding(without: Sequence[Tenant], of: int) -> str:
    """The finding in one line, as an alert tells it."""
    if not without:
        return f"all {of} tenants have rollups"
    first = "; ".join(f"{tenant.tenant_id[:40]!r}: {tenant.problem}" for tenant in without[:3])
    more = f" and {len(without) - 3} more" if len(without) > 3 else ""
    return f"{len(without)} of {of} tenants have no rollups: {first}{more}"


def markdown_table(columns: Sequence[str], rows: Sequence[Sequence[object]], total: int) -> str:
    """The first rows of ``total`` as a table for the UI."""
    if not rows:
        return "none"
    lines = [columns, ["---"] * len(columns), *([_cell(value) for value in row] for row in rows)]
    table = ["| " + " | ".join(line) + " |" for line in lines]
    return "\n".join([*table, *([f"\nand {total - len(rows)} more"] if total > len(rows) else [])])


def _cell(value: object) -> str:
    text = "" if value is None else str(value)
    return " ".join(text.replace("|", "\\|").split())[:200]
