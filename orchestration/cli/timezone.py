"""``rollups timezone``: the reporting zone of each tenant."""

from __future__ import annotations

from typing import Annotated

import typer

from orchestration.cli.output import Json, Output, Yes, count
from orchestration.cli.refreshing import describe_outcome, outcome_document, refresh_family
from orchestration.cli.session import (
    Family,
    OneFamily,
    chosen_families,
    deployed_database,
    require_family,
)

group = typer.Typer(help="Reporting time zones of tenants.", no_args_is_help=False)


@group.callback(invoke_without_command=True)
def start(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


@group.command("list")
def list_zones(family: Family = None, as_json: Json = False) -> None:
    """The zone of every tenant, and the time there."""
    from datetime import UTC, datetime
    from zoneinfo import ZoneInfo

    from orchestration.warehouse.tenants import known_tenants

    output = Output(as_json)
    with deployed_database(output) as (settings, _, connection):
        rows = [
            {
                "family": name,
                "tenant_id": tenant.tenant_id,
                "name": tenant.name,
                "timezone": tenant.timezone,
                "local_time": datetime.now(UTC).astimezone(ZoneInfo(tenant.timezone))
                if tenant.timezone
                else None,
            }
            for name in chosen_families(settings, family)
            for tenant in known_tenants(connection, name)
        ]
    output.result(
        {"tenants": rows},
        lambda: output.table(
            ["family", "tenant", "name", "zone", "local time"], [list(row.values()) for row in rows]
        ),
    )


@group.command("set")
def set_zone(
    family: OneFamily,
    tenant: Annotated[str, typer.Argument(metavar="TENANT", help="Tenant id.")],
    zone: Annotated[str, typer.Argument(metavar="ZONE", help="IANA name: America/New_York.")],
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Set a tenant's zone and rebuild its history: days and hours begin elsewhere."""
    from orchestration.warehouse.tenants import require_tenant
    from orchestration.warehouse.timezones import plan_change, require_timezone, set_timezone

    output = Output(as_json)
    with deployed_database(output) as (settings, url, connection):
        require_family(settings, family)
        known = require_tenant(connection, family, tenant)
        zone = require_timezone(connection, zone)
        plan = plan_change(connection, family, tenant, known.timezone, zone)
        if plan.before == plan.after:
            output.result(
                {"change": plan, "refresh": None},
                lambda: output.line(f"{tenant} reports in {zone} already: nothing to do"),
            )
            return
        rebuilt = f"rebuilds {count(plan.days, 'day')} and {count(plan.rows, 'row')}"
        output.note(
            f"{tenant}: {plan.before} -> {plan.after}, {rebuilt}"
            if plan.before
            else f"{tenant}: no zone -> {plan.after}, loads its whole history"
        )
        output.confirm("Set it and rebuild?", yes)
        set_timezone(connection, family, tenant, zone)
    outcome = refresh_family(output, settings, url, family, (tenant,))
    output.result(
        {"change": plan, "refresh": outcome_document(outcome)},
        lambda: output.line(f"{tenant} reports in {zone} now; {describe_outcome(outcome)}"),
    )
