"""``rollups quarantine``: rows that could not be counted, and the account of all rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from orchestration.cli.output import Json, Output, count
from orchestration.cli.session import Family, Tenants, chosen_families, deployed_database

if TYPE_CHECKING:
    from orchestration.warehouse.quarantine import Intake, Quarantined

WithIntake = Annotated[
    bool,
    typer.Option("--intake", help="All rows and what became of them; reads the whole source."),
]


def quarantine(
    family: Family = None,
    tenant: Tenants = None,
    with_intake: WithIntake = False,
    as_json: Json = False,
) -> None:
    """Rows that could not be counted, by tenant, day, table and reason."""
    from orchestration.warehouse.quarantine import intake, quarantined_rows
    from orchestration.warehouse.tenants import known_tenants, require_tenant

    output = Output(as_json)
    wanted = tenant or []
    with deployed_database(output) as (settings, _, connection):
        families = chosen_families(settings, family)
        held = [row for name in families for row in quarantined_rows(connection, name, wanted)]
        # A row may name a tenant that the source does not have: that is why it is here.
        known = {row.tenant_id for row in held}
        known |= {one.tenant_id for name in families for one in known_tenants(connection, name)}
        for tenant_id in set(wanted) - known:
            require_tenant(connection, families[0], tenant_id)
        accounts = (
            [line for name in families for line in intake(connection, name, wanted)]
            if with_intake
            else None
        )
    document = {"quarantine": held} | ({} if accounts is None else {"intake": accounts})
    output.result(document, lambda: _say(output, held, accounts))


def _say(output: Output, held: list[Quarantined], accounts: list[Intake] | None) -> None:
    if accounts is not None:
        output.table(
            ["family", "tenant", "date", "table", ">rows in", ">counted", ">duplicates",
             ">ignored", ">quarantined", ">unaccounted"],
            [
                [a.family, a.tenant_id, a.date, a.source_table, a.rows_in, a.counted, a.duplicates,
                 a.ignored, a.quarantined, a.unaccounted]
                for a in accounts
            ],
        )  # fmt: skip
        missing = sum(abs(account.unaccounted) for account in accounts)
        output.line(
            "every row is accounted for"
            if missing == 0
            else f"{count(missing, 'row')} unaccounted for: rollups refresh, then look again"
        )
    if not held:
        output.line("nothing is in quarantine")
        return
    output.table(
        ["family", "tenant", "date", "table", "reason", ">rows"],
        [[r.family, r.tenant_id, r.date, r.source_table, r.reason, r.row_count] for r in held],
    )
    output.line("what each reason means, and its cure: docs/quarantine.md")
