"""``rollups reconcile``: compare the source with the ledgers, and repair what differs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from orchestration.cli.checking import CHECK_FAILED
from orchestration.cli.output import Json, Output, count
from orchestration.cli.refreshing import describe_outcome, outcome_document, refresh_family
from orchestration.cli.session import (
    DateFrom,
    DateTo,
    OneFamily,
    Tenants,
    deployed_database,
    parse_date,
    require_family,
)

if TYPE_CHECKING:
    from orchestration.warehouse.reconciliation import Reconciliation
    from orchestration.warehouse.refresh import RefreshOutcome

SHOWN = 50
# The second refresh takes what the first one found on further dates.
REFRESHES = 2


def reconcile(
    family: OneFamily,
    date_from: DateFrom = None,
    date_to: DateTo = None,
    tenant: Tenants = None,
    allow_shrink: Annotated[
        bool,
        typer.Option(
            "--allow-shrink", help="Let rollups follow a source whose old rows were pruned."
        ),
    ] = False,
    refresh: Annotated[
        bool, typer.Option("--refresh/--no-refresh", help="Repair what differs at once.")
    ] = True,
    as_json: Json = False,
) -> None:
    """Find rows that were deleted or silently changed; exit code 1 if any were, repaired or not."""
    from orchestration.warehouse.reconciliation import reconcile as compare
    from orchestration.warehouse.tenants import require_tenants

    first, last = parse_date("--from", date_from), parse_date("--to", date_to)
    output = Output(as_json)
    with deployed_database(output) as (settings, url, connection):
        require_family(settings, family)
        if tenant:
            require_tenants(connection, family, tenant)
    with output.step(f"reconciling {family}"):
        outcome = compare(
            settings,
            url,
            family,
            tenant_ids=tenant or [],
            date_from=first,
            date_to=last,
            allow_shrink=allow_shrink,
        )
    tenants = tuple(outcome.tenant_ids)
    refreshes = [
        refresh_family(output, settings, url, family, tenants)
        for _ in range(REFRESHES if refresh and tenants else 0)
    ]
    document = {
        "family": family,
        "matches": outcome.matches,
        "reconciliation": outcome,
        "refreshes": [outcome_document(one) for one in refreshes],
    }
    output.result(document, lambda: _say(output, outcome, refreshes))
    if not outcome.matches:
        raise typer.Exit(CHECK_FAILED)


def _say(output: Output, outcome: Reconciliation, refreshes: list[RefreshOutcome]) -> None:
    if outcome.drift:
        output.table(
            ["tenant", "date", "part", "what", ">source rows", ">ledger rows"],
            [
                [
                    each.tenant_id,
                    each.date,
                    each.part,
                    each.kind,
                    each.source_rows,
                    each.ledger_rows,
                ]
                for each in outcome.drift[:SHOWN]
            ],
            title=f"the first {min(SHOWN, len(outcome.drift))} differences",
        )
    output.line(
        f"{outcome.differing:,} of {count(outcome.partitions, 'partition')} differ"
        f" ({outcome.source_rows:,} source rows in {outcome.seconds:.1f} s)"
    )
    if outcome.pruned:
        output.line(
            f"{count(outcome.pruned, 'partition')} outlive their source, whose old rows are gone:"
            " --allow-shrink lets them follow it"
        )
    for one in refreshes:
        output.line(describe_outcome(one))
    if not outcome.matches and not refreshes:
        output.line(f"`rollups refresh --family {outcome.family}` repairs them")
