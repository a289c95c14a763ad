"""``rollups access``: which tenants each tenant reader may see."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from orchestration.cli.output import Json, Output, Yes, count
from orchestration.cli.session import (
    Family,
    OneFamily,
    Tenants,
    chosen_families,
    deployed_database,
    require_family,
)
from orchestration.errors import InputError

if TYPE_CHECKING:
    from orchestration.warehouse.access import Access

group = typer.Typer(help="Which tenants each tenant reader may see.", no_args_is_help=False)

Role = Annotated[str, typer.Argument(metavar="ROLE", help="A login, or a group of logins.")]


@group.callback(invoke_without_command=True)
def start(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


@group.command("list")
def list_access(family: Family = None, as_json: Json = False) -> None:
    """Every grant, and what is wrong with it."""
    from orchestration.warehouse.access import access_list

    output = Output(as_json)
    with deployed_database(output) as (settings, _, connection):
        grants = access_list(connection, chosen_families(settings, family))
    output.result({"grants": grants}, lambda: _say(output, grants))


def _say(output: Output, grants: list[Access]) -> None:
    if not grants:
        output.line("nobody has been granted a tenant: rollups access grant")
        return
    output.table(
        ["role", "family", "tenant", "since", "by", "problem"],
        [
            [one.role_name, one.family, one.tenant_id or "all", one.granted_at, one.granted_by,
             one.problem]
            for one in grants
        ],
    )  # fmt: skip


@group.command("grant")
def grant(
    family: OneFamily,
    role: Role,
    tenants: Tenants = None,
    all_tenants: Annotated[
        bool, typer.Option("--all-tenants", help="Every tenant, those to come too.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Let a role see tenants, from its next query on."""
    from orchestration.warehouse.access import grant_access, require_role
    from orchestration.warehouse.logins import set_up_logins
    from orchestration.warehouse.tenants import require_tenant

    output = Output(as_json)
    if all_tenants == bool(tenants):
        raise InputError("name tenants with --tenant, or give --all-tenants")
    with deployed_database(output) as (settings, _, connection):
        require_family(settings, family)
        require_role(connection, role)
        for tenant in tenants or ():
            require_tenant(connection, family, tenant)
        new = grant_access(connection, role, family, tenants or [None])
        left = set_up_logins(connection)
    for statement in left:
        output.note(f"an administrator may run: {statement};")
    output.result(
        {
            "role": role,
            "family": family,
            "tenants": tenants or "all",
            "new": new,
            "for_administrator": left,
        },
        lambda: output.line(
            f"{role} may see {'all tenants' if all_tenants else ', '.join(tenants or ())} of"
            f" {family} ({count(new, 'new grant')})"
        ),
    )


@group.command("revoke")
def revoke(
    family: OneFamily,
    role: Role,
    tenants: Tenants = None,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Take tenants from a role, all it has if none is named; at once, in open sessions too."""
    from orchestration.warehouse.access import revoke_access

    output = Output(as_json)
    with deployed_database(output) as (settings, _, connection):
        require_family(settings, family)
        if not tenants:
            output.confirm(f"Take every {family} tenant from {role}?", yes)
        taken = revoke_access(connection, role, family, tenants or ())
    if not taken:
        what = f"tenant {', '.join(tenants)[:80]!r}" if tenants else "any tenant"
        raise InputError(
            f"{role[:80]!r} was not granted {what} of {family}: see `rollups access list`"
        )
    names = sorted(tenant or "all" for tenant in taken)
    output.result(
        {"role": role, "family": family, "tenants": names},
        lambda: output.line(f"{role} may see these no more of {family}: {', '.join(names)}"),
    )
